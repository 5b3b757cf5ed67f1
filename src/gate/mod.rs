//! The gate: decide, wait, and run exactly what was approved.

mod approval_gate;
mod assess;
mod authorized;
mod blocking;
mod executed;
mod filing;
mod finish;
mod handle;
mod permit;
mod refusal;
mod served;
mod start;
mod waiting;

pub use approval_gate::{ApprovalGate, ApprovalGateExt, Filing, OpenRequest, Standing};
pub use authorized::{Authorized, AuthorizedFor, Stop};
pub use blocking::wait;
pub use executed::{Executed, RecordError, RunError};
pub use handle::Gate;
pub use permit::{Permit, PermitFor};
pub use refusal::{Cause, Missing, PolicyDenial, Refusal, Rejection, Retry, Untrusted};

pub use crate::approval::StopCause;

pub(crate) use handle::unread;
pub(crate) use served::serve;

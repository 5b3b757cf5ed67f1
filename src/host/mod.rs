//! What a host opens: the library on one log, and the handles that it gives out.
//!
//! It stands above gate and desk, which know nothing of each other: nothing that an agent holds leads to a desk.

mod countersign;
mod lineage;
mod operator;

pub use self::countersign::{Countersign, NoSuchRole, Opening};
pub use self::lineage::LineageError;
pub use self::operator::{Operator, OperatorError};

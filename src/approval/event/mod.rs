//! What can happen to a request, and to the log around it: one struct for each kind of record that this edition judges.
//!
//! The fields are the members of the record format's section 5. Writing them to bytes, and reading them back, is the journal's.

mod around;
mod ended;
mod erased;
mod execution;
mod parts;
mod reassessed;
mod recovered;
mod requested;
mod voted;

use std::sync::Arc;

use crate::action::{ActionDigest, RequestId};
use crate::clock::Timestamp;

pub use around::{ClockAcknowledged, ClockDoubt, ClockDoubted, PolicyAdopted};
pub use ended::{Cancelled, Expired, Finding, Reconciled, Revoked, Superseded, Unmet, Withdrawn};
pub use erased::{Erased, InvalidLegalBasis, LegalBasis, Whose};
pub use execution::{
    Basis, Counted, DatasetName, Derivation, EndCode, Finished, LeaseRenewed, LossCause, Lost,
    Outcome, ResultDigest, Started, Timing, Touched,
};
pub use parts::{At, Decision, Proof};
pub use reassessed::{ReassessCause, Reassessed, Renewed};
pub use recovered::{Mishap, Recovered, TreeHead};
pub use requested::{DenialCause, Disposition, Requested};
pub use voted::{Choice, Exception, InvalidVoteCode, ShownDigest, VoteCode, Voted};

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The record's number.
    pub seq: At,
    /// Gate time of the record.
    pub ts: Timestamp,
    /// The request that the record belongs to, if it belongs to one.
    pub request: Option<RequestId>,
    /// The action digest in the record's subject; there exactly when `request` is.
    pub action: Option<ActionDigest>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A process took up a policy. Belongs to no request.
    PolicyAdopted(PolicyAdopted),
    /// An action was filed and policy gave its first verdict. Shared, since every state of the request carries it.
    Requested(Arc<Requested>),
    /// A person decided.
    Voted(Box<Voted>),
    /// Policy, people or data changed before the start, and the request was judged again.
    Reassessed(Box<Reassessed>),
    /// The effect is about to be called.
    Started(Box<Started>),
    /// The effect goes on.
    LeaseRenewed(LeaseRenewed),
    /// The effect ended, as its process saw it.
    Finished(Box<Finished>),
    /// Nobody will say how the effect ended.
    Lost(Lost),
    /// The requester no longer wants it.
    Withdrawn(Withdrawn),
    /// Another request takes its place.
    Superseded(Superseded),
    /// A reviewer closed it.
    Cancelled(Cancelled),
    /// A reviewer took the approval back.
    Revoked(Revoked),
    /// A clock ran out.
    Expired(Expired),
    /// A reviewer found out how a lost effect ended.
    Reconciled(Reconciled),
    /// The clock cannot be trusted. Belongs to no request.
    Clock(ClockDoubted),
    /// The operator trusts it again. Belongs to no request.
    ClockAcknowledged(ClockAcknowledged),
    /// Hidden values were erased. Belongs to no request.
    Erased(Box<Erased>),
    /// The log continues one that was lost. Belongs to no request.
    Recovered(Box<Recovered>),
}

impl Event {
    /// The word for this kind in records.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PolicyAdopted(_) => "policy_adopted",
            Self::Requested(_) => "requested",
            Self::Voted(_) => "voted",
            Self::Reassessed(_) => "reassessed",
            Self::Started(_) => "started",
            Self::LeaseRenewed(_) => "lease_renewed",
            Self::Finished(_) => "finished",
            Self::Lost(_) => "lost",
            Self::Withdrawn(_) => "withdrawn",
            Self::Superseded(_) => "superseded",
            Self::Cancelled(_) => "cancelled",
            Self::Revoked(_) => "revoked",
            Self::Expired(_) => "expired",
            Self::Reconciled(_) => "reconciled",
            Self::Clock(_) => "clock",
            Self::ClockAcknowledged(_) => "clock_acknowledged",
            Self::Erased(_) => "erased",
            Self::Recovered(_) => "recovered",
        }
    }

    /// Whether it is about the log itself and belongs to no request.
    #[must_use]
    pub const fn is_of_the_log(&self) -> bool {
        matches!(
            self,
            Self::PolicyAdopted(_)
                | Self::Clock(_)
                | Self::ClockAcknowledged(_)
                | Self::Erased(_)
                | Self::Recovered(_)
        )
    }
}

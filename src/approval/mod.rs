//! The life of a request: events, the fold over them, votes, and separation of duties.
//!
//! Everything here is pure: no input or output, no clock, no randomness. [`RequestState`] is the fold over the events of one
//! request; [`RequestState::check`] says whether an event would be legal next, and is the same table as the fold, so that whoever
//! writes a record and whoever verifies it judge alike. The table is section 8 of the record format.

mod event;
mod hidden;
mod illegal;
mod separation;
mod state;
mod status;
mod table;
mod votes;

#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;

pub use event::{
    At, Basis, Cancelled, Choice, ClockAcknowledged, ClockDoubt, ClockDoubted, Counted,
    DatasetName, Decision, DenialCause, Derivation, Disposition, EndCode, Erased, Event, Exception,
    Expired, Finding, Finished, InvalidLegalBasis, InvalidVoteCode, LeaseRenewed, LegalBasis,
    LossCause, Lost, Mishap, Outcome, PolicyAdopted, Proof, ReassessCause, Reassessed, Reconciled,
    Recorded, Recovered, Renewed, Requested, ResultDigest, Revoked, ShownDigest, Started,
    Superseded, Timing, Touched, TreeHead, Unmet, VoteCode, Voted, Whose, Withdrawn,
};
pub use hidden::Hidden;
pub use illegal::{Illegal, MeaningRule, Why};
pub use separation::{As, Controllers, Interests, Standing};
pub use state::{RequestState, Vote};
pub use status::{NotReady, Ready, Status, StopCause};
pub use votes::{CountedVotes, VoidReason, count_votes};

//! What policy is asked.

use crate::action::{Action, ActorChain, PersonId, SessionId};
use crate::clock::Timestamp;

use super::facts::Facts;
use super::matching::CountedVote;

/// One action, who wants it, and what is known.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is to be done.
    pub action: &'a Action,
    /// Who acts and for whom, as the host established it; the tenant is in it.
    pub chain: &'a ActorChain,
    /// The session in which it is asked.
    pub session: &'a SessionId,
    /// Gate time.
    pub now: Timestamp,
    /// Whether this is the first answer or the one before the start.
    pub phase: Phase<'a>,
    /// What the evaluator's needs brought.
    pub facts: &'a Facts,
}

/// The two moments at which policy is asked about an action.
#[derive(Clone, Copy, Debug)]
pub enum Phase<'a> {
    /// Before anyone was asked.
    Propose,
    /// Right before the effect starts.
    Enforce {
        /// The approvals that count now.
        votes: &'a [CountedVote<PersonId>],
    },
}

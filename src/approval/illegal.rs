//! Why an event is not allowed.

use std::fmt;

use thiserror::Error;

use super::event::{At, Unmet};
use super::separation::As;

/// An event that the life of its request does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{event}` is not allowed ({rule}): {why}")]
pub struct Illegal {
    /// The kind of the event.
    pub event: &'static str,
    /// The rule of the record format that it breaks.
    pub rule: MeaningRule,
    /// What is wrong with it.
    pub why: Why,
}

/// The rules of the record format that a request's fold holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MeaningRule {
    /// The action digest is that of the request.
    M2,
    /// The table of section 8 allows it.
    M3,
    /// Separation of duties.
    M4,
    /// What a start counts.
    M5,
    /// Requirements only tighten.
    M6,
    /// What an approval must bring along.
    M7,
    /// What witnesses knew before the start.
    M11,
}

impl MeaningRule {
    /// The rule's name in the record format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M2 => "M2",
            Self::M3 => "M3",
            Self::M4 => "M4",
            Self::M5 => "M5",
            Self::M6 => "M6",
            Self::M7 => "M7",
            Self::M11 => "M11",
        }
    }
}

impl fmt::Display for MeaningRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with an event, for callers to act on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Why {
    /// It belongs to no request.
    #[error("it belongs to no request")]
    NotOfARequest,
    /// It is of another request, or its subject is another action.
    #[error("it names another request or another action than the one that was filed")]
    OtherRequest,
    /// The request's own number in the bound form differs.
    #[error("the bound form names another request")]
    OtherBound,
    /// Nothing was filed yet.
    #[error("nothing was requested yet")]
    NotRequested,
    /// It was filed already.
    #[error("the request was filed already")]
    RequestedTwice,
    /// Its number or time is before that of the last event.
    #[error("it does not come after the event before it")]
    OutOfOrder,
    /// The request is in a state that does not allow it.
    #[error("the request is {state}")]
    Wrong {
        /// What the request is.
        state: &'static str,
    },
    /// The clock ran out before it.
    #[error("the clock had run out: {}", match .0 { Unmet::Pending => "the request was not decided in time", Unmet::Unused => "the approval was not used in time" })]
    Over(Unmet),
    /// An expiry before its time.
    #[error("the clock has not run out")]
    NotOver,
    /// Nobody is asked, since policy allowed it.
    #[error("policy allowed the action, so nobody is asked")]
    NobodyAsked,
    /// The voter satisfies no selector of the quorum.
    #[error("the voter satisfies no selector of the quorum")]
    NotEligible,
    /// The person has approved already, and an approval is not repeated.
    #[error("the person has approved already")]
    AlreadyApproved(
        /// Their vote.
        At,
    ),
    /// The voter has an interest in the action.
    #[error("the voter has an interest in the action")]
    SelfApproval(
        /// Which.
        As,
    ),
    /// Nobody's approval counts, since some controllers are unknown.
    #[error("some controllers of the agent are unknown, so nobody's approval counts")]
    UnknownController,
    /// An exception that the voter does not need, or that the requirement does not grant.
    #[error("it claims an exception that does not apply")]
    NoException,
    /// The approval lacks the reason that the requirement wants.
    #[error("the requirement wants a reason")]
    ReasonMissing,
    /// The approval lacks the ticket that the requirement wants.
    #[error("the requirement wants a ticket")]
    TicketMissing,
    /// It voids something that is no vote, or is void already.
    #[error("record {0} is no vote that counts")]
    NoSuchVote(
        /// What it names.
        At,
    ),
    /// A verdict or requirement weaker than the one before.
    #[error("the requirement is weaker than the one before it")]
    Weaker,
    /// The approval may not be used yet.
    #[error("the approval may not be used yet")]
    TooEarly,
    /// The counted votes are unordered, name a person twice, or another person than the vote does.
    #[error("the counted votes do not match the votes that were cast")]
    Miscounted(
        /// The first that does not match.
        At,
    ),
    /// The counted votes do not meet the quorum.
    #[error("the counted votes do not meet the quorum")]
    QuorumNotMet,
    /// Witnesses were to know of the decision first, and the start does not say that they did.
    #[error("witnesses had to know of the decision first")]
    Unwitnessed,
    /// The tree that witnesses cosigned does not hold the decision.
    #[error("the tree that witnesses cosigned does not hold the decision")]
    WitnessedBefore,
    /// Witnesses cannot have cosigned a tree that holds the start itself.
    #[error("the tree that witnesses cosigned was not there yet")]
    WitnessedAhead,
    /// Another run, or another process, than the one that started.
    #[error("it names another run or another process than the one that started")]
    OtherExecution,
    /// A renewal after the lease had passed.
    #[error("the lease had passed")]
    LeasePassed,
    /// A loss for a lease that has not passed.
    #[error("the lease has not passed")]
    LeaseHolds,
    /// A late end that is not marked so, or one marked so that is not late.
    #[error("whether it is marked as late does not match")]
    Lateness,
    /// A late end when one is known already.
    #[error("a late end is known already")]
    LateTwice,
    /// It was revoked already.
    #[error("it was revoked already")]
    RevokedTwice,
    /// A derivation names a dataset that is not listed.
    #[error("a derivation names a dataset that is not listed")]
    NoSuchDataset,
}

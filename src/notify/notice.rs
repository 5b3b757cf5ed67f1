//! What is said to people about one request.

use std::fmt;

use crate::{action::RequestId, clock::Timestamp};

use super::{Card, NoticeId};

/// Something to tell the people on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A request waits for reviewers.
    Ask {
        /// The same at every delivery.
        id: NoticeId,
        /// What they are asked about.
        card: Card,
    },
    /// It still waits. Nothing in this edition schedules reminders; a host may deliver one.
    Remind {
        /// The same at every delivery.
        id: NoticeId,
        /// What they are asked about, with what has happened since.
        card: Card,
    },
    /// It needs no answer any more, or went on.
    Settle {
        /// The same at every delivery.
        id: NoticeId,
        /// How it stands.
        settlement: Settlement,
    },
}

impl Notice {
    /// The id, the same at every delivery.
    #[must_use]
    pub fn id(&self) -> &NoticeId {
        match self {
            Self::Ask { id, .. } | Self::Remind { id, .. } | Self::Settle { id, .. } => id,
        }
    }

    /// The request that it is about.
    #[must_use]
    pub fn request(&self) -> RequestId {
        match self {
            Self::Ask { card, .. } | Self::Remind { card, .. } => card.request(),
            Self::Settle { settlement, .. } => settlement.card.request(),
        }
    }
}

/// That a request needs no answer any more, or went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What became of it.
    pub what: Settled,
    /// When.
    pub at: Timestamp,
    /// What it was about.
    pub card: Card,
}

impl Settlement {
    /// One line for people: the action, the request and what became of it. It holds no value of the action.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { what, at, card } = self;
        format!("{} ({}) {what} at {at}", card.action_name(), card.request())
    }
}

/// What became of a request. It displays as the end of a sentence that begins with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Settled {
    /// Enough people approved; it has not started.
    Approved,
    /// A reviewer denied it.
    Rejected,
    /// The policy denies it now.
    DeniedByPolicy,
    /// Nobody decided in time, or the approval was not used in time. No person denied it.
    Expired,
    /// Who asked took it back.
    Withdrawn,
    /// A reviewer ended it before it was decided.
    Cancelled,
    /// A reviewer took the approval back.
    Revoked,
    /// Another request took its place.
    Superseded,
    /// It runs.
    Started,
    /// It ran and succeeded.
    Succeeded,
    /// It ran and failed.
    Failed,
    /// It ran, and nobody knows with what effect: somebody has to look.
    Unresolved,
    /// Somebody looked and recorded what had happened.
    Reconciled,
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approved => "was approved",
            Self::Rejected => "was denied by a reviewer",
            Self::DeniedByPolicy => "was denied by the policy",
            Self::Expired => "expired: nobody denied it",
            Self::Withdrawn => "was withdrawn by who asked",
            Self::Cancelled => "was cancelled by a reviewer",
            Self::Revoked => "was approved, and the approval was revoked",
            Self::Superseded => "was replaced by another request",
            Self::Started => "was started",
            Self::Succeeded => "ran and succeeded",
            Self::Failed => "ran and failed",
            Self::Unresolved => "ran with unknown effect: somebody has to look",
            Self::Reconciled => "ran with unknown effect, and somebody has looked",
        })
    }
}

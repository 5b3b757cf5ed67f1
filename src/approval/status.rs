//! What a request is at an instant.

use thiserror::Error;

use crate::action::{ExecutionId, InstanceId, RequestId};
use crate::clock::Timestamp;
use crate::policy::Requirement;

use super::event::{At, EndCode, Finding, LossCause, Outcome, Unmet};
use super::state::{Open, Phase, RequestState, Revocation, Run};

/// What a request is at an instant.
///
/// Expiry is a fact of the clock: a request is expired from the instant on, whether or not a record says so yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Policy denied it.
    Denied,
    /// People are asked.
    Pending {
        /// Not approved from this instant on.
        expires: Timestamp,
    },
    /// It may run.
    Approved {
        /// Approved at this instant.
        since: Timestamp,
        /// Not from this instant on.
        use_by: Timestamp,
        /// Not before this instant.
        not_before: Option<Timestamp>,
    },
    /// The effect runs, as far as anybody knows.
    Running {
        /// The run.
        execution: ExecutionId,
        /// The process that runs it.
        instance: InstanceId,
        /// Unless renewed, it may be given up from this instant on.
        lease_until: Timestamp,
        /// Why it is told to stop.
        stop: Option<StopCause>,
    },
    /// Nobody knows how the effect ended.
    Unresolved {
        /// The run.
        execution: ExecutionId,
        /// The process that ran it.
        instance: InstanceId,
        /// How it was lost; `None` if its process said itself that it cannot tell.
        lost: Option<LossCause>,
        /// What is known beside that.
        code: Option<EndCode>,
        /// What its process said after it had been given up.
        late: Option<Outcome>,
    },
    /// The effect ended.
    Finished {
        /// The run.
        execution: ExecutionId,
        /// How: succeeded or failed.
        outcome: Outcome,
        /// What is known beside that.
        code: Option<EndCode>,
    },
    /// A person denied it.
    Rejected {
        /// The record of their vote.
        by: At,
    },
    /// The requester no longer wants it.
    Withdrawn,
    /// Another request took its place.
    Superseded {
        /// The other request.
        by: RequestId,
    },
    /// A reviewer closed it.
    Cancelled,
    /// A reviewer took the approval back before it was used.
    Revoked,
    /// A clock ran out.
    Expired {
        /// What did not happen in time.
        what: Unmet,
    },
    /// A reviewer found out how a lost effect ended.
    Reconciled {
        /// The run.
        execution: ExecutionId,
        /// What they found.
        finding: Finding,
    },
}

/// Why a running effect is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StopCause {
    /// A reviewer took the approval back.
    Revoked,
    /// Its lease passed.
    LeasePassed,
}

/// An approved request whose clocks allow a start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready<'a> {
    /// Approved at this instant.
    pub since: Timestamp,
    /// Not from this instant on.
    pub use_by: Timestamp,
    /// What the approvals met; `None` where policy allowed it.
    pub requirement: Option<&'a Requirement>,
}

/// Why a request may not start now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReady {
    /// Policy denied it.
    #[error("policy denied the request")]
    Denied,
    /// People are still asked.
    #[error("the request is pending until {expires}")]
    Pending {
        /// Not approved from this instant on.
        expires: Timestamp,
    },
    /// The approval may not be used yet.
    #[error("the approval may not be used before {not_before}")]
    TooEarly {
        /// The earliest instant.
        not_before: Timestamp,
    },
    /// A clock ran out.
    #[error("the request has expired")]
    Expired {
        /// What did not happen in time.
        what: Unmet,
    },
    /// A person denied it.
    #[error("a reviewer denied the request")]
    Rejected {
        /// The record of their vote.
        by: At,
    },
    /// The requester no longer wants it.
    #[error("the request was withdrawn")]
    Withdrawn,
    /// Another request took its place.
    #[error("another request took the place of this one")]
    Superseded {
        /// The other request.
        by: RequestId,
    },
    /// A reviewer closed it.
    #[error("a reviewer cancelled the request")]
    Cancelled,
    /// A reviewer took the approval back.
    #[error("a reviewer revoked the approval")]
    Revoked,
    /// The approval was used; an approval is used once.
    #[error("the approval was used already")]
    AlreadyTaken {
        /// The run that used it.
        execution: ExecutionId,
    },
}

impl Status {
    /// Whether no record can lead elsewhere any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Pending { .. }
            | Self::Approved { .. }
            | Self::Running { .. }
            | Self::Unresolved { .. } => false,
            Self::Denied
            | Self::Finished { .. }
            | Self::Rejected { .. }
            | Self::Withdrawn
            | Self::Superseded { .. }
            | Self::Cancelled
            | Self::Revoked
            | Self::Expired { .. }
            | Self::Reconciled { .. } => true,
        }
    }
}

impl RequestState {
    /// What the request is at the instant `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        match &self.phase {
            Phase::Denied => Status::Denied,
            Phase::Pending { expires } if now >= *expires => Status::Expired {
                what: Unmet::Pending,
            },
            Phase::Pending { expires } => Status::Pending { expires: *expires },
            Phase::Approved { use_by, .. } if now >= *use_by => Status::Expired {
                what: Unmet::Unused,
            },
            Phase::Approved { since, use_by } => Status::Approved {
                since: *since,
                use_by: *use_by,
                not_before: self.not_before(),
            },
            Phase::Running { run, revoked } => {
                let Run {
                    execution,
                    instance,
                    started: _,
                    lease_until,
                } = *run;
                Status::Running {
                    execution,
                    instance,
                    lease_until,
                    stop: match revoked {
                        Revocation::Asked => Some(StopCause::Revoked),
                        Revocation::None if now >= lease_until => Some(StopCause::LeasePassed),
                        Revocation::None => None,
                    },
                }
            }
            Phase::Unresolved { run, open } => {
                let (lost, code, late) = match open {
                    Open::Said { code } => (None, *code, None),
                    Open::Lost { why, late: None } => (Some(*why), None, None),
                    Open::Lost {
                        why,
                        late: Some((outcome, code)),
                    } => (Some(*why), *code, Some(*outcome)),
                };
                Status::Unresolved {
                    execution: run.execution,
                    instance: run.instance,
                    lost,
                    code,
                    late,
                }
            }
            Phase::Finished { run, outcome, code } => Status::Finished {
                execution: run.execution,
                outcome: *outcome,
                code: *code,
            },
            Phase::Rejected { by } => Status::Rejected { by: *by },
            Phase::Withdrawn => Status::Withdrawn,
            Phase::Superseded { by } => Status::Superseded { by: *by },
            Phase::Cancelled => Status::Cancelled,
            Phase::Revoked => Status::Revoked,
            Phase::Expired { what } => Status::Expired { what: *what },
            Phase::Reconciled { run, finding } => Status::Reconciled {
                execution: run.execution,
                finding: *finding,
            },
        }
    }

    /// Whether the effect may be started at the instant `now`, as far as records and clocks say.
    ///
    /// # Errors
    ///
    /// What stands against it.
    pub fn may_start(&self, now: Timestamp) -> Result<Ready<'_>, NotReady> {
        match self.status(now) {
            Status::Approved {
                not_before: Some(not_before),
                ..
            } if now < not_before => Err(NotReady::TooEarly { not_before }),
            Status::Approved { since, use_by, .. } => Ok(Ready {
                since,
                use_by,
                requirement: self.requirement(),
            }),
            Status::Denied => Err(NotReady::Denied),
            Status::Pending { expires } => Err(NotReady::Pending { expires }),
            Status::Running { execution, .. }
            | Status::Unresolved { execution, .. }
            | Status::Finished { execution, .. }
            | Status::Reconciled { execution, .. } => Err(NotReady::AlreadyTaken { execution }),
            Status::Rejected { by } => Err(NotReady::Rejected { by }),
            Status::Withdrawn => Err(NotReady::Withdrawn),
            Status::Superseded { by } => Err(NotReady::Superseded { by }),
            Status::Cancelled => Err(NotReady::Cancelled),
            Status::Revoked => Err(NotReady::Revoked),
            Status::Expired { what } => Err(NotReady::Expired { what }),
        }
    }

    pub(super) fn not_before(&self) -> Option<Timestamp> {
        self.requirement.as_ref()?.clocks.not_before
    }
}

use crate::action::{Bound, InstanceId, TraceId};
use crate::clock::Timestamp;
use crate::policy::{Requirement, Witnessing};

use super::super::hidden::Hidden;
use super::super::separation::Interests;
use super::parts::Decision;

/// An action was filed, and policy gave its first verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requested {
    /// What an approval binds to.
    pub bound: Bound,
    /// Which policy decided.
    pub decision: Decision,
    /// The process that filed it.
    pub instance: InstanceId,
    /// Who has an interest in it.
    pub interests: Interests,
    /// The verdict and what follows from it.
    pub disposition: Disposition,
    /// The agent's own words; advisory.
    pub because: Option<Hidden<String>>,
    /// The rules' own words, for people.
    pub reason: Option<Hidden<String>>,
    /// The trace it is part of; advisory.
    pub trace: Option<TraceId>,
}

/// The first verdict and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It may run.
    Allow {
        /// Not from this instant on.
        use_by: Timestamp,
        /// Whether the log's witnesses must know of it first.
        witnessing: Witnessing,
    },
    /// It may not.
    Deny {
        /// What went wrong; `None` where a rule said so.
        cause: Option<DenialCause>,
    },
    /// It may run once people have approved it.
    RequireApproval {
        /// Who, how many, by when.
        requirement: Requirement,
        /// Not approved from this instant on.
        expires: Timestamp,
    },
}

/// Why a request was denied although no rule denied it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DenialCause {
    /// The evaluator failed.
    PolicyError,
    /// It took too long.
    PolicyTimeout,
    /// It panicked.
    PolicyPanicked,
    /// It had nothing to say.
    NotApplicable,
    /// What it needs to know could not be learnt.
    FactsUnavailable,
    /// Nobody could have approved.
    Unsatisfiable,
}

use std::collections::BTreeSet;

use crate::action::InstanceId;
use crate::policy::Requirement;

use super::super::hidden::Hidden;
use super::super::separation::Interests;
use super::parts::{At, Decision};

/// The request was judged again before its start, and something had changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassessed {
    /// What had changed.
    pub cause: ReassessCause,
    /// Which policy decided now.
    pub decision: Decision,
    /// The process that judged.
    pub instance: InstanceId,
    /// Who has an interest in it now.
    pub interests: Interests,
    /// The strictest of the former and the new verdict.
    pub verdict: Renewed,
    /// The votes that no longer count.
    pub voided: BTreeSet<At>,
    /// The rules' own words, for people.
    pub reason: Option<Hidden<String>>,
}

/// A verdict that is at least as strict as the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It may still run without people.
    Allow,
    /// It may not run.
    Deny,
    /// People must approve; their earlier votes may be enough.
    RequireApproval(Requirement),
}

/// What had changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReassessCause {
    /// The verdict of policy.
    Policy,
    /// A voter left a group or was deactivated, or two voters proved to be one person.
    Votes,
    /// Someone who voted turned out to have an interest.
    Interests,
    /// A dataset that it reads has a new label.
    Labels,
    /// The evaluator failed.
    PolicyError,
    /// It took too long.
    PolicyTimeout,
    /// It panicked.
    PolicyPanicked,
    /// What it needs to know could not be learnt.
    FactsUnavailable,
}

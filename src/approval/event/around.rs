use crate::action::InstanceId;
use crate::policy::PolicyRevision;

use super::super::hidden::Hidden;
use super::parts::At;

/// A process took up a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyAdopted {
    /// The policy.
    pub revision: PolicyRevision,
    /// The process.
    pub instance: InstanceId,
}

/// The clock cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockDoubted {
    /// The process that noticed.
    pub instance: InstanceId,
    /// What it noticed.
    pub what: ClockDoubt,
    /// By how many microseconds; negative where the wall clock went back. Within ±(2^53−1).
    pub micros: i64,
}

/// What is wrong with a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClockDoubt {
    /// Within one run it disagrees with the clock that counts suspended time: approvals wait for an operator.
    Jump,
    /// At open it was behind the last record: noted, and nothing waits.
    Gap,
}

/// An operator trusts the clock again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockAcknowledged {
    /// The record of the doubt.
    pub clock: At,
    /// Why.
    pub reason: Hidden<String>,
}

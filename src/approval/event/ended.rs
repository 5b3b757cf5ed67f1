use crate::action::{ExecutionId, InstanceId, PersonId, Pseudonym, RequestId};

use super::super::hidden::Hidden;
use super::parts::Proof;

/// The requester no longer wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The process that withdrew it.
    pub instance: InstanceId,
}

/// Another request of the same requester takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// The other request.
    pub by: RequestId,
    /// The process that filed it.
    pub instance: InstanceId,
}

/// A reviewer closed the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// Who, as the log names them.
    pub person: Pseudonym,
    /// Who, as the directory names them.
    pub id: Hidden<PersonId>,
    /// How they were authenticated.
    pub proof: Proof,
    /// Why.
    pub reason: Hidden<String>,
}

/// A reviewer took the approval back; a running effect is told to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Who, as the log names them.
    pub person: Pseudonym,
    /// Who, as the directory names them.
    pub id: Hidden<PersonId>,
    /// How they were authenticated.
    pub proof: Proof,
    /// Why.
    pub reason: Hidden<String>,
}

/// A clock ran out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The process that recorded it.
    pub instance: InstanceId,
    /// What did not happen in time.
    pub what: Unmet,
}

/// What did not happen in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unmet {
    /// The request was not decided.
    Pending,
    /// The approval was not used.
    Unused,
}

/// A reviewer found out how a lost effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// The run.
    pub execution: ExecutionId,
    /// What they found.
    pub finding: Finding,
    /// Who, as the log names them.
    pub person: Pseudonym,
    /// Who, as the directory names them.
    pub id: Hidden<PersonId>,
    /// How they were authenticated.
    pub proof: Proof,
    /// How they know.
    pub reason: Hidden<String>,
}

/// What a reviewer found out about a lost effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Finding {
    /// It did what was approved.
    Succeeded,
    /// It did part of it, or something else.
    Failed,
    /// It did nothing.
    NotRun,
}

use std::collections::BTreeSet;

use crate::action::{
    Clarity, Dataset, DatasetKind, DatasetRef, ExecutionId, InstanceId, Label, Pseudonym,
};
use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::policy::{Requirement, Selector};

use super::super::hidden::Hidden;
use super::super::separation::Interests;
use super::parts::{At, Decision};

/// The effect is about to be called; from here on the request is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// This one run of the effect.
    pub execution: ExecutionId,
    /// The process that runs it.
    pub instance: InstanceId,
    /// Unless renewed, the effect is lost from this instant on.
    pub lease_until: Timestamp,
    /// Which policy decided at the start.
    pub decision: Decision,
    /// Who had an interest in it at the start.
    pub interests: Interests,
    /// Why it may run.
    pub basis: Basis,
    /// The size of a tree that holds the decision and that a quorum of the log's witnesses had cosigned, if that was asked for.
    pub witnessed: Option<u64>,
}

/// Why an effect may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Policy allows it without people.
    Allow,
    /// People approved it.
    RequireApproval {
        /// What was required at the start.
        requirement: Requirement,
        /// The votes that met it, ascending by record.
        counted: Vec<Counted>,
    },
}

/// A vote that counts at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The record of the vote.
    pub vote: At,
    /// Who cast it.
    pub person: Pseudonym,
    /// Every selector of the requirement that the directory confirmed at the start.
    pub as_: BTreeSet<Selector>,
}

/// The effect goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRenewed {
    /// The run.
    pub execution: ExecutionId,
    /// The process that runs it.
    pub instance: InstanceId,
    /// The new end of its lease.
    pub lease_until: Timestamp,
}

/// The effect ended, as the process that ran it saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The run.
    pub execution: ExecutionId,
    /// The process that ran it.
    pub instance: InstanceId,
    /// How it ended.
    pub outcome: Outcome,
    /// What is known beside that.
    pub code: Option<EndCode>,
    /// What it really read, in the order in which the effect named it.
    pub used: Vec<Touched>,
    /// What it really wrote, likewise.
    pub generated: Vec<Touched>,
    /// What was made from what.
    pub derived: Vec<Derivation>,
    /// Whether the effect had been given up for lost.
    pub timing: Timing,
    /// What it returned.
    pub result: Option<Hidden<ResultDigest>>,
}

/// How an effect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It did what was approved.
    Succeeded,
    /// It did not.
    Failed,
    /// Nobody can tell.
    Unknown,
}

/// What is known about an end beside its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndCode {
    /// The effect was never called.
    NotStarted,
    /// It was told to stop and then dropped.
    Stopped,
    /// It panicked.
    Panicked,
    /// Its future was dropped.
    Dropped,
    /// It said itself that it cannot tell.
    Unsure,
}

/// Whether an end came while somebody waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timing {
    /// The effect was running, as far as the log knew.
    InTime,
    /// A `lost` record stands before it.
    Late,
}

/// The digest of what an effect returned, as the host gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResultDigest(pub Digest);

/// A dataset that an effect read or wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Data, model or code.
    pub kind: DatasetKind,
    /// Where it lives.
    pub namespace: String,
    /// Its name there.
    pub name: DatasetName,
    /// Its labels.
    pub labels: BTreeSet<Label>,
}

/// The name of a dataset as a record holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatasetName {
    /// In the clear.
    Clear(String),
    /// Marked as sensitive, and hidden.
    Sensitive(Hidden<String>),
}

/// One written dataset was made from one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Derivation {
    /// Index into `generated`.
    pub generated: u32,
    /// Index into `used`.
    pub used: u32,
}

/// Nobody will say how the effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The run.
    pub execution: ExecutionId,
    /// The process that ran it.
    pub instance: InstanceId,
    /// How that is known.
    pub why: LossCause,
}

/// How it is known that an effect is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LossCause {
    /// Its lease passed without being renewed.
    LeasePassed,
    /// Its process is gone.
    InstanceGone,
}

impl Touched {
    /// Which dataset it is, unless its name is missing.
    #[must_use]
    pub fn reference(&self) -> Option<DatasetRef> {
        let name = match &self.name {
            DatasetName::Clear(name) | DatasetName::Sensitive(Hidden::Known(name)) => name,
            DatasetName::Sensitive(Hidden::Missing(_)) => return None,
        };
        Some(DatasetRef::new(
            self.kind,
            self.namespace.as_str(),
            name.as_str(),
        ))
    }
}

impl From<&Dataset> for Touched {
    fn from(dataset: &Dataset) -> Self {
        let name = dataset.name().to_owned();
        Self {
            kind: dataset.kind(),
            namespace: dataset.namespace().to_owned(),
            name: match dataset.name_clarity() {
                Clarity::Clear => DatasetName::Clear(name),
                Clarity::Hidden => DatasetName::Sensitive(Hidden::Known(name)),
            },
            labels: dataset.labels().clone(),
        }
    }
}

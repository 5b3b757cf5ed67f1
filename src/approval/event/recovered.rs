use crate::canonical::Digest;

use super::super::hidden::Hidden;

/// An operator has begun the log in place of one that cannot go on.
///
/// What was not finished there is void: nothing of it can be started here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// What had befallen the predecessor.
    pub after: Mishap,
    /// The largest head of the predecessor that was seen outside of its store, by its head file or a checkpoint that was kept.
    pub attested: Option<TreeHead>,
    /// What its store held that verifies.
    pub found: Option<TreeHead>,
    /// What the operator knows about it, in words.
    pub reason: Hidden<String>,
}

/// Why a log cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mishap {
    /// The store held fewer records than had been seen outside.
    Rollback,
    /// The store held another history than had been seen outside.
    Fork,
    /// Nothing outside of the store said how long the log had been.
    HeadFileMissing,
    /// Nothing of the store was left.
    StoreLost,
    /// The store held the log no longer as it was signed.
    Broken,
}

/// A number of records, and the Merkle tree head over them (RFC 9162).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// How many records.
    pub size: u64,
    /// The tree head over them.
    pub root: Digest,
}

//! What can be wrong with a log that is to be opened.

use std::path::PathBuf;

use crate::log::Role;
use crate::store::StoreError;

use super::LedgerError;

/// Why a log was not opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store holds fewer records than its head file says: an older copy of it was put back.
    #[error(
        "the store ends at record {store} but the head file `{}` has seen {outside}: the store was rolled back. \
         Put the newer store back, or begin a successor log", head_file.display()
    )]
    Rollback {
        /// How many records the store holds.
        store: u64,
        /// How many there were.
        outside: u64,
        /// The head file.
        head_file: PathBuf,
    },
    /// The store holds another history than its head file says.
    #[error(
        "the store and the head file `{}` disagree about the first {size} records: the log was forked or rewritten. \
         Keep both as evidence and begin a successor log", head_file.display()
    )]
    Fork {
        /// Up to where they disagree.
        size: u64,
        /// The head file.
        head_file: PathBuf,
    },
    /// The store holds records but its head file is gone.
    #[error(
        "the store holds {records} records but its head file `{}` is missing, so a rollback could not be noticed. \
         Put the head file back, or begin a successor log", head_file.display()
    )]
    HeadFileMissing {
        /// How many records the store holds.
        records: u64,
        /// Where the head file should be.
        head_file: PathBuf,
    },
    /// The store does not verify where a gate has to rely on it.
    #[error("record {seq} does not verify: {why}. Verify the log before anything is added to it")]
    Broken {
        /// The record.
        seq: u64,
        /// The rule that it breaks.
        why: String,
    },
    /// The log was begun with other keys than these.
    #[error(
        "the log does not name the key that this process would sign {role} records with; open it with the keys it was begun with"
    )]
    ForeignKey {
        /// The role.
        role: Role,
    },
    /// A log needs a key to begin with.
    #[error("a new log needs keys with the roles `checkpoint` and `gate` or `operator`")]
    NoKeyToBegin,
    /// The origin is not a checkpoint origin.
    #[error("`{0}` is no origin: use 1 to 200 visible ASCII characters without `+`")]
    Origin(String),
    /// A testing gate and an enforcing one never share a log.
    #[error(
        "logs whose origin begins with `testing/` are written by testing gates only, and by them alone"
    )]
    TestingLog,
    /// The head file could not be used.
    #[error(transparent)]
    HeadFile(#[from] super::HeadFileError),
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refused threads or random bytes.
    #[error("the system refused what the library needs")]
    System(#[source] std::io::Error),
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> Self {
        Self::System(std::io::Error::other(error.to_string()))
    }
}

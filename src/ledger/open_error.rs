//! What can be wrong with a log that is to be opened.

use std::fmt;
use std::path::PathBuf;

use crate::log::{KeyId, LogId, Role};
use crate::store::StoreError;
use crate::values::ValueKeysError;

use super::{KnownLogsError, LedgerError};

/// Why a log was not opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store holds fewer records than its head file says: an older copy of it was put back.
    #[error(
        "the store ends at record {store} but the head file `{}` has seen {outside}: the store was rolled back. \
         Put the newer store back, or begin the log that takes its place with `countersign recover`", head_file.display()
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
         Keep both as evidence, and begin the log that takes its place with `countersign recover`", head_file.display()
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
         Put the head file back, or begin the log that takes its place with `countersign recover`", head_file.display()
    )]
    HeadFileMissing {
        /// How many records the store holds.
        records: u64,
        /// Where the head file should be.
        head_file: PathBuf,
    },
    /// A witness has shown that keys of the log signed another history than that of the store.
    #[error(
        "a witness has shown that a key of this log signed another history than the store's, as to the first {size} records, and `{}` keeps what shows it. \
         Put the newer store back if this is an older copy; else find out who else has the keys, keep store and file as evidence, and begin the log that takes its place with `countersign recover`",
        evidence.display()
    )]
    Contradicted {
        /// Up to where they differ at the latest.
        size: u64,
        /// The alarm.
        evidence: PathBuf,
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
        "the log does not name the key that this process would sign {role} records with; open it with the keys it was begun with, or with those that took their place; a rotation that was cut short is finished by `countersign keys rotate`"
    )]
    ForeignKey {
        /// The role.
        role: Role,
    },
    /// The log names our keys, but nobody who may begin a log of ours has signed its genesis.
    #[error(
        "the log {log} names the keys of this process, but was begun by the key {key}, which this process neither holds nor was told of. \
         If that key is yours, name it with `Keys::begun_by`; if not, keep the store as evidence and put yours back"
    )]
    BegunByStranger {
        /// What the log calls itself.
        log: LogId,
        /// The key that signed its genesis.
        key: KeyId,
    },
    /// The store holds another log than it should.
    #[error("the store holds the log {found}, but {by} says that it should be the log {expected}: {}", by.remedy())]
    AnotherLog {
        /// The log that should be there.
        expected: LogId,
        /// The log that is there.
        found: LogId,
        /// Who says so.
        by: SaidBy,
    },
    /// The store holds a log with the right id that begins with another genesis.
    #[error("the log {log} in the store begins with another genesis than {by} says: {}", by.remedy())]
    AnotherBeginning {
        /// The log.
        log: LogId,
        /// Who says so.
        by: SaidBy,
    },
    /// The store is empty, but a log should be there; none was begun.
    #[error("the store is empty, but {by} says that the log {expected} was begun already: {}", by.remedy())]
    LogGone {
        /// The log that should be there.
        expected: LogId,
        /// Who says so.
        by: SaidBy,
    },
    /// An operator has begun another log in place of this one.
    #[error("the log {log} could not go on, and the log {successor} took its place: open that one")]
    Superseded {
        /// The log.
        log: LogId,
        /// Its successor.
        successor: LogId,
    },
    /// The list of known logs beside the keys could not be used.
    #[error(transparent)]
    KnownLogs(#[from] KnownLogsError),
    /// The keys of the log's hidden values could not be used.
    #[error(
        "the keys of the log's hidden values could not be used: {0}. They lie beside the keys that the log was begun with, or where `Keys::with_value_keys_in` says"
    )]
    ValueKeys(#[source] ValueKeysError),
    /// A log needs a key to begin with.
    #[error("a new log needs keys with the roles `checkpoint` and `gate` or `operator`")]
    NoKeyToBegin,
    /// The keys lack the one that every batch of records is signed with.
    #[error(
        "this process holds no key with role checkpoint, without which nothing can be written: open the log with keys that have one"
    )]
    NoCheckpointKey,
    /// The rules rely on witnesses, and there are none.
    #[error(
        "the rules want witnesses to know of decisions before they are acted on, and the log is opened without any: give `Opening::with_witnesses` a policy with a quorum, or take `witness` and `witnessed` out of the rules"
    )]
    NoWitnesses,
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

/// Who says which log a store should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaidBy {
    /// The host, with [`Opening::expecting`](crate::host::Opening::expecting).
    Host,
    /// The file `logs` of the key directory, where the log was written down when it was first opened.
    List(PathBuf),
}

impl SaidBy {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Host => "open the store that holds it, or change what the host expects",
            Self::List(_) => {
                "put that log back; only if it was given up on purpose, take its line out of the file"
            }
        }
    }
}

impl fmt::Display for SaidBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("the host"),
            Self::List(file) => write!(f, "`{}`", file.display()),
        }
    }
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> Self {
        Self::System(std::io::Error::other(error.to_string()))
    }
}

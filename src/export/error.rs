use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::log::{Broken, Origin, ReadError, Seq};

/// Why a log was not exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file could not be written or read.
    #[error("`{}` could not be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What the export is written to does not take it.
    #[error("the export could not be written")]
    Write(#[source] io::Error),
    /// The log has no record, and so nothing to export.
    #[error("the log is empty")]
    Empty,
    /// The log is not what its last checkpoint says. Verify it; a broken log is not exported.
    #[error("the log is not exported: {0}")]
    Broken(Broken),
    /// A value that was asked for is sealed, and the reader does not open it: see [`Unsealed`](crate::values::Unsealed).
    #[error("the hidden values of record {0} are sealed, and their keys were not given")]
    Sealed(Seq),
    /// Fewer records than were published: an older copy of the log, or records were removed. Nothing was written.
    #[error(
        "rollback: {published} records are published and the log has {size}; nothing was written. An older copy of the store, or one from which records were removed"
    )]
    Rollback {
        /// How many records the published checkpoint covers.
        published: u64,
        /// How many the log has.
        size: u64,
    },
    /// The log and what was published disagree about records that both have. Nothing was written.
    #[error(
        "fork: the first {published} records of the log are not those that were published; nothing was written. Keep both, one of them was rewritten"
    )]
    Fork {
        /// How many records the published checkpoint covers.
        published: u64,
    },
    /// Another log is published there. Nothing was written.
    #[error("another log, `{published}`, is published there; nothing was written")]
    OtherLog {
        /// The origin of that log.
        published: Origin,
    },
    /// The published tiles do not give the published checkpoint. Nothing was written.
    #[error(
        "`{}` is damaged: {what}; nothing was written. Restore it from a copy, or export into an empty directory",
        path.display()
    )]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The directory holds other files, or the file is there already.
    #[error("`{}` is there already and is no export that this one continues", path.display())]
    Occupied {
        /// The directory or file.
        path: PathBuf,
    },
    /// Another process is exporting into the same directory.
    #[error("another process exports into `{}`", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
}

pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_path_buf();
    move |source| ExportError::Io { path, source }
}

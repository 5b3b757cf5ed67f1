//! Hidden values on their way into the store and out of it: sealed, where the log is one that keeps them so.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::action::Disclosure;
use crate::journal::Scope;
use crate::log::{Kept, LogId, Seq};
use crate::store::{Query, ScopeKey, Store};
use crate::values::{Erasing, NotOpened, ValueKeys, ValueKeysError, path_in};

use super::{LedgerError, OpenError, lock};

/// How the log of this process keeps hidden values.
#[derive(Debug)]
pub(super) enum Values {
    /// In clear: it lies in no file, or its keys lie in none.
    Clear,
    /// Sealed, under keys that this process has not; it neither reads nor writes any.
    Lost(PathBuf),
    /// Sealed, under the keys of a file.
    Sealed {
        path: PathBuf,
        /// As they were last read. They are read again once the file is another one, so that a process does not go on with keys that
        /// another has destroyed.
        read: Mutex<(Held, Arc<ValueKeys>)>,
    },
}

/// Which file has a name: device and number.
type FileId = (u64, u64);

/// The file that was read, kept open: as long as it is, no other gets its number.
#[derive(Debug)]
pub(super) struct Held {
    id: FileId,
    _file: File,
}

/// How values are kept at one moment.
#[derive(Clone, Debug)]
pub(super) enum Keeping {
    Clear,
    Sealed(Arc<ValueKeys>),
}

/// The scope that has moved once where a log keeps hidden values sealed.
pub(super) fn sealed_scope() -> ScopeKey {
    ScopeKey::new(Scope::Values.key())
}

impl Values {
    /// Those of a log that is open already.
    ///
    /// That it is sealed stands in the store, so that a process that has not the keys writes nothing in clear. Whoever can write the
    /// store can take that out; a process that has the keys does not ask.
    pub(super) async fn of(
        store: &Arc<dyn Store>,
        directory: Option<&Path>,
        log: LogId,
    ) -> Result<Self, OpenError> {
        let path = directory.map(|directory| path_in(directory, log));
        if let Some(path) = &path {
            match open(path, log) {
                Ok(read) => {
                    return Ok(Self::Sealed {
                        path: path.clone(),
                        read: Mutex::new(read),
                    });
                }
                Err(ValueKeysError::Missing { .. }) => {}
                Err(error) => return Err(OpenError::ValueKeys(error)),
            }
        }
        let scope = sealed_scope();
        let versions = store.find(Query::Versions([scope.clone()].into())).await?;
        let sealed = versions.versions()?.get(&scope).is_some_and(|it| *it > 0);
        Ok(match sealed {
            true => Self::Lost(path.unwrap_or_else(|| path_in(Path::new(""), log))),
            false => Self::Clear,
        })
    }

    /// The keys as the file has them now.
    pub(super) fn current(&self) -> Result<Keeping, LedgerError> {
        match self {
            Self::Clear => Ok(Keeping::Clear),
            Self::Lost(path) => Err(LedgerError::from(ValueKeysError::Missing {
                path: path.clone(),
            })),
            Self::Sealed { path, read } => {
                let mut read = lock(read);
                if file_at(path)? != read.0.id {
                    *read = open(path, read.1.log())?;
                }
                Ok(Keeping::Sealed(Arc::clone(&read.1)))
            }
        }
    }

    /// The turn to finish what somebody began who is gone, if there is anything.
    pub(super) fn unfinished(&self) -> Result<Option<Erasing>, LedgerError> {
        match self {
            Self::Sealed { path, .. } if Erasing::is_left(path)? => Ok(Erasing::begin(path)?),
            Self::Clear | Self::Lost(_) | Self::Sealed { .. } => Ok(None),
        }
    }

    /// The turn to erase, where there are keys to destroy.
    pub(super) fn erasing(&self) -> Result<Option<Erasing>, LedgerError> {
        match self {
            Self::Clear => Ok(None),
            Self::Lost(_) => self.current().map(|_| None),
            Self::Sealed { path, .. } => match Erasing::begin(path)? {
                Some(erasing) => Ok(Some(erasing)),
                None => Err(LedgerError::Illegal(
                    "somebody else is erasing at this moment: try again when it is done".to_owned(),
                )),
            },
        }
    }
}

fn file_at(path: &Path) -> Result<FileId, ValueKeysError> {
    let metadata = fs::metadata(path).map_err(|source| ValueKeysError::io(path, source))?;
    Ok((metadata.dev(), metadata.ino()))
}

fn hold(path: &Path) -> Result<Held, ValueKeysError> {
    let io = |source| ValueKeysError::io(path, source);
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    Ok(Held {
        id: (metadata.dev(), metadata.ino()),
        _file: file,
    })
}

/// The file is told apart before it is read: if it is replaced meanwhile, it is read once too often.
fn open(path: &Path, log: LogId) -> Result<(Held, Arc<ValueKeys>), ValueKeysError> {
    let file = hold(path)?;
    let keys = ValueKeys::read(path)?;
    if keys.log() != log {
        return Err(ValueKeysError::AnotherLog {
            path: path.to_path_buf(),
            found: keys.log(),
            log,
        });
    }
    Ok((file, Arc::new(keys)))
}

impl Keeping {
    /// A disclosure as the store is to keep it; `None` if the key of its place was destroyed, which no new record's is.
    pub(super) fn keep(&self, seq: Seq, disclosure: Disclosure) -> Option<Kept> {
        match self {
            Self::Clear => Some(Kept::Clear(disclosure)),
            Self::Sealed(keys) => keys.seal(seq, &disclosure).map(Kept::Sealed),
        }
    }

    /// What the store keeps under a record; `None` if its key was destroyed, so that it is not there any more.
    pub(super) fn open(&self, seq: Seq, kept: Kept) -> Result<Option<Disclosure>, LedgerError> {
        let sealed = match kept {
            Kept::Clear(disclosure) => return Ok(Some(disclosure)),
            Kept::Sealed(sealed) => sealed,
        };
        let tampered = |why: String| LedgerError::Tampered {
            seq: seq.get(),
            why,
        };
        match self {
            Self::Clear => Err(tampered(
                "a value of it is sealed, and this log keeps none so".to_owned(),
            )),
            Self::Sealed(keys) => match keys.open(seq, &sealed) {
                Ok(disclosure) => Ok(Some(disclosure)),
                Err(NotOpened::Destroyed) => Ok(None),
                Err(damaged @ NotOpened::Damaged) => Err(tampered(damaged.to_string())),
            },
        }
    }
}

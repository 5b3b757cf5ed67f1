//! The last signed checkpoint, kept outside the database, so that an older copy of the database is noticed.
//!
//! Two slots of fixed size take turns; the valid one with the larger size counts. A slot begins with the SHA-256 of
//! what follows it, so a torn write leaves the other slot standing. The file may lag behind the store, by a second at
//! most, and never leads it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::canonical::Digest;
use crate::log::LogId;

const SLOT: usize = 4096;

/// What a head file says: up to where the log had grown when it was last written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) log: LogId,
    pub(crate) size: u64,
    /// The signed checkpoint; empty at size 0, before the genesis.
    pub(crate) checkpoint: Vec<u8>,
}

/// An open head file.
#[derive(Debug)]
pub(crate) struct HeadFile {
    path: PathBuf,
    file: File,
}

/// Why a head file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadFileError {
    /// The system refused.
    #[error("the head file `{}` could not be used", path.display())]
    Io {
        /// The head file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Neither slot is whole.
    #[error("the head file `{}` is damaged: restore it from its backup; if it is lost, move it away and begin the log that takes its place with `countersign recover`", path.display())]
    Damaged {
        /// The head file.
        path: PathBuf,
    },
}

impl HeadFile {
    /// Opens a head file; `None` if there is none.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, HeadFileError> {
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => Ok(Some(Self {
                path: path.to_path_buf(),
                file,
            })),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io(path, source)),
        }
    }

    /// Makes the head file of a log that is about to begin, durably, before its genesis is committed; if another process was
    /// faster, opens the one that it made.
    ///
    /// It gets its name once it is whole, so that nobody finds half of it.
    pub(crate) fn begin(path: &Path, log: LogId, mode: u32) -> Result<Self, HeadFileError> {
        let unnamed = unnamed(path, log);
        let written = Self::write_whole(&unnamed, log, mode);
        let named = written.and_then(|made| {
            fs::hard_link(&unnamed, path)?;
            Ok(made)
        });
        // Whether or not it has got its name, this one goes.
        let _ = fs::remove_file(&unnamed);
        let file = match named {
            Ok(file) => file,
            Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => {
                return Self::open(path)?.ok_or_else(|| io(path, source));
            }
            Err(source) => return Err(io(path, source)),
        };
        let directory = match path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        };
        File::open(directory)
            .and_then(|handle| handle.sync_all())
            .map_err(|source| io(directory, source))?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }

    fn write_whole(path: &Path, log: LogId, mode: u32) -> std::io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        let mut made = Self {
            path: path.to_path_buf(),
            file,
        };
        let mark = Mark {
            log,
            size: 0,
            checkpoint: Vec::new(),
        };
        made.write_slot(0, &mark)?;
        made.file.set_len(2 * SLOT as u64)?;
        made.file.sync_all()?;
        Ok(made.file)
    }

    /// What the file says.
    pub(crate) fn read(&mut self) -> Result<Mark, HeadFileError> {
        let [first, second] = self.slots()?;
        match (first, second) {
            (Some(a), Some(b)) => Ok(if b.size > a.size { b } else { a }),
            (Some(one), None) | (None, Some(one)) => Ok(one),
            (None, None) => Err(HeadFileError::Damaged {
                path: self.path.clone(),
            }),
        }
    }

    /// Moves the mark forward, durably; a smaller or equal one changes nothing.
    ///
    /// The file's own lock keeps several processes from overtaking each other. What stands there is shown to `fits` first, and stays
    /// if that fails: it may be the only trace of another history.
    pub(crate) fn advance<E: From<HeadFileError>>(
        &mut self,
        mark: &Mark,
        fits: impl FnOnce(&Mark) -> Result<(), E>,
    ) -> Result<(), E> {
        self.file.lock().map_err(|source| io(&self.path, source))?;
        let written = self.advance_locked(mark, fits);
        let unlocked = self.file.unlock().map_err(|source| io(&self.path, source));
        written.and(unlocked.map_err(E::from))
    }

    fn advance_locked<E: From<HeadFileError>>(
        &mut self,
        mark: &Mark,
        fits: impl FnOnce(&Mark) -> Result<(), E>,
    ) -> Result<(), E> {
        let [first, second] = self.slots()?;
        let size = |slot: &Option<Mark>| slot.as_ref().map(|known| known.size);
        let there = [&first, &second].into_iter().flatten();
        if let Some(there) = there.max_by_key(|known| known.size) {
            fits(there)?;
            if there.size >= mark.size {
                return Ok(());
            }
        }
        // The slot that is overwritten is the one that would lose anyway.
        let target = if size(&first) >= size(&second) { 1 } else { 0 };
        self.write_slot(target, mark)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| io(&self.path, source))?;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn slots(&mut self) -> Result<[Option<Mark>; 2], HeadFileError> {
        let mut bytes = Vec::with_capacity(2 * SLOT);
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| {
                Read::by_ref(&mut self.file)
                    .take(2 * SLOT as u64)
                    .read_to_end(&mut bytes)
            })
            .map_err(|source| io(&self.path, source))?;
        let mut slots = bytes.chunks(SLOT).map(decode);
        Ok([slots.next().flatten(), slots.next().flatten()])
    }

    fn write_slot(&mut self, slot: u64, mark: &Mark) -> std::io::Result<()> {
        let bytes = encode(mark).ok_or_else(|| {
            std::io::Error::other("the checkpoint does not fit into a slot of the head file")
        })?;
        self.file.seek(SeekFrom::Start(slot * SLOT as u64))?;
        self.file.write_all(&bytes)
    }
}

/// Where a head file is written before it has its name; no two processes take the same id.
fn unnamed(path: &Path, log: LogId) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{log}"));
    PathBuf::from(name)
}

fn io(path: &Path, source: std::io::Error) -> HeadFileError {
    HeadFileError::Io {
        path: path.to_path_buf(),
        source,
    }
}

fn encode(mark: &Mark) -> Option<Vec<u8>> {
    let Mark {
        log,
        size,
        checkpoint,
    } = mark;
    let mut rest = format!("{log}\n{size}\n{}\n", checkpoint.len()).into_bytes();
    rest.extend_from_slice(checkpoint);
    let mut slot = Digest::sha256(&rest).to_hex().into_bytes();
    slot.push(b'\n');
    slot.extend_from_slice(&rest);
    if slot.len() > SLOT {
        return None;
    }
    slot.resize(SLOT, 0);
    Some(slot)
}

fn decode(slot: &[u8]) -> Option<Mark> {
    let (digest, rest) = split_line(slot)?;
    let (log, after) = split_line(rest)?;
    let (size, after) = split_line(after)?;
    let (length, after) = split_line(after)?;
    let length: usize = length.parse().ok()?;
    let checkpoint = after.get(..length)?;
    let signed = rest.get(..rest.len() - after.len() + length)?;
    if Digest::sha256(signed).to_hex() != digest {
        return None;
    }
    Some(Mark {
        log: LogId::parse(log).ok()?,
        size: size.parse().ok()?,
        checkpoint: checkpoint.to_vec(),
    })
}

fn split_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(bytes.get(..end)?).ok()?;
    Some((line, bytes.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    fn mark(size: u64) -> Mark {
        Mark {
            log: LogId::from_random([7; 16]),
            size,
            checkpoint: vec![b'c'; 300],
        }
    }

    fn any(_there: &Mark) -> Result<(), HeadFileError> {
        Ok(())
    }

    #[test]
    fn a_torn_slot_leaves_the_other_standing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.head");
        let mut file = HeadFile::begin(&path, mark(0).log, 0o600).unwrap();
        file.advance(&mark(10), any).unwrap();
        file.advance(&mark(20), any).unwrap();
        assert_eq!(file.read().unwrap(), mark(20));
        let mut bytes = std::fs::read(&path).unwrap();
        // The second advance went to the first slot; half of it is lost.
        bytes[100..SLOT].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        let mut file = HeadFile::open(&path).unwrap().unwrap();
        assert_eq!(file.read().unwrap(), mark(10));
    }

    #[test]
    fn it_never_moves_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.head");
        let mut file = HeadFile::begin(&path, mark(0).log, 0o600).unwrap();
        file.advance(&mark(20), any).unwrap();
        file.advance(&mark(10), any).unwrap();
        assert_eq!(file.read().unwrap().size, 20);
    }

    #[test]
    fn a_file_with_no_whole_slot_is_damaged_not_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.head");
        std::fs::write(&path, b"junk").unwrap();
        let mut file = HeadFile::open(&path).unwrap().unwrap();
        assert!(matches!(file.read(), Err(HeadFileError::Damaged { .. })));
    }

    #[test]
    fn an_existing_file_is_never_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.head");
        HeadFile::begin(&path, mark(0).log, 0o600).unwrap();
        let other = LogId::from_random([9; 16]);
        let mut taken = HeadFile::begin(&path, other, 0o600).unwrap();
        let log = taken.read().unwrap().log;
        assert_eq!(log, mark(0).log, "who is second takes the first one's");
    }
}

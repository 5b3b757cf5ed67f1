//! Which log lies where, remembered beside the keys, so that another one in its place, or none at all, is noticed.
//!
//! The file `logs` of a key directory has a heading and a line for each database that was opened with these keys:
//! the log's id, the leaf of its genesis, and the path. A line `superseded` names a log that cannot go on, and the one that
//! took its place. Whoever may write the store's files may not write here,
//! or he could put keys of his own in place of ours.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::canonical::Digest;
use crate::log::LogId;

const HEADING: &str = "countersign-logs v1";

/// A log, and where it begins: a second genesis with its id has another leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) log: LogId,
    pub(super) genesis: Digest,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Here(Known, String),
    Superseded { log: LogId, by: LogId },
}

/// The list in a key directory, asked about one database.
#[derive(Debug)]
pub(super) struct KnownLogs {
    file: PathBuf,
    /// The database as its host names it, made absolute and escaped.
    ///
    /// Links are not followed: where they lead is up to whoever may write beside the database.
    place: String,
}

/// Why the list of known logs in the key directory could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownLogsError {
    /// Somebody else could change the list.
    #[error("`{}` has mode {mode:04o}: make it 0600", path.display())]
    Mode {
        /// The list.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The list is damaged.
    #[error("line {line} of `{}` names no log: restore the file from its backup", path.display())]
    Malformed {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The list could not be read or written.
    #[error(
        "`{}` could not be used; where the keys cannot be written to, say which log it is with `Opening::expecting`",
        path.display()
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl KnownLogs {
    pub(super) fn of(directory: &Path, database: &Path) -> Result<Self, KnownLogsError> {
        let database =
            std::path::absolute(database).map_err(|source| KnownLogsError::io(database, source))?;
        Ok(Self {
            file: directory.join("logs"),
            place: database.as_os_str().as_bytes().escape_ascii().to_string(),
        })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The log that was last here.
    pub(super) fn here(&self) -> Result<Option<Known>, KnownLogsError> {
        Ok(self.find(&self.read()?))
    }

    /// Whether the log was seen anywhere.
    pub(super) fn has(&self, log: LogId) -> Result<bool, KnownLogsError> {
        Ok(self.read()?.iter().any(|line| match line {
            Line::Here(known, _) => known.log == log,
            Line::Superseded {
                log: superseded,
                by,
            } => *superseded == log || *by == log,
        }))
    }

    /// The log that took the place of one that could not go on.
    pub(super) fn successor(&self, log: LogId) -> Result<Option<LogId>, KnownLogsError> {
        Ok(successor(&self.read()?, log))
    }

    /// Writes down, durably, that a log has a successor, unless it has one.
    pub(super) fn succeed(&self, log: LogId, by: LogId) -> Result<(), KnownLogsError> {
        let _locked = self.lock()?;
        let mut lines = self.read()?;
        if successor(&lines, log).is_some() {
            return Ok(());
        }
        lines.push(Line::Superseded { log, by });
        self.write(&lines)
    }

    /// Writes down that this log is here, durably, unless one is known to be; says which one is known now.
    pub(super) fn settle(&self, found: Known) -> Result<Known, KnownLogsError> {
        if let Some(known) = self.here()? {
            return Ok(known);
        }
        let _locked = self.lock()?;
        let mut lines = self.read()?;
        if let Some(known) = self.find(&lines) {
            return Ok(known);
        }
        lines.push(Line::Here(found.clone(), self.place.clone()));
        self.write(&lines)?;
        Ok(found)
    }

    /// Keeps others from changing the list; it is unlocked when it is closed.
    fn lock(&self) -> Result<File, KnownLogsError> {
        let lock = self.beside(".lock");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| KnownLogsError::io(&lock, source))
    }

    fn write(&self, lines: &[Line]) -> Result<(), KnownLogsError> {
        let io = |path: &Path, source| KnownLogsError::io(path, source);
        let mut text = format!("{HEADING}\n");
        for line in lines {
            text.push_str(&match line {
                Line::Here(Known { log, genesis }, place) => {
                    format!("{log} {} {place}\n", genesis.to_hex())
                }
                Line::Superseded { log, by } => format!("superseded {log} {by}\n"),
            });
        }
        let new = self.beside(".new");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&new, &self.file))
            .map_err(|source| io(&self.file, source))?;
        if let Some(directory) = self.file.parent() {
            File::open(directory)
                .and_then(|handle| handle.sync_all())
                .map_err(|source| io(directory, source))?;
        }
        Ok(())
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }

    fn find(&self, lines: &[Line]) -> Option<Known> {
        lines.iter().find_map(|line| match line {
            Line::Here(known, place) if *place == self.place => Some(known.clone()),
            Line::Here(..) | Line::Superseded { .. } => None,
        })
    }

    fn read(&self) -> Result<Vec<Line>, KnownLogsError> {
        let io = |source| KnownLogsError::io(&self.file, source);
        let mut file = match File::open(&self.file) {
            Ok(file) => file,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io(source)),
        };
        let mode = file.metadata().map_err(io)?.mode();
        if mode & 0o022 != 0 {
            return Err(KnownLogsError::Mode {
                path: self.file.clone(),
                mode: mode & 0o7777,
            });
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let malformed = |index| KnownLogsError::Malformed {
            path: self.file.clone(),
            line: index + 1,
        };
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(HEADING) {
            return Err(malformed(0));
        }
        lines
            .map(|(index, line)| read_line(line).ok_or_else(|| malformed(index)))
            .collect()
    }
}

fn successor(lines: &[Line], of: LogId) -> Option<LogId> {
    lines.iter().find_map(|line| match line {
        Line::Superseded { log, by } if *log == of => Some(*by),
        Line::Superseded { .. } | Line::Here(..) => None,
    })
}

fn read_line(line: &str) -> Option<Line> {
    if let Some(rest) = line.strip_prefix("superseded ") {
        let (log, by) = rest.split_once(' ')?;
        return Some(Line::Superseded {
            log: LogId::parse(log).ok()?,
            by: LogId::parse(by).ok()?,
        });
    }
    let (log, rest) = line.split_once(' ')?;
    let (genesis, place) = rest.split_once(' ')?;
    let known = Known {
        log: LogId::parse(log).ok()?,
        genesis: Digest::parse_hex(genesis).ok()?,
    };
    Some(Line::Here(known, place.to_owned()))
}

impl KnownLogsError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn known(byte: u8) -> Known {
        Known {
            log: LogId::from_random([byte; 16]),
            genesis: Digest::from_bytes([byte; 32]),
        }
    }

    #[test]
    fn the_first_log_at_a_path_stays() {
        let directory = tempfile::tempdir().unwrap();
        let of = |name: &str| KnownLogs::of(directory.path(), Path::new(name)).unwrap();
        let odd = "/srv/a b\n\u{fc}.db";
        assert_eq!(of(odd).here().unwrap(), None);
        assert_eq!(of(odd).settle(known(1)).unwrap(), known(1));
        assert_eq!(of("/srv/other").settle(known(2)).unwrap(), known(2));
        assert_eq!(of(odd).settle(known(3)).unwrap(), known(1));
        assert_eq!(of(odd).here().unwrap(), Some(known(1)));
        assert!(of("/x").has(known(2).log).unwrap());
        assert!(!of("/x").has(known(3).log).unwrap());
    }

    #[test]
    fn a_damaged_list_or_one_that_others_may_write_is_not_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        let logs = KnownLogs::of(directory.path(), Path::new("/srv/log.db")).unwrap();
        logs.settle(known(1)).unwrap();
        let whole = fs::read_to_string(logs.file()).unwrap();
        fs::set_permissions(logs.file(), fs::Permissions::from_mode(0o620)).unwrap();
        assert!(matches!(logs.here(), Err(KnownLogsError::Mode { .. })));
        fs::set_permissions(logs.file(), fs::Permissions::from_mode(0o600)).unwrap();
        for damaged in [
            "",
            "else\n",
            &whole.replace(' ', "_"),
            &whole.replace('-', ""),
        ] {
            fs::write(logs.file(), damaged).unwrap();
            let error = logs.settle(known(2)).unwrap_err();
            assert!(
                matches!(error, KnownLogsError::Malformed { .. }),
                "{error:?}"
            );
        }
        // A reader or editor that leaves out the last end of line takes nothing away.
        fs::write(logs.file(), whole.trim_end()).unwrap();
        assert_eq!(logs.here().unwrap(), Some(known(1)));
    }
}

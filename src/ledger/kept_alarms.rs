//! What witnesses said against a log, kept as files so that it outlasts the process.
//!
//! There is a file for each witness and each kind of evidence, so that their number is bounded; the first one stays. They lie in the key
//! directory, or, where there is none or it cannot be written to, beside the head file.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::log::{Checkpoint, Head, KeyId, LogId, Trust};
use crate::store::Store;
use crate::witness::{Alarm, Evidence};

use super::OpenError;
use super::head_file::Mark;
use super::open::check_mark;
use super::witnessing::checkpoint_keys;

/// No alarm is larger: it holds three notes and a path.
const MOST_BYTES: u64 = 8 << 20;
/// More files of one log are not read.
const MOST_FILES: usize = 1024;

/// Where alarms about one log are kept.
#[derive(Debug)]
pub(super) struct KeptAlarms {
    log: LogId,
    folders: Vec<PathBuf>,
}

impl KeptAlarms {
    pub(super) fn new(log: LogId, keys: Option<&Path>, head_file: Option<&Path>) -> Self {
        let beside = head_file.and_then(Path::parent).map(|folder| {
            if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            }
        });
        let folders = [keys, beside].into_iter().flatten();
        Self {
            log,
            folders: folders.map(Path::to_path_buf).collect(),
        }
    }

    /// Writes an alarm down, durably, in the first folder that takes it. One of that kind by that witness which is there stays.
    pub(super) fn keep(&self, witness: &KeyId, alarm: &Alarm) {
        let kind = match alarm.evidence {
            Evidence::Word => "word",
            Evidence::Ahead(_) => "ahead",
            Evidence::Fork(_) => "fork",
        };
        let name = format!("{}-{witness}-{kind}.alarm", self.log);
        let bytes = alarm.to_bytes();
        for folder in &self.folders {
            match write_whole(folder, &name, &bytes) {
                Ok(()) => return,
                Err(error) => {
                    let folder = folder.display();
                    tracing::error!(%error, %folder, "an alarm of a witness could not be kept there");
                }
            }
        }
    }

    /// The alarms that are there, with their files.
    fn read(&self) -> Vec<(PathBuf, Alarm)> {
        let beginning = format!("{}-", self.log);
        let ours = |name: &str| name.starts_with(&beginning) && name.ends_with(".alarm");
        let mut found = Vec::new();
        for folder in &self.folders {
            let entries = match fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(error) => {
                    tracing::error!(%error, folder = %folder.display(), "kept alarms could not be read");
                    continue;
                }
            };
            let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
            let mut paths: Vec<PathBuf> = names
                .filter(|name| name.to_str().is_some_and(ours))
                .map(|name| folder.join(name))
                .take(MOST_FILES)
                .collect();
            paths.sort();
            for path in paths {
                match read_whole(&path).map(|bytes| Alarm::parse(&bytes)) {
                    Ok(Some(alarm)) => found.push((path, alarm)),
                    Ok(None) => tracing::error!(path = %path.display(), "a kept alarm is damaged"),
                    Err(error) => {
                        tracing::error!(%error, path = %path.display(), "a kept alarm could not be read");
                    }
                }
            }
        }
        found
    }

    /// The checkpoints that alarms show, of which nothing is known to be true.
    pub(super) fn checkpoints(&self) -> Vec<Vec<u8>> {
        let alarms = self.read().into_iter();
        let shown = alarms.flat_map(|(_, alarm)| match alarm.evidence {
            Evidence::Word => Vec::new(),
            Evidence::Ahead(note) => vec![note],
            Evidence::Fork(fork) => fork.checkpoints().map(<[u8]>::to_vec).to_vec(),
        });
        shown.collect()
    }

    /// The alarms that stand, unless one of them shows that the store is not the log that its keys signed.
    pub(super) async fn judge(
        &self,
        store: &Arc<dyn Store>,
        head: &Head,
        trust: &Trust,
    ) -> Result<Vec<Arc<Alarm>>, OpenError> {
        let mut standing = Vec::new();
        for (path, alarm) in self.read() {
            match &alarm.evidence {
                Evidence::Word => {}
                Evidence::Fork(fork) => {
                    if is_signed(&alarm.evidence, trust)
                        && let Ok(fork) = fork.verify(&checkpoint_keys(trust))
                    {
                        return Err(OpenError::Contradicted {
                            size: fork.size,
                            evidence: path,
                        });
                    }
                }
                Evidence::Ahead(note) => {
                    if let Ok(Checkpoint { size, .. }) = trust.check_checkpoint(note) {
                        let mark = Mark {
                            log: self.log,
                            size,
                            checkpoint: note.clone(),
                        };
                        match check_mark(store, head, trust, &mark, &path).await {
                            // What was missing is there again.
                            Ok(()) => continue,
                            Err(OpenError::Rollback { .. } | OpenError::Fork { .. }) => {
                                return Err(OpenError::Contradicted {
                                    size,
                                    evidence: path,
                                });
                            }
                            Err(error) => return Err(error),
                        }
                    }
                }
            }
            tracing::error!(%alarm, path = %path.display(), "a witness has contradicted the log; look into it, then take the file away");
            standing.push(Arc::new(alarm));
        }
        Ok(standing)
    }
}

/// Whether keys of the log signed what an alarm shows, for trees at whose end they were in force: with a key that went, nobody says
/// anything new about the log.
pub(super) fn is_signed(evidence: &Evidence, trust: &Trust) -> bool {
    let signed = |note: &[u8]| trust.check_checkpoint(note).is_ok();
    match evidence {
        Evidence::Word => false,
        Evidence::Ahead(note) => signed(note),
        Evidence::Fork(fork) => fork.checkpoints().into_iter().all(signed),
    }
}

/// The file gets its name once it is whole; one of that name stays.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let path = folder.join(name);
    if path.exists() {
        return Ok(());
    }
    // Several processes hear of it at once.
    let mut number = [0; 8];
    getrandom::fill(&mut number).map_err(std::io::Error::other)?;
    let unnamed = folder.join(format!("{name}.{:016x}", u64::from_be_bytes(number)));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unnamed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let named = written.and_then(|()| match fs::hard_link(&unnamed, &path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        named => named,
    });
    // Whether or not it has got its name, this one goes.
    let _ = fs::remove_file(&unnamed);
    named.and_then(|()| File::open(folder)?.sync_all())
}

fn read_whole(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A pipe would never end, and many links could lead to one large file.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    // One byte more than any alarm has: a longer file is none.
    let file = File::open(path)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use crate::log::{SecretKey, Signer};
    use crate::witness::Sign;

    use super::*;

    fn alarm(size: u64) -> Alarm {
        Alarm {
            witness: "w1".to_owned(),
            sign: Sign::Fork { size },
            own: b"a note\n".to_vec(),
            evidence: Evidence::Word,
        }
    }

    fn witness(byte: u8) -> KeyId {
        SecretKey::from_seed(&[byte; 32]).public().id()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn the_first_alarm_of_a_kind_by_a_witness_stays() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogId::from_random([7; 16]);
        let kept = KeptAlarms::new(log, Some(folder.path()), None);
        kept.keep(&witness(1), &alarm(u64::MAX));
        kept.keep(&witness(1), &alarm(4));
        kept.keep(&witness(2), &alarm(5));
        let ahead = Alarm {
            evidence: Evidence::Ahead(b"another note\n".to_vec()),
            ..alarm(6)
        };
        kept.keep(&witness(1), &ahead);
        let mut read: Vec<Alarm> = kept.read().into_iter().map(|(_, alarm)| alarm).collect();
        read.sort_by_key(|alarm| match alarm.sign {
            Sign::Rollback { size } | Sign::Fork { size } => size,
        });
        assert_eq!(read, [alarm(5), ahead, alarm(u64::MAX)]);
        // Nothing else is left, and nobody else may write to them.
        let names = names(folder.path());
        assert_eq!(names.len(), 3);
        for name in &names {
            let metadata = fs::metadata(folder.path().join(name)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
        // They are of this log alone; a damaged one is passed over.
        let other = KeptAlarms::new(LogId::from_random([8; 16]), Some(folder.path()), None);
        assert!(other.read().is_empty());
        let first = names.first().unwrap();
        fs::write(folder.path().join(first), b"{}\n").unwrap();
        assert_eq!(kept.read().len(), 2);
    }

    #[test]
    fn where_the_keys_cannot_be_written_to_an_alarm_lies_beside_the_head_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogId::from_random([7; 16]);
        let gone = folder.path().join("gone");
        let head = folder.path().join("log.db.head");
        let kept = KeptAlarms::new(log, Some(&gone), Some(&head));
        kept.keep(&witness(1), &alarm(3));
        let read: Vec<PathBuf> = kept.read().into_iter().map(|(path, _)| path).collect();
        let [path] = read.try_into().unwrap();
        assert_eq!(path.parent(), Some(folder.path()));
    }
}

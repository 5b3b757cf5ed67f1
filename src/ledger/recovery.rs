//! When a log cannot go on: what is left of it, and the log that takes its place.
//!
//! A log behind its outside head is never appended to again. Its successor names it in the genesis, and says in the same commit
//! what was attested and what was found; what was not finished is void, since no record of it stands there.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::approval::{Hidden, Mishap, Recovered, TreeHead};
use crate::canonical::Digest;
use crate::clock::{Clock, SystemClock};
use crate::log::{
    Checkpoint, Enforcement, Frontier, Head, HeadRow, LogId, LogReader, Note, Origin, Predecessor,
    ReadError, Role, Row, Seq, Terms, Trust, TrustedKeys, Verdict, VerifiedGenesis,
    verify_structure_alone,
};
use crate::store::{Store, StoreError};

use super::head_file::{HeadFile, HeadFileError, Mark};
use super::kept_alarms::KeptAlarms;
use super::known_logs::{KnownLogs, KnownLogsError};
use super::open::{Beginning, Successor, begin};
use super::ours::Place;
use super::{Keys, Limits, OpenError};

/// How many leaves are read at a time.
const STEP: u64 = 4096;

/// What is at hand of a log that is not opened any more.
pub struct Lost<'a> {
    /// Its records; `None` if nothing of its store is left.
    pub reader: Option<&'a mut (dyn LogReader + Send)>,
    /// Where its database lies or lay, by the name under which its host opened it.
    pub database: &'a Path,
    /// Its head file, where it is not `<database>.head`.
    pub head_file: Option<&'a Path>,
    /// Checkpoints of it that were kept elsewhere, as signed notes.
    pub kept: &'a [Vec<u8>],
}

/// What befell a log, and what its successor will say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    database: PathBuf,
    predecessor: Predecessor,
    after: Mishap,
    attested: Option<TreeHead>,
    found: Option<TreeHead>,
    why: Option<String>,
}

/// What the successor of a log is to be.
pub struct Succeeding<'a> {
    /// The store that it begins in, which holds nothing yet.
    pub store: Arc<dyn Store>,
    /// The keys that it begins with, which lie in a directory; one of them is that of an operator.
    pub keys: &'a Keys,
    /// Its head file, where it is not `<database>.head`.
    pub head_file: Option<PathBuf>,
    /// The name in its checkpoints; one with its id unless it is named. That of the predecessor is not used again.
    pub origin: Option<String>,
    /// What the operator knows about it, in words; a hidden member of the record.
    pub reason: String,
}

/// Why no successor was begun; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The log can go on.
    #[error(
        "nothing is lost: the log {log} verifies, and has at least the {size} records that its head file and the checkpoints say; open it as before"
    )]
    NothingLost {
        /// The log.
        log: LogId,
        /// How many records it has.
        size: u64,
    },
    /// Nobody says that there was a log.
    #[error(
        "no log was found: there is no store with records at `{}`, and no head file or checkpoint by one of the keys says that there was one", database.display()
    )]
    NoLog {
        /// Where it should be.
        database: PathBuf,
    },
    /// The store holds another log than the list beside the keys says.
    #[error(
        "the store holds the log {found}, but the list beside the keys says that the log {expected} lies here: put what is left of that one back, or move this one away, since a store that is not there counts as lost"
    )]
    AnotherLog {
        /// The log that should be here.
        expected: LogId,
        /// The log that is.
        found: LogId,
    },
    /// The log is somebody else's.
    #[error(
        "the log {log} was not begun by one of the keys that were given, nor did one of them change its keys: name the keys that it was written with"
    )]
    NotOurs {
        /// What it calls itself.
        log: LogId,
    },
    /// A checkpoint that was given is none of this log.
    #[error("checkpoint {number} of those that were given is none of this log: {why}")]
    Checkpoint {
        /// Which, counted from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The head file and the checkpoints are of different logs.
    #[error(
        "the head file and the checkpoints that were given are of different logs: give those of one"
    )]
    SeveralLogs,
    /// No key of an operator is at hand.
    #[error("the keys hold none of an operator, whose word it is that a log was lost")]
    NoOperator,
    /// Nobody says what happened.
    #[error("the record says in words what happened: give a reason")]
    NoReason,
    /// The head file that was named is not there.
    #[error("there is no head file `{}`: name the one that the log was opened with, or none if it is lost", path.display())]
    NoHeadFile {
        /// The file that was named.
        path: PathBuf,
    },
    /// The head file is not that of the log.
    #[error(
        "the head file `{}` is none of the log {log}: {why}. Name the one that is; if it is lost, move this one away first", path.display()
    )]
    OtherHeadFile {
        /// The head file.
        path: PathBuf,
        /// The log.
        log: LogId,
        /// What is wrong with it.
        why: String,
    },
    /// The new place is taken.
    #[error(
        "there is a log at the new place already, which does not continue {log}: name a place that holds nothing"
    )]
    Occupied {
        /// The log that was to be continued.
        log: LogId,
    },
    /// The log has a successor.
    #[error("the log {log} has a successor already, {successor}: go on with that one")]
    Succeeded {
        /// The log.
        log: LogId,
        /// The one that took its place.
        successor: LogId,
    },
    /// Its records could not be read.
    #[error(
        "the log cannot be read: {0}; put it aside, since a store that is not there counts as lost"
    )]
    Unreadable(#[from] ReadError),
    /// Its head file could not be read.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// The list beside the keys could not be used.
    #[error(transparent)]
    KnownLogs(#[from] KnownLogsError),
    /// The successor could not begin.
    #[error("the successor could not begin: {0}")]
    NotBegun(#[from] OpenError),
}

impl From<StoreError> for RecoveryError {
    fn from(error: StoreError) -> Self {
        Self::NotBegun(error.into())
    }
}

impl std::fmt::Debug for Lost<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            reader,
            database,
            head_file,
            kept,
        } = self;
        f.debug_struct("Lost")
            .field("reader", &reader.is_some())
            .field("database", database)
            .field("head_file", head_file)
            .field("kept", &kept.len())
            .finish()
    }
}

impl std::fmt::Debug for Succeeding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Succeeding")
            .field("head_file", &self.head_file)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Recovery {
    /// Looks at what is left of a log, and changes nothing.
    ///
    /// # Errors
    /// [`RecoveryError::NothingLost`] if the log can go on, or what stands in the way of telling.
    pub fn examine(
        lost: Lost<'_>,
        keys: &Keys,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, RecoveryError> {
        let Lost {
            reader,
            database,
            head_file,
            kept,
        } = lost;
        let path = head_file.map_or_else(|| head_file_of(database), Path::to_path_buf);
        let mark = HeadFile::open(&path)?
            .map(|mut file| file.read())
            .transpose()?;
        // A slip of the pen is no loss.
        if mark.is_none() && head_file.is_some() {
            return Err(RecoveryError::NoHeadFile { path });
        }
        let listed = match keys.directory() {
            Some(directory) => KnownLogs::of(directory, database)?.here()?,
            None => None,
        };
        let left = match reader {
            Some(reader) => Left::of(reader, keys, progress)?,
            None => None,
        };
        // Another log of ours that somebody put here is none that was lost here.
        if let (Some(left), Some(known)) = (&left, &listed)
            && (*left.trust.log() != known.log || left.genesis != known.genesis)
        {
            return Err(RecoveryError::AnotherLog {
                expected: known.log,
                found: *left.trust.log(),
            });
        }
        // Of the id no checkpoint says anything; the list beside the keys is the better witness where the store is gone.
        let log = left.as_ref().map(|left| *left.trust.log());
        let log = log.or_else(|| listed.as_ref().map(|known| known.log));
        let log = log.or_else(|| mark.as_ref().map(|mark| mark.log));
        let nothing = || RecoveryError::NoLog {
            database: database.to_path_buf(),
        };
        let log = log.ok_or_else(nothing)?;
        if let Some(list) = keys.directory() {
            let list = KnownLogs::of(list, database)?;
            if let Some(successor) = list.successor(log)? {
                return Err(RecoveryError::Succeeded { log, successor });
            }
        }
        let trust = left.as_ref().map(|left| &left.trust);
        let mut heads = Vec::new();
        let mut origin = trust.map(|trust| trust.origin().clone());
        if let Some(mark) = &mark {
            let other = |why: String| RecoveryError::OtherHeadFile {
                path: path.clone(),
                log,
                why,
            };
            if mark.log != log {
                return Err(other(format!("it is that of the log {}", mark.log)));
            }
            if mark.size > 0 {
                heads.push(attested(&mark.checkpoint, trust, keys).map_err(other)?);
            }
        }
        for (at, note) in kept.iter().enumerate() {
            let head = attested(note, trust, keys);
            heads.push(head.map_err(|why| RecoveryError::Checkpoint {
                number: at + 1,
                why,
            })?);
        }
        // What witnesses showed, as far as keys of the log signed it.
        let alarms = KeptAlarms::new(log, keys.directory(), Some(&path));
        if let Some((named, _)) = heads.first() {
            origin.get_or_insert_with(|| named.clone());
        }
        // The keys may sign other logs as well, whose heads say nothing of this one.
        if heads
            .iter()
            .any(|(named, _)| Some(named) != origin.as_ref())
        {
            return Err(RecoveryError::SeveralLogs);
        }
        let shown = alarms.checkpoints().into_iter();
        let shown = shown.filter_map(|note| attested(&note, trust, keys).ok());
        heads.extend(shown.filter(|(named, _)| Some(named) == origin.as_ref()));
        let heads: Vec<TreeHead> = heads.into_iter().map(|(_, head)| head).collect();
        let largest = heads.iter().copied().max_by_key(|head| head.size);
        let origin = origin.ok_or_else(nothing)?;
        let (after, attested, found, why) = match left {
            None => (
                Mishap::StoreLost,
                Some(largest.ok_or_else(nothing)?),
                None,
                None,
            ),
            Some(left) => {
                let Left {
                    reader,
                    genesis: _,
                    trust: _,
                    size,
                    broken,
                } = left;
                let mut marks: Vec<u64> = heads.iter().map(|head| head.size).collect();
                marks.push(size);
                let roots = roots(reader, size, &marks)?;
                let root = |at: u64| {
                    roots
                        .iter()
                        .find(|(size, _)| *size == at)
                        .map(|(_, root)| *root)
                };
                let found = root(size).map(|root| TreeHead { size, root });
                let fork = heads
                    .iter()
                    .filter(|head| head.size <= size && root(head.size) != Some(head.root))
                    .max_by_key(|head| head.size);
                let beyond = largest.filter(|head| head.size > size);
                match (broken, beyond, fork) {
                    (Some(why), _, _) => (Mishap::Broken, largest, found, Some(why)),
                    (None, Some(beyond), _) => (Mishap::Rollback, Some(beyond), found, None),
                    (None, None, Some(fork)) => (Mishap::Fork, Some(*fork), found, None),
                    // One with nothing signed in it, of a log that was opened before, is none.
                    (None, None, None)
                        if mark.is_none_or(|mark| mark.size == 0 && listed.is_some()) =>
                    {
                        (Mishap::HeadFileMissing, largest, found, None)
                    }
                    (None, None, None) => return Err(RecoveryError::NothingLost { log, size }),
                }
            }
        };
        let TreeHead { size, root } = attested.or(found).ok_or_else(nothing)?;
        Ok(Self {
            database: database.to_path_buf(),
            predecessor: Predecessor {
                log,
                origin,
                size,
                root,
            },
            after,
            attested,
            found,
            why,
        })
    }

    /// The log that cannot go on, and the head of it that its successor names.
    #[must_use]
    pub const fn predecessor(&self) -> &Predecessor {
        &self.predecessor
    }

    /// What befell it.
    #[must_use]
    pub const fn after(&self) -> Mishap {
        self.after
    }

    /// The largest head of it that was seen outside of its store.
    #[must_use]
    pub const fn attested(&self) -> Option<TreeHead> {
        self.attested
    }

    /// What its store holds that verifies.
    #[must_use]
    pub const fn found(&self) -> Option<TreeHead> {
        self.found
    }

    /// Which record does not verify, and why.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Begins the successor, and writes down beside the keys that the predecessor has one; returns its id.
    ///
    /// Where this was cut short it is done again: a successor of the same log that is there already is taken up.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn begin(&self, succeeding: Succeeding<'_>) -> Result<LogId, RecoveryError> {
        let Succeeding {
            store,
            keys,
            head_file,
            origin,
            reason,
        } = succeeding;
        if keys.signer(Role::Operator).is_none() {
            return Err(RecoveryError::NoOperator);
        }
        if reason.trim().is_empty() {
            return Err(RecoveryError::NoReason);
        }
        let database = store.guarantees().database;
        let place = Place::new(None, keys, database.as_deref())?;
        let path = head_file.or_else(|| database.as_deref().map(head_file_of));
        if store.head().await?.is_none() {
            let enforcement = match self.predecessor.origin.is_testing() {
                true => Enforcement::Testing,
                false => Enforcement::Enforced,
            };
            let beginning = Beginning {
                origin,
                enforcement,
                now: SystemClock.now(),
                limits: Limits::default(),
                value_keys: database.as_ref().and(keys.value_keys()),
                successor: Some(Successor {
                    predecessor: self.predecessor.clone(),
                    recovered: Recovered {
                        after: self.after,
                        attested: self.attested,
                        found: self.found,
                        reason: Hidden::Known(reason),
                    },
                }),
            };
            begin(&store, keys, &place, path.as_deref(), beginning).await?;
        }
        let occupied = || RecoveryError::Occupied {
            log: self.predecessor.log,
        };
        let first = store.read(Seq::GENESIS, NonZeroU32::MIN).await?;
        let genesis = first
            .first()
            .and_then(|first| VerifiedGenesis::check(first).ok());
        let genesis = genesis.ok_or_else(occupied)?;
        let ours = genesis
            .record()
            .signers()
            .iter()
            .any(|key| keys.may_begin(key));
        // What was known of the lost log may have been more or less at an earlier run.
        let continued = genesis.genesis().predecessor().map(|one| one.log);
        if !ours || continued != Some(self.predecessor.log) {
            return Err(occupied());
        }
        let successor = *genesis.genesis().log();
        // The first mark comes before the list, as at an opening.
        if let (Some(path), Some(head)) = (&path, store.head().await?)
            && let Some(mut file) = HeadFile::open(path)?
        {
            let first = Mark {
                log: head.log,
                size: head.size,
                checkpoint: head.checkpoint,
            };
            file.advance(&first, |_| Ok::<_, HeadFileError>(()))?;
        }
        place.settle(successor, *genesis.record().leaf())?;
        if let Some(directory) = keys.directory() {
            KnownLogs::of(directory, &self.database)?.succeed(self.predecessor.log, successor)?;
        }
        Ok(successor)
    }
}

/// The head file beside a database. All names of one file have one, also where nothing is left of it but a link.
fn head_file_of(database: &Path) -> PathBuf {
    let file = std::fs::canonicalize(database)
        .ok()
        .or_else(|| Some(database.parent()?.join(std::fs::read_link(database).ok()?)));
    let mut name = file.as_deref().unwrap_or(database).as_os_str().to_owned();
    name.push(".head");
    PathBuf::from(name)
}

/// What a store still holds.
struct Left<'a> {
    reader: &'a mut (dyn LogReader + Send),
    trust: Trust,
    /// The leaf of its genesis.
    genesis: Digest,
    /// Up to where it verifies.
    size: u64,
    /// What does not verify behind that.
    broken: Option<String>,
}

impl<'a> Left<'a> {
    /// `None` if there are no records.
    fn of(
        reader: &'a mut (dyn LogReader + Send),
        keys: &Keys,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Self>, RecoveryError> {
        let genesis = match reader
            .records(Seq::GENESIS, NonZeroU32::MIN)?
            .into_iter()
            .next()
        {
            None => return Ok(None),
            Some(Row::Record(row)) => VerifiedGenesis::check(&row.record).ok(),
            Some(Row::Malformed { .. }) => None,
        };
        // Without a genesis nothing says whose log it was; that is as good as lost.
        let Some(genesis) = genesis else {
            return Ok(None);
        };
        let suggested = TrustedKeys::of_genesis(genesis.genesis());
        let terms = Terms {
            keys: Some(&suggested),
            ..Terms::default()
        };
        let report = verify_structure_alone(reader, &terms, progress);
        let (size, broken) = match report.verdict() {
            Verdict::Broken(broken) => {
                (report.size.min(broken.seq.get()), Some(broken.to_string()))
            }
            // A walk that could not read on has not come to the end that the head row names.
            Verdict::CannotVerify { why } if held(reader)? != report.size => {
                return Err(RecoveryError::Unreadable(ReadError::new(why)));
            }
            _ => (report.size, None),
        };
        let trust = ours(reader, &genesis, keys, size)?;
        Ok(Some(Self {
            reader,
            genesis: *genesis.record().leaf(),
            trust,
            size,
            broken,
        }))
    }
}

/// How many records a store says that it holds.
fn held(reader: &mut (dyn LogReader + Send)) -> Result<u64, RecoveryError> {
    let size = match reader.head_row()? {
        HeadRow::Stored(bytes) => Head::decode(&bytes).ok().map(|head| head.size),
        HeadRow::Missing | HeadRow::NotKept => None,
    };
    size.ok_or_else(|| ReadError::new("its head row is missing or damaged").into())
}

/// The keys that a log names by its end, if one of ours began it or changed its keys.
fn ours(
    reader: &mut (dyn LogReader + Send),
    genesis: &VerifiedGenesis,
    keys: &Keys,
    size: u64,
) -> Result<Trust, RecoveryError> {
    let mut trust = Trust::on_genesis(genesis);
    let mut ours = genesis
        .record()
        .signers()
        .iter()
        .any(|key| keys.may_begin(key));
    for seq in reader.key_changes(Seq::new(size))? {
        for row in reader.records(seq, NonZeroU32::MIN)? {
            if let Row::Record(row) = row
                && let Ok(verified) = trust.check(&row.record)
            {
                ours |= verified.signers().iter().any(|key| keys.may_begin(key));
                // What does not hold ends the part that verifies, and lies beyond `size`.
                let _ = trust.follow(&verified);
            }
        }
    }
    match ours {
        true => Ok(trust),
        false => Err(RecoveryError::NotOurs { log: *trust.log() }),
    }
}

/// What a checkpoint attests that one of our keys, or one that the log names, has signed.
fn attested(note: &[u8], trust: Option<&Trust>, keys: &Keys) -> Result<(Origin, TreeHead), String> {
    let public = keys.public();
    let text = Note::parse(note).map_err(|error| error.to_string())?;
    let claimed = Checkpoint::parse(text.unverified_text()).map_err(|error| error.to_string())?;
    let origin = match trust {
        Some(trust) => trust.origin().clone(),
        None => claimed.origin,
    };
    // A key that went says nothing about what came after it.
    let named = trust.and_then(|trust| trust.check_checkpoint(note).ok());
    let own = public
        .iter()
        .filter(|(_, roles)| roles.contains(&Role::Checkpoint))
        .map(|(key, _)| key);
    let checkpoint = match named {
        Some(checkpoint) => checkpoint,
        None => {
            Checkpoint::verify(note, &origin, own)
                .map_err(|error| error.to_string())?
                .0
        }
    };
    let Checkpoint { origin, size, root } = checkpoint;
    Ok((origin, TreeHead { size, root }))
}

/// The tree heads of a log at these sizes, as far as it goes.
fn roots(
    reader: &mut (dyn LogReader + Send),
    size: u64,
    at: &[u64],
) -> Result<Vec<(u64, Digest)>, RecoveryError> {
    let mut frontier = Frontier::empty();
    let mut roots = Vec::new();
    while frontier.size() < size {
        let next = frontier.size();
        let leaves = reader.leaves(next..size.min(next + STEP))?;
        if leaves.is_empty() {
            return Err(RecoveryError::Unreadable(ReadError::new(
                "records are missing",
            )));
        }
        for leaf in leaves {
            frontier.push(leaf);
            if at.contains(&frontier.size()) {
                roots.push((frontier.size(), frontier.root()));
            }
        }
    }
    Ok(roots)
}

//! Opening a log: begin it, or make sure that it is the one we left.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};

use crate::action::{InstanceId, OsSalts};
use crate::approval::{ClockDoubt, Event, Recovered};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::journal::{self, Writer};
use crate::log::{
    Chain, Enforcement, Frontier, Genesis, Head, LogId, Origin, PAYLOAD_TYPE, Predecessor, Role,
    Seq, Signature, Trust, leaf_hash, pae,
};
use crate::notify::Notifier;
use crate::store::{Abort, Batch, Chore, NewRecord, Query, Step, Store, StoreError, StoreSecret};
use crate::values::{ValueKeys, ValueKeysError, path_in};
use crate::witness::Witnesses;

use super::head_file::{HeadFile, HeadFileError, Mark};
use super::kept_alarms::KeptAlarms;
use super::ours::{Place, known_trust};
use super::sequencer::Sequencer;
use super::value_keys::{Values, sealed_scope};
use super::{
    Keys, Limits, OpenError, Shared, Spawner, alarms, courier, feed, keeper, people, time, waiters,
    witnessing,
};
use crate::log::StoredRecord;

/// What a host chooses before a log is opened.
pub(crate) struct Options {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) head_file: Option<PathBuf>,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) recorders: Vec<Arc<dyn crate::lineage::LineageRecorder>>,
    pub(crate) witnesses: Option<Witnesses>,
    pub(crate) spawner: Option<Spawner>,
    pub(crate) origin: Option<String>,
    pub(crate) expected: Option<LogId>,
    pub(crate) limits: Limits,
    pub(crate) enforcement: Enforcement,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            head_file: None,
            notifiers: Vec::new(),
            recorders: Vec::new(),
            witnesses: None,
            spawner: None,
            origin: None,
            expected: None,
            limits: Limits::default(),
            enforcement: Enforcement::Enforced,
        }
    }
}

/// A ledger that is ready: its threads run.
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) async fn open(
    store: Arc<dyn Store>,
    keys: Keys,
    options: Options,
) -> Result<Opened, OpenError> {
    let Options {
        clock,
        head_file,
        notifiers,
        recorders,
        witnesses,
        spawner,
        origin,
        expected,
        limits,
        enforcement,
    } = options;
    let time = time::GateTime::start(Arc::clone(&clock));
    let database = store.guarantees().database;
    let value_keys = database
        .as_ref()
        .and(keys.value_keys())
        .map(Path::to_path_buf);
    let place = Place::new(expected, &keys, database.as_deref())?;
    let path = match (head_file, database) {
        (Some(path), _) => Some(path),
        (None, Some(database)) => {
            // All names of one file have one head file.
            let file = std::fs::canonicalize(database).map_err(OpenError::System)?;
            let mut name = file.into_os_string();
            name.push(".head");
            Some(PathBuf::from(name))
        }
        (None, None) => None,
    };
    if store.head().await?.is_none() {
        let beginning = Beginning {
            origin,
            enforcement,
            now: time.now(),
            limits,
            successor: None,
            value_keys: value_keys.as_deref(),
        };
        begin(&store, &keys, &place, path.as_deref(), beginning).await?;
    }
    // Asked in this order: what others commit meanwhile must not make the store look older than its head file.
    let outside = path.as_deref().map(read_outside);
    let head = store.head().await?.ok_or(StoreError::Corrupt {
        what: "its head is missing".to_owned(),
    })?;
    let (trust, genesis) = known_trust(&store, &keys, enforcement, head.size).await?;
    if keys.signer(Role::Checkpoint).is_none() {
        return Err(OpenError::NoCheckpointKey);
    }
    head.check(&trust).map_err(|broken| OpenError::Broken {
        seq: head.size.saturating_sub(1),
        why: broken.to_string(),
    })?;
    check_edge(&store, &head, &trust).await?;
    let head_file = match (&path, outside) {
        (Some(path), Some(outside)) => {
            Some(check_outside(&store, &head, &trust, path, outside?, &place).await?)
        }
        _ => None,
    };
    let kept_alarms = KeptAlarms::new(*trust.log(), keys.directory(), path.as_deref());
    let contradictions = kept_alarms.judge(&store, &head, &trust).await?;
    place.settle(*trust.log(), genesis)?;
    let values = Values::of(&store, value_keys.as_deref(), *trust.log()).await?;
    let reads = [Role::Gate, Role::Desk];
    if let (Values::Lost(path), true) = (
        &values,
        reads.iter().any(|role| keys.signer(*role).is_some()),
    ) {
        let path = path.clone();
        return Err(OpenError::ValueKeys(ValueKeysError::Missing { path }));
    }
    let secret = store
        .find(Query::Secret)
        .await?
        .secret()?
        .ok_or(StoreError::Corrupt {
            what: "its secret is missing".to_owned(),
        })?;
    let behind = head.ts.unix_micros() - clock.now().unix_micros();
    time.at_least(head.ts);
    let instance = InstanceId::new(time.now(), &mut salts()).map_err(|_| no_entropy())?;
    store
        .tend(Chore::PutInstance {
            instance,
            at: time.now(),
        })
        .await?;
    let spawner = match spawner {
        Some(spawner) => spawner,
        None => Spawner::own_thread().map_err(OpenError::System)?,
    };
    let alarms = Arc::new(alarms::Alarms::default());
    store.on_commit(alarms.bell.clone());
    let shared = Arc::new(Shared {
        clock,
        instance,
        enforcement,
        waiters: Arc::new(waiters::Waiters::default()),
        alarms,
        notifiers,
        spawner,
        limits,
        keys: RwLock::new(keys),
        successors: Mutex::default(),
        secret,
        values,
        time,
        sequencer: Sequencer::new(),
        crew: super::crew::Crew::default(),
        head_written: Mutex::new(0),
        followed: Mutex::new(head.size),
        next_due: Mutex::new(None),
        own: Mutex::default(),
        seen: super::seen::Seen::of_size(head.size),
        lately: super::lately::Lately::default(),
        known: Mutex::new(head),
        names: people::Names::default(),
        running: Mutex::default(),
        keeper_wakes: Mutex::new(None),
        revoke_check: Mutex::default(),
        head_file: head_file.map(Mutex::new),
        stopped: Mutex::new(None),
        unsettled: Mutex::new(None),
        clock_version: Mutex::new(0),
        closed: AtomicBool::new(false),
        new_timer: Mutex::new(None),
        threads: Mutex::default(),
        courier: courier::Doorbell::default(),
        feeds: Mutex::default(),
        operator: Mutex::new(None),
        listeners: Mutex::default(),
        contradictions: Mutex::new(contradictions),
        kept_alarms,
        witnesses: witnesses.map(Arc::new),
        vigils: Mutex::default(),
        counted: super::Counted::default(),
        trust: RwLock::new(Arc::new(trust)),
        store,
    });
    let threads = [Sequencer::start(&shared), keeper::start(&shared)];
    for thread in threads {
        match thread {
            Ok(thread) => super::lock(&shared.threads).push(thread),
            Err(error) => {
                shared.close();
                return Err(OpenError::System(error));
            }
        }
    }
    if let Err(error) = shared.finish_erasure().await {
        shared.close();
        return Err(error.into());
    }
    shared.warn_of_exposed();
    if behind > 0 {
        shared.note_clock(ClockDoubt::Gap, behind).await;
    }
    courier::start(&shared);
    for recorder in recorders {
        feed::start(&shared, recorder);
    }
    witnessing::start(&shared);
    Ok(Opened { shared })
}

/// What a new log is to be.
pub(super) struct Beginning<'a> {
    pub(super) origin: Option<String>,
    pub(super) enforcement: Enforcement,
    pub(super) now: Timestamp,
    pub(super) limits: Limits,
    /// Where the keys of its hidden values are to lie.
    pub(super) value_keys: Option<&'a Path>,
    /// That it continues another log, which the same commit says.
    pub(super) successor: Option<Successor>,
}

/// What a log that continues another begins with.
pub(super) struct Successor {
    pub(super) predecessor: Predecessor,
    pub(super) recovered: Recovered,
}

/// Writes the genesis. The head file comes first, so that its absence always means something.
pub(super) async fn begin(
    store: &Arc<dyn Store>,
    keys: &Keys,
    place: &Place,
    head_file: Option<&Path>,
    beginning: Beginning<'_>,
) -> Result<Head, OpenError> {
    let Beginning {
        origin,
        enforcement,
        now,
        limits,
        value_keys,
        successor,
    } = beginning;
    let signer_role = [Role::Operator, Role::Gate]
        .into_iter()
        .find(|role| keys.signer(*role).is_some())
        .ok_or(OpenError::NoKeyToBegin)?;
    let signer = keys.signer(signer_role).ok_or(OpenError::NoKeyToBegin)?;
    let checkpoint_signer = keys
        .signer(Role::Checkpoint)
        .ok_or(OpenError::NoKeyToBegin)?;
    let left = match head_file {
        Some(path) => HeadFile::open(path)?
            .map(|mut file| file.read())
            .transpose()?,
        None => None,
    };
    if let Err(refused) = check_never_begun(place, head_file, left.as_ref()) {
        // Another process may have begun it since we looked.
        return store.head().await?.ok_or(refused);
    }
    let log = match left {
        // An earlier beginning was cut short between the head file and the genesis.
        Some(mark) => mark.log,
        None => {
            let log = LogId::generate().map_err(|_| no_entropy())?;
            match head_file {
                Some(path) => HeadFile::begin(path, log, 0o600)?.read()?.log,
                None => log,
            }
        }
    };
    if let Some(directory) = value_keys {
        ValueKeys::begin(&path_in(directory, log), log).map_err(OpenError::ValueKeys)?;
    }
    let default = match enforcement {
        Enforcement::Enforced => format!("countersign.local/{log}"),
        Enforcement::Testing => format!("testing/{log}"),
    };
    let text = origin.unwrap_or(default);
    let origin = Origin::new(text.clone()).map_err(|_| OpenError::Origin(text))?;
    if origin.is_testing() != (enforcement == Enforcement::Testing) {
        return Err(OpenError::TestingLog);
    }
    let predecessor = successor.as_ref().map(|one| one.predecessor.clone());
    let genesis = Genesis::new(log, origin.clone(), keys.public(), predecessor)
        .map_err(|error| OpenError::System(std::io::Error::other(error)))?;
    let entry = genesis.to_entry();
    let mut chain = Chain::begin(log, limits.statement_limit());
    let chained = chain
        .extend(&entry, now, &signer.public().id())
        .map_err(|error| OpenError::Broken {
            seq: 0,
            why: error.to_string(),
        })?;
    let message = pae(PAYLOAD_TYPE, &chained.statement);
    // Every key that the creator holds signs, which proves that he holds it.
    let mut signatures = vec![sign_with(signer.as_ref(), &message)?];
    for role in [Role::Gate, Role::Desk, Role::Operator, Role::Checkpoint] {
        if let Some(other) = keys.signer(role)
            && signatures.iter().all(|(id, _)| *id != other.public().id())
        {
            signatures.push(sign_with(other.as_ref(), &message)?);
        }
    }
    let mut subtrees = chained.subtrees;
    let mut disclosures = Vec::new();
    let mut records = vec![NewRecord {
        record: StoredRecord {
            seq: chained.seq,
            statement: chained.statement,
            signatures,
            leaf: chained.leaf,
        },
        kind: entry.kind,
        request: None,
        ts: chained.ts,
        prev: chained.prev,
    }];
    if let Some(successor) = successor {
        let event = Event::Recovered(Box::new(successor.recovered));
        let entry = journal::encode(&event, None, Writer::gate(enforcement), &mut salts())
            .map_err(|error| OpenError::System(std::io::Error::other(error)))?;
        let next = chain
            .extend(&entry, now, &signer.public().id())
            .map_err(|error| OpenError::Broken {
                seq: 1,
                why: error.to_string(),
            })?;
        let signature = sign_with(signer.as_ref(), &pae(PAYLOAD_TYPE, &next.statement))?;
        subtrees.extend(next.subtrees);
        let keeping = Values::of(store, value_keys, log).await?.current()?;
        for one in entry.disclosures {
            let kept = keeping.keep(next.seq, one).ok_or_else(no_entropy)?;
            disclosures.push((next.seq, kept));
        }
        records.push(NewRecord {
            record: StoredRecord {
                seq: next.seq,
                statement: next.statement,
                signatures: vec![signature],
                leaf: next.leaf,
            },
            kind: entry.kind,
            request: None,
            ts: next.ts,
            prev: next.prev,
        });
    }
    let note = chain
        .checkpoint(&origin)
        .sign(checkpoint_signer.as_ref())
        .map_err(|_| no_entropy())?;
    let head = chain.head(note.clone());
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|_| no_entropy())?;
    let batch = Batch {
        records,
        subtrees,
        checkpoint: (head.size, note),
        head: head.clone(),
        disclosures,
        moved: value_keys.map(|_| sealed_scope()).into_iter().collect(),
        rows: Vec::new(),
        secret: Some(StoreSecret::from_bytes(secret)),
    };
    let step = Step::new(Default::default(), move |view| match view.head {
        None => Ok(batch),
        Some(_) => Err(Abort::new("another process began the log")),
    });
    match store.append(step).await {
        Ok(_) => Ok(head),
        // Somebody else was faster, or the answer was lost: what is there now counts, and is checked like any other.
        Err(error) => store.head().await?.ok_or(OpenError::Store(error)),
    }
}

/// Nothing says that there was a log here already.
fn check_never_begun(
    place: &Place,
    head_file: Option<&Path>,
    left: Option<&Mark>,
) -> Result<(), OpenError> {
    if let (Some(path), Some(mark)) = (head_file, left)
        && mark.size > 0
    {
        return Err(OpenError::Rollback {
            store: 0,
            outside: mark.size,
            head_file: path.to_path_buf(),
        });
    }
    place.check_empty(left.map(|mark| mark.log))
}

fn sign_with(
    signer: &dyn crate::log::Signer,
    message: &[u8],
) -> Result<(crate::log::KeyId, Signature), OpenError> {
    let signature = signer.sign(message).map_err(|_| no_entropy())?;
    Ok((signer.public().id(), signature))
}

fn no_entropy() -> OpenError {
    OpenError::System(std::io::Error::other("no random bytes, or a signer failed"))
}

/// Re-hashes the last entries, at most 256, and compares the right edge with the signed head.
async fn check_edge(store: &Arc<dyn Store>, head: &Head, trust: &Trust) -> Result<(), OpenError> {
    let base = head.size.saturating_sub(1) / 256 * 256;
    let mut frontier = frontier_at(store, base).await?;
    let many = u32::try_from(head.size - base)
        .ok()
        .and_then(std::num::NonZeroU32::new)
        .unwrap_or(std::num::NonZeroU32::MIN);
    let records = store.read(Seq::new(base), many).await?;
    let mut last = None;
    for record in &records {
        if record.seq.get() >= head.size {
            break;
        }
        let leaf = leaf_hash(&record.statement);
        if leaf != record.leaf {
            return Err(OpenError::Broken {
                seq: record.seq.get(),
                why: "its bytes do not have the leaf that is stored beside them".to_owned(),
            });
        }
        frontier.push(leaf);
        last = Some(record);
    }
    if frontier != head.frontier || last.is_none_or(|record| record.leaf != head.prev) {
        return Err(OpenError::Broken {
            seq: base,
            why: "the last records do not have the tree head that is signed".to_owned(),
        });
    }
    if let Some(record) = last {
        let checked = trust.check(record).map_err(|broken| OpenError::Broken {
            seq: record.seq.get(),
            why: broken.to_string(),
        })?;
        if checked.statement().ts != head.ts {
            return Err(OpenError::Broken {
                seq: record.seq.get(),
                why: "the head row has another time than the last record".to_owned(),
            });
        }
    }
    Ok(())
}

/// The frontier at a multiple of 256, from the rows of full subtrees.
pub(super) async fn frontier_at(store: &Arc<dyn Store>, size: u64) -> Result<Frontier, OpenError> {
    let mut nodes = Vec::new();
    let mut start = 0;
    for level in (1..=7_u8).rev() {
        let width = 1_u64 << (8 * u32::from(level));
        let many = (size - start) / width;
        if many == 0 {
            continue;
        }
        let first = start / width;
        let hashes = store
            .find(Query::Subtrees {
                level,
                range: first..first + many,
            })
            .await?
            .digests()?;
        if hashes.len() as u64 != many {
            return Err(OpenError::Broken {
                seq: start,
                why: "a row of the tree is missing".to_owned(),
            });
        }
        let mut part = Frontier::empty();
        hashes.into_iter().for_each(|hash| {
            part.push(hash);
        });
        nodes.extend(part.nodes().iter().copied());
        start += many * width;
    }
    Frontier::from_nodes(size, nodes).map_err(|_| OpenError::Broken {
        seq: 0,
        why: "the tree's rows do not fit its size".to_owned(),
    })
}

/// The head file and what it says; `None` if there is none.
fn read_outside(path: &Path) -> Result<Option<(HeadFile, Mark)>, HeadFileError> {
    let Some(mut file) = HeadFile::open(path)? else {
        return Ok(None);
    };
    let mark = file.read()?;
    Ok(Some((file, mark)))
}

/// Compares the store with the head file outside of it, which was read before the head.
async fn check_outside(
    store: &Arc<dyn Store>,
    head: &Head,
    trust: &Trust,
    path: &Path,
    outside: Option<(HeadFile, Mark)>,
    place: &Place,
) -> Result<HeadFile, OpenError> {
    let missing = || OpenError::HeadFileMissing {
        records: head.size,
        head_file: path.to_path_buf(),
    };
    let (mut file, mark) = outside.ok_or_else(missing)?;
    check_mark(store, head, trust, &mark, path).await?;
    if mark.size == 0 {
        // Nothing signed stands in it, so that anybody could have made it. Only for a log that nobody has opened yet is that all
        // there is; the first mark comes before the list beside the keys.
        if place.knows(head.log)? {
            // Another process may have opened it for the first time since the file was read.
            let mark = file.read()?;
            if mark.size == 0 {
                return Err(missing());
            }
            let head = store.head().await?.ok_or_else(missing)?;
            check_mark(store, &head, trust, &mark, path).await?;
            return Ok(file);
        }
        let first = Mark {
            log: head.log,
            size: head.size,
            checkpoint: head.checkpoint.clone(),
        };
        file.advance(&first, |_| Ok::<_, HeadFileError>(()))?;
    }
    Ok(file)
}

/// Whether the log in the store goes on from a mark of the head file.
pub(super) async fn check_mark(
    store: &Arc<dyn Store>,
    head: &Head,
    trust: &Trust,
    mark: &Mark,
    path: &Path,
) -> Result<(), OpenError> {
    let fork = |size| OpenError::Fork {
        size,
        head_file: path.to_path_buf(),
    };
    if mark.log != head.log {
        return Err(fork(0));
    }
    if mark.size > head.size {
        return Err(OpenError::Rollback {
            store: head.size,
            outside: mark.size,
            head_file: path.to_path_buf(),
        });
    }
    if mark.size == 0 {
        return Ok(());
    }
    let outside = trust
        .check_checkpoint(&mark.checkpoint)
        .map_err(|_| fork(mark.size))?;
    let base = mark.size / 256 * 256;
    let mut frontier = frontier_at(store, base).await?;
    let leaves = store
        .find(Query::Leaves(base..mark.size))
        .await?
        .digests()?;
    leaves.into_iter().for_each(|leaf| {
        frontier.push(leaf);
    });
    if outside.size != mark.size || frontier.size() != mark.size || frontier.root() != outside.root
    {
        return Err(fork(mark.size));
    }
    Ok(())
}

/// Salts for the records of this process.
pub(crate) fn salts() -> OsSalts {
    OsSalts::new()
}

//! Owns the writing of the log: keys, the sequencer, deadlines, wake-ups, delivery and feeds.
//!
//! One `Shared` stands behind every gate and desk of a process. It is the only part that appends, and the only one
//! that turns stored rows into facts: a record that this process did not write counts only after its signature, key
//! role, log and leaf have been checked.

mod alarms;
mod batch_tree;
mod bounded;
mod card;
mod clock_watch;
mod courier;
mod crew;
mod erasure;
mod events;
mod executions;
mod exposed;
mod feed;
mod follow;
mod graph;
mod head_file;
mod keeper;
mod kept_alarms;
mod key_changes;
mod keys;
mod known_logs;
mod lately;
mod open;
mod open_error;
mod ours;
mod parts;
mod people;
mod project;
mod prove;
mod reader;
mod recovery;
mod rotation;
mod seal;
mod seen;
mod sequencer;
mod sign;
mod sketch;
mod spawner;
mod threads;
mod time;
mod value_keys;
mod vigil;
mod waiters;
mod witnessing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::block_on;

use crate::action::{ExecutionId, InstanceId, RequestId};
use crate::approval::StopCause;
use crate::canonical::Digest;
use crate::clock::{Clock, Timestamp};
use crate::log::{Enforcement, Head, Kind, Role, Signer, StatementLimit, StoredRecord, Trust};
use crate::notify::Notifier;
use crate::store::{Store, StoreError, StoreSecret};
use crate::values::ValueKeysError;

pub use erasure::{Erase, Erasure};
pub use exposed::{Exposed, ExposedPart, ExposedTo};
pub use head_file::HeadFileError;
pub use keys::{Keys, KeysError};
pub use known_logs::KnownLogsError;
pub use open_error::{OpenError, SaidBy};
pub use recovery::{Lost, Recovery, RecoveryError, Succeeding};
pub use rotation::Rotation;
pub use spawner::Spawner;

pub(crate) use bounded::NoAnswer;
pub(crate) use card::{card_of, rebuild};
pub(crate) use events::Drafts;
pub(crate) use open::{Options, open, salts};
pub(crate) use parts::{Parts, apart};
pub(crate) use people::{Interested, Named};
pub(crate) use project::channel_key;
pub(crate) use reader::Folded;
pub(crate) use sequencer::LastWords;
pub(crate) use threads::is_ours as on_own_thread;
pub(crate) use vigil::{Unseen, Vigil};
pub(crate) use waiters::{Seat, Turn};

/// Everything that the gates, the desk and the background of one process share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    trust: RwLock<Arc<Trust>>,
    pub(crate) instance: InstanceId,
    pub(crate) enforcement: Enforcement,
    pub(crate) waiters: Arc<waiters::Waiters>,
    pub(crate) alarms: Arc<alarms::Alarms>,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) spawner: Spawner,
    pub(crate) limits: Limits,
    keys: RwLock<Keys>,
    /// Keys that this process will sign with once the log names them.
    successors: Mutex<Vec<Arc<dyn Signer>>>,
    secret: StoreSecret,
    values: value_keys::Values,
    time: time::GateTime,
    sequencer: sequencer::Sequencer,
    crew: crew::Crew,
    known: Mutex<Head>,
    /// Up to where this process has looked whom the records concern.
    followed: Mutex<u64>,
    own: Mutex<OwnLeaves>,
    seen: seen::Seen,
    lately: lately::Lately,
    names: people::Names,
    running: Mutex<HashMap<ExecutionId, Running>>,
    /// When the keeper will look at all that run once more, at the latest.
    keeper_wakes: Mutex<Option<Timestamp>>,
    head_file: Option<Mutex<head_file::HeadFile>>,
    head_written: Mutex<u64>,
    revoke_check: Mutex<Vec<RequestId>>,
    new_timer: Mutex<Option<Timestamp>>,
    /// When the keeper will next look for due timers.
    next_due: Mutex<Option<Timestamp>>,
    closed: AtomicBool,
    stopped: Mutex<Option<LedgerError>>,
    unsettled: Mutex<Option<clock_watch::Doubt>>,
    clock_version: Mutex<u64>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    courier: courier::Doorbell,
    feeds: Mutex<Vec<courier::Doorbell>>,
    operator: Mutex<Option<Arc<dyn Signer>>>,
    listeners: Mutex<Vec<Listener>>,
    /// What witnesses have said against the log.
    contradictions: Mutex<Vec<Arc<crate::witness::Alarm>>>,
    kept_alarms: kept_alarms::KeptAlarms,
    witnesses: Option<Arc<crate::witness::Witnesses>>,
    /// Starts that wait for witnesses.
    vigils: Mutex<vigil::Vigils>,
    counted: Counted,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("store", &self.store)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

/// Called after each commit with the requests that it concerned.
type Listener = Box<dyn Fn(&[RequestId]) + Send + Sync>;

/// Bounds that a host may set at open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long an evaluator or a directory may take.
    pub(crate) decide_within: Duration,
    /// How long a permit may lie unused.
    pub(crate) permit_lifetime: Duration,
    /// How long an execution may run without renewing its lease.
    pub(crate) lease: Duration,
    /// How long an effect goes on after it was told to stop.
    pub(crate) grace: Duration,
    /// For how long an action that policy allows may be started.
    pub(crate) allowed_for: Duration,
    /// The largest statement, in bytes.
    pub(crate) statement: usize,
}

impl Limits {
    fn statement_limit(self) -> StatementLimit {
        StatementLimit::bytes(self.statement)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            decide_within: Duration::from_secs(5),
            permit_lifetime: Duration::from_secs(60),
            lease: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
            allowed_for: Duration::from_secs(15 * 60),
            statement: 16 * 1024,
        }
    }
}

/// How many commits and records this process has written.
#[derive(Debug, Default)]
struct Counted {
    commits: AtomicU64,
    records: AtomicU64,
}

/// An execution of this process.
struct Running {
    request: RequestId,
    lease_until: Timestamp,
    lease: Duration,
    stop: Option<oneshot::Sender<StopCause>>,
}

impl Running {
    /// When its lease is to be renewed.
    fn half_life(&self) -> Timestamp {
        self.lease_until.saturating_sub(self.lease / 2)
    }
}

/// Leaves of records that this process wrote and need not be checked again; bounded.
#[derive(Debug, Default)]
struct OwnLeaves {
    current: std::collections::HashSet<Digest>,
    previous: std::collections::HashSet<Digest>,
}

impl OwnLeaves {
    const GENERATION: usize = 16 * 1024;

    fn insert(&mut self, leaf: Digest) {
        if self.current.len() >= Self::GENERATION {
            self.previous = std::mem::take(&mut self.current);
        }
        self.current.insert(leaf);
    }

    fn contains(&self, leaf: &Digest) -> bool {
        self.current.contains(leaf) || self.previous.contains(leaf)
    }
}

/// Why the ledger could not do what was asked; cheap to hand to every caller of a batch.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LedgerError {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(Arc<StoreError>),
    /// The store holds less than was there before.
    #[error(
        "the store holds fewer records than before: it was rolled back; put the newer store back, or begin the log that takes its place with `countersign recover`"
    )]
    Rollback,
    /// The store holds another history.
    #[error("the store holds another history than before: the log has forked")]
    Fork,
    /// Something in the store does not verify.
    #[error("record {seq} does not verify: {why}")]
    Tampered {
        /// The record.
        seq: u64,
        /// Which rule it breaks.
        why: String,
    },
    /// The process holds no key for the role that the record needs.
    #[error("this process holds no key with role {0}")]
    NoSuchRole(Role),
    /// The log does not name the process's key any more.
    #[error(
        "the key that this process signs {0} records with is not in force any more: it was rotated or revoked; open the log again with the key that took its place"
    )]
    KeyGone(Role),
    /// A signer failed.
    #[error("a signer failed")]
    Signer,
    /// The record would be too large.
    #[error("{0}")]
    TooLarge(String),
    /// A builder panicked.
    #[error("the library failed while writing; nothing was written")]
    Panicked,
    /// The ledger is closed.
    #[error("the library is closed")]
    Closed,
    /// The system's random source failed.
    #[error("the system's random source failed")]
    NoEntropy,
    /// The directory did not answer.
    #[error("the directory could not be asked")]
    Directory,
    /// The keys of the log's hidden values could not be used.
    #[error("the keys of the log's hidden values could not be used: {0}")]
    ValueKeys(Arc<ValueKeysError>),
    /// A row of the store that gives a person a name is gone.
    #[error(
        "the store has lost the name of a person whom its records name: somebody wrote into it; audit it and put a good copy back"
    )]
    NameGone,
    /// A scope moved between reading and writing.
    #[error("something that the decision rests on has changed meanwhile")]
    Moved,
    /// An event is not allowed by the state of its request.
    #[error("not allowed now: {0}")]
    Illegal(String),
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<ValueKeysError> for LedgerError {
    fn from(error: ValueKeysError) -> Self {
        Self::ValueKeys(Arc::new(error))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock means that a panic was caught elsewhere; the maps behind these locks stay consistent at every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Gate time.
    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    pub(crate) fn has_role(&self, role: Role) -> bool {
        self.own_signer(role).is_some()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn statement_limit(&self) -> StatementLimit {
        self.limits.statement_limit()
    }

    fn gate_time(&self) -> Timestamp {
        self.time.now()
    }

    /// The mean number of records that a commit held, and the number of commits.
    pub(crate) fn batches(&self) -> (f64, u64) {
        let commits = self.counted.commits.load(Ordering::Relaxed);
        let records = self.counted.records.load(Ordering::Relaxed);
        (records as f64 / commits.max(1) as f64, commits)
    }

    /// Why nothing can be decided here any more.
    pub(crate) fn stopped(&self) -> Option<LedgerError> {
        if self.sequencer.is_closed() {
            return Some(LedgerError::Closed);
        }
        self.broken()
    }

    /// Why nothing may be appended any more; what waits at the close is still written.
    fn broken(&self) -> Option<LedgerError> {
        lock(&self.stopped).clone()
    }

    /// Refuses every further append: the history outside and the store disagree.
    fn stop(&self, error: LedgerError) {
        if matches!(error, LedgerError::Rollback | LedgerError::Fork) {
            tracing::error!(%error, "the ledger stops appending");
            lock(&self.stopped).get_or_insert(error);
        }
    }

    /// Looks whether a commit whose answer was lost has taken place; answers nobody before it knows.
    fn look_for(
        &self,
        head: Option<&Head>,
        source: impl std::fmt::Display,
    ) -> Result<(), LedgerError> {
        tracing::warn!(%source, "a commit's answer was lost; looking for its records");
        let Some(wanted) = head else {
            return Err(LedgerError::Panicked);
        };
        let last = crate::log::Seq::new(wanted.size.saturating_sub(1));
        loop {
            let one = std::num::NonZeroU32::MIN;
            // A store that panics is asked again, as one that fails.
            let read = threads::shielded("the store", || block_on(self.store.read(last, one)));
            match read.unwrap_or_else(|| Err(StoreError::corrupt("the store panicked"))) {
                Ok(records) => {
                    let there = records
                        .first()
                        .is_some_and(|record| record.seq == last && record.leaf == wanted.prev);
                    return if there {
                        Ok(())
                    } else {
                        Err(LedgerError::Store(Arc::new(StoreError::Conflict(
                            "another commit took its place",
                        ))))
                    };
                }
                Err(error) => {
                    if self.sequencer.is_closed() {
                        return Err(LedgerError::from(error));
                    }
                    self.clock
                        .park(self.sequencer.closing(), Some(Duration::from_secs(1)));
                }
            }
        }
    }

    /// Answers a question from the store.
    pub(crate) async fn find(
        &self,
        query: crate::store::Query,
    ) -> Result<crate::store::Found, LedgerError> {
        Ok(self.store.find(query).await?)
    }

    /// Takes note of a commit of this process.
    fn committed(
        &self,
        head: &Head,
        trust: &Arc<Trust>,
        records: &[StoredRecord],
        noted: &[(RequestId, Kind, u64)],
        touched: &[RequestId],
    ) {
        self.counted.commits.fetch_add(1, Ordering::Relaxed);
        self.counted
            .records
            .fetch_add(records.len() as u64, Ordering::Relaxed);
        {
            let mut own = lock(&self.own);
            records.iter().for_each(|record| own.insert(record.leaf));
        }
        self.rely_on(trust);
        for (request, kind, seq) in noted {
            self.seen.note(*request, *kind, *seq);
        }
        let mut noted = noted.iter().peekable();
        for record in records {
            let seq = record.seq.get();
            let of_request = noted.next_if(|(_, _, noted)| *noted == seq);
            self.seen
                .follow(seq, of_request.map(|(request, _, _)| *request));
        }
        self.time.at_least(head.ts);
        {
            let before = head.size - records.len() as u64;
            let mut followed = lock(&self.followed);
            if *followed == before {
                *followed = head.size;
            } else {
                // Others wrote in between; the keeper looks whom that concerns.
                self.alarms.bell.ring();
            }
        }
        self.learn(head);
        self.ring_background();
        self.note_touched(touched);
        for listener in lock(&self.listeners).iter() {
            listener(touched);
        }
    }

    /// Has the keeper look at running requests that changed, and at new timers.
    fn note_touched(&self, touched: &[RequestId]) {
        let mine: Vec<RequestId> = {
            let running = lock(&self.running);
            running
                .values()
                .map(|one| one.request)
                .filter(|request| touched.contains(request))
                .collect()
        };
        if !mine.is_empty() {
            lock(&self.revoke_check).extend(mine);
            self.alarms.bell.ring();
        }
    }

    fn ring_background(&self) {
        self.courier.ring();
        for feed in lock(&self.feeds).iter() {
            feed.ring();
        }
    }

    fn new_feed(&self) -> courier::Doorbell {
        let bell = courier::Doorbell::default();
        lock(&self.feeds).push(bell.clone());
        bell
    }

    fn known_size(&self) -> u64 {
        lock(&self.known).size
    }

    fn learn(&self, head: &Head) {
        let mut known = lock(&self.known);
        if head.size > known.size {
            *known = head.clone();
        }
    }

    /// Calls `listener` after each commit with the requests that it concerned; it must not block.
    pub(crate) fn on_change(&self, listener: impl Fn(&[RequestId]) + Send + Sync + 'static) {
        lock(&self.listeners).push(Box::new(listener));
    }

    /// Ends the threads after what waits has been written, and the last words of executions that were let go of before; a second
    /// call finds nothing left to do.
    ///
    /// It blocks, so it runs on a thread that no executor drives futures on, and that is none of the library's own.
    pub(crate) fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.sequencer.close();
        self.alarms.bell.ring();
        self.courier.close();
        for feed in lock(&self.feeds).iter() {
            feed.close();
        }
        let threads = std::mem::take(&mut *lock(&self.threads));
        let me = std::thread::current().id();
        // A thread cannot wait for itself; where the last handle goes away on one of these, it ends after this.
        for thread in threads
            .into_iter()
            .filter(|thread| thread.thread().id() != me)
        {
            if thread.join().is_err() {
                tracing::error!("a thread of the ledger panicked");
            }
        }
        self.crew.close();
        self.alarms.close();
        self.sync_head_file();
        let gone = crate::store::Chore::DropInstance(self.instance);
        // The last handle may go away inside anybody's executor.
        if let Err(error) = threads::wait_for(self.store.tend(gone)) {
            tracing::warn!(%error, "the instance could not be signed off");
        }
        self.waiters.wake_all();
    }
}

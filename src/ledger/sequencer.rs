//! The one writer of a process: takes what waits, chains it, signs it, commits it, answers.
//!
//! Callers prepare everything that does not depend on the position in the log; inside the store's lock a record only
//! gets its number, its place in the chain and its signature. What waits while a commit is under way forms the next
//! batch, so the batch grows with the load and a lone caller never waits for company.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use futures::executor::block_on;

use crate::action::RequestId;
use crate::clock::{Bell, Timestamp};
use crate::log::{Chain, Chained, Entry, Head, Kind, Receipt, Seq, StoredRecord};
use crate::store::{Abort, Batch, NewRecord, Row, ScopeKey, Step, StoreError, View};

use super::batch_tree::BatchTree;
use super::{LedgerError, Shared, threads};

/// The most jobs that one commit takes.
const BATCH: usize = 1024;

/// What a job sees inside the lock.
pub(crate) struct Moment<'a> {
    versions: &'a BTreeMap<ScopeKey, u64>,
    /// Gate time of the records that are about to be written.
    pub(crate) ts: Timestamp,
    /// The number that the job's first record will have.
    pub(crate) seq: Seq,
}

impl Moment<'_> {
    /// How often a scope has moved; 0 if never.
    pub(crate) fn version(&self, scope: &ScopeKey) -> u64 {
        self.versions.get(scope).copied().unwrap_or(0)
    }
}

/// What a job wants written, all or nothing.
pub(crate) struct Plan {
    pub(crate) entries: Vec<Entry>,
    pub(crate) moved: Vec<ScopeKey>,
    pub(crate) rows: Vec<Row>,
    /// Whose waiters shall look again after the commit.
    pub(crate) touched: Vec<RequestId>,
}

/// Where an entry came to stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) seq: Seq,
}

/// What a job's entries became, after the commit.
pub(crate) struct Written {
    pub(crate) placed: Vec<Placed>,
    batch: Arc<WrittenBatch>,
}

struct WrittenBatch {
    records: Vec<StoredRecord>,
    tree: BatchTree,
    checkpoint: Vec<u8>,
}

impl Written {
    /// The receipt of the last entry.
    pub(crate) fn receipt(&self) -> Option<Receipt> {
        let seq = self.placed.last()?.seq;
        let first = self.batch.records.first()?.seq;
        let record = self
            .batch
            .records
            .get(usize::try_from(seq.get().checked_sub(first.get())?).ok()?)?;
        Some(Receipt {
            record: record.clone(),
            checkpoint: self.batch.checkpoint.clone(),
            path: self.batch.tree.path(seq.get()),
        })
    }
}

/// The answer to a job.
pub(crate) enum Appended<R, X> {
    /// Durable.
    Committed(Written, R),
    /// The job's own builder said no; nothing was written.
    Aborted(X),
    /// Nothing of it stands in the log.
    Failed(LedgerError),
}

trait Job: Send {
    fn scopes(&self) -> &BTreeSet<ScopeKey>;
    fn build(&mut self, moment: &Moment<'_>) -> Option<Plan>;
    fn settle(self: Box<Self>, outcome: Outcome);
}

enum Outcome {
    Committed(Written),
    Aborted,
    Failed(LedgerError),
}

struct Typed<R, S, X, F, G> {
    scopes: BTreeSet<ScopeKey>,
    build: Option<F>,
    made: Option<Result<R, X>>,
    finish: G,
    reply: oneshot::Sender<Appended<S, X>>,
}

impl<R, S, X, F, G> Job for Typed<R, S, X, F, G>
where
    R: Send,
    S: Send,
    X: Send,
    F: FnOnce(&Moment<'_>) -> Result<(Plan, R), X> + Send,
    G: FnOnce(R) -> S + Send,
{
    fn scopes(&self) -> &BTreeSet<ScopeKey> {
        &self.scopes
    }

    fn build(&mut self, moment: &Moment<'_>) -> Option<Plan> {
        let build = self.build.take()?;
        match build(moment) {
            Ok((plan, made)) => {
                self.made = Some(Ok(made));
                Some(plan)
            }
            Err(refused) => {
                self.made = Some(Err(refused));
                None
            }
        }
    }

    fn settle(self: Box<Self>, outcome: Outcome) {
        let answer = match (outcome, self.made) {
            (Outcome::Committed(written), Some(Ok(made))) => {
                Appended::Committed(written, (self.finish)(made))
            }
            (Outcome::Aborted | Outcome::Failed(_), Some(Err(refused))) => {
                Appended::Aborted(refused)
            }
            (Outcome::Failed(error), _) => Appended::Failed(error),
            // A job that was never built, or whose commit has no value, has written nothing that it knows of.
            (Outcome::Committed(_) | Outcome::Aborted, _) => {
                Appended::Failed(LedgerError::Panicked)
            }
        };
        // A caller who went away drops the value here; a guard inside it then does its own work.
        drop(self.reply.send(answer));
    }
}

/// The queue in front of the writer.
pub(crate) struct Sequencer {
    queue: Mutex<Queue>,
    waiting: Condvar,
    /// Rung at the close, for a writer that sleeps until the store answers again.
    closing: Bell,
}

struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    open: bool,
}

impl Sequencer {
    pub(crate) fn new() -> Self {
        Self {
            queue: Mutex::new(Queue {
                jobs: VecDeque::new(),
                open: true,
            }),
            waiting: Condvar::new(),
            closing: Bell::new(),
        }
    }

    /// The bell to sleep on while the store does not answer.
    pub(crate) fn closing(&self) -> &Bell {
        &self.closing
    }

    /// Queues a job. `build` runs once, inside the store's lock, and must neither block nor call the ledger; `finish` runs
    /// once its records are durable, whether or not the caller still waits.
    pub(crate) fn submit<R, S, X>(
        &self,
        scopes: BTreeSet<ScopeKey>,
        build: impl FnOnce(&Moment<'_>) -> Result<(Plan, R), X> + Send + 'static,
        finish: impl FnOnce(R) -> S + Send + 'static,
    ) -> oneshot::Receiver<Appended<S, X>>
    where
        R: Send + 'static,
        S: Send + 'static,
        X: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Typed {
            scopes,
            build: Some(build),
            made: None,
            finish,
            reply,
        });
        let refused = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.open {
                queue.jobs.push_back(job);
                None
            } else {
                Some(job)
            }
        };
        match refused {
            None => self.waiting.notify_one(),
            Some(job) => job.settle(Outcome::Failed(LedgerError::Closed)),
        }
        answer
    }

    /// Takes no more jobs; those that wait are still written.
    pub(crate) fn close(&self) {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .open = false;
        self.waiting.notify_all();
        self.closing.ring();
    }

    pub(crate) fn is_closed(&self) -> bool {
        !self
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .open
    }

    pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
        let shared = Arc::clone(shared);
        thread::Builder::new()
            .name("countersign-sequencer".to_owned())
            .spawn(move || {
                threads::mark_as_ours();
                while let Some(jobs) = shared.sequencer.take() {
                    commit(&shared, jobs);
                }
            })
    }

    fn take(&self) -> Option<Vec<Box<dyn Job>>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if !queue.jobs.is_empty() {
                let many = queue.jobs.len().min(BATCH);
                return Some(queue.jobs.drain(..many).collect());
            }
            if !queue.open {
                return None;
            }
            queue = self
                .waiting
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

type Placing = (Box<dyn Job>, Option<Vec<Placed>>);

/// What the builder leaves outside the lock.
struct Built {
    /// Each with its places, if it wrote anything.
    jobs: Vec<Placing>,
    batch: Option<WrittenBatch>,
    touched: Vec<RequestId>,
    /// Which record belongs to which request.
    noted: Vec<(RequestId, Kind, u64)>,
    /// The size before, and the head after: what to look for if the commit's fate is unknown.
    head: Option<Head>,
    stopped: Option<LedgerError>,
}

fn commit(shared: &Arc<Shared>, jobs: Vec<Box<dyn Job>>) {
    if let Some(error) = shared.broken() {
        for job in jobs {
            job.settle(Outcome::Failed(error.clone()));
        }
        return;
    }
    let scopes = jobs
        .iter()
        .flat_map(|job| job.scopes().iter().cloned())
        .collect();
    let slot = Arc::new(Mutex::new(Built {
        jobs: jobs.into_iter().map(|job| (job, None)).collect(),
        batch: None,
        touched: Vec::new(),
        noted: Vec::new(),
        head: None,
        stopped: None,
    }));
    let (inner, for_builder) = (Arc::clone(&slot), Arc::clone(shared));
    let step = Step::new(scopes, move |view| {
        let mut built = inner.lock().unwrap_or_else(PoisonError::into_inner);
        build(&for_builder, &mut built, view)
    });
    let result = shared
        .alarms
        .bell
        .hushed(|| block_on(shared.store.append(step)));
    let mut built = slot.lock().unwrap_or_else(PoisonError::into_inner);
    let jobs = std::mem::take(&mut built.jobs);
    let (batch, head, touched, noted) = (
        built.batch.take(),
        built.head.take(),
        std::mem::take(&mut built.touched),
        std::mem::take(&mut built.noted),
    );
    let stopped = built.stopped.take();
    drop(built);

    let verdict = match result {
        Ok(_) => Ok(()),
        Err(StoreError::Indeterminate(source)) => shared.look_for(head.as_ref(), source),
        Err(StoreError::Aborted(_)) if stopped.is_none() && head.is_none() => {
            // Every job said no by itself.
            for (job, _) in jobs {
                job.settle(Outcome::Aborted);
            }
            return;
        }
        Err(error) => Err(LedgerError::from(error)),
    };
    match (verdict, batch, head) {
        (Ok(()), Some(batch), Some(head)) => {
            let batch = Arc::new(batch);
            shared.committed(&head, &batch.records, &noted, &touched);
            for (job, placed) in jobs {
                match placed {
                    Some(placed) => job.settle(Outcome::Committed(Written {
                        placed,
                        batch: Arc::clone(&batch),
                    })),
                    None => job.settle(Outcome::Aborted),
                }
            }
            shared.waiters.wake(&touched);
        }
        (verdict, _, _) => {
            let error = match (stopped, verdict) {
                (Some(error), _) => {
                    shared.stop(error.clone());
                    error
                }
                (None, Err(error)) => error,
                (None, Ok(())) => LedgerError::Panicked,
            };
            for (job, _) in jobs {
                job.settle(Outcome::Failed(error.clone()));
            }
        }
    }
}

fn build(shared: &Shared, built: &mut Built, view: View) -> Result<Batch, Abort> {
    let before = match shared.check_head(view.head) {
        Ok(head) => head,
        Err(error) => {
            built.stopped = Some(error);
            return Err(Abort::new(
                "the store's head is not a continuation of the log",
            ));
        }
    };
    let now = shared.gate_time().max(before.ts);
    let mut chain = Chain::resume(&before, shared.statement_limit());
    let mut versions = view.versions;
    let mut chained: Vec<Chained> = Vec::with_capacity(built.jobs.len());
    let mut written: Vec<Entry> = Vec::with_capacity(built.jobs.len());
    let mut moved: Vec<ScopeKey> = Vec::new();
    let mut projected: Vec<Row> = Vec::new();
    for (job, place) in &mut built.jobs {
        let plan = job.build(&Moment {
            versions: &versions,
            ts: now,
            seq: Seq::new(chain.size()),
        });
        let Some(Plan {
            entries,
            moved: moves,
            rows,
            touched,
        }) = plan
        else {
            continue;
        };
        let mut placed = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = shared
                .key_id(entry.role)
                .ok_or_else(|| Abort::new("a key is missing"))?;
            let next = chain
                .extend(&entry, now, &key)
                .map_err(|error| Abort::new(error.to_string()))?;
            placed.push(Placed { seq: next.seq });
            chained.push(next);
            written.push(entry);
        }
        for scope in &moves {
            *versions.entry(scope.clone()).or_insert(0) += 1;
        }
        moved.extend(moves);
        built.touched.extend(touched);
        projected.extend(rows);
        *place = Some(placed);
    }
    if chained.is_empty() {
        return Err(Abort::new("nothing to write"));
    }
    let signatures = shared
        .sign(&chained)
        .map_err(|error| Abort::new(error.to_string()))?;
    let mut tree = BatchTree::new(&before.frontier);
    let mut records = Vec::with_capacity(chained.len());
    let mut disclosures = Vec::new();
    let mut subtrees = Vec::new();
    let mut stored = Vec::with_capacity(chained.len());
    for ((next, entry), signature) in chained.into_iter().zip(written).zip(signatures) {
        let Chained {
            seq,
            ts,
            prev,
            key: _,
            statement,
            leaf,
            subtrees: full,
        } = next;
        tree.push(leaf);
        subtrees.extend(full);
        let record = StoredRecord {
            seq,
            statement,
            signatures: vec![signature],
            leaf,
        };
        disclosures.extend(entry.disclosures.into_iter().map(|one| (seq, one)));
        if let Some(request) = &entry.request {
            built.noted.push((request.id, entry.kind, seq.get()));
        }
        stored.push(record.clone());
        records.push(NewRecord {
            record,
            kind: entry.kind,
            request: entry.request.map(|request| request.id),
            ts,
            prev,
        });
    }
    tree.finish();
    let note = shared
        .sign_checkpoint(&chain.checkpoint(shared.trust.origin()))
        .map_err(|error| Abort::new(error.to_string()))?;
    let head = chain.head(note.clone());
    built.batch = Some(WrittenBatch {
        records: stored,
        tree,
        checkpoint: note.clone(),
    });
    built.head = Some(head.clone());
    Ok(Batch {
        records,
        subtrees,
        checkpoint: (head.size, note),
        head,
        disclosures,
        moved,
        rows: projected,
        secret: None,
    })
}

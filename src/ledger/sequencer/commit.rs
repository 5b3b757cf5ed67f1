//! One commit: the builder that runs inside the store's lock, and the answers after it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;

use crate::action::{Pseudonym, RequestId};
use crate::log::{
    Chain, Chained, Entry, Head, Kind, PAYLOAD_TYPE, Seq, Signer, StoredRecord, Trust, pae,
};
use crate::store::{Abort, Batch, Committed, NewRecord, Row, ScopeKey, Step, StoreError, View};

use super::super::follow::Unfit;
use super::super::{LedgerError, Shared, threads};
use super::job::{Changing, Job, Moment, Outcome, Placed, Plan, Written, WrittenBatch};

type Placing = (Box<dyn Job>, Place);

/// What became of a job in the builder.
enum Place {
    /// It wrote nothing, or was not built.
    None,
    /// Where its entries stand.
    Taken(Vec<Placed>),
    /// Its entries cannot be signed, or their hidden values not be sealed.
    Unsigned(LedgerError),
}

/// What the builder leaves outside the lock.
#[derive(Default)]
struct Built {
    /// Each with its places, if it wrote anything.
    jobs: Vec<Placing>,
    batch: Option<WrittenBatch>,
    touched: Vec<RequestId>,
    /// Which record belongs to which request.
    noted: Vec<(RequestId, Kind, u64)>,
    /// How often the scopes that jobs asked for have moved, the batch included.
    versions: BTreeMap<ScopeKey, u64>,
    /// The size before, and the head after: what to look for if the commit's fate is unknown.
    head: Option<Head>,
    /// Pseudonyms that it retires.
    retired: Vec<Pseudonym>,
    /// The keys after it.
    trust: Option<Arc<Trust>>,
    stopped: Option<LedgerError>,
    /// The log has grown by more than the view held; no job was built.
    behind: bool,
}

/// A commit on its way through the store.
pub(super) struct Commit {
    built: Arc<Mutex<Built>>,
    appending: BoxFuture<'static, Result<Committed, StoreError>>,
}

impl Commit {
    pub(super) fn begin(shared: &Arc<Shared>, jobs: Vec<Box<dyn Job>>) -> Self {
        let scopes = jobs
            .iter()
            .flat_map(|job| job.scopes().iter().cloned())
            .collect();
        let built = Arc::new(Mutex::new(Built {
            jobs: jobs.into_iter().map(|job| (job, Place::None)).collect(),
            ..Built::default()
        }));
        let (inner, for_builder) = (Arc::clone(&built), Arc::clone(shared));
        let step = Step::new(scopes, move |view| {
            let mut built = inner.lock().unwrap_or_else(PoisonError::into_inner);
            build(&for_builder, &mut built, view)
        });
        let shared = Arc::clone(shared);
        let step = step.with_news_since(Seq::new(shared.known_size()));
        let appending = async move {
            let appended = async { shared.store.append(step).await };
            let appended = AssertUnwindSafe(appended).catch_unwind().await;
            appended.unwrap_or_else(|_panic| Err(StoreError::indeterminate(StorePanicked)))
        };
        let appending = Box::pin(appending);
        Self { built, appending }
    }

    /// Commits and answers, however long it takes.
    pub(super) fn end(mut self, shared: &Arc<Shared>) {
        loop {
            if let Some(error) = shared.broken() {
                return self.refuse(&error);
            }
            let result = shared.alarms.bell.hushed(|| block_on(self.appending));
            match answer(shared, take(&self.built), result) {
                Answered::All => return,
                Answered::Behind(jobs) => {
                    let read = shared.catch_up();
                    self = Self::begin(shared, jobs);
                    if let Err(error) = read {
                        shared.stop(error.clone());
                        return self.refuse(&error);
                    }
                }
            }
        }
    }

    /// Commits and answers if the store needs no waiting for; gives back what is left to do.
    pub(super) fn try_end(mut self, shared: &Arc<Shared>) -> Option<Self> {
        if let Some(error) = shared.broken() {
            self.refuse(&error);
            return None;
        }
        let mut context = Context::from_waker(Waker::noop());
        let polled = shared
            .alarms
            .bell
            .hushed(|| self.appending.as_mut().poll(&mut context));
        match polled {
            Poll::Pending => Some(self),
            // Looking for its records may take long.
            Poll::Ready(Err(lost @ StoreError::Indeterminate(_))) => {
                self.appending = Box::pin(std::future::ready(Err(lost)));
                Some(self)
            }
            Poll::Ready(result) => match answer(shared, take(&self.built), result) {
                Answered::All => None,
                Answered::Behind(jobs) => Some(Self::begin(shared, jobs)),
            },
        }
    }

    fn refuse(self, error: &LedgerError) {
        for (job, _) in take(&self.built).jobs {
            settle(job, Outcome::Failed(error.clone()));
        }
    }
}

/// Tells one caller; a waker of his that panics keeps nobody else from hearing.
fn settle(job: Box<dyn Job>, outcome: Outcome) {
    threads::shielded("telling a caller", || job.settle(outcome));
}

/// What it had done by then is not known.
#[derive(Debug, thiserror::Error)]
#[error("the store panicked in an append")]
struct StorePanicked;

fn take(built: &Mutex<Built>) -> Built {
    std::mem::take(&mut *built.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether the callers were told.
enum Answered {
    All,
    /// Nothing was built: what others wrote has to be read first.
    Behind(Vec<Box<dyn Job>>),
}

/// Tells every caller what became of his job.
fn answer(shared: &Shared, built: Built, result: Result<Committed, StoreError>) -> Answered {
    let Built {
        jobs,
        batch,
        touched,
        noted,
        versions,
        head,
        trust,
        retired,
        stopped,
        behind,
    } = built;
    if behind {
        return Answered::Behind(jobs.into_iter().map(|(job, _)| job).collect());
    }
    let verdict = match result {
        Ok(_) => Ok(()),
        Err(StoreError::Indeterminate(source)) => shared.look_for(head.as_ref(), source),
        Err(StoreError::Aborted(_)) if stopped.is_none() && head.is_none() => {
            // Every job said no by itself, or could not be signed.
            for (job, place) in jobs {
                match place {
                    Place::Unsigned(error) => settle(job, Outcome::Failed(error)),
                    Place::None | Place::Taken(_) => settle(job, Outcome::Aborted),
                }
            }
            return Answered::All;
        }
        Err(error) => Err(LedgerError::from(error)),
    };
    match (verdict, batch, head) {
        (Ok(()), Some(batch), Some(head)) => {
            let batch = Arc::new(batch);
            let trust = trust.unwrap_or_else(|| shared.trust());
            shared.retire(&retired);
            shared.lately.note(versions);
            shared.committed(&head, &trust, &batch.records, &noted, &touched);
            for (job, place) in jobs {
                match place {
                    Place::Taken(placed) => settle(
                        job,
                        Outcome::Committed(Written {
                            placed,
                            batch: Arc::clone(&batch),
                        }),
                    ),
                    Place::None => settle(job, Outcome::Aborted),
                    Place::Unsigned(error) => settle(job, Outcome::Failed(error)),
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
                settle(job, Outcome::Failed(error.clone()));
            }
        }
    }
    Answered::All
}

fn build(shared: &Shared, built: &mut Built, view: View) -> Result<Batch, Abort> {
    let before = match shared.check_head(view.head, &view.news) {
        Ok(head) => head,
        Err(Unfit::Behind) => {
            built.behind = true;
            return Err(Abort::new("more was written than the builder has seen"));
        }
        Err(Unfit::Refused(error)) => {
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
    let mut trust = shared.trust();
    let mut written: Vec<(Entry, Vec<Arc<dyn Signer>>)> = Vec::with_capacity(built.jobs.len());
    let mut moved: Vec<ScopeKey> = Vec::new();
    let mut projected: Vec<Row> = Vec::new();
    let values = shared.values.current();
    for (job, place) in &mut built.jobs {
        let plan = job.build(&Moment {
            versions: &versions,
            ts: now,
            seq: Seq::new(chain.size()),
            size: before.size,
            concerned: &built.noted,
            retired: &built.retired,
        });
        let Some(Plan {
            entries,
            moved: moves,
            rows,
            touched,
            keys,
            retired,
        }) = plan
        else {
            continue;
        };
        let unsigned = entries.iter().find(|entry| {
            let next = Seq::new(chain.size());
            shared.signer_at(&trust, entry.role, next).is_none()
        });
        if let Some(entry) = unsigned {
            *place = Place::Unsigned(LedgerError::KeyGone(entry.role));
            continue;
        }
        let hides = entries.iter().any(|entry| !entry.disclosures.is_empty());
        if let (Err(error), true) = (&values, hides) {
            *place = Place::Unsigned(error.clone());
            continue;
        }
        let mut placed = Vec::with_capacity(entries.len());
        for entry in entries {
            let signer = shared
                .signer_at(&trust, entry.role, Seq::new(chain.size()))
                .ok_or_else(|| Abort::new(LedgerError::KeyGone(entry.role).to_string()))?;
            let next = chain
                .extend(&entry, now, &signer.public().id())
                .map_err(|error| Abort::new(error.to_string()))?;
            placed.push(Placed { seq: next.seq });
            if let Some(request) = &entry.request {
                built.noted.push((request.id, entry.kind, next.seq.get()));
            }
            let beside = match &keys {
                Some(Changing { change, beside }) => {
                    let mut signers = vec![next.key];
                    signers.extend(beside.iter().map(|key| key.public().id()));
                    Arc::make_mut(&mut trust)
                        .change(next.seq, change, &signers)
                        .map_err(|broken| Abort::new(broken.to_string()))?;
                    beside.clone()
                }
                None => Vec::new(),
            };
            chained.push(next);
            written.push((entry, beside));
        }
        for scope in &moves {
            *versions.entry(scope.clone()).or_insert(0) += 1;
        }
        moved.extend(moves);
        built.touched.extend(touched);
        built.retired.extend(retired);
        projected.extend(rows);
        *place = Place::Taken(placed);
    }
    if chained.is_empty() {
        return Err(Abort::new("nothing to write"));
    }
    let (chained, signatures) = shared
        .sign(chained)
        .map_err(|error| Abort::new(error.to_string()))?;
    let mut records = Vec::with_capacity(chained.len());
    let mut disclosures = Vec::new();
    let mut subtrees = Vec::new();
    let mut stored = Vec::with_capacity(chained.len());
    for ((next, (entry, beside)), signature) in chained.into_iter().zip(written).zip(signatures) {
        let Chained {
            seq,
            ts,
            prev,
            key: _,
            statement,
            leaf,
            subtrees: full,
        } = next;
        subtrees.extend(full);
        let mut signatures = vec![signature];
        for signer in beside {
            let id = signer.public().id();
            if signatures.iter().all(|(signed, _)| *signed != id) {
                let signature = signer
                    .sign(&pae(PAYLOAD_TYPE, &statement))
                    .map_err(|error| Abort::new(error.to_string()))?;
                signatures.push((id, signature));
            }
        }
        let record = StoredRecord {
            seq,
            statement,
            signatures,
            leaf,
        };
        for one in entry.disclosures {
            let kept = values
                .as_ref()
                .ok()
                .and_then(|values| values.keep(seq, one));
            let kept = kept.ok_or_else(|| Abort::new("a hidden value cannot be sealed"))?;
            disclosures.push((seq, kept));
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
    let note = shared
        .sign_checkpoint(&chain.checkpoint(trust.origin()), &trust)
        .map_err(|error| Abort::new(error.to_string()))?;
    let head = chain.head(note.clone());
    built.batch = Some(WrittenBatch {
        before: before.frontier,
        records: stored,
        checkpoint: note.clone(),
        tree: OnceLock::new(),
    });
    // Of a scope that moved without having been asked for, only the steps are known.
    let asked = built.jobs.iter().flat_map(|(job, _)| job.scopes());
    built.versions = asked
        .map(|scope| (scope.clone(), versions.get(scope).copied().unwrap_or(0)))
        .collect();
    built.head = Some(head.clone());
    built.trust = Some(trust);
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

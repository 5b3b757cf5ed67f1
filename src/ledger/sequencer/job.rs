//! Jobs: what a caller wants written, and the answer that it waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use futures::channel::oneshot;

use crate::action::{Pseudonym, RequestId};
use crate::clock::Timestamp;
use crate::log::{Entry, Frontier, KeyChange, Kind, Receipt, Seq, Signer, StoredRecord};
use crate::store::{Row, ScopeKey};

use super::super::LedgerError;
use super::super::batch_tree::BatchTree;

/// What a job sees inside the lock.
pub(crate) struct Moment<'a> {
    pub(super) versions: &'a BTreeMap<ScopeKey, u64>,
    /// Gate time of the records that are about to be written.
    pub(crate) ts: Timestamp,
    /// The number that the job's first record will have.
    pub(crate) seq: Seq,
    /// How many records the log has before the batch.
    pub(crate) size: u64,
    /// The requests that earlier jobs of the batch concern.
    pub(super) concerned: &'a [(RequestId, Kind, u64)],
    /// Pseudonyms that earlier jobs of the batch have retired.
    pub(super) retired: &'a [Pseudonym],
}

impl Moment<'_> {
    /// Whether an earlier job of the batch concerns the request.
    pub(crate) fn concerns(&self, request: &RequestId) -> bool {
        self.concerned.iter().any(|(one, _, _)| one == request)
    }

    /// The pseudonyms that stand for nobody any more since earlier jobs of the batch.
    pub(crate) const fn retired(&self) -> &[Pseudonym] {
        self.retired
    }

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
    /// What its one entry changes about the keys of the log.
    pub(crate) keys: Option<Changing>,
    /// Who is called otherwise after its entries.
    pub(crate) retired: Option<Pseudonym>,
}

/// A change of keys, and who signs its record beside the operator.
pub(crate) struct Changing {
    pub(crate) change: KeyChange,
    pub(crate) beside: Vec<Arc<dyn Signer>>,
}

/// Where an entry came to stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) seq: Seq,
}

/// What a job's entries became, after the commit.
pub(crate) struct Written {
    pub(super) placed: Vec<Placed>,
    pub(super) batch: Arc<WrittenBatch>,
}

pub(super) struct WrittenBatch {
    /// The tree before.
    pub(super) before: Frontier,
    pub(super) records: Vec<StoredRecord>,
    pub(super) checkpoint: Vec<u8>,
    /// Hashed by the first caller who wants a receipt, and not by the writer.
    pub(super) tree: OnceLock<BatchTree>,
}

impl WrittenBatch {
    fn tree(&self) -> &BatchTree {
        self.tree.get_or_init(|| {
            let leaves = self.records.iter().map(|record| record.leaf);
            BatchTree::new(&self.before, leaves)
        })
    }
}

impl Written {
    /// The number of the first entry.
    pub(crate) fn first(&self) -> Option<u64> {
        self.placed.first().map(|placed| placed.seq.get())
    }

    /// The numbers of all entries.
    pub(crate) fn all(&self) -> impl Iterator<Item = u64> {
        self.placed.iter().map(|placed| placed.seq.get())
    }

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
            path: self.batch.tree().path(seq.get()),
            disclosures: Vec::new(),
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

pub(super) trait Job: Send {
    fn scopes(&self) -> &BTreeSet<ScopeKey>;
    fn build(&mut self, moment: &Moment<'_>) -> Option<Plan>;
    fn settle(self: Box<Self>, outcome: Outcome);
}

pub(super) enum Outcome {
    Committed(Written),
    Aborted,
    Failed(LedgerError),
}

/// A job of one caller, who waits for `reply`.
pub(super) struct Typed<R, S, X, F, G> {
    scopes: BTreeSet<ScopeKey>,
    build: Option<F>,
    made: Option<Result<R, X>>,
    finish: G,
    reply: oneshot::Sender<Appended<S, X>>,
}

impl<R, S, X, F, G> Typed<R, S, X, F, G> {
    pub(super) fn new(
        scopes: BTreeSet<ScopeKey>,
        build: F,
        finish: G,
        reply: oneshot::Sender<Appended<S, X>>,
    ) -> Self {
        Self {
            scopes,
            build: Some(build),
            made: None,
            finish,
            reply,
        }
    }
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

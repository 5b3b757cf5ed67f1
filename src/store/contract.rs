use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;

use std::path::PathBuf;

use async_trait::async_trait;

use crate::clock::Bell;
use crate::log::{Head, Seq, StoredRecord};

use super::chore::{Chore, Tended};
use super::error::StoreError;
use super::query::{Found, Query};
use super::step::{Committed, Step};

/// Where the log and its projections are kept.
///
/// # Contract
/// - **Atomic.** [`append`](Self::append) locks the head, loads the versions of the step's scopes, calls [`Step::build`] once
///   and writes the whole batch or nothing. An error of the builder, a panic in it, and a batch that does not continue the head
///   ([`Batch::check`](super::Batch::check)) leave no trace.
/// - **One line.** Whoever appends, from whichever thread or process, sees the head that the append before left. A second
///   record with one `seq`, and one that does not follow the last, must be impossible even for a faulty caller.
/// - **Durable.** When `append` returns, the batch is as durable as [`guarantees`](Self::guarantees) says. If it cannot be known
///   whether it is, the error is [`StoreError::Indeterminate`], and only then.
/// - **Committed only.** [`head`](Self::head), [`read`](Self::read) and [`find`](Self::find) see whole committed batches, and every
///   batch whose `append` returned before they were called.
/// - **Bells.** Every bell given to [`on_commit`](Self::on_commit) is rung after each commit by anyone. Ringing when nothing
///   happened is allowed; not ringing makes waiting requests sleep on.
/// - **Cancellation.** A future that is dropped has either done its work or not begun; nothing is half done.
/// - Errors other than `Indeterminate` mean that nothing was written.
///
/// The futures may do their work when first polled, blocking for the length of a disk write: callers that cannot have that poll
/// them on a thread of their own.
///
/// # What breaks
/// A store that loses a batch after answering, or lets two processes write the same `seq`, lets an approved action run twice.
/// A store that answers from the past lets a revoked approval start. It cannot forge a record: those are signed.
///
/// # Implementing
/// A wrapper passes on what it does not change, and every store and wrapper runs [`conformance`](super::conformance):
///
/// ```
/// use std::num::NonZeroU32;
/// use countersign::clock::Bell;
/// use countersign::log::{Head, Seq, StoredRecord};
/// use countersign::store::{Chore, Committed, Found, Guarantees, Query, Step, Store, StoreError, Tended};
///
/// /// Counts appends.
/// #[derive(Debug)]
/// struct Counted<S>(S, std::sync::atomic::AtomicU64);
///
/// #[async_trait::async_trait]
/// impl<S: Store> Store for Counted<S> {
///     fn guarantees(&self) -> Guarantees {
///         self.0.guarantees()
///     }
///     async fn head(&self) -> Result<Option<Head>, StoreError> {
///         self.0.head().await
///     }
///     async fn append(&self, step: Step) -> Result<Committed, StoreError> {
///         self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         self.0.append(step).await
///     }
///     async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
///         self.0.read(from, limit).await
///     }
///     async fn find(&self, query: Query) -> Result<Found, StoreError> {
///         self.0.find(query).await
///     }
///     async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
///         self.0.tend(chore).await
///     }
///     fn on_commit(&self, bell: Bell) {
///         self.0.on_commit(bell);
///     }
/// }
/// ```
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// What this store promises.
    fn guarantees(&self) -> Guarantees;

    /// The head, `None` before the genesis batch.
    async fn head(&self) -> Result<Option<Head>, StoreError>;

    /// Runs one step: all or nothing, and durable when it returns.
    async fn append(&self, step: Step) -> Result<Committed, StoreError>;

    /// Records from `from` on, in order and without a gap, at most `limit`; none beyond the head.
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError>;

    /// Answers a question.
    async fn find(&self, query: Query) -> Result<Found, StoreError>;

    /// Does a chore.
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError>;

    /// Has `bell` rung after every commit by anyone, in any process that the store reaches.
    fn on_commit(&self, bell: Bell);
}

/// What a store promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarantees {
    /// What a batch survives once its `append` has returned.
    pub durability: Durability,
    /// Who may share the store.
    pub reach: Reach,
    /// The database file, where there is one, by the absolute path that the host gave it.
    ///
    /// Which log lies there is remembered by this path, links and all, since where they lead is up to whoever may write there. The
    /// head file is kept beside the file itself, whatever name it has here, unless the host says where else.
    pub database: Option<PathBuf>,
}

/// What a committed batch survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: it is gone with the process.
    Memory,
    /// A crash of the process and of the machine, as far as the disk keeps what it was told to keep.
    Fsync,
}

/// Who may share a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// One process.
    Process,
    /// Several processes on one machine.
    Machine,
    /// Several machines.
    Network,
}

#[async_trait]
impl<T: Store + ?Sized> Store for Arc<T> {
    fn guarantees(&self) -> Guarantees {
        (**self).guarantees()
    }

    async fn head(&self) -> Result<Option<Head>, StoreError> {
        (**self).head().await
    }

    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        (**self).append(step).await
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        (**self).read(from, limit).await
    }

    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        (**self).find(query).await
    }

    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        (**self).tend(chore).await
    }

    fn on_commit(&self, bell: Bell) {
        (**self).on_commit(bell);
    }
}

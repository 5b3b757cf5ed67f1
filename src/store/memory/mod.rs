//! A store in memory: for tests, and for what need not outlive its process.

mod find;
mod outbox;
mod reader;
mod state;
mod tend;
mod timers;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::action::InstanceId;
use crate::clock::Bell;
use crate::log::{Head, Seq, StoredRecord};

use super::chore::{Chore, Tended};
use super::contract::{Durability, Guarantees, Reach, Store};
use super::error::StoreError;
use super::query::{Found, Query};
use super::rows::Liveness;
use super::step::{Committed, Step, View};
use state::State;

pub use reader::MemoryReader;

/// A store that is gone with its process.
///
/// Clones are not made of it; share it as an `Arc<MemoryStore>`.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    bells: Mutex<Vec<Bell>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has a registered process count as gone, as if it had died; for tests of what follows then.
    pub fn declare_gone(&self, instance: InstanceId) {
        if let Some(row) = self.lock().instances.get_mut(&instance) {
            row.liveness = Liveness::Gone;
        }
    }

    /// A snapshot of the log, to verify it.
    #[must_use]
    pub fn log_reader(&self) -> MemoryReader {
        MemoryReader::new(&self.lock())
    }

    // The state is whole at every panic: a batch is checked first and applied by code that cannot fail.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn guarantees(&self) -> Guarantees {
        Guarantees {
            durability: Durability::Memory,
            reach: Reach::Process,
            database: None,
        }
    }

    async fn head(&self) -> Result<Option<Head>, StoreError> {
        Ok(self.lock().head.clone())
    }

    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        let head = {
            let mut state = self.lock();
            let news = View::news(step.news_since(), state.head.as_ref());
            let view = View {
                head: state.head.clone(),
                versions: state.versions(step.scopes()),
                news: news.map_or_else(Vec::new, |(from, many)| state.read(from, many)),
            };
            let batch = step.build(view)?;
            state.check(&batch)?;
            let head = batch.head.clone();
            state.apply(batch);
            head
        };
        let bells = self
            .bells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        bells.iter().for_each(Bell::ring);
        Ok(Committed { head })
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        Ok(self.lock().read(from, limit.get()))
    }

    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.lock().find(query)
    }

    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        Ok(self.lock().tend(chore))
    }

    fn on_commit(&self, bell: Bell) {
        self.bells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(bell);
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.lock().records.len())
            .finish_non_exhaustive()
    }
}

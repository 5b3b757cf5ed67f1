//! A store that fails when it is told to; for tests of what then must still hold.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use thiserror::Error;

use crate::clock::Bell;
use crate::log::{Head, Seq, StoredRecord};

use super::chore::{Chore, Tended};
use super::contract::{Guarantees, Store};
use super::error::StoreError;
use super::query::{Found, Query};
use super::step::{Committed, Step};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the caller is told.
    Refuse,
    /// The disk is full: nothing is done, and the caller is told.
    Full,
    /// Nothing is done, and the caller is told that it may have been.
    LoseCall,
    /// It is done, and the caller is told that it may not have been.
    LoseAnswer,
    /// Nothing is done, and from now on no call is answered, as if the process had died before it.
    CrashBefore,
    /// It is done, and from now on no call is answered, as if the process had died after it.
    CrashAfter,
}

/// A store that passes calls on, but for those that are to go wrong.
///
/// Calls are counted from 1, over all methods but [`guarantees`](Store::guarantees) and [`on_commit`](Store::on_commit). To go on
/// after a crash, open the inner store again: an `Arc` of a [`MemoryStore`](super::MemoryStore) in a new wrapper will do.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: u64,
    appends: u64,
    at_call: BTreeMap<u64, Fault>,
    at_append: BTreeMap<u64, Fault>,
    crashed: bool,
}

/// The fault was asked for.
#[derive(Debug, Error)]
#[error("the store was told to fail here")]
struct ToldTo;

impl<S: Store> FaultyStore<S> {
    /// A store that does not fail yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            plan: Mutex::default(),
        }
    }

    /// Has the `call`-th call go wrong, counted from 1 over the store's whole life.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.plan().at_call.insert(call, fault);
    }

    /// Has the `append`-th append go wrong, counted from 1 over the store's whole life.
    pub fn fail_append(&self, append: u64, fault: Fault) {
        self.plan().at_append.insert(append, fault);
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.plan().calls
    }

    /// How many of them were appends.
    pub fn appends(&self) -> u64 {
        self.plan().appends
    }

    /// Whether it has crashed.
    pub fn crashed(&self) -> bool {
        self.plan().crashed
    }

    /// The store behind it.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and says what is to go wrong with it.
    fn meet(&self, append: bool) -> Result<Option<Fault>, StoreError> {
        let mut plan = self.plan();
        if plan.crashed {
            return Err(StoreError::unavailable(ToldTo));
        }
        plan.calls += 1;
        let mut fault = plan.at_call.get(&plan.calls).copied();
        if append {
            plan.appends += 1;
            fault = fault.or(plan.at_append.get(&plan.appends).copied());
        }
        match fault {
            Some(Fault::Refuse) => Err(StoreError::unavailable(ToldTo)),
            Some(Fault::Full) => Err(StoreError::Full),
            Some(Fault::LoseCall) => Err(StoreError::indeterminate(ToldTo)),
            Some(Fault::CrashBefore) => {
                plan.crashed = true;
                Err(StoreError::indeterminate(ToldTo))
            }
            Some(Fault::CrashAfter) => {
                plan.crashed = true;
                Ok(fault)
            }
            Some(Fault::LoseAnswer) | None => Ok(fault),
        }
    }
}

fn answer<T>(fault: Option<Fault>, answer: Result<T, StoreError>) -> Result<T, StoreError> {
    match fault {
        None => answer,
        Some(_) => Err(StoreError::indeterminate(ToldTo)),
    }
}

#[async_trait]
impl<S: Store> Store for FaultyStore<S> {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }

    async fn head(&self) -> Result<Option<Head>, StoreError> {
        let fault = self.meet(false)?;
        answer(fault, self.inner.head().await)
    }

    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        let fault = self.meet(true)?;
        answer(fault, self.inner.append(step).await)
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        let fault = self.meet(false)?;
        answer(fault, self.inner.read(from, limit).await)
    }

    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        let fault = self.meet(false)?;
        answer(fault, self.inner.find(query).await)
    }

    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        let fault = self.meet(false)?;
        answer(fault, self.inner.tend(chore).await)
    }

    fn on_commit(&self, bell: Bell) {
        self.inner.on_commit(bell);
    }
}

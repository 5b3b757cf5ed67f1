#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use futures::executor::block_on;

use super::faulty::{Fault, FaultyStore};
use super::*;
use crate::clock::Bell;
use crate::log::{Head, Seq, StoredRecord};

/// Passes everything on.
#[derive(Debug)]
struct Wrapper<S>(S);

#[async_trait]
impl<S: Store> Store for Wrapper<S> {
    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.0.head().await
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        self.0.append(step).await
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        self.0.read(from, limit).await
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.0.find(query).await
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        self.0.tend(chore).await
    }
    fn on_commit(&self, bell: Bell) {
        self.0.on_commit(bell);
    }
}

#[test]
fn the_memory_store_conforms() {
    block_on(conformance::run(async || MemoryStore::new())).unwrap();
    conformance::race(&MemoryStore::new()).unwrap();
}

#[test]
fn an_arc_of_a_store_conforms() {
    block_on(conformance::run(async || Arc::new(MemoryStore::new()))).unwrap();
    let shared: Arc<dyn Store> = Arc::new(MemoryStore::new());
    conformance::race(&shared).unwrap();
}

#[test]
fn a_wrapper_of_a_store_conforms() {
    block_on(conformance::run(async || Wrapper(MemoryStore::new()))).unwrap();
    conformance::race(&Wrapper(MemoryStore::new())).unwrap();
}

#[test]
fn a_faulty_store_without_a_fault_conforms() {
    block_on(conformance::run(async || {
        FaultyStore::new(MemoryStore::new())
    }))
    .unwrap();
}

/// A store that breaks one rule.
#[derive(Debug)]
struct Bent(MemoryStore, Bend);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bend {
    AnswersFromThePast,
    ForgetsVersions,
    ReadsTooMuch,
    ClaimsTwice,
}

#[async_trait]
impl Store for Bent {
    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        let mut head = self.0.head().await?;
        if self.1 == Bend::AnswersFromThePast
            && let Some(head) = &mut head
        {
            head.size = head.size.min(1);
        }
        Ok(head)
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        if self.1 != Bend::ForgetsVersions {
            return self.0.append(step).await;
        }
        let forgetful = Step::new(BTreeSet::new(), move |view| match step.build(view) {
            Ok(batch) => Ok(batch),
            Err(_) => Err(Abort::new("no")),
        });
        self.0.append(forgetful).await
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        let limit = if self.1 == Bend::ReadsTooMuch {
            NonZeroU32::MAX
        } else {
            limit
        };
        self.0.read(from, limit).await
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.0.find(query).await
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        let chore = match chore {
            Chore::ClaimOutbox {
                channels,
                by,
                now,
                limit,
                ..
            } if self.1 == Bend::ClaimsTwice => Chore::ClaimOutbox {
                channels,
                by,
                now,
                lease_until: now,
                limit,
            },
            chore => chore,
        };
        self.0.tend(chore).await
    }
    fn on_commit(&self, bell: Bell) {
        self.0.on_commit(bell);
    }
}

#[test]
fn conformance_notices_a_store_that_breaks_a_rule() {
    for bend in [
        Bend::AnswersFromThePast,
        Bend::ForgetsVersions,
        Bend::ReadsTooMuch,
        Bend::ClaimsTwice,
    ] {
        let found = block_on(conformance::run(async || Bent(MemoryStore::new(), bend)));
        assert!(found.is_err(), "{bend:?} was not noticed");
    }
}

#[test]
fn a_panic_in_a_builder_is_answered_and_the_store_goes_on() {
    let store = MemoryStore::new();
    let panicking = Step::new(BTreeSet::new(), |_| {
        std::panic::resume_unwind(Box::new("told to"))
    });
    let answer = block_on(store.append(panicking));
    assert!(matches!(answer, Err(StoreError::Builder)));
    conformance::race(&store).unwrap();
}

#[test]
fn a_lost_answer_is_indeterminate_and_done() {
    let inner = Arc::new(MemoryStore::new());
    let store = FaultyStore::new(Arc::clone(&inner));
    store.fail_append(1, Fault::LoseAnswer);
    // The first append of the race is its genesis.
    assert!(conformance::race(&store).is_err());
    assert_eq!(block_on(inner.head()).unwrap().unwrap().size, 1);
}

#[test]
fn a_lost_call_is_indeterminate_and_not_done() {
    let inner = Arc::new(MemoryStore::new());
    let store = FaultyStore::new(Arc::clone(&inner));
    store.fail_at(1, Fault::LoseCall);
    assert!(conformance::race(&store).is_err());
    assert_eq!(store.calls(), 1);
    assert!(block_on(inner.head()).unwrap().is_none());
    conformance::race(&store).unwrap();
}

#[test]
fn after_a_crash_nothing_answers_and_what_was_done_is_done() {
    for (fault, size) in [(Fault::CrashBefore, None), (Fault::CrashAfter, Some(1))] {
        let inner = Arc::new(MemoryStore::new());
        let store = FaultyStore::new(Arc::clone(&inner));
        store.fail_append(1, fault);
        assert!(conformance::race(&store).is_err());
        assert!(store.crashed());
        assert!(matches!(
            block_on(store.head()),
            Err(StoreError::Unavailable(_))
        ));
        let head = block_on(inner.head()).unwrap();
        assert_eq!(head.map(|head| head.size), size);
    }
}

//! Nothing runs unrecorded: a store that fails, loses a commit or crashes at any of its calls.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::aftermath::{Effect, inspect, run, vote};
use common::{PEOPLE, RULES, World, keys, pay, start};
use countersign::clock::{Bell, ManualClock};
use countersign::gate::{ApprovalGate, Filing};
use countersign::log::{Head, Seq, StoredRecord};
use countersign::store::{
    Chore, Committed, Fault, FaultyStore, Found, Guarantees, MemoryStore, Query, Step, Store,
    StoreError, Tended,
};
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{Either, join, select};

/// A store that tells when it has crashed.
#[derive(Debug)]
struct Mortal {
    inner: FaultyStore<Arc<MemoryStore>>,
    death: Mutex<Option<oneshot::Sender<()>>>,
}

impl Mortal {
    fn passed<T>(&self, answer: T) -> T {
        if self.inner.crashed()
            && let Some(death) = self.death.lock().unwrap().take()
        {
            death.send(()).ok();
        }
        answer
    }
}

#[async_trait]
impl Store for Mortal {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.passed(self.inner.head().await)
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        self.passed(self.inner.append(step).await)
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        self.passed(self.inner.read(from, limit).await)
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.passed(self.inner.find(query).await)
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        self.passed(self.inner.tend(chore).await)
    }
    fn on_commit(&self, bell: Bell) {
        self.inner.on_commit(bell);
    }
}

/// Counts.
#[derive(Default)]
struct Effects(AtomicUsize);

impl Effect for Effects {
    fn happen(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn happened(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The life of an approved action, by people and a host who try again when something fails.
async fn life(world: &World, disk: &MemoryStore, effects: &Effects) {
    let gate = world.gate();
    let mut filed = None;
    for _ in 0..3 {
        if let Ok(Filing::Waiting(request)) = gate.request(pay(5)).await {
            filed = Some(request);
            break;
        }
    }
    let Some(request) = filed else { return };
    let reviewer = async {
        for _ in 0..3 {
            if vote(world, request).await.is_ok() {
                return;
            }
        }
        // Nobody is left to decide.
        gate.withdraw(request).await.ok();
    };
    let host = async {
        for _ in 0..3 {
            if run(world, disk, request, effects).await.is_ok() {
                return;
            }
        }
    };
    join(reviewer, host).await;
}

/// Lives once with a fault at a call; whether the call was reached.
fn live_with(fault: Fault, call: u64) -> bool {
    let disk = Arc::new(MemoryStore::new());
    let effects = Effects::default();
    let (death, died) = oneshot::channel();
    let store = Arc::new(Mortal {
        inner: FaultyStore::new(Arc::clone(&disk)),
        death: Mutex::new(Some(death)),
    });
    store.inner.fail_at(call, fault);
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(&folder);
    let all = async {
        let opening = World::begin(
            RULES,
            PEOPLE,
            Arc::clone(&store),
            keys.clone(),
            ManualClock::new(start()),
            folder,
            |opening| opening,
        );
        let (died, world) = match select(Box::pin(opening), died).await {
            Either::Left((opened, died)) => (died, opened.ok()),
            Either::Right(_) => return None,
        };
        if let Some(world) = &world {
            select(Box::pin(life(world, &disk, &effects)), died).await;
        }
        world
    };
    if let Some(world) = block_on(all) {
        world.close();
    }
    let reached = store.inner.calls() >= call;
    if !reached {
        assert_eq!(effects.happened(), 1, "without a fault it runs once");
    }
    drop(store);
    let story = format!("{fault:?} at call {call}");
    for process in block_on(disk.find(Query::Instances))
        .unwrap()
        .instances()
        .unwrap()
    {
        disk.declare_gone(process.instance);
    }
    let left: Arc<dyn Store> = disk;
    inspect(&left, keys, start(), &effects, &story);
    reached
}

fn every_call(fault: Fault) {
    let mut call = 1;
    while live_with(fault, call) {
        call += 1;
    }
    assert!(
        call > 30,
        "the life of an approved action takes more than {call} calls"
    );
}

#[test]
fn a_call_that_fails_runs_nothing_unrecorded() {
    every_call(Fault::Refuse);
}

#[test]
fn a_full_disk_runs_nothing_unrecorded() {
    every_call(Fault::Full);
}

#[test]
fn a_commit_of_unknown_fate_that_was_lost_runs_nothing_unrecorded() {
    every_call(Fault::LoseCall);
}

#[test]
fn a_commit_of_unknown_fate_that_happened_runs_nothing_twice() {
    every_call(Fault::LoseAnswer);
}

#[test]
fn policy_70_a_crash_anywhere_leaves_a_known_state() {
    every_call(Fault::CrashBefore);
}

#[test]
fn hitl_r7_a_crash_before_the_outcome_is_listed_as_unknown() {
    every_call(Fault::CrashAfter);
}

//! Who commits: a lone caller by himself, and the sequencer's thread for everybody else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::convert::Infallible;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use async_trait::async_trait;
use common::{PEOPLE, RULES, World, read};
use countersign::clock::{Bell, ManualClock};
use countersign::gate::{ApprovalGate, ApprovalGateExt};
use countersign::log::{Head, Seq, StoredRecord};
use countersign::store::{
    Chore, Committed, Found, Guarantees, MemoryStore, Query, Step, Store, StoreError, Tended,
};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;

/// What the store does at its next append.
#[derive(Debug, Clone, Default)]
enum Mood {
    #[default]
    Quick,
    /// Each append takes so long.
    Slow(ManualClock, Duration),
    /// Each append waits until this is free.
    Held(Arc<Mutex<()>>),
    /// It is not ready when it is polled first.
    NotReady,
    /// It panics once its records are there.
    PanicsAfter,
    /// It panics before it has done anything.
    PanicsBefore,
}

/// A store that remembers which thread polled it to each append's end.
#[derive(Debug, Default)]
struct Watched {
    inner: MemoryStore,
    mood: Mutex<Mood>,
    commits: Mutex<Vec<ThreadId>>,
}

impl Watched {
    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The threads that committed since the last call.
    fn commits(&self) -> Vec<ThreadId> {
        std::mem::take(&mut *self.commits.lock().unwrap())
    }

    fn size(&self) -> u64 {
        block_on(self.inner.head()).unwrap().unwrap().size
    }
}

#[async_trait]
impl Store for Watched {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.inner.head().await
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        let mood = self.mood.lock().unwrap().clone();
        match &mood {
            Mood::PanicsBefore => {
                self.set(Mood::Quick);
                panic!("before");
            }
            Mood::Held(until) => drop(until.lock().unwrap()),
            Mood::Slow(clock, time) => clock.advance(*time),
            Mood::NotReady => {
                let mut ready = false;
                poll_fn(|context| {
                    if std::mem::replace(&mut ready, true) {
                        return Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }
            Mood::Quick | Mood::PanicsAfter => {}
        }
        let committed = self.inner.append(step).await;
        self.commits.lock().unwrap().push(thread::current().id());
        if let Mood::PanicsAfter = mood {
            self.set(Mood::Quick);
            panic!("after");
        }
        committed
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        self.inner.read(from, limit).await
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.inner.find(query).await
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        self.inner.tend(chore).await
    }
    fn on_commit(&self, bell: Bell) {
        self.inner.on_commit(bell);
    }
}

/// A world in which policy was adopted by a first call.
fn world() -> (World, Arc<Watched>) {
    let store = Arc::new(Watched::default());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    drop(block_on(world.gate().guard(read())).unwrap());
    store.commits();
    (world, store)
}

fn me() -> ThreadId {
    thread::current().id()
}

#[test]
fn a_lone_caller_commits_on_his_own_thread() {
    let (world, store) = world();
    let gate = world.gate();
    for _ in 0..3 {
        drop(block_on(gate.guard(read())).unwrap());
    }
    assert_eq!(store.commits(), [me(); 3]);
}

#[test]
fn callers_who_come_together_share_a_commit_of_the_thread() {
    let (world, store) = world();
    let gate = world.gate();
    let before = store.size();
    let held = Arc::new(Mutex::new(()));
    let holding = held.lock().unwrap();
    store.set(Mood::Held(Arc::clone(&held)));
    let mut guarding = join_all((0..50).map(|_| gate.guard(read())));
    assert!((&mut guarding).now_or_never().is_none());
    drop(holding);
    assert!(block_on(guarding).iter().all(Result::is_ok));
    assert_eq!(store.size(), before + 50);
    // Those who came before the first commit began, and all others.
    let commits = store.commits();
    assert!(commits.len() <= 2, "{} commits", commits.len());
    assert!(!commits.contains(&me()));
}

#[test]
fn while_commits_are_slow_the_thread_does_them_and_nobody_is_held_up() {
    let (world, store) = world();
    let gate = world.gate();
    store.set(Mood::Slow(world.clock.clone(), Duration::from_millis(20)));
    for _ in 0..3 {
        drop(block_on(gate.guard(read())).unwrap());
    }
    let commits = store.commits();
    assert_eq!(commits[0], me(), "they were quick so far");
    assert!(!commits[1..].contains(&me()));
    // Nor for ever after.
    store.set(Mood::Quick);
    for _ in 0..100 {
        drop(block_on(gate.guard(read())).unwrap());
    }
    assert_eq!(store.commits().last(), Some(&me()));
}

#[test]
fn a_caller_who_goes_away_before_his_turn_leaves_the_job_to_the_thread() {
    let (world, store) = world();
    let gate = world.gate();
    let before = store.size();
    let mut guarding = gate.guard(read());
    assert!((&mut guarding).now_or_never().is_none());
    drop(guarding);
    // What was queued is written at the latest when the library closes.
    world.close();
    assert_eq!(store.size(), before + 1);
    assert!(!store.commits().contains(&me()));
}

#[test]
fn an_append_that_is_not_ready_is_ended_by_the_thread() {
    let (world, store) = world();
    let gate = world.gate();
    let before = store.size();
    store.set(Mood::NotReady);
    drop(block_on(gate.guard(read())).unwrap());
    drop(block_on(gate.guard(read())).unwrap());
    assert_eq!(store.size(), before + 2);
    assert!(!store.commits().contains(&me()));
    // The thread may answer a moment before it gives the turn back.
    store.set(Mood::Quick);
    for _ in 0..100 {
        drop(block_on(gate.guard(read())).unwrap());
    }
    assert_eq!(store.commits().last(), Some(&me()));
}

#[test]
fn a_store_that_panics_is_one_whose_answer_was_lost() {
    let (world, store) = world();
    let gate = world.gate();
    let before = store.size();
    store.set(Mood::PanicsAfter);
    drop(block_on(gate.guard(read())).expect("its record is there"));
    assert_eq!(store.size(), before + 1);
    store.set(Mood::PanicsBefore);
    assert!(block_on(gate.guard(read())).is_err(), "nothing is there");
    assert_eq!(store.size(), before + 1);
    drop(block_on(gate.guard(read())).unwrap());
    assert_eq!(store.size(), before + 2);
}

#[test]
fn many_first_calls_at_once_all_run() {
    // None of the persons behind them has a name in the log yet, and each call would give them one.
    let store = Arc::new(Watched::default());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let gate = world.gate();
    let calls = (0..64).map(|_| gate.run(read(), async |_| Ok::<_, Infallible>(())));
    for call in block_on(join_all(calls)) {
        let _done = call.unwrap();
    }
}

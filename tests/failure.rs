//! Callers who leave, waits that are given up, and a log that cannot be written: nothing is lost, and nothing runs unrecorded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;
mod permits;
mod records;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use common::{PEOPLE, RULES, World, pay, read, refused, start};
use countersign::clock::Bell;
use countersign::gate::{ApprovalGate, Refusal, Standing};
use countersign::log::{Head, Seq, StoredRecord};
use countersign::store::{
    Chore, Committed, Found, Guarantees, MemoryStore, Query, Step, Store, StoreError, Tended,
};
use futures::FutureExt;
use futures::executor::block_on;
use permits::{approved, never, pass, resume, run};

/// How long people have under [`RULES`], and how long a lease holds.
const HOUR: Duration = Duration::from_secs(3600);

fn world() -> (World, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    (
        World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening),
        store,
    )
}

#[test]
fn hitl_f3_dropping_the_wait_leaves_the_request() {
    let (world, store) = world();
    let gate = world.gate();
    let mut waiting = gate.guard(pay(5));
    while world.countersign.waiting() == 0 {
        assert!((&mut waiting).now_or_never().is_none());
    }
    drop(waiting);
    assert_eq!(world.countersign.waiting(), 0);
    let open = block_on(gate.open_requests()).unwrap();
    assert_eq!(open.len(), 1);
    let expires = start().saturating_add(HOUR);
    assert_eq!(open[0].standing, Standing::Pending { expires });
    let request = open[0].request;
    let mut again = gate.resume(request);
    assert!((&mut again).now_or_never().is_none());
    drop(again);
    assert_eq!(records::story(&*store, request), ["requested"]);
    // People can still decide it, and whoever comes back can still run it.
    let _ = world.approve("rita", request).unwrap();
    assert!(run(resume(&world, request).unwrap()).is_ok());
}

#[test]
fn hoop_t29_the_outcome_comes_from_the_effect() {
    let (world, store) = world();
    let gate = world.gate();
    let request = approved(&world, 5);
    let (tell, end) = futures::channel::oneshot::channel::<()>();
    let called = AtomicUsize::new(0);
    let mut running = Box::pin(resume(&world, request).unwrap().run(async |_| {
        called.fetch_add(1, Ordering::SeqCst);
        end.await.map_err(|_| "nobody told it")
    }));
    while called.load(Ordering::SeqCst) == 0 {
        assert!((&mut running).now_or_never().is_none());
    }
    // Others stop waiting, and all the clocks of the request pass: it runs for as long as it runs.
    for _ in 0..8 {
        assert!(matches!(
            refused(block_on(gate.resume(request))),
            Refusal::AlreadyTaken
        ));
        pass(&world, HOUR / 4);
        assert!((&mut running).now_or_never().is_none());
        let open = block_on(gate.open_requests()).unwrap();
        assert_eq!(open[0].standing, Standing::Running);
    }
    tell.send(()).unwrap();
    assert!(block_on(running).is_ok());
    let finished = records::only(&*store, "finished");
    assert_eq!(records::text(&finished, "outcome"), Some("succeeded"));
    assert!(block_on(gate.open_requests()).unwrap().is_empty());
}

#[test]
fn hitl_f4_a_dropped_permit_is_not_used_up() {
    let (world, store) = world();
    let gate = world.gate();
    let request = approved(&world, 5);
    for _ in 0..3 {
        drop(resume(&world, request).unwrap());
    }
    let held = resume(&world, request).unwrap();
    let mut next = gate.resume(request);
    assert!((&mut next).now_or_never().is_none());
    drop(held);
    let permit = next.now_or_never().expect("it waits on").unwrap();
    assert_eq!(records::story(&*store, request), ["requested", "voted"]);
    assert!(run(permit).is_ok());
    // Also one that policy gave by itself.
    let permit = block_on(gate.guard(read())).unwrap();
    let request = permit.request();
    drop(permit);
    assert!(run(resume(&world, request).unwrap()).is_ok());
}

/// Counts how often somebody is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, |tasks| tasks.count())
}

#[test]
fn hitl_f5_waiting_holds_no_thread() {
    const MANY: usize = 500;
    let (world, _store) = world();
    let gate = world.gate();
    let before = threads();
    let requests: Vec<_> = (0..MANY).map(|n| world.file(pay(n as i64))).collect();
    let mut waiting: Vec<_> = requests
        .iter()
        .map(|request| (gate.resume(*request), Arc::new(Woken::default())))
        .collect();
    for (future, woken) in &mut waiting {
        let waker = Waker::from(Arc::clone(woken));
        let mut context = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(world.countersign.waiting(), MANY);
    // Tests that run beside this one in the same process have a few threads each.
    assert!(threads() < before + MANY / 10, "a waiter holds a thread");
    // Time passes, and nobody is asked whether it is time yet.
    for _ in 0..10 {
        pass(&world, Duration::from_secs(1));
    }
    let woken = |waiting: &[(_, Arc<Woken>)]| -> Vec<usize> {
        let one = |(_, woken): &(_, Arc<Woken>)| woken.0.load(Ordering::SeqCst);
        waiting.iter().map(one).collect()
    };
    assert_eq!(woken(&waiting), [0; MANY]);
    // A decision wakes whoever waits for it.
    let _ = world.approve("rita", requests[250]).unwrap();
    while woken(&waiting)[250] == 0 {
        thread::yield_now();
    }
    pass(&world, Duration::from_secs(1));
    let mut expected = [0; MANY];
    expected[250] = woken(&waiting)[250];
    assert_eq!(woken(&waiting), expected);
    let (decided, _) = waiting.swap_remove(250);
    assert!(run(block_on(decided).unwrap()).is_ok());
}

#[cfg(feature = "testing")]
#[test]
fn hitl_f7_no_record_no_effect() {
    use countersign::desk::VoteRefused;
    use countersign::gate::{ApprovalGateExt, Cause};
    use countersign::testing::{Fault, FaultyStore};
    use permits::{refused_by, refused_run};

    let not_recorded = |refusal: Refusal| {
        assert!(
            matches!(refusal, Refusal::CouldNotDecide(Cause::NotRecorded(_))),
            "{refusal:?}"
        );
    };
    for fault in [Fault::Refuse, Fault::Full, Fault::LoseCall] {
        let disk = Arc::new(MemoryStore::new());
        let store = Arc::new(FaultyStore::new(Arc::clone(&disk)));
        let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
        let gate = world.gate();
        let fail_next = || store.fail_append(store.appends() + 1, fault);
        // The decision, where policy allows, denies, or asks people.
        fail_next();
        not_recorded(refused(block_on(gate.guard(read()))));
        fail_next();
        let run_read = gate.run(read(), async |_| -> Result<(), String> { panic!("it ran") });
        not_recorded(refused_by(block_on(run_read)));
        fail_next();
        not_recorded(refused(block_on(gate.guard(pay(5)))));
        let request = world.file(pay(5));
        // The vote, which does not count then.
        fail_next();
        assert!(matches!(
            world.approve("rita", request),
            Err(VoteRefused::NotRecorded(_))
        ));
        assert!(gate.resume(request).now_or_never().is_none());
        let _ = world.approve("rita", request).unwrap();
        // The start; the approval is as good as before.
        let permit = resume(&world, request).unwrap();
        fail_next();
        not_recorded(refused_run(permit));
        assert!(records::of_kind(&*disk, "started").is_empty(), "{fault:?}");
        // The end of an effect that ran: its value is not lost, and nothing runs again.
        let permit = resume(&world, request).unwrap();
        let done = block_on(permit.run(async |_| {
            fail_next();
            Ok::<_, String>(5)
        }));
        let done = done.unwrap();
        assert_eq!(*done.value(), 5);
        assert!(done.receipt().is_err());
        assert!(matches!(
            refused(resume(&world, request)),
            Refusal::AlreadyTaken
        ));
        // The record is made up for as soon as one can be made.
        while records::story(&*disk, request).len() < 4 {
            thread::yield_now();
        }
        let finished = records::only(&*disk, "finished");
        assert_eq!(records::text(&finished, "outcome"), Some("succeeded"));
        assert!(block_on(gate.open_requests()).unwrap().is_empty());
    }
}

/// A log whose appends wait while they are held.
#[derive(Debug)]
struct Held {
    log: Arc<MemoryStore>,
    held: Mutex<bool>,
    let_go: Condvar,
}

impl Held {
    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.let_go.notify_all();
    }
}

#[async_trait]
impl Store for Held {
    fn guarantees(&self) -> Guarantees {
        self.log.guarantees()
    }

    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.log.head().await
    }

    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        let held = self.held.lock().unwrap();
        drop(self.let_go.wait_while(held, |held| *held).unwrap());
        self.log.append(step).await
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        self.log.read(from, limit).await
    }

    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.log.find(query).await
    }

    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        self.log.tend(chore).await
    }

    fn on_commit(&self, bell: Bell) {
        self.log.on_commit(bell);
    }
}

#[test]
fn a_caller_who_leaves_while_the_start_is_written_leaves_an_effect_that_was_not_started() {
    let log = Arc::new(MemoryStore::new());
    let store = Arc::new(Held {
        log: Arc::clone(&log),
        held: Mutex::new(false),
        let_go: Condvar::new(),
    });
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let request = approved(&world, 5);
    let mut starting = Box::pin(never(resume(&world, request).unwrap()));
    store.hold(true);
    assert!((&mut starting).now_or_never().is_none());
    drop(starting);
    store.hold(false);
    while records::story(&*log, request).len() < 4 {
        thread::yield_now();
    }
    assert_eq!(
        records::story(&*log, request),
        ["requested", "voted", "started", "finished"]
    );
    let finished = records::only(&*log, "finished");
    assert_eq!(records::text(&finished, "outcome"), Some("failed"));
    assert_eq!(records::text(&finished, "code"), Some("not_started"));
    assert!(matches!(
        refused(resume(&world, request)),
        Refusal::AlreadyTaken
    ));
}

//! What an outside recorder of lineage is given: every event, in order, at least once, whatever happens in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod records;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use common::{PEOPLE, RULES, World, pay, read};
use countersign::action::Dataset;
use countersign::clock::{Clock, ManualClock, Timestamp};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Authorized};
use countersign::lineage::{LineageEvent, LineageRecorder, RecorderError, RecorderName};
use countersign::store::MemoryStore;
use futures::executor::block_on;

/// One call of a recorder.
struct Call {
    at: Timestamp,
    events: Vec<LineageEvent>,
}

impl Call {
    fn seqs(&self) -> Vec<u64> {
        self.events
            .iter()
            .map(|event| event.recorded.seq.0)
            .collect()
    }
}

/// What a recorder answers to its first calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Takes,
    Later,
    Parks,
    Panics,
}

/// Tells of every call, and takes events from its second call on at the latest.
#[derive(Debug)]
struct Sink {
    name: RecorderName,
    first: First,
    calls: AtomicUsize,
    clock: ManualClock,
    told: Mutex<mpsc::Sender<Call>>,
}

#[async_trait]
impl LineageRecorder for Sink {
    fn name(&self) -> &RecorderName {
        &self.name
    }

    async fn record(&self, events: &[LineageEvent]) -> Result<(), RecorderError> {
        let call = Call {
            at: self.clock.now(),
            events: events.to_vec(),
        };
        let _nobody_listens = self.told.lock().unwrap().send(call);
        let is_first = self.calls.fetch_add(1, Ordering::SeqCst) == 0;
        match self.first {
            First::Later if is_first => Err(RecorderError::Later {
                after: Duration::from_secs(30),
            }),
            First::Parks if is_first => Err(RecorderError::Parked {
                why: "the disk is full".to_owned(),
            }),
            First::Panics if is_first => panic!("the sink is broken"),
            _ => Ok(()),
        }
    }
}

fn sink(clock: &ManualClock, first: First) -> (Sink, mpsc::Receiver<Call>) {
    let (told, calls) = mpsc::channel();
    let sink = Sink {
        name: RecorderName::new("sink").unwrap(),
        first,
        calls: AtomicUsize::new(0),
        clock: clock.clone(),
        told: told.into(),
    };
    (sink, calls)
}

/// A process with a recorder, on a store that may have a past.
fn process(
    store: &Arc<MemoryStore>,
    folder: tempfile::TempDir,
    clock: ManualClock,
    first: First,
) -> (World, mpsc::Receiver<Call>) {
    let (sink, calls) = sink(&clock, first);
    let keys = common::keys(&folder);
    let choose = |opening: countersign::host::Opening| opening.with_recorder(sink);
    (
        World::open(
            RULES,
            PEOPLE,
            Arc::clone(store),
            keys,
            clock,
            folder,
            choose,
        ),
        calls,
    )
}

fn begin(first: First) -> (World, Arc<MemoryStore>, mpsc::Receiver<Call>) {
    let store = Arc::new(MemoryStore::new());
    let clock = ManualClock::new(common::start());
    let (world, calls) = process(&store, tempfile::tempdir().unwrap(), clock, first);
    (world, store, calls)
}

fn again(world: World, store: &Arc<MemoryStore>, first: First) -> (World, mpsc::Receiver<Call>) {
    let World {
        countersign,
        clock,
        directory,
        desk,
        keys,
        folder,
    } = world;
    drop((directory, desk, keys));
    block_on(countersign.close());
    process(store, folder, clock, first)
}

fn work(world: &World) {
    let table = || Dataset::new("postgres://db:5432", "crm.customers");
    let copies = async |authorized: Authorized| {
        authorized.derived(table(), Dataset::new("file://host", "/out/copy.csv"));
        Ok::<_, String>(())
    };
    let _done = block_on(world.gate().run(read(), copies)).unwrap();
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<_, String>(()))).unwrap();
}

fn size(store: &MemoryStore) -> u64 {
    records::all(store).len() as u64
}

/// Takes calls until the last record of the log has come.
fn until_all(store: &MemoryStore, calls: &mpsc::Receiver<Call>) -> Vec<LineageEvent> {
    let mut events: Vec<LineageEvent> = Vec::new();
    while events
        .last()
        .is_none_or(|last| last.recorded.seq.0 + 1 < size(store))
    {
        let call = calls.recv().unwrap();
        assert!(
            !call.events.is_empty(),
            "a recorder is not called for nothing"
        );
        events.extend(call.events);
    }
    events
}

fn seqs(events: &[LineageEvent]) -> Vec<u64> {
    events.iter().map(|event| event.recorded.seq.0).collect()
}

#[test]
fn every_event_comes_in_order_and_without_a_gap_across_restarts() {
    let (world, store, calls) = begin(First::Takes);
    work(&world);
    let mut events = until_all(&store, &calls);
    let (world, calls) = again(world, &store, First::Takes);
    work(&world);
    events.extend(until_all(&store, &calls));
    // A call may come again if the process ends before its cursor has moved; none is left out.
    let mut numbers = seqs(&events);
    numbers.dedup();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(
        numbers,
        (1..size(&store)).collect::<Vec<_>>(),
        "all but the genesis, which is no event"
    );
    assert!(
        seqs(&events).windows(2).all(|pair| pair[1] <= pair[0] + 1),
        "nothing is skipped"
    );
    drop(world);
}

#[test]
fn the_edges_that_are_fed_are_those_of_the_store() {
    let (world, store, calls) = begin(First::Takes);
    work(&world);
    let events = until_all(&store, &calls);
    let fed = events.iter().flat_map(|event| &event.edges);
    let mut fed: Vec<_> = fed.map(|edge| (edge.seq.0, edge.relation.code())).collect();
    let mut stored: Vec<_> = records::edges(&*store)
        .iter()
        .map(|row| (row.seq.get(), row.relation))
        .collect();
    fed.sort_unstable();
    stored.sort_unstable();
    assert!(!fed.is_empty());
    assert_eq!(fed, stored);
    let records = records::all(&*store);
    assert!(
        events
            .iter()
            .all(|event| event.record.log == records[0].log)
    );
    drop(world);
}

/// Moves the clock, second by second, until there is another call.
fn next_call(world: &World, calls: &mpsc::Receiver<Call>) -> Call {
    loop {
        match calls.try_recv() {
            Ok(call) => return call,
            Err(_) => world.clock.advance(Duration::from_secs(1)),
        }
        world.clock.settled(1);
        std::thread::yield_now();
    }
}

#[test]
fn a_recorder_that_fails_gets_the_same_events_again_and_not_too_soon() {
    let pauses = [(First::Later, 30), (First::Parks, 60), (First::Panics, 60)];
    for (first, pause) in pauses {
        let (world, store, calls) = begin(first);
        let failed = calls.recv().unwrap();
        // What is committed meanwhile is no reason to come back sooner.
        work(&world);
        let repeated = next_call(&world, &calls);
        assert!(
            repeated.at >= failed.at.saturating_add(Duration::from_secs(pause)),
            "{first:?}"
        );
        assert_eq!(
            repeated.seqs()[..failed.events.len()],
            failed.seqs(),
            "{first:?}"
        );
        let mut events = repeated.events;
        if events.last().unwrap().recorded.seq.0 + 1 < size(&store) {
            events.extend(until_all(&store, &calls));
        }
        assert_eq!(
            seqs(&events),
            (1..size(&store)).collect::<Vec<_>>(),
            "{first:?}"
        );
    }
}

#[test]
fn what_a_recorder_did_not_take_before_the_end_comes_after_it() {
    let (world, store, calls) = begin(First::Parks);
    let first = calls.recv().unwrap();
    work(&world);
    let (world, calls) = again(world, &store, First::Takes);
    let events = until_all(&store, &calls);
    assert_eq!(seqs(&events)[0], first.seqs()[0]);
    assert_eq!(seqs(&events), (1..size(&store)).collect::<Vec<_>>());
    drop(world);
}

#[test]
fn a_recorder_that_never_answers_holds_nothing_up() {
    #[derive(Debug)]
    struct Silent(RecorderName);
    #[async_trait]
    impl LineageRecorder for Silent {
        fn name(&self) -> &RecorderName {
            &self.0
        }
        async fn record(&self, _: &[LineageEvent]) -> Result<(), RecorderError> {
            futures::future::pending().await
        }
    }
    let silent = Silent(RecorderName::new("silent").unwrap());
    let world = World::with(RULES, PEOPLE, MemoryStore::new(), |opening| {
        opening.with_recorder(silent)
    });
    work(&world);
    block_on(world.countersign.clone().close());
}

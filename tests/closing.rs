//! Letting go of the library: in order, from wherever the last handle happens to be.
#![allow(clippy::unwrap_used, clippy::unreachable)]

mod common;

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use common::before_append::BeforeAppend;
use common::log::kinds;
use common::{PEOPLE, RULES, World, pay, read};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Cause, Gate, Refusal};
use countersign::ledger::Spawner;
use countersign::log::Kind;
use countersign::store::{MemoryStore, Store};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;

#[test]
fn the_library_is_closed_from_inside_of_an_executor() {
    let World {
        countersign, desk, ..
    } = World::new();
    drop(desk);
    block_on(countersign.close());
}

#[test]
fn the_last_handle_may_go_away_inside_of_an_executor() {
    let World {
        countersign, desk, ..
    } = World::new();
    drop(desk);
    block_on(async move { drop(countersign) });
}

#[test]
fn a_gate_that_outlives_the_close_refuses() {
    let world = World::new();
    let gate = world.gate();
    let World {
        countersign, desk, ..
    } = world;
    block_on(countersign.close());
    drop(desk);
    let refusal = block_on(gate.guard(read())).unwrap_err();
    assert!(
        matches!(refusal, Refusal::CouldNotDecide(Cause::Closed)),
        "{refusal:?}"
    );
    let ran = block_on(gate.run(read(), async |_| Ok::<_, String>(())));
    assert!(ran.is_err());
}

#[test]
fn whoever_waits_hears_of_the_close() {
    let world = World::new();
    let request = world.file(pay(5));
    let gate = world.gate();
    let (sits, seated) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let mut resumed = Box::pin(gate.resume(request));
        block_on(async {
            // Once it was polled it waits.
            assert!(futures::poll!(&mut resumed).is_pending());
            sits.send(()).unwrap();
            resumed.await.map(drop)
        })
    });
    seated.recv().unwrap();
    let World {
        countersign, desk, ..
    } = world;
    block_on(countersign.close());
    drop(desk);
    let refusal = waiting.join().unwrap().unwrap_err();
    assert!(
        matches!(refusal, Refusal::CouldNotDecide(Cause::Closed)),
        "{refusal:?}"
    );
}

/// What waits to be driven.
type Tasks = Mutex<Vec<BoxFuture<'static, ()>>>;

/// A world whose background tasks wait in a list, and its log.
fn world_at_rest() -> (World, Arc<MemoryStore>, Arc<Tasks>) {
    let store = Arc::new(MemoryStore::new());
    let tasks = Arc::new(Tasks::default());
    let spawned = Arc::clone(&tasks);
    let spawner = Spawner::from_fn(move |task| spawned.lock().unwrap().push(task));
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| {
        opening.with_spawner(spawner)
    });
    (world, store, tasks)
}

/// Begins an effect and lets go of it half way.
fn drop_an_effect(gate: &Gate) {
    let began = AtomicBool::new(false);
    let mut run = gate
        .run(read(), async |_| {
            began.store(true, Ordering::Relaxed);
            pending::<Result<(), Infallible>>().await
        })
        .boxed_local();
    while !began.load(Ordering::Relaxed) {
        assert!((&mut run).now_or_never().is_none());
    }
}

/// Closes the library on another thread, and comes back once nothing new is taken any more.
fn begin_to_close(world: World) -> JoinHandle<()> {
    let gate = world.gate();
    let closing = thread::spawn(move || world.close());
    let closed = |answer| matches!(answer, Some(Err(Refusal::CouldNotDecide(Cause::Closed))));
    while !closed(
        gate.request(read())
            .now_or_never()
            .map(|filed| filed.map(drop)),
    ) {
        thread::yield_now();
    }
    closing
}

fn finished(store: &dyn Store) -> usize {
    let all = kinds(store).into_iter();
    all.filter(|(kind, _)| *kind == Kind::Finished).count()
}

#[test]
fn the_close_waits_for_the_last_words_of_those_who_were_dropped_before() {
    let (world, store, tasks) = world_at_rest();
    drop_an_effect(&world.gate());
    let closing = begin_to_close(world);
    let words = std::mem::take(&mut *tasks.lock().unwrap());
    assert_eq!(words.len(), 1);
    words.into_iter().for_each(block_on);
    closing.join().unwrap();
    assert_eq!(finished(&*store), 1);
}

#[test]
fn a_start_that_the_close_still_writes_has_its_end_as_well() {
    let append = Arc::new(Mutex::new(()));
    let held = Arc::clone(&append);
    let store = BeforeAppend::new(MemoryStore::new(), move || drop(held.lock().unwrap()));
    let store = Arc::new(store);
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let permit = block_on(world.gate().guard(read())).unwrap();
    let hold = append.lock().unwrap();
    let mut run = permit
        .run(async |_| -> Result<(), Infallible> { unreachable!("its caller is gone") })
        .boxed_local();
    assert!((&mut run).now_or_never().is_none());
    drop(run);
    let closing = begin_to_close(world);
    drop(hold);
    closing.join().unwrap();
    assert_eq!(finished(&store.inner), 1);
}

#[test]
fn last_words_that_nobody_drives_do_not_hold_the_close_up() {
    let (world, store, tasks) = world_at_rest();
    drop_an_effect(&world.gate());
    // As where the host's runtime is gone.
    tasks.lock().unwrap().clear();
    world.close();
    assert_eq!(finished(&*store), 0);
}

//! Letting go of the library: in order, from wherever the last handle happens to be.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, pay, read};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Cause, Refusal};
use futures::executor::block_on;

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

//! What the library itself wrote, audited: the log is intact, and the store's tables say what the log says.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::{PEOPLE, RULES, World, pay, read, wire};
use countersign::action::{Action, Dataset};
use countersign::audit::{Audit, ProjectionReport};
use countersign::gate::{ApprovalGate, ApprovalGateExt};
use countersign::log::Verdict;
use countersign::store::MemoryStore;
use futures::executor::block_on;

#[test]
fn a_log_of_every_sort_of_end_is_intact_and_its_projections_agree() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let gate = world.gate();
    let _read = block_on(gate.run(read(), async |authorized| {
        authorized.used(Dataset::new("sqlite://localhost", "customers"));
        Ok::<_, String>(())
    }))
    .unwrap();
    let _failed = block_on(gate.run(read(), async |_| Err::<(), _>("disk full"))).unwrap_err();
    let _denied = block_on(gate.guard(Action::named("db.drop").build().unwrap())).unwrap_err();
    let paid = world.file(pay(1));
    let _voted = world.approve("rita", paid).unwrap();
    let permit = block_on(gate.resume(paid)).unwrap();
    let _paid = block_on(permit.run(async |_| Ok::<_, String>(()))).unwrap();
    let rejected = world.file(pay(2));
    let _voted = world.deny("sam", rejected).unwrap();
    let withdrawn = world.file(pay(3));
    block_on(gate.withdraw(withdrawn)).unwrap();
    let waiting = world.file(wire(4));
    let _voted = world.approve("dan", waiting).unwrap();
    let approved = world.file(pay(5));
    let _voted = world.approve("rita", approved).unwrap();

    let mut reader = store.log_reader();
    let report = Audit::of(&mut reader)
        .trusting(world.keys.trusted())
        .comparing(store.as_ref())
        .run();
    assert!(
        matches!(report.verdict, Verdict::IntactUnanchored { .. }),
        "{report}"
    );
    assert!(
        matches!(&report.projections, ProjectionReport::Compared { differences, .. } if differences.is_empty()),
        "{report}"
    );
    let requests = report.requests;
    assert_eq!(
        (
            requests.succeeded,
            requests.failed,
            requests.denied,
            requests.rejected
        ),
        (2, 1, 1, 1),
        "{report}"
    );
    assert_eq!(
        (requests.withdrawn, requests.pending, requests.approved),
        (1, 1, 1),
        "{report}"
    );
}

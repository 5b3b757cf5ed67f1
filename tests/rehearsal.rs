//! Rehearsals permit like real gates and never touch a real log.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod records;

use std::future::IntoFuture;
use std::sync::Arc;

use common::{PEOPLE, RULES, World, bot, pay, read};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Filing};
use countersign::host::Countersign;
use countersign::identity::StaticDirectory;
use countersign::ledger::OpenError;
use countersign::log::Enforcement;
use countersign::policy::RuleSet;
use countersign::store::MemoryStore;
use countersign::testing::Rehearsal;
use futures::executor::block_on;

fn rehearsal() -> Rehearsal {
    block_on(Rehearsal::begin(
        RULES,
        StaticDirectory::from_toml(PEOPLE).unwrap(),
    ))
    .unwrap()
}

#[test]
fn a_rehearsal_permits_and_every_record_says_that_it_is_one() {
    let rehearsal = rehearsal();
    let gate = rehearsal.gate(bot(), "session-1").unwrap();
    let _done = block_on(gate.run(read(), async |_| Ok::<_, String>(()))).unwrap();
    let Filing::Waiting(request) = block_on(gate.request(pay(5))).unwrap() else {
        panic!("it was allowed without people");
    };
    let _ = block_on(rehearsal.reviewer("corp", "rita").approve(request)).unwrap();
    let permit = block_on(gate.resume(request)).unwrap();
    let done =
        block_on(permit.run(async |authorized| authorized.parameter::<i64>("amount"))).unwrap();
    assert_eq!(*done.value(), 5);
    let records = records::all(rehearsal.store());
    assert!(records.len() > 6);
    assert!(
        records
            .iter()
            .all(|record| record.enforced == Enforcement::Testing)
    );
    let origin = records::text(&records[0].body, "origin").unwrap();
    assert!(origin.starts_with("testing/"), "{origin}");
}

#[test]
fn an_enforcing_gate_writes_to_no_rehearsal() {
    let rehearsal = rehearsal();
    let folder = tempfile::tempdir().unwrap();
    let open = |store: Arc<MemoryStore>, origin: Option<&str>| {
        let people = StaticDirectory::from_toml(PEOPLE).unwrap();
        let opening = Countersign::open(
            store,
            common::keys(&folder),
            RuleSet::from_toml(RULES).unwrap(),
            people,
        );
        let opening = match origin {
            Some(origin) => opening.with_origin(origin),
            None => opening,
        };
        block_on(opening.into_future())
    };
    let size = records::all(rehearsal.store()).len();
    assert!(matches!(
        open(Arc::clone(rehearsal.store()), None),
        Err(OpenError::TestingLog)
    ));
    assert_eq!(records::all(rehearsal.store()).len(), size);
    // Nor does one begin a log that would pass for a rehearsal.
    let empty = Arc::new(MemoryStore::new());
    assert!(matches!(
        open(Arc::clone(&empty), Some("testing/payments")),
        Err(OpenError::TestingLog)
    ));
    assert!(records::all(&*empty).is_empty());
}

#[test]
fn records_of_an_enforcing_gate_say_nothing_of_a_rehearsal() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let _ = world.file(pay(5));
    assert!(
        records::all(&*store)
            .iter()
            .all(|record| record.enforced == Enforcement::Enforced)
    );
}

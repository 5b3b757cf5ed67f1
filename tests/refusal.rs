//! What is refused never runs, and whoever asked can tell refused, failed and unknown apart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;
mod permits;
mod records;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{PEOPLE, RULES, World, pay, refused};
use countersign::action::{Action, RequestId};
use countersign::desk::{Page, Reason};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Refusal, RunError};
use countersign::log::Statement;
use countersign::store::MemoryStore;
use futures::FutureExt;
use futures::executor::block_on;
use permits::{approved, refused_by, refused_run, resume};

fn world() -> (World, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    (
        World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening),
        store,
    )
}

/// What the last `finished` record says of the outcome.
fn outcome(store: &MemoryStore) -> String {
    let finished = records::last(store, "finished");
    records::text(&finished, "outcome").unwrap().to_owned()
}

#[test]
fn hitl_r6_refused_failed_and_unknown_are_three_answers() {
    let (world, store) = world();
    let permit = |amount| resume(&world, approved(&world, amount)).unwrap();

    // Refused: nothing ran, and only this answer carries a refusal.
    let withdrawn = permit(1);
    block_on(world.gate().withdraw(withdrawn.request())).unwrap();
    let answer = block_on(withdrawn.run(async |_| -> Result<(), &str> { panic!("it ran") }));
    let answer = answer.unwrap_err();
    assert!(matches!(answer.refusal(), Some(Refusal::Withdrawn)));
    assert!(records::of_kind(&*store, "started").is_empty());

    // Failed: it ran, it did nothing, and it says so in its own words.
    let failed = permit(2);
    let answer = block_on(failed.run(async |_| Err::<(), _>("no such account"))).unwrap_err();
    assert!(answer.refusal().is_none());
    let RunError::Effect { error, receipt } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(error, "no such account");
    let told = Statement::parse(&receipt.unwrap().record.statement).unwrap();
    assert_eq!(records::text(&told.body, "outcome"), Some("failed"));
    assert_eq!(outcome(&store), "failed");

    // Unknown, since the effect says so itself,
    let unsure = permit(3);
    let answer = block_on(unsure.run(async |authorized| {
        authorized.unsure();
        Err::<(), _>("the line broke")
    }));
    let Err(RunError::Effect { receipt, .. }) = answer else {
        panic!("{answer:?}");
    };
    let told = Statement::parse(&receipt.unwrap().record.statement).unwrap();
    assert_eq!(records::text(&told.body, "outcome"), Some("unknown"));
    // or panicked,
    let panicking = permit(4);
    let answer = block_on(panicking.run(async |_| -> Result<(), &str> { panic!("a bug") }));
    assert!(matches!(answer, Err(RunError::Panicked { .. })));
    assert_eq!(outcome(&store), "unknown");
    // or was stopped half way.
    let stopped = permit(5);
    let request = stopped.request();
    let rita = world.approver("rita");
    let called = AtomicUsize::new(0);
    let mut run = Box::pin(stopped.run(async |_| -> Result<(), &str> {
        called.fetch_add(1, Ordering::SeqCst);
        futures::future::pending().await
    }));
    while called.load(Ordering::SeqCst) == 0 {
        assert!((&mut run).now_or_never().is_none());
    }
    let reason = Reason::new("the wrong account").unwrap();
    let _ = block_on(world.desk.revoke(&rita, request, reason)).unwrap();
    let answer = loop {
        if let Some(answer) = (&mut run).now_or_never() {
            break answer;
        }
        world.clock.advance(Duration::from_secs(1));
        world.clock.settled(1);
    };
    assert!(matches!(answer, Err(RunError::Stopped { .. })));
    assert_eq!(outcome(&store), "unknown");

    // The unknown ones wait for somebody to find out; the others do not.
    let unknown = block_on(world.desk.unknown(&world.approver("sam"), Page::default())).unwrap();
    assert_eq!(unknown.len(), 3);
    assert!(unknown.iter().any(|one| one.request == request));
}

#[test]
fn hitl_r14_a_refused_effect_is_never_called() {
    let (world, store) = world();
    let gate = world.gate();
    let rita = world.approver("rita");
    let why = || Reason::new("not now").unwrap();
    let run = |action| {
        let effect = async |_| -> Result<(), String> { panic!("it ran") };
        refused_by(block_on(gate.run(action, effect)))
    };
    // By policy, which denies, or has no rule.
    let named = |name| Action::named(name).build().unwrap();
    let denied = run(named("db.drop"));
    assert!(matches!(denied, Refusal::Denied(_)));
    // The operator is told which rule; the model is not.
    assert_eq!(denied.to_string(), "policy denies the action: rule `drop`");
    assert!(!denied.for_model().contains("drop"));
    assert!(matches!(run(named("mail.send")), Refusal::Denied(_)));
    // By people and by the host, before it had a permit, and with the permit in hand.
    type End<'a> = &'a dyn Fn(RequestId);
    let ends: [(&str, End<'_>); 4] = [
        ("denied", &|request| {
            let _ = world.deny("sam", request).unwrap();
        }),
        ("withdrawn", &|request| {
            block_on(gate.withdraw(request)).unwrap();
        }),
        ("cancelled", &|request| {
            let _ = block_on(world.desk.cancel(&rita, request, why())).unwrap();
        }),
        ("replaced", &|request| {
            let newer = Action::named("wire").replaces(request).occurrence("2");
            let _ = block_on(gate.request(newer.build().unwrap())).unwrap();
        }),
    ];
    let mut told = Vec::new();
    for (name, end) in ends {
        let request = world.file(pay(5));
        end(request);
        let before = refused(resume(&world, request)).to_string();
        let permit = resume(&world, approved(&world, 6)).unwrap();
        end(permit.request());
        let after = refused_run(permit).to_string();
        assert_eq!(before, after, "{name}");
        told.push(after);
    }
    let permit = resume(&world, approved(&world, 7)).unwrap();
    let _ = block_on(world.desk.revoke(&rita, permit.request(), why())).unwrap();
    told.push(refused_run(permit).to_string());
    // By the clock.
    let permit = resume(&world, approved(&world, 8)).unwrap();
    world.clock.advance(Duration::from_secs(3600));
    told.push(refused_run(permit).to_string());
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 6, "each is told for what it is: {told:?}");
    assert!(records::of_kind(&*store, "started").is_empty());
}

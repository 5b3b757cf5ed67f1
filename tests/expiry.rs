//! Time: what runs out is refused at its instant, is told as what it is, and is not helped by a clock that jumps.
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
use std::sync::Arc;
use std::time::Duration;

use common::{PEOPLE, RULES, World, pay, read, refused, start, wire};
use countersign::clock::Clock;
use countersign::desk::{Page, VoteRefused};
use countersign::gate::{ApprovalGate, Cause, Refusal};
use countersign::log::Role;
use countersign::policy::RuleSet;
use countersign::store::{MemoryStore, Query, Store};
use futures::FutureExt;
use futures::executor::block_on;
use permits::{approved, pass, refused_run, resume, run};

const MICRO: Duration = Duration::from_micros(1);
/// How long an approval is good for under [`RULES`], and how long people have to give it.
const VALID: Duration = Duration::from_secs(600);
const TIMEOUT: Duration = Duration::from_secs(3600);

fn world() -> (World, Arc<MemoryStore>) {
    world_of(RULES)
}

fn world_of(rules: &str) -> (World, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    (
        World::with(rules, PEOPLE, Arc::clone(&store), |opening| opening),
        store,
    )
}

#[test]
fn hitl_f1_a_time_out_never_allows() {
    // As lenient as a rule file can be made.
    let lenient = r#"
version = 1
default = "allow"
allow_by_default = true
[approvals.any]
quorum = "1 of group:security or 1 of group:data-owners"
self_approval = "recorded"
timeout = "1h"
[[rules]]
id = "pay"
effect = "approve"
approval = "any"
when = { action = "pay" }
"#;
    for rules in [RULES, lenient] {
        let (world, store) = world_of(rules);
        let gate = world.gate();
        let mut waiting = gate.guard(pay(5));
        while world.countersign.waiting() == 0 {
            assert!((&mut waiting).now_or_never().is_none());
        }
        pass(&world, TIMEOUT - MICRO);
        assert!((&mut waiting).now_or_never().is_none());
        pass(&world, MICRO);
        let answer = waiting.now_or_never().expect("it waits on");
        assert!(matches!(refused(answer), Refusal::Expired));
        pass(&world, TIMEOUT);
        assert!(records::of_kind(&*store, "voted").is_empty());
        assert!(records::of_kind(&*store, "started").is_empty());
    }
    // What would say otherwise does not load.
    for word in ["allow", "approve"] {
        let rules = lenient.replace(
            "timeout = \"1h\"",
            &format!("timeout = \"1h\"\non_timeout = \"{word}\""),
        );
        let errors = RuleSet::from_toml(&rules).unwrap_err().to_string();
        assert!(errors.contains("on_timeout"), "{errors}");
    }
}

#[test]
fn hitl_f2_a_time_out_is_not_a_denial() {
    let (world, store) = world();
    let (pending, unused, denied) = (world.file(pay(1)), approved(&world, 2), world.file(pay(3)));
    let _ = world.deny("sam", denied).unwrap();
    pass(&world, TIMEOUT);
    let denial = refused(resume(&world, denied));
    assert!(matches!(denial, Refusal::Rejected(_)));
    for request in [pending, unused] {
        let refusal = refused(resume(&world, request));
        assert!(matches!(refusal, Refusal::Expired), "{refusal:?}");
        assert_ne!(refusal.for_model(), denial.for_model());
        assert!(refusal.for_model().contains("not a rejection"));
        // Of an approval that lapsed it is not true that nobody decided.
        assert!(!refusal.for_model().contains("Nobody"));
        assert_ne!(refusal.retry(), denial.retry());
        assert!(refusal.comment().is_none());
    }
    assert_eq!(records::story(&*store, pending), ["requested", "expired"]);
    assert_eq!(
        records::story(&*store, unused),
        ["requested", "voted", "expired"]
    );
}

/// The machine's operator looks into what the clock did.
fn acknowledge(world: &World) {
    let key = world.keys.signer(Role::Operator).unwrap();
    let operator = world.countersign.operator(Arc::clone(key)).unwrap();
    block_on(operator.acknowledge_clock("the battery was changed")).unwrap();
}

/// Fails unless an approval that was given now ends after as much time as it was given for, measured by a clock that nobody sets.
#[track_caller]
fn is_no_longer_than_given(world: &World, amount: i64) {
    let (in_time, late) = (approved(world, amount), approved(world, amount + 1));
    pass(world, VALID - MICRO);
    assert!(
        run(resume(world, in_time).unwrap()).is_ok(),
        "it was cut short"
    );
    pass(world, MICRO);
    assert!(matches!(refused(resume(world, late)), Refusal::Expired));
}

#[test]
fn hitl_f6_a_clock_jump_never_lengthens_an_approval() {
    let hour = Duration::from_secs(3600);
    let (world, store) = world();
    // Set back under an approval.
    let request = approved(&world, 1);
    pass(&world, VALID / 2);
    world.clock.set_wall(start().saturating_sub(hour));
    world.clock.settled(1);
    // Until somebody has looked into it, approvals wait and denials do not.
    assert!(matches!(
        refused_run(resume(&world, request).unwrap()),
        Refusal::CouldNotDecide(Cause::ClockUnsettled)
    ));
    let (other, denied) = (world.file(pay(2)), world.file(pay(3)));
    assert!(matches!(
        world.approve("rita", other),
        Err(VoteRefused::ClockUnsettled)
    ));
    assert!(world.deny("rita", denied).is_ok());
    acknowledge(&world);
    assert!(world.approve("rita", other).is_ok());
    pass(&world, VALID / 2);
    assert!(matches!(refused(resume(&world, request)), Refusal::Expired));
    assert!(run(resume(&world, other).unwrap()).is_ok());
    is_no_longer_than_given(&world, 10);

    // Set forward, which ends it, and back again.
    let request = approved(&world, 20);
    let noon = world.clock.now();
    world.clock.set_wall(noon.saturating_add(4 * hour));
    world.clock.settled(1);
    assert!(matches!(refused(resume(&world, request)), Refusal::Expired));
    world.clock.set_wall(noon);
    world.clock.settled(1);
    assert!(matches!(refused(resume(&world, request)), Refusal::Expired));
    acknowledge(&world);
    is_no_longer_than_given(&world, 30);

    // Set back while no process ran.
    let (keys, clock) = (world.keys.clone(), world.clock.clone());
    world.close();
    clock.set_wall(start().saturating_sub(24 * hour));
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(RULES, PEOPLE, store, keys, clock, folder, |opening| opening);
    is_no_longer_than_given(&world, 40);
}

#[test]
fn policy_51_an_approval_ends_at_its_instant() {
    let (world, store) = world();
    let (in_time, late, held) = (
        approved(&world, 1),
        approved(&world, 2),
        approved(&world, 3),
    );
    pass(&world, VALID - MICRO);
    let held = resume(&world, held).unwrap();
    assert!(run(resume(&world, in_time).unwrap()).is_ok());
    pass(&world, MICRO);
    assert!(matches!(refused(resume(&world, late)), Refusal::Expired));
    // The permit of before ends with it.
    let request = held.request();
    assert!(matches!(
        refused_run(held),
        Refusal::Expired | Refusal::CouldNotDecide(Cause::PermitVoid)
    ));
    world.clock.set_wall(start());
    for request in [late, request] {
        assert!(matches!(refused(resume(&world, request)), Refusal::Expired));
    }
    assert_eq!(records::of_kind(&*store, "started").len(), 1);
}

#[test]
fn policy_62_a_half_met_quorum_times_out() {
    let (world, store) = world();
    let gate = world.gate();
    let request = world.file(wire(5));
    let mut waiting = gate.resume(request);
    assert!((&mut waiting).now_or_never().is_none());
    let _ = world.approve("rita", request).unwrap();
    pass(&world, TIMEOUT - MICRO);
    assert!((&mut waiting).now_or_never().is_none());
    pass(&world, MICRO);
    let answer = waiting.now_or_never().expect("it waits on");
    assert!(matches!(refused(answer), Refusal::Expired));
    let late = world.approve("dan", request);
    assert!(
        matches!(&late, Err(VoteRefused::AlreadySettled(how)) if how == "expired"),
        "{late:?}"
    );
    assert!(matches!(refused(resume(&world, request)), Refusal::Expired));
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "expired"]
    );
}

#[test]
fn hoop_t19_pending_and_unused_requests_expire() {
    let (world, store) = world();
    let (pending, unused) = (world.file(pay(1)), approved(&world, 2));
    let permit = block_on(world.gate().guard(read())).unwrap();
    let allowed = permit.request();
    drop(permit);
    let ended = |request| {
        let story = records::story(&*store, request);
        story.last().is_some_and(|kind| kind == "expired")
    };
    // Nobody asks; the log says so by itself.
    pass(&world, VALID);
    assert_eq!((ended(pending), ended(unused)), (false, true));
    assert_eq!(
        records::text(&records::last(&*store, "expired"), "what"),
        Some("unused")
    );
    pass(&world, TIMEOUT - VALID);
    assert!(ended(pending));
    pass(&world, 24 * TIMEOUT);
    assert!(ended(allowed), "what policy allowed is not good for ever");
    assert!(block_on(world.gate().open_requests()).unwrap().is_empty());
    let rita = world.approver("rita");
    let listed = block_on(
        world
            .desk
            .pending(&rita, &Default::default(), Page::default()),
    );
    assert!(listed.unwrap().requests.is_empty());
    let due = Query::NextDue {
        after: None,
        limit: NonZeroU32::MIN,
    };
    let timers = block_on(store.find(due)).unwrap().timers().unwrap();
    assert!(timers.is_empty(), "{timers:?}");
}

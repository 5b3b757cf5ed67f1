//! From the start to a known end: leases, revocations, clocks that jump, and what a reviewer finds out afterwards.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod records;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{PEOPLE, RULES, World, pay, read, refused};
use countersign::action::{Action, Dataset, RequestId};
use countersign::approval::{Finding, Status};
use countersign::clock::Clock;
use countersign::desk::{DeskError, Page, Reason, VoteRefused, Voted};
use countersign::gate::{
    ApprovalGate, ApprovalGateExt, Authorized, Cause, Executed, Permit, Refusal, RunError,
    Standing, StopCause,
};
use countersign::host::OperatorError;
use countersign::log::Role;
use countersign::store::{Fault, FaultyStore, MemoryStore};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{BoxFuture, pending};

type Log = Arc<FaultyStore<MemoryStore>>;
type Ran = Result<Executed<()>, RunError<String>>;

fn world() -> (World, Log) {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    (
        World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening),
        store,
    )
}

fn approved(world: &World, action: Action) -> (RequestId, Permit) {
    let request = world.file(action);
    let _ = world.approve("rita", request).unwrap();
    (request, block_on(world.gate().resume(request)).unwrap())
}

/// What an effect has come to.
#[derive(Debug, Default)]
struct Seen {
    began: AtomicBool,
    told: AtomicBool,
}

/// An effect that hears that it shall stop, and then goes on or comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manners {
    Stubborn,
    Obedient,
}

fn effect(permit: Permit, manners: Manners) -> (BoxFuture<'static, Ran>, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let sees = Arc::clone(&seen);
    let run = permit.run(move |authorized: Authorized| async move {
        sees.began.store(true, Ordering::SeqCst);
        authorized.stop().await;
        sees.told.store(true, Ordering::SeqCst);
        match manners {
            Manners::Stubborn => pending::<Result<(), String>>().await,
            Manners::Obedient => Ok(()),
        }
    });
    (run.boxed(), seen)
}

/// Polls an effect until it has come so far.
fn until(run: &mut BoxFuture<'static, Ran>, flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) {
        assert!(run.now_or_never().is_none(), "it has ended");
        std::thread::yield_now();
    }
}

fn advance(world: &World, span: Duration) {
    world.clock.advance(span);
    world.clock.settled(1);
}

fn reason() -> Reason {
    Reason::new("looked into it").unwrap()
}

#[test]
fn a_revoked_effect_has_five_seconds_and_then_its_outcome_is_unknown() {
    let (world, store) = world();
    let (request, permit) = approved(&world, pay(5));
    let (mut run, seen) = effect(permit, Manners::Stubborn);
    until(&mut run, &seen.began);
    assert_eq!(
        block_on(world.gate().open_requests()).unwrap()[0].standing,
        Standing::Running
    );
    block_on(world.desk.revoke(&world.approver("sam"), request, reason())).unwrap();
    until(&mut run, &seen.told);
    advance(&world, Duration::from_micros(4_999_999));
    assert!((&mut run).now_or_never().is_none(), "it still has a moment");
    advance(&world, Duration::from_micros(1));
    let outcome = block_on(run);
    assert!(
        matches!(outcome, Err(RunError::Stopped { cause: StopCause::Revoked, request: of }) if of == request),
        "{outcome:?}"
    );
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "started", "revoked", "finished"]
    );
    let finished = records::only(&*store, "finished");
    assert_eq!(
        (
            records::text(&finished, "outcome"),
            records::text(&finished, "code")
        ),
        (Some("unknown"), Some("stopped"))
    );
    assert!(matches!(
        refused(block_on(world.gate().resume(request))),
        Refusal::AlreadyTaken
    ));
}

#[test]
fn an_effect_that_stops_when_told_says_how_it_ended() {
    let (world, store) = world();
    let (request, permit) = approved(&world, pay(5));
    let (mut run, seen) = effect(permit, Manners::Obedient);
    until(&mut run, &seen.began);
    block_on(world.desk.revoke(&world.approver("sam"), request, reason())).unwrap();
    assert!(block_on(run).unwrap().receipt().is_ok());
    assert_eq!(
        records::text(&records::only(&*store, "finished"), "outcome"),
        Some("succeeded")
    );
}

#[test]
fn what_is_revoked_before_the_start_does_not_start() {
    let (world, store) = world();
    let (request, permit) = approved(&world, pay(5));
    let stranger = block_on(world.desk.revoke(&world.approver("dan"), request, reason()));
    assert!(matches!(stranger, Err(DeskError::NotFound)));
    block_on(world.desk.revoke(&world.approver("sam"), request, reason())).unwrap();
    let outcome = block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }));
    assert!(
        matches!(outcome, Err(RunError::Refused(Refusal::Revoked))),
        "{outcome:?}"
    );
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "revoked"]
    );
    // Once more is too late, and so is a cancellation.
    let again = block_on(world.desk.revoke(&world.approver("sam"), request, reason()));
    assert!(matches!(again, Err(DeskError::Settled(_))));
    assert!(matches!(
        block_on(world.desk.cancel(&world.approver("sam"), request, reason())),
        Err(DeskError::Settled(_))
    ));
}

#[test]
fn what_is_cancelled_was_not_decided() {
    let (world, _) = world();
    let gate = world.gate();
    let request = world.file(pay(5));
    let mut waiting = gate.resume(request);
    assert!((&mut waiting).now_or_never().is_none());
    block_on(world.desk.cancel(&world.approver("sam"), request, reason())).unwrap();
    assert!(matches!(refused(block_on(waiting)), Refusal::Cancelled));
    assert!(matches!(
        world.approve("rita", request),
        Err(VoteRefused::AlreadySettled(_))
    ));
}

#[test]
fn a_lease_is_renewed_at_half_of_its_life() {
    let (world, store) = world();
    let (request, permit) = approved(&world, pay(5));
    let (mut run, seen) = effect(permit, Manners::Obedient);
    until(&mut run, &seen.began);
    world.clock.settled(1);
    advance(&world, Duration::from_micros(30 * 60 * 1_000_000 - 1));
    assert!(records::of_kind(&*store, "lease_renewed").is_empty());
    advance(&world, Duration::from_micros(1));
    let until_then = common::start()
        .saturating_add(Duration::from_secs(90 * 60))
        .to_string();
    assert_eq!(
        records::text(&records::only(&*store, "lease_renewed"), "lease_until"),
        Some(until_then.as_str())
    );
    for _ in 0..4 {
        advance(&world, Duration::from_secs(30 * 60));
    }
    assert_eq!(records::of_kind(&*store, "lease_renewed").len(), 5);
    block_on(world.desk.revoke(&world.approver("sam"), request, reason())).unwrap();
    assert!(block_on(run).is_ok());
    // What has ended needs no lease.
    advance(&world, Duration::from_secs(3600));
    assert_eq!(records::of_kind(&*store, "lease_renewed").len(), 5);
}

#[test]
fn an_effect_whose_lease_cannot_be_renewed_is_told_to_stop() {
    let (world, store) = world();
    let (_, permit) = approved(&world, pay(5));
    let (mut run, seen) = effect(permit, Manners::Stubborn);
    until(&mut run, &seen.began);
    world.clock.settled(1);
    store.fail_at(store.calls() + 1, Fault::CrashBefore);
    for _ in 0..6 {
        assert!(
            !seen.told.load(Ordering::SeqCst),
            "its lease has not passed yet"
        );
        advance(&world, Duration::from_secs(10 * 60));
        assert!((&mut run).now_or_never().is_none());
    }
    // The keeper tries again a second after the last failure at the latest.
    advance(&world, Duration::from_secs(1));
    until(&mut run, &seen.told);
    advance(&world, Duration::from_secs(5));
    let outcome = block_on(run);
    assert!(
        matches!(
            outcome,
            Err(RunError::Stopped {
                cause: StopCause::LeasePassed,
                ..
            })
        ),
        "{outcome:?}"
    );
}

#[test]
fn an_end_that_cannot_be_recorded_is_unknown_once_the_lease_has_passed() {
    let (world, store) = world();
    let (request, permit) = approved(&world, pay(5));
    // The start is the next append, the end the one after it, and then it is tried once more.
    let last = store.appends() + 3;
    store.fail_append(last - 1, Fault::Full);
    store.fail_append(last, Fault::Full);
    let done = block_on(permit.run(async |_| Ok::<_, String>(5))).unwrap();
    assert_eq!(done.receipt().unwrap_err().request, request);
    assert_eq!(done.into_value(), 5, "what the effect returned is not lost");
    while store.appends() < last {
        std::thread::yield_now();
    }
    assert_eq!(records::story(&*store, request).last().unwrap(), "started");
    advance(&world, Duration::from_secs(60 * 60));
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "started", "lost"]
    );
    assert_eq!(
        records::text(&records::only(&*store, "lost"), "why"),
        Some("lease_passed")
    );
    let unknown = block_on(world.desk.unknown(&world.approver("sam"), Page::default())).unwrap();
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].request, request);
}

#[test]
fn somebody_without_an_interest_finds_out_what_became_of_it() {
    let (world, store) = world();
    let (request, permit) = approved(&world, pay(5));
    let outcome = block_on(permit.run(async |_| -> Result<(), String> { panic!("half way") }));
    assert!(matches!(outcome, Err(RunError::Panicked { request: of }) if of == request));
    assert_eq!(
        block_on(world.gate().open_requests()).unwrap()[0].standing,
        Standing::Unresolved
    );
    let find = |subject| {
        block_on(
            world
                .desk
                .reconcile(&world.approver(subject), request, Finding::NotRun, reason()),
        )
    };
    assert!(
        matches!(find("olga"), Err(DeskError::Interested(_))),
        "she controls the agent"
    );
    assert!(
        matches!(find("dan"), Err(DeskError::NotFound)),
        "he could not have decided it"
    );
    assert!(find("sam").is_ok());
    assert_eq!(
        records::text(&records::only(&*store, "reconciled"), "finding"),
        Some("not_run")
    );
    assert!(matches!(find("sam"), Err(DeskError::Settled(_))));
    assert!(block_on(world.gate().open_requests()).unwrap().is_empty());
    assert!(
        block_on(world.desk.unknown(&world.approver("sam"), Page::default()))
            .unwrap()
            .is_empty()
    );
    // Not run, and still: a new run is a new request.
    assert!(matches!(
        refused(block_on(world.gate().resume(request))),
        Refusal::AlreadyTaken
    ));
    // What ended in a known way is not for anybody to find out.
    let (request, permit) = approved(&world, pay(6));
    let failed = block_on(permit.run(async |_| Err::<(), _>("no".to_owned())));
    assert!(matches!(failed, Err(RunError::Effect { .. })));
    let late = block_on(world.desk.reconcile(
        &world.approver("sam"),
        request,
        Finding::Succeeded,
        reason(),
    ));
    assert!(matches!(late, Err(DeskError::Settled(_))));
}

/// Sets the wall clock off by so many seconds, as only somebody at the machine can.
fn jump(world: &World, seconds: i64) {
    let now = world.clock.now().unix_micros() + seconds * 1_000_000;
    world
        .clock
        .set_wall(countersign::clock::Timestamp::from_unix_micros(now).unwrap());
    world.clock.settled(1);
}

#[test]
fn a_jump_of_the_clock_holds_approvals_up_and_no_denial() {
    let (world, store) = world();
    let (asked, permit) = approved(&world, pay(5));
    let other = world.file(pay(6));
    jump(&world, 6);
    let clock = records::only(&*store, "clock");
    assert_eq!(records::text(&clock, "what"), Some("jump"));
    assert_eq!(clock.get("micros").unwrap().as_i64(), Some(6_000_000));

    assert!(matches!(
        world.approve("rita", other),
        Err(VoteRefused::ClockUnsettled)
    ));
    let outcome = block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }));
    assert!(
        matches!(
            outcome,
            Err(RunError::Refused(Refusal::CouldNotDecide(
                Cause::ClockUnsettled
            )))
        ),
        "{outcome:?}"
    );
    // What needs no person goes on, and so does a no.
    assert!(block_on(world.gate().run(read(), async |_| Ok::<_, String>(()))).is_ok());
    assert!(matches!(
        world.deny("rita", other),
        Ok(Voted::Recorded {
            status: Status::Rejected { .. },
            ..
        })
    ));

    let operator = world
        .countersign
        .operator(Arc::clone(world.keys.signer(Role::Operator).unwrap()))
        .unwrap();
    block_on(operator.acknowledge_clock("ntp was down")).unwrap();
    let acknowledged = records::only(&*store, "clock_acknowledged");
    let named = acknowledged.get("clock").unwrap().as_i64();
    assert_eq!(
        named,
        i64::try_from(records::of_kind(&*store, "clock")[0].seq.get()).ok()
    );
    assert!(matches!(
        block_on(operator.acknowledge_clock("again")),
        Err(OperatorError::NothingToAcknowledge)
    ));
    // The approval was not used up, and new ones are taken.
    let permit = block_on(world.gate().resume(asked)).unwrap();
    assert!(block_on(permit.run(async |_| Ok::<_, String>(()))).is_ok());
    let next = world.file(pay(7));
    assert!(world.approve("rita", next).is_ok());
}

#[test]
fn small_corrections_and_a_suspended_machine_are_no_jump() {
    let (world, store) = world();
    jump(&world, 4);
    jump(&world, -4);
    world.clock.suspend(Duration::from_secs(1200));
    world.clock.settled(1);
    assert!(records::of_kind(&*store, "clock").is_empty());
    let request = world.file(pay(5));
    assert!(world.approve("rita", request).is_ok());
    // Set back is a jump too, however little time passes for the gate.
    jump(&world, -3600);
    assert!(matches!(
        world.approve("rita", world.file(pay(6))),
        Err(VoteRefused::ClockUnsettled)
    ));
}

#[test]
fn a_jump_that_cannot_be_recorded_is_recorded_later() {
    let (world, store) = world();
    let request = world.file(pay(5));
    world.clock.settled(1);
    store.fail_append(store.appends() + 1, Fault::Full);
    jump(&world, 60);
    assert!(records::of_kind(&*store, "clock").is_empty());
    assert!(matches!(
        world.approve("rita", request),
        Err(VoteRefused::ClockUnsettled)
    ));
    advance(&world, Duration::from_secs(1));
    assert_eq!(
        records::only(&*store, "clock")
            .get("micros")
            .unwrap()
            .as_i64(),
        Some(60_000_000)
    );
    let operator = world
        .countersign
        .operator(Arc::clone(world.keys.signer(Role::Operator).unwrap()))
        .unwrap();
    block_on(operator.acknowledge_clock("the disk was full")).unwrap();
    assert!(world.approve("rita", request).is_ok());
}

#[test]
fn instants_are_exclusive_ends_and_inclusive_beginnings() {
    let rules = RULES.replacen(
        "valid_for = \"10m\"",
        "valid_for = \"10m\"\nnot_before = \"2026-11-24T09:05:00Z\"",
        1,
    );
    let store = Arc::new(MemoryStore::new());
    let world = World::with(&rules, PEOPLE, Arc::clone(&store), |opening| opening);
    let gate = world.gate();
    // Not before 09:05: the permit comes at that very instant.
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    let mut waiting = gate.resume(request);
    assert!((&mut waiting).now_or_never().is_none());
    advance(&world, Duration::from_micros(300 * 1_000_000 - 1));
    assert!((&mut waiting).now_or_never().is_none());
    advance(&world, Duration::from_micros(1));
    let permit = block_on(waiting).unwrap();
    // Approved at 09:00 and valid for ten minutes: at 09:10 it is over.
    drop(permit);
    advance(&world, Duration::from_micros(300 * 1_000_000 - 1));
    let permit = block_on(gate.resume(request)).unwrap();
    advance(&world, Duration::from_micros(1));
    let outcome = block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }));
    assert!(matches!(outcome, Err(RunError::Refused(_))), "{outcome:?}");
    assert!(matches!(
        refused(block_on(gate.resume(request))),
        Refusal::Expired
    ));
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "expired"]
    );

    // Filed at 09:10 with an hour to decide: at 10:10 nobody decides any more.
    let request = world.file(pay(6));
    let mut waiting = gate.resume(request);
    assert!((&mut waiting).now_or_never().is_none());
    let rita = world.approver("rita");
    advance(&world, Duration::from_micros(3600 * 1_000_000 - 1));
    assert!((&mut waiting).now_or_never().is_none());
    let review = block_on(world.desk.open(&rita, request)).unwrap();
    advance(&world, Duration::from_micros(1));
    assert!(matches!(refused(block_on(waiting)), Refusal::Expired));
    let late = block_on(world.desk.vote(&world.approver("rita"), review.approve()));
    assert!(
        matches!(late, Err(VoteRefused::AlreadySettled(_))),
        "{late:?}"
    );
}

#[test]
fn what_another_process_moved_is_read_again_and_refuses_no_start() {
    let (world, store) = world();
    let other = World::open(
        RULES,
        PEOPLE,
        store,
        world.keys.clone(),
        world.clock.clone(),
        tempfile::tempdir().unwrap(),
        |opening| opening,
    );
    // What a session has read may bear on its next action, so that each of these moves the session under the other's feet.
    for _ in 0..3 {
        for process in [&world, &other] {
            let effect = async |authorized: Authorized| {
                authorized.used(Dataset::new("crm", "customers"));
                Ok::<_, Infallible>(())
            };
            let _ = block_on(process.gate().run(read(), effect)).unwrap();
        }
    }
}

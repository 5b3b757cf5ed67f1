//! One approval, one run: whoever asks again, comes back, or carries a decision elsewhere, runs nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;
mod records;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::{PEOPLE, RULES, World, bot, pay, read, refused, start, wire};
use countersign::action::{Action, Operation, RequestId, TenantId};
use countersign::approval::Status;
use countersign::desk::{Ballot, Page, VoteRefused, Voted};
use countersign::gate::{
    ApprovalGate, AuthorizedFor, Cause, Executed, Filing, Permit, Refusal, RunError,
};
use countersign::host::Opening;
use countersign::store::MemoryStore;
use futures::FutureExt;
use futures::executor::block_on;

/// What the log tells of a request that was approved by one person and ran once.
const ONE_RUN: [&str; 4] = ["requested", "voted", "started", "finished"];

/// How often an effect was called.
#[derive(Clone, Default)]
struct Effects(Arc<AtomicUsize>);

impl Effects {
    fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn call(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn run(&self, permit: Permit) -> Result<Executed<()>, RunError<String>> {
        block_on(permit.run(async |_| {
            self.call();
            Ok(())
        }))
    }

    /// Runs what was permitted.
    fn of(&self, permit: Result<Permit, Refusal>) -> Result<Executed<()>, RunError<String>> {
        self.run(permit?)
    }
}

fn world() -> (World, Arc<MemoryStore>) {
    world_with(|opening| opening)
}

fn world_with(choose: impl FnOnce(Opening) -> Opening) -> (World, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    (
        World::with(RULES, PEOPLE, Arc::clone(&store), choose),
        store,
    )
}

/// Another process on the same log.
fn beside(world: &World, store: &Arc<MemoryStore>) -> World {
    World::open(
        RULES,
        PEOPLE,
        Arc::clone(store),
        world.keys.clone(),
        world.clock.clone(),
        tempfile::tempdir().unwrap(),
        |opening| opening,
    )
}

/// The process ends and another begins.
fn restarted(world: World, store: &Arc<MemoryStore>) -> World {
    let (keys, clock) = (world.keys.clone(), world.clock.clone());
    world.close();
    let folder = tempfile::tempdir().unwrap();
    World::open(
        RULES,
        PEOPLE,
        Arc::clone(store),
        keys,
        clock,
        folder,
        |opening| opening,
    )
}

fn approved(world: &World, action: Action) -> RequestId {
    let request = world.file(action);
    let _ = world.approve("rita", request).unwrap();
    request
}

fn resume(world: &World, request: RequestId) -> Result<Permit, Refusal> {
    block_on(world.gate().resume(request))
}

#[track_caller]
fn taken<T>(answer: Result<T, RunError<String>>) {
    match answer {
        Err(RunError::Refused(Refusal::AlreadyTaken)) => {}
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it ran again"),
    }
}

#[track_caller]
fn one_ran(answers: Vec<Result<Executed<()>, RunError<String>>>) {
    let (ran, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(ran.len(), 1, "{refused:?}");
    refused.into_iter().for_each(taken);
}

#[test]
fn hitl_r1_one_approval_runs_one_of_many_equal_calls() {
    let (world, store) = world();
    let gate = world.gate();
    let effects = Effects::default();
    let mut calls: Vec<_> = (0..32).map(|_| gate.guard(pay(5))).collect();
    for call in &mut calls {
        // Filing waits for a commit, so that it takes more than one look.
        while block_on(gate.open_requests()).unwrap().is_empty() {
            assert!(call.now_or_never().is_none());
        }
        assert!(call.now_or_never().is_none());
    }
    let request = block_on(gate.open_requests()).unwrap()[0].request;
    let _ = world.approve("rita", request).unwrap();
    let answers = thread::scope(|scope| {
        let call = |call| scope.spawn(|| effects.of(block_on(call)));
        let threads: Vec<_> = calls.into_iter().map(call).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    one_ran(answers);
    assert_eq!(effects.calls(), 1);
    assert_eq!(records::story(&*store, request), ONE_RUN);
}

#[test]
fn hitl_r3_a_rewound_caller_gets_no_second_run() {
    let (world, store) = world();
    let effects = Effects::default();
    let request = approved(&world, pay(5));
    // A copy of the agent, taken at this moment, holds a permit as well.
    let copy = beside(&world, &store);
    let (original, copied) = (resume(&world, request), resume(&copy, request));
    let (original, copied) = (original.unwrap(), copied.unwrap());
    assert!(effects.run(original).is_ok());
    taken(effects.run(copied));
    // Put back to before the permit, to after the approval, and into a new process.
    taken(effects.of(resume(&world, request)));
    taken(effects.of(resume(&copy, request)));
    copy.close();
    let world = restarted(world, &store);
    taken(effects.of(resume(&world, request)));
    // Put back to before the question, it asks a new one.
    assert_ne!(world.file(pay(5)), request);
    assert_eq!(effects.calls(), 1);
    assert_eq!(records::story(&*store, request), ONE_RUN);
}

#[test]
fn hitl_r4_a_repeated_vote_changes_nothing() {
    let (world, store) = world();
    let request = world.file(wire(5));
    let rita = world.approver("rita");
    let review = block_on(world.desk.open(&rita, request)).unwrap();
    // A click that a channel delivers many times, all at once.
    let click = review.approve().to_json();
    let vote = |ballot: &[u8]| {
        let ballot = Ballot::parse(ballot).unwrap();
        block_on(world.desk.vote(&rita, ballot))
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| vote(&click))).collect();
        let answers = threads.into_iter();
        answers.map(|thread| thread.join().unwrap()).collect()
    });
    let recorded = answers.iter().filter(|answer| {
        matches!(
            answer,
            Ok(Voted::Recorded {
                status: Status::Pending { .. },
                ..
            })
        )
    });
    assert_eq!(recorded.count(), 1, "{answers:?}");
    let unchanged = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Voted::Unchanged { .. })));
    assert_eq!(unchanged.count(), 7, "{answers:?}");
    assert_eq!(records::story(&*store, request), ["requested", "voted"]);

    // The contradicting one tightens, is on record, and is not taken back by the old click.
    let denied = vote(&review.deny().to_json());
    assert!(
        matches!(
            denied,
            Ok(Voted::Recorded {
                status: Status::Rejected { .. },
                ..
            })
        ),
        "{denied:?}"
    );
    assert!(matches!(
        vote(&click),
        Err(VoteRefused::AlreadySettled(_) | VoteRefused::Tightened)
    ));
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "voted"]
    );
    assert!(matches!(
        refused(resume(&world, request)),
        Refusal::Rejected(_)
    ));
}

#[test]
fn hitl_r8_a_permit_that_never_started_consumes_nothing() {
    let (world, store) = world();
    let effects = Effects::default();
    let request = approved(&world, pay(5));
    // It lay about for too long,
    let stale = resume(&world, request).unwrap();
    world.clock.advance(Duration::from_secs(60));
    let answer = effects.run(stale);
    assert!(
        matches!(
            answer,
            Err(RunError::Refused(Refusal::CouldNotDecide(
                Cause::PermitVoid
            )))
        ),
        "{answer:?}"
    );
    // was taken for another operation,
    let wrong = resume(&world, request).unwrap().typed::<Wire>();
    assert!(matches!(
        wrong.map(drop),
        Err(Refusal::CouldNotDecide(Cause::NotThisOperation(_)))
    ));
    // was about to run when its caller went away,
    let unpolled = resume(&world, request)
        .unwrap()
        .run(async |_| -> Result<(), String> { panic!("it ran") });
    drop(unpolled);
    // or ended with its process.
    let held = resume(&world, request).unwrap();
    let (keys, clock) = (world.keys.clone(), world.clock.clone());
    world.close();
    assert!(matches!(
        effects.run(held),
        Err(RunError::Refused(Refusal::CouldNotDecide(Cause::Closed)))
    ));
    assert_eq!(records::story(&*store, request), ["requested", "voted"]);

    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::clone(&store);
    let world = World::open(RULES, PEOPLE, disk, keys, clock, folder, |opening| opening);
    assert!(effects.of(resume(&world, request)).is_ok());
    assert_eq!(effects.calls(), 1);
    assert_eq!(records::story(&*store, request), ONE_RUN);
}

#[test]
fn hitl_r9_asking_again_while_pending_joins_the_request() {
    let (world, store) = world();
    let other = beside(&world, &store);
    let effects = Effects::default();
    let request = world.file(pay(5));
    for world in [&world, &other, &world] {
        assert_eq!(world.file(pay(5)), request);
    }
    assert_eq!(records::of_kind(&*store, "requested").len(), 1);
    let rita = world.approver("rita");
    let open = block_on(
        world
            .desk
            .pending(&rita, &Default::default(), Page::default()),
    )
    .unwrap();
    assert_eq!(open.requests.len(), 1, "nobody is asked twice");

    let _ = world.approve("rita", request).unwrap();
    assert!(effects.of(resume(&world, request)).is_ok());
    taken(effects.of(resume(&other, request)));
    assert!(
        block_on(world.gate().open_requests()).unwrap().is_empty(),
        "no approval is left over"
    );
}

#[test]
fn hitl_r10_an_expired_approval_does_not_run_after_the_clock_stepped_back() {
    let day = Duration::from_secs(24 * 3600);
    let (world, store) = world_with(|opening| opening.with_permit_lifetime(day));
    let effects = Effects::default();
    let (held, late) = (approved(&world, pay(5)), approved(&world, pay(6)));
    let permit = resume(&world, held).unwrap();
    world.clock.advance(Duration::from_secs(600));
    for back in [Duration::from_secs(3), Duration::from_secs(600), day] {
        world.clock.set_wall(start().saturating_sub(back));
        assert!(matches!(refused(resume(&world, late)), Refusal::Expired));
    }
    assert!(matches!(
        effects.run(permit),
        Err(RunError::Refused(
            Refusal::Expired | Refusal::CouldNotDecide(Cause::PermitVoid)
        ))
    ));
    let world = restarted(world, &store);
    for request in [held, late] {
        assert!(matches!(refused(resume(&world, request)), Refusal::Expired));
    }
    assert_eq!(effects.calls(), 0);
    assert!(records::of_kind(&*store, "started").is_empty());
}

/// A ballot as another channel would deliver it, with one member replaced.
fn forged(ballot: &Ballot, member: &str, from: &Ballot) -> Ballot {
    let value = |ballot: &Ballot| {
        let json = countersign::canonical::admit(&ballot.to_json(), &Default::default()).unwrap();
        let object = json.as_object().unwrap();
        object.get(member).unwrap().as_str().unwrap().to_owned()
    };
    let text = String::from_utf8(ballot.to_json()).unwrap();
    Ballot::parse(text.replace(&value(ballot), &value(from)).as_bytes()).unwrap()
}

#[test]
fn hitl_r12_a_decision_of_another_log_or_tenant_is_refused() {
    let (world, store) = world();
    let (elsewhere, _) = self::world();
    let other_tenant = || {
        let chain = bot().in_tenant(TenantId::new("other").unwrap());
        world.gate_for(chain, "session-1")
    };
    let Ok(Filing::Waiting(theirs)) = block_on(other_tenant().request(pay(5))) else {
        panic!("it does not wait");
    };
    let Ok(Filing::Waiting(of_session)) =
        block_on(world.gate_for(bot(), "session-2").request(pay(5)))
    else {
        panic!("it does not wait");
    };
    let ours = world.file(pay(5));
    let ballot = |world: &World, request| {
        let rita = world.approver("rita");
        block_on(world.desk.open(&rita, request)).unwrap().approve()
    };
    let foreign = [
        ballot(&elsewhere, elsewhere.file(pay(5))),
        ballot(&world, theirs),
        ballot(&world, of_session),
    ];
    let own = ballot(&world, ours);
    let rita = world.approver("rita");
    let vote = |ballot| block_on(world.desk.vote(&rita, ballot));
    assert!(matches!(
        vote(foreign[0].clone()),
        Err(VoteRefused::NotFound)
    ));
    for foreign in &foreign {
        let renamed = forged(foreign, "request", &own);
        assert!(matches!(
            vote(renamed.clone()),
            Err(VoteRefused::OtherAction)
        ));
        let relabelled = forged(&renamed, "action", &own);
        assert!(matches!(vote(relabelled), Err(VoteRefused::OtherShowing)));
    }
    assert_eq!(records::story(&*store, ours), ["requested"]);
    // An approval that counts there opens nothing here.
    for request in [theirs, of_session] {
        let _ = world.approve("rita", request).unwrap();
        assert!(matches!(
            refused(resume(&world, request)),
            Refusal::NotFound
        ));
    }
    assert_eq!(world.file(pay(5)), ours, "it waits as before");
    assert!(matches!(
        refused(resume(&elsewhere, ours)),
        Refusal::NotFound
    ));
    assert!(vote(own).is_ok());
}

#[test]
fn policy_47_a_second_use_is_refused() {
    let (world, store) = world();
    let other = beside(&world, &store);
    let effects = Effects::default();
    // One after the other, also of what policy allows by itself.
    let request = approved(&world, pay(1));
    assert!(effects.of(resume(&world, request)).is_ok());
    taken(effects.of(resume(&world, request)));
    let allowed = block_on(world.gate().guard(read())).unwrap();
    let request = allowed.request();
    assert!(effects.run(allowed).is_ok());
    taken(effects.of(resume(&world, request)));
    // While the first still runs.
    let request = approved(&world, pay(2));
    let permit = resume(&world, request).unwrap();
    let nested = block_on(permit.run(async |_| {
        effects.call();
        let again = world.gate().resume(request).await;
        Ok::<_, String>(matches!(again, Err(Refusal::AlreadyTaken)))
    }));
    assert!(nested.unwrap().into_value());
    assert_eq!(effects.calls(), 3);
    // At once, from two processes that hold a permit each.
    for round in 0..20 {
        let effects = Effects::default();
        let request = approved(&world, pay(10 + round));
        let permits = [&world, &other].map(|world| resume(world, request).unwrap());
        let barrier = Barrier::new(permits.len());
        let answers = thread::scope(|scope| {
            let threads = permits.map(|permit| {
                scope.spawn(|| {
                    barrier.wait();
                    effects.run(permit)
                })
            });
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        one_ran(answers);
        assert_eq!(effects.calls(), 1);
        assert_eq!(records::story(&*store, request), ONE_RUN);
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Pay {
    amount: i64,
}

impl Operation for Pay {
    const NAME: &'static str = "pay";
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Wire {
    amount: i64,
}

impl Operation for Wire {
    const NAME: &'static str = "wire";
}

fn operation(amount: i64) -> Action {
    Action::of(&Pay { amount }).build().unwrap()
}

/// Serves payments whose waiter is gone; the effect fails.
fn serve(world: &World, effects: &Effects) {
    world.countersign.on_approved(
        effects.clone(),
        async |effects: Effects, _: AuthorizedFor<Pay>| {
            effects.call();
            Err::<(), _>("the bank is closed")
        },
    );
}

fn until_finished(store: &MemoryStore, request: RequestId) {
    while !records::story(store, request).contains(&"finished".to_owned()) {
        thread::yield_now();
    }
}

#[test]
fn policy_48_a_failed_effect_is_not_run_again() {
    let (world, store) = world();
    let effects = Effects::default();
    // Neither for a caller who comes back,
    let request = approved(&world, pay(5));
    let permit = resume(&world, request).unwrap();
    let failed = block_on(permit.run(async |_| {
        effects.call();
        Err::<(), _>("the bank is closed")
    }));
    assert!(matches!(failed, Err(RunError::Effect { .. })));
    taken(effects.of(resume(&world, request)));
    assert_ne!(
        world.file(pay(5)),
        request,
        "asked again, people decide again"
    );
    assert_eq!(effects.calls(), 1);

    // nor by the handler that serves what nobody waits for, in this process and the next.
    let effects = Effects::default();
    serve(&world, &effects);
    let served = approved(&world, operation(6));
    until_finished(&store, served);
    let world = restarted(world, &store);
    serve(&world, &effects);
    // What comes later is served later, so the handler has looked at the first by then.
    let later = approved(&world, operation(7));
    until_finished(&store, later);
    assert_eq!(effects.calls(), 2);
    for request in [request, served, later] {
        assert_eq!(records::story(&*store, request), ONE_RUN);
        taken(Effects::default().of(resume(&world, request)));
    }
}

#[test]
fn hoop_t9_one_approval_runs_once_over_every_entry_point() {
    for round in 0..10 {
        let (world, store) = world();
        let other = beside(&world, &store);
        let effects = Effects::default();
        let request = world.file(operation(round));
        serve(&world, &effects);
        serve(&other, &effects);
        // Two clicks, two processes, callers who come back and callers who waited, and the handlers.
        let answers: Vec<_> = thread::scope(|scope| {
            let callers: Vec<_> = [&world, &other, &world, &other]
                .map(|world| scope.spawn(|| effects.of(resume(world, request))))
                .into_iter()
                .collect();
            for world in [&world, &other] {
                scope.spawn(move || world.approve("rita", request));
            }
            callers
                .into_iter()
                .map(|caller| caller.join().unwrap())
                .collect()
        });
        until_finished(&store, request);
        assert!(answers.iter().filter(|answer| answer.is_ok()).count() <= 1);
        answers.into_iter().filter(Result::is_err).for_each(taken);
        world.close();
        other.close();
        assert_eq!(effects.calls(), 1);
        assert_eq!(records::story(&*store, request), ONE_RUN);
    }
}

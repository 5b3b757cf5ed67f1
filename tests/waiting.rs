//! Callers who wait for people: they join, take turns, come back after a restart, and give up without harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod records;

use std::future::IntoFuture;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use common::{PEOPLE, RULES, World, bot, pay, refused};
use countersign::action::{Action, Operation, Principal, RequestId, TenantId};
use countersign::desk::VoteRefused;
use countersign::gate::{
    ApprovalGate, ApprovalGateExt, AuthorizedFor, Cause, Filing, Permit, Refusal, RunError,
    Standing,
};
use countersign::host::Countersign;
use countersign::ledger::Keys;
use countersign::notify::{ChannelName, DeliveryError, Limits, MessageRef, Notice, Notifier};
use countersign::store::MemoryStore;
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;

type Waiting<'a> = BoxFuture<'a, Result<Permit, Refusal>>;

fn world() -> (World, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    (
        World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening),
        store,
    )
}

/// Ends the process, as it were, and begins another on the same store.
fn restarted(world: World, store: &Arc<MemoryStore>, rules: &str) -> World {
    let World {
        countersign,
        clock,
        directory,
        desk,
        keys,
        folder,
    } = world;
    drop((directory, desk));
    block_on(countersign.close());
    World::open(
        rules,
        PEOPLE,
        Arc::clone(store),
        keys,
        clock,
        folder,
        |opening| opening,
    )
}

/// Polls once: whoever waits sits down.
#[track_caller]
fn waits(waiting: &mut Waiting<'_>) {
    assert!(waiting.now_or_never().is_none(), "it does not wait");
}

fn runs(permit: Permit) -> Result<(), RunError<String>> {
    block_on(permit.run(async |_| Ok(()))).map(|_| ())
}

#[test]
fn callers_with_one_action_share_one_request_and_one_permit() {
    let (world, store) = world();
    let gate = world.gate();
    let request = world.file(pay(5));
    let (mut first, mut second) = (gate.guard(pay(5)), gate.guard(pay(5)));
    waits(&mut first);
    waits(&mut second);
    assert_eq!(records::story(&*store, request), ["requested"]);
    assert_eq!(
        records::of_kind(&*store, "requested").len(),
        1,
        "nobody is asked twice"
    );

    let _ = world.approve("rita", request).unwrap();
    let permit = block_on(first).unwrap();
    assert_eq!(permit.request(), request);
    waits(&mut second);
    runs(permit).unwrap();
    assert!(matches!(refused(block_on(second)), Refusal::AlreadyTaken));
    // Asked again after that, it is a new question.
    assert!(matches!(block_on(gate.request(pay(5))), Ok(Filing::Waiting(new)) if new != request));
}

#[test]
fn what_differs_is_not_joined() {
    let (world, _) = world();
    let request = world.file(pay(5));
    let file = |chain, session: &str, action| match block_on(
        world.gate_for(chain, session).request(action),
    )
    .unwrap()
    {
        Filing::Waiting(request) => request,
        Filing::Permitted(_) => panic!("it was allowed without people"),
    };
    assert_eq!(file(bot(), "session-1", pay(5)), request);
    let reworded = Action::named("pay")
        .parameter("amount", 5)
        .sensitive("iban", "DE02120300000000202051");
    let reworded = || reworded.clone().because("please");
    assert_eq!(
        file(bot(), "session-1", reworded().build().unwrap()),
        request,
        "words are no part of the action"
    );
    assert_ne!(
        file(
            bot(),
            "session-1",
            reworded().occurrence("2").build().unwrap()
        ),
        request
    );
    assert_ne!(file(bot(), "session-1", pay(6)), request);
    assert_ne!(file(bot(), "session-2", pay(5)), request);
    assert_ne!(
        file(
            bot().in_tenant(TenantId::new("other").unwrap()),
            "session-1",
            pay(5)
        ),
        request
    );
    let for_dan = bot()
        .on_behalf_of(Principal::human("corp", "dan").unwrap())
        .unwrap();
    assert_ne!(file(for_dan, "session-1", pay(5)), request);
    // Once it is approved it is joined no more: the approval is for one run.
    let _ = world.approve("rita", request).unwrap();
    assert_ne!(file(bot(), "session-1", pay(5)), request);
}

#[test]
fn a_dropped_permit_passes_to_whoever_waits_longest() {
    let (world, _) = world();
    let gate = world.gate();
    let request = world.file(pay(5));
    let (mut first, mut second, mut third) = (
        gate.resume(request),
        gate.resume(request),
        gate.resume(request),
    );
    for waiting in [&mut first, &mut second, &mut third] {
        waits(waiting);
    }
    let _ = world.approve("rita", request).unwrap();
    // The first was answered and never looked.
    drop(first);
    waits(&mut third);
    let permit = block_on(second).unwrap();
    waits(&mut third);
    drop(permit);
    runs(block_on(third).unwrap()).unwrap();
}

#[test]
fn a_permit_that_lies_about_is_void_and_uses_nothing_up() {
    let (world, _) = world();
    let gate = world.gate();
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    let stale = block_on(gate.resume(request)).unwrap();
    let mut next = gate.resume(request);
    waits(&mut next);
    world.clock.advance(Duration::from_micros(59_999_999));
    world.clock.settled(1);
    waits(&mut next);
    world.clock.advance(Duration::from_micros(1));
    world.clock.settled(1);
    let permit = block_on(next).unwrap();
    let void = runs(stale);
    assert!(
        matches!(
            void,
            Err(RunError::Refused(Refusal::CouldNotDecide(
                Cause::PermitVoid
            )))
        ),
        "{void:?}"
    );
    runs(permit).unwrap();

    // One that policy allowed is void just so, and can be had again.
    let permit = block_on(gate.guard(common::read())).unwrap();
    let request = permit.request();
    world.clock.advance(Duration::from_secs(60));
    assert!(matches!(
        runs(permit),
        Err(RunError::Refused(Refusal::CouldNotDecide(
            Cause::PermitVoid
        )))
    ));
    runs(block_on(gate.resume(request)).unwrap()).unwrap();
}

#[test]
fn an_id_opens_nothing_to_another_actor() {
    let (world, _) = world();
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    let chains = [
        (bot(), "session-2"),
        (
            bot().in_tenant(TenantId::new("other").unwrap()),
            "session-1",
        ),
        (
            bot()
                .on_behalf_of(Principal::human("corp", "dan").unwrap())
                .unwrap(),
            "session-1",
        ),
        (
            countersign::action::ActorChain::acting(Principal::agent("corp", "bot").unwrap()),
            "session-1",
        ),
    ];
    for (chain, session) in chains {
        let gate = world.gate_for(chain, session);
        assert!(matches!(
            refused(block_on(gate.resume(request))),
            Refusal::NotFound
        ));
        assert!(matches!(
            block_on(gate.withdraw(request)),
            Err(Refusal::NotFound)
        ));
        assert!(block_on(gate.open_requests()).unwrap().is_empty());
    }
    assert!(block_on(world.gate().resume(request)).is_ok());
}

#[test]
fn whoever_waits_hears_that_it_was_withdrawn() {
    let (world, _) = world();
    let gate = world.gate();
    let request = world.file(pay(5));
    let mut waiting = gate.resume(request);
    waits(&mut waiting);
    block_on(gate.withdraw(request)).unwrap();
    assert!(matches!(refused(block_on(waiting)), Refusal::Withdrawn));
    // An approval can be given back as well, a run cannot.
    let request = world.file(pay(6));
    let _ = world.approve("rita", request).unwrap();
    block_on(gate.withdraw(request)).unwrap();
    let request = world.file(pay(7));
    let _ = world.approve("rita", request).unwrap();
    runs(block_on(gate.resume(request)).unwrap()).unwrap();
    assert!(matches!(
        block_on(gate.withdraw(request)),
        Err(Refusal::AlreadyTaken)
    ));
}

#[test]
fn a_request_that_was_replaced_is_closed() {
    let (world, store) = world();
    let gate = world.gate();
    let replacing = |amount: i64, former| {
        Action::named("pay")
            .parameter("amount", amount)
            .replaces(former)
            .build()
            .unwrap()
    };
    let request = world.file(pay(5));
    let mut waiting = gate.resume(request);
    waits(&mut waiting);
    let newer = world.file(replacing(4, request));
    assert!(matches!(refused(block_on(waiting)), Refusal::Superseded));
    assert!(matches!(
        world.approve("rita", request),
        Err(VoteRefused::AlreadySettled(_))
    ));
    let superseded = records::only(&*store, "superseded");
    assert_eq!(
        records::text(&superseded, "by"),
        Some(newer.to_string().as_str())
    );
    // Also where the newer action needs nobody, whether its permit is asked for or run at once.
    let reading = |former| Action::named("db.read").replaces(former).build().unwrap();
    let _permit = block_on(gate.guard(reading(newer))).unwrap();
    assert!(matches!(
        refused(block_on(gate.resume(newer))),
        Refusal::Superseded
    ));
    let request = world.file(pay(6));
    let _done = block_on(gate.run(reading(request), async |_| Ok::<_, String>(()))).unwrap();
    assert!(matches!(
        refused(block_on(gate.resume(request))),
        Refusal::Superseded
    ));
    // Nobody replaces what another asked for.
    let request = world.file(pay(7));
    let other = world.gate_for(bot(), "session-2");
    let _ = block_on(other.request(replacing(1, request))).unwrap();
    assert_eq!(records::story(&*store, request), ["requested"]);
}

#[test]
fn open_requests_and_permits_survive_a_restart() {
    let (world, store) = world();
    // Ids are in order of time to the millisecond.
    let [pending, approved, closed] = [5, 6, 7].map(|amount| {
        world.clock.advance(Duration::from_millis(1));
        world.file(pay(amount))
    });
    let _ = world.approve("rita", approved).unwrap();
    block_on(world.gate().withdraw(closed)).unwrap();
    let world = restarted(world, &store, RULES);
    let open = block_on(world.gate().open_requests()).unwrap();
    assert_eq!(
        open.iter().map(|one| one.request).collect::<Vec<_>>(),
        [pending, approved]
    );
    assert!(
        matches!(open[0].standing, Standing::Pending { expires } if expires == common::start().saturating_add(Duration::from_millis(3_600_001)))
    );
    assert!(matches!(open[1].standing, Standing::Approved { .. }));
    assert_eq!(open[0].action.as_str(), "pay");
    let permit = block_on(world.gate().resume(approved)).unwrap();
    let amount =
        block_on(permit.run(async |authorized| authorized.parameter::<i64>("amount"))).unwrap();
    assert_eq!(*amount.value(), 6);
    assert_eq!(
        world.file(pay(5)),
        pending,
        "asking again joins it after a restart too"
    );
    let _ = world.approve("rita", pending).unwrap();
    runs(block_on(world.gate().resume(pending)).unwrap()).unwrap();
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

/// Serves approved payments; what was paid can be heard.
fn serving(world: &World) -> mpsc::Receiver<i64> {
    let (paid, heard) = mpsc::channel();
    world.countersign.on_approved(
        paid,
        async |paid: mpsc::Sender<i64>, authorized: AuthorizedFor<Pay>| {
            paid.send(authorized.operation().amount)
                .map_err(|_| "nobody listens")
        },
    );
    world.countersign.on_approved(
        (),
        async |(), _: AuthorizedFor<Wire>| -> Result<(), String> {
            panic!("this is another operation")
        },
    );
    heard
}

/// Waits until a request's last record is of this kind.
fn until_ended(store: &MemoryStore, request: RequestId, kind: &str) {
    while records::story(store, request)
        .last()
        .is_none_or(|last| last != kind)
    {
        std::thread::yield_now();
    }
}

#[test]
fn what_was_approved_runs_after_its_waiter_has_died() {
    let (world, store) = world();
    let (before, after) = (world.file(operation(5)), world.file(operation(6)));
    let _ = world.approve("rita", before).unwrap();
    let world = restarted(world, &store, RULES);
    let paid = serving(&world);
    assert_eq!(
        paid.recv().unwrap(),
        5,
        "it was approved before the restart"
    );
    let _ = world.approve("rita", after).unwrap();
    assert_eq!(paid.recv().unwrap(), 6, "it was approved after the restart");
    for request in [before, after] {
        until_ended(&store, request, "finished");
        assert_eq!(
            records::story(&*store, request),
            ["requested", "voted", "started", "finished"]
        );
    }
    assert!(matches!(
        refused(block_on(world.gate().resume(after))),
        Refusal::AlreadyTaken
    ));
}

#[test]
fn a_waiter_that_lives_goes_before_the_handler() {
    let (world, store) = world();
    let paid = serving(&world);
    let gate = world.gate();
    let request = world.file(operation(5));
    let mut waiting = gate.resume(request);
    waits(&mut waiting);
    let _ = world.approve("rita", request).unwrap();
    // Served after it, so the handler has looked at the first by then.
    let other = world.file(operation(6));
    let _ = world.approve("rita", other).unwrap();
    assert_eq!(paid.recv().unwrap(), 6);
    runs(block_on(waiting).unwrap()).unwrap();
    assert!(paid.try_recv().is_err());
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "started", "finished"]
    );
}

#[test]
fn a_handler_runs_only_what_the_rules_of_now_allow() {
    let (world, store) = world();
    let request = world.file(operation(5));
    let _ = world.approve("rita", request).unwrap();
    let stricter = format!(
        "{RULES}\n[[rules]]\nid = \"stop\"\neffect = \"deny\"\nwhen = {{ action = \"pay\" }}\n"
    );
    let world = restarted(world, &store, &stricter);
    let paid = serving(&world);
    until_ended(&store, request, "reassessed");
    assert!(paid.try_recv().is_err());
    assert!(matches!(
        refused(block_on(world.gate().resume(request))),
        Refusal::Denied(_)
    ));
}

#[test]
fn closing_answers_everybody() {
    let (world, store) = world();
    let gate = world.gate();
    let request = world.file(pay(5));
    let approved = world.file(pay(6));
    let _ = world.approve("rita", approved).unwrap();
    let permit = block_on(gate.resume(approved)).unwrap();
    let mut waiting = gate.resume(request);
    waits(&mut waiting);
    block_on(world.countersign.clone().close());
    let closed = |refusal: Refusal| {
        assert!(
            matches!(refusal, Refusal::CouldNotDecide(Cause::Closed)),
            "{refusal:?}"
        )
    };
    closed(refused(block_on(waiting)));
    closed(refused(block_on(gate.guard(common::read()))));
    closed(refused(block_on(gate.resume(request))));
    match block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") })) {
        Err(RunError::Refused(refusal)) => closed(refusal),
        other => panic!("{other:?}"),
    }
    assert!(world.approve("rita", request).is_err());
    assert_eq!(records::story(&*store, request), ["requested"]);
}

/// Calls the library and blocks, where it is called by the library.
#[derive(Debug)]
struct Blocks {
    channel: ChannelName,
    heard: std::sync::Mutex<mpsc::Sender<Result<i32, Refusal>>>,
}

#[async_trait]
impl Notifier for Blocks {
    fn channel(&self) -> &ChannelName {
        &self.channel
    }

    fn limits(&self) -> &Limits {
        &Limits::UNLIMITED
    }

    async fn deliver(
        &self,
        notice: &Notice,
        _: Option<&MessageRef>,
    ) -> Result<MessageRef, DeliveryError> {
        let answer = countersign::gate::wait(async { 5 });
        let _closed = self.heard.lock().unwrap().send(answer);
        MessageRef::new(notice.id().as_str()).map_err(|_| DeliveryError::Never { code: "no_mark" })
    }
}

#[test]
fn blocking_on_a_thread_of_the_library_is_refused() {
    let (heard, answers) = mpsc::channel();
    let channel = ChannelName::new("blocks").unwrap();
    let notifier = Blocks {
        channel,
        heard: heard.into(),
    };
    let world = World::with(RULES, PEOPLE, MemoryStore::new(), |opening| {
        opening.with_notifier(notifier)
    });
    let _ = world.file(pay(5));
    assert!(matches!(
        answers.recv().unwrap(),
        Err(Refusal::CouldNotDecide(Cause::WouldBlockItself))
    ));
    let gate = world.gate();
    let done =
        countersign::gate::wait(gate.run(common::read(), async |_| Ok::<_, String>(5))).unwrap();
    assert_eq!(done.unwrap().into_value(), 5);
}

#[test]
fn a_process_opens_what_its_keys_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let keys = common::keys(&folder);
    let store = Arc::new(MemoryStore::new());
    let open = |keys: Keys| {
        let rules = countersign::policy::RuleSet::from_toml(RULES).unwrap();
        let people = countersign::identity::StaticDirectory::from_toml(PEOPLE).unwrap();
        block_on(Countersign::open(Arc::clone(&store), keys, rules, people).into_future())
    };
    let session = || countersign::action::SessionId::new("session-1").unwrap();
    drop(open(keys.clone()).unwrap());
    let agents = open(keys.clone().without(countersign::log::Role::Desk)).unwrap();
    assert!(agents.gate(bot(), session()).is_ok());
    assert!(
        agents.desk([]).is_err(),
        "code in the agents' process cannot approve"
    );
    let reviewers = open(keys.without(countersign::log::Role::Gate)).unwrap();
    assert!(reviewers.gate(bot(), session()).is_err());
    assert!(reviewers.desk([]).is_ok());
}

#[test]
fn the_last_handle_may_go_inside_an_executor() {
    let (world, store) = world();
    let request = world.file(pay(5));
    let World {
        countersign,
        clock,
        directory,
        desk,
        keys,
        folder,
    } = world;
    block_on(async { drop((countersign, directory, desk)) });
    let world = World::open(RULES, PEOPLE, store, keys, clock, folder, |opening| opening);
    assert_eq!(
        block_on(world.gate().open_requests()).unwrap()[0].request,
        request
    );
}

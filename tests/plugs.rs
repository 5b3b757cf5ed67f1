//! Parts that a host plugs in fail, hang or panic: that is a refusal or a wait, and never lets anything through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;
mod permits;
mod records;

use std::future::IntoFuture;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use common::{ByName, PEOPLE, RULES, World, keys, named, pay, read, refused, start};
use countersign::action::{PersonId, PrincipalId};
use countersign::clock::{Clock, ManualClock};
use countersign::desk::VoteRefused;
use countersign::gate::{ApprovalGate, Cause, Filing, Refusal};
use countersign::host::{Countersign, Opening};
use countersign::identity::{
    Authenticator, Directory, DirectoryError, Known, Members, Membership, NotProven, Person,
    StaticDirectory,
};
use countersign::notify::{ChannelName, DeliveryError, Limits, MessageRef, Notice, Notifier};
use countersign::policy::{
    Evaluation, Needs, PolicyError, PolicyEvaluator, PolicyRevision, Question, RuleSet, Selector,
};
use countersign::store::{ChannelKey, MemoryStore, Query, Store};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use permits::{approved, never, pass, refused_by, resume, run};

const MICRO: Duration = Duration::from_micros(1);
/// How long an evaluator or a directory may take.
const BOUND: Duration = Duration::from_secs(5);

/// How a part that a host plugs in behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    Errs,
    Panics,
    /// Where it lists a group, and before it gives a future.
    PanicsAtOnce,
    Hangs,
}

/// The mood of a part, which the test changes.
#[derive(Debug, Clone)]
struct Moods(Arc<Mutex<Mood>>);

impl Moods {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Mood::Well)))
    }

    fn now(&self) -> Mood {
        *self.0.lock().unwrap()
    }

    fn set(&self, mood: Mood) {
        *self.0.lock().unwrap() = mood;
    }

    async fn meet<E>(&self, error: E) -> Result<(), E> {
        match self.now() {
            Mood::Well | Mood::PanicsAtOnce => Ok(()),
            Mood::Errs => Err(error),
            Mood::Panics => panic!("a part has a bug"),
            Mood::Hangs => futures::future::pending().await,
        }
    }
}

#[derive(Debug)]
struct MoodyRules(RuleSet, Moods);

#[async_trait]
impl PolicyEvaluator for MoodyRules {
    fn needs(&self) -> &Needs {
        self.0.needs()
    }

    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        let gave_up = PolicyError::Limit("it is tired".to_owned());
        self.1.meet(gave_up).await?;
        self.0.evaluate(question).await
    }

    fn revision(&self) -> &PolicyRevision {
        self.0.revision()
    }
}

#[derive(Debug)]
struct MoodyDirectory(Arc<StaticDirectory>, Moods);

impl MoodyDirectory {
    async fn ask(&self) -> Result<&StaticDirectory, DirectoryError> {
        self.1.meet(DirectoryError::Unavailable(None)).await?;
        Ok(&self.0)
    }
}

#[async_trait]
impl Directory for MoodyDirectory {
    async fn person(&self, id: &PrincipalId) -> Result<Known<Person>, DirectoryError> {
        self.ask().await?.person(id).await
    }

    async fn member(
        &self,
        person: &PersonId,
        of: &Selector,
    ) -> Result<Known<Membership>, DirectoryError> {
        self.ask().await?.member(person, of).await
    }

    // Written out, for a panic in the call itself and not in its future.
    fn members<'this, 'of, 'answer>(
        &'this self,
        of: &'of Selector,
        at_most: NonZeroU32,
    ) -> BoxFuture<'answer, Result<Known<Members>, DirectoryError>>
    where
        'this: 'answer,
        'of: 'answer,
    {
        assert!(self.1.now() != Mood::PanicsAtOnce, "a part has a bug");
        async move { self.ask().await?.members(of, at_most).await }.boxed()
    }

    async fn controllers(
        &self,
        agent: &PrincipalId,
    ) -> Result<Known<Vec<PersonId>>, DirectoryError> {
        self.ask().await?.controllers(agent).await
    }
}

struct Moody {
    world: World,
    store: Arc<MemoryStore>,
    policy: Moods,
    directory: Moods,
}

impl Moody {
    fn new(choose: impl FnOnce(Opening) -> Opening) -> Self {
        let (policy, directory) = (Moods::new(), Moods::new());
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let (keys, clock) = (keys(&folder), ManualClock::new(start()));
        let people = StaticDirectory::from_toml(PEOPLE).unwrap();
        let people = Arc::new(people.with_clock(clock.clone()));
        let opening = Countersign::open(
            Arc::clone(&store),
            keys.clone(),
            MoodyRules(RuleSet::from_toml(RULES).unwrap(), policy.clone()),
            MoodyDirectory(Arc::clone(&people), directory.clone()),
        );
        let opening = choose(opening.with_clock(clock.clone()));
        let countersign = block_on(opening.into_future()).unwrap();
        let by_name: Arc<dyn Authenticator> = Arc::new(ByName::new(clock.clone()));
        let desk = countersign.desk([by_name]).unwrap();
        let world = World {
            countersign,
            clock,
            directory: people,
            desk,
            keys,
            folder,
        };
        Self {
            world,
            store,
            policy,
            directory,
        }
    }

    /// What is answered while a part is in this mood; if it hangs, not before its bound and not after it.
    fn during<T>(&self, part: &Moods, mood: Mood, future: impl Future<Output = T>) -> T {
        part.set(mood);
        let mut future = Box::pin(future);
        if mood == Mood::Hangs {
            assert!((&mut future).now_or_never().is_none());
            pass(&self.world, BOUND - MICRO);
            assert!((&mut future).now_or_never().is_none(), "it was cut short");
            pass(&self.world, MICRO);
        }
        let answer = block_on(future);
        part.set(Mood::Well);
        answer
    }
}

#[test]
fn policy_68_a_failing_evaluator_refuses_at_both_times() {
    let cases = [
        (Mood::Errs, Cause::PolicyFailed, "policy_error"),
        (Mood::Hangs, Cause::PolicyTimedOut, "policy_timeout"),
        (Mood::Panics, Cause::PolicyPanicked, "policy_panicked"),
    ];
    for (mood, cause, word) in cases {
        let moody = Moody::new(|opening| opening);
        let (world, store, policy) = (&moody.world, &*moody.store, &moody.policy);
        let gate = world.gate();
        let could_not = |refusal: Refusal| match refusal {
            Refusal::CouldNotDecide(why) => assert_eq!(why, cause),
            other => panic!("{mood:?}: {other:?}"),
        };
        // Asked first.
        for action in [read(), pay(5)] {
            could_not(refused(moody.during(policy, mood, gate.guard(action))));
            let requested = records::last(store, "requested");
            assert_eq!(records::text(&requested, "verdict"), Some("deny"));
            assert_eq!(records::text(&requested, "cause"), Some(word));
        }
        // At the start, of what was approved and of what was allowed.
        let approved = resume(world, approved(world, 6)).unwrap();
        let allowed = block_on(gate.guard(read())).unwrap();
        for permit in [approved, allowed] {
            let request = permit.request();
            could_not(refused_by(moody.during(policy, mood, never(permit))));
            let reassessed = records::last(store, "reassessed");
            assert_eq!(records::text(&reassessed, "verdict"), Some("deny"));
            assert_eq!(records::text(&reassessed, "cause"), Some(word));
            assert!(matches!(
                refused(resume(world, request)),
                Refusal::Denied(_)
            ));
        }
        assert!(records::of_kind(store, "started").is_empty());
        // It is no worse for it.
        assert!(run(block_on(gate.guard(read())).unwrap()).is_ok());
    }
}

/// A channel that panics as often as it is told to, and says when it is called.
#[derive(Debug)]
struct Panicking {
    channel: ChannelName,
    panics: AtomicUsize,
    delivered: Mutex<mpsc::Sender<Notice>>,
}

#[async_trait]
impl Notifier for Panicking {
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
        let left = self.panics.load(Ordering::SeqCst);
        if left > 0 {
            self.panics.store(left - 1, Ordering::SeqCst);
            panic!("a channel has a bug");
        }
        let _closed = self.delivered.lock().unwrap().send(notice.clone());
        MessageRef::new(notice.id().as_str()).map_err(|_| DeliveryError::Never { code: "no_mark" })
    }
}

#[test]
fn hitl_f8_a_panic_in_a_plug_is_a_refusal() {
    let (delivered, notices) = mpsc::channel();
    let notifier = Panicking {
        channel: ChannelName::new("panicking").unwrap(),
        panics: AtomicUsize::new(2),
        delivered: Mutex::new(delivered),
    };
    let moody = Moody::new(|opening| opening.with_notifier(notifier));
    let (world, store, directory) = (&moody.world, &*moody.store, &moody.directory);
    let gate = world.gate();
    let unavailable = |refusal: Refusal| {
        assert!(
            matches!(
                refusal,
                Refusal::CouldNotDecide(Cause::DirectoryUnavailable)
            ),
            "{refusal:?}"
        );
    };
    let Ok(Filing::Waiting(request)) = block_on(gate.request(pay(5))) else {
        panic!("it does not wait");
    };
    // The directory, when the action is filed, when people sign in and vote, and at the start.
    let moods = [Mood::Errs, Mood::Hangs, Mood::Panics];
    let rita = world.approver("rita");
    let review = block_on(world.desk.open(&rita, request)).unwrap();
    for mood in moods {
        unavailable(refused(moody.during(directory, mood, gate.guard(pay(6)))));
        let admitted = world.desk.admit(named("corp", "sam"));
        assert!(matches!(
            moody.during(directory, mood, admitted),
            Err(NotProven::Unavailable(_))
        ));
        let vote = world.desk.vote(&rita, review.approve());
        assert!(matches!(
            moody.during(directory, mood, vote),
            Err(VoteRefused::DirectoryUnavailable)
        ));
    }
    let listing = gate.guard(pay(6));
    unavailable(refused(moody.during(
        directory,
        Mood::PanicsAtOnce,
        listing,
    )));
    let _ = world.approve("rita", request).unwrap();
    for mood in moods {
        let permit = resume(world, request).unwrap();
        unavailable(refused_by(moody.during(directory, mood, never(permit))));
    }
    // The evaluator, in the test of its own.
    // The channel: the request waits, and is told of again.
    let key = ChannelKey("panicking".to_owned());
    let next = || Query::NextNotice {
        channels: vec![key.clone()],
        now: world.clock.now(),
    };
    let notice = loop {
        if let Ok(notice) = notices.try_recv() {
            break notice;
        }
        let due = block_on(store.find(next())).unwrap().moment().unwrap();
        match due {
            Some(due) if due > world.clock.now() => {
                world.clock.advance(due.since(world.clock.now()))
            }
            _ => thread::yield_now(),
        }
    };
    drop(notice);
    assert_eq!(records::story(store, request), ["requested", "voted"]);
    assert!(run(resume(world, request).unwrap()).is_ok());
}

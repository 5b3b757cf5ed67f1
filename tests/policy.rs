//! Policy decides when asked and once more at the start; whatever happens to it, nothing gets laxer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod records;

use std::future::IntoFuture;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{ByName, PEOPLE, RULES, bot, pay, read, refused};
use countersign::action::{Action, Operation, RequestId, SessionId};
use countersign::clock::ManualClock;
use countersign::desk::ReviewDesk;
use countersign::gate::{
    ApprovalGate, ApprovalGateExt, Cause, Filing, Gate, Permit, Refusal, RunError,
};
use countersign::host::Countersign;
use countersign::identity::{Authenticator, StaticDirectory};
use countersign::notify::{InProcessNotifier, Notice, Notices};
use countersign::policy::{
    Evaluation, Needs, Obligation, Phase, PolicyError, PolicyEvaluator, PolicyRevision, Question,
    RuleSet,
};
use countersign::store::MemoryStore;
use futures::FutureExt;
use futures::executor::block_on;

/// What the evaluator does with the next question.
#[derive(Debug, Clone)]
enum Mood {
    Rules(Arc<RuleSet>),
    Errs,
    Hangs,
    Panics,
    SetsAnUnknownTask,
}

/// An evaluator that the test changes while it serves.
#[derive(Debug)]
struct Moody {
    needs: Needs,
    revision: PolicyRevision,
    mood: Mutex<Mood>,
    proposed: AtomicUsize,
    enforced: AtomicUsize,
}

impl Moody {
    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn follows(&self, rules: &str) {
        self.becomes(Mood::Rules(Arc::new(RuleSet::from_toml(rules).unwrap())));
    }

    fn asked(&self) -> (usize, usize) {
        (
            self.proposed.load(Ordering::SeqCst),
            self.enforced.load(Ordering::SeqCst),
        )
    }
}

#[async_trait]
impl PolicyEvaluator for Moody {
    fn needs(&self) -> &Needs {
        &self.needs
    }

    fn revision(&self) -> &PolicyRevision {
        &self.revision
    }

    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        match question.phase {
            Phase::Propose => self.proposed.fetch_add(1, Ordering::SeqCst),
            Phase::Enforce { .. } => self.enforced.fetch_add(1, Ordering::SeqCst),
        };
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Rules(rules) => rules.evaluate(question).await,
            Mood::Errs => Err(PolicyError::Limit("too much".to_owned())),
            Mood::Hangs => futures::future::pending().await,
            Mood::Panics => panic!("the engine is broken"),
            Mood::SetsAnUnknownTask => {
                let verdict = countersign::policy::Verdict::Allow;
                let mut evaluation = Evaluation::new(verdict, self.revision.clone());
                evaluation.obligations.push(Obligation {
                    name: "watermark".to_owned(),
                    with: Default::default(),
                });
                Ok(evaluation)
            }
        }
    }
}

struct Court {
    countersign: Countersign,
    policy: Arc<Moody>,
    clock: ManualClock,
    store: Arc<MemoryStore>,
    desk: ReviewDesk,
    notices: Notices,
    _folder: tempfile::TempDir,
}

impl Court {
    fn sits() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, store) = (
            ManualClock::new(common::start()),
            Arc::new(MemoryStore::new()),
        );
        let policy = Arc::new(Moody {
            needs: Needs::nothing(),
            revision: PolicyRevision::of("moody", b"1"),
            mood: Mutex::new(Mood::Errs),
            proposed: AtomicUsize::new(0),
            enforced: AtomicUsize::new(0),
        });
        policy.follows(RULES);
        let people = StaticDirectory::from_toml(PEOPLE)
            .unwrap()
            .with_clock(clock.clone());
        let (notifier, notices) = InProcessNotifier::new("host", 64).unwrap();
        let opening = Countersign::open(
            Arc::clone(&store),
            common::keys(&folder),
            Arc::clone(&policy),
            people,
        );
        let opening = opening.with_clock(clock.clone()).with_notifier(notifier);
        let countersign = block_on(opening.into_future()).unwrap();
        let by_name = Arc::new(ByName::new(clock.clone())) as Arc<dyn Authenticator>;
        let desk = countersign.desk([by_name]).unwrap();
        Self {
            countersign,
            policy,
            clock,
            store,
            desk,
            notices,
            _folder: folder,
        }
    }

    fn gate(&self) -> Gate {
        self.countersign
            .gate(bot(), SessionId::new("session-1").unwrap())
            .unwrap()
    }

    fn file(&self, action: Action) -> RequestId {
        match block_on(self.gate().request(action)).unwrap() {
            Filing::Waiting(request) => request,
            Filing::Permitted(_) => panic!("it was allowed without people"),
        }
    }

    fn approve(&self, subject: &str, request: RequestId) {
        block_on(async {
            let by = self
                .desk
                .admit(common::named("corp", subject))
                .await
                .unwrap();
            let review = self.desk.open(&by, request).await.unwrap();
            let _ = self.desk.vote(&by, review.approve()).await.unwrap();
        });
    }

    fn approved(&self, action: Action) -> Permit {
        let request = self.file(action);
        self.approve("rita", request);
        block_on(self.gate().resume(request)).unwrap()
    }

    fn cause(&self, kind: &str) -> Option<String> {
        records::text(&records::last(&*self.store, kind), "cause").map(str::to_owned)
    }
}

/// Starts what must not start.
#[track_caller]
fn held(permit: Permit) -> Refusal {
    match block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") })) {
        Err(RunError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn stricter() -> String {
    RULES.replacen(
        "1 of group:security",
        "1 of group:security and 1 of group:data-owners",
        1,
    )
}

fn milder() -> String {
    RULES.replace(
        "effect = \"approve\"\napproval = \"one\"",
        "effect = \"allow\"",
    )
}

fn denying() -> String {
    RULES.replace(
        "effect = \"approve\"\napproval = \"one\"",
        "effect = \"deny\"",
    )
}

#[test]
fn hitl_p5_a_second_evaluation_can_only_tighten() {
    let court = Court::sits();
    let request = court.file(pay(5));
    court.policy.follows(&milder());
    let gate = court.gate();
    let mut waiting = gate.resume(request);
    assert!(
        (&mut waiting).now_or_never().is_none(),
        "what was asked of people is asked of them still"
    );
    court.approve("rita", request);
    let permit = block_on(waiting).unwrap();
    assert!(block_on(permit.run(async |_| Ok::<_, String>(()))).is_ok());
    let started = records::only(&*court.store, "started");
    assert_eq!(records::text(&started, "verdict"), Some("require_approval"));
    assert_eq!(records::counted(&started).len(), 1);
}

#[test]
fn policy_60_stricter_rules_apply_at_the_start() {
    let mut court = Court::sits();
    let permit = court.approved(pay(5));
    let request = permit.request();
    court.policy.follows(&stricter());
    assert!(matches!(
        held(permit),
        Refusal::CouldNotDecide(Cause::BackToReviewers)
    ));
    assert_eq!(court.cause("reassessed").as_deref(), Some("policy"));
    court.approve("dan", request);
    // Milder rules since then change nothing.
    court.policy.follows(&milder());
    let permit = block_on(court.gate().resume(request)).unwrap();
    assert!(block_on(permit.run(async |_| Ok::<_, String>(()))).is_ok());
    assert_eq!(
        records::counted(&records::last(&*court.store, "started")).len(),
        2
    );

    // A denial ends it, also for whoever comes back later with milder rules.
    court.policy.follows(RULES);
    let permit = court.approved(pay(6));
    let request = permit.request();
    court.policy.follows(&denying());
    assert!(matches!(held(permit), Refusal::Denied(denial) if denial.rules[0].as_str() == "pay"));
    court.policy.follows(&milder());
    assert!(matches!(
        refused(block_on(court.gate().resume(request))),
        Refusal::Denied(_)
    ));

    // What policy allowed may come to need people: then they are asked.
    court.policy.follows(RULES);
    while block_on(court.notices.next()).is_some_and(|notice| notice.request() != request) {}
    let permit = block_on(court.gate().guard(read())).unwrap();
    let request = permit.request();
    court.policy.follows(&RULES.replace(
        "effect = \"allow\"",
        "effect = \"approve\"\napproval = \"one\"",
    ));
    assert!(matches!(
        held(permit),
        Refusal::CouldNotDecide(Cause::BackToReviewers)
    ));
    let asked = loop {
        match block_on(court.notices.next()).unwrap() {
            Notice::Ask { card, .. } if card.request() == request => break card,
            _ => {}
        }
    };
    assert_eq!(asked.action_name().as_str(), "db.read");
    court.approve("rita", request);
    let permit = block_on(court.gate().resume(request)).unwrap();
    assert!(block_on(permit.run(async |_| Ok::<_, String>(()))).is_ok());
}

#[test]
fn hitl_p6_an_evaluator_that_fails_is_a_refusal() {
    let court = Court::sits();
    let moods = [
        (Mood::Errs, Cause::PolicyFailed, "policy_error"),
        (Mood::Panics, Cause::PolicyPanicked, "policy_panicked"),
        (Mood::SetsAnUnknownTask, Cause::PolicyFailed, "policy_error"),
    ];
    for (mood, cause, word) in moods {
        court.policy.follows(RULES);
        let (approved, allowed) = (
            court.approved(pay(5)),
            block_on(court.gate().guard(read())).unwrap(),
        );
        let request = approved.request();
        court.policy.becomes(mood.clone());
        let denied = refused(block_on(court.gate().guard(read())));
        assert!(
            matches!(&denied, Refusal::CouldNotDecide(found) if *found == cause),
            "{mood:?}: {denied:?}"
        );
        assert_eq!(court.cause("requested").as_deref(), Some(word), "{mood:?}");
        for permit in [approved, allowed] {
            let refusal = held(permit);
            assert!(
                matches!(&refusal, Refusal::CouldNotDecide(found) if *found == cause),
                "{mood:?}: {refusal:?}"
            );
            assert_eq!(court.cause("reassessed").as_deref(), Some(word), "{mood:?}");
        }
        // Not to be able to decide is not a person's no, and ends it all the same.
        court.policy.follows(RULES);
        assert!(matches!(
            refused(block_on(court.gate().resume(request))),
            Refusal::Denied(_)
        ));
    }
}

#[test]
fn an_evaluator_that_hangs_has_five_seconds() {
    let court = Court::sits();
    let gate = court.gate();
    let permit = court.approved(pay(5));
    court.policy.becomes(Mood::Hangs);
    let mut asked = gate.guard(read());
    let mut started = permit
        .run(async |_| -> Result<(), String> { panic!("it ran") })
        .boxed_local();
    let both = |asked: &mut futures::future::BoxFuture<'_, _>,
                started: &mut futures::future::LocalBoxFuture<'_, _>| {
        let asked: Option<Result<Permit, Refusal>> = asked.now_or_never();
        let started: Option<Result<countersign::gate::Executed<()>, RunError<String>>> =
            started.now_or_never();
        (asked, started)
    };
    assert!(matches!(both(&mut asked, &mut started), (None, None)));
    assert_eq!(court.policy.asked(), (2, 1), "both have been put to it");
    court.clock.advance(Duration::from_micros(4_999_999));
    court.clock.settled(1);
    assert!(matches!(both(&mut asked, &mut started), (None, None)));
    court.clock.advance(Duration::from_micros(1));
    court.clock.settled(1);
    assert!(matches!(
        refused(block_on(asked)),
        Refusal::CouldNotDecide(Cause::PolicyTimedOut)
    ));
    assert_eq!(court.cause("requested").as_deref(), Some("policy_timeout"));
    assert!(matches!(
        block_on(started),
        Err(RunError::Refused(Refusal::CouldNotDecide(
            Cause::PolicyTimedOut
        )))
    ));
    assert_eq!(court.cause("reassessed").as_deref(), Some("policy_timeout"));
}

#[test]
fn closing_does_not_wait_for_an_evaluator_that_hangs() {
    let court = Court::sits();
    court.policy.becomes(Mood::Hangs);
    let gate = court.gate();
    let mut asked = gate.guard(read());
    assert!((&mut asked).now_or_never().is_none());
    block_on(court.countersign.clone().close());
    assert!(matches!(
        refused(block_on(asked)),
        Refusal::CouldNotDecide(Cause::Closed)
    ));
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Pay {
    amount: i64,
}

impl Operation for Pay {
    const NAME: &'static str = "pay";
}

#[test]
fn hitl_p7_every_way_to_a_permit_asks_the_policy() {
    let court = Court::sits();
    court.policy.follows(&denying());
    let gate = court.gate();
    let dyn_gate: Arc<dyn ApprovalGate> = Arc::new(court.gate());
    let mut times = 0;
    let mut asked_once_more = |refusal: Refusal| {
        times += 1;
        assert!(matches!(refusal, Refusal::Denied(_)), "{refusal:?}");
        assert_eq!(court.policy.asked(), (times, 0));
    };
    asked_once_more(refused(block_on(gate.guard(pay(1)))));
    asked_once_more(refused(block_on(gate.guard_to_run(pay(1)))));
    asked_once_more(refused(block_on(gate.request(pay(1)))));
    asked_once_more(refused(block_on(dyn_gate.guard(pay(1)))));
    let ran = block_on(gate.run(pay(1), async |_| -> Result<(), String> { panic!("it ran") }));
    asked_once_more(
        ran.err()
            .and_then(|error| match error {
                RunError::Refused(refusal) => Some(refusal),
                _ => None,
            })
            .unwrap(),
    );
    let ran = block_on(
        dyn_gate.run_operation(Pay { amount: 1 }, async |_| -> Result<(), String> {
            panic!("it ran")
        }),
    );
    asked_once_more(
        ran.err()
            .and_then(|error| match error {
                RunError::Refused(refusal) => Some(refusal),
                _ => None,
            })
            .unwrap(),
    );
    assert_eq!(
        records::of_kind(&*court.store, "requested").len(),
        6,
        "each refusal is on record"
    );
}

#[test]
fn hoop_t13_every_entry_point_checks_the_same() {
    let court = Court::sits();
    let gate = court.gate();
    // Permits of every origin, all given before the rules changed.
    let operation = || Action::of(&Pay { amount: 9 }).build().unwrap();
    let typed = court.approved(operation()).typed::<Pay>().unwrap();
    let resumed = court.approved(pay(2));
    let allowed = block_on(gate.guard(read())).unwrap();
    let deferred = block_on(gate.guard_to_run(read())).unwrap();
    let Filing::Permitted(filed) = block_on(gate.request(read())).unwrap() else {
        panic!("it waits");
    };
    let nothing = RULES.replace("effect = \"allow\"", "effect = \"deny\"");
    court.policy.follows(&nothing.replace(
        "effect = \"approve\"\napproval = \"one\"",
        "effect = \"deny\"",
    ));
    let before = court.policy.asked().1;
    for permit in [typed.into_permit(), resumed, allowed, deferred, filed] {
        assert!(matches!(held(permit), Refusal::Denied(_)));
    }
    assert_eq!(
        court.policy.asked().1,
        before + 5,
        "each start is judged by the rules of now"
    );
    assert!(records::of_kind(&*court.store, "started").is_empty());
}

//! Several evaluators, one answer.

use std::sync::Arc;

use async_trait::async_trait;
use futures::executor::block_on;
use proptest::prelude::*;

use super::super::{
    AllOf, DenyUnlessPermitted, Evaluation, FactName, Facts, FirstApplicable, Needs, Phase,
    PolicyError, PolicyEvaluator, PolicyRevision, Question, Requirement, Verdict, from_fn,
    strictest,
};
use super::quorum;
use super::requirements::requirement;
use crate::action::{Action, ActorChain, Principal, SessionId};
use crate::clock::Timestamp;

fn ask(evaluator: &dyn PolicyEvaluator) -> Result<Evaluation, PolicyError> {
    let action = Action::named("db.read").build().unwrap();
    let chain = ActorChain::acting(Principal::agent("demo", "agent").unwrap());
    let session = SessionId::new("s").unwrap();
    let facts = Facts::none();
    block_on(evaluator.evaluate(&Question {
        action: &action,
        chain: &chain,
        session: &session,
        now: Timestamp::EPOCH,
        phase: Phase::Propose,
        facts: &facts,
    }))
}

fn saying(verdict: Verdict) -> Arc<dyn PolicyEvaluator> {
    Arc::new(from_fn("fixed/1", move |_| verdict.clone()))
}

fn people(text: &str) -> Verdict {
    Verdict::RequireApproval(Requirement::new(quorum(text)))
}

/// Fails whenever it is asked.
#[derive(Debug)]
struct Broken(PolicyRevision);

#[async_trait]
impl PolicyEvaluator for Broken {
    fn needs(&self) -> &Needs {
        const { &Needs::nothing() }
    }

    async fn evaluate(&self, _: &Question<'_>) -> Result<Evaluation, PolicyError> {
        Err(PolicyError::Remote("connection refused".to_owned()))
    }

    fn revision(&self) -> &PolicyRevision {
        &self.0
    }
}

fn broken() -> Arc<dyn PolicyEvaluator> {
    Arc::new(Broken(PolicyRevision::of("broken/1", b"")))
}

fn verdict_of(members: Vec<Arc<dyn PolicyEvaluator>>) -> Result<Verdict, PolicyError> {
    ask(&AllOf::new(members)).map(|answer| answer.verdict)
}

#[test]
fn hitl_p4_a_further_evaluator_only_tightens() {
    let sides = [Verdict::Allow, people("1 of group:a"), Verdict::Deny];
    for (index, strict) in sides.iter().enumerate() {
        for lax in &sides[..=index] {
            for members in [[strict, lax], [lax, strict]] {
                let verdict =
                    verdict_of(members.map(|side| saying(side.clone())).to_vec()).unwrap();
                assert_eq!(&verdict, strict);
            }
        }
    }
    let both = verdict_of(vec![
        saying(people("1 of group:b")),
        saying(people("1 of group:a")),
    ]);
    assert_eq!(both.unwrap(), people("1 of group:a and 1 of group:b"));
}

#[test]
fn policy_68_an_error_wins_over_everything_but_a_denial() {
    for verdict in [
        Verdict::Allow,
        people("1 of group:a"),
        Verdict::NotApplicable,
    ] {
        assert!(verdict_of(vec![saying(verdict.clone()), broken()]).is_err());
        assert!(verdict_of(vec![broken(), saying(verdict)]).is_err());
    }
    assert_eq!(
        verdict_of(vec![broken(), saying(Verdict::Deny)]),
        Ok(Verdict::Deny)
    );
    assert_eq!(
        verdict_of(vec![saying(Verdict::Deny), broken()]),
        Ok(Verdict::Deny)
    );
}

#[test]
fn hitl_p6_an_evaluator_that_fails_is_not_skipped() {
    let walk = FirstApplicable::new(vec![
        saying(Verdict::NotApplicable),
        broken(),
        saying(Verdict::Allow),
    ]);
    assert!(ask(&walk).is_err());
    assert!(ask(&DenyUnlessPermitted::new(broken())).is_err());
}

#[test]
fn the_first_that_applies_decides_where_that_is_asked_for() {
    let walk = FirstApplicable::new(vec![
        saying(Verdict::NotApplicable),
        saying(Verdict::Allow),
        saying(Verdict::Deny),
    ]);
    assert_eq!(ask(&walk).unwrap().verdict, Verdict::Allow);
    assert_eq!(
        ask(&FirstApplicable::new(Vec::new())).unwrap().verdict,
        Verdict::NotApplicable
    );
}

#[test]
fn hitl_p1_nothing_to_say_is_deny_once_closed() {
    assert_eq!(verdict_of(Vec::new()), Ok(Verdict::NotApplicable));
    let closed = DenyUnlessPermitted::new(AllOf::new(vec![saying(Verdict::NotApplicable)]));
    assert_eq!(ask(&closed).unwrap().verdict, Verdict::Deny);
    let open = DenyUnlessPermitted::new(saying(Verdict::Allow));
    assert_eq!(ask(&open).unwrap().verdict, Verdict::Allow);
}

#[test]
fn a_combination_needs_what_its_members_need() {
    let fact = |name: &str| FactName::new(name).unwrap();
    let one = from_fn("one", |_| Verdict::Allow).needing(Needs::nothing().fact(fact("risk")));
    let two = from_fn("two", |_| Verdict::Allow).needing(Needs::nothing().fact(fact("spent")));
    let all = AllOf::new(vec![Arc::new(one), Arc::new(two)]);
    let names: Vec<&str> = all.needs().facts().map(FactName::as_str).collect();
    assert_eq!(names, ["risk", "spent"]);
}

#[test]
fn a_combination_has_its_own_revision() {
    let one = AllOf::new(vec![saying(Verdict::Allow), broken()]);
    let two = AllOf::new(vec![saying(Verdict::Allow)]);
    assert_ne!(one.revision(), two.revision());
    assert_eq!(&ask(&two).unwrap().revision, two.revision());
}

#[test]
fn hitl_p5_asking_again_only_tightens() {
    let asked = people("1 of group:a");
    assert_eq!(strictest(asked.clone(), Verdict::Allow), asked);
    assert_eq!(strictest(Verdict::Deny, Verdict::Allow), Verdict::Deny);
    assert_eq!(
        strictest(Verdict::Allow, Verdict::NotApplicable),
        Verdict::Deny
    );
    assert_eq!(
        strictest(Verdict::NotApplicable, Verdict::NotApplicable),
        Verdict::Deny
    );
    assert_eq!(
        strictest(asked, people("1 of group:b")),
        people("1 of group:a and 1 of group:b")
    );
}

#[test]
fn a_joint_requirement_that_cannot_be_decided_is_refused() {
    let large = |group: &str| {
        people(&[format!("(1 of group:{group} or 1 of group:x)").as_str(); 6].join(" and "))
    };
    assert_eq!(strictest(large("a"), large("b")), Verdict::Deny);
    let both = verdict_of(vec![saying(large("a")), saying(large("b"))]);
    assert!(matches!(both, Err(PolicyError::Limit(_))));
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Allow),
        Just(Verdict::Deny),
        Just(Verdict::NotApplicable),
        requirement().prop_map(Verdict::RequireApproval),
    ]
}

/// Whether `strict` allows nothing that `lax` would not.
fn at_most(strict: &Verdict, lax: &Verdict) -> bool {
    match (strict, lax) {
        (Verdict::Deny | Verdict::NotApplicable, _) | (_, Verdict::Allow) => true,
        (Verdict::RequireApproval(strict), Verdict::RequireApproval(lax)) => strict.keeps(lax),
        (Verdict::RequireApproval(_) | Verdict::Allow, _) => false,
    }
}

proptest! {
    #[test]
    fn strictest_is_the_meet_of_the_order(a in verdict(), b in verdict(), c in verdict()) {
        let meet = strictest(a.clone(), b.clone());
        prop_assert!(at_most(&meet, &a) && at_most(&meet, &b));
        prop_assert_eq!(&meet, &strictest(b.clone(), a.clone()));
        prop_assert_eq!(strictest(meet.clone(), c.clone()), strictest(a.clone(), strictest(b.clone(), c.clone())));
        prop_assert_eq!(strictest(meet.clone(), meet.clone()), meet.clone());
        // The greatest of those below both.
        if at_most(&c, &a) && at_most(&c, &b) {
            prop_assert!(at_most(&c, &meet));
        }
    }
}

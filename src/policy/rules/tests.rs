#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod conditions;
mod documentation;
mod loading;
mod random;
mod rows;
mod witnesses;

use super::super::{Evaluation, Facts, Phase, Question, Requirement, Verdict};
use super::RuleSet;
use crate::action::{Action, ActionBuilder, ActorChain, Principal, SessionId, TenantId};
use crate::clock::Timestamp;

/// The rules of a text without its first line, `version = 1`.
fn rules(text: &str) -> RuleSet {
    RuleSet::from_toml(&format!("version = 1\n{text}")).unwrap()
}

/// The errors of such a text, whose own lines begin at 2.
fn refused(text: &str) -> String {
    let errors =
        RuleSet::from_toml(&format!("version = 1\n{text}")).expect_err("the rules are sound");
    errors.to_string()
}

/// A file of one rule, and one profile if it needs that.
fn one(effect: &str, when: &str) -> String {
    let (profile, approval) = match effect {
        "approve" => (
            "[approvals.people]\nquorum = \"1 of group:people\"\n",
            "approval = \"people\"\n",
        ),
        _ => ("", ""),
    };
    format!(
        "{profile}[[rules]]\nid = \"one\"\neffect = \"{effect}\"\n{approval}when = {{ {when} }}\n"
    )
}

fn ask(rules: &RuleSet, action: &Action, chain: &ActorChain) -> Evaluation {
    let session = SessionId::new("session-1").unwrap();
    let facts = Facts::none();
    rules
        .decide(&Question {
            action,
            chain,
            session: &session,
            now: Timestamp::EPOCH,
            phase: Phase::Propose,
            facts: &facts,
        })
        .unwrap()
}

/// An agent that acts for a human in a tenant.
fn chain() -> ActorChain {
    ActorChain::acting(Principal::agent("demo", "exporter").unwrap())
        .on_behalf_of(Principal::human("demo", "olga").unwrap())
        .unwrap()
        .in_tenant(TenantId::new("acme").unwrap())
}

fn decide(rules: &RuleSet, action: ActionBuilder) -> Evaluation {
    ask(rules, &action.build().unwrap(), &chain())
}

fn verdict(rules: &RuleSet, action: ActionBuilder) -> &'static str {
    word(&decide(rules, action).verdict)
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
        Verdict::RequireApproval(_) => "approve",
        Verdict::NotApplicable => "not applicable",
    }
}

fn requirement(evaluation: Evaluation) -> Requirement {
    match evaluation.verdict {
        Verdict::RequireApproval(requirement) => requirement,
        other => panic!("{other:?}"),
    }
}

fn decided_by(evaluation: &Evaluation) -> Vec<&str> {
    evaluation
        .decided_by
        .iter()
        .map(|rule| rule.as_str())
        .collect()
}

//! What holds for all rules and questions.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::super::{
    Facts, Phase, PolicyRevision, ProfileName, Question, Quorum, Requirement, RuleId, Verdict,
};
use super::super::decide::{Fallback, Policy};
use super::super::index::{Effect, Index, Rule};
use super::super::load::condition;
use super::super::tree;
use super::chain;
use crate::action::{Action, Dataset, Resource, SessionId};
use crate::clock::Timestamp;

const CONDITIONS: [&str; 20] = [
    r#"action = "*""#,
    r#"action = "db.read""#,
    r#"action = "db.*""#,
    r#"action = "*.read""#,
    r#"action = "db.re*""#,
    r#"action.in = ["db.read", "fs.read"]"#,
    r#"action.in = ["db.*", "fs.read"]"#,
    r#"params.p = 1"#,
    r#"params.p.gt = 1"#,
    r#"action = "db.read", params.p.le = 1"#,
    r#"action = "db.read", params.q.exists = false"#,
    r#"params.q.any = ["x"]"#,
    r#"resource.type = "table""#,
    r#"action = "db.*", resource.labels.any = ["pii"]"#,
    r#"reads.labels.none = ["pii"]"#,
    r#"resource.type = "table", reads.name = "d0""#,
    r#"not = { action = "db.read" }"#,
    r#"not = { params.p = 1, params.q.exists = true }"#,
    r#"any = [{ action = "fs.read" }, { params.p.lt = 0 }]"#,
    r#"any = [{ resource.type = "view" }, { not = { params.p = 2 } }]"#,
];

const PROFILES: [(&str, &str); 3] = [
    ("one", "1 of group:a"),
    ("two", "2 of group:a and 1 of group:b"),
    ("either", "1 of group:b or 1 of role:c"),
];

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        Just(Effect::Allow),
        Just(Effect::Deny),
        (0..PROFILES.len())
            .prop_map(|profile| Effect::Approve(ProfileName::new(PROFILES[profile].0).unwrap())),
    ]
}

fn rule(effect: impl Strategy<Value = Effect>) -> impl Strategy<Value = Rule> {
    (effect, 0..CONDITIONS.len(), 0u32..1 << 30).prop_map(|(effect, condition, id)| Rule {
        id: RuleId::new(&format!("r{id}")).unwrap(),
        line: 1,
        effect,
        when: when(CONDITIONS[condition]),
        reason: None,
    })
}

fn when(text: &str) -> super::super::when::When<super::super::attribute::Attribute> {
    let root = tree::from_toml(&format!("when = {{ {text} }}")).unwrap();
    let tree::Value::Table(entries) = root.value else {
        panic!("a TOML text is a table")
    };
    condition(&entries[0].node).unwrap()
}

fn fallback() -> impl Strategy<Value = Fallback> {
    let ask = Fallback::Approve(ProfileName::new("one").unwrap());
    prop_oneof![Just(Fallback::Deny), Just(ask), Just(Fallback::Allow)]
}

fn action() -> impl Strategy<Value = Action> {
    let names = prop_oneof![
        Just("db.read"),
        Just("db.read.all"),
        Just("fs.read"),
        Just("db.drop"),
        Just("db")
    ];
    let value = prop_oneof![
        Just(""),
        Just("0"),
        Just("1"),
        Just("2"),
        Just("\"1\""),
        Just("null"),
        Just("[\"x\"]"),
        Just("[\"y\", 1]")
    ];
    let resources = vec(
        (prop_oneof![Just("table"), Just("view")], any::<bool>()),
        0..=2,
    );
    let reads = vec(any::<bool>(), 0..=2);
    (names, value.clone(), value, resources, reads).prop_map(|(name, p, q, resources, reads)| {
        let members = [("p", p), ("q", q)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        let members: Vec<String> = members
            .map(|(name, value)| format!("\"{name}\": {value}"))
            .collect();
        let mut action =
            Action::named(name).parameters_json(format!("{{{}}}", members.join(",")).as_bytes());
        for (index, (kind, personal)) in resources.into_iter().enumerate() {
            let resource = Resource::new(kind, index.to_string());
            action = action.on(if personal {
                resource.label("pii")
            } else {
                resource
            });
        }
        for (index, personal) in reads.into_iter().enumerate() {
            let dataset = Dataset::new("n", format!("d{index}"));
            action = action.reads(if personal {
                dataset.label("pii")
            } else {
                dataset
            });
        }
        action.build().unwrap()
    })
}

fn decide(index: Index, default: &Fallback, action: &Action) -> (Verdict, Vec<RuleId>) {
    let profiles: BTreeMap<ProfileName, Requirement> = PROFILES
        .iter()
        .map(|(name, quorum)| {
            (
                ProfileName::new(name).unwrap(),
                Requirement::new(Quorum::parse(quorum).unwrap()),
            )
        })
        .collect();
    let policy = Policy {
        index,
        profiles,
        default: default.clone(),
    };
    let question = Question {
        action,
        chain: &chain(),
        session: &SessionId::new("s").unwrap(),
        now: Timestamp::EPOCH,
        phase: Phase::Propose,
        facts: &Facts::none(),
    };
    let answer = policy
        .decide(&question, &PolicyRevision::of("test/1", b""))
        .unwrap();
    (answer.verdict, answer.decided_by)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_restricting_rule_more_never_allows(
        rules in vec(rule(effect()), 0..12),
        more in rule(effect().prop_filter("restricting", |effect| *effect != Effect::Allow)),
        default in fallback(),
        action in action(),
    ) {
        let (before, _) = decide(Index::new(rules.clone()), &default, &action);
        let mut rules = rules;
        rules.push(more.clone());
        let (after, _) = decide(Index::new(rules), &default, &action);
        prop_assert!(before == Verdict::Allow || after != Verdict::Allow, "{:?} turns {:?} into {:?}", more, before, after);
        if let (Verdict::RequireApproval(before), Verdict::RequireApproval(after), false) = (&before, &after, matches!(default, Fallback::Approve(_))) {
            prop_assert!(after.keeps(before));
        }
        prop_assert!(before != Verdict::Deny || default == Fallback::Deny || after == Verdict::Deny);
    }

    #[test]
    fn the_order_of_rules_means_nothing(
        (rules, shuffled) in vec(rule(effect()), 0..12).prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle())),
        default in fallback(),
        action in action(),
    ) {
        let one = decide(Index::new(rules), &default, &action);
        let other = decide(Index::new(shuffled), &default, &action);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn rules_are_found_by_name_as_if_all_were_tried(
        rules in vec(rule(effect()), 0..12),
        default in fallback(),
        action in action(),
    ) {
        let indexed = decide(Index::new(rules.clone()), &default, &action);
        let tried = decide(Index::unsorted(rules), &default, &action);
        prop_assert_eq!(indexed, tried);
    }
}

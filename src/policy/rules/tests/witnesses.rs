//! What rules ask of witnesses stands beside the verdict, and adds up.

use std::sync::Arc;

use super::super::super::{AllOf, Obligation, PolicyEvaluator, Verdict, Witnessing};
use super::{decide, decided_by, refused, requirement, rules};
use crate::action::Action;

const RULES: &str = r#"
[approvals.known]
quorum = "1 of group:a"
witnessed = true

[approvals.other]
quorum = "1 of group:b"
witnessed = false

[[rules]]
id = "reads"
effect = "allow"
when = { action = "db.read" }

[[rules]]
id = "large"
effect = "witness"
when = { action = "db.*", params.rows.gt = 1000 }

[[rules]]
id = "writes"
effect = "approve"
approval = "other"
when = { action = "db.write" }

[[rules]]
id = "known-writes"
effect = "approve"
approval = "known"
when = { action = "db.write", params.table = "keys" }

[[rules]]
id = "drops"
effect = "deny"
when = { action = "db.drop" }
"#;

#[test]
fn a_witness_rule_lets_nothing_run_and_denies_nothing() {
    let rules = rules(RULES);
    let read = |rows| decide(&rules, Action::named("db.read").parameter("rows", rows));
    let small = read(5);
    assert_eq!(small.verdict, Verdict::Allow);
    assert!(small.obligations.is_empty());
    let large = read(5000);
    assert_eq!(large.verdict, Verdict::Allow);
    assert_eq!(large.obligations, [Obligation::witnessed()]);
    assert_eq!(decided_by(&large), ["large", "reads"]);
    // What is not known makes it stricter.
    let unknown = decide(&rules, Action::named("db.read"));
    assert_eq!(unknown.obligations, [Obligation::witnessed()]);
    // It stands beside people as well.
    let writes = decide(&rules, Action::named("db.write").parameter("table", "x"));
    assert_eq!(writes.obligations, [Obligation::witnessed()]);
    for nothing in ["db.drop", "db.other"] {
        let denied = decide(&rules, Action::named(nothing));
        assert_eq!(denied.verdict, Verdict::Deny);
        assert!(denied.obligations.is_empty());
        assert!(!decided_by(&denied).contains(&"large"));
    }
}

#[test]
fn one_profile_that_wants_witnesses_is_enough() {
    let rules = rules(RULES);
    let write = |table: &str| {
        let action = Action::named("db.write");
        let action = action.parameter("table", table).parameter("rows", 1);
        requirement(decide(&rules, action)).witnessing
    };
    assert_eq!(write("other"), Witnessing::Afterwards);
    assert_eq!(write("keys"), Witnessing::BeforeStart);
}

#[test]
fn whether_rules_rely_on_witnesses_is_known_at_load() {
    assert_eq!(rules(RULES).needs().witnessing(), Witnessing::BeforeStart);
    let both = AllOf::new(vec![Arc::new(rules("")), Arc::new(rules(RULES))]);
    assert_eq!(both.needs().witnessing(), Witnessing::BeforeStart);
    let without = RULES.replace("\"witness\"", "\"deny\"");
    assert_eq!(
        rules(&without).needs().witnessing(),
        Witnessing::BeforeStart
    );
    let without = without.replace("witnessed = true", "");
    assert_eq!(rules(&without).needs().witnessing(), Witnessing::Afterwards);
}

#[test]
fn a_witness_rule_has_no_profile() {
    let error = refused(
        "[[rules]]\nid = \"x\"\neffect = \"witness\"\napproval = \"p\"\nwhen = { action = \"*\" }",
    );
    assert!(
        error.contains("only a rule with `effect = \"approve\"`"),
        "{error}"
    );
}

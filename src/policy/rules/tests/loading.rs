//! What keeps a file out, and where its errors point.

use super::super::super::{PolicyEvaluator, PolicyRevision};
use super::super::RuleSet;
use super::{one, refused, rules};

/// The message for one rule with this condition.
fn condition(when: &str) -> String {
    refused(&one("deny", when))
}

#[test]
fn every_error_names_rule_and_line_in_both_syntaxes() {
    let toml = r#"version = 1
default = "approve:nobody"

[approvals.people]
quorum = "1 of people"
timeout = "4 hours"
min_auth = "phr"

[[rules]]
id = "first"
effect = "deny"
when = { action = "DROP" }

[[rules]]
id = "first"
effect = "approve"
when = { action = "db.read" }
limit = 3
"#;
    let expected = [
        "line 2: there is no approval profile `nobody`",
        "line 5: approval `people`: `quorum`: `people` lacks its kind",
        "line 6: approval `people`: `timeout` is a span from `1s` to `30d`",
        "line 7: approval `people`: unknown field `min_auth`",
        "line 12: rule `first`: `DROP` can never match",
        "line 16: rule `first`: `effect = \"approve\"` needs `approval`",
        "line 18: rule `first`: unknown field `limit`",
    ];
    let errors: Vec<String> = RuleSet::from_toml(toml)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    for (error, start) in errors.iter().zip(expected) {
        assert!(error.starts_with(start), "{error}\n is not\n{start}");
    }
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");

    let json = br#"{ "version": 1,
        "default": "approve:nobody",
        "approvals": { "people": {
            "quorum": "1 of people",
            "timeout": "4 hours",
            "min_auth": "phr" } },
        "rules": [
            { "id": "first", "effect": "deny",
              "when": { "action": "DROP" } },
            { "id": "first",
              "effect": "approve",
              "when": { "action": "db.read" },
              "limit": 3 } ] }"#;
    let json: Vec<String> = RuleSet::from_json(json)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    let rest = |error: &String| error.split_once(": ").unwrap().1.to_owned();
    assert_eq!(
        json.iter().map(rest).collect::<Vec<_>>(),
        errors.iter().map(rest).collect::<Vec<_>>()
    );
    let lines: Vec<&str> = json
        .iter()
        .map(|error| error.split_once(':').unwrap().0)
        .collect();
    assert_eq!(
        lines,
        [
            "line 2", "line 4", "line 5", "line 6", "line 9", "line 11", "line 13"
        ]
    );
}

#[test]
fn text_that_is_neither_toml_nor_json_is_refused_with_its_line() {
    assert!(
        RuleSet::from_toml("version = 1\nrules = [")
            .unwrap_err()
            .to_string()
            .contains("line 2: this is no TOML")
    );
    assert!(
        RuleSet::from_toml("version = 1\nversion = 1")
            .unwrap_err()
            .to_string()
            .contains("line 2")
    );
    let duplicate = RuleSet::from_json(b"{\"version\": 1,\n \"version\": 1}").unwrap_err();
    assert!(
        duplicate
            .to_string()
            .contains("line 2: this JSON is refused"),
        "{duplicate}"
    );
    assert!(RuleSet::from_json(b"{\"version\": 1} x").is_err());
    assert!(
        RuleSet::from_json(b"[]")
            .unwrap_err()
            .to_string()
            .contains("a table belongs here, not a list")
    );
    assert!(RuleSet::from_json(br#"{"version": 1, "rules": [{"id": "a\"}{", "effect": "deny", "when": {"action": "*"}}]}"#).is_err());
    assert!(RuleSet::from_json(br#"{"version": 1, "default": "\u0064eny", "rules": []}"#).is_ok());
    assert!(
        RuleSet::from_toml(&"#".repeat(1 << 21))
            .unwrap_err()
            .to_string()
            .contains("larger than")
    );
    assert!(
        RuleSet::from_path("/nonexistent/rules.toml")
            .unwrap_err()
            .to_string()
            .contains("rules.toml")
    );
}

#[test]
fn files_are_read_by_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let toml = folder.path().join("rules.toml");
    std::fs::write(&toml, "version = 1\n").unwrap();
    let json = folder.path().join("rules.json");
    std::fs::write(&json, "{\"version\": 1}").unwrap();
    assert!(RuleSet::from_path(&toml).is_ok());
    assert!(RuleSet::from_path(&json).is_ok());
    std::fs::write(&json, "version = 1\n").unwrap();
    assert!(RuleSet::from_path(&json).is_err());
}

#[test]
fn the_version_is_said() {
    assert!(
        RuleSet::from_toml("")
            .unwrap_err()
            .to_string()
            .contains("`version` is missing")
    );
    assert!(
        RuleSet::from_toml("version = 2")
            .unwrap_err()
            .to_string()
            .contains("`version` is 1")
    );
    assert!(RuleSet::from_toml("version = \"1\"").is_err());
}

#[test]
fn what_later_work_adds_is_refused_like_anything_unknown() {
    for field in ["limit = 3", "escalate = []", "min_auth = {}", "hard = true"] {
        assert!(
            refused(&format!("{}{field}\n", one("deny", "action = \"a\"")))
                .contains("unknown field"),
            "{field}"
        );
    }
    for when in [
        "time.tz = \"Europe/Berlin\"",
        "risk.score.ge = 70",
        "when_cel = \"1\"",
        "facts.x = 1",
    ] {
        assert!(
            condition(when).contains("a condition cannot look at"),
            "{when}"
        );
    }
    for operator in ["regex", "cidr", "gte", "ne", "contains"] {
        let error = condition(&format!("params.p.{operator} = \"x\""));
        assert!(
            error.contains(&format!("`{operator}` is no operator")),
            "{error}"
        );
    }
    assert!(condition("resource.id.regex = \"x\"").contains("`regex` is no operator"));
    assert!(condition("resource.owner = \"x\"").contains("`resource` has no `owner`"));
    assert!(condition("principal.name = \"x\"").contains("`principal` has no `name`"));
}

#[test]
fn a_condition_says_something() {
    assert!(refused(&one("deny", "")).contains("say `action = \"*\"` if that is meant"));
    assert!(condition("not = {}").contains("an empty condition"));
    assert!(condition("any = []").contains("`any` is a list of conditions"));
    assert!(condition("any = [{}]").contains("an empty condition"));
    assert!(condition("params = {}").contains("name what is below it"));
    assert!(condition("params = 1").contains("name what is below it"));
    assert!(condition("params.p = {}").contains("compared with nothing"));
    assert!(condition("params.p.in = []").contains("an empty list"));
    assert!(refused("[[rules]]\nid = \"a\"\neffect = \"deny\"\n").contains("`when` is missing"));
    let deep = |depth: usize| {
        format!(
            "{}action = \"a\"{}",
            "not = { ".repeat(depth),
            " }".repeat(depth)
        )
    };
    rules(&one("deny", &deep(7)));
    assert!(condition(&deep(8)).contains("nest deeper than 8"));
}

#[test]
fn what_can_never_match_is_refused() {
    for when in [
        "principal.kind = \"robot\"",
        "reads.kind = \"table\"",
        "principal.delegated = \"yes\"",
        "resource.type = 3",
        "resource.type.gt = 3",
        "tool.digest = \"abc\"",
        "resource.labels = \"pii\"",
        "resource.labels.any = [\"PII\"]",
        "resource.labels.in = [\"pii\"]",
        "principal.chain.depth = \"2\"",
        "tenant.any = [\"a\"]",
        "params.p.gt = \"5\"",
        "params.p = [1]",
        "params.p.in = [1, \"1\"]",
        "params.p.in = 1",
        "params.p.prefix = \"\"",
        "params.p.exists = 1",
        "params.p.len = -1",
        "params.p.len = 1.5",
        "params.p.len.in = [1]",
        "principal.kind.exists = false",
        "session.exists = true",
        "params._sd = 1",
        "params.p = 2030-01-31T18:00:00Z",
        "action = 3",
        "action.in = \"a\"",
        "action.in = []",
        "action = [\"a\"]",
        "action = { eq = \"a\", in = [\"a\"] }",
        "params.p = { gt = 5, lt = 5 }",
        "params.p = { ge = 5, lt = 5 }",
        "params.p = { gt = 6, le = 5 }",
        "params.p = { eq = 1, gt = 1 }",
        "params.p = { eq = \"a\", in = [\"b\", \"c\"] }",
        "params.p = { exists = false, eq = 1 }",
        "not = { action = \"*\" }",
        "any = [{ params.p = { gt = 5, lt = 5 } }]",
        "params.p = { gt = 1, in = [\"a\"] }",
    ] {
        let error = condition(when);
        assert!(error.contains("rule `one`"), "{when}: {error}");
    }
    for sound in [
        "params.p = { ge = 5, le = 5 }",
        "params.p = { gt = 5, lt = 5.1 }",
        "params.p = { eq = \"ab\", prefix = \"a\" }",
        "params.p = { in = [1, 2], gt = 1 }",
        "any = [{ params.p = { gt = 5, lt = 5 } }, { action = \"a\" }]",
    ] {
        rules(&one("deny", sound));
    }
}

#[test]
fn a_table_below_a_name_holds_operators_or_names() {
    let mixed = condition("params.p = { gt = 1, currency = \"EUR\" }");
    assert!(
        mixed.contains("`gt` is an operator here and stands beside names"),
        "{mixed}"
    );
    rules(&one("deny", "params.p.q.r.s = 1"));
    let dotted = RuleSet::from_json(br#"{"version": 1, "rules": [{"id": "a", "effect": "deny", "when": {"params.amount.gt": 5}}]}"#);
    assert!(
        dotted
            .unwrap_err()
            .to_string()
            .contains("nest it below `params`")
    );
}

#[test]
fn an_allow_that_a_deny_always_overrules_is_refused() {
    let pair = |deny: &str, effect: &str, when: &str| {
        format!(
            "{}[[rules]]\nid = \"two\"\neffect = \"{effect}\"\nwhen = {{ {when} }}\n",
            one("deny", deny)
        )
    };
    for (deny, allow) in [
        ("action = \"*\"", "action = \"db.read\""),
        ("action = \"*\"", "params.p = 1"),
        ("action = \"db.*\"", "action = \"db.read\""),
        ("action = \"db.*\"", "action = \"db.read*\", params.p = 1"),
        (
            "action = \"db.*\"",
            "action.in = [\"db.read\", \"db.write.*\"]",
        ),
        ("action = \"db.dr*\"", "action = \"db.drop\""),
        (
            "action = \"db.read\", params.p = 1",
            "action = \"db.read\", params = { p = 1, q = 2 }",
        ),
    ] {
        let error = refused(&pair(deny, "allow", allow));
        assert!(
            error.contains("line 6: rule `two`: is never reached: rule `one` at line 2"),
            "{error}"
        );
    }
    for (deny, allow) in [
        ("action = \"db.*\"", "action = \"db\""),
        ("action = \"db.dr*\"", "action = \"db.drop.*\""),
        (
            "action = \"db.*\"",
            "action.in = [\"db.read\", \"fs.read\"]",
        ),
        ("action = \"db.read\", params.p = 1", "action = \"db.read\""),
        (
            "action = \"db.read\", params.p = 1",
            "action = \"db.read\", params.p = 2",
        ),
        ("action = \"db.read\"", "params.p = 2"),
    ] {
        rules(&pair(deny, "allow", allow));
    }
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    let unused = rules("[approvals.people]\nquorum = \"1 of group:people\"\n");
    assert_eq!(
        unused.warnings()[0].to_string(),
        "line 2: no rule uses the approval profile `people`"
    );
    assert!(
        rules(&one("approve", "action = \"a\""))
            .warnings()
            .is_empty()
    );
    let shadowed = format!(
        "{}[[rules]]\nid = \"two\"\neffect = \"deny\"\nwhen = {{ action = \"*\" }}\n",
        one("approve", "action = \"a\"")
    );
    assert!(
        rules(&shadowed).warnings()[0]
            .message()
            .contains("rule `one` is never reached")
    );
}

#[test]
fn a_rule_has_what_its_effect_needs() {
    let rule = |fields: &str| {
        refused(&format!(
            "[approvals.p]\nquorum = \"1 of group:a\"\n[[rules]]\nwhen = {{ action = \"a\" }}\n{fields}"
        ))
    };
    assert!(rule("id = \"r\"\neffect = \"approve\"").contains("needs `approval`"));
    assert!(
        rule("id = \"r\"\neffect = \"deny\"\napproval = \"p\"")
            .contains("only a rule with `effect = \"approve\"`")
    );
    assert!(
        rule("id = \"r\"\neffect = \"approve\"\napproval = \"q\"")
            .contains("there is no approval profile `q`")
    );
    assert!(rule("effect = \"deny\"").contains("rule 1: `id` is missing"));
    assert!(rule("id = \"a b\"\neffect = \"deny\"").contains("rule 1: `id`: `a b` is no name"));
    assert!(rule("id = \"r\"").contains("rule `r`: `effect` is missing"));
    let twice = format!(
        "{}{}",
        one("deny", "action = \"a\""),
        one("deny", "action = \"b\"")
    );
    assert!(refused(&twice).contains("line 6: rule `one`: the rule at line 2 has this id already"));
}

#[test]
fn a_profile_is_read_strictly() {
    let profile = |field: &str| {
        refused(&format!(
            "default = \"approve:p\"\n[approvals.p]\nquorum = \"1 of group:a\"\n{field}\n"
        ))
    };
    for field in [
        "timeout = 4",
        "timeout = \"0s\"",
        "timeout = \"31d\"",
        "timeout = \"-1h\"",
        "timeout = \"+1h\"",
        "timeout = \"1h30m\"",
        "timeout = \"h\"",
        "valid_for = \"forever\"",
        "run_within = \"1w\"",
        "not_before = \"tomorrow\"",
        "not_before = \"2030-01-31T18:00:00+01:00\"",
        "not_before = \"2030-01-31T18:00:00.1234567Z\"",
        "exclude = \"requester\"",
        "exclude = [\"everyone\"]",
        "reason_required = \"yes\"",
        "distinct = false",
        "veto = \"any\"",
    ] {
        let error = profile(field);
        assert!(
            error.contains("line 5: approval `p`") || error.contains("line 3: approval `p`"),
            "{field}: {error}"
        );
    }
}

#[test]
fn a_test_in_the_file_that_fails_keeps_it_out() {
    let with = |test: &str| {
        format!(
            "{}[[tests]]\n{test}\n",
            one("deny", "action = \"a\", params.p.gt = 5")
        )
    };
    rules(&with(
        "action = \"a\"\nparams.p = 6\nexpect = \"deny\"\nby = [\"one\"]",
    ));
    rules(&with(
        "action = \"a\"\nparams.p = 5\nexpect = \"deny\"\nby = []",
    ));
    let wrong = refused(&with(
        "name = \"six\"\naction = \"a\"\nparams.p = 6\nexpect = \"allow\"",
    ));
    assert!(
        wrong.contains("line 6: test `six`: expects `allow`, but `one` decides `deny`"),
        "{wrong}"
    );
    let other = refused(&with(
        "action = \"a\"\nparams.p = 5\nexpect = \"deny\"\nby = [\"one\"]",
    ));
    assert!(
        other.contains("line 6: test 1: expects other rules to decide: it is the default"),
        "{other}"
    );
    for broken in [
        "expect = \"deny\"",
        "action = \"A\"\nexpect = \"deny\"",
        "action = \"a\"",
        "action = \"a\"\nexpect = \"maybe\"",
        "action = \"a\"\nexpect = \"deny\"\nuser = 1",
        "action = \"a\"\nexpect = \"deny\"\nresource = { id = \"x\" }",
        "action = \"a\"\nexpect = \"deny\"\nprincipal.kind = \"robot\"",
        "action = \"a\"\nexpect = \"deny\"\nreads = { namespace = \"n\", name = \"x\", kind = \"y\" }",
        "action = \"a\"\nexpect = \"deny\"\nby = \"one\"",
        "action = \"a\"\nexpect = \"deny\"\ntenant = \"a b\"",
        "action = \"a\"\nexpect = \"deny\"\ntool = { name = \"t\", digest = \"x\" }",
    ] {
        assert!(refused(&with(broken)).contains("test 1"), "{broken}");
    }
}

#[test]
fn the_revision_is_of_the_text() {
    let one_text = rules("");
    assert_eq!(
        PolicyEvaluator::revision(&one_text).engine(),
        "countersign-rules/1"
    );
    let revision = |set: &RuleSet| PolicyEvaluator::revision(set).clone();
    assert_eq!(revision(&one_text), revision(&rules("")));
    assert_ne!(revision(&one_text), revision(&rules("# a comment")));
    let known = revision(&one_text);
    assert_eq!(
        PolicyRevision::from_parts(*known.digest(), known.engine()),
        known
    );
}

#[test]
fn messages_show_hostile_input_escaped_and_short() {
    let error = refused(&format!("\"\\u202Eevil{}\" = 1", "x".repeat(5000)));
    assert!(error.contains("\\u{202e}evil"), "{error}");
    assert!(error.len() < 1000);
}

//! Every path and operator, on what holds, what does not, and what cannot be known.

use super::{chain, decide, one, rules, verdict};
use crate::action::{Action, ActionBuilder, Dataset, Resource, Tool};
use crate::canonical::Digest;

/// How a condition judges an action, told from how a denying and an allowing rule take it.
fn judge(when: &str, action: ActionBuilder) -> &'static str {
    let denies = decide(&rules(&one("deny", when)), action.clone())
        .decided_by
        .len()
        == 1;
    let allows = verdict(&rules(&one("allow", when)), action) == "allow";
    match (denies, allows) {
        (true, true) => "yes",
        (true, false) => "unknown",
        (false, false) => "no",
        (false, true) => panic!("`{when}` allows what it does not match"),
    }
}

/// Checks `params.p OPERATOR` for values of `p`, `-` being no value.
fn parameter(operator: &str, expected: &[(&str, &str)]) {
    for (value, truth) in expected {
        let mut action = Action::named("a");
        if *value != "-" {
            action = action.parameters_json(format!(r#"{{"p": {value}}}"#).as_bytes());
        }
        assert_eq!(
            judge(&format!("params.p{operator}"), action),
            *truth,
            "params.p{operator} for {value}"
        );
    }
}

#[test]
fn equality() {
    parameter(
        " = \"x\"",
        &[
            ("\"x\"", "yes"),
            ("\"X\"", "no"),
            ("1", "unknown"),
            ("null", "unknown"),
            ("-", "unknown"),
        ],
    );
    parameter(
        ".eq = true",
        &[
            ("true", "yes"),
            ("false", "no"),
            ("\"true\"", "unknown"),
            ("1", "unknown"),
        ],
    );
    parameter(
        " = 1.5",
        &[
            ("1.50", "yes"),
            ("15e-1", "yes"),
            ("2", "no"),
            ("\"1.5\"", "unknown"),
            ("[1.5]", "unknown"),
        ],
    );
    parameter(
        ".in = [\"x\", \"y\"]",
        &[
            ("\"y\"", "yes"),
            ("\"z\"", "no"),
            ("[\"x\"]", "unknown"),
            ("-", "unknown"),
        ],
    );
}

#[test]
fn lists() {
    parameter(
        ".any = [\"x\", \"y\"]",
        &[
            ("[\"y\"]", "yes"),
            ("[\"z\"]", "no"),
            ("[]", "no"),
            ("[\"z\", 1]", "unknown"),
            ("[\"x\", 1]", "yes"),
            ("\"x\"", "unknown"),
            ("-", "unknown"),
        ],
    );
    parameter(
        ".all = [\"x\", \"y\"]",
        &[
            ("[\"y\", \"x\", \"z\"]", "yes"),
            ("[\"y\"]", "no"),
            ("[]", "no"),
            ("[\"x\", null]", "unknown"),
            ("\"x\"", "unknown"),
        ],
    );
    parameter(
        ".none = [\"x\", \"y\"]",
        &[
            ("[\"z\"]", "yes"),
            ("[]", "yes"),
            ("[\"x\"]", "no"),
            ("[\"z\", {}]", "unknown"),
            ("-", "unknown"),
        ],
    );
}

#[test]
fn order() {
    for (operator, below, at, above) in [
        ("gt", "no", "no", "yes"),
        ("ge", "no", "yes", "yes"),
        ("lt", "yes", "no", "no"),
        ("le", "yes", "yes", "no"),
    ] {
        let expected = [
            ("0.99", below),
            ("1e0", at),
            ("1.01", above),
            ("\"1\"", "unknown"),
            ("null", "unknown"),
            ("-", "unknown"),
            ("[9]", "unknown"),
        ];
        parameter(&format!(".{operator} = 1"), &expected);
    }
    parameter(
        " = { gt = 1, le = 3 }",
        &[("1", "no"), ("2", "yes"), ("3", "yes"), ("3.1", "no")],
    );
    parameter(".gt = -5", &[("-4", "yes"), ("-6", "no")]);
}

#[test]
fn texts() {
    parameter(
        ".prefix = \"ab\"",
        &[
            ("\"abc\"", "yes"),
            ("\"xab\"", "no"),
            ("1", "unknown"),
            ("-", "unknown"),
        ],
    );
    parameter(
        ".suffix = \"bc\"",
        &[
            ("\"abc\"", "yes"),
            ("\"bcd\"", "no"),
            ("[\"abc\"]", "unknown"),
        ],
    );
    parameter(
        ".glob = \"a*c*e\"",
        &[
            ("\"ace\"", "yes"),
            ("\"abcde\"", "yes"),
            ("\"abcdef\"", "no"),
            ("\"aec\"", "no"),
            ("\"ae\"", "no"),
            ("5", "unknown"),
        ],
    );
    parameter(
        ".glob = \"plain\"",
        &[("\"plain\"", "yes"), ("\"plainer\"", "no")],
    );
    parameter(".glob = \"a*a\"", &[("\"aa\"", "yes"), ("\"a\"", "no")]);
    parameter(".glob = \"*\"", &[("\"\"", "yes"), ("\"x\"", "yes")]);
}

#[test]
fn presence_and_length() {
    parameter(
        ".exists = true",
        &[
            ("1", "yes"),
            ("{}", "yes"),
            ("[]", "yes"),
            ("\"\"", "yes"),
            ("-", "no"),
            ("null", "unknown"),
        ],
    );
    parameter(
        ".exists = false",
        &[("1", "no"), ("-", "yes"), ("null", "unknown")],
    );
    parameter(
        ".len = 2",
        &[
            ("\"\u{e9}\u{e9}\"", "yes"),
            ("[1, 2]", "yes"),
            ("[1]", "no"),
            ("{}", "unknown"),
            ("2", "unknown"),
            ("-", "unknown"),
        ],
    );
    parameter(
        ".len = { ge = 1, lt = 3 }",
        &[("[]", "no"), ("[1]", "yes"), ("[1, 2, 3]", "no")],
    );
}

#[test]
fn members_inside_of_values() {
    parameter(
        ".a.b = 1",
        &[
            ("{\"a\": {\"b\": 1}}", "yes"),
            ("{\"a\": {\"b\": 2}}", "no"),
            ("{\"a\": {}}", "unknown"),
            ("{\"a\": 1}", "unknown"),
            ("[1]", "unknown"),
            ("-", "unknown"),
        ],
    );
    parameter(
        ".a.b.exists = false",
        &[
            ("{\"a\": {\"b\": 1}}", "no"),
            ("{\"a\": {}}", "yes"),
            ("{}", "yes"),
            ("{\"a\": 1}", "unknown"),
            ("-", "yes"),
        ],
    );
    assert_eq!(
        judge("params.\"a.b\" = 1", Action::named("a").parameter("a.b", 1)),
        "yes"
    );
    assert_eq!(
        judge("params.len = 1", Action::named("a").parameter("len", 1)),
        "yes"
    );
    assert_eq!(
        judge("params.in.len = 1", Action::named("a").parameter("in", "x")),
        "yes"
    );
}

#[test]
fn any_and_not() {
    let either = r#"any = [{ params.p = 1 }, { params.q = 2 }]"#;
    assert_eq!(judge(either, Action::named("a").parameter("p", 1)), "yes");
    assert_eq!(
        judge(either, Action::named("a").parameter("p", 0)),
        "unknown"
    );
    assert_eq!(
        judge(
            either,
            Action::named("a").parameter("p", 0).parameter("q", 0)
        ),
        "no"
    );
    let neither = r#"not = { params.p = 1, params.q = 2 }"#;
    assert_eq!(
        judge(
            neither,
            Action::named("a").parameter("p", 1).parameter("q", 2)
        ),
        "no"
    );
    assert_eq!(judge(neither, Action::named("a").parameter("p", 0)), "yes");
    assert_eq!(
        judge(neither, Action::named("a").parameter("p", 1)),
        "unknown"
    );
    let names = r#"not = { action = "a.*" }"#;
    assert_eq!(judge(names, Action::named("a.b")), "no");
    assert_eq!(judge(names, Action::named("b")), "yes");
}

#[test]
fn action_names() {
    for (pattern, yes, no) in [
        ("\"*\"", ["a", "a.b.c"].as_slice(), [].as_slice()),
        ("\"a.b\"", &["a.b"], &["a", "a.b.c", "a.bc"]),
        ("\"*.b\"", &["a.b", "c.b"], &["b", "a.c.b", "a.bc"]),
        ("\"a.*.c\"", &["a.b.c"], &["a.c", "a.b.b.c", "a.b.c.d"]),
        (
            "\"a.*.c.*\"",
            &["a.b.c.d", "a.b.c.d.e"],
            &["a.b.c", "a.b.d.e"],
        ),
        (
            "\"*.dr*\"",
            &["a.drop", "a.dr"],
            &["a.d", "dr", "a.drop.now"],
        ),
        ("\"dr*\"", &["drop", "dr"], &["drop.now", "d"]),
    ] {
        for name in yes {
            assert_eq!(
                judge(&format!("action = {pattern}"), Action::named(name)),
                "yes",
                "{pattern} {name}"
            );
        }
        for name in no {
            assert_eq!(
                judge(&format!("action = {pattern}"), Action::named(name)),
                "no",
                "{pattern} {name}"
            );
        }
    }
    assert_eq!(
        judge(r#"action.in = ["a", "b.*"]"#, Action::named("b.c")),
        "yes"
    );
    assert_eq!(
        judge(r#"action.in = ["a", "b"]"#, Action::named("b")),
        "yes"
    );
    assert_eq!(judge(r#"action.in = ["a", "b"]"#, Action::named("c")), "no");
}

#[test]
fn every_path() {
    let digest = Digest::sha256(b"tool");
    let full = || {
        Action::named("a")
            .tool(
                Tool::new("exporter")
                    .version("3.2.0")
                    .server("mcp-1")
                    .digest(digest),
            )
            .on(Resource::new("table", "crm.customers").label("pii"))
            .reads(Dataset::new("postgres://db", "crm").label("pii"))
            .writes(Dataset::model("file://host", "weights"))
            .context("environment", "production")
    };
    let digest_is = format!("tool.digest = \"{digest}\"");
    let other_digest = format!("tool.digest = \"{}\"", Digest::sha256(b"other"));
    for (yes, no) in [
        ("resource.type = \"table\"", "resource.type = \"view\""),
        (
            "resource.id.prefix = \"crm.\"",
            "resource.id.prefix = \"hr.\"",
        ),
        (
            "resource.labels.any = [\"pii\"]",
            "resource.labels.any = [\"secret\"]",
        ),
        ("resource.labels.len = 1", "resource.labels.len = 0"),
        (
            "context.environment = \"production\"",
            "context.environment = \"test\"",
        ),
        ("principal.kind = \"agent\"", "principal.kind = \"human\""),
        ("principal.issuer = \"demo\"", "principal.issuer = \"okta\""),
        (
            "principal.subject.in = [\"exporter\"]",
            "principal.subject.in = [\"olga\"]",
        ),
        ("principal.delegated = true", "principal.delegated = false"),
        ("principal.chain.depth = 2", "principal.chain.depth.gt = 2"),
        ("tenant = \"acme\"", "tenant = \"evil\""),
        ("session = \"session-1\"", "session.prefix = \"other\""),
        ("tool.name = \"exporter\"", "tool.name = \"psql\""),
        (
            "tool.version.prefix = \"3.\"",
            "tool.version.prefix = \"2.\"",
        ),
        (&digest_is, &other_digest),
        ("tool.server = \"mcp-1\"", "tool.server = \"mcp-2\""),
        (
            "reads.namespace.glob = \"postgres://*\"",
            "reads.namespace.glob = \"mysql://*\"",
        ),
        ("reads.name = \"crm\"", "reads.name = \"hr\""),
        ("reads.kind = \"data\"", "reads.kind = \"code\""),
        (
            "reads.labels.all = [\"pii\"]",
            "reads.labels.none = [\"pii\"]",
        ),
        (
            "writes.namespace = \"file://host\"",
            "writes.namespace = \"file://other\"",
        ),
        ("writes.name = \"weights\"", "writes.name = \"crm\""),
        (
            "writes.kind.in = [\"model\", \"code\"]",
            "writes.kind = \"data\"",
        ),
        (
            "writes.labels.none = [\"pii\"]",
            "writes.labels.any = [\"pii\"]",
        ),
    ] {
        assert_eq!(judge(yes, full()), "yes", "{yes}");
        assert_eq!(judge(no, full()), "no", "{no}");
    }
    for unknown in [
        "resource.type = \"table\"",
        "resource.labels.none = [\"pii\"]",
        "context.environment = \"production\"",
        "tool.name = \"exporter\"",
        "reads.kind = \"data\"",
        "writes.labels.any = [\"pii\"]",
        "not = { writes.name = \"x\" }",
    ] {
        assert_eq!(judge(unknown, Action::named("a")), "unknown", "{unknown}");
    }
    for absent in [
        "resource.id",
        "tool.digest",
        "reads.name",
        "writes.kind",
        "context.environment",
    ] {
        assert_eq!(
            judge(&format!("{absent}.exists = false"), Action::named("a")),
            "yes",
            "{absent}"
        );
        assert_eq!(
            judge(&format!("{absent}.exists = false"), full()),
            "no",
            "{absent}"
        );
    }
    assert_eq!(chain().delegators().len(), 1);
}

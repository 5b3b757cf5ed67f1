//! Attacks, and what the rules say to them.

use super::super::super::{Exclusion, Quorum, Satisfied, SelfApproval, Supply, Verdict};
use super::super::RuleSet;
use super::{ask, chain, decide, decided_by, one, refused, requirement, rules, verdict};
use crate::action::{Action, ActionName, ActorChain, Principal, Resource, Tool};
use crate::canonical::{Json, Number};

const PAYMENTS: &str = r#"
[approvals.manager]
quorum = "1 of relation:manager"

[[rules]]
id = "large"
effect = "approve"
approval = "manager"
when = { action = "payment.create", params.amount.gt = 1000 }

[[rules]]
id = "small"
effect = "allow"
when = { action = "payment.create", params.amount.le = 1000 }
"#;

#[test]
fn hitl_p1_no_match_is_deny() {
    let answer = decide(&rules(PAYMENTS), Action::named("wire.transfer"));
    assert_eq!(answer.verdict, Verdict::Deny);
    assert!(answer.decided_by.is_empty());
    assert_eq!(verdict(&rules(""), Action::named("wire.transfer")), "deny");
    assert_eq!(
        verdict(&rules("default = \"deny\""), Action::named("wire.transfer")),
        "deny"
    );
}

#[test]
fn hitl_p1_allowing_by_default_is_said_twice() {
    assert!(
        refused("default = \"allow\"")
            .contains("line 2: `default = \"allow\"` lets every action run")
    );
    assert!(refused("default = \"allow\"\nallow_by_default = false").contains("line 2"));
    let open = rules("default = \"allow\"\nallow_by_default = true");
    assert_eq!(verdict(&open, Action::named("wire.transfer")), "allow");
}

#[test]
fn hitl_p2_a_name_has_one_spelling() {
    for spelling in [
        "DEPLOY.prod",
        "deploy:prod",
        "deploy/prod",
        "deploy..prod",
        "dep\u{2113}oy.prod",
        ".deploy",
        " deploy",
    ] {
        assert!(ActionName::new(spelling).is_err(), "{spelling}");
        let error = refused(&one("deny", &format!("action = {spelling:?}")));
        assert!(error.contains("can never match"), "{error}");
    }
}

#[test]
fn hitl_p3_a_pattern_takes_whole_segments() {
    let below = rules(&one("allow", r#"action = "fs.read.*""#));
    assert_eq!(verdict(&below, Action::named("fs.read.home")), "allow");
    assert_eq!(verdict(&below, Action::named("fs.read.home.mail")), "allow");
    for other in ["fs.read", "fs.reader.home", "fs.read_all.home", "fs"] {
        assert_eq!(verdict(&below, Action::named(other)), "deny", "{other}");
    }
    let beginning = rules(&one("allow", r#"action = "db.list*""#));
    assert_eq!(
        verdict(&beginning, Action::named("db.list_tables")),
        "allow"
    );
    assert_eq!(verdict(&beginning, Action::named("db.list")), "allow");
    assert_eq!(verdict(&beginning, Action::named("db.list.drop")), "deny");
    for pattern in ["db.*x", "*b.read", "db.**", "db.r*d", ""] {
        refused(&one("allow", &format!("action = {pattern:?}")));
    }
    // Neither the beginning nor the end of a command is a condition on an action.
    refused(&one("allow", r#"action.prefix = "db""#));
}

#[test]
fn hitl_p4_an_early_allow_hides_nothing() {
    let allow =
        "[[rules]]\nid = \"allow\"\neffect = \"allow\"\nwhen = { action = \"db.export\" }\n";
    let approve = "[[rules]]\nid = \"approve\"\neffect = \"approve\"\napproval = \"people\"\nwhen = { action = \"db.*\" }\n";
    let deny = "[[rules]]\nid = \"deny\"\neffect = \"deny\"\nwhen = { action = \"db.export\", params.all = true }\n";
    let profile = "[approvals.people]\nquorum = \"1 of group:people\"\n";
    for order in [
        [allow, approve, deny],
        [deny, approve, allow],
        [approve, deny, allow],
    ] {
        let set = rules(&format!("{profile}{}", order.concat()));
        let asked = decide(&set, Action::named("db.export").parameter("all", false));
        assert_eq!(decided_by(&asked), ["approve"]);
        let denied = decide(&set, Action::named("db.export").parameter("all", true));
        assert_eq!(denied.verdict, Verdict::Deny);
        assert_eq!(decided_by(&denied), ["deny"]);
    }
}

#[test]
fn hitl_p6_a_value_that_is_no_number_never_helps() {
    assert!(
        Action::named("payment.create")
            .parameters_json(br#"{"amount": NaN}"#)
            .build()
            .is_err()
    );
    refused(&one(
        "allow",
        "action = \"payment.create\", params.amount.le = nan",
    ));
    refused(&one(
        "allow",
        "action = \"payment.create\", params.amount.le = inf",
    ));
    let unknown_word = refused(&one("permit", "action = \"db.read\""));
    assert!(
        unknown_word.contains("rule `one`: `permit` is no effect"),
        "{unknown_word}"
    );
}

#[test]
fn hitl_p7_a_rule_holds_on_every_path_to_the_action() {
    let deny = rules(&format!(
        "{}{}",
        one("deny", r#"action = "db.drop""#),
        "[[rules]]\nid = \"two\"\neffect = \"allow\"\nwhen = { action = \"*\" }"
    ));
    let humans = ActorChain::acting(Principal::human("demo", "olga").unwrap());
    let drop = |tool: Option<Tool>| {
        let named = Action::named("db.drop");
        tool.into_iter()
            .fold(named, |action, tool| action.tool(tool))
            .build()
            .unwrap()
    };
    for tool in [
        None,
        Some(Tool::new("psql")),
        Some(Tool::new("psql").server("mcp-1").version("9")),
    ] {
        for chain in [&chain(), &humans] {
            assert_eq!(
                ask(&deny, &drop(tool.clone()), chain).verdict,
                Verdict::Deny
            );
        }
    }
}

#[test]
fn policy_10_an_allowing_rule_stands_in_for_nobody() {
    let set = rules(&format!(
        "{PAYMENTS}\n[[rules]]\nid = \"all\"\neffect = \"allow\"\nwhen = {{ action = \"*\" }}\n"
    ));
    let answer = decide(
        &set,
        Action::named("payment.create").parameter("amount", 5000),
    );
    assert_eq!(decided_by(&answer), ["large"]);
    let wanted = requirement(answer);
    let nobody: [super::super::super::CountedVote<&str>; 0] = [];
    assert_eq!(wanted.quorum.tally(&nobody).satisfied, Satisfied::No);
}

#[test]
fn policy_22_a_profile_asks_for_somebody() {
    let zero = refused("[approvals.people]\nquorum = \"0 of group:people\"\n");
    assert!(
        zero.contains("line 3: approval `people`: `quorum`: `0 of` is no quorum"),
        "{zero}"
    );
    let bare = refused("[approvals.people]\nquorum = \"1 of people\"\n");
    assert!(bare.contains("write `group:people`"), "{bare}");
    let none = refused("[approvals.people]\ntimeout = \"4h\"\n");
    assert!(
        none.contains("line 2: approval `people`: `quorum` is missing"),
        "{none}"
    );
}

#[test]
fn policy_41_numbers_are_equal_by_value_and_texts_are_no_numbers() {
    let set = rules(&one(
        "allow",
        "action = \"payment.create\", params.amount = 1000",
    ));
    let amount = |json: &str| {
        let text = format!(r#"{{"amount": {json}}}"#);
        verdict(
            &set,
            Action::named("payment.create").parameters_json(text.as_bytes()),
        )
    };
    for equal in ["1000", "1e3", "1000.0", "1.0E+3", "100000e-2"] {
        assert_eq!(amount(equal), "allow", "{equal}");
    }
    for other in ["\"1000\"", "\"1e3\"", "1000.5", "[1000]", "null", "true"] {
        assert_eq!(amount(other), "deny", "{other}");
    }
    // Decimals are compared as decimals: as binary fractions 0.1 + 0.2 is above 0.3, and this is below.
    let exact = rules(&one(
        "allow",
        "action = \"payment.create\", params.amount.lt = 0.30000000000000004",
    ));
    let third = Json::from(Number::parse("0.3").unwrap());
    assert_eq!(
        verdict(
            &exact,
            Action::named("payment.create").parameter("amount", third)
        ),
        "allow"
    );
}

#[test]
fn policy_41_the_order_of_members_means_nothing_and_their_spelling_does() {
    let set = rules(
        &one(
            "allow",
            "action = \"a\", params = { b = 1, \"\u{e9}\".exists = false }",
        )
        .replace(", \"\u{e9}\".exists = false", ""),
    );
    for parameters in [
        r#"{"b": 1, "c": 2}"#,
        r#"{"c": 2, "b": 1}"#,
        r#"{"\u0062": 1}"#,
    ] {
        assert_eq!(
            verdict(
                &set,
                Action::named("a").parameters_json(parameters.as_bytes())
            ),
            "allow"
        );
    }
    let composed = rules(&one("allow", "action = \"a\", params.name = \"caf\u{e9}\""));
    assert_eq!(
        verdict(&composed, Action::named("a").parameter("name", "caf\u{e9}")),
        "allow"
    );
    assert_eq!(
        verdict(
            &composed,
            Action::named("a").parameter("name", "cafe\u{301}")
        ),
        "deny"
    );
}

#[test]
fn policy_41_a_large_number_is_refused_before_it_is_rounded() {
    let error = refused(&one("deny", "action = \"a\", params.id = 9007199254740993"));
    assert!(error.contains("line 5: `9007199254740993`"), "{error}");
}

#[test]
fn policy_62_time_running_out_is_a_denial_and_nothing_else() {
    let profile = |extra: &str| {
        format!("default = \"approve:p\"\n[approvals.p]\nquorum = \"1 of group:a\"\n{extra}")
    };
    for other in ["allow", "escalate", "approve"] {
        let error = refused(&profile(&format!("on_timeout = {other:?}")));
        assert!(
            error.contains("line 5: approval `p`: `on_timeout` is `deny`"),
            "{error}"
        );
    }
    let short = rules(&profile("on_timeout = \"deny\"\ntimeout = \"90s\"\n"));
    let wanted = requirement(decide(&short, Action::named("a")));
    assert_eq!(wanted.clocks.timeout.as_secs(), 90);
}

#[test]
fn policy_68_a_requirement_that_is_too_large_to_decide_is_an_error() {
    let mut text = String::new();
    for group in ["a", "b"] {
        let quorum = [format!("(1 of group:{group} or 1 of group:x)").as_str(); 6].join(" and ");
        text.push_str(&format!("[approvals.{group}]\nquorum = \"{quorum}\"\n"));
        text.push_str(&format!("[[rules]]\nid = \"{group}\"\neffect = \"approve\"\napproval = \"{group}\"\nwhen = {{ action = \"*\" }}\n"));
    }
    let set = rules(&text);
    let action = Action::named("a").build().unwrap();
    let session = crate::action::SessionId::new("s").unwrap();
    let answer = set.decide(&super::Question {
        action: &action,
        chain: &chain(),
        session: &session,
        now: super::Timestamp::EPOCH,
        phase: super::Phase::Propose,
        facts: &super::Facts::none(),
    });
    assert!(answer.is_err());
}

#[test]
fn policy_11_the_single_operator_is_an_exception_on_record() {
    let set = rules(
        "default = \"approve:solo\"\n[approvals.solo]\nquorum = \"1 of user:local/olga\"\nself_approval = \"recorded\"\n",
    );
    let wanted = requirement(decide(&set, Action::named("a")));
    assert_eq!(wanted.self_approval, SelfApproval::Recorded);
    assert_eq!(wanted.exclude.len(), Exclusion::ALL.len());
    let other =
        refused("[approvals.solo]\nquorum = \"1 of user:local/olga\"\nself_approval = true\n");
    assert!(
        other.contains("line 4: approval `solo`: `self_approval`"),
        "{other}"
    );
}

#[test]
fn nobody_is_let_approve_their_own_action_by_a_shorter_list() {
    let profile = |exclude: &str| {
        format!(
            "default = \"approve:p\"\n[approvals.p]\nquorum = \"1 of group:a\"\nexclude = {exclude}\n"
        )
    };
    for exclude in [
        "[]",
        "[\"requester\"]",
        "[\"requester\", \"delegators\", \"editors\"]",
    ] {
        let error = refused(&profile(exclude));
        assert!(
            error.contains("nobody approves their own action"),
            "{error}"
        );
    }
    let set = rules(&profile("[\"requester\", \"delegators\", \"agent-owner\"]"));
    assert!(
        !requirement(decide(&set, Action::named("a")))
            .exclude
            .contains(&Exclusion::Editors)
    );
}

#[test]
fn several_approvals_add_up() {
    let set = rules(
        r#"
[approvals.security]
quorum = "2 of group:security"
timeout = "2h"
valid_for = "1h"
reason_required = true
self_approval = "recorded"

[approvals.owners]
quorum = "1 of group:data-owners or 1 of role:dpo"
timeout = "3h"
valid_for = "5m"
run_within = "10m"
ticket_required = true
not_before = 2030-01-31T18:00:00Z

[[rules]]
id = "z"
effect = "approve"
approval = "security"
when = { action = "db.*" }

[[rules]]
id = "a"
effect = "approve"
approval = "owners"
when = { action = "db.export" }
reason = "data leaves the house"
"#,
    );
    let answer = decide(&set, Action::named("db.export"));
    assert_eq!(decided_by(&answer), ["a", "z"]);
    assert_eq!(answer.reason.as_deref(), Some("data leaves the house"));
    let wanted = requirement(answer);
    let quorum = "2 of group:security and (1 of group:data-owners or 1 of role:dpo)";
    assert_eq!(wanted.quorum, Quorum::parse(quorum).unwrap());
    assert_eq!(wanted.clocks.timeout.as_secs(), 2 * 3600);
    assert_eq!(wanted.clocks.valid_after_approval.as_secs(), 5 * 60);
    assert_eq!(
        wanted.clocks.run_within.map(|span| span.as_secs()),
        Some(600)
    );
    assert_eq!(
        wanted.clocks.not_before.unwrap().to_string(),
        "2030-01-31T18:00:00.000000Z"
    );
    assert_eq!(
        (wanted.must_supply.reason, wanted.must_supply.ticket),
        (Supply::Required, Supply::Required)
    );
    assert_eq!(wanted.self_approval, SelfApproval::Refused);
    assert_eq!(wanted.profiles.len(), 2);
}

#[test]
fn not_knowing_makes_a_rule_stricter() {
    let set = rules(PAYMENTS);
    let pay = || Action::named("payment.create");
    assert_eq!(verdict(&set, pay().parameter("amount", 1000)), "allow");
    assert_eq!(verdict(&set, pay().parameter("amount", 1001)), "approve");
    assert_eq!(verdict(&set, pay()), "approve");
    assert_eq!(verdict(&set, pay().parameter("amount", "5000")), "approve");
    assert_eq!(verdict(&set, pay().parameter("amount", "5")), "approve");
    assert_eq!(
        verdict(&set, pay().parameters_json(br#"{"amount": null}"#)),
        "approve"
    );
    assert_eq!(
        verdict(&set, pay().parameters_json(br#"{"amount": {"gt": 5}}"#)),
        "approve"
    );
}

#[test]
fn one_resource_among_many_is_enough_to_restrict_and_all_are_needed_to_allow() {
    let text = format!(
        "{}[[rules]]\nid = \"tables\"\neffect = \"allow\"\nwhen = {{ action = \"db.read\", resource.type = \"table\" }}\n",
        one(
            "deny",
            r#"action = "db.read", resource = { type = "table", labels.any = ["pii"] }"#
        )
    );
    let set = rules(&text);
    let table = |id: &str| Resource::new("table", id);
    let read = || Action::named("db.read");
    assert_eq!(verdict(&set, read().on(table("a")).on(table("b"))), "allow");
    assert_eq!(
        verdict(&set, read().on(table("a")).on(table("b").label("pii"))),
        "deny"
    );
    // One resource that is a table, and another that has the label, are not one that is both.
    assert_eq!(
        verdict(
            &set,
            read()
                .on(table("a"))
                .on(Resource::new("view", "v").label("pii"))
        ),
        "deny"
    );
    let wide = rules(&one(
        "allow",
        r#"action = "db.read", resource.type = "table""#,
    ));
    assert_eq!(verdict(&wide, read().on(table("a"))), "allow");
    assert_eq!(
        verdict(&wide, read().on(table("a")).on(Resource::new("view", "v"))),
        "deny"
    );
    assert_eq!(
        verdict(&wide, read()),
        "deny",
        "no resource at all is nothing known"
    );
    let narrow = rules(&one(
        "approve",
        r#"action = "db.read", resource = { type = "table", labels.any = ["pii"] }"#,
    ));
    let split = read()
        .on(table("a"))
        .on(Resource::new("view", "v").label("pii"));
    assert_eq!(decided_by(&decide(&narrow, split)), [""; 0]);
    assert_eq!(
        verdict(&narrow, read()),
        "approve",
        "no resource at all is nothing known"
    );
}

#[test]
fn a_question_without_end_is_refused() {
    let set = rules(&one(
        "deny",
        r#"action = "a", resource.type = "t", reads.name = "x", writes.name = "y""#,
    ));
    let mut action = Action::named("a");
    for number in 0..32 {
        action = action.on(Resource::new("t", number.to_string()));
    }
    for number in 0..64 {
        action = action.reads(crate::action::Dataset::new("n", number.to_string()));
        action = action.writes(crate::action::Dataset::new("n", number.to_string()));
    }
    let answer = decide(&set, action.clone());
    assert_eq!(
        decided_by(&answer),
        [""; 0],
        "131072 combinations are looked at"
    );
    let twice = one(
        "deny",
        r#"action = "a", resource.type = "t", reads.name = "x", writes.name = "y""#,
    );
    let many: String = (0..3)
        .map(|number| twice.replace("\"one\"", &format!("\"r{number}\"")))
        .collect();
    let set: RuleSet = rules(&many);
    let action = action.build().unwrap();
    let session = crate::action::SessionId::new("s").unwrap();
    let answer = set.decide(&super::Question {
        action: &action,
        chain: &chain(),
        session: &session,
        now: super::Timestamp::EPOCH,
        phase: super::Phase::Propose,
        facts: &super::Facts::none(),
    });
    assert!(answer.is_err(), "and three times as many are too many");
}

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    action::{Dataset, Principal, Pseudonym, Resource, SeededSalts, Stamp, TenantId, Tool, bind},
    notify::{Page, from_visible, render},
    policy::{Quorum, SelfApproval, Supply},
};

pub(crate) fn request() -> RequestId {
    RequestId::parse("0192f0c1-2345-7abc-8def-0123456789ab").unwrap()
}

pub(crate) fn chain() -> ActorChain {
    ActorChain::acting(Principal::agent("https://agents.example", "exporter").unwrap())
        .on_behalf_of(Principal::human("demo", "olga").unwrap())
        .unwrap()
        .in_tenant(TenantId::new("acme").unwrap())
}

pub(crate) fn requirement() -> Requirement {
    let quorum: Quorum = "2 of group:security and 1 of group:data-owners"
        .parse()
        .unwrap();
    Requirement::new(quorum)
}

fn action() -> Action {
    Action::named("db.export")
        .tool(Tool::new("exporter").version("3.2.0").server("srv-1"))
        .on(Resource::new("table", "crm.customers").label("pii"))
        .parameter("format", "csv")
        .parameter("limit", "5")
        .parameter("rows", 5)
        .sensitive("recipient", "rita@example.org")
        .reads(Dataset::new("postgres://db:5432", "crm.customers").label("pii"))
        .writes(Dataset::new("file://host", "/out/secret.csv").sensitive())
        .context("environment", "production")
        .context_clear("region", "eu")
        .occurrence("2026-03")
        .because("monthly report")
        .build()
        .unwrap()
}

pub(crate) struct Parts {
    pub(crate) action: Action,
    pub(crate) requirement: Requirement,
    pub(crate) sensitive: Sensitive,
    pub(crate) reason: Option<&'static str>,
}

impl Parts {
    pub(crate) fn of(action: Action) -> Self {
        Self {
            action,
            requirement: requirement(),
            sensitive: Sensitive::Masked,
            reason: Some("personal data leaves the house"),
        }
    }

    pub(crate) fn card(&self) -> Card {
        let session = SessionId::new("run-7").unwrap();
        let bound = bind(
            &self.action,
            &Stamp {
                request: request(),
                chain: &chain(),
                session: &session,
                persons: &[Pseudonym::from_bytes([7; 16])],
            },
            &mut SeededSalts::new(7),
        )
        .unwrap();
        Card::new(&CardSource {
            request: request(),
            action: &self.action,
            chain: &chain(),
            session: &session,
            digest: bound.digest(),
            requirement: &self.requirement,
            rules: &[RuleId::new("pii-export").unwrap()],
            reason: self.reason,
            asked: Timestamp::EPOCH,
            expires: Timestamp::EPOCH.saturating_add(Duration::from_secs(3600)),
            sensitive: self.sensitive,
        })
    }
}

/// A card of an action with one of everything.
pub(crate) fn sample() -> Card {
    Parts::of(action()).card()
}

/// A card of an action with this text as a parameter's value, as a member of another, and as what the agent says.
pub(crate) fn sample_with(name: &str, text: &str) -> Card {
    // Two names are refused before there could be a card of them: those that stand for hidden members (RFC 9901).
    let name = if matches!(name, "_sd" | "...") {
        "member"
    } else {
        name
    };
    let mut member = Object::new();
    member.insert(name.to_owned(), Json::from(text));
    let mut building = Action::named("db.export")
        .parameter("note", text)
        .parameter("nested", Json::Object(member));
    if !text.is_empty() && text.len() < 4096 {
        building = building.because(text);
    }
    Parts::of(building.build().unwrap()).card()
}

/// Texts by which somebody tried to change what a reader sees.
pub(crate) fn hostile_texts() -> [&'static str; 20] {
    [
        "\u{1b}[2J\u{1b}[H",
        "\u{1b}[1A\u{1b}[2K",
        "\u{1b}]8;;http://evil.example\u{7}good\u{1b}]8;;\u{7}",
        "\u{1b}]0;title\u{7}",
        "\u{1b}]52;c;ZXZpbA==\u{7}",
        "\u{9b}31m",
        "\u{1b}P+q544e\u{1b}\\",
        "\u{1b}[6n",
        "safe\rdrop",
        "safe\u{8}\u{8}\u{8}\u{8}drop",
        "\u{7}",
        "\u{e}graphics\u{f}",
        "\u{1b}[8mhidden",
        "a\tb",
        "\n\n| Risk: LOW\n| approved by: the CISO",
        "\" approved\n",
        "invoice_\u{202e}fdp.exe",
        "\u{2066}\u{2069}\u{200b}\u{e0041}",
        "\u{440}\u{430}\u{443}\u{440}\u{430}l",
        "\r\n\u{2028}\u{2029}\u{85}end",
    ]
}

fn value<'c>(card: &'c Card, label: &str) -> Vec<&'c str> {
    let labelled = card.facts().iter().filter(|fact| fact.label() == label);
    labelled.map(Fact::value).collect()
}

#[test]
fn a_card_says_everything_that_is_bound() {
    let card = sample();
    for (label, expected) in [
        ("action", "db.export"),
        ("request", "0192f0c1-2345-7abc-8def-0123456789ab"),
        ("digest", &card.digest().to_string()),
        ("occurrence", "\"2026-03\""),
        ("acting", "agent \"exporter\" of \"https://agents.example\""),
        ("on behalf of", "human \"olga\" of \"demo\""),
        ("chain established by", "host"),
        ("tenant", "\"acme\""),
        ("session", "\"run-7\""),
        ("tool", "\"exporter\""),
        ("tool version", "\"3.2.0\""),
        ("tool server", "\"srv-1\""),
        ("resource", "table \"crm.customers\" labelled pii"),
        ("params.format", "\"csv\""),
        ("params.limit", "\"5\""),
        ("params.rows", "5"),
        ("params.recipient", "«sensitive, 16 characters»"),
        (
            "reads",
            "data \"crm.customers\" in \"postgres://db:5432\" labelled pii",
        ),
        (
            "writes",
            "data «sensitive, 15 characters» in \"file://host\"",
        ),
        ("context.environment", "\"production\""),
        ("context.region", "\"eu\""),
        ("needs", "2 of group:security and 1 of group:data-owners"),
        (
            "may not approve",
            "requester, delegators, agent-owner, editors",
        ),
        ("rule", "pii-export"),
        ("the rule says", "\"personal data leaves the house\""),
        ("asked", "1970-01-01T00:00:00.000000Z"),
        (
            "expires",
            "1970-01-01T01:00:00.000000Z, then it does not run",
        ),
        ("once approved", "must start within 15 min"),
    ] {
        assert_eq!(value(&card, label), [expected], "{label}");
    }
    assert_eq!(card.agent_says(), Some("monthly report"));
}

/// If the bound form grows a member, this fails until the card shows it too.
#[test]
fn every_member_of_the_bound_form_is_on_the_card() {
    let shown_as = |member: &str| match member {
        "v" => None, // the version of the form itself
        "action" => Some("action"),
        "operation" => Some("operation version"),
        "actor" => Some("acting"),
        "established" => Some("chain established by"),
        "tenant" => Some("tenant"),
        "session" => Some("session"),
        "request" => Some("request"),
        "tool" => Some("tool"),
        "resources" => Some("resource"),
        "parameters" => Some("params.format"),
        "reads" => Some("reads"),
        "writes" => Some("writes"),
        "context" => Some("context.region"),
        "replaces" => Some("replaces request"),
        "_sd" => Some("occurrence"), // the one member that is hidden at the top
        new => panic!("`{new}` is bound and not on the card"),
    };
    let parts = Parts::of(action());
    let card = parts.card();
    let bound = bind(
        &parts.action,
        &Stamp {
            request: request(),
            chain: &chain(),
            session: &SessionId::new("run-7").unwrap(),
            persons: &[Pseudonym::from_bytes([7; 16])],
        },
        &mut SeededSalts::new(7),
    )
    .unwrap();
    for member in bound.form().as_object().unwrap().keys() {
        if let Some(label) = shown_as(member) {
            assert!(!value(&card, label).is_empty(), "{member}");
        }
    }
}

#[test]
fn a_reviewer_at_the_desk_sees_what_is_sensitive() {
    let parts = Parts {
        sensitive: Sensitive::Shown,
        ..Parts::of(action())
    };
    let card = parts.card();
    assert_eq!(value(&card, "params.recipient"), ["\"rita@example.org\""]);
    assert_eq!(
        value(&card, "writes"),
        ["data \"/out/secret.csv\" in \"file://host\""]
    );
    // And a vote says which of the two was shown.
    assert_ne!(card.facts_json(), sample().facts_json());
}

#[test]
fn nested_values_are_shown_leaf_by_leaf() {
    let nested = r#"{"where":{"age":[18,null,true],"a.b\n":{"x":[]}},"empty":{}}"#;
    let action = Action::named("db.export")
        .parameters_json(nested.as_bytes())
        .build()
        .unwrap();
    let card = Parts::of(action).card();
    let lines: Vec<_> = card
        .facts()
        .iter()
        .filter(|fact| fact.section() == Section::Parameters)
        .map(|fact| format!("{} = {}", fact.label(), fact.value()))
        .collect();
    assert_eq!(
        lines,
        [
            "params.empty = {}",
            r#"params.where["a.b\u000a"].x = []"#,
            "params.where.age[0] = 18",
            "params.where.age[1] = null",
            "params.where.age[2] = true",
        ]
    );
}

/// A path for every leaf repeated a long name for each of many elements: a card grew to gigabytes from an action of a
/// megabyte, and the agent could stop the reviewer's desk. Such a value is now one line.
#[test]
fn a_card_is_in_proportion_to_its_action() {
    let name = "n".repeat(200_000);
    let elements = vec![Json::from(1_u8); 100_000];
    let mut wide = Object::new();
    wide.insert(name, Json::Array(elements));
    let wide = Json::Object(wide);
    let action = Action::named("db.export")
        .parameter("wide", wide.clone())
        .build()
        .unwrap();
    let card = Parts::of(action).card();
    let shown = value(&card, "params.wide, as JSON");
    let inner = shown[0].trim_matches('"');
    let json = from_visible(inner).unwrap();
    assert_eq!(json.as_bytes(), wide.to_canonical());
    let size: usize = card
        .facts()
        .iter()
        .map(|fact| fact.label().len() + fact.value().len())
        .sum();
    assert!(size < 1_000_000, "{size}");
}

#[test]
fn a_masked_value_cannot_be_forged() {
    let forged = "«sensitive, 16 characters»";
    let card = sample_with("a", forged);
    assert_eq!(value(&card, "params.note"), [format!("\"{forged}\"")]);
}

#[test]
fn what_the_agent_says_comes_last_and_under_its_label() {
    let lie = "Read-only. Already approved by security.";
    let action = Action::named("db.drop")
        .parameter("table", "customers")
        .because(lie)
        .build()
        .unwrap();
    let card = Parts::of(action).card().with_progress(Progress {
        approvals: 1,
        missing: Vec::new(),
        waiting: Waiting::Nobody,
    });
    let rendered = render(&card, &Limits::UNLIMITED, &Page::default());
    let text = rendered.text();
    let label = text.find(Card::AGENT_SAYS).unwrap();
    assert!(text.find(lie).unwrap() > label);
    for fact in [
        "db.drop",
        "params.table: \"customers\"",
        "needs: ",
        "expires: ",
        "nobody is waiting for it now",
    ] {
        assert!(text.find(fact).unwrap() < label, "{fact}");
    }
    assert!(
        text.trim_end().ends_with(&format!("says: \"{lie}\"")),
        "{text}"
    );
    assert!(
        card.facts()
            .iter()
            .all(|fact| !fact.value().contains("Read-only"))
    );
}

#[test]
fn the_exception_and_what_must_be_given_are_on_the_card() {
    let mut parts = Parts::of(action());
    parts.requirement.self_approval = SelfApproval::Recorded;
    parts.requirement.must_supply = MustSupply {
        reason: Supply::Required,
        ticket: Supply::Required,
    };
    let card = parts.card();
    assert!(value(&card, "exception")[0].contains("recorded"));
    assert_eq!(
        value(&card, "an approval must give"),
        ["a reason and a ticket"]
    );
    assert_eq!(value(&sample(), "exception"), Vec::<&str>::new());
}

/// Broken within a word they were hard to read; the agent's text must show each of its spaces, and is broken anywhere.
#[test]
fn the_librarys_own_words_are_not_broken() {
    let mut parts = Parts::of(action());
    parts.requirement.self_approval = SelfApproval::Recorded;
    let card = parts.card();
    for columns in [40, 60, 80, 100] {
        let page = Page::new(columns, crate::notify::Alphabet::Unicode);
        let text = render(&card, &Limits::UNLIMITED, &page).into_text();
        let from = text.find("| exception: ").unwrap();
        let mut lines = text[from..].lines();
        let mut words = lines.next().unwrap().to_owned();
        while let Some(more) = lines.next().and_then(|line| line.strip_prefix("|> ")) {
            assert!(words.ends_with(' '), "{words:?} before {more:?}");
            words.push_str(more);
        }
        assert!(words.ends_with(value(&card, "exception")[0]), "{words}");
    }
}

#[test]
fn what_a_vote_covers_is_stable_and_changes_with_what_is_shown() {
    let card = sample();
    let facts = card.facts_json();
    let later = card.with_progress(Progress {
        approvals: 1,
        missing: Vec::new(),
        waiting: Waiting::Nobody,
    });
    assert_eq!(later.facts_json(), facts);

    let mut seen = BTreeSet::from([facts.to_canonical()]);
    let mut other_words = Parts::of(action());
    other_words.reason = Some("another reason");
    let mut other_requirement = Parts::of(action());
    other_requirement.requirement.self_approval = SelfApproval::Recorded;
    let others = [
        other_words.card(),
        other_requirement.card(),
        sample_with("a", "b"),
        sample_with("b", "a"),
    ];
    for other in others {
        assert!(seen.insert(other.facts_json().to_canonical()), "{other:?}");
    }
}

#[test]
fn every_value_on_a_card_can_be_read_back() {
    for text in hostile_texts() {
        let card = sample_with("note", text);
        let shown = value(&card, "params.note")[0];
        let inner = shown
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap();
        assert_eq!(from_visible(inner).as_deref(), Some(text));
    }
}

#[test]
fn letters_that_look_like_others_are_told_apart_beside_the_text() {
    let card = sample_with("host", "p\u{430}ypal.com");
    let text = render(&card, &Limits::UNLIMITED, &Page::default()).into_text();
    assert!(
        text.contains("params.note, in ASCII: \"p\\u0430ypal.com\""),
        "{text}"
    );
}

#[test]
fn debug_shows_no_value() {
    let text = format!("{:?}", sample());
    for hidden in ["rita", "csv", "olga", "monthly", "customers"] {
        assert!(!text.contains(hidden), "{text}");
    }
}

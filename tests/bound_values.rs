//! Values as they are bound: two that differ are never taken for one, and one is never written in two ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;

use common::ask::file;
use common::{World, bot};
use countersign::action::{
    Action, ActionBuilder, ActionDigest, ActorChain, Established, NoEntropy, Principal, Pseudonym,
    RequestId, Resource, Salt, SaltSource, SessionId, Stamp, TenantId, Tool, bind, join_input,
};
use countersign::canonical::Digest;
use futures::executor::block_on;
use proptest::prelude::*;

/// The same salts for every action, so that only what is bound makes a difference.
struct SameSalts(u8);

impl SaltSource for SameSalts {
    fn salt(&mut self) -> Result<Salt, NoEntropy> {
        self.0 = self.0.checked_add(1).ok_or(NoEntropy)?;
        Ok(Salt::from_bytes([self.0; 16]))
    }
}

/// The digest and the join input of an action under one request id.
fn identity(action: &Action, chain: &ActorChain, session: &str) -> (ActionDigest, Vec<u8>) {
    let session = SessionId::new(session).unwrap();
    let persons: Vec<Pseudonym> = chain
        .humans()
        .map(|_| Pseudonym::from_bytes([1; 16]))
        .collect();
    let stamp = Stamp {
        request: RequestId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
        chain,
        session: &session,
        persons: &persons,
    };
    let bound = bind(action, &stamp, &mut SameSalts(0)).unwrap();
    (bound.digest(), join_input(action, chain, &session))
}

fn plain(action: &Action) -> (ActionDigest, Vec<u8>) {
    identity(action, &bot(), "session-1")
}

fn json(bytes: &str) -> ActionBuilder {
    Action::named("pay").parameters_json(bytes.as_bytes())
}

proptest! {
    /// Names and values are free to hold every delimiter that a hash input could be glued with.
    #[test]
    fn hitl_b10_different_actions_never_share_their_hashed_bytes(
        first in hostile_parameters(),
        second in hostile_parameters(),
    ) {
        let build = |parameters: &BTreeMap<String, String>| {
            parameters
                .iter()
                .fold(Action::named("pay"), |action, (name, value)| {
                    action.parameter(name, value.as_str())
                })
                .build()
                .unwrap()
        };
        let (one, other) = (plain(&build(&first)), plain(&build(&second)));
        prop_assert_eq!(one.0 == other.0, first == second);
        prop_assert_eq!(one.1 == other.1, first == second);
    }
}

/// Few letters and many delimiters, so that equal concatenations are frequent.
fn hostile_parameters() -> impl Strategy<Value = BTreeMap<String, String>> {
    let value = prop::sample::select(vec![
        "",
        "a",
        "b",
        "ab",
        "|",
        "a|b",
        "\n",
        "a\nb",
        "\0",
        ":",
        "a:b",
        "\"",
        "\",\"b\":\"",
        "\\",
        "{}",
        "[]",
        ",",
        "~",
        "a\u{1f}b",
    ]);
    let name = prop::sample::select(vec!["a", "b", "ab", "a.b", "a-b"]);
    prop::collection::btree_map(
        name.prop_map(String::from),
        value.prop_map(String::from),
        0..3,
    )
}

#[test]
fn hitl_b11_look_alike_values_have_different_digests() {
    let world = World::new();
    let gate = world.gate();
    for (what, harmless, other) in [
        ("percent encoding", "a", "%61"),
        ("double encoding", "%61", "%2561"),
        ("full width", "rm", "\u{ff52}\u{ff4d}"),
        ("Cyrillic", "paypal", "p\u{430}ypal"),
        ("zero width", "rm -rf /tmp", "rm -rf /\u{200b}tmp"),
        ("direction", "invoice.pdf", "invoice\u{202e}.pdf"),
        ("composed", "\u{e9}", "e\u{301}"),
        ("case", "DROP", "drop"),
        ("blank at the end", "a", "a "),
        ("other blank", "a b", "a\u{a0}b"),
        ("line end", "a\nb", "a\r\nb"),
    ] {
        let action = |value: &str| {
            Action::named("pay")
                .parameter("command", value)
                .build()
                .unwrap()
        };
        assert_ne!(
            plain(&action(harmless)).0,
            plain(&action(other)).0,
            "{what}"
        );
        let (one, two) = (file(&gate, action(harmless)), file(&gate, action(other)));
        assert_ne!(one, two, "{what}");
        let shown = |request| {
            let by = world.approver("rita");
            let review = block_on(world.desk.open(&by, request)).unwrap();
            let facts = review.card().facts();
            let fact = facts
                .iter()
                .find(|fact| fact.label().contains("command"))
                .unwrap();
            (fact.value().to_owned(), fact.value_in_ascii())
        };
        let (one, two) = (shown(one), shown(two));
        assert_ne!(one, two, "{what}: the cards are the same");
        // What cannot be told apart by eye is spelt in ASCII beside it.
        if !other.is_ascii() {
            let spelt = two.1.unwrap_or(two.0);
            assert!(spelt.is_ascii(), "{what}: {spelt}");
            assert!(spelt.contains("\\u"), "{what}: {spelt}");
        }
    }
}

#[test]
fn hitl_b13_ambiguous_json_is_refused_and_the_rest_has_one_form() {
    for ambiguous in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":1}"#,
        r#"{"a":{"b":1,"b":1}}"#,
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":-Infinity}"#,
        r#"{"a":9007199254740993}"#,
        r#"{"a":333333333.33333329}"#,
        r#"{"a":1e400}"#,
        r#"{"a":-0}"#,
        r#"{"a":-0.0}"#,
        r#"{"a":01}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\udc00\ud800"}"#,
        r#"{"\ud800":1}"#,
        r#"{"a":1,}"#,
        r#"{"a":1}{"a":2}"#,
        r#"{"a":'1'}"#,
        r#"{"a":1/*2*/}"#,
        "\u{feff}{\"a\":1}",
        "{\"a\":\"\u{1}\"}",
        r#"[1]"#,
        r#"{"_sd":1}"#,
        "",
    ] {
        assert!(json(ambiguous).build().is_err(), "{ambiguous:?}");
    }
    assert!(
        Action::named("pay")
            .parameters_json(b"{\"a\":\"\xff\"}")
            .build()
            .is_err()
    );
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    assert!(json(&deep).build().is_err());
    // Different names stay different, whatever another language makes of them.
    let names = [
        r#"{"__proto__":1}"#,
        r#"{"constructor":1}"#,
        r#"{"a":1}"#,
        r#"{"A":1}"#,
    ];
    let digests: std::collections::BTreeSet<ActionDigest> = names
        .iter()
        .map(|text| plain(&json(text).build().unwrap()).0)
        .collect();
    assert_eq!(digests.len(), names.len());
    // Inside a value every text may be a name; composed and decomposed ones are two.
    let composed = json("{\"a\":{\"\u{e9}\":1}}").build().unwrap();
    let decomposed = json("{\"a\":{\"e\u{301}\":1}}").build().unwrap();
    assert_ne!(plain(&composed), plain(&decomposed));
    let form = json(r#"{"a":{"x":1,"b":[true,null,"/"]}}"#)
        .build()
        .unwrap();
    for other in [
        "{ \"a\" : { \"b\" : [ true , null , \"\\/\" ] , \"x\" : 1.0 } }",
        r#"{"a":{"b":[true,null,"\u002F"],"x":10e-1}}"#,
        "\t{\"\\u0061\":{\"\\u0062\":[true,null,\"/\"],\"x\":1}}\r\n",
    ] {
        assert_eq!(
            plain(&json(other).build().unwrap()),
            plain(&form),
            "{other}"
        );
    }
}

#[test]
fn hitl_b14_tool_resource_tenant_and_principal_are_bound() {
    let tool = || {
        Tool::new("exporter")
            .version("3.2.0")
            .server("mcp://tools")
            .digest(Digest::sha256(b"3.2.0"))
    };
    let with = |tool: Option<Tool>, resource: Resource, place: &str| {
        let action = Action::named("pay")
            .parameter("amount", 5)
            .on(resource)
            .context("cwd", place);
        let action = match tool {
            Some(tool) => action.tool(tool),
            None => action,
        };
        action.build().unwrap()
    };
    let table = || Resource::new("table", "crm.customers");
    let action = with(Some(tool()), table(), "/srv");
    let chain = || {
        ActorChain::acting(Principal::agent("corp", "bot").unwrap())
            .in_tenant(TenantId::new("acme").unwrap())
            .established_by(Established::new("oidc").unwrap())
    };
    let human = |subject| Principal::human("corp", subject).unwrap();
    let mut seen = BTreeMap::from([(identity(&action, &chain(), "s"), "itself")]);
    let mut another = |what: &'static str, action: &Action, chain: &ActorChain, session: &str| {
        let (digest, join) = identity(action, chain, session);
        for (other, was) in seen.keys().zip(seen.values()) {
            assert_ne!(other.0, digest, "{what} has the digest of {was}");
            assert_ne!(other.1, join, "{what} joins {was}");
        }
        seen.insert((digest, join), what);
    };
    let changes = [
        ("no tool", with(None, table(), "/srv")),
        (
            "tool of another version",
            with(Some(tool().version("3.2.1")), table(), "/srv"),
        ),
        (
            "tool of another server",
            with(Some(tool().server("mcp://evil")), table(), "/srv"),
        ),
        (
            "tool with other code",
            with(
                Some(tool().digest(Digest::sha256(b"evil"))),
                table(),
                "/srv",
            ),
        ),
        (
            "another resource",
            with(Some(tool()), Resource::new("table", "crm.secrets"), "/srv"),
        ),
        (
            "a resource of another type",
            with(Some(tool()), Resource::new("view", "crm.customers"), "/srv"),
        ),
        (
            "a resource with a label",
            with(Some(tool()), table().label("pii"), "/srv"),
        ),
        ("another directory", with(Some(tool()), table(), "/")),
    ];
    for (what, changed) in &changes {
        another(what, changed, &chain(), "s");
    }
    another("another session", &action, &chain(), "s2");
    let agent = |issuer, subject| ActorChain::acting(Principal::agent(issuer, subject).unwrap());
    let acme = || TenantId::new("acme").unwrap();
    let oidc = || Established::new("oidc").unwrap();
    for (what, chain) in [
        (
            "another tenant",
            chain().in_tenant(TenantId::new("globex").unwrap()),
        ),
        ("no tenant", agent("corp", "bot").established_by(oidc())),
        (
            "another way of knowing it",
            chain().established_by(Established::host()),
        ),
        (
            "another agent",
            agent("corp", "bot2")
                .in_tenant(acme())
                .established_by(oidc()),
        ),
        (
            "an agent of another issuer",
            agent("evil", "bot")
                .in_tenant(acme())
                .established_by(oidc()),
        ),
        (
            "a service of that name",
            ActorChain::acting(Principal::service("corp", "bot").unwrap())
                .in_tenant(acme())
                .established_by(oidc()),
        ),
        (
            "an agent of rita",
            chain().on_behalf_of(human("rita")).unwrap(),
        ),
    ] {
        another(what, &action, &chain, "s");
    }
    assert_eq!(seen.len(), 17);
}

#[test]
fn policy_41_equal_values_are_equal_however_they_are_written() {
    let world = World::new();
    let gate = world.gate();
    let asked = file(&gate, json(r#"{"a":1000,"b":40,"c":"é"}"#).build().unwrap());
    for equal in [
        r#"{"c":"é","b":40,"a":1000}"#,
        r#"{"a":1e3,"b":4.0e1,"c":"é"}"#,
        r#"{"a":1000.0,"b":40.00,"c":"\u00e9"}"#,
    ] {
        assert_eq!(file(&gate, json(equal).build().unwrap()), asked, "{equal}");
    }
    for other in [
        r#"{"a":"1000","b":40,"c":"é"}"#,
        r#"{"a":1000,"b":"40.0","c":"é"}"#,
        r#"{"a":1000,"b":40.01,"c":"é"}"#,
        "{\"a\":1000,\"b\":40,\"c\":\"e\u{301}\"}",
        r#"{"a":1000,"b":[40],"c":"é"}"#,
    ] {
        assert_ne!(file(&gate, json(other).build().unwrap()), asked, "{other}");
    }
    assert!(
        json(r#"{"a":1000,"b":40.000000000000000001}"#)
            .build()
            .is_err()
    );
}

#[test]
fn policy_42_a_duplicate_key_is_refused() {
    for twice in [
        r#"{"amount":5,"amount":5}"#,
        r#"{"amount":5,"amoun\u0074":5000}"#,
        r#"{"to":{"iban":"a","iban":"b"}}"#,
    ] {
        let error = json(twice).build().unwrap_err();
        assert_eq!(error.place(), "parameters", "{twice}");
    }
    // Over two calls as well, and whatever the values are.
    let error = json(r#"{"amount":5}"#)
        .parameter("amount", 5)
        .build()
        .unwrap_err();
    assert_eq!(error.place(), "parameter `amount`");
    let error = json(r#"{"amount":5}"#)
        .sensitive("amount", 6)
        .build()
        .unwrap_err();
    assert_eq!(error.place(), "parameter `amount`");
}

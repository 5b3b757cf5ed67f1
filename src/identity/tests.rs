#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::executor::block_on;

use super::{
    AdapterName, Approver, AuthMethod, Authenticator, Confirmed, Directory, DirectoryError,
    Freshness, Interest, Known, Members, Membership, NotProven, Part, Party, Person, Presented,
    Proven, StaticDirectory, Tokens, Why, confirm, interests, recognise,
};
use crate::{
    action::{ActorChain, PersonId, Principal, PrincipalId, PrincipalKind},
    clock::{ManualClock, Timestamp},
    policy::Selector,
};

fn id(issuer: &str, subject: &str) -> PrincipalId {
    PrincipalId::new(issuer, subject).unwrap()
}

fn person(subject: &str) -> PersonId {
    PersonId::new(id("demo", subject))
}

fn selectors(texts: &[&str]) -> BTreeSet<Selector> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn people() -> StaticDirectory {
    StaticDirectory::from_toml(
        r#"
[[persons]]
id = "demo/alice"
aliases = ["demo/alice-adm", "slack/U1"]
groups = ["security"]
[[persons]]
id = "demo/olga"
[[persons]]
id = "demo/gone"
active = false
groups = ["security"]
[[agents]]
id = "agents/inner"
controllers = ["demo/olga"]
[[agents]]
id = "agents/outer"
controllers = ["demo/alice", "demo/gone"]
[[agents]]
id = "agents/stray"
[[agents]]
id = "ci/scanner"
kind = "service"
controllers = []
[[services]]
name = "scanner"
members = ["ci/scanner"]
"#,
    )
    .unwrap()
}

fn parts(chain: &ActorChain) -> Vec<(Part, Party, usize)> {
    let found = block_on(interests(chain, &people(), Freshness::Any)).unwrap();
    found
        .iter()
        .map(|Interest { part, party, hop }| (*part, party.clone(), *hop))
        .collect()
}

#[test]
fn everybody_in_the_chain_has_a_part_through_any_alias() {
    let chain = ActorChain::acting(Principal::agent("agents", "inner").unwrap())
        .on_behalf_of(Principal::agent("agents", "outer").unwrap())
        .unwrap()
        .on_behalf_of(Principal::human("slack", "U1").unwrap())
        .unwrap();
    assert_eq!(
        parts(&chain),
        [
            (Part::Delegator, Party::Person(person("alice")), 2),
            (Part::Controller, Party::Person(person("alice")), 1),
            // Whoever left keeps the part.
            (Part::Controller, Party::Person(person("gone")), 1),
            (Part::Controller, Party::Person(person("olga")), 0),
        ]
    );
    let found = block_on(interests(&chain, &people(), Freshness::Any)).unwrap();
    assert_eq!(found.hops(), [None, None, Some(person("alice"))]);
    assert_eq!(found.persons().len(), 3);
    assert!(!found.is_unknown(Part::Controller));
}

#[test]
fn a_human_who_acts_is_the_requester() {
    let chain = ActorChain::acting(Principal::human("demo", "alice-adm").unwrap());
    assert_eq!(
        parts(&chain),
        [(Part::Requester, Party::Person(person("alice")), 0)]
    );
}

#[test]
fn who_cannot_be_named_stays_in_the_answer() {
    let chain = ActorChain::acting(Principal::agent("agents", "stray").unwrap())
        .on_behalf_of(Principal::human("okta", "stranger").unwrap())
        .unwrap();
    let found = block_on(interests(&chain, &people(), Freshness::Any)).unwrap();
    assert!(found.is_unknown(Part::Controller));
    assert!(found.is_unknown(Part::Delegator));
    assert!(!found.is_unknown(Part::Requester));
    assert!(found.persons().is_empty());
}

fn confirmed(issuer: &str, subject: &str, asked: &[&str]) -> Confirmed {
    let who = id(issuer, subject);
    block_on(confirm(&who, &selectors(asked), &people(), Freshness::Any)).unwrap()
}

#[test]
fn a_person_fills_what_the_directory_confirms_now() {
    let Confirmed::Person {
        person: who,
        satisfies,
    } = confirmed(
        "slack",
        "U1",
        &[
            "group:security",
            "group:other",
            "user:demo/alice",
            "service:scanner",
        ],
    )
    else {
        panic!("a person")
    };
    assert_eq!(who, person("alice"));
    assert_eq!(satisfies, selectors(&["group:security", "user:demo/alice"]));
}

#[test]
fn whoever_left_or_is_unknown_fills_nothing() {
    assert_eq!(
        confirmed("demo", "gone", &["group:security"]),
        Confirmed::Deactivated(person("gone"))
    );
    assert_eq!(
        confirmed("okta", "alice", &["group:security"]),
        Confirmed::Unknown(Why::Unlinked)
    );
}

/// A directory that lists everybody in every group, and says of everybody that they are of one kind.
#[derive(Debug)]
struct Generous(PrincipalKind);

fn now() -> Timestamp {
    Timestamp::from_unix_micros(1_000_000_000).unwrap()
}

#[async_trait]
impl Directory for Generous {
    async fn person(&self, id: &PrincipalId) -> Result<Known<Person>, DirectoryError> {
        Ok(Known::Known {
            value: Person {
                id: PersonId::new(id.clone()),
                kind: self.0,
                display_name: None,
                active: super::Activity::Active,
            },
            as_of: now(),
        })
    }

    async fn member(
        &self,
        _: &PersonId,
        _: &Selector,
    ) -> Result<Known<Membership>, DirectoryError> {
        Ok(Known::Known {
            value: Membership {
                is: super::IsMember::Yes,
                since: None,
            },
            as_of: now(),
        })
    }

    async fn members(&self, _: &Selector, _: NonZeroU32) -> Result<Known<Members>, DirectoryError> {
        Err(DirectoryError::Unavailable(None))
    }

    async fn controllers(&self, _: &PrincipalId) -> Result<Known<Vec<PersonId>>, DirectoryError> {
        Err(DirectoryError::Unavailable(None))
    }
}

#[test]
fn no_role_lets_an_agent_or_a_service_fill_a_humans_slot() {
    let all = selectors(&[
        "group:a",
        "role:b",
        "owner:c",
        "oncall:d",
        "relation:e",
        "user:demo/x",
        "service:f",
    ]);
    for (kind, expected) in [
        (PrincipalKind::Agent, selectors(&[])),
        (PrincipalKind::Service, selectors(&["service:f"])),
        (PrincipalKind::Human, {
            let mut humans = all.clone();
            humans.remove(&"service:f".parse().unwrap());
            humans
        }),
    ] {
        let confirmed = block_on(confirm(
            &id("demo", "x"),
            &all,
            &Generous(kind),
            Freshness::Any,
        ))
        .unwrap();
        assert_eq!(
            confirmed,
            Confirmed::Person {
                person: person("x"),
                satisfies: expected
            }
        );
    }
}

#[test]
fn an_old_answer_is_none() {
    let fresh = |later: u64| Freshness::Within {
        now: now().saturating_add(Duration::from_secs(later)),
        at_most: Duration::from_secs(60),
    };
    let directory = Generous(PrincipalKind::Human);
    let asked = selectors(&["group:a"]);
    let at = |later| block_on(confirm(&id("demo", "x"), &asked, &directory, fresh(later))).unwrap();
    assert!(matches!(at(60), Confirmed::Person { .. }));
    assert_eq!(at(61), Confirmed::Unknown(Why::Stale));
}

#[test]
fn a_directory_that_is_down_decides_nothing() {
    let chain = ActorChain::acting(Principal::agent("agents", "x").unwrap());
    let found = block_on(interests(
        &chain,
        &Generous(PrincipalKind::Human),
        Freshness::Any,
    ));
    assert!(matches!(found, Err(DirectoryError::Unavailable(_))));
}

fn proven(issuer: &str, subject: &str, kind: PrincipalKind) -> Proven {
    Proven {
        who: id(issuer, subject),
        kind,
        at: now(),
        assurance: None,
        session: None,
        adapter: AdapterName::new("test").unwrap(),
        expires: None,
    }
}

#[test]
fn only_a_known_active_person_is_recognised() {
    let directory = people();
    let recognised = |issuer, subject, kind| {
        block_on(recognise(
            &proven(issuer, subject, kind),
            &directory,
            Freshness::Any,
        ))
        .map(|person| person.id)
    };
    use PrincipalKind::{Agent, Human, Service};
    assert_eq!(recognised("slack", "U1", Human).unwrap(), person("alice"));
    assert!(matches!(
        recognised("demo", "gone", Human),
        Err(NotProven::Deactivated)
    ));
    assert!(matches!(
        recognised("okta", "alice", Human),
        Err(NotProven::Unlinked)
    ));
    // An agent that presents its own token, or a person's id under one, reviews nothing.
    assert!(matches!(
        recognised("demo", "alice", Agent),
        Err(NotProven::Agent)
    ));
    assert!(matches!(
        recognised("agents", "inner", Agent),
        Err(NotProven::Unlinked | NotProven::Agent)
    ));
    assert!(matches!(
        recognised("demo", "alice", Service),
        Err(NotProven::Invalid)
    ));
    assert!(matches!(
        recognised("ci", "scanner", Human),
        Err(NotProven::Invalid)
    ));
    assert_eq!(
        recognised("ci", "scanner", Service).unwrap().as_principal(),
        &id("ci", "scanner")
    );
}

#[test]
fn a_token_proves_its_holder_and_nothing_beside_it_does() {
    let clock = Arc::new(ManualClock::new(now()));
    let tokens = Tokens::new(AuthMethod::new("token").unwrap())
        .held_by(
            b"0123456789abcdef",
            Principal::human("demo", "alice").unwrap(),
        )
        .with_clock(Arc::clone(&clock));
    let presented = || Presented::on(AdapterName::new("api").unwrap());
    let verify = |presented: Presented| block_on(tokens.verify(&presented));

    let good = presented()
        .with("token", "0123456789abcdef")
        .with("name", "demo/olga");
    let proven = verify(good).unwrap();
    assert_eq!((proven.who, proven.at), (id("demo", "alice"), now()));
    assert!(matches!(
        verify(presented().with("token", "guess")),
        Err(NotProven::Invalid)
    ));
    assert!(matches!(
        verify(presented().with("name", "demo/alice")),
        Err(NotProven::NoSuchMethod)
    ));
}

#[test]
fn debug_shows_no_credential() {
    let presented = Presented::on(AdapterName::new("api").unwrap()).with("token", "hunter2");
    let text = format!("{presented:?}");
    assert!(
        text.contains("token") && !text.contains("hunter2") && !text.contains("104"),
        "{text}"
    );
}

#[test]
fn an_approver_ends_with_the_proof_or_the_desks_limit() {
    let soon = now().saturating_add(Duration::from_secs(5));
    let later = now().saturating_add(Duration::from_secs(50));
    let admitted = |expires, limit| {
        let proven = Proven {
            expires,
            ..proven("demo", "alice", PrincipalKind::Human)
        };
        Approver::admitted(
            person("alice"),
            AuthMethod::new("token").unwrap(),
            proven,
            limit,
        )
    };
    assert_eq!(admitted(Some(soon), later).expires(), soon);
    assert_eq!(admitted(None, later).expires(), later);
    let approver = admitted(Some(later), soon);
    assert!(!approver.has_expired(now()));
    assert!(approver.has_expired(soon));
}

#[test]
fn ids_that_are_linked_after_two_votes_are_one_voter() {
    let directory = people();
    let asked = selectors(&["group:security"]);
    let voter = |subject| {
        let who = id("demo", subject);
        match block_on(confirm(&who, &asked, &directory, Freshness::Any)).unwrap() {
            Confirmed::Person { person, .. } => person,
            other => panic!("{other:?}"),
        }
    };
    assert_ne!(voter("alice"), voter("olga"));
    directory
        .link(id("demo", "olga"), &id("demo", "alice"))
        .unwrap();
    assert_eq!(voter("alice"), voter("olga"));
}

#[test]
fn an_empty_group_is_nobody_and_not_everybody() {
    let directory = StaticDirectory::from_toml(
        "[[persons]]\nid = \"demo/alice\"\n[[groups]]\nname = \"security\"\nmembers = []\n",
    )
    .unwrap();
    let asked = selectors(&["group:security"]);
    let confirmed = block_on(confirm(
        &id("demo", "alice"),
        &asked,
        &directory,
        Freshness::Any,
    ))
    .unwrap();
    assert_eq!(
        confirmed,
        Confirmed::Person {
            person: person("alice"),
            satisfies: BTreeSet::new()
        }
    );
    let of = "group:security".parse().unwrap();
    let members = block_on(directory.members(&of, NonZeroU32::MIN)).unwrap();
    assert_eq!(members.known().unwrap().0, Members::All(vec![]));
}

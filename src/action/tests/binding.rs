//! Approve A, run B is impossible.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    super::labels::Labels,
    arbitrary::any_scene,
    changes::{Standing, changes},
    *,
};
use crate::canonical::Digest;

#[test]
fn every_bound_member_is_in_the_digest_and_in_the_join_input() {
    let (digest, join) = identity(&full(), &chain(), &session());
    let mut digests = BTreeSet::from([digest]);
    let mut joins = BTreeSet::from([join]);
    for (member, standing, action, chain, session) in changes() {
        if standing == Standing::Bound {
            let (digest, join) = identity(&action, &chain, &session);
            assert!(
                digests.insert(digest),
                "the digest is that of another: {member}"
            );
            assert!(
                joins.insert(join),
                "the join input is that of another: {member}"
            );
        }
    }
    assert!(digests.len() > 70, "{}", digests.len());
}

#[test]
fn no_advisory_member_is_in_either() {
    let expected = identity(&full(), &chain(), &session());
    let mut advisory = 0;
    for (member, standing, action, chain, session) in changes() {
        if standing == Standing::Advisory {
            assert_eq!(identity(&action, &chain, &session), expected, "{member}");
            advisory += 1;
        }
    }
    assert_eq!(advisory, 4);
}

#[test]
fn the_order_in_which_an_action_is_built_is_no_part_of_it() {
    let forwards = Action::named("a")
        .parameter("x", 1)
        .sensitive("y", 2)
        .context("p", 3)
        .context_clear("q", 4)
        .on(Resource::new("t", "i").label("b").label("a"))
        .build()
        .unwrap();
    let backwards = Action::named("a")
        .on(Resource::new("t", "i").label("a").label("b").label("a"))
        .context_clear("q", 4)
        .context("p", 3)
        .sensitive("y", 2)
        .parameters_json(br#"{"x": 1e0}"#)
        .build()
        .unwrap();
    assert_eq!(
        identity(&forwards, &chain(), &session()),
        identity(&backwards, &chain(), &session())
    );
}

#[test]
fn an_approval_of_one_request_is_none_of_another() {
    let (action, chain, session) = (full(), chain(), session());
    let persons = persons(1);
    let digest = |number, persons: &[Pseudonym]| {
        let stamp = Stamp {
            request: request(number),
            chain: &chain,
            session: &session,
            persons,
        };
        bind(&action, &stamp, &mut SeededSalts::new(7))
            .unwrap()
            .digest()
    };
    assert_eq!(digest(1, &persons), digest(1, &persons));
    assert_ne!(digest(1, &persons), digest(2, &persons));
    assert_ne!(
        digest(1, &persons),
        digest(1, &[Pseudonym::from_bytes([9; 16])])
    );
}

#[test]
fn there_is_one_pseudonym_for_each_person() {
    let (chain, session) = (chain(), session());
    for given in [0, 2] {
        let stamp = Stamp {
            request: request(1),
            chain: &chain,
            session: &session,
            persons: &persons(given),
        };
        let error = bind(&full(), &stamp, &mut SeededSalts::new(7)).unwrap_err();
        assert_eq!(
            error,
            BindError::Persons {
                humans: 1,
                persons: given
            }
        );
    }
}

#[test]
fn nothing_is_bound_without_salts() {
    #[derive(Debug)]
    struct Dry(usize);
    impl SaltSource for Dry {
        fn salt(&mut self) -> Result<Salt, NoEntropy> {
            self.0 = self.0.checked_sub(1).ok_or(NoEntropy)?;
            Ok(Salt::from_bytes([1; 16]))
        }
    }
    let (chain, session) = (chain(), session());
    let stamp = Stamp {
        request: request(1),
        chain: &chain,
        session: &session,
        persons: &persons(1),
    };
    let needed = bound(&full(), &chain, &session).disclosures().len();
    assert!(bind(&full(), &stamp, &mut Dry(needed)).is_ok());
    for salts in 0..needed {
        let refused = bind(&full(), &stamp, &mut Dry(salts));
        assert_eq!(refused, Err(BindError::NoEntropy(NoEntropy)));
    }
}

#[test]
fn the_form_shows_what_is_clear_and_nothing_that_is_hidden() {
    let bound = bound(&full(), &chain(), &session());
    let form = format!("{:?}", bound.form());
    for clear in [
        "db.export",
        "exporter",
        "3.2.0",
        "mcp.example",
        "db-1",
        "production",
        "reporter",
        "acme",
        "oidc",
        "run-7",
        "crm.customers",
        "scorer",
        "pii",
    ] {
        assert!(form.contains(clear), "{clear}");
    }
    for hidden in [
        "csv",
        "recipient",
        "rita",
        "98.7",
        "share",
        "T-1",
        "ticket",
        "olga",
        "march",
        "/out",
        "monthly",
        "4bf9",
    ] {
        assert!(!form.contains(hidden), "{hidden}");
    }
    // The table's id is hidden; the dataset of the same name is not.
    assert_eq!(form.matches("crm.customers").count(), 1);
}

#[test]
fn the_form_has_the_members_of_the_format() {
    let form = bound(&full(), &chain(), &session()).form().clone();
    let names: Vec<_> = form.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "_sd",
            "action",
            "actor",
            "context",
            "established",
            "operation",
            "parameters",
            "reads",
            "replaces",
            "request",
            "resources",
            "session",
            "tenant",
            "tool",
            "v",
            "writes",
        ]
    );
    let least = Action::named("a").build().unwrap();
    let alone = ActorChain::acting(Principal::agent("i", "s").unwrap());
    assert_eq!(
        bound(&least, &alone, &session()).form(),
        &text(&format!(
            r#"{{"action":"a","actor":[{{"issuer":"i","kind":"agent","subject":"s"}}],
            "context":{{"clear":{{}}}},"established":"host","parameters":{{}},"reads":[],
            "request":"{}","resources":[],"session":"run-7","v":1,"writes":[]}}"#,
            request(1)
        ))
    );
}

#[test]
fn the_digest_is_the_one_of_the_format() {
    let bound = bound(&full(), &chain(), &session());
    let mut bytes = b"countersign/action/v1\0".to_vec();
    bytes.extend(bound.form().to_canonical());
    assert_eq!(bound.digest().as_digest(), &Digest::sha256(&bytes));
    assert_eq!(bound.digest(), action_digest(bound.form()));
    let text = bound.digest().to_string();
    assert_eq!(ActionDigest::parse(&text), Ok(bound.digest()));
    assert_eq!(bound.digest().short(), text[..6]);
}

#[test]
fn every_salt_is_used_once() {
    let bound = bound(&full(), &chain(), &session());
    let salts: BTreeSet<_> = bound
        .disclosures()
        .iter()
        .map(|disclosure| *disclosure.open().unwrap().salt.as_bytes())
        .collect();
    assert_eq!(salts.len(), bound.disclosures().len());
    // olga, one context, occurrence, four parameters, one resource, one dataset.
    assert_eq!(salts.len(), 9);
}

/// The same action without what is advisory.
fn without_advice(action: &Action) -> Action {
    Action {
        justification: None,
        trace: None,
        ..action.clone()
    }
}

proptest! {
    /// Whatever stands in the texts, two things have one identity only if they are the same.
    #[test]
    fn no_text_passes_for_a_delimiter(a in any_scene(), b in any_scene()) {
        let same = without_advice(&a.action) == without_advice(&b.action)
            && a.chain == b.chain
            && a.session == b.session;
        let (digest_a, join_a) = identity(&a.action, &a.chain, &a.session);
        let (digest_b, join_b) = identity(&b.action, &b.chain, &b.session);
        prop_assert_eq!(digest_a == digest_b, same);
        prop_assert_eq!(join_a == join_b, same);
    }

    /// What is written without a tree is what a tree would be written as.
    #[test]
    fn both_are_canonical(scene in any_scene()) {
        let bound = bound(&scene.action, &scene.chain, &scene.session);
        prop_assert_eq!(bound.form().to_canonical(), bound.canonical());
        let join = join_input(&scene.action, &scene.chain, &scene.session);
        let limits = crate::canonical::Admission::default();
        let read = crate::canonical::admit(&join, &limits).unwrap();
        prop_assert_eq!(read.to_canonical(), join);
    }

    /// Moving text from one member to its neighbour makes another action.
    #[test]
    fn text_does_not_move_between_members(
        whole in "[a\"\\\\,:{}\\[\\]|\u{1f600}/ -]{2,12}",
        first in 0_usize..12,
        second in 0_usize..12,
    ) {
        let split = |at: usize| {
            let at = whole.char_indices().map(|(at, _)| at).cycle().nth(at).unwrap();
            (at > 0).then(|| whole.split_at(at))
        };
        let (Some((a1, a2)), Some((b1, b2))) = (split(first), split(second)) else {
            return Ok(());
        };
        let action = |namespace: &str, name: &str| {
            Action::named("a")
                .parameter("x", namespace)
                .parameter("y", name)
                .reads(Dataset::new(namespace, name))
                .build()
                .unwrap()
        };
        let chain_of = |issuer: &str, subject: &str| {
            ActorChain::acting(Principal::human(issuer, subject).unwrap())
        };
        let plain = chain();
        let one = identity(&action(a1, a2), &plain, &session());
        let other = identity(&action(b1, b2), &plain, &session());
        prop_assert_eq!(one.0 == other.0, a1 == b1);
        prop_assert_eq!(one.1 == other.1, a1 == b1);
        let one = identity(&full(), &chain_of(a1, a2), &session());
        let other = identity(&full(), &chain_of(b1, b2), &session());
        prop_assert_eq!(one.0 == other.0, a1 == b1);
        prop_assert_eq!(one.1 == other.1, a1 == b1);
    }
}

#[test]
fn labels_are_a_set() {
    let mut labels = Labels::default();
    labels.add("b");
    labels.add("a");
    labels.add("b");
    assert_eq!(labels.as_set().len(), 2);
}

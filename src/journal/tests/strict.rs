//! Every body that no event has is refused, by the rule that it breaks (F6, F7, F9, M1).

use std::sync::Arc;

use proptest::prelude::*;

use super::arbitrary::events;
use super::*;
use crate::action::Salt;
use crate::approval::testkit::*;
use crate::approval::{Basis, Choice, Unmet};
use crate::log::{Rule, Unjudged};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_unknown_member_is_refused(event in events()) {
        let mut filed = Filed::of(&event);
        filed.body.insert("extra".to_owned(), Json::from("x"));
        prop_assert_eq!(filed.read().unwrap_err().rule, Rule::F6);
    }

    #[test]
    fn an_unknown_hidden_member_is_refused(event in events()) {
        let mut filed = Filed::of(&event);
        let stray = Disclosure::new(&Salt::from_bytes([1; 16]), "extra", &Json::from("x"));
        let mut digests = filed.body.get("_sd").and_then(Json::as_array).map(<[Json]>::to_vec).unwrap_or_default();
        digests.push(Json::from(stray.digest().to_string()));
        digests.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        filed.body.insert("_sd".to_owned(), Json::Array(digests));
        filed.disclosures.insert(stray.digest(), stray);
        prop_assert_eq!(filed.read().unwrap_err().rule, Rule::F6);
    }

    #[test]
    fn a_member_of_another_type_is_refused(event in events(), pick in any::<prop::sample::Index>()) {
        let mut filed = Filed::of(&event);
        let names: Vec<String> = filed.body.keys().map(str::to_owned).collect();
        let name = pick.get(&names).clone();
        for other in [Json::Null, Json::from(-1), Json::from(vec![Json::Null]), Json::from("«»"), Json::from(Object::new())] {
            // An integer is one of `micros`, any object an attestation, and no head one of what nobody attested.
            let fits = matches!(
                (name.as_str(), &other),
                ("micros", Json::Number(_)) | ("attestation", Json::Object(_)) | ("attested" | "found", Json::Null)
            );
            let mut filed = filed.clone();
            filed.body.insert(name.clone(), other);
            prop_assert_eq!(filed.read().is_err(), !fits, "{}", name);
        }
        // Without it, the record is another one or none at all.
        filed.body.remove(&name);
        prop_assert!(filed.read() != Ok(event), "{}", name);
    }

    #[test]
    fn no_message_shows_a_value(event in events(), pick in any::<prop::sample::Index>()) {
        let mut filed = Filed::of(&event);
        let names: Vec<String> = filed.body.keys().map(str::to_owned).collect();
        filed.body.insert(pick.get(&names).clone(), Json::from("s3cret"));
        if let Err(error) = filed.read() {
            prop_assert!(!error.to_string().contains("s3cret"), "{}", error);
        }
    }
}

fn vote() -> Filed {
    Filed::of(&Event::Voted(Box::new(voted(
        2,
        Choice::Approve,
        &["group:a", "group:b"],
    ))))
}

/// The rule that a vote breaks once `change` was done to it.
fn broken(change: impl FnOnce(&mut Filed)) -> Rule {
    let mut filed = vote();
    change(&mut filed);
    filed.read().unwrap_err().rule
}

#[test]
fn digests_stand_in_one_order_and_once() {
    let reversed = broken(|filed| {
        let mut digests = filed.body.get("_sd").unwrap().as_array().unwrap().to_vec();
        digests.reverse();
        filed.body.insert("_sd".to_owned(), Json::Array(digests));
    });
    let doubled = broken(|filed| {
        let digests = filed.body.get("_sd").unwrap().as_array().unwrap();
        let digests = vec![digests[0].clone(), digests[0].clone()];
        filed.body.insert("_sd".to_owned(), Json::Array(digests));
    });
    let empty = broken(|filed| {
        filed.body.insert("_sd".to_owned(), Json::Array(Vec::new()));
    });
    let short = broken(|filed| {
        filed
            .body
            .insert("_sd".to_owned(), Json::from(vec![Json::from("abc")]));
    });
    assert_eq!([reversed, doubled, empty, short], [Rule::F7; 4]);
}

#[test]
fn a_disclosure_that_is_filed_under_another_digest_is_refused() {
    let swapped = broken(|filed| {
        let other = Disclosure::new(&Salt::from_bytes([1; 16]), "id", &Json::from("x"));
        for one in filed.disclosures.values_mut() {
            *one = other.clone();
        }
    });
    assert_eq!(swapped, Rule::F9);
    let ask = Event::Requested(Arc::new(asking(requirement("1 of group:a"))));
    let mut filed = Filed::of(&ask);
    let other = Disclosure::new(&Salt::from_bytes([1; 16]), "format", &Json::from("x"));
    for one in filed.disclosures.values_mut() {
        *one = other.clone();
    }
    assert_eq!(filed.read().unwrap_err().rule, Rule::F9);
}

#[test]
fn a_disclosed_member_collides_with_no_other() {
    let with_clear = broken(|filed| {
        filed.body.insert("id".to_owned(), Json::from("x"));
    });
    assert_eq!(with_clear, Rule::F9);
}

#[test]
fn arrays_are_sorted_as_they_are_written() {
    let unsorted = broken(|filed| {
        let as_ = vec![Json::from("group:b"), Json::from("group:a")];
        filed.body.insert("as".to_owned(), Json::Array(as_));
    });
    assert_eq!(unsorted, Rule::F6);
    let entry = |tie: &str, person: String| {
        Json::Object(Object::new().with("as", tie).with("person", person))
    };
    let ask = Event::Requested(Arc::new(asking(requirement("1 of group:a"))));
    let (one, two) = (
        entry("controller", person(1).to_string()),
        entry("requester", person(1).to_string()),
    );
    let unknown = entry("controller", "unknown".to_owned());
    for (interests, good) in [
        (vec![one.clone(), unknown.clone(), two.clone()], true),
        (vec![unknown.clone(), one.clone(), two.clone()], false),
        (vec![two.clone(), one.clone()], false),
        (vec![one.clone(), one.clone()], false),
        (vec![entry("requester", "unknown".to_owned())], false),
    ] {
        let mut filed = Filed::of(&ask);
        filed
            .body
            .insert("interests".to_owned(), Json::Array(interests));
        assert_eq!(filed.read().is_ok(), good);
    }
}

#[test]
fn a_record_names_only_records_before_it() {
    let body = |vote: u64| {
        let basis = Basis::RequireApproval {
            requirement: requirement("1 of group:a"),
            counted: vec![counted(vote, 2, &["group:a"])],
        };
        Filed::of(&start(basis, 90)).read()
    };
    assert!(body(OWN.0 - 1).is_ok());
    assert_eq!(body(OWN.0).unwrap_err().rule, Rule::M1);
    let reassessed = Filed::of(&reassess(crate::approval::Renewed::Deny, &[OWN.0]));
    assert_eq!(reassessed.read().unwrap_err().rule, Rule::M1);
}

#[test]
fn a_start_counts_nobody_where_policy_allowed_and_starts_nothing_that_is_denied() {
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, &["group:a"])],
    };
    let mut filed = Filed::of(&start(basis, 90));
    filed.body.insert("verdict".to_owned(), Json::from("allow"));
    assert_eq!(filed.read().unwrap_err().rule, Rule::M5);
    filed.body.insert("verdict".to_owned(), Json::from("deny"));
    assert_eq!(filed.read().unwrap_err().rule, Rule::M3);
}

#[test]
fn an_end_in_time_does_not_say_so() {
    let mut filed = Filed::of(&finish(crate::approval::Outcome::Succeeded));
    filed.body.insert("late".to_owned(), Json::Bool(false));
    assert_eq!(filed.read().unwrap_err().rule, Rule::F6);
}

#[test]
fn a_bound_form_that_no_action_has_is_refused() {
    let ask = Event::Requested(Arc::new(asking(requirement("1 of group:a"))));
    let mut filed = Filed::of(&ask);
    let Some(Json::Object(mut form)) = filed.body.remove("bound") else {
        panic!("no form");
    };
    form.insert("extra".to_owned(), Json::from(1));
    filed.body.insert("bound".to_owned(), Json::Object(form));
    assert_eq!(filed.read().unwrap_err().rule, Rule::F6);
}

#[test]
fn reserved_kinds_are_not_judged() {
    let mut filed = Filed::of(&expire(Unmet::Pending));
    filed.kind = Kind::Frozen;
    let place = Place {
        seq: OWN,
        ts: at(1),
        request: None,
        subject: Digest::sha256(b"log"),
    };
    assert_eq!(
        place.read(filed.kind, &filed.body, &|_| None),
        Ok(Decoded::NotJudged(Unjudged::Reserved(Kind::Frozen)))
    );
}

//! Requirements, their conjunction and their form in records.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::super::{
    Clocks, Exclusion, MustSupply, Pool, ProfileName, Quorum, Requirement, Satisfied, Selector,
    SelfApproval, Supply, Witnessing,
};
use super::{quorum, vote};
use crate::canonical::Json;
use crate::clock::Timestamp;

pub(super) fn requirement() -> impl Strategy<Value = Requirement> {
    let leaf = (1u32..=3, 0..4usize).prop_map(|(count, group)| {
        let from = Selector::parse(["group:a", "group:b", "role:c", "user:x/y"][group]).unwrap();
        Quorum::of(NonZeroU32::new(count).unwrap(), from).unwrap()
    });
    let quorum =
        vec(leaf, 1..=3).prop_map(|leaves| leaves.into_iter().reduce(Quorum::and).unwrap());
    let span = || (1u64..=30 * 24 * 3600).prop_map(Duration::from_secs);
    let instant = (0i64..1 << 50).prop_map(|micros| Timestamp::from_unix_micros(micros).unwrap());
    let clocks = (span(), span(), option::of(instant), option::of(span()));
    let exclude = btree_set((0..4usize).prop_map(|index| Exclusion::ALL[index]), 0..=4);
    let supply = || {
        any::<bool>().prop_map(|required| {
            if required {
                Supply::Required
            } else {
                Supply::Optional
            }
        })
    };
    let own = any::<bool>().prop_map(|own| {
        if own {
            SelfApproval::Recorded
        } else {
            SelfApproval::Refused
        }
    });
    let profiles = btree_set(
        "[a-c]".prop_map(|name| ProfileName::new(&name).unwrap()),
        0..=2,
    );
    let witnessing = prop::sample::select(vec![Witnessing::Afterwards, Witnessing::BeforeStart]);
    let other = (own, witnessing, profiles);
    (quorum, exclude, clocks, (supply(), supply()), other).prop_map(
        |(quorum, exclude, clocks, (reason, ticket), (self_approval, witnessing, profiles))| {
            Requirement {
                quorum,
                exclude,
                clocks: Clocks {
                    timeout: clocks.0,
                    valid_after_approval: clocks.1,
                    not_before: clocks.2,
                    run_within: clocks.3,
                },
                must_supply: MustSupply { reason, ticket },
                self_approval,
                witnessing,
                profiles,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_conjunction_is_commutative_associative_and_idempotent(a in requirement(), b in requirement(), c in requirement()) {
        prop_assert_eq!(a.clone().and(b.clone()), b.clone().and(a.clone()));
        prop_assert_eq!(a.clone().and(b.clone()).and(c.clone()), a.clone().and(b.clone().and(c)));
        prop_assert_eq!(a.clone().and(a.clone()), a);
    }

    #[test]
    fn a_conjunction_keeps_both_sides(a in requirement(), b in requirement()) {
        let joint = a.clone().and(b.clone());
        prop_assert!(joint.keeps(&a) && joint.keeps(&b));
        let unchanged = Requirement { profiles: joint.profiles.clone(), ..a.clone() } == joint;
        prop_assert_eq!(a.keeps(&joint), unchanged);
    }

    #[test]
    fn a_record_gives_back_what_was_written(requirement in requirement()) {
        let json = requirement.to_json();
        prop_assert_eq!(&Requirement::from_json(&json).unwrap(), &requirement);
        prop_assert_eq!(Requirement::from_json(&json).unwrap().to_json().to_canonical(), json.to_canonical());
    }
}

#[test]
fn the_form_in_records_is_the_documented_one() {
    let mut requirement =
        Requirement::new(quorum("2 of group:security and 1 of group:data-owners"));
    requirement.must_supply.reason = Supply::Required;
    requirement.clocks.not_before = Timestamp::from_unix_micros(0);
    requirement
        .profiles
        .insert(ProfileName::new("prod-change").unwrap());
    let text = String::from_utf8(requirement.to_json().to_canonical()).unwrap();
    let expected = concat!(
        r#"{"clocks":{"timeout":14400,"valid_for":900},"#,
        r#""exclude":["agent-owner","delegators","editors","requester"],"must_supply":["reason"],"#,
        r#""not_before":"1970-01-01T00:00:00.000000Z","profiles":["prod-change"],"#,
        r#""quorum":"2 of group:security and 1 of group:data-owners","self_approval":"refused"}"#,
    );
    assert_eq!(text, expected);
}

#[test]
fn a_record_is_read_strictly() {
    let good = Requirement::new(quorum("1 of group:a")).to_json();
    let changed = |change: &dyn Fn(&mut crate::canonical::Object)| {
        let mut object = good.as_object().unwrap().clone();
        change(&mut object);
        Requirement::from_json(&Json::Object(object))
    };
    assert!(changed(&|_| {}).is_ok());
    let cases: [(&str, Json); 9] = [
        ("quorum", Json::from("1  of group:a")),
        ("quorum", Json::from("(1 of group:a)")),
        ("quorum", Json::from("0 of group:a")),
        ("self_approval", Json::from("allowed")),
        (
            "exclude",
            Json::Array(vec![Json::from("requester"), Json::from("delegators")]),
        ),
        (
            "must_supply",
            Json::Array(vec![Json::from("reason"), Json::from("reason")]),
        ),
        ("not_before", Json::Null),
        ("profiles", Json::from("default")),
        ("distinct", Json::from(true)),
    ];
    for (member, value) in cases {
        let refused = changed(&|object| {
            object.insert(member.to_owned(), value.clone());
        });
        assert!(refused.is_err(), "{member}: {value:?}");
    }
    for member in [
        "clocks",
        "exclude",
        "must_supply",
        "profiles",
        "quorum",
        "self_approval",
    ] {
        let refused = changed(&|object| {
            object.remove(member);
        });
        assert!(refused.is_err(), "without {member}");
    }
    for timeout in [0, 30 * 24 * 3600 + 1] {
        let refused = changed(&|object| {
            let clocks = crate::canonical::Object::new()
                .with("timeout", timeout)
                .with("valid_for", 900);
            object.insert("clocks".to_owned(), Json::Object(clocks));
        });
        assert!(refused.is_err(), "{timeout}");
    }
}

#[test]
fn policy_5_controllers_are_excluded_unless_said_otherwise() {
    let requirement = Requirement::new(quorum("1 of group:security"));
    assert_eq!(requirement.exclude, BTreeSet::from(Exclusion::ALL));
    assert_eq!(requirement.self_approval, SelfApproval::Refused);
    // Where the controllers are unknown, nobody is left in any pool, and that is found before anyone is asked.
    let nobody = [(
        Selector::parse("group:security").unwrap(),
        Pool::<&str>::All(BTreeSet::new()),
    )];
    assert!(requirement.quorum.feasible(&nobody.into()).is_err());
}

#[test]
fn policy_62_half_a_quorum_is_no_approval() {
    let wanted = quorum("2 of group:security");
    let tally = wanted.tally(&[vote("ann", &["group:security"])]);
    assert_eq!(tally.satisfied, Satisfied::No);
    assert_eq!(tally.assignment.len(), 1);
}

//! Expressions over people, and who fills which slot.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{
    CountedVote, Pool, Quorum, QuorumError, Satisfied, Selector, SelectorError, Shortfall,
};
use super::{quorum, vote};

const SECURITY: &str = "group:security";
const DATA: &str = "group:data-owners";

fn satisfied(quorum: &Quorum, votes: &[CountedVote<&str>]) -> bool {
    quorum.tally(votes).satisfied == Satisfied::Yes
}

fn members(people: &[&'static str]) -> Pool<&'static str> {
    Pool::All(people.iter().copied().collect())
}

fn pools(pools: &[(&str, Pool<&'static str>)]) -> BTreeMap<Selector, Pool<&'static str>> {
    let parsed = pools.iter().cloned();
    parsed
        .map(|(selector, pool)| (Selector::parse(selector).unwrap(), pool))
        .collect()
}

#[test]
fn policy_19_same_person_fills_one_slot() {
    let wanted = quorum("2 of group:security and 1 of group:data-owners");
    let ann = vote("ann", &[SECURITY, DATA]);
    let bob = vote("bob", &[SECURITY]);
    let eve = vote("eve", &[SECURITY]);

    let short = wanted.tally(&[ann.clone(), bob.clone()]);
    assert_eq!(short.satisfied, Satisfied::No);
    assert_eq!(short.assignment.len(), 2);
    assert_eq!(
        short.missing.iter().map(|short| short.count).sum::<u32>(),
        1
    );

    let met = wanted.tally(&[ann, bob, eve]);
    assert_eq!(met.satisfied, Satisfied::Yes);
    assert!(met.missing.is_empty());
    let filled: Vec<(String, &str)> = met
        .assignment
        .iter()
        .map(|(selector, person)| (selector.to_string(), *person))
        .collect();
    let expected = [(SECURITY, "bob"), (SECURITY, "eve"), (DATA, "ann")];
    assert_eq!(
        filled,
        expected.map(|(slot, person)| (slot.to_owned(), person))
    );
}

#[test]
fn policy_20_right_number_of_wrong_people_is_not_enough() {
    let wanted = quorum("2 of group:security and 1 of group:data-owners");
    let votes = [
        vote("ann", &[DATA]),
        vote("bob", &[SECURITY]),
        vote("eve", &[DATA]),
    ];
    let tally = wanted.tally(&votes);
    assert_eq!(tally.satisfied, Satisfied::No);
    let security = Selector::parse(SECURITY).unwrap();
    assert_eq!(
        tally.missing,
        [Shortfall {
            selector: security,
            count: 1
        }]
    );
}

#[test]
fn policy_22_nobody_is_no_quorum() {
    for text in [
        "0 of group:security",
        "-1 of group:security",
        "00 of group:security",
        "33 of group:security",
    ] {
        assert!(
            matches!(Quorum::parse(text), Err(QuorumError::Count(_))),
            "{text}"
        );
    }
    for text in [
        "",
        "1 of",
        "one of group:security",
        "1 group:security",
        "1 of group:a and",
        "(1 of group:a",
    ] {
        assert!(Quorum::parse(text).is_err(), "{text}");
    }
    let none: [CountedVote<&str>; 0] = [];
    assert!(!satisfied(&quorum("1 of group:security"), &none));
}

#[test]
fn policy_22_a_group_that_is_too_small_is_unsatisfiable() {
    let wanted = quorum("3 of group:security");
    let missing = wanted
        .feasible(&pools(&[(SECURITY, members(&["ann", "bob"]))]))
        .unwrap_err();
    assert_eq!(
        missing.to_string(),
        "nobody who may approve is left for 1 of group:security"
    );
    assert!(
        wanted
            .feasible(&pools(&[(SECURITY, members(&[]))]))
            .is_err()
    );
    assert!(wanted.feasible::<&str>(&BTreeMap::new()).is_err());
    assert!(
        wanted
            .feasible(&pools(&[(SECURITY, members(&["ann", "bob", "eve"]))]))
            .is_ok()
    );
    assert!(
        wanted
            .feasible(&pools(&[(SECURITY, Pool::MoreThan(1000))]))
            .is_ok()
    );
}

#[test]
fn policy_22_people_of_two_groups_are_not_counted_twice_before_asking() {
    let wanted = quorum("1 of group:security and 1 of group:data-owners");
    let only_ann = pools(&[(SECURITY, members(&["ann"])), (DATA, members(&["ann"]))]);
    assert!(wanted.feasible(&only_ann).is_err());
    let crowd = pools(&[(SECURITY, Pool::MoreThan(50)), (DATA, members(&["ann"]))]);
    assert!(wanted.feasible(&crowd).is_ok());
}

#[test]
fn policy_23_an_alternative_that_is_met_suffices() {
    let wanted = quorum("2 of group:security and 1 of group:data-owners or 1 of role:director");
    let director = vote("dora", &["role:director"]);
    let tally = wanted.tally(&[vote("bob", &[SECURITY]), director]);
    assert_eq!(tally.satisfied, Satisfied::Yes);
    assert_eq!(
        tally.assignment,
        [(Selector::parse("role:director").unwrap(), "dora")]
    );
}

#[test]
fn policy_27_a_group_of_the_same_name_elsewhere_is_another_group() {
    let wanted = quorum("1 of group:okta/security");
    for other in [
        "group:entra/security",
        "group:security",
        "group:okta/Security",
        "role:okta/security",
    ] {
        assert!(!satisfied(&wanted, &[vote("bob", &[other])]), "{other}");
    }
    assert!(satisfied(&wanted, &[vote("bob", &["group:okta/security"])]));
}

#[test]
fn several_votes_of_one_person_are_one_person() {
    let wanted = quorum("2 of group:security");
    let ann = vote("ann", &[SECURITY]);
    assert!(!satisfied(&wanted, &[ann.clone(), ann.clone(), ann]));
}

#[test]
fn a_bare_name_is_no_selector() {
    let error = Quorum::parse("1 of security").unwrap_err();
    assert_eq!(
        error,
        QuorumError::Selector(SelectorError::Bare("security".to_owned()))
    );
    assert!(error.to_string().contains("write `group:security`"));
    assert!(Selector::parse("team:security").is_err());
    assert!(Selector::parse("group:").is_err());
    assert!(Selector::parse("group:a b").is_err());
    assert!(Selector::parse("group:a)").is_err());
    assert!(Selector::parse(&format!("group:{}", "x".repeat(129))).is_err());
    assert!(Selector::parse("user:https://id.example/#42").is_ok());
}

#[test]
fn and_binds_tighter_than_or() {
    let wanted = quorum("1 of group:a or 1 of group:b and 1 of group:c");
    assert!(satisfied(&wanted, &[vote("ann", &["group:a"])]));
    assert!(!satisfied(&wanted, &[vote("ann", &["group:b"])]));
    let grouped = quorum("(1 of group:a or 1 of group:b) and 1 of group:c");
    assert!(!satisfied(&grouped, &[vote("ann", &["group:a"])]));
    assert_eq!(
        grouped.to_string(),
        "(1 of group:a or 1 of group:b) and 1 of group:c"
    );
    assert_eq!(
        quorum("((1  of group:a)and 1 of group:b)").to_string(),
        "1 of group:a and 1 of group:b"
    );
}

#[test]
fn expressions_are_bounded() {
    let nested = |depth: usize| format!("{}1 of group:a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Quorum::parse(&nested(8)).is_ok());
    assert_eq!(Quorum::parse(&nested(9)), Err(QuorumError::Depth));
    assert_eq!(Quorum::parse(&nested(100_000)), Err(QuorumError::Depth));

    let pair = "(1 of group:a or 1 of group:b)";
    assert!(Quorum::parse(&[pair; 6].join(" and ")).is_ok());
    assert_eq!(
        Quorum::parse(&[pair; 7].join(" and ")),
        Err(QuorumError::Terms(64))
    );
}

#[test]
fn a_joint_quorum_that_is_too_large_is_never_met() {
    let six = |group: &str| {
        quorum(&[format!("(1 of group:{group} or 1 of group:x)").as_str(); 6].join(" and "))
    };
    let joint = six("a").and(six("b"));
    assert_eq!(joint.check_size(), Err(QuorumError::Terms(1024)));
    let people: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let votes: Vec<_> = people
        .iter()
        .map(|person| vote(person, &["group:a", "group:b", "group:x"]))
        .collect();
    let tally = joint.tally(&votes);
    assert_eq!(tally.satisfied, Satisfied::No);
    assert!(!tally.missing.is_empty());
}

#[test]
fn what_one_author_asks_for_twice_is_two_people_and_what_two_ask_for_is_one() {
    let twice = quorum("1 of group:a and 1 of group:a");
    assert!(!satisfied(&twice, &[vote("ann", &["group:a"])]));
    let joint = quorum("1 of group:a").and(quorum("1 of group:b and 1 of group:a"));
    assert_eq!(joint.to_string(), "1 of group:a and 1 of group:b");
    let kept = twice.and(quorum("1 of group:b"));
    assert_eq!(
        kept.to_string(),
        "1 of group:a and 1 of group:a and 1 of group:b"
    );
}

const GROUPS: [&str; 3] = ["group:a", "group:b", "role:c"];

/// An expression over a few groups, as text.
fn expression() -> impl Strategy<Value = String> {
    let leaf = (1u32..=3, 0..GROUPS.len())
        .prop_map(|(count, group)| format!("{count} of {}", GROUPS[group]));
    leaf.prop_recursive(3, 8, 3, |inner| {
        (any::<bool>(), vec(inner, 1..=3)).prop_map(|(all, members)| {
            let word = if all { " and " } else { " or " };
            format!("({})", members.join(word))
        })
    })
}

fn small_quorum() -> impl Strategy<Value = Quorum> {
    expression().prop_filter_map("too many alternatives", |text| Quorum::parse(&text).ok())
}

/// Up to six people and the groups that each is in.
fn electorate() -> impl Strategy<Value = Vec<CountedVote<usize>>> {
    vec(0u8..8, 0..=6).prop_map(|people| {
        let vote = |(person, groups): (usize, u8)| CountedVote {
            person,
            satisfies: (0..GROUPS.len())
                .filter(|group| groups & (1 << group) != 0)
                .map(|group| Selector::parse(GROUPS[group]).unwrap())
                .collect(),
        };
        people.into_iter().enumerate().map(vote).collect()
    })
}

/// Tries every way to give each person one slot or none.
fn brute_force(quorum: &Quorum, votes: &[CountedVote<usize>]) -> bool {
    fn fill(term: &[(&Selector, u32)], votes: &[CountedVote<usize>]) -> bool {
        if term.iter().all(|(_, count)| *count == 0) {
            return true;
        }
        let Some((first, rest)) = votes.split_first() else {
            return false;
        };
        let seated = (0..term.len()).any(|slot| {
            let mut fewer = term.to_vec();
            if fewer[slot].1 == 0 || !first.satisfies.contains(fewer[slot].0) {
                return false;
            }
            fewer[slot].1 -= 1;
            fill(&fewer, rest)
        });
        seated || fill(term, rest)
    }
    quorum.terms().unwrap().iter().any(|term| fill(term, votes))
}

proptest! {
    #[test]
    fn matching_equals_brute_force(quorum in small_quorum(), votes in electorate()) {
        let tally = quorum.tally(&votes);
        prop_assert_eq!(tally.satisfied == Satisfied::Yes, brute_force(&quorum, &votes));
        prop_assert_eq!(tally.missing.is_empty(), tally.satisfied == Satisfied::Yes);
        let people: BTreeSet<usize> = tally.assignment.iter().map(|(_, person)| *person).collect();
        prop_assert_eq!(people.len(), tally.assignment.len(), "somebody sits twice");
        for (selector, person) in &tally.assignment {
            prop_assert!(votes[*person].satisfies.contains(selector));
        }
    }

    #[test]
    fn the_order_of_votes_means_nothing(quorum in small_quorum(), votes in electorate(), seed in any::<u64>()) {
        let mut shuffled = votes.clone();
        shuffled.sort_by_key(|vote| (vote.person as u64 + 1).wrapping_mul(seed | 1));
        prop_assert_eq!(quorum.tally(&shuffled), quorum.tally(&votes));
    }

    #[test]
    fn a_vote_less_never_satisfies(quorum in small_quorum(), votes in electorate()) {
        for left_out in 0..votes.len() {
            let mut fewer = votes.clone();
            fewer.remove(left_out);
            prop_assert!(quorum.tally(&fewer).satisfied == Satisfied::No || quorum.tally(&votes).satisfied == Satisfied::Yes);
        }
    }

    #[test]
    fn what_the_pools_can_fill_their_votes_fill(quorum in small_quorum(), votes in electorate()) {
        let mut pools: BTreeMap<Selector, Pool<usize>> = BTreeMap::new();
        for group in GROUPS {
            let group = Selector::parse(group).unwrap();
            let people = votes.iter().filter(|vote| vote.satisfies.contains(&group)).map(|vote| vote.person);
            let people = Pool::All(people.collect());
            pools.insert(group, people);
        }
        prop_assert_eq!(quorum.feasible(&pools).is_ok(), quorum.tally(&votes).satisfied == Satisfied::Yes);
    }

    #[test]
    fn text_is_read_back_the_same(quorum in small_quorum()) {
        prop_assert_eq!(&Quorum::parse(&quorum.to_string()).unwrap(), &quorum);
        prop_assert_eq!(&Quorum::parse_recorded(&quorum.to_string()).unwrap(), &quorum);
    }

    #[test]
    fn a_conjunction_does_not_depend_on_its_order(a in small_quorum(), b in small_quorum(), c in small_quorum()) {
        prop_assert_eq!(a.clone().and(b.clone()), b.clone().and(a.clone()));
        prop_assert_eq!(a.clone().and(b.clone()).and(c.clone()), a.clone().and(b.clone().and(c)));
        prop_assert_eq!(a.clone().and(a.clone()), a);
    }

    #[test]
    fn who_meets_a_conjunction_meets_both(a in small_quorum(), b in small_quorum(), votes in electorate()) {
        let joint = a.clone().and(b.clone());
        prop_assert!(joint.keeps(&a) && joint.keeps(&b));
        if joint.check_size().is_ok() {
            if joint.tally(&votes).satisfied == Satisfied::Yes {
                prop_assert!(a.tally(&votes).satisfied == Satisfied::Yes && b.tally(&votes).satisfied == Satisfied::Yes);
            }
            prop_assert_eq!(Quorum::parse_recorded(&joint.to_string()).unwrap(), joint);
        }
    }
}

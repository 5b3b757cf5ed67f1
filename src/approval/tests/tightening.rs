//! Requirements only tighten, and a start counts only what was cast (M5, M6, M11).

use super::super::testkit::*;
use super::super::*;
use super::broken;
use crate::policy::{Exclusion, Requirement, SelfApproval, Witnessing};

const A: &[&str] = &["group:a"];

/// Tightened policy applies, loosened policy does not.
#[test]
fn a_weaker_requirement_is_refused_at_reassessment_and_start() {
    let approved = Story::begin(asking(requirement("1 of group:a"))).tell(10, approve(2, A));
    let mut longer = requirement("1 of group:a");
    longer.clocks.valid_after_approval = std::time::Duration::from_secs(51);
    let mut open = requirement("1 of group:a");
    open.exclude.remove(&Exclusion::Requester);
    let excused = Requirement {
        self_approval: SelfApproval::Recorded,
        ..requirement("1 of group:a")
    };
    for weaker in [
        longer,
        open,
        excused,
        requirement("1 of group:a or 1 of group:b"),
    ] {
        let again = reassess(Renewed::RequireApproval(weaker.clone()), &[]);
        assert_eq!(
            broken(approved.state.check(&again, at(20))),
            (MeaningRule::M6, Why::Weaker)
        );
        let basis = Basis::RequireApproval {
            requirement: weaker,
            counted: vec![counted(1, 2, A)],
        };
        assert_eq!(
            broken(approved.state.check(&start(basis, 90), at(20))),
            (MeaningRule::M6, Why::Weaker)
        );
    }
    for weaker in [reassess(Renewed::Allow, &[]), start(Basis::Allow, 90)] {
        assert_eq!(
            broken(approved.state.check(&weaker, at(20))),
            (MeaningRule::M6, Why::Weaker)
        );
    }
}

#[test]
fn a_stricter_requirement_sends_the_request_back_to_people() {
    let approved = Story::begin(asking(requirement("1 of group:a"))).tell(10, approve(2, A));
    let stricter = requirement("1 of group:a and 1 of group:b");
    let pending = approved.tell(
        20,
        reassess(Renewed::RequireApproval(stricter.clone()), &[]),
    );
    assert_eq!(
        pending.state.status(at(20)),
        Status::Pending { expires: at(100) }
    );
    let approved = pending.tell(30, approve(3, &["group:b"]));
    let basis = Basis::RequireApproval {
        requirement: stricter,
        counted: vec![counted(1, 2, A), counted(3, 3, &["group:b"])],
    };
    assert_eq!(approved.state.check(&start(basis, 90), at(31)), Ok(()));
    // The one who was enough at first no longer is.
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, A)],
    };
    assert_eq!(
        broken(approved.state.check(&start(basis, 90), at(31))),
        (MeaningRule::M6, Why::Weaker)
    );
}

#[test]
fn what_policy_had_allowed_may_come_to_need_people() {
    let pending = Story::begin(requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Default::default(),
    }))
    .tell(
        10,
        reassess(Renewed::RequireApproval(requirement("1 of group:a")), &[]),
    );
    assert_eq!(
        pending.state.status(at(10)),
        Status::Pending { expires: at(110) }
    );
    // The time to decide is given once.
    let again = pending.tell(60, approve(2, A)).tell(
        70,
        reassess(Renewed::RequireApproval(requirement("1 of group:a")), &[2]),
    );
    assert_eq!(
        again.state.status(at(70)),
        Status::Pending { expires: at(110) }
    );
    let allowed = Story::begin(requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Default::default(),
    }))
    .tell(10, reassess(Renewed::Allow, &[]));
    assert_eq!(
        allowed.state.may_start(at(49)),
        Ok(Ready {
            since: at(0),
            use_by: at(50),
            requirement: None
        })
    );
}

#[test]
fn a_start_without_people_needs_votes_if_policy_now_wants_them() {
    let allowed = Story::begin(requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Default::default(),
    }));
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: Vec::new(),
    };
    assert_eq!(
        broken(allowed.state.check(&start(basis, 90), at(1))),
        (MeaningRule::M5, Why::QuorumNotMet)
    );
}

#[test]
fn counted_votes_are_votes_that_were_cast() {
    let state = Story::begin(asking(requirement("2 of group:a")))
        .tell(1, approve(2, A))
        .tell(2, approve(3, A))
        .tell(
            3,
            reassess(Renewed::RequireApproval(requirement("2 of group:a")), &[1]),
        )
        .tell(4, approve(4, A))
        .state;
    let with = |counted: Vec<Counted>| {
        let basis = Basis::RequireApproval {
            requirement: requirement("2 of group:a"),
            counted,
        };
        state.check(&start(basis, 90), at(5))
    };
    let (good, other) = (counted(2, 3, A), counted(4, 4, A));
    assert_eq!(with(vec![good.clone(), other.clone()]), Ok(()));
    let miscounted = [
        (vec![counted(1, 2, A), good.clone()], 1),  // void
        (vec![counted(2, 4, A), other.clone()], 2), // another person's
        (vec![counted(0, 3, A), other.clone()], 0), // no vote
        (vec![other.clone(), good.clone()], 2),     // unordered
        (vec![good.clone(), good.clone()], 2),      // twice
    ];
    for (votes, at) in miscounted {
        assert_eq!(
            broken(with(votes)),
            (MeaningRule::M5, Why::Miscounted(At(at)))
        );
    }
    assert_eq!(
        broken(with(vec![good.clone()])),
        (MeaningRule::M5, Why::QuorumNotMet)
    );
    // The directory no longer confirms one of them.
    assert_eq!(
        broken(with(vec![good, counted(4, 4, &[])])),
        (MeaningRule::M5, Why::QuorumNotMet)
    );
}

#[test]
fn one_person_counts_once_at_the_start() {
    // The first vote of person 2 was voided and cast again; both cannot count.
    let state = Story::begin(asking(requirement("2 of group:a")))
        .tell(1, approve(2, A))
        .tell(
            2,
            reassess(Renewed::RequireApproval(requirement("2 of group:a")), &[1]),
        )
        .tell(3, approve(2, A))
        .tell(4, approve(3, A))
        .state;
    let basis = Basis::RequireApproval {
        requirement: requirement("2 of group:a"),
        counted: vec![counted(1, 2, A), counted(3, 2, A)],
    };
    assert_eq!(
        broken(state.check(&start(basis, 90), at(5))),
        (MeaningRule::M5, Why::Miscounted(At(1)))
    );
}

fn watched() -> Requirement {
    requirement("1 of group:a").witnessed(Witnessing::BeforeStart)
}

fn knowing(basis: Basis, witnessed: Option<u64>) -> Event {
    Event::Started(Box::new(Started {
        witnessed,
        ..started(basis, 90)
    }))
}

#[test]
fn what_is_to_be_witnessed_starts_from_a_tree_that_holds_the_decision() {
    let on_a_vote = |requirement| Basis::RequireApproval {
        requirement,
        counted: Vec::new(),
    };
    let people = Story::begin(asking(watched())).tell(10, approve(2, A));
    let grown = Story::begin(asking(requirement("1 of group:a"))).tell(10, approve(2, A));
    let allowed = requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Witnessing::BeforeStart,
    });
    let allowed = Story::begin(allowed);
    let asked_then = allowed
        .clone()
        .tell(
            1,
            reassess(Renewed::RequireApproval(requirement("1 of group:a")), &[]),
        )
        .tell(10, approve(2, A));
    for (story, basis) in [
        (people, on_a_vote(watched())),
        (grown, on_a_vote(watched())),
        (allowed, Basis::Allow),
        (asked_then, on_a_vote(requirement("1 of group:a"))),
    ] {
        let last = story.state.last().0;
        let basis = match basis {
            Basis::RequireApproval { requirement, .. } => Basis::RequireApproval {
                requirement,
                counted: vec![counted(last, 2, A)],
            },
            Basis::Allow => Basis::Allow,
        };
        let check = |known| story.state.check(&knowing(basis.clone(), known), at(20));
        let m11 = |why| (MeaningRule::M11, why);
        assert_eq!(broken(check(None)), m11(Why::Unwitnessed));
        assert_eq!(broken(check(Some(last))), m11(Why::WitnessedBefore));
        assert_eq!(check(Some(last + 1)), Ok(()));
        assert_eq!(broken(check(Some(last + 2))), m11(Why::WitnessedAhead));
    }
}

#[test]
fn a_requirement_that_need_not_be_witnessed_any_more_is_weaker() {
    let approved = Story::begin(asking(watched())).tell(10, approve(2, A));
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, A)],
    };
    let known = Some(approved.state.last().0 + 1);
    assert_eq!(
        broken(approved.state.check(&knowing(basis, known), at(20))),
        (MeaningRule::M6, Why::Weaker)
    );
}

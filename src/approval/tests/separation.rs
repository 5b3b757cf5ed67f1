//! Nobody approves their own action, nor one of an agent that acts for them or that they control.

use std::collections::BTreeSet;

use super::super::testkit::*;
use super::super::*;
use super::broken;
use crate::policy::{Exclusion, Requirement, SelfApproval};

const A: &[&str] = &["group:a"];

fn ask(requirement: Requirement, interests: Interests) -> Story {
    Story::begin(Requested {
        interests,
        ..asking(requirement)
    })
}

fn recorded() -> Requirement {
    Requirement {
        self_approval: SelfApproval::Recorded,
        ..requirement("1 of group:a")
    }
}

#[test]
fn people_with_an_interest_do_not_approve() {
    for tie in [As::Requester, As::Delegator, As::Controller] {
        let mut story = ask(
            requirement("1 of group:a"),
            Interests::none().with(tie, person(2)),
        );
        assert_eq!(
            broken(story.try_tell(1, approve(2, A))),
            (MeaningRule::M4, Why::SelfApproval(tie))
        );
        // The exception is the requirement's to grant.
        assert_eq!(
            broken(story.try_tell(1, approve_excepted(2, A))),
            (MeaningRule::M4, Why::NoException)
        );
        assert_eq!(story.try_tell(1, approve(3, A)), Ok(()));
    }
}

#[test]
fn an_interest_excludes_only_where_the_requirement_says_so() {
    let mut lax = requirement("1 of group:a");
    lax.exclude = BTreeSet::from([Exclusion::Requester, Exclusion::AgentOwner]);
    let interests = Interests::none()
        .with(As::Delegator, person(2))
        .with(As::Requester, person(3));
    let mut story = ask(lax, interests);
    assert_eq!(
        broken(story.try_tell(1, approve(3, A))).1,
        Why::SelfApproval(As::Requester)
    );
    assert_eq!(story.try_tell(1, approve(2, A)), Ok(()));
}

#[test]
fn while_controllers_are_unknown_nobody_approves() {
    let mut story = ask(recorded(), Interests::none().with_unknown_controllers());
    assert_eq!(
        broken(story.try_tell(1, approve(2, A))),
        (MeaningRule::M4, Why::UnknownController)
    );
    assert_eq!(
        broken(story.try_tell(1, approve_excepted(2, A))),
        (MeaningRule::M4, Why::UnknownController)
    );
    let mut lax = requirement("1 of group:a");
    lax.exclude.remove(&Exclusion::AgentOwner);
    let mut story = ask(lax, Interests::none().with_unknown_controllers());
    assert_eq!(story.try_tell(1, approve(2, A)), Ok(()));
}

#[test]
fn an_exception_is_recorded_by_those_who_need_it_alone() {
    let mut story = ask(
        recorded(),
        Interests::none().with(As::Controller, person(2)),
    );
    assert_eq!(
        broken(story.try_tell(1, approve(2, A))).1,
        Why::SelfApproval(As::Controller)
    );
    assert_eq!(
        broken(story.try_tell(1, approve_excepted(3, A))).1,
        Why::NoException
    );
    let story = story.tell(1, approve_excepted(2, A));
    let basis = Basis::RequireApproval {
        requirement: recorded(),
        counted: vec![counted(1, 2, A)],
    };
    assert_eq!(story.state.check(&start(basis, 90), at(2)), Ok(()));
}

#[test]
fn a_denial_needs_no_exception() {
    let mut story = ask(recorded(), Interests::none().with(As::Requester, person(2)));
    let excepted = Voted {
        exception: Some(Exception::SelfApproval),
        ..voted(2, Choice::Deny, A)
    };
    assert_eq!(
        broken(story.try_tell(1, Event::Voted(Box::new(excepted)))).1,
        Why::NoException
    );
    assert_eq!(story.try_tell(1, deny(2, A)), Ok(()));
}

/// A vote of somebody who turns out to have an interest does not count, whether or not the record voids it.
#[test]
fn an_interest_that_comes_up_later_undoes_the_approval() {
    for voided in [&[][..], &[1][..]] {
        let approved = ask(requirement("1 of group:a"), Interests::none()).tell(1, approve(2, A));
        let found = Reassessed {
            interests: Interests::none().with(As::Controller, person(2)),
            ..reassessed(
                Renewed::RequireApproval(requirement("1 of group:a")),
                voided,
            )
        };
        let mut pending = approved.tell(2, Event::Reassessed(Box::new(found)));
        assert_eq!(
            pending.state.status(at(2)),
            Status::Pending { expires: at(100) }
        );
        assert!(pending.state.counting().is_empty());
        assert!(pending.try_tell(3, approve(2, A)).is_err());
        assert_eq!(pending.try_tell(3, approve(3, A)), Ok(()));
    }
}

/// Giving up an agent after it has asked does not make one free to approve.
#[test]
fn who_once_had_an_interest_keeps_it() {
    let mut story = ask(
        requirement("2 of group:a"),
        Interests::none().with(As::Controller, person(2)),
    )
    .tell(1, approve(3, A))
    .tell(
        2,
        reassess(Renewed::RequireApproval(requirement("2 of group:a")), &[]),
    );
    assert_eq!(
        broken(story.try_tell(3, approve(2, A))).1,
        Why::SelfApproval(As::Controller)
    );
}

#[test]
fn controllers_that_are_known_again_free_the_others() {
    let story = ask(
        requirement("1 of group:a"),
        Interests::none().with_unknown_controllers(),
    )
    .tell(
        2,
        reassess(Renewed::RequireApproval(requirement("1 of group:a")), &[]),
    );
    assert_eq!(story.state.check(&approve(2, A), at(3)), Ok(()));
}

#[test]
fn a_start_counts_nobody_whom_its_own_interests_exclude() {
    let state = ask(requirement("1 of group:a"), Interests::none())
        .tell(1, approve(2, A))
        .state;
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, A)],
    };
    let start = |interests| {
        Event::Started(Box::new(Started {
            interests,
            ..started(basis.clone(), 90)
        }))
    };
    let controller = start(Interests::none().with(As::Controller, person(2)));
    assert_eq!(
        broken(state.check(&controller, at(2))),
        (MeaningRule::M5, Why::SelfApproval(As::Controller))
    );
    let unknown = start(Interests::none().with_unknown_controllers());
    assert_eq!(
        broken(state.check(&unknown, at(2))),
        (MeaningRule::M5, Why::UnknownController)
    );
    assert_eq!(state.check(&start(Interests::none()), at(2)), Ok(()));
}

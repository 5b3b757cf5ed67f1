use std::collections::BTreeMap;

use super::super::testkit::*;
use super::super::*;
use super::broken;
use crate::policy::{Satisfied, Supply};

const A: &[&str] = &["group:a"];
const B: &[&str] = &["group:b"];

/// The same vote twice is one vote, and says so.
#[test]
fn a_second_approval_of_one_person_is_refused_by_name() {
    let mut story = Story::begin(asking(requirement("2 of group:a"))).tell(10, approve(2, A));
    assert_eq!(
        broken(story.try_tell(11, approve(2, A))).1,
        Why::AlreadyApproved(At(1))
    );
    assert_eq!(
        story.state.status(at(11)),
        Status::Pending { expires: at(100) }
    );
    // Once the quorum is met it is still the answer to the same click.
    let mut story = story.tell(12, approve(3, A));
    assert_eq!(
        broken(story.try_tell(13, approve(2, A))).1,
        Why::AlreadyApproved(At(1))
    );
}

#[test]
fn a_person_tightens_their_vote_and_never_loosens_it() {
    let pending = Story::begin(asking(requirement("2 of group:a"))).tell(10, approve(2, A));
    let mut rejected = pending.clone().tell(11, deny(2, A));
    assert_eq!(
        rejected.state.status(at(11)),
        Status::Rejected { by: At(2) }
    );
    assert_eq!(
        broken(rejected.try_tell(12, approve(2, A))).1,
        Why::Wrong { state: "rejected" }
    );
    let approved = pending.tell(11, approve(3, A));
    let rejected = approved.tell(12, deny(3, A));
    assert_eq!(
        rejected.state.status(at(12)),
        Status::Rejected { by: At(3) }
    );
}

/// A denial that lands before the start wins, one after it is too late.
#[test]
fn a_denial_counts_until_the_start() {
    let approved = Story::begin(asking(requirement("1 of group:a"))).tell(10, approve(2, A));
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, A)],
    };
    let mut denied_first = approved.clone().tell(20, deny(3, A));
    assert_eq!(
        broken(denied_first.try_tell(20, start(basis.clone(), 90))).1,
        Why::Wrong { state: "rejected" }
    );
    let mut started_first = approved.tell(20, start(basis, 90));
    assert_eq!(
        broken(started_first.try_tell(20, deny(3, A))).1,
        Why::Wrong { state: "running" }
    );
}

/// Only somebody who could have approved can deny.
#[test]
fn a_denial_by_somebody_who_is_not_asked_does_nothing() {
    let mut story = Story::begin(asking(requirement("1 of group:a")));
    assert_eq!(broken(story.try_tell(10, deny(2, B))).1, Why::NotEligible);
    assert_eq!(
        broken(story.try_tell(10, approve(2, B))).1,
        Why::NotEligible
    );
    assert_eq!(
        broken(story.try_tell(10, approve(2, &[]))).1,
        Why::NotEligible
    );
    assert_eq!(
        story.tell(11, deny(3, A)).state.status(at(11)),
        Status::Rejected { by: At(1) }
    );
}

#[test]
fn nobody_votes_on_what_policy_allowed() {
    let mut story = Story::begin(requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Default::default(),
    }));
    assert_eq!(broken(story.try_tell(10, deny(2, A))).1, Why::NobodyAsked);
    assert_eq!(
        broken(story.try_tell(10, approve(2, A))).1,
        Why::Wrong { state: "approved" }
    );
}

/// One person fills one slot, also somebody who is in both groups.
#[test]
fn distinct_people_fill_distinct_slots() {
    let quorum = "2 of group:security and 1 of group:data";
    let both = &["group:data", "group:security"];
    let two = Story::begin(asking(requirement(quorum)))
        .tell(1, approve(2, both))
        .tell(2, approve(3, both));
    assert_eq!(
        two.state.status(at(2)),
        Status::Pending { expires: at(100) }
    );
    let three = two.clone().tell(3, approve(4, &["group:security"]));
    let Status::Approved { since, use_by, .. } = three.state.status(at(3)) else {
        panic!("not approved");
    };
    assert_eq!((since, use_by), (at(3), at(53)));
    let wrong_mix = Story::begin(asking(requirement(quorum)))
        .tell(1, approve(2, &["group:data"]))
        .tell(2, approve(3, &["group:security"]))
        .tell(3, approve(4, &["group:data"]));
    assert_eq!(
        wrong_mix.state.status(at(3)),
        Status::Pending { expires: at(100) }
    );
    assert_eq!(wrong_mix.state.tally().unwrap().missing.len(), 1);
}

/// One branch of an `or` approves, once.
#[test]
fn one_alternative_is_enough_and_approves_once() {
    let quorum = "2 of group:a or 1 of group:b and 1 of group:c";
    let mut story = Story::begin(asking(requirement(quorum)))
        .tell(1, approve(2, B))
        .tell(2, approve(3, A))
        .tell(3, approve(4, A));
    assert!(story.state.may_start(at(3)).is_ok());
    assert_eq!(
        broken(story.try_tell(4, approve(5, &["group:c"]))).1,
        Why::Wrong { state: "approved" }
    );
}

#[test]
fn what_must_be_supplied_is_supplied() {
    let mut asks = requirement("1 of group:a");
    asks.must_supply.reason = Supply::Required;
    asks.must_supply.ticket = Supply::Required;
    let mut story = Story::begin(asking(asks));
    let mut vote = voted(2, Choice::Approve, A);
    assert_eq!(
        broken(story.try_tell(1, Event::Voted(Box::new(vote.clone())))),
        (MeaningRule::M7, Why::ReasonMissing)
    );
    vote.comment = Some(Hidden::Known("checked".to_owned()));
    assert_eq!(
        broken(story.try_tell(1, Event::Voted(Box::new(vote.clone())))),
        (MeaningRule::M7, Why::TicketMissing)
    );
    // A denial needs neither.
    assert_eq!(story.state.check(&deny(3, A), at(1)), Ok(()));
    vote.ticket = Some(Hidden::Known("T-1".to_owned()));
    assert_eq!(story.try_tell(1, Event::Voted(Box::new(vote))), Ok(()));
}

/// Somebody who left the group no longer counts, and the request is pending again.
#[test]
fn a_voided_vote_takes_the_approval_with_it_and_may_be_cast_again() {
    let approved = Story::begin(asking(requirement("1 of group:a"))).tell(10, approve(2, A));
    let again = Renewed::RequireApproval(requirement("1 of group:a"));
    let pending = approved.tell(20, reassess(again.clone(), &[1]));
    assert_eq!(
        pending.state.status(at(20)),
        Status::Pending { expires: at(100) }
    );
    assert_eq!(pending.state.reassessments(ReassessCause::Votes), 1);
    assert_eq!(pending.state.votes()[0].voided, Some(At(2)));
    let mut approved = pending.tell(30, approve(2, A));
    let Status::Approved { since, .. } = approved.state.status(at(30)) else {
        panic!("not approved");
    };
    assert_eq!(since, at(30));
    assert_eq!(
        broken(approved.try_tell(31, reassess(again.clone(), &[1]))).1,
        Why::NoSuchVote(At(1))
    );
    assert_eq!(
        broken(approved.try_tell(31, reassess(again, &[0]))).1,
        Why::NoSuchVote(At(0))
    );
}

#[test]
fn an_approval_that_the_rest_still_meets_keeps_its_end() {
    let approved =
        Story::begin(asking(requirement("1 of group:a or 1 of group:b"))).tell(10, approve(2, A));
    let same = Renewed::RequireApproval(requirement("1 of group:a or 1 of group:b"));
    let still = approved.tell(20, reassess(same, &[]));
    let Status::Approved { since, use_by, .. } = still.state.status(at(20)) else {
        panic!("not approved");
    };
    assert_eq!((since, use_by), (at(10), at(60)));
}

#[test]
fn an_approval_taken_back_after_the_time_to_decide_has_expired() {
    let mut asks = requirement("1 of group:a");
    asks.clocks.timeout = std::time::Duration::from_secs(30);
    let approved = Story::begin(asking(asks.clone())).tell(20, approve(2, A));
    let over = approved.tell(40, reassess(Renewed::RequireApproval(asks), &[1]));
    assert_eq!(
        over.state.status(at(40)),
        Status::Expired {
            what: Unmet::Pending
        }
    );
}

#[test]
fn a_recount_says_who_counts_and_why_others_do_not() {
    let state = Story::begin(asking(requirement("2 of group:a")))
        .tell(1, approve(2, A))
        .tell(2, approve(3, A))
        .state;
    let interests = Interests::none().with(As::Controller, person(3));
    let all = BTreeMap::from([(person(2), selectors(A)), (person(3), selectors(A))]);
    let recount = count_votes(&state, state.requirement().unwrap(), &interests, &all);
    assert_eq!(recount.counted, vec![counted(1, 2, A)]);
    assert_eq!(
        recount.voided,
        BTreeMap::from([(At(2), VoidReason::Interested(As::Controller))])
    );
    assert_eq!(recount.tally.satisfied, Satisfied::No);

    let moved = BTreeMap::from([(person(2), selectors(B)), (person(3), selectors(A))]);
    let recount = count_votes(
        &state,
        state.requirement().unwrap(),
        &Interests::none(),
        &moved,
    );
    assert_eq!(
        recount.voided,
        BTreeMap::from([(At(1), VoidReason::NotEligible)])
    );
    let gone = BTreeMap::from([(person(3), selectors(A))]);
    let recount = count_votes(
        &state,
        state.requirement().unwrap(),
        &Interests::none(),
        &gone,
    );
    assert_eq!(
        recount.voided,
        BTreeMap::from([(At(1), VoidReason::NotEligible)])
    );

    let unknown = Interests::none().with_unknown_controllers();
    let recount = count_votes(&state, state.requirement().unwrap(), &unknown, &all);
    assert_eq!(
        recount.voided.values().collect::<Vec<_>>(),
        [&VoidReason::UnknownController; 2]
    );
    let recount = count_votes(
        &state,
        state.requirement().unwrap(),
        &Interests::none(),
        &all,
    );
    assert_eq!(recount.tally.satisfied, Satisfied::Yes);
}

//! The four clocks, at the instant itself and one microsecond before.

use std::time::Duration;

use super::super::testkit::*;
use super::super::*;
use super::broken;

const A: &[&str] = &["group:a"];
const TICK: Duration = Duration::from_micros(1);

fn approved() -> Story {
    Story::begin(asking(requirement("1 of group:a"))).tell(10, approve(2, A))
}

fn basis() -> Basis {
    Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, A)],
    }
}

#[test]
fn a_vote_counts_until_the_tick_before_expiry() {
    let story = Story::begin(asking(requirement("1 of group:a")));
    let vote = approve(2, A);
    assert_eq!(
        story.state.check(&vote, at(100).saturating_sub(TICK)),
        Ok(())
    );
    assert_eq!(
        broken(story.state.check(&vote, at(100))).1,
        Why::Over(Unmet::Pending)
    );
    assert_eq!(
        broken(
            story
                .state
                .check(&expire(Unmet::Pending), at(100).saturating_sub(TICK))
        )
        .1,
        Why::NotOver
    );
    assert_eq!(story.state.check(&expire(Unmet::Pending), at(100)), Ok(()));
}

#[test]
fn expiry_is_a_fact_of_the_clock_without_any_record() {
    let state = Story::begin(asking(requirement("1 of group:a"))).state;
    assert_eq!(
        state.status(at(100).saturating_sub(TICK)),
        Status::Pending { expires: at(100) }
    );
    assert_eq!(
        state.status(at(100)),
        Status::Expired {
            what: Unmet::Pending
        }
    );
    assert_eq!(
        state.may_start(at(100)),
        Err(NotReady::Expired {
            what: Unmet::Pending
        })
    );
    let state = approved().state;
    assert!(state.may_start(at(60).saturating_sub(TICK)).is_ok());
    assert_eq!(
        state.status(at(60)),
        Status::Expired {
            what: Unmet::Unused
        }
    );
    assert_eq!(
        state.may_start(at(60)),
        Err(NotReady::Expired {
            what: Unmet::Unused
        })
    );
}

/// A vote after the time-out finds the request decided, and never approves it.
#[test]
fn a_late_vote_does_not_revive_a_request() {
    let mut story = Story::begin(asking(requirement("2 of group:a"))).tell(10, approve(2, A));
    assert_eq!(
        broken(story.try_tell(100, approve(3, A))).1,
        Why::Over(Unmet::Pending)
    );
    let mut story = story.tell(101, expire(Unmet::Pending));
    assert_eq!(
        broken(story.try_tell(102, approve(3, A))).1,
        Why::Wrong { state: "expired" }
    );
}

/// Of a vote and a time-out only one is written.
#[test]
fn a_vote_and_a_time_out_exclude_each_other() {
    for (second, wins) in [(99, true), (100, false), (101, false)] {
        let mut vote_first = Story::begin(asking(requirement("1 of group:a")));
        assert_eq!(vote_first.try_tell(second, approve(2, A)).is_ok(), wins);
        assert_eq!(
            vote_first.try_tell(second, expire(Unmet::Pending)).is_ok(),
            !wins
        );
        let mut expiry_first = Story::begin(asking(requirement("1 of group:a")));
        assert_eq!(
            expiry_first
                .try_tell(second, expire(Unmet::Pending))
                .is_ok(),
            !wins
        );
        assert_eq!(expiry_first.try_tell(second, approve(2, A)).is_ok(), wins);
    }
}

/// Judged in the time of the record itself.
#[test]
fn an_approval_is_used_until_the_tick_before_its_end() {
    let state = approved().state;
    assert_eq!(
        state.check(&start(basis(), 90), at(60).saturating_sub(TICK)),
        Ok(())
    );
    assert_eq!(
        broken(state.check(&start(basis(), 90), at(60))).1,
        Why::Over(Unmet::Unused)
    );
}

#[test]
fn an_approval_is_not_used_before_its_time() {
    let mut later = requirement("1 of group:a");
    later.clocks.not_before = Some(at(40));
    let state = Story::begin(asking(later.clone()))
        .tell(10, approve(2, A))
        .state;
    let basis = Basis::RequireApproval {
        requirement: later,
        counted: vec![counted(1, 2, A)],
    };
    let early = at(40).saturating_sub(TICK);
    assert_eq!(
        state.may_start(early),
        Err(NotReady::TooEarly { not_before: at(40) })
    );
    assert_eq!(
        broken(state.check(&start(basis.clone(), 90), early)).1,
        Why::TooEarly
    );
    assert!(state.may_start(at(40)).is_ok());
    assert_eq!(state.check(&start(basis, 90), at(40)), Ok(()));
}

#[test]
fn a_start_keeps_to_a_later_not_before_that_policy_asks_for_meanwhile() {
    let mut later = requirement("1 of group:a");
    later.clocks.not_before = Some(at(40));
    let basis = Basis::RequireApproval {
        requirement: later,
        counted: vec![counted(1, 2, A)],
    };
    assert_eq!(
        broken(approved().state.check(&start(basis, 90), at(39))).1,
        Why::TooEarly
    );
}

#[test]
fn a_lease_is_lost_from_its_end_on_and_renewed_before() {
    let running = approved().tell(20, start(basis(), 60)).state;
    let early = at(60).saturating_sub(TICK);
    assert_eq!(
        broken(running.check(&lose(LossCause::LeasePassed), early)).1,
        Why::LeaseHolds
    );
    assert_eq!(running.check(&lose(LossCause::LeasePassed), at(60)), Ok(()));
    assert_eq!(running.check(&renew(90), early), Ok(()));
    assert_eq!(
        broken(running.check(&renew(90), at(60))).1,
        Why::LeasePassed
    );
    let stop = |state: &RequestState, now| match state.status(now) {
        Status::Running { stop, .. } => stop,
        other => panic!("{other:?}"),
    };
    assert_eq!(stop(&running, early), None);
    assert_eq!(stop(&running, at(60)), Some(StopCause::LeasePassed));
}

#[test]
fn what_is_over_is_not_closed_in_another_way() {
    let over = Story::begin(asking(requirement("1 of group:a"))).state;
    for event in [
        withdraw(),
        supersede(),
        cancel(),
        deny(2, A),
        reassess(Renewed::Deny, &[]),
    ] {
        assert_eq!(
            broken(over.check(&event, at(100))).1,
            Why::Over(Unmet::Pending),
            "{}",
            event.kind()
        );
    }
    let over = approved().state;
    for event in [withdraw(), supersede(), cancel(), revoke(), deny(3, A)] {
        assert_eq!(
            broken(over.check(&event, at(60))).1,
            Why::Over(Unmet::Unused),
            "{}",
            event.kind()
        );
    }
}

#[test]
fn a_clock_at_the_end_of_time_does_not_wrap() {
    let end = crate::clock::Timestamp::MAX;
    let mut forever = requirement("1 of group:a");
    forever.clocks.valid_after_approval = Duration::from_secs(30 * 86_400);
    let mut requested = asking(forever);
    if let Disposition::RequireApproval { expires, .. } = &mut requested.disposition {
        *expires = end;
    }
    let story = Story::begin(requested);
    assert_eq!(
        story.state.check(&approve(2, A), end.saturating_sub(TICK)),
        Ok(())
    );
    assert_eq!(
        broken(story.state.check(&approve(2, A), end)).1,
        Why::Over(Unmet::Pending)
    );
}

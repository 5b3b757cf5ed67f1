//! From the start on: one use, one run, its end, and what is left when there is none.

use super::super::testkit::*;
use super::super::*;
use super::broken;

const A: &[&str] = &["group:a"];

fn running() -> Story {
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, A)],
    };
    Story::begin(asking(requirement("1 of group:a")))
        .tell(10, approve(2, A))
        .tell(20, start(basis, 60))
}

/// An approval is used once, whatever became of the run.
#[test]
fn an_approval_is_used_once() {
    let basis = Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, A)],
    };
    let ends = [
        running(),
        running().tell(25, finish(Outcome::Succeeded)),
        running().tell(25, finish(Outcome::Failed)),
        running().tell(25, finish(Outcome::Unknown)),
        running().tell(25, lose(LossCause::InstanceGone)),
        running()
            .tell(25, finish(Outcome::Unknown))
            .tell(26, reconcile(Finding::NotRun)),
    ];
    for mut story in ends {
        assert_eq!(
            story.state.may_start(at(30)),
            Err(NotReady::AlreadyTaken {
                execution: execution(1)
            })
        );
        let (rule, why) = broken(story.try_tell(30, start(basis.clone(), 90)));
        assert!(matches!((rule, why), (MeaningRule::M3, Why::Wrong { .. })));
    }
}

#[test]
fn only_the_run_that_started_ends() {
    let other_run = |mut finished: Finished| {
        finished.execution = execution(2);
        Event::Finished(Box::new(finished))
    };
    let other_process = |mut finished: Finished| {
        finished.instance = instance(2);
        Event::Finished(Box::new(finished))
    };
    let in_time = || finished(Outcome::Succeeded, Timing::InTime);
    let late = || finished(Outcome::Succeeded, Timing::Late);
    let lost = running().tell(60, lose(LossCause::LeasePassed));
    for (story, event) in [
        (running(), other_run(in_time())),
        (running(), other_process(in_time())),
        (lost.clone(), other_run(late())),
        (lost, other_process(late())),
    ] {
        assert_eq!(
            broken(story.state.check(&event, at(61))).1,
            Why::OtherExecution
        );
    }
    let unknown = running().tell(30, finish(Outcome::Unknown));
    let Event::Reconciled(mut other) = reconcile(Finding::NotRun) else {
        panic!("no reconciliation");
    };
    other.execution = execution(2);
    assert_eq!(
        broken(unknown.state.check(&Event::Reconciled(other), at(61))).1,
        Why::OtherExecution
    );
}

#[test]
fn a_late_end_is_kept_and_resolves_nothing() {
    let lost = running().tell(60, lose(LossCause::LeasePassed));
    let mut heard = lost.tell(70, finish_late(Outcome::Succeeded));
    assert_eq!(
        heard.state.status(at(70)),
        Status::Unresolved {
            execution: execution(1),
            instance: instance(1),
            lost: Some(LossCause::LeasePassed),
            code: None,
            late: Some(Outcome::Succeeded),
        }
    );
    assert_eq!(
        broken(heard.try_tell(71, finish_late(Outcome::Failed))).1,
        Why::LateTwice
    );
    let done = heard.tell(80, reconcile(Finding::Succeeded));
    assert_eq!(
        done.state.status(at(80)),
        Status::Reconciled {
            execution: execution(1),
            finding: Finding::Succeeded
        }
    );
}

#[test]
fn an_end_says_truly_whether_it_is_late() {
    assert_eq!(
        broken(running().state.check(&finish_late(Outcome::Failed), at(30))).1,
        Why::Lateness
    );
    let lost = running().tell(60, lose(LossCause::LeasePassed));
    assert_eq!(
        broken(lost.state.check(&finish(Outcome::Failed), at(61))).1,
        Why::Lateness
    );
}

#[test]
fn a_lease_that_was_renewed_holds() {
    let renewed = running().tell(40, renew(90));
    assert_eq!(
        broken(renewed.state.check(&lose(LossCause::LeasePassed), at(60))).1,
        Why::LeaseHolds
    );
    assert_eq!(
        renewed.state.check(&lose(LossCause::LeasePassed), at(90)),
        Ok(())
    );
}

#[test]
fn a_revoked_run_is_told_to_stop_and_still_ends() {
    let mut revoked = running().tell(30, revoke());
    assert!(matches!(
        revoked.state.status(at(30)),
        Status::Running {
            stop: Some(StopCause::Revoked),
            ..
        }
    ));
    assert_eq!(broken(revoked.try_tell(31, revoke())).1, Why::RevokedTwice);
    let renewed = revoked.clone().tell(32, renew(90));
    assert!(matches!(
        renewed.state.status(at(32)),
        Status::Running {
            stop: Some(StopCause::Revoked),
            ..
        }
    ));
    let ended = revoked.tell(35, finish(Outcome::Failed));
    assert!(matches!(
        ended.state.status(at(35)),
        Status::Finished {
            outcome: Outcome::Failed,
            ..
        }
    ));
}

#[test]
fn a_derivation_names_datasets_that_are_listed() {
    let touched = |name: &str| Touched::from(&crate::action::Dataset::new("file://host", name));
    let with = |pairs: &[(u32, u32)]| {
        let derived = pairs.iter().map(|(generated, used)| Derivation {
            generated: *generated,
            used: *used,
        });
        Event::Finished(Box::new(Finished {
            used: vec![touched("/in")],
            generated: vec![touched("/out"), touched("/log")],
            derived: derived.collect(),
            ..finished(Outcome::Succeeded, Timing::InTime)
        }))
    };
    assert_eq!(
        running().state.check(&with(&[(0, 0), (1, 0)]), at(30)),
        Ok(())
    );
    for bad in [(2, 0), (0, 1), (u32::MAX, 0)] {
        assert_eq!(
            broken(running().state.check(&with(&[bad]), at(30))).1,
            Why::NoSuchDataset
        );
    }
}

#[test]
fn debug_shows_no_hidden_value() {
    let story = Story::begin(Requested {
        because: Some(Hidden::Known("the agent's secret words".to_owned())),
        ..asking(requirement("1 of group:a"))
    })
    .tell(1, approve(2, A));
    let debug = format!("{:?} {:?}", story.state, story.records);
    for hidden in ["secret words", "person-2", "rita@example.org", "rita.csv"] {
        assert!(!debug.contains(hidden), "`{hidden}` in {debug}");
    }
}

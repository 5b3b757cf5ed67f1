//! Section 8 of the record format, written down a second time as a plain table of every state and every event.

use std::sync::Arc;

use super::super::testkit::*;
use super::super::*;

const A: &[&str] = &["group:a"];

/// Every state, by name, with the second at which the next event comes.
fn states() -> Vec<(&'static str, u64, Story)> {
    let ask = || Story::begin(asking(requirement("1 of group:a")));
    let approved = || ask().tell(10, approve(2, A));
    let by_people = || Basis::RequireApproval {
        requirement: requirement("1 of group:a"),
        counted: vec![counted(1, 2, A)],
    };
    let running = || approved().tell(20, start(by_people(), 60));
    let allowed = || {
        Story::begin(requested(Disposition::Allow {
            use_by: at(50),
            witnessing: Default::default(),
        }))
    };
    vec![
        (
            "denied",
            30,
            Story::begin(requested(Disposition::Deny { cause: None })),
        ),
        ("pending", 30, ask()),
        ("pending, over", 100, ask()),
        ("approved", 30, approved()),
        ("approved, over", 60, approved()),
        ("allowed", 30, allowed()),
        ("running", 30, running()),
        ("running, lease over", 60, running()),
        ("running, revoked", 30, running().tell(25, revoke())),
        (
            "lost",
            30,
            running().tell(25, lose(LossCause::InstanceGone)),
        ),
        (
            "lost, heard of",
            30,
            running()
                .tell(25, lose(LossCause::InstanceGone))
                .tell(26, finish_late(Outcome::Succeeded)),
        ),
        ("unknown", 30, running().tell(25, finish(Outcome::Unknown))),
        ("finished", 30, running().tell(25, finish(Outcome::Failed))),
        ("rejected", 30, ask().tell(10, deny(2, A))),
        ("withdrawn", 30, ask().tell(10, withdraw())),
        ("superseded", 30, approved().tell(10, supersede())),
        ("cancelled", 30, ask().tell(10, cancel())),
        ("revoked", 30, approved().tell(10, revoke())),
        ("expired", 130, ask().tell(100, expire(Unmet::Pending))),
        (
            "reconciled",
            30,
            running()
                .tell(25, finish(Outcome::Unknown))
                .tell(26, reconcile(Finding::NotRun)),
        ),
    ]
}

/// Every event, by name, as it fits `state` in everything but the state itself.
fn events(state: &str) -> Vec<(&'static str, Event)> {
    let basis = match state {
        "allowed" => Basis::Allow,
        _ => Basis::RequireApproval {
            requirement: requirement("1 of group:a"),
            counted: vec![counted(1, 2, A)],
        },
    };
    let again = match state {
        "allowed" => Renewed::Allow,
        _ => Renewed::RequireApproval(requirement("1 of group:a")),
    };
    let again_requested = requested(Disposition::Allow {
        use_by: at(50),
        witnessing: Default::default(),
    });
    vec![
        ("requested", Event::Requested(Arc::new(again_requested))),
        ("voted approve", approve(3, A)),
        ("voted deny", deny(3, A)),
        ("reassessed", reassess(again, &[])),
        ("reassessed deny", reassess(Renewed::Deny, &[])),
        ("started", start(basis, 500)),
        ("lease_renewed", renew(500)),
        ("finished", finish(Outcome::Succeeded)),
        ("finished unknown", finish(Outcome::Unknown)),
        ("finished late", finish_late(Outcome::Succeeded)),
        ("lost lease_passed", lose(LossCause::LeasePassed)),
        ("lost instance_gone", lose(LossCause::InstanceGone)),
        ("withdrawn", withdraw()),
        ("superseded", supersede()),
        ("cancelled", cancel()),
        ("revoked", revoke()),
        ("expired pending", expire(Unmet::Pending)),
        ("expired unused", expire(Unmet::Unused)),
        ("reconciled", reconcile(Finding::Succeeded)),
    ]
}

/// For each state, the events that it allows and what they lead to. What is not listed is refused.
fn allowed(state: &str) -> &'static [(&'static str, &'static str)] {
    match state {
        "pending" => &[
            ("voted approve", "approved"),
            ("voted deny", "rejected"),
            ("reassessed", "pending"),
            ("reassessed deny", "denied"),
            ("withdrawn", "withdrawn"),
            ("superseded", "superseded"),
            ("cancelled", "cancelled"),
        ],
        "pending, over" => &[("expired pending", "expired")],
        "approved" => &[
            ("voted deny", "rejected"),
            ("reassessed", "approved"),
            ("reassessed deny", "denied"),
            ("started", "running"),
            ("withdrawn", "withdrawn"),
            ("superseded", "superseded"),
            ("cancelled", "cancelled"),
            ("revoked", "revoked"),
        ],
        "approved, over" => &[("expired unused", "expired")],
        "allowed" => &[
            ("reassessed", "approved"),
            ("reassessed deny", "denied"),
            ("started", "running"),
            ("withdrawn", "withdrawn"),
            ("superseded", "superseded"),
            ("cancelled", "cancelled"),
            ("revoked", "revoked"),
        ],
        "running" => &[
            ("lease_renewed", "running"),
            ("finished", "finished"),
            ("finished unknown", "unresolved"),
            ("lost instance_gone", "unresolved"),
            ("revoked", "running"),
        ],
        "running, lease over" => &[
            ("finished", "finished"),
            ("finished unknown", "unresolved"),
            ("lost lease_passed", "unresolved"),
            ("lost instance_gone", "unresolved"),
            ("revoked", "running"),
        ],
        "running, revoked" => &[
            ("lease_renewed", "running"),
            ("finished", "finished"),
            ("finished unknown", "unresolved"),
            ("lost instance_gone", "unresolved"),
        ],
        "lost" => &[
            ("finished late", "unresolved"),
            ("reconciled", "reconciled"),
        ],
        "lost, heard of" | "unknown" => &[("reconciled", "reconciled")],
        _ => &[],
    }
}

fn word(status: &Status) -> &'static str {
    match status {
        Status::Denied => "denied",
        Status::Pending { .. } => "pending",
        Status::Approved { .. } => "approved",
        Status::Running { .. } => "running",
        Status::Unresolved { .. } => "unresolved",
        Status::Finished { .. } => "finished",
        Status::Rejected { .. } => "rejected",
        Status::Withdrawn => "withdrawn",
        Status::Superseded { .. } => "superseded",
        Status::Cancelled => "cancelled",
        Status::Revoked => "revoked",
        Status::Expired { .. } => "expired",
        Status::Reconciled { .. } => "reconciled",
    }
}

#[test]
fn every_event_in_every_state_is_as_the_table_says() {
    for (state, second, story) in states() {
        let rows = allowed(state);
        for (name, event) in events(state) {
            let mut story = story.clone();
            let told = story.try_tell(second, event);
            match rows.iter().find(|(event, _)| *event == name) {
                Some((_, leads_to)) => {
                    assert_eq!(told, Ok(()), "`{name}` while {state}");
                    let status = story.state.status(at(second));
                    assert_eq!(word(&status), *leads_to, "after `{name}` while {state}");
                }
                None => {
                    let rule = told.expect_err(&format!("`{name}` while {state}")).rule;
                    assert_eq!(rule, MeaningRule::M3, "`{name}` while {state}");
                }
            }
        }
        for (event, _) in rows {
            assert!(
                events(state).iter().any(|(name, _)| name == event),
                "`{event}` is no event"
            );
        }
    }
}

#[test]
fn events_that_belong_to_no_request_are_none_of_its_life() {
    let adopted = Event::PolicyAdopted(PolicyAdopted {
        revision: decision().revision,
        instance: instance(1),
    });
    let doubted = Event::Clock(ClockDoubted {
        instance: instance(1),
        what: ClockDoubt::Jump,
        micros: -7,
    });
    let acknowledged = Event::ClockAcknowledged(ClockAcknowledged {
        clock: At(1),
        reason: Hidden::Known("seen".to_owned()),
    });
    for event in [adopted, doubted, acknowledged] {
        let mut story = Story::begin(asking(requirement("1 of group:a")));
        let recorded = story.next(1, event.clone());
        assert_eq!(
            RequestState::begin(&recorded).unwrap_err().rule,
            MeaningRule::M3
        );
        assert_eq!(
            super::broken(story.try_tell(1, event)).1,
            Why::NotOfARequest
        );
    }
}

#[test]
fn a_fold_of_nothing_is_no_request() {
    assert_eq!(RequestState::fold([]).unwrap_err().why, Why::NotRequested);
    let story = Story::begin(asking(requirement("1 of group:a"))).tell(1, approve(2, A));
    assert_eq!(RequestState::fold(&story.records), Ok(story.state));
    assert_eq!(
        RequestState::fold(&story.records[1..]).unwrap_err().why,
        Why::NotRequested
    );
}

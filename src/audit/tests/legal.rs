//! Logs that keep every rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use crate::action::{Bound, RequestId};
use crate::approval::{
    At, Cancelled, Choice, Disposition, Event, Expired, Hidden, LeaseRenewed, LossCause, Lost,
    Outcome, ReassessCause, Reassessed, Recorded, Renewed, Revoked, Status, Superseded, Timing,
    Unmet, Withdrawn,
};
use crate::log::{RequestRef, Seq, TrustedKeys, Verdict};

use super::super::replay::Replay;
use super::super::{Audit, ProjectionReport, Requests};
use super::fixture::{Fixture, GATE};
use super::story::{
    DAN, RITA, decision, hidden, id_of, instance, interests, person, proof, requirement,
};

/// Takes one step of a random history; `dice` decides which.
fn step(
    log: &mut Fixture,
    open: &mut Vec<RequestRef>,
    votes: &mut BTreeMap<RequestId, Vec<(u64, u8)>>,
    dice: u64,
) {
    log.wait(dice % 40);
    let pick = dice / 64;
    if open.len() < 3 || dice.is_multiple_of(7) {
        let request = match pick % 4 {
            0 => log.allow(),
            1 => log.file(Disposition::Deny { cause: None }),
            2 => log.ask(),
            _ => log.ask_for(requirement("2 of group:security")),
        };
        open.push(request);
        return;
    }
    let at = usize::try_from(pick).unwrap() % open.len();
    let request = open[at];
    let status = log.state(request).status(log.now);
    let instance = instance(GATE);
    let record = |log: &mut Fixture, event: Event| log.record(&event, Some(request));
    match (status, dice % 11) {
        (Status::Pending { .. }, 0) => drop(record(log, Event::Withdrawn(Withdrawn { instance }))),
        (Status::Pending { .. }, 1) => drop(log.vote(request, DAN, Choice::Deny)),
        (Status::Pending { .. }, 2) => {
            let by = RequestId::from_uuid(log.id());
            record(log, Event::Superseded(Superseded { by, instance }));
        }
        (Status::Pending { .. } | Status::Approved { .. }, 3) => {
            let cancelled = Cancelled {
                person: person(RITA),
                id: Hidden::Known(id_of(RITA)),
                proof: proof(log.now),
                reason: hidden("no longer"),
            };
            record(log, Event::Cancelled(cancelled));
        }
        (Status::Pending { .. }, _) => {
            let cast = votes.entry(request.id).or_default();
            let who = if cast.is_empty() { RITA } else { DAN };
            let seq = log.vote(request, who, Choice::Approve);
            cast.push((seq, who));
        }
        (Status::Approved { .. } | Status::Running { stop: None, .. }, 4) => {
            let revoked = Revoked {
                person: person(DAN),
                id: Hidden::Known(id_of(DAN)),
                proof: proof(log.now),
                reason: hidden("not now"),
            };
            record(log, Event::Revoked(revoked));
        }
        (Status::Approved { .. }, 5) => {
            // Rita has left the group.
            let Some(state) = log.state(request).requirement().cloned() else {
                return;
            };
            let voided = votes.remove(&request.id).unwrap_or_default();
            let reassessed = Reassessed {
                cause: ReassessCause::Votes,
                decision: decision(),
                instance,
                interests: interests(),
                verdict: Renewed::RequireApproval(state),
                voided: voided.iter().map(|(seq, _)| At(*seq)).collect(),
                reason: Some(hidden("a voter left")),
            };
            record(log, Event::Reassessed(Box::new(reassessed)));
        }
        (Status::Approved { .. }, _) => {
            let counted = votes.get(&request.id).cloned().unwrap_or_default();
            log.start(request, &counted);
        }
        (Status::Running { execution, .. }, 0..4) => {
            let lease_until = log.later(3600);
            record(
                log,
                Event::LeaseRenewed(LeaseRenewed {
                    execution,
                    instance,
                    lease_until,
                }),
            );
        }
        (Status::Running { .. }, 4..6) => drop(log.lose(request)),
        (Status::Running { .. }, 6) => drop(log.finish(request, Outcome::Unknown)),
        (Status::Running { .. }, 7) => drop(log.finish(request, Outcome::Failed)),
        (Status::Running { .. }, _) => drop(log.finish(request, Outcome::Succeeded)),
        (
            Status::Unresolved {
                lost: Some(_),
                late: None,
                ..
            },
            0..6,
        ) => {
            let late = log.finished(request, Outcome::Succeeded, Timing::Late);
            record(log, late);
        }
        (Status::Unresolved { .. }, _) => drop(log.reconcile(request)),
        (Status::Expired { what }, _) => {
            record(log, Event::Expired(Expired { instance, what }));
            open.swap_remove(at);
        }
        _ => drop(open.swap_remove(at)),
    }
}

/// The requests of a log, counted by the states that its writer held.
fn counted(log: &Fixture, filed: impl Iterator<Item = RequestRef>) -> Requests {
    let mut requests = Requests::default();
    for request in filed {
        requests.count(&log.state(request).status(log.now));
    }
    requests
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_random_legal_history_is_intact(dice in prop::collection::vec(any::<u64>(), 300)) {
        let mut log = Fixture::new();
        let mut open = Vec::new();
        let mut votes = BTreeMap::new();
        let mut filed = BTreeMap::new();
        for die in dice {
            step(&mut log, &mut open, &mut votes, die);
            filed.extend(open.iter().map(|request| (request.id, *request)));
        }
        // The last word on expiry is the time of the last record.
        log.record(&Event::PolicyAdopted(crate::approval::PolicyAdopted {
            revision: decision().revision,
            instance: instance(GATE),
        }), None);
        let report = log.audit();
        prop_assert_eq!(report.verdict.clone(), Verdict::IntactAnchored { size: log.size() }, "{}", report);
        prop_assert!(report.problems.is_empty() && report.doubts.is_empty(), "{}", report);
        prop_assert_eq!(report.requests, counted(&log, filed.values().copied()));
        let compared = matches!(report.projections, ProjectionReport::Compared { .. });
        prop_assert!(compared && !report.projections.differs(), "{}", report);
        prop_assert_eq!(report.exit_code(), 0);
    }
}

#[test]
fn an_empty_log_and_one_without_keys_are_not_intact() {
    let mut log = Fixture::new();
    let mut reader = log.reader();
    let report = Audit::of(&mut reader).run();
    assert_eq!(report.exit_code(), 2, "{report}");
    let mut reader = log.reader();
    let report = Audit::of(&mut reader).trusting(TrustedKeys::new()).run();
    assert_eq!(report.exit_code(), 2, "{report}");
    let mut empty = log.reader();
    empty.rows.clear();
    empty.disclosures.clear();
    let report = Audit::of(&mut empty).run();
    assert!(
        !matches!(
            report.verdict,
            Verdict::IntactAnchored { .. } | Verdict::IntactUnanchored { .. }
        ),
        "{report}"
    );
    assert_eq!(log.audit().exit_code(), 0);
}

#[test]
fn a_record_that_structure_finds_broken_is_the_verdict() {
    let mut log = Fixture::new();
    let request = log.ask();
    let vote = log.vote(request, RITA, Choice::Approve);
    let mut reader = log.reader();
    // A disclosure of the vote is gone, and nothing says that it was erased.
    reader.disclosures.retain(|(seq, _)| *seq != Seq::new(vote));
    let report = Audit::of(&mut reader).run();
    assert_eq!(report.exit_code(), 1, "{report}");
    assert!(report.verdict.to_string().contains("S9"), "{report}");
}

#[test]
fn what_nobody_reconciled_is_listed() {
    let mut log = Fixture::new();
    let [lost, late, said, done] = [(); 4].map(|()| {
        let request = log.allow();
        log.start(request, &[]);
        request
    });
    log.lose(lost);
    log.lose(late);
    let event = log.finished(late, Outcome::Succeeded, Timing::Late);
    log.record(&event, Some(late));
    log.finish(said, Outcome::Unknown);
    log.lose(done);
    log.reconcile(done);
    let report = log.audit();
    assert_eq!(report.exit_code(), 0, "{report}");
    assert_eq!(report.unresolved, [lost.id, late.id, said.id]);
    assert_eq!(
        (report.requests.unresolved, report.requests.reconciled),
        (3, 1)
    );
}

#[test]
fn what_expired_counts_as_expired_whether_or_not_a_record_says_so() {
    let mut log = Fixture::new();
    let [said, unsaid] = [(); 2].map(|()| log.ask());
    log.wait(4 * 60 * 60);
    let expired = Event::Expired(Expired {
        instance: instance(GATE),
        what: Unmet::Pending,
    });
    log.record(&expired, Some(said));
    let report = log.audit();
    assert_eq!(report.requests.expired, 2, "{report}");
    assert!(log.state(unsaid).requirement().is_some());
}

#[test]
fn a_lease_that_passed_may_be_given_up() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    log.wait(3600);
    let lost = Lost {
        execution: log.state(request).execution().unwrap(),
        instance: instance(GATE),
        why: LossCause::LeasePassed,
    };
    log.record(&Event::Lost(lost), Some(request));
    assert_eq!(log.audit().exit_code(), 0);
}

#[test]
fn progress_is_heard_up_to_the_end() {
    let log = Fixture::new();
    let mut heard = Vec::new();
    let mut reader = log.reader();
    let _ = Audit::of(&mut reader)
        .progress(|records| heard.push(records))
        .run();
    assert_eq!(heard.last(), Some(&2));
}

#[test]
fn only_open_requests_are_held() {
    let mut log = Fixture::new();
    let mut replay = Replay::default();
    let mut seq = 1;
    let adopted = Recorded {
        seq: At(seq),
        ts: log.now,
        request: None,
        action: None,
        event: Event::PolicyAdopted(crate::approval::PolicyAdopted {
            revision: decision().revision,
            instance: instance(GATE),
        }),
    };
    replay.event(adopted, &mut |_, _| {});
    let mut most = 0;
    let mut left_open = Vec::new();
    let (template, _) = log.requested(Disposition::Allow {
        use_by: log.later(900),
        witnessing: Default::default(),
    });
    for number in 0..3000 {
        let id = RequestId::from_uuid(log.id());
        let mut requested = template.clone();
        let form = requested
            .bound
            .form()
            .as_object()
            .unwrap()
            .clone()
            .with("request", id.to_string());
        requested.bound = Bound::of_form(form.into(), Vec::new());
        let action = requested.bound.digest();
        let mut record = |event: Event| {
            seq += 1;
            let recorded = Recorded {
                seq: At(seq),
                ts: log.now,
                request: Some(id),
                action: Some(action),
                event,
            };
            replay.event(recorded, &mut |_, _| {});
            most = most.max(replay.live());
        };
        record(Event::Requested(Arc::new(requested)));
        if number % 300 == 0 {
            left_open.push(id);
        } else {
            record(Event::Withdrawn(Withdrawn {
                instance: instance(GATE),
            }));
        }
    }
    assert_eq!(left_open.len(), 10);
    assert_eq!(most, 11);
    assert_eq!(replay.live(), 10);
    let replayed = replay.finish(log.now);
    assert!(replayed.findings.problems.is_empty());
    assert_eq!(replayed.open.keys().copied().collect::<Vec<_>>(), left_open);
    assert_eq!(replayed.ended.len(), 2990);
    assert_eq!(
        (replayed.requests.withdrawn, replayed.requests.approved),
        (2990, 10)
    );
}

//! Each rule of meaning broken once, in a log whose structure is sound.

use std::sync::Arc;

use crate::action::{Dataset, ExecutionId, RequestId};
use crate::approval::{
    At, Basis, Choice, ClockAcknowledged, ClockDoubt, ClockDoubted, Derivation, Disposition, Event,
    Expired, Hidden, LeaseRenewed, LossCause, Lost, Outcome, Renewed, Revoked, Superseded, Timing,
    Touched, Unmet,
};
use crate::canonical::Object;
use crate::log::{Kind, RequestRef, Rule, Seq};

use super::fixture::{Fixture, GATE};
use super::story::{
    DAN, RITA, broken, decision, hidden, id_of, instance, interests, person, proof, reassessed,
    requirement, withdrawn,
};

#[test]
fn f6_a_body_has_no_member_that_its_kind_does_not_have() {
    let mut log = Fixture::new();
    let request = log.ask();
    let body = Object::new()
        .with("instance", instance(GATE).to_string())
        .with("more", true);
    let seq = log.raw(Kind::Withdrawn, Some(request), body);
    broken(&mut log, seq, Rule::F6);
}

#[test]
fn f6_a_bound_form_has_no_member_that_it_does_not_have() {
    let mut log = Fixture::new();
    let (mut requested, _) = log.requested(Disposition::Deny { cause: None });
    let form = requested
        .bound
        .form()
        .as_object()
        .unwrap()
        .clone()
        .with("more", true);
    requested.bound =
        crate::action::Bound::of_form(form.into(), requested.bound.disclosures().to_vec());
    let id = RequestId::parse(
        requested
            .bound
            .form()
            .as_object()
            .unwrap()
            .get("request")
            .unwrap()
            .as_str()
            .unwrap(),
    )
    .unwrap();
    let digest = requested.bound.digest();
    let seq = log.record(
        &Event::Requested(Arc::new(requested)),
        Some(RequestRef { id, digest }),
    );
    broken(&mut log, seq, Rule::F6);
}

#[test]
fn m1_a_vote_that_is_voided_stands_before() {
    let mut log = Fixture::new();
    let request = log.ask();
    let next = log.size();
    let seq = log.record(
        &reassessed(
            Renewed::RequireApproval(requirement("1 of group:security")),
            &[next],
        ),
        Some(request),
    );
    broken(&mut log, seq, Rule::M1);
}

#[test]
fn m1_a_clock_that_is_acknowledged_is_a_clock() {
    let mut log = Fixture::new();
    let clock = log.record(
        &Event::Clock(ClockDoubted {
            instance: instance(GATE),
            what: ClockDoubt::Jump,
            micros: -7_000_000,
        }),
        None,
    );
    let acknowledge = |seq| {
        Event::ClockAcknowledged(ClockAcknowledged {
            clock: At(seq),
            reason: hidden("the host was moved"),
        })
    };
    log.record(&acknowledge(clock), None);
    let seq = log.record(&acknowledge(0), None);
    broken(&mut log, seq, Rule::M1);
}

#[test]
fn m2_a_record_is_about_the_action_that_was_filed() {
    let mut log = Fixture::new();
    let one = log.ask();
    let other = log.ask();
    let swapped = RequestRef {
        id: one.id,
        digest: other.digest,
    };
    let seq = log.record(&withdrawn(), Some(swapped));
    broken(&mut log, seq, Rule::M2);
}

#[test]
fn m2_what_is_bound_names_its_request() {
    let mut log = Fixture::new();
    let (requested, request) = log.requested(Disposition::Deny { cause: None });
    let other = RequestRef {
        id: RequestId::from_uuid(log.id()),
        ..request
    };
    let seq = log.record(&Event::Requested(Arc::new(requested)), Some(other));
    broken(&mut log, seq, Rule::M2);
}

#[test]
fn m2_holds_for_records_that_are_not_judged_too() {
    let mut log = Fixture::new();
    let open = log.ask();
    let over = log.file(Disposition::Deny { cause: None });
    log.raw(Kind::Viewed, Some(open), Object::new());
    log.raw(Kind::Viewed, Some(over), Object::new());
    let report = log.audit();
    assert!(report.problems.is_empty(), "{report}");
    assert_eq!(report.not_judged.total(), 2);
    for digest in [over.digest, open.digest] {
        let id = if digest == open.digest {
            over.id
        } else {
            open.id
        };
        let seq = log.raw(Kind::Viewed, Some(RequestRef { id, digest }), Object::new());
        let problems: Vec<u64> = log
            .audit()
            .problems
            .iter()
            .map(|problem| problem.seq.get())
            .collect();
        assert!(problems.contains(&seq));
    }
    let never = RequestRef {
        id: RequestId::from_uuid(log.id()),
        digest: open.digest,
    };
    let seq = log.raw(Kind::Undelivered, Some(never), Object::new());
    let report = log.audit();
    assert_eq!(report.problems.iter().last().unwrap().seq, Seq::new(seq));
    assert!(
        report
            .problems
            .iter()
            .all(|problem| problem.rule == Rule::M2),
        "{report}"
    );
}

#[test]
fn m3_nothing_starts_that_nobody_approved() {
    let mut log = Fixture::new();
    let request = log.ask();
    let seq = log.start(request, &[]);
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_nothing_starts_twice() {
    let mut log = Fixture::new();
    let request = log.allow();
    let start = log.starting(request, &[]);
    log.record(&Event::Started(Box::new(start.clone())), Some(request));
    let seq = log.record(&Event::Started(Box::new(start)), Some(request));
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_nothing_starts_after_its_end() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    log.finish(request, Outcome::Succeeded);
    let execution = ExecutionId::from_uuid(log.id());
    let start = crate::approval::Started {
        execution,
        instance: instance(GATE),
        lease_until: log.later(60),
        decision: decision(),
        interests: interests(),
        basis: Basis::Allow,
        witnessed: None,
    };
    let seq = log.record(&Event::Started(Box::new(start)), Some(request));
    let report = broken(&mut log, seq, Rule::M3);
    assert!(report.to_string().contains("was over"), "{report}");
}

#[test]
fn m3_an_approval_is_used_before_its_end() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.wait(900);
    let seq = log.start(request, &[]);
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_a_request_is_filed_once_and_first() {
    let mut log = Fixture::new();
    let (requested, request) = log.requested(Disposition::Deny { cause: None });
    let event = Event::Requested(Arc::new(requested));
    log.record(&event, Some(request));
    let second = log.entry_of(&withdrawn(), Some(request));
    let seq = log.entry(&second);
    broken(&mut log, seq, Rule::M3);

    let mut log = Fixture::new();
    let (_, never) = log.requested(Disposition::Deny { cause: None });
    let seq = log.record(&withdrawn(), Some(never));
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_nobody_votes_after_the_request_expired() {
    let mut log = Fixture::new();
    let request = log.ask();
    log.wait(4 * 60 * 60);
    let seq = log.vote(request, RITA, Choice::Approve);
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_nobody_approves_twice() {
    let mut log = Fixture::new();
    let request = log.ask_for(requirement("2 of group:security"));
    log.vote(request, RITA, Choice::Approve);
    let seq = log.vote(request, RITA, Choice::Approve);
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_a_denial_is_final() {
    let mut log = Fixture::new();
    let request = log.ask_for(requirement("2 of group:security"));
    log.vote(request, RITA, Choice::Deny);
    let seq = log.vote(request, DAN, Choice::Approve);
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_clocks_expire_when_they_have_run_out() {
    let mut log = Fixture::new();
    let request = log.ask();
    let expired = Event::Expired(Expired {
        instance: instance(GATE),
        what: Unmet::Pending,
    });
    let seq = log.record(&expired, Some(request));
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_another_process_cannot_end_an_effect() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    let Event::Finished(mut finished) = log.finished(request, Outcome::Succeeded, Timing::InTime)
    else {
        panic!("a finished one");
    };
    finished.instance = instance(77);
    let seq = log.record(&Event::Finished(finished), Some(request));
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_a_lease_is_not_lost_before_it_passed() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    let lost = Lost {
        execution: log.state(request).execution().unwrap(),
        instance: instance(GATE),
        why: LossCause::LeasePassed,
    };
    let seq = log.record(&Event::Lost(lost), Some(request));
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_a_derivation_names_what_was_read_and_written() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    let Event::Finished(mut finished) = log.finished(request, Outcome::Succeeded, Timing::InTime)
    else {
        panic!("a finished one");
    };
    finished.derived = vec![Derivation {
        generated: 0,
        used: 1,
    }];
    finished.used = vec![Touched::from(&Dataset::new(
        "sqlite://demo",
        "crm.customers",
    ))];
    let seq = log.record(&Event::Finished(finished), Some(request));
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_a_lease_is_renewed_by_the_process_that_holds_it() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    let renewed = LeaseRenewed {
        execution: log.state(request).execution().unwrap(),
        instance: instance(78),
        lease_until: log.later(7200),
    };
    let seq = log.record(&Event::LeaseRenewed(renewed), Some(request));
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_what_is_pending_is_not_revoked() {
    let mut log = Fixture::new();
    let request = log.ask();
    let revoked = Revoked {
        person: person(RITA),
        id: Hidden::Known(id_of(RITA)),
        proof: proof(log.now),
        reason: hidden("no"),
    };
    let seq = log.record(&Event::Revoked(revoked), Some(request));
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m3_what_is_over_is_not_superseded() {
    let mut log = Fixture::new();
    let request = log.ask();
    log.record(&withdrawn(), Some(request));
    let superseded = Superseded {
        by: RequestId::from_uuid(log.id()),
        instance: instance(GATE),
    };
    let seq = log.record(&Event::Superseded(superseded), Some(request));
    broken(&mut log, seq, Rule::M3);
}

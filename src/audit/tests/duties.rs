//! The rules of duties, counts and policies broken once, and what the report makes of it.

use std::sync::Arc;

use crate::approval::{
    As, At, Basis, Choice, Counted, Disposition, Event, Interests, Outcome, Renewed,
};
use crate::canonical::{Json, Object};
use crate::log::{Enforcement, Kind, RequestRef, Rule, Seq};
use crate::policy::{PolicyRevision, Requirement, Selector, SelfApproval, Supply};

use super::fixture::{Fixture, GATE};
use super::story::{
    DAN, OLGA, RITA, broken, hidden, instance, interests, person, reassessed, requirement,
    security, withdrawn,
};

#[test]
fn m4_nobody_approves_what_their_own_agent_asks_for() {
    let mut log = Fixture::new();
    let request = log.ask();
    let seq = log.vote(request, OLGA, Choice::Approve);
    broken(&mut log, seq, Rule::M4);
}

#[test]
fn m4_no_exception_without_a_rule_that_grants_it() {
    let mut log = Fixture::new();
    let request = log.ask();
    let seq = log.excused(request, OLGA);
    broken(&mut log, seq, Rule::M4);
}

#[test]
fn m4_an_exception_that_a_rule_grants_is_reported() {
    let mut log = Fixture::new();
    let mut solo = requirement("1 of group:security");
    solo.self_approval = SelfApproval::Recorded;
    let request = log.ask_for(solo);
    let vote = log.excused(request, OLGA);
    log.start(request, &[(vote, OLGA)]);
    log.finish(request, Outcome::Succeeded);
    let report = log.audit();
    assert_eq!(report.exit_code(), 0, "{report}");
    let excused: Vec<_> = report
        .exceptions
        .iter()
        .map(|one| (one.seq.get(), one.person))
        .collect();
    assert_eq!(excused, [(vote, person(OLGA))]);
}

#[test]
fn m4_where_controllers_are_unknown_nobody_approves() {
    let mut log = Fixture::new();
    let requirement = requirement("1 of group:security");
    let expires = log.later(60);
    let (mut requested, request) = log.requested(Disposition::RequireApproval {
        requirement,
        expires,
    });
    requested.interests = Interests::none().with_unknown_controllers();
    log.record(&Event::Requested(Arc::new(requested)), Some(request));
    let seq = log.vote(request, RITA, Choice::Approve);
    broken(&mut log, seq, Rule::M4);
}

#[test]
fn m4_an_interest_that_came_later_counts() {
    let mut log = Fixture::new();
    let request = log.ask_for(requirement("2 of group:security"));
    let Event::Reassessed(mut event) = reassessed(
        Renewed::RequireApproval(requirement("2 of group:security")),
        &[],
    ) else {
        panic!("a reassessed one");
    };
    event.interests = interests().with(As::Controller, person(DAN));
    log.record(&Event::Reassessed(event), Some(request));
    let seq = log.vote(request, DAN, Choice::Approve);
    broken(&mut log, seq, Rule::M4);
}

/// A request that Rita and Dan approved.
fn approved_by_two(log: &mut Fixture) -> (RequestRef, u64, u64) {
    let request = log.ask_for(requirement("2 of group:security"));
    let rita = log.vote(request, RITA, Choice::Approve);
    let dan = log.vote(request, DAN, Choice::Approve);
    (request, rita, dan)
}

#[test]
fn m5_the_votes_that_count_meet_the_quorum() {
    for forge in [
        // One person twice, under one vote and under two.
        |rita: u64, _dan: u64| vec![(rita, RITA), (rita, RITA)],
        |rita: u64, dan: u64| vec![(rita, RITA), (dan, RITA)],
        // Too few, none, in the wrong order, and a record that is no vote.
        |rita: u64, _dan: u64| vec![(rita, RITA)],
        |_rita: u64, _dan: u64| vec![],
        |rita: u64, dan: u64| vec![(dan, DAN), (rita, RITA)],
        |rita: u64, _dan: u64| vec![(1, DAN), (rita, RITA)],
    ] {
        let mut log = Fixture::new();
        let (request, rita, dan) = approved_by_two(&mut log);
        let seq = log.start(request, &forge(rita, dan));
        broken(&mut log, seq, Rule::M5);
    }
}

#[test]
fn m5_a_vote_of_another_request_does_not_count() {
    let mut log = Fixture::new();
    let (_, rita, dan) = approved_by_two(&mut log);
    let (other, _, _) = approved_by_two(&mut log);
    let seq = log.start(other, &[(rita, RITA), (dan, DAN)]);
    broken(&mut log, seq, Rule::M5);
}

#[test]
fn m5_a_vote_whose_person_left_the_group_does_not_count() {
    let mut log = Fixture::new();
    let (request, rita, dan) = approved_by_two(&mut log);
    let mut start = log.starting(request, &[(rita, RITA), (dan, DAN)]);
    if let Basis::RequireApproval { counted, .. } = &mut start.basis {
        counted[1].as_.clear();
    }
    let seq = log.record(&Event::Started(Box::new(start)), Some(request));
    broken(&mut log, seq, Rule::M5);
}

#[test]
fn m5_a_voter_with_an_interest_at_the_start_does_not_count() {
    let mut log = Fixture::new();
    let (request, rita, dan) = approved_by_two(&mut log);
    let mut start = log.starting(request, &[(rita, RITA), (dan, DAN)]);
    start.interests = interests().with(As::Controller, person(DAN));
    let seq = log.record(&Event::Started(Box::new(start)), Some(request));
    broken(&mut log, seq, Rule::M5);
}

#[test]
fn m5_a_vote_that_was_voided_does_not_count() {
    let mut log = Fixture::new();
    let request = log.ask();
    let rita = log.vote(request, RITA, Choice::Approve);
    log.record(
        &reassessed(
            Renewed::RequireApproval(requirement("1 of group:security")),
            &[rita],
        ),
        Some(request),
    );
    let dan = log.vote(request, DAN, Choice::Approve);
    let start = log.starting(request, &[(rita, RITA), (dan, DAN)]);
    let seq = log.record(&Event::Started(Box::new(start)), Some(request));
    broken(&mut log, seq, Rule::M5);
}

#[test]
fn m6_a_requirement_is_not_loosened() {
    let strict = || requirement("2 of group:security");
    for loosen in [
        |one: &mut Requirement| one.quorum = requirement("1 of group:security").quorum,
        |one: &mut Requirement| one.exclude.clear(),
        |one: &mut Requirement| one.self_approval = SelfApproval::Recorded,
        |one: &mut Requirement| one.clocks.timeout *= 2,
    ] {
        let mut weaker = strict();
        loosen(&mut weaker);

        let mut log = Fixture::new();
        let request = log.ask_for(strict());
        let seq = log.record(
            &reassessed(Renewed::RequireApproval(weaker.clone()), &[]),
            Some(request),
        );
        broken(&mut log, seq, Rule::M6);

        let mut log = Fixture::new();
        let (request, rita, dan) = approved_by_two(&mut log);
        let mut start = log.starting(request, &[(rita, RITA), (dan, DAN)]);
        if let Basis::RequireApproval { requirement, .. } = &mut start.basis {
            *requirement = weaker;
        }
        let seq = log.record(&Event::Started(Box::new(start)), Some(request));
        broken(&mut log, seq, Rule::M6);
    }
}

#[test]
fn m6_what_people_had_to_approve_is_not_allowed_without_them() {
    let mut log = Fixture::new();
    let request = log.ask();
    let seq = log.record(&reassessed(Renewed::Allow, &[]), Some(request));
    broken(&mut log, seq, Rule::M6);
}

#[test]
fn m6_a_stricter_requirement_is_fine() {
    let mut log = Fixture::new();
    let request = log.ask();
    let rita = log.vote(request, RITA, Choice::Approve);
    let stricter = requirement("1 of group:security and 1 of group:data-owners");
    log.record(
        &reassessed(Renewed::RequireApproval(stricter), &[]),
        Some(request),
    );
    let seq = log.start(request, &[(rita, RITA)]);
    broken(&mut log, seq, Rule::M3);
}

#[test]
fn m7_what_must_be_supplied_is_in_the_vote() {
    let mut strict = requirement("1 of group:security");
    strict.must_supply.reason = Supply::Required;
    strict.must_supply.ticket = Supply::Required;
    let mut log = Fixture::new();
    let request = log.ask_for(strict);
    let mut ballot = log.ballot(RITA, Choice::Approve);
    ballot.comment = Some(hidden("fine"));
    let seq = log.record(&Event::Voted(Box::new(ballot.clone())), Some(request));
    broken(&mut log, seq, Rule::M7);

    let mut log = Fixture::new();
    let mut strict = requirement("1 of group:security");
    strict.must_supply.reason = Supply::Required;
    let request = log.ask_for(strict);
    ballot.comment = None;
    ballot.ticket = Some(hidden("OPS-7"));
    let seq = log.record(&Event::Voted(Box::new(ballot)), Some(request));
    broken(&mut log, seq, Rule::M7);
}

#[test]
fn m8_a_policy_is_adopted_before_it_decides() {
    let mut log = Fixture::empty("example.com/audit");
    let request = log.allow();
    let filed = log.size() - 1;
    log.adopt(GATE);
    log.start(request, &[]);
    let report = broken(&mut log, filed, Rule::M8);
    assert_eq!(report.problems.total(), 1, "{report}");
}

#[test]
fn m8_each_process_adopts_for_itself() {
    let mut log = Fixture::new();
    let request = log.ask();
    let Event::Reassessed(mut event) = reassessed(Renewed::Deny, &[]) else {
        panic!("a reassessed one");
    };
    event.instance = instance(99);
    let seq = log.record(&Event::Reassessed(event), Some(request));
    broken(&mut log, seq, Rule::M8);
}

#[test]
fn m8_a_start_names_a_policy_that_was_adopted() {
    let mut log = Fixture::new();
    let request = log.allow();
    let mut start = log.starting(request, &[]);
    start.decision.revision = PolicyRevision::of("countersign-rules/1", b"others");
    let seq = log.record(&Event::Started(Box::new(start)), Some(request));
    broken(&mut log, seq, Rule::M8);
}

#[test]
fn m9_a_testing_gate_does_not_write_to_a_real_log() {
    let mut log = Fixture::new();
    let request = log.ask();
    let mut entry = log.entry_of(&withdrawn(), Some(request));
    entry.enforced = Enforcement::Testing;
    let seq = log.entry(&entry);
    broken(&mut log, seq, Rule::M9);

    let mut log = Fixture::empty("testing/audit");
    log.adopt(GATE);
    let request = log.ask();
    assert_eq!(log.audit().exit_code(), 0);
    let mut entry = log.entry_of(&withdrawn(), Some(request));
    entry.enforced = Enforcement::Enforced;
    let seq = log.entry(&entry);
    broken(&mut log, seq, Rule::M9);
}

#[test]
fn the_lowest_of_all_problems_is_the_verdict() {
    let mut log = Fixture::new();
    let request = log.ask();
    let first = log.vote(request, OLGA, Choice::Approve);
    let second = log.start(request, &[(first, OLGA)]);
    let report = broken(&mut log, first, Rule::M4);
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|problem| (problem.seq.get(), problem.rule))
        .collect();
    assert_eq!(problems, [(first, Rule::M4), (second, Rule::M3)]);
}

#[test]
fn what_may_follow_from_a_record_that_is_not_judged_is_in_doubt() {
    // A later edition may let such a record allow the start, so that this reader cannot call the log broken.
    for (kind, exit) in [
        (Kind::BreakGlass, 2),
        (Kind::Edited, 2),
        (Kind::Viewed, 1),
        (Kind::Undelivered, 1),
    ] {
        let mut log = Fixture::new();
        let request = log.ask();
        log.raw(kind, Some(request), Object::new());
        assert_ne!(log.audit().exit_code(), 1, "{kind}");
        let seq = log.start(request, &[]);
        let report = log.audit();
        assert_eq!(report.exit_code(), exit, "{kind}: {report}");
        let listed = if exit == 2 {
            &report.doubts
        } else {
            &report.problems
        };
        assert_eq!(listed.first().unwrap().seq, Seq::new(seq));
    }
}

#[test]
fn an_extension_that_is_not_known_cannot_be_verified() {
    let mut log = Fixture::new();
    let request = log.ask();
    let mut entry = log.entry_of(&withdrawn(), Some(request));
    entry.crit = vec!["escrow".to_owned()];
    log.entry(&entry);
    // Whether the request is withdrawn now is not for this reader to say.
    log.vote(request, RITA, Choice::Approve);
    let report = log.audit();
    assert_eq!(report.exit_code(), 2, "{report}");
    assert!(report.problems.is_empty());
    assert_eq!(report.not_judged.total(), 1);
}

#[test]
fn a_report_of_many_problems_is_bounded_and_counts_them_all() {
    let mut log = Fixture::new();
    let request = log.ask();
    let first = log.size();
    for _ in 0..1100 {
        log.start(request, &[]);
    }
    let report = broken(&mut log, first, Rule::M3);
    assert_eq!(report.problems.total(), 1100);
    assert_eq!(report.problems.iter().len(), 1000);
    assert!(report.to_string().contains("… and 1080 more"), "{report}");
    let json = report.to_json();
    let problems = json
        .as_object()
        .unwrap()
        .get("problems")
        .unwrap()
        .as_object()
        .unwrap();
    assert_eq!(problems.get("total").and_then(Json::as_i64), Some(1100));
}

#[test]
fn counted_selectors_are_those_confirmed_at_the_start() {
    // Rita approved as one of security; at the start the directory says that she is a data owner, which is not asked for.
    let mut log = Fixture::new();
    let request = log.ask();
    let rita = log.vote(request, RITA, Choice::Approve);
    let mut start = log.starting(request, &[(rita, RITA)]);
    if let Basis::RequireApproval { counted, .. } = &mut start.basis {
        *counted = vec![Counted {
            vote: At(rita),
            person: person(RITA),
            as_: [Selector::parse("group:data-owners").unwrap()].into(),
        }];
    }
    assert!(!security().is_empty());
    let seq = log.record(&Event::Started(Box::new(start)), Some(request));
    broken(&mut log, seq, Rule::M5);
}

#[test]
fn m12_no_vote_that_a_thief_may_have_cast_counts_at_a_later_start() {
    let mut log = Fixture::new();
    let request = log.ask();
    let stolen = log.later(0);
    let vote = log.vote(request, RITA, Choice::Approve);
    log.wait(1);
    log.compromise_desk(stolen);
    let seq = log.start(request, &[(vote, RITA)]);
    broken(&mut log, seq, Rule::M12);
}

#[test]
fn m12_is_about_votes_from_then_on_and_starts_that_come_later() {
    // The vote was cast before the key was stolen.
    let mut log = Fixture::new();
    let request = log.ask();
    let vote = log.vote(request, RITA, Choice::Approve);
    log.wait(1);
    log.compromise_desk(log.later(0));
    log.start(request, &[(vote, RITA)]);
    log.finish(request, Outcome::Succeeded);
    assert_eq!(log.audit().exit_code(), 0, "{}", log.audit());

    // When it was started nobody knew. That the vote is a doubt is for S12 to say.
    let mut log = Fixture::new();
    let request = log.ask();
    let stolen = log.later(0);
    let vote = log.vote(request, RITA, Choice::Approve);
    log.start(request, &[(vote, RITA)]);
    log.finish(request, Outcome::Succeeded);
    log.compromise_desk(stolen);
    assert_eq!(log.audit().exit_code(), 2, "{}", log.audit());
}

//! Rows of the store that are not what the log says.

use crate::action::{Dataset, DatasetKind, DatasetRef};
use crate::approval::{At, Choice, Event, Outcome, Timing, Touched};
use crate::lineage::{Edge, Node, Relation};
use crate::log::{RequestRef, Seq, Verdict};
use crate::store::{Phase, Row, TimerKind, TimerRow};

use super::super::{
    Audit, AuditReport, Projection, ProjectionReport, edge_row, person_tag, timer_of,
};
use super::fixture::{Fixture, GATE, row, secret};
use super::story::{DAN, RITA, id_of, person};

/// Writes rows of the projections as whoever holds the store could.
fn meddle(log: &mut Fixture, rows: Vec<Row>) {
    log.meddle = Some(rows);
    log.adopt(GATE);
}

fn differences(report: &AuditReport) -> Vec<(Projection, Option<crate::action::RequestId>)> {
    let ProjectionReport::Compared { differences, .. } = &report.projections else {
        panic!("{report}");
    };
    differences
        .iter()
        .map(|one| (one.what, one.request))
        .collect()
}

/// The log stays intact, and what differs is found.
#[track_caller]
fn found(log: &mut Fixture, expected: &[(Projection, RequestRef)]) {
    let report = log.audit();
    assert!(
        matches!(report.verdict, Verdict::IntactAnchored { .. }),
        "{report}"
    );
    assert_eq!(report.exit_code(), AuditReport::PROJECTIONS_DIFFER);
    let expected: Vec<_> = expected
        .iter()
        .map(|(what, request)| (*what, Some(request.id)))
        .collect();
    assert_eq!(differences(&report), expected, "{report}");
}

#[test]
fn a_phase_that_was_changed_is_found() {
    for phase in [
        Phase::Approved,
        Phase::Running,
        Phase::Unresolved,
        Phase::Closed,
    ] {
        let mut log = Fixture::new();
        let request = log.ask();
        let mut changed = row(log.state(request));
        changed.phase = phase;
        meddle(&mut log, vec![Row::Request(changed)]);
        found(&mut log, &[(Projection::Request, request)]);
    }
}

#[test]
fn an_ended_request_that_lives_again_is_found() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    log.finish(request, Outcome::Succeeded);
    let mut changed = row(log.state(request));
    assert_eq!(changed.phase, Phase::Closed);
    changed.phase = Phase::Approved;
    meddle(&mut log, vec![Row::Request(changed)]);
    found(&mut log, &[(Projection::Request, request)]);
}

#[test]
fn a_first_record_and_a_time_that_were_changed_are_found() {
    let mut log = Fixture::new();
    let request = log.ask();
    let mut changed = row(log.state(request));
    changed.seq = Seq::new(0);
    meddle(&mut log, vec![Row::Request(changed)]);
    found(&mut log, &[(Projection::Request, request)]);

    let mut log = Fixture::new();
    let request = log.ask();
    let mut changed = row(log.state(request));
    changed.filed = log.later(1);
    meddle(&mut log, vec![Row::Request(changed)]);
    found(&mut log, &[(Projection::Request, request)]);
}

#[test]
fn a_row_of_no_request_and_a_request_without_a_row_are_found() {
    let mut log = Fixture::new();
    let request = log.ask();
    let (_, never) = log.requested(crate::approval::Disposition::Deny { cause: None });
    let mut stray = row(log.state(request));
    stray.request = never.id;
    meddle(&mut log, vec![Row::Request(stray)]);
    found(&mut log, &[(Projection::Request, never)]);

    let mut log = Fixture::new();
    let between = log.ask();
    log.meddle = Some(Vec::new());
    let missing = log.ask();
    let open = log.ask();
    log.vote(open, RITA, Choice::Approve);
    assert!(between.id < missing.id && missing.id < open.id);
    let report = log.audit();
    assert_eq!(
        differences(&report),
        [
            (Projection::Request, Some(missing.id)),
            (Projection::Edge, None),
            (Projection::Timer, Some(missing.id)),
        ],
        "{report}"
    );
}

#[test]
fn timers_that_were_changed_are_found() {
    let late = |log: &Fixture, request| {
        let mut timer = timer_of(log.state(request)).unwrap();
        timer.due = log.later(999_999);
        timer
    };

    let mut log = Fixture::new();
    let request = log.ask();
    let timer = late(&log, request);
    meddle(&mut log, vec![Row::Timer(timer)]);
    found(&mut log, &[(Projection::Timer, request)]);

    let mut log = Fixture::new();
    let request = log.ask();
    meddle(&mut log, vec![Row::TimerGone(request.id)]);
    found(&mut log, &[(Projection::Timer, request)]);

    let mut log = Fixture::new();
    let request = log.ask();
    let timer = TimerRow {
        what: TimerKind::Lease,
        ..late(&log, request)
    };
    meddle(&mut log, vec![Row::Timer(timer)]);
    found(&mut log, &[(Projection::Timer, request)]);

    // Reminders do not follow from the log.
    let mut log = Fixture::new();
    let request = log.ask();
    let timer = TimerRow {
        what: TimerKind::Custom,
        ..late(&log, request)
    };
    meddle(&mut log, vec![Row::Timer(timer)]);
    assert_eq!(log.audit().exit_code(), 0);
}

#[test]
fn a_store_that_moved_on_is_not_compared() {
    let mut log = Fixture::new();
    log.ask();
    let mut before = log.reader();
    log.ask();
    let report = Audit::of(&mut before).comparing(&log.store).run();
    assert!(
        matches!(&report.projections, ProjectionReport::NotCompared { why } if why.contains("the log grew")),
        "{report}"
    );
}

#[test]
fn projections_differ_only_on_top_of_an_intact_log() {
    let mut log = Fixture::new();
    let request = log.ask();
    meddle(&mut log, vec![Row::TimerGone(request.id)]);
    log.start(request, &[]);
    let report = log.audit();
    assert!(report.projections.differs());
    assert_eq!(report.exit_code(), 1, "{report}");
}

#[test]
fn edges_that_were_added_or_are_missing_are_found() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    let finish = log.finish(request, Outcome::Succeeded);
    let of = |name: &str| Node::Dataset(DatasetRef::new(DatasetKind::Data, "file://host", name));
    let forged = |seq| Edge {
        from: of("/out/c.csv"),
        relation: Relation::WasDerivedFrom,
        to: of("/secret"),
        seq: At(seq),
        ts: log.now,
    };
    let rows = [finish, 1, 4000].map(|seq| Row::Edge(edge_row(&secret(), &forged(seq))));
    meddle(&mut log, rows.to_vec());
    let report = log.audit();
    let ProjectionReport::Compared {
        differences: all, ..
    } = &report.projections
    else {
        panic!("{report}");
    };
    let found: Vec<_> = all
        .iter()
        .map(|one| (one.what, one.seq.unwrap().get()))
        .collect();
    assert_eq!(
        found,
        [
            (Projection::Edge, 1),
            (Projection::Edge, finish),
            (Projection::Edge, 4000)
        ]
    );

    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    let finished = log.finished(request, Outcome::Succeeded, Timing::InTime);
    // Everything that follows from the end but the edges.
    log.meddle = Some(vec![
        Row::Request(crate::store::RequestRow {
            phase: Phase::Closed,
            ..row(log.state(request))
        }),
        Row::TimerGone(request.id),
    ]);
    let seq = log.record(&finished, Some(request));
    let report = log.audit();
    assert_eq!(differences(&report), [(Projection::Edge, None)]);
    assert!(
        report
            .to_string()
            .contains(&format!("edge from record {seq}: ")),
        "{report}"
    );
}

#[test]
fn edges_of_a_name_that_was_erased_are_not_compared() {
    let mut log = Fixture::new();
    let request = log.allow();
    log.start(request, &[]);
    let Event::Finished(mut finished) = log.finished(request, Outcome::Succeeded, Timing::InTime)
    else {
        panic!("a finished one");
    };
    finished.generated = vec![Touched::from(
        &Dataset::new("file://host", "/out/olga.csv").sensitive(),
    )];
    let seq = log.record(&Event::Finished(finished), Some(request));
    assert_eq!(log.audit().exit_code(), 0);
    let mut reader = log.reader();
    reader.disclosures.retain(|(filed, _)| filed.get() != seq);
    let report = Audit::of(&mut reader).comparing(&log.store).run();
    assert!(!report.projections.differs(), "{report}");
}

#[test]
fn a_person_whom_the_store_takes_for_another_or_has_lost_is_found() {
    // The row is written before its record, as by whoever holds the store.
    for (row, why) in [(Some(DAN), "calls"), (None, "lost")] {
        let mut log = Fixture::new();
        let request = log.ask();
        let pseudonym = |who| Row::Pseudonym {
            tag: person_tag(&secret(), &id_of(RITA)),
            pseudonym: person(who),
        };
        log.meddle = Some(row.map(pseudonym).into_iter().collect());
        let seq = log.vote(request, RITA, Choice::Approve);
        let report = log.audit();
        let ProjectionReport::Compared { differences, .. } = &report.projections else {
            panic!("{report}");
        };
        let differs = differences
            .iter()
            .find(|one| one.what == Projection::Person);
        let differs = differs.unwrap_or_else(|| panic!("{report}"));
        assert_eq!(differs.seq, Some(Seq::new(seq)));
        assert!(differs.why.contains(why), "{report}");
    }
}

#[test]
fn persons_whose_names_were_erased_are_not_compared() {
    let mut log = Fixture::new();
    let request = log.ask();
    log.meddle = Some(Vec::new());
    let seq = log.vote(request, RITA, Choice::Approve);
    let mut reader = log.reader();
    reader.disclosures.retain(|(filed, _)| filed.get() != seq);
    let report = Audit::of(&mut reader).comparing(&log.store).run();
    let ProjectionReport::Compared { differences, .. } = &report.projections else {
        panic!("{report}");
    };
    assert!(
        differences.iter().all(|one| one.what != Projection::Person),
        "{report}"
    );
}

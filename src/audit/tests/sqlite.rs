//! A log in a file, and what SQL can do to it.

use rusqlite::Connection;

use crate::approval::{Choice, Outcome};
use crate::log::{Broken, Rule, Seq, TrustedKeys, Verdict};
use crate::store::SqliteStore;

use super::super::{Audit, AuditReport, Projection, ProjectionReport};
use super::fixture::Fixture;
use super::story::RITA;

/// The verdict on a log in a file after somebody ran `sql` on it.
fn after(sql: &str) -> AuditReport {
    let mut log = Fixture::new();
    let done = log.ask();
    let vote = log.vote(done, RITA, Choice::Approve);
    log.start(done, &[(vote, RITA)]);
    log.finish(done, Outcome::Succeeded);
    log.ask();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    log.copy_to(&store);
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let mut reader = store.log_reader().unwrap();
    let keys = TrustedKeys::of_genesis(log.genesis());
    Audit::of(&mut reader)
        .trusting(keys)
        .anchored_by(log.checkpoint())
        .comparing(&store)
        .run()
}

#[test]
fn a_log_in_a_file_is_intact_and_its_rows_say_the_same() {
    let report = after("");
    assert_eq!(report.exit_code(), 0, "{report}");
    let ProjectionReport::Compared { rows, .. } = report.projections else {
        panic!("{report}");
    };
    assert!(rows > 10);
}

#[test]
fn rows_that_sql_changed_are_found_and_bear_no_verdict() {
    for (sql, what) in [
        (
            "UPDATE request SET phase = 1 WHERE phase = 0",
            Projection::Request,
        ),
        ("DELETE FROM request WHERE phase = 0", Projection::Request),
        ("UPDATE request SET seq = seq + 1", Projection::Request),
        ("UPDATE timer SET due = due + 1", Projection::Timer),
        ("DELETE FROM timer", Projection::Timer),
        ("DELETE FROM edge WHERE seq = 5", Projection::Edge),
    ] {
        let report = after(sql);
        assert!(
            matches!(report.verdict, Verdict::IntactAnchored { .. }),
            "{sql}: {report}"
        );
        assert_eq!(
            report.exit_code(),
            AuditReport::PROJECTIONS_DIFFER,
            "{sql}: {report}"
        );
        let ProjectionReport::Compared { differences, .. } = &report.projections else {
            panic!("{report}");
        };
        assert!(
            differences.iter().all(|one| one.what == what),
            "{sql}: {report}"
        );
    }
}

#[test]
fn a_record_that_sql_inserted_or_changed_is_broken() {
    let forged = "INSERT INTO record SELECT 7, randomblob(32), leaf, kind, request, ts, signatures, statement FROM record WHERE seq = 3";
    for (sql, seq) in [
        (forged, 7),
        ("UPDATE record SET kind = 'withdrawn' WHERE seq = 3", 3),
        ("DELETE FROM record WHERE seq = 4", 4),
        (
            "UPDATE record SET statement = CAST(replace(CAST(statement AS TEXT), 'approve', 'approvE') AS BLOB) WHERE seq = 3",
            3,
        ),
    ] {
        let report = after(sql);
        let Verdict::Broken(Broken { seq: at, rule, .. }) = &report.verdict else {
            panic!("{sql}: {report}");
        };
        assert_eq!(*at, Seq::new(seq), "{sql}: {report}");
        assert!(*rule < Rule::M1, "{sql}: {report}");
        assert_eq!(report.exit_code(), 1);
    }
}

//! The store's files replaced under a process that has them open: it writes no more, since nobody would see what it writes, nor
//! would it see what others write.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::fs;
use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::child::{Process, say, task};
use common::{PEOPLE, RULES, life, log, pay, refused};
use countersign::action::RequestId;
use countersign::gate::{ApprovalGate, Permit, RunError};
use countersign::host::Countersign;
use countersign::identity::StaticDirectory;
use countersign::ledger::OpenError;
use countersign::log::Kind;
use countersign::policy::RuleSet;
use countersign::store::SqliteStore;
use futures::executor::block_on;
use rusqlite::Connection;

fn store(folder: &Path) -> SqliteStore {
    SqliteStore::open_or_create(life::database(folder)).unwrap()
}

fn beside(folder: &Path, suffix: &str) -> PathBuf {
    folder.join(format!("log.db{suffix}"))
}

fn copy_of(folder: &Path, name: &str) -> PathBuf {
    let copy = folder.join(name);
    let conn = Connection::open(life::database(folder)).unwrap();
    conn.execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    let conn = Connection::open(&copy).unwrap();
    let mode: String = conn
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    copy
}

#[test]
fn in_another_process() {
    if let Some((request, folder)) = task() {
        let world = life::open(&folder, store(&folder));
        let request = RequestId::from_uuid(request.parse().unwrap());
        let _denied = world.deny("sam", request).unwrap();
        world.close();
        say("denied");
    }
}

/// Lets a request be approved, replaces files, has another process deny it, and tries to run it.
fn denied_elsewhere(folder: &Path, replace: impl FnOnce()) -> Result<(), RunError<String>> {
    let world = life::open(folder, store(folder));
    let request = world.file(pay(5));
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    replace();
    let mut other = Process::start(&request.as_uuid().to_string(), folder);
    other.hear("denied");
    other.end();
    let ran = run(permit);
    world.close();
    ran
}

fn run(permit: Permit) -> Result<(), RunError<String>> {
    block_on(permit.run(async |_| Ok::<(), String>(()))).map(|_| ())
}

#[test]
fn what_was_denied_in_a_copy_that_took_the_place_of_the_file_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let ran = denied_elsewhere(path, || {
        let copy = copy_of(path, "copy");
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(beside(path, suffix)).unwrap();
        }
        fs::rename(copy, life::database(path)).unwrap();
    });
    let refusal = ran.unwrap_err().to_string();
    assert!(refusal.contains("no longer the file"), "{refusal}");
    assert!(
        !log::kinds(&store(path))
            .iter()
            .any(|(kind, _)| *kind == Kind::Started)
    );
}

#[test]
fn what_was_denied_beside_a_removed_write_ahead_log_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let ran = denied_elsewhere(path, || {
        let conn = Connection::open(life::database(path)).unwrap();
        conn.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap();
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(beside(path, suffix)).unwrap();
        }
    });
    let refusal = ran.unwrap_err().to_string();
    assert!(refusal.contains("no longer the file"), "{refusal}");
}

#[test]
fn nothing_runs_while_its_evidence_would_go_into_a_file_without_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let world = life::open(path, store(path));
    fs::rename(life::database(path), path.join("away")).unwrap();
    let refusal = refused(block_on(world.gate().guard(common::read())).map(drop)).to_string();
    fs::rename(path.join("away"), life::database(path)).unwrap();
    // Put back, it is the same file.
    let permit = block_on(world.gate().guard(common::read())).unwrap();
    run(permit).unwrap();
    world.close();
    assert!(refusal.contains("no longer the file"), "{refusal}");
}

#[test]
fn the_trace_of_what_was_denied_in_a_copy_for_a_while_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let rename = |from: &str, to: &str| {
        for suffix in ["", "-wal", "-shm"] {
            let (from, to) = (format!("{from}{suffix}"), format!("{to}{suffix}"));
            let _absent = fs::rename(path.join(from), path.join(to));
        }
    };
    let world = life::open(path, store(path));
    let request = world.file(pay(5));
    copy_of(path, "copy");
    rename("log.db", "kept");
    rename("copy", "log.db");
    let mut other = Process::start(&request.as_uuid().to_string(), path);
    other.hear("denied");
    other.end();
    rename("log.db", "copy");
    rename("kept", "log.db");
    // Nothing says so to this process before it looks at the head file to write there.
    for amount in 6..12 {
        world.file(pay(amount));
    }
    let another = world.file(pay(12));
    world.clock.advance(Duration::from_secs(2));
    world.clock.settled(1);
    let refusal = world.approve("rita", another).unwrap_err().to_string();
    assert!(refusal.contains("forked"), "{refusal}");
    world.close();
    let people = StaticDirectory::from_toml(PEOPLE).unwrap();
    let rules = RuleSet::from_toml(RULES).unwrap();
    let opening = Countersign::open(store(path), life::keys(path), rules, people);
    let refusal = block_on(opening.into_future()).unwrap_err();
    assert!(matches!(refusal, OpenError::Fork { .. }), "{refusal:?}");
}

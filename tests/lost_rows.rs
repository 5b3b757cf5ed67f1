//! Rows that SQL deletes: whoever relied on them is refused with a reason, and what lives is not taken for dead.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::path::Path;
use std::thread;
use std::time::Duration;

use common::{life, log, pay};
use countersign::gate::ApprovalGate;
use countersign::log::Kind;
use countersign::store::SqliteStore;
use futures::executor::block_on;
use rusqlite::Connection;

fn store(folder: &Path) -> SqliteStore {
    SqliteStore::open_or_create(life::database(folder)).unwrap()
}

fn delete(folder: &Path, table: &str) {
    let conn = Connection::open(life::database(folder)).unwrap();
    let gone = conn.execute(&format!("DELETE FROM {table}"), []).unwrap();
    assert!(gone > 0, "nothing was in {table}");
}

#[test]
fn a_person_whose_name_was_deleted_is_refused_and_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let world = life::open(folder.path(), store(folder.path()));
    let first = world.file(pay(1));
    let _voted = world.approve("sam", first).unwrap();
    let second = world.file(pay(2));
    world.close();
    delete(folder.path(), "person");
    // A second name would make two persons of one.
    let world = life::open(folder.path(), store(folder.path()));
    let refused = world.approve("sam", second).unwrap_err().to_string();
    assert!(refused.contains("lost the name of a person"), "{refused}");
    world.close();
}

#[test]
fn a_running_process_whose_row_was_deleted_is_not_taken_for_dead() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let world = life::open(&path, store(&path));
    let request = world.file(pay(5));
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let ran = block_on(permit.run(async |_| {
        delete(&path, "instance");
        let path = path.clone();
        // Another handle stands for another process: it holds no lock of the first.
        let look = move || {
            let other = life::open(&path, store(&path));
            other.clock.advance(Duration::from_secs(2));
            other.clock.settled(1);
            other.close();
        };
        thread::spawn(look).join().unwrap();
        Ok::<(), String>(())
    }));
    assert!(ran.is_ok());
    let kinds = log::kinds(&store(&path));
    assert!(!kinds.iter().any(|(kind, _)| *kind == Kind::Lost));
    world.close();
}

#[test]
fn what_is_added_to_the_tables_while_they_are_open_stops_all_writing() {
    let folder = tempfile::tempdir().unwrap();
    let world = life::open(folder.path(), store(folder.path()));
    let request = world.file(pay(7));
    let sql = |sql: &str| {
        let conn = Connection::open(life::database(folder.path())).unwrap();
        conn.execute_batch(sql).unwrap();
    };
    for (make, drop, name) in [
        // Denials and revocations would leave the request in the lists of nobody, or fail.
        (
            "CREATE TRIGGER hush AFTER INSERT ON record WHEN NEW.kind = 'voted' BEGIN DELETE FROM outbox; END",
            "DROP TRIGGER hush",
            "hush",
        ),
        (
            "CREATE UNIQUE INDEX once ON record(request) WHERE kind = 'voted'",
            "DROP INDEX once",
            "once",
        ),
        // Under a name that looks like one of SQLite's own.
        (
            "CREATE UNIQUE INDEX once ON record(request) WHERE kind = 'voted';
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET name = 'sqlite_stat1once', sql = replace(sql, 'once', 'sqlite_stat1once') WHERE name = 'once'",
            "DROP INDEX sqlite_stat1once",
            "sqlite_stat1once",
        ),
    ] {
        sql(make);
        for _ in 0..2 {
            let refused = world.approve("sam", request).unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
        sql(drop);
    }
    // Statistics do no harm.
    sql("ANALYZE");
    let _voted = world.approve("sam", request).unwrap();
    world.close();
}

//! Heads and counts that others put into the file of a running process: what does not continue the log that it knows stops it.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::before_append::BeforeAppend;
use common::{PEOPLE, RULES, World, life, log, pay, read, refused, start};
use countersign::action::RequestId;
use countersign::canonical::Digest;
use countersign::clock::ManualClock;
use countersign::gate::{ApprovalGate, Cause, Refusal};
use countersign::log::{Head, Kind};
use countersign::store::{SqliteStore, Store};
use futures::executor::block_on;
use rusqlite::Connection;

const TABLES: [&str; 12] = [
    "record",
    "subtree",
    "checkpoint",
    "head",
    "disclosure",
    "scope",
    "request",
    "timer",
    "edge",
    "node",
    "outbox",
    "person",
];

fn sqlite(folder: &Path) -> SqliteStore {
    SqliteStore::open_or_create(life::database(folder)).unwrap()
}

fn connection(folder: &Path) -> Connection {
    let conn = Connection::open(life::database(folder)).unwrap();
    conn.busy_timeout(Duration::from_secs(5)).unwrap();
    conn
}

/// A world on the log in `folder`, with the keys of `keys`.
fn world(folder: &Path, keys: &Path, store: impl Store) -> World {
    World::open(
        RULES,
        PEOPLE,
        store,
        life::keys(keys),
        ManualClock::new(start()),
        tempfile::tempdir_in(folder).unwrap(),
        |opening| opening,
    )
}

/// A store of its own with what the log holds now, its head file included.
fn copy(folder: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    let head = "log.db.head";
    std::fs::copy(folder.join(head), to.join(head)).unwrap();
    let to = life::database(to);
    let conn = connection(folder);
    conn.execute("VACUUM INTO ?1", [to.to_str().unwrap()])
        .unwrap();
    let made = Connection::open(to).unwrap();
    made.pragma_update(None, "journal_mode", "wal").unwrap();
}

/// Puts every row of the copy in place of those in the file, whoever has it open.
fn put_back(from: &Path, folder: &Path) {
    let conn = connection(folder);
    conn.execute("ATTACH ?1 AS f", [life::database(from).to_str().unwrap()])
        .unwrap();
    let mut sql = "BEGIN IMMEDIATE;".to_owned();
    for table in TABLES {
        sql +=
            &format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM f.{table};");
    }
    conn.execute_batch(&(sql + "COMMIT;")).unwrap();
}

fn edit_head(folder: &Path, edit: impl FnOnce(&mut Head)) {
    let conn = connection(folder);
    let state: Vec<u8> = conn
        .query_row("SELECT state FROM head", [], |row| row.get(0))
        .unwrap();
    let mut head = Head::decode(&state).unwrap();
    edit(&mut head);
    conn.execute("UPDATE head SET state = ?1", [head.encode()])
        .unwrap();
}

/// Takes the sockets away by which processes wake each other: whoever runs hears of nothing before it looks.
fn deafen(folder: &Path) {
    for entry in std::fs::read_dir(folder.join("log.db.run")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "bell") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// Whether the process refuses to write, and calls no effect.
fn stopped(world: &World) -> bool {
    let calls = AtomicUsize::new(0);
    let refusal = refused(block_on(async {
        let permit = world.gate().guard(read()).await?;
        let effect = async |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            Ok::<(), String>(())
        };
        let _ran = permit.run(effect).await;
        Ok::<(), Refusal>(())
    }));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    matches!(
        refusal,
        Refusal::CouldNotDecide(Cause::NotRecorded(_) | Cause::LogUnreadable(_))
    )
}

#[test]
fn a_longer_history_of_the_same_keys_does_not_take_the_place_of_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path(), folder.path().join("other"));
    let ours = world(path, path, sqlite(path));
    let _first = ours.file(pay(5));
    copy(path, &other);
    let denied = ours.file(pay(77));
    let _voted = ours.deny("rita", denied).unwrap();
    // The copy goes on elsewhere and grows longer.
    let theirs = world(&other, path, sqlite(&other));
    (100..110).for_each(|amount| {
        theirs.file(pay(amount));
    });
    theirs.close();
    put_back(&other, path);
    assert!(stopped(&ours));
}

#[test]
fn whoever_wrote_a_denial_that_was_taken_back_writes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path(), folder.path().join("other"));
    let ours = world(path, path, sqlite(path));
    let request = ours.file(pay(5));
    let _approved = ours.approve("rita", request).unwrap();
    copy(path, &other);
    let _denied = ours.deny("rita", request).unwrap();
    put_back(&other, path);
    // Others, who have not heard of the denial, write on, beyond where it stood.
    let gate = world(&other, path, sqlite(&other));
    (10..14).for_each(|amount| {
        gate.file(pay(amount));
    });
    gate.close();
    put_back(&other, path);
    assert!(stopped(&ours));
    assert!(ours.deny("rita", request).is_err());
}

#[test]
fn a_head_with_another_time_or_last_leaf_moves_nothing() {
    let edits: [fn(&mut Head); 2] = [
        |head| head.ts = head.ts.saturating_add(Duration::from_secs(40 * 86_400)),
        |head| head.prev = Digest::from_bytes([7; 32]),
    ];
    for edit in edits {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (ours, theirs) = (
            world(path, path, sqlite(path)),
            world(path, path, sqlite(path)),
        );
        deafen(path);
        let _filed = theirs.file(pay(6));
        edit_head(path, edit);
        let size = block_on(sqlite(path).head()).unwrap().unwrap().size;
        assert!(stopped(&ours));
        let after = block_on(sqlite(path).head()).unwrap().unwrap().size;
        assert_eq!(after, size, "something was written upon it");
    }
}

type Hook = Box<dyn FnOnce() + Send>;

/// Approves a request in one process, and starts it in another while `meanwhile` happens between its look and its commit; how
/// often the effect was called by that start.
fn started_while(meanwhile: impl FnOnce(&World, RequestId) + Send + 'static) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let theirs = world(&path, &path, sqlite(&path));
    let request = theirs.file(pay(5));
    let _voted = theirs.approve("rita", request).unwrap();
    let next: Arc<Mutex<Option<Hook>>> = Arc::default();
    let taken = Arc::clone(&next);
    let late = BeforeAppend::new(sqlite(&path), move || {
        if let Some(hook) = taken.lock().unwrap().take() {
            // Another process would do it; here another thread, since this one may be inside of an executor.
            thread::spawn(hook).join().unwrap();
        }
    });
    let ours = world(&path, &path, late);
    let permit = block_on(ours.gate().resume(request)).unwrap();
    let version = |conn: &Connection| -> i64 {
        let scope = [b"r".as_slice(), request.as_uuid().as_bytes()].concat();
        conn.query_row(
            "SELECT version FROM scope WHERE name = ?1",
            [scope],
            |row| row.get(0),
        )
        .unwrap()
    };
    let before = version(&connection(&path));
    let hook_path = path.clone();
    *next.lock().unwrap() = Some(Box::new(move || {
        meanwhile(&theirs, request);
        let scope = [b"r".as_slice(), request.as_uuid().as_bytes()].concat();
        connection(&hook_path)
            .execute(
                "UPDATE scope SET version = ?2 WHERE name = ?1",
                rusqlite::params![scope, before],
            )
            .unwrap();
        theirs.close();
    }));
    let calls = AtomicUsize::new(0);
    let _ran = block_on(permit.run(async |_| {
        calls.fetch_add(1, Ordering::SeqCst);
        Ok::<(), String>(())
    }));
    let starts = log::count(&sqlite(&path), request, Kind::Started);
    assert!(starts <= 1, "{starts} starts of one request");
    calls.load(Ordering::SeqCst)
}

#[test]
fn a_count_that_was_set_back_lets_nothing_start_after_a_denial() {
    let calls = started_while(|theirs, request| {
        let _denied = theirs.deny("rita", request).unwrap();
    });
    assert_eq!(calls, 0);
}

#[test]
fn a_count_that_was_set_back_lets_nothing_start_twice() {
    let calls = started_while(|theirs, request| {
        let permit = block_on(theirs.gate().resume(request)).unwrap();
        let _ran = block_on(permit.run(async |_| Ok::<(), String>(())));
    });
    assert_eq!(calls, 0);
}

//! The head file outside the database: a store that was put back, forked, swapped or left alone is noticed before anything is added.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use common::before_append::BeforeAppend;
use common::{PEOPLE, RULES, World, bot, pay};
use countersign::action::SessionId;
use countersign::clock::ManualClock;
use countersign::gate::ApprovalGate;
use countersign::host::Countersign;
use countersign::identity::StaticDirectory;
use countersign::ledger::OpenError;
use countersign::policy::RuleSet;
use countersign::store::{SqliteStore, Store};
use futures::executor::block_on;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, database: &str) -> Result<Countersign, OpenError> {
        self.open_with(SqliteStore::open_or_create(self.at(database)).unwrap())
    }

    fn open_with(&self, store: impl Store) -> Result<Countersign, OpenError> {
        let rules = RuleSet::from_toml(RULES).unwrap();
        let people = StaticDirectory::from_toml(PEOPLE).unwrap();
        let clock = ManualClock::new(common::start());
        let opening = Countersign::open(store, common::keys(&self.folder), rules, people);
        block_on(opening.with_clock(clock).into_future())
    }

    /// Adds requests to a log and closes it.
    fn work(&self, database: &str, amounts: std::ops::Range<i64>) {
        let countersign = self.open(database).unwrap();
        let gate = countersign
            .gate(bot(), SessionId::new("session-1").unwrap())
            .unwrap();
        for amount in amounts {
            let _ = block_on(gate.request(pay(amount))).unwrap();
        }
        drop(gate);
        block_on(countersign.close());
    }

    /// Copies a closed database and, if it is wanted, its head file.
    fn copy(&self, from: &str, to: &str, with_head: WithHead) {
        for suffix in ["-wal", "-shm"] {
            let _absent = fs::remove_file(self.at(&format!("{to}{suffix}")));
            let part = self.at(&format!("{from}{suffix}"));
            if part.exists() {
                fs::copy(part, self.at(&format!("{to}{suffix}"))).unwrap();
            }
        }
        fs::copy(self.at(from), self.at(to)).unwrap();
        match with_head {
            WithHead::Yes => drop(fs::copy(head(&self.at(from)), head(&self.at(to))).unwrap()),
            WithHead::No => {}
        }
    }
}

#[derive(Clone, Copy)]
enum WithHead {
    Yes,
    No,
}

fn head(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".head");
    PathBuf::from(name)
}

#[test]
fn an_older_copy_is_a_rollback() {
    let place = Place::new();
    place.work("log", 0..3);
    place.copy("log", "old", WithHead::No);
    place.work("log", 3..6);
    place.copy("old", "log", WithHead::No);
    let error = place.open("log").unwrap_err();
    assert!(
        matches!(&error, OpenError::Rollback { store, outside, .. } if store < outside),
        "{error:?}"
    );
    assert!(error.to_string().contains("rolled back"));
    // Looking changes nothing: it is refused as often as it is tried.
    assert!(matches!(place.open("log"), Err(OpenError::Rollback { .. })));
}

#[test]
fn an_emptied_store_is_a_rollback_too() {
    let place = Place::new();
    place.work("log", 0..3);
    for suffix in ["", "-wal", "-shm"] {
        let _absent = fs::remove_file(place.at(&format!("log{suffix}")));
    }
    assert!(matches!(
        place.open("log"),
        Err(OpenError::Rollback { store: 0, .. })
    ));
}

/// Opens a log while others add to it and go, each time that the opening has looked at the store's head.
fn open_while_others_write(place: Place) -> Result<Countersign, OpenError> {
    let place = Arc::new(place);
    let theirs = Arc::clone(&place);
    let store = SqliteStore::open_or_create(place.at("log")).unwrap();
    // An opening asks twice. Later the head is asked for with the head file locked, for which the others would wait.
    let left = AtomicU32::new(2);
    let store = BeforeAppend::new(store, || ()).after_head(move || {
        let take = |left: u32| left.checked_sub(1);
        if left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            return;
        }
        let theirs = Arc::clone(&theirs);
        // Another process would do it; here another thread, since this one is inside of an executor.
        thread::spawn(move || theirs.work("log", 3..6))
            .join()
            .unwrap();
    });
    place.open_with(store)
}

#[test]
fn what_others_write_while_a_log_is_opened_is_no_rollback() {
    let place = Place::new();
    place.work("log", 0..3);
    let opened = open_while_others_write(place);
    assert!(opened.is_ok(), "{opened:?}");
}

#[test]
fn a_log_that_others_begin_while_it_is_opened_is_no_rollback() {
    let opened = open_while_others_write(Place::new());
    assert!(opened.is_ok(), "{opened:?}");
}

#[test]
fn another_history_is_a_fork() {
    let place = Place::new();
    place.work("log", 0..3);
    place.copy("log", "other", WithHead::Yes);
    place.work("log", 3..6);
    // The other goes on by itself, further than the first.
    place.work("other", 10..20);
    place.copy("other", "log", WithHead::No);
    let error = place.open("log").unwrap_err();
    assert!(
        matches!(&error, OpenError::Fork { size, .. } if *size > 3),
        "{error:?}"
    );
}

#[test]
fn a_missing_head_file_is_no_fresh_start() {
    let place = Place::new();
    place.work("log", 0..3);
    fs::remove_file(head(&place.at("log"))).unwrap();
    assert!(
        matches!(place.open("log"), Err(OpenError::HeadFileMissing { records, .. }) if records > 3)
    );
    assert!(!head(&place.at("log")).exists(), "it is not made up again");
}

#[test]
fn the_head_file_of_another_log_is_none() {
    let place = Place::new();
    place.work("log", 0..3);
    place.work("other", 0..1);
    fs::copy(head(&place.at("other")), head(&place.at("log"))).unwrap();
    assert!(matches!(
        place.open("log"),
        Err(OpenError::Fork { size: 0, .. })
    ));
}

#[test]
fn a_damaged_head_file_is_an_error() {
    let place = Place::new();
    place.work("log", 0..3);
    fs::write(head(&place.at("log")), b"").unwrap();
    assert!(matches!(place.open("log"), Err(OpenError::HeadFile(_))));
}

#[test]
fn a_head_file_that_lags_is_no_reason_to_stop() {
    let place = Place::new();
    place.work("log", 0..3);
    let before = fs::read(head(&place.at("log"))).unwrap();
    place.work("log", 3..6);
    fs::write(head(&place.at("log")), before).unwrap();
    assert!(place.open("log").is_ok());
}

#[test]
fn a_head_file_can_lie_elsewhere() {
    let place = Place::new();
    let outside = place.at("outside.head");
    let open = || {
        let store = SqliteStore::open_or_create(place.at("log")).unwrap();
        let keys = common::keys(&place.folder);
        World::open(
            RULES,
            PEOPLE,
            store,
            keys,
            ManualClock::new(common::start()),
            tempfile::tempdir().unwrap(),
            |opening| opening.with_head_file(outside.clone()),
        )
    };
    drop(open());
    assert!(outside.exists() && !head(&place.at("log")).exists());
    drop(open());
    assert!(matches!(
        place.open("log"),
        Err(OpenError::HeadFileMissing { .. })
    ));
}

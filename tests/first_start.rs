//! Several processes start for the first time at once: one of them makes the keys and begins the log, and nobody finds half of either.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::future::IntoFuture;
use std::sync::Barrier;
use std::thread;

use common::{PEOPLE, RULES};
use countersign::Countersign;
use countersign::identity::StaticDirectory;
use countersign::ledger::{Keys, KeysError};
use countersign::log::Role;
use countersign::policy::RuleSet;
use countersign::store::SqliteStore;
use futures::executor::block_on;

const MANY: usize = 6;

/// Runs it in so many threads, all of which begin together.
fn at_once<T: Send>(run: impl Fn() -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(MANY);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..MANY)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    run()
                })
            })
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn keys_are_there_whole_or_not_at_all() {
    for round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let answers = at_once(|| {
            let found = match Keys::open(&path) {
                Ok(keys) => Some(keys.public().len()),
                Err(KeysError::Missing { .. }) => None,
                Err(half) => panic!("round {round}: {half}"),
            };
            (found, Keys::create(&path))
        });
        let made = answers.iter().filter(|(_, made)| made.is_ok()).count();
        assert_eq!(made, 1, "round {round}");
        for (found, made) in &answers {
            assert!(found.is_none_or(|found| found == Role::ALL.len()));
            assert!(
                matches!(made, Ok(_) | Err(KeysError::Exists { .. })),
                "{made:?}"
            );
        }
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "nothing else is left behind");
    }
}

#[test]
fn one_log_is_begun() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(folder.path().join("keys")).unwrap();
        let logs = at_once(|| {
            let store = SqliteStore::open_or_create(folder.path().join("log.sqlite")).unwrap();
            let rules = RuleSet::from_toml(RULES).unwrap();
            let people = StaticDirectory::from_toml(PEOPLE).unwrap();
            let opening = Countersign::open(store, keys.clone(), rules, people);
            let opened = block_on(opening.into_future()).unwrap();
            let log = opened.log();
            block_on(opened.close());
            log
        });
        assert!(logs.iter().all(|log| *log == logs[0]));
    }
}

//! Whole logs that others put in place of ours, head file included: whose genesis none of our keys signed, what is another log
//! than the one that was here, and an empty store where there was a log are refused, and nothing is changed.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::future::IntoFuture;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{ByName, PEOPLE, RULES, bot, named, pay};
use countersign::action::SessionId;
use countersign::canonical::Digest;
use countersign::clock::ManualClock;
use countersign::gate::{ApprovalGate, Filing, Gate};
use countersign::host::{Countersign, NoSuchRole, Opening};
use countersign::identity::{Authenticator, StaticDirectory};
use countersign::ledger::{Keys, OpenError, SaidBy};
use countersign::log::{LogId, PublicKey, Role};
use countersign::policy::RuleSet;
use countersign::store::{SqliteStore, Store};
use futures::executor::block_on;

/// One half of a head file.
const SLOT: usize = 4096;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn head(&self, database: &str) -> PathBuf {
        self.at(&format!("{database}.head"))
    }

    /// The keys with this name, made where there are none.
    fn keys(&self, name: &str) -> Keys {
        let path = self.at(name);
        if path.exists() {
            Keys::open(path).unwrap()
        } else {
            Keys::create(path).unwrap()
        }
    }

    fn try_open(
        &self,
        database: &str,
        keys: Keys,
        choose: impl FnOnce(Opening) -> Opening,
    ) -> Result<Countersign, OpenError> {
        let store = SqliteStore::open_or_create(self.at(database)).unwrap();
        let rules = RuleSet::from_toml(RULES).unwrap();
        let clock = ManualClock::new(common::start());
        let people = StaticDirectory::from_toml(PEOPLE)
            .unwrap()
            .with_clock(clock.clone());
        let opening = Countersign::open(store, keys, rules, people).with_clock(clock);
        block_on(choose(opening).into_future())
    }

    /// Opens a log, adds a few requests, and closes it.
    fn work(&self, database: &str, keys: Keys, choose: impl FnOnce(Opening) -> Opening) -> LogId {
        let countersign = self.try_open(database, keys, choose).unwrap();
        let log = countersign.log();
        (0..3).for_each(|amount| drop(block_on(gate(&countersign).request(pay(amount))).unwrap()));
        block_on(countersign.close());
        log
    }

    /// Puts a closed log in place of another, head file included; what was there has the name `kept` then.
    fn replace(&self, database: &str, by: &str, kept: &str) {
        for (from, to) in [(database, kept), (by, database)] {
            for suffix in ["", "-wal", "-shm", ".head"] {
                let _absent = fs::rename(
                    self.at(&format!("{from}{suffix}")),
                    self.at(&format!("{to}{suffix}")),
                );
            }
        }
    }

    /// Leaves what an interrupted beginning of the log at `of` would have left at `at`.
    fn begin_halfway(&self, at: &str, of: &str) {
        let written = fs::read(self.head(of)).unwrap();
        let text = String::from_utf8_lossy(&written[..SLOT]);
        let log = text.lines().nth(1).unwrap();
        let rest = format!("{log}\n0\n0\n");
        let mut bytes =
            format!("{}\n{rest}", Digest::sha256(rest.as_bytes()).to_hex()).into_bytes();
        bytes.resize(written.len(), 0);
        fs::write(self.head(at), bytes).unwrap();
    }

    /// Every file but those that come and go with a process that has the store open.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(self.0.path(), &mut found);
        found
    }

    /// Tries to open, and looks after it whether anything changed.
    fn refusal(
        &self,
        database: &str,
        keys: Keys,
        choose: impl FnOnce(Opening) -> Opening,
    ) -> OpenError {
        drop(SqliteStore::open_or_create(self.at(database)).unwrap());
        let before = self.files();
        let refusal = self.try_open(database, keys, choose).unwrap_err();
        assert!(before == self.files(), "something changed: {refusal}");
        refusal
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        let passing = ["-wal", "-shm", ".lock", ".run"];
        if passing.iter().any(|suffix| name.ends_with(suffix)) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

fn gate(countersign: &Countersign) -> Gate {
    let session = SessionId::new("session-1").unwrap();
    countersign.gate(bot(), session).unwrap()
}

fn as_it_is(opening: Opening) -> Opening {
    opening
}

fn key(keys: &Keys, role: Role) -> PublicKey {
    keys.signer(role).unwrap().public().clone()
}

/// A stranger's keys, who names all of ours, each with its role, beside his own.
fn naming_ours(stranger: Keys, ours: &Keys) -> Keys {
    ours.public()
        .into_iter()
        .fold(stranger, |keys, (key, roles)| keys.naming(key, roles))
}

#[test]
fn a_strangers_log_that_names_our_keys_is_not_ours() {
    let place = Place::new();
    let ours = place.keys("keys");
    let stranger = naming_ours(place.keys("stranger"), &ours);
    let his = place.work("his", stranger.clone(), as_it_is);
    let check = |refusal: OpenError| {
        assert!(
            matches!(&refusal, OpenError::BegunByStranger { log, key: by } if *log == his && *by == key(&stranger, Role::Operator).id()),
            "{refusal:?}"
        );
        assert!(refusal.to_string().contains("Keys::begun_by"));
    };
    // Where no log of ours was yet, and in the place of one.
    check(place.refusal("his", ours.clone(), as_it_is));
    place.work("log", ours.clone(), as_it_is);
    place.replace("log", "his", "ours");
    check(place.refusal("log", ours.clone(), as_it_is));
    place.replace("log", "ours", "his");
    place.work("log", ours, as_it_is);
}

#[test]
fn a_strangers_log_with_the_id_of_ours_is_not_ours() {
    let place = Place::new();
    let ours = place.keys("keys");
    let log = place.work("log", ours.clone(), as_it_is);
    place.begin_halfway("his", "log");
    let stranger = naming_ours(place.keys("stranger"), &ours);
    assert_eq!(place.work("his", stranger, as_it_is), log);
    place.replace("log", "his", "ours");
    let refusal = place.refusal("log", ours, |opening| opening.expecting(log));
    assert!(
        matches!(refusal, OpenError::BegunByStranger { .. }),
        "{refusal:?}"
    );
}

#[test]
fn a_key_that_the_genesis_merely_names_begins_nothing() {
    let place = Place::new();
    let other = place.keys("other");
    let ours = naming_ours(place.keys("keys"), &other);
    place.work("log", ours.clone(), as_it_is);
    // The other process goes on with our log only once it was told of us, and never begins one for us.
    let refusal = place.refusal("log", other.clone(), as_it_is);
    assert!(
        matches!(refusal, OpenError::BegunByStranger { .. }),
        "{refusal:?}"
    );
    let told = other.clone().begun_by(key(&ours, Role::Gate));
    let told = told.with_value_keys_in(place.at("keys"));
    place.work("log", told, as_it_is);
    place.work("his", naming_ours(other, &ours), as_it_is);
    let refusal = place.refusal("his", ours, as_it_is);
    assert!(
        matches!(refusal, OpenError::BegunByStranger { .. }),
        "{refusal:?}"
    );
}

#[test]
fn a_desk_apart_opens_the_log_of_the_gate_that_it_was_told_of() {
    let place = Place::new();
    let desk_keys = Keys::create_for(place.at("desk"), [Role::Desk, Role::Checkpoint]).unwrap();
    let gate_keys = Keys::create_for(place.at("gate"), [Role::Gate, Role::Checkpoint]).unwrap();
    let began = key(&gate_keys, Role::Gate);
    let gates = place
        .try_open("log", naming_ours(gate_keys, &desk_keys), as_it_is)
        .unwrap();
    assert!(matches!(
        place.try_open("log", desk_keys.clone(), as_it_is),
        Err(OpenError::BegunByStranger { key, .. }) if key == began.id()
    ));
    let desks = place
        .try_open(
            "log",
            desk_keys
                .begun_by(began)
                .with_value_keys_in(place.at("gate")),
            as_it_is,
        )
        .unwrap();
    assert!(matches!(
        gates.desk([]).map(drop),
        Err(NoSuchRole(Role::Desk))
    ));

    let Filing::Waiting(request) = block_on(gate(&gates).request(pay(5))).unwrap() else {
        panic!("it was allowed without people");
    };
    let by_name = ByName::new(ManualClock::new(common::start()));
    let desk = desks
        .desk([Arc::new(by_name) as Arc<dyn Authenticator>])
        .unwrap();
    block_on(async {
        let rita = desk.admit(named("corp", "rita")).await.unwrap();
        let review = desk.open(&rita, request).await.unwrap();
        let _voted = desk.vote(&rita, review.approve()).await.unwrap();
    });
    let permit = block_on(gate(&gates).resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<(), String>(()))).unwrap();
    drop(desk);
    block_on(desks.close());
    block_on(gates.close());
    // The gate began it and needs to be told nothing.
    place.work("log", Keys::open(place.at("gate")).unwrap(), as_it_is);
}

#[test]
fn another_log_of_ours_does_not_take_the_place_of_one() {
    let place = Place::new();
    let log = place.work("log", place.keys("keys"), as_it_is);
    let other = place.work("other", place.keys("keys"), as_it_is);
    place.replace("log", "other", "kept");
    let refusal = place.refusal("log", place.keys("keys"), as_it_is);
    let list = place.at("keys").join("logs");
    assert!(
        matches!(&refusal, OpenError::AnotherLog { expected, found, by: SaidBy::List(file) }
            if (*expected, *found) == (log, other) && *file == list),
        "{refusal:?}"
    );
    place.replace("log", "kept", "other");
    assert_eq!(place.work("log", place.keys("keys"), as_it_is), log);
    // Who gives the log up takes its line out of the list.
    place.replace("log", "other", "kept");
    let lines = fs::read_to_string(&list).unwrap();
    let left: Vec<_> = lines
        .lines()
        .filter(|line| !line.starts_with(&log.to_string()))
        .collect();
    fs::write(&list, left.join("\n")).unwrap();
    assert_eq!(place.work("log", place.keys("keys"), as_it_is), other);
}

#[test]
fn another_beginning_of_our_log_is_not_it() {
    let place = Place::new();
    let log = place.work("log", place.keys("keys"), as_it_is);
    // With a copy of the keys that knows nothing of the log.
    fs::create_dir(place.at("copy")).unwrap();
    for role in Role::ALL {
        let name = format!("{role}.key");
        fs::copy(place.at("keys").join(&name), place.at("copy").join(&name)).unwrap();
    }
    place.begin_halfway("again", "log");
    let again = place.work("again", place.keys("copy"), |opening| {
        opening.with_origin("example.com/again")
    });
    assert_eq!(again, log);
    place.replace("log", "again", "kept");
    let refusal = place.refusal("log", place.keys("keys"), as_it_is);
    assert!(
        matches!(&refusal, OpenError::AnotherBeginning { log: of, .. } if *of == log),
        "{refusal:?}"
    );
}

#[test]
fn a_log_that_was_here_does_not_begin_again() {
    let place = Place::new();
    let log = place.work("log", place.keys("keys"), as_it_is);
    place.replace("log", "nothing", "kept");
    let refusal = place.refusal("log", place.keys("keys"), as_it_is);
    assert!(
        matches!(&refusal, OpenError::LogGone { expected, by: SaidBy::List(_) } if *expected == log),
        "{refusal:?}"
    );
    assert!(!place.head("log").exists());
    let store = SqliteStore::open(place.at("log")).unwrap();
    assert!(block_on(store.head()).unwrap().is_none());
    drop(store);
    place.replace("log", "kept", "empty");
    assert_eq!(place.work("log", place.keys("keys"), as_it_is), log);
}

#[test]
fn a_link_does_not_lead_away_from_the_log_that_was_here() {
    let place = Place::new();
    fs::create_dir(place.at("data")).unwrap();
    let log = place.work("data/log", place.keys("keys"), as_it_is);
    let other = place.work("other", place.keys("keys"), as_it_is);
    // To another log of ours, and to a store where nothing was yet.
    place.replace("data/log", "nothing", "kept");
    symlink(place.at("other"), place.at("data/log")).unwrap();
    let refusal = place.refusal("data/log", place.keys("keys"), as_it_is);
    assert!(
        matches!(&refusal, OpenError::AnotherLog { expected, found, .. } if (*expected, *found) == (log, other)),
        "{refusal:?}"
    );
    drop(SqliteStore::create(place.at("empty")).unwrap());
    fs::remove_file(place.at("data/log")).unwrap();
    symlink(place.at("empty"), place.at("data/log")).unwrap();
    let gone = |refusal: OpenError| {
        assert!(
            matches!(&refusal, OpenError::LogGone { expected, .. } if *expected == log),
            "{refusal:?}"
        );
    };
    gone(place.refusal("data/log", place.keys("keys"), as_it_is));
    // The whole folder.
    fs::remove_file(place.at("data/log")).unwrap();
    place.replace("data/log", "kept", "nothing");
    fs::rename(place.at("data"), place.at("away")).unwrap();
    fs::create_dir(place.at("new")).unwrap();
    symlink(place.at("new"), place.at("data")).unwrap();
    gone(place.refusal("data/log", place.keys("keys"), as_it_is));
    // A link that leads to the log itself is no harm, and all its names share one head file.
    fs::remove_file(place.at("data")).unwrap();
    symlink(place.at("away"), place.at("data")).unwrap();
    assert_eq!(place.work("data/log", place.keys("keys"), as_it_is), log);
    symlink(place.at("data/log"), place.at("alias")).unwrap();
    assert_eq!(place.work("alias", place.keys("keys"), as_it_is), log);
    assert!(!place.head("alias").exists());
}

#[test]
fn no_second_log_begins_with_the_id_of_one_that_is_known() {
    let place = Place::new();
    let log = place.work("log", place.keys("keys"), as_it_is);
    place.begin_halfway("new", "log");
    let refusal = place.refusal("new", place.keys("keys"), as_it_is);
    assert!(
        matches!(&refusal, OpenError::LogGone { expected, .. } if *expected == log),
        "{refusal:?}"
    );
}

#[test]
fn a_host_that_expects_a_log_gets_it_or_none() {
    let place = Place::new();
    let keys = || place.keys("keys");
    let log = place.work("log", keys(), as_it_is);
    let other = place.work("other", keys(), as_it_is);
    let refusal = place.refusal("log", keys(), |opening| opening.expecting(other));
    assert!(
        matches!(&refusal, OpenError::AnotherLog { expected, found, by: SaidBy::Host }
            if (*expected, *found) == (other, log)),
        "{refusal:?}"
    );
    let refusal = place.refusal("new", keys(), |opening| opening.expecting(log));
    assert!(
        matches!(&refusal, OpenError::LogGone { expected, by: SaidBy::Host } if *expected == log),
        "{refusal:?}"
    );
    assert!(!place.head("new").exists());
    // Nothing beside the keys is needed, or made, for a log that is expected.
    let list = place.at("keys").join("logs");
    fs::remove_file(&list).unwrap();
    place.work("log", keys(), |opening| opening.expecting(log));
    assert!(!list.exists());
    // The word of the host goes before the list.
    place.work("log", keys(), as_it_is);
    place.replace("log", "other", "kept");
    place.work("log", keys(), |opening| opening.expecting(other));
}

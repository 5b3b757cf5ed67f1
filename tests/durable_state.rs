//! What was committed stays, and what cannot be read is never taken for nothing.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::ask::{file, is_pending, parameters_of_run, resume_at_once};
use common::filed::Filed;
use common::{PEOPLE, RULES, World, log, pay, read, refused, start};
use countersign::audit::Audit;
use countersign::clock::ManualClock;
use countersign::desk::{Filter, Page};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Cause, Refusal};
use countersign::ledger::{Keys, OpenError};
use countersign::log::{Kind, Role, Seq, TrustedKeys, Verdict};
use countersign::store::{MemoryStore, SqliteStore, StoreError};
use futures::executor::block_on;
use rusqlite::{Connection, params};
use tempfile::TempDir;

/// A log and its keys in one folder, which outlives those who open it.
struct Place {
    folder: TempDir,
    keys: Keys,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = common::keys(&folder);
        Self { folder, keys }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("log.db")
    }

    fn head_file(&self) -> PathBuf {
        self.folder.path().join("log.db.head")
    }

    fn open(&self) -> World {
        self.try_open(&self.database()).unwrap()
    }

    fn try_open(&self, database: &Path) -> Result<World, OpenError> {
        let store = SqliteStore::open_or_create(database)?;
        block_on(World::begin(
            RULES,
            PEOPLE,
            store,
            self.keys.clone(),
            ManualClock::new(start()),
            tempfile::tempdir().unwrap(),
            |opening| opening,
        ))
    }

    #[track_caller]
    fn refusal(&self) -> OpenError {
        match self.try_open(&self.database()) {
            Ok(_) => panic!("it was opened"),
            Err(error) => error,
        }
    }

    fn trusted(&self) -> TrustedKeys {
        self.keys.trusted()
    }

    /// Puts a copy of the closed database in its place.
    fn put_back(&self, bytes: &[u8]) {
        self.remove();
        fs::write(self.database(), bytes).unwrap();
    }

    fn remove(&self) {
        for name in ["log.db", "log.db-wal", "log.db-shm"] {
            // Some are not there.
            fs::remove_file(self.folder.path().join(name)).ok();
        }
    }
}

/// What an audit with the keys, and nothing else, says of a file.
fn verdict(database: &Path, keys: TrustedKeys) -> Verdict {
    let store = match SqliteStore::open_read_only(database) {
        Ok(store) => store,
        Err(error) => {
            return Verdict::CannotVerify {
                why: error.to_string(),
            };
        }
    };
    let mut reader = store.log_reader().unwrap();
    Audit::of(&mut reader).trusting(keys).run().verdict
}

/// Copies files of an open database: by another process, since closing them in this one would drop SQLite's locks.
fn copy_apart(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// Approves and runs one payment.
fn pay_once(world: &World, amount: i64) {
    let request = world.file(pay(amount));
    let _voted = world.approve("rita", request).unwrap();
    parameters_of_run(&world.gate(), request);
}

#[test]
fn hitl_d4_a_torn_write_is_whole_or_absent() {
    let place = Place::new();
    let world = place.open();
    let early_head = place.folder.path().join("early.head");
    fs::copy(place.head_file(), &early_head).unwrap();
    pay_once(&world, 1);
    pay_once(&world, 2);
    let (database, wal) = (
        place.folder.path().join("copy.db"),
        place.folder.path().join("copy.db-wal"),
    );
    copy_apart(&place.database(), &database);
    copy_apart(&place.folder.path().join("log.db-wal"), &wal);
    world.close();
    let store = SqliteStore::open_read_only(place.database()).unwrap();
    let all = log::kinds(&store);
    drop(store);
    let sizes: Vec<usize> = Connection::open(place.database())
        .unwrap()
        .prepare("SELECT size FROM checkpoint")
        .unwrap()
        .query_map([], |row| row.get::<_, i64>(0))
        .unwrap()
        .map(|size| usize::try_from(size.unwrap()).unwrap())
        .collect();
    let written = fs::read(&wal).unwrap();
    assert!(written.len() > 20 * 8192, "{}", written.len());
    let mut lengths = std::collections::BTreeSet::new();
    // At a frame's end, inside its header, inside its page.
    for frame in (0..).map(|number| 32 + number * (24 + 8192)) {
        if frame > written.len() {
            break;
        }
        for cut in [frame, frame + 11, frame + 5000] {
            let cut = cut.min(written.len());
            let torn = tempfile::tempdir().unwrap();
            let path = torn.path().join("log.db");
            fs::copy(&database, &path).unwrap();
            fs::write(torn.path().join("log.db-wal"), &written[..cut]).unwrap();
            fs::copy(&early_head, torn.path().join("log.db.head")).unwrap();
            let store = match SqliteStore::open(&path) {
                Ok(store) => store,
                // Not even the tables are there: it is no store yet, and is not taken for an empty one.
                Err(StoreError::NotAStore(_) | StoreError::Corrupt { .. }) => continue,
                Err(error) => panic!("{cut}: {error:?}"),
            };
            let kinds = log::kinds(&store);
            assert_eq!(kinds, all[..kinds.len()], "cut at {cut}");
            if kinds.is_empty() {
                continue;
            }
            assert!(sizes.contains(&kinds.len()), "half a batch at {cut}");
            log::assert_sound(&store, &place.trusted());
            drop(store);
            if lengths.insert(kinds.len()) {
                // A gate goes on from there.
                let world = place.try_open(&path).unwrap();
                pay_once(&world, 3);
                world.close();
                let verdict = verdict(&path, place.trusted());
                assert!(
                    matches!(verdict, Verdict::IntactUnanchored { .. }),
                    "cut at {cut}: {verdict}"
                );
            }
        }
    }
    assert!(lengths.len() > 4, "{lengths:?}");
}

#[test]
fn a_damaged_record_stops_the_gate() {
    let place = Place::new();
    let world = place.open();
    pay_once(&world, 1);
    let asked = world.file(pay(2));
    world.close();
    let whole = fs::read(place.database()).unwrap();
    let statements: Vec<(i64, Vec<u8>)> = Connection::open(place.database())
        .unwrap()
        .prepare("SELECT seq, statement FROM record")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (seq, statement) in statements {
        let mut damaged = statement.clone();
        damaged[statement.len() / 2] ^= 1;
        Connection::open(place.database())
            .unwrap()
            .execute(
                "UPDATE record SET statement = ?2 WHERE seq = ?1",
                params![seq, damaged],
            )
            .unwrap();
        let refusal = place.refusal();
        assert!(
            matches!(&refusal, OpenError::Broken { seq: at, .. } if *at == seq as u64),
            "{seq}: {refusal:?}"
        );
        match verdict(&place.database(), place.trusted()) {
            Verdict::Broken(broken) => assert_eq!(broken.seq.get(), seq as u64),
            other => panic!("{seq}: {other}"),
        }
        place.put_back(&whole);
    }
    let world = place.open();
    assert!(is_pending(&world.gate(), asked));
    world.close();
}

const FOLDER: &str = "COUNTERSIGN_DURABLE_STATE";
const EACH: usize = 40;

/// Not a test by itself: what the other process of the next test does.
#[test]
fn another_process_appends() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    append_many(Path::new(&folder));
}

fn append_many(folder: &Path) {
    let world = block_on(World::begin(
        RULES,
        PEOPLE,
        SqliteStore::open_or_create(folder.join("log.db")).unwrap(),
        Keys::open(folder.join("keys")).unwrap(),
        ManualClock::new(start()),
        tempfile::tempdir().unwrap(),
        |opening| opening,
    ))
    .unwrap();
    let gate = world.gate();
    for _ in 0..EACH {
        let _done = block_on(gate.run(read(), async |_| Ok::<_, String>(()))).unwrap();
    }
    world.close();
}

#[test]
fn hitl_d5_two_processes_never_fork_the_chain() {
    let place = Place::new();
    let world = place.open();
    pay_once(&world, 1);
    world.close();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["another_process_appends", "--exact"])
        .env(FOLDER, place.folder.path())
        .spawn()
        .unwrap();
    append_many(place.folder.path());
    assert!(other.wait().unwrap().success());
    let store = SqliteStore::open_read_only(place.database()).unwrap();
    log::assert_sound(&store, &place.trusted());
    let kinds = log::kinds(&store);
    for (kind, many) in [(Kind::Genesis, 1), (Kind::Started, 2 * EACH + 1)] {
        let found = kinds.iter().filter(|(one, _)| *one == kind).count();
        assert_eq!(found, many, "{kind:?}");
    }
    drop(store);
    // A second record after the same one is refused by the file itself.
    let forked = Connection::open(place.database()).unwrap().execute(
        "INSERT INTO record SELECT seq, prev, leaf, kind, request, ts, signatures, statement FROM record WHERE seq = 3",
        [],
    );
    assert!(forked.is_err());
}

#[test]
fn hitl_d6_an_older_copy_of_the_store_is_refused() {
    let place = Place::new();
    let world = place.open();
    let used = world.file(pay(5));
    let _voted = world.approve("rita", used).unwrap();
    world.close();
    let older = fs::read(place.database()).unwrap();
    let older_head = fs::read(place.head_file()).unwrap();
    let world = place.open();
    parameters_of_run(&world.gate(), used);
    world.close();
    let newer = fs::read(place.database()).unwrap();
    let newer_head = fs::read(place.head_file()).unwrap();
    // In the older copy the approval is unused. It is not to be had again.
    place.put_back(&older);
    let refusal = place.refusal();
    let OpenError::Rollback { store, outside, .. } = refusal else {
        panic!("{refusal:?}");
    };
    assert!(store < outside);
    assert_eq!(
        fs::read(place.database()).unwrap(),
        older,
        "it is untouched"
    );
    // Nor with no store at all, nor without the head file.
    place.remove();
    let refusal = place.refusal();
    assert!(
        matches!(refusal, OpenError::Rollback { store: 0, .. }),
        "{refusal:?}"
    );
    place.put_back(&older);
    fs::remove_file(place.head_file()).unwrap();
    let refusal = place.refusal();
    assert!(
        matches!(refusal, OpenError::HeadFileMissing { .. }),
        "{refusal:?}"
    );
    // A history that went on otherwise from the older copy, with an older head file.
    fs::write(place.head_file(), &older_head).unwrap();
    let world = place.open();
    for amount in 0..4 {
        world.file(pay(amount));
    }
    world.close();
    fs::write(place.head_file(), &newer_head).unwrap();
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::Fork { .. }), "{refusal:?}");
    // What belongs together opens, and the approval is used.
    place.put_back(&newer);
    let world = place.open();
    let refusal = refused(resume_at_once(&world.gate(), used));
    assert!(matches!(refusal, Refusal::AlreadyTaken), "{refusal:?}");
    world.close();
}

#[test]
fn hitl_d7_an_unreadable_log_is_an_error() {
    for sql in [
        "UPDATE record SET leaf = x'00' WHERE request IS NOT NULL",
        "UPDATE record SET statement = x'00' WHERE request IS NOT NULL",
        "DELETE FROM record WHERE request IS NOT NULL",
        "UPDATE record SET request = NULL WHERE request IS NOT NULL",
        "UPDATE disclosure SET text = '?'",
    ] {
        let filed = Filed::new();
        let asked = filed.world.file(pay(5));
        let rita = filed.world.approver("rita");
        filed.change(sql, []);
        let open = block_on(filed.gate().open_requests());
        assert!(
            matches!(open, Err(Refusal::CouldNotDecide(Cause::LogUnreadable(_)))),
            "{sql}: {open:?}"
        );
        let pending = block_on(filed.world.desk.pending(
            &rita,
            &Filter::default(),
            Page::default(),
        ));
        assert!(pending.is_err(), "{sql}: {pending:?}");
        {
            let refusal = refused(resume_at_once(&filed.gate(), asked));
            assert!(
                matches!(refusal, Refusal::CouldNotDecide(Cause::LogUnreadable(_))),
                "{sql}: {refusal:?}"
            );
            assert!(
                matches!(filed.audit().verdict, Verdict::Broken(_)),
                "{sql}: {}",
                filed.audit()
            );
        }
    }
    // A file that is none is left as it is, and not begun anew.
    let place = Place::new();
    for garbage in [&b"not a database"[..], &[0; 8192], b""] {
        fs::write(place.database(), garbage).unwrap();
        let opened = SqliteStore::open(place.database());
        assert!(opened.is_err(), "{} bytes", garbage.len());
        assert_eq!(fs::read(place.database()).unwrap(), garbage);
        let verdict = verdict(&place.database(), place.trusted());
        assert_eq!(verdict.exit_code(), 2, "{verdict}");
    }
    // A log of nothing is not a log in which nothing is wrong.
    let report = Audit::of(&mut MemoryStore::new().log_reader())
        .trusting(place.trusted())
        .run();
    assert_eq!(report.exit_code(), 2, "{report}");
}

#[test]
fn hoop_t12_a_second_run_cannot_replace_evidence() {
    let filed = Filed::new();
    let gate = filed.gate();
    let request = filed.world.file(pay(5));
    let _voted = filed.world.approve("rita", request).unwrap();
    let twice = (block_on(gate.resume(request)).unwrap(), filed.world.gate());
    let done = block_on(twice.0.run(async |_| Ok::<_, String>(()))).unwrap();
    let receipt = done.receipt().unwrap().clone();
    let seq = receipt.record.seq;
    let evidence = log::kinds(filed.store.as_ref());
    let statement = filed.record(request, Kind::Started);
    // Running it again, from here and from elsewhere, later and by another process.
    for gate in [&gate, &twice.1] {
        let refusal = refused(resume_at_once(gate, request));
        assert!(matches!(refusal, Refusal::AlreadyTaken), "{refusal:?}");
        assert!(block_on(gate.withdraw(request)).is_err());
    }
    filed.world.clock.advance(Duration::from_secs(24 * 3600));
    let filed = filed.reopened();
    let refusal = refused(resume_at_once(&filed.gate(), request));
    assert!(matches!(refusal, Refusal::AlreadyTaken), "{refusal:?}");
    // The same action once more is another request with records of its own.
    let again = file(&filed.gate(), pay(5));
    assert_ne!(again, request);
    let _voted = filed.world.approve("sam", again).unwrap();
    parameters_of_run(&filed.gate(), again);
    let now = log::kinds(filed.store.as_ref());
    assert_eq!(now[..evidence.len()], evidence[..]);
    let same = filed.record(request, Kind::Started);
    assert_eq!(
        (same.seq, same.statement, same.signatures),
        (statement.seq, statement.statement, statement.signatures)
    );
    let kept = block_on(filed.world.countersign.receipt(Seq::new(seq.get()))).unwrap();
    assert_eq!(kept.record, receipt.record);
    assert!(kept.verify_with_keys(&filed.world.keys.trusted()).is_ok());
    assert!(
        receipt
            .verify_with_keys(&filed.world.keys.trusted())
            .is_ok()
    );
    filed.assert_sound("two runs");
}

#[test]
fn keys_that_were_forgotten_do_not_go_on_with_a_log() {
    let mut place = Place {
        keys: Keys::ephemeral().unwrap(),
        ..Place::new()
    };
    let world = place.open();
    let request = world.file(pay(5));
    assert!(is_pending(&world.gate(), request));
    world.close();
    place.keys = Keys::ephemeral().unwrap();
    let refusal = place.refusal();
    assert!(
        matches!(refusal, OpenError::ForeignKey { .. }),
        "{refusal:?}"
    );
}

#[test]
fn keys_without_the_one_for_checkpoints_are_refused_by_name() {
    let mut place = Place::new();
    place.open().close();
    place.keys = place.keys.clone().without(Role::Checkpoint);
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::NoCheckpointKey), "{refusal:?}");
}

//! What a witness says against a log outlasts the process, and stops it as far as it is proved.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod fake_witness;
mod watched;

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::{PEOPLE, RULES, World, read, refused, start};
use countersign::SqliteStore;
use countersign::approval::Mishap;
use countersign::canonical::Digest;
use countersign::clock::ManualClock;
use countersign::gate::{ApprovalGate, ApprovalGateExt, Cause, Refusal};
use countersign::ledger::{Keys, Lost, OpenError, Recovery, RecoveryError};
use countersign::log::{Checkpoint, Role, SecretKey, Signer};
use countersign::witness::{Alarm, Evidence, Sign};
use fake_witness::{FakeWitness, Mood, Wire};
use futures::executor::block_on;
use watched::{
    ORIGIN, apart, fresh_keys, hear, process_by, size, until, watched, witnesses_of, work,
};

/// A machine with one database, and a witness elsewhere.
struct Machine {
    folder: tempfile::TempDir,
    keys: Keys,
    witnesses: Vec<Arc<FakeWitness>>,
}

/// A process on it.
struct Process {
    world: World,
    stored: mpsc::Receiver<u64>,
    store: Arc<SqliteStore>,
}

/// All that the machine remembers of the log, its keys aside.
type Files = [Vec<u8>; 2];

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = fresh_keys(folder.path());
        let witnesses = witnesses_of(&keys, 1);
        Self {
            folder,
            keys,
            witnesses,
        }
    }

    fn paths(&self) -> [PathBuf; 2] {
        ["log.db", "log.db.head"].map(|name| self.folder.path().join(name))
    }

    fn start(&self, rules: &str) -> Process {
        let store = Arc::new(SqliteStore::open_or_create(&self.paths()[0]).unwrap());
        let wire = Wire(self.witnesses.clone());
        let shared = Arc::clone(&store);
        let (world, stored) = process_by(rules, shared, &self.keys, &self.witnesses, wire);
        Process {
            world,
            stored,
            store,
        }
    }

    fn refused(&self) -> OpenError {
        let store = SqliteStore::open_or_create(&self.paths()[0]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(start());
        let keys = self.keys.clone();
        // Whether or not witnesses are asked this time.
        let begun = World::begin(RULES, PEOPLE, store, keys, clock, folder, |opening| {
            opening.with_origin(ORIGIN)
        });
        block_on(begun).map(drop).unwrap_err()
    }

    /// A process that does some work, of which the witness knows.
    fn known_work(&self) -> u64 {
        let process = self.start(RULES);
        work(&process.world);
        let size = size(&process.store);
        until(&process.world, &process.stored, size, 1);
        process.end();
        size
    }

    fn files(&self) -> Files {
        self.paths().map(|path| std::fs::read(path).unwrap())
    }

    fn put_back(&self, files: &Files) {
        for (path, bytes) in self.paths().iter().zip(files) {
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// The alarms that are kept.
    fn kept(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("keys")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut kept: Vec<PathBuf> = paths
            .filter(|path| path.to_str().unwrap().ends_with(".alarm"))
            .collect();
        kept.sort();
        kept
    }
}

impl Process {
    fn alarm(&self) -> Arc<Alarm> {
        loop {
            if let Some(alarm) = self.world.countersign.witness_alarms().pop() {
                return alarm;
            }
            std::thread::yield_now();
        }
    }

    fn refuses(&self) -> Refusal {
        refused(block_on(self.world.gate().guard(read())))
    }

    fn end(self) {
        self.world.close();
        // What runs in the background may hold the store for a moment longer.
        while Arc::strong_count(&self.store) > 1 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_machine_that_was_set_back_as_a_whole_is_noticed_by_its_witness() {
    let machine = Machine::new();
    machine.known_work();
    let older = machine.files();
    let known = machine.known_work();
    let newer = machine.files();
    machine.put_back(&older);

    let process = machine.start(RULES);
    let alarm = process.alarm();
    assert_eq!(alarm.sign, Sign::Rollback { size: known });
    assert!(matches!(alarm.evidence, Evidence::Ahead(_)));
    // Nothing is added to it, and the witness is not asked again.
    machine.witnesses[0].asked();
    let before = size(&process.store);
    let said = process.refuses().to_string();
    assert!(said.contains("rolled back"), "{said}");
    process.world.clock.advance(Duration::from_secs(3600));
    process.end();
    assert!(machine.witnesses[0].asked().is_empty());

    // The next one knows it without asking.
    let error = machine.refused();
    let OpenError::Contradicted {
        size: about,
        evidence,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*about, vec![evidence.clone()]), (known, machine.kept()));
    let store = SqliteStore::open_or_create(&machine.paths()[0]).unwrap();
    assert_eq!(size(&store), before);
    drop(store);
    // What was missing comes back, and with it everything is in order.
    machine.put_back(&newer);
    let process = machine.start(RULES);
    work(&process.world);
    let size = size(&process.store);
    until(&process.world, &process.stored, size, 1);
    assert!(process.world.countersign.witness_alarms().is_empty());
    process.end();
}

#[test]
fn a_fork_that_keys_of_the_log_signed_is_never_opened_again() {
    let machine = Machine::new();
    machine.known_work();
    let older = machine.files();
    let known = machine.known_work();
    let newer = machine.files();
    machine.put_back(&older);
    // Another history of the same keys, longer than the one that the witness knows.
    machine.witnesses[0].feels(Mood::Away);
    let process = machine.start(RULES);
    while size(&process.store) <= known {
        work(&process.world);
    }
    process.end();
    machine.witnesses[0].feels(Mood::Honest);
    let process = machine.start(RULES);
    let alarm = process.alarm();
    let Evidence::Fork(fork) = &alarm.evidence else {
        panic!("{alarm}");
    };
    let said = process.refuses().to_string();
    assert!(said.contains("forked"), "{said}");
    let shown = fork.verify(&machine.keys.trusted()).unwrap();
    assert_eq!(shown.size, known);
    process.end();

    let [kept] = machine.kept().try_into().unwrap();
    let bytes = std::fs::read(&kept).unwrap();
    assert_eq!(Alarm::parse(&bytes).as_ref(), Some(&*alarm));
    // Neither history is gone on with, until somebody has looked.
    let forked = machine.files();
    for files in [&forked, &newer] {
        machine.put_back(files);
        let error = machine.refused();
        assert!(
            matches!(&error, OpenError::Contradicted { size, evidence } if *size == known && *evidence == kept),
            "{error}"
        );
    }
    // Nothing writes over it, and a recovery knows of it.
    assert_eq!(std::fs::read(&kept).unwrap(), bytes);
    machine.put_back(&forked);
    let database = &machine.paths()[0];
    let store = SqliteStore::open_or_create(database).unwrap();
    let mut reader = store.log_reader().unwrap();
    let lost = Lost {
        reader: Some(&mut reader),
        database,
        head_file: None,
        kept: &[],
    };
    let recovery = Recovery::examine(lost, &machine.keys, &mut |_| {}).unwrap();
    assert_eq!(recovery.after(), Mishap::Fork);
    assert_eq!(recovery.attested().map(|head| head.size), Some(known));
    // What shows nothing stops nothing: here the evidence is by keys that the log does not have.
    let other = Machine::new();
    other.known_work();
    let log = |kept: &PathBuf| kept.file_name().unwrap().to_str().unwrap()[..36].to_owned();
    let theirs = {
        let process = other.start(RULES);
        let log = process.world.countersign.log().to_string();
        process.end();
        log
    };
    let name = kept.file_name().unwrap().to_str().unwrap();
    let name = name.replace(&log(&kept), &theirs);
    std::fs::write(other.folder.path().join("keys").join(name), &bytes).unwrap();
    let process = other.start(RULES);
    work(&process.world);
    assert_eq!(process.world.countersign.witness_alarms().len(), 1);
    process.end();
}

#[test]
fn the_word_of_a_witness_stops_only_what_has_to_be_witnessed() {
    let machine = Machine::new();
    machine.known_work();
    machine.witnesses[0].feels(Mood::Says(422, Vec::new()));
    let process = machine.start(RULES);
    let alarm = process.alarm();
    assert_eq!(alarm.evidence, Evidence::Word);
    work(&process.world);
    process.end();

    // The next process knows of it, though the witness has come to its senses.
    machine.witnesses[0].feels(Mood::Honest);
    let process = machine.start(&watched());
    assert_eq!(process.world.countersign.witness_alarms(), [alarm]);
    let gate = process.world.gate();
    let run = apart(async move { gate.run(read(), async |_| Ok(())).await });
    let refusal = hear(&process.world.clock, &run).unwrap_err();
    assert!(matches!(
        refusal,
        Refusal::CouldNotDecide(Cause::WitnessContradicts)
    ));
    process.end();
    // Somebody has looked into it.
    let [kept] = machine.kept().try_into().unwrap();
    std::fs::remove_file(kept).unwrap();
    let process = machine.start(&watched());
    let gate = process.world.gate();
    let run = apart(async move { gate.run(read(), async |_| Ok(())).await });
    hear(&process.world.clock, &run).unwrap();
    process.end();
}

#[test]
fn a_key_that_went_says_nothing_new_about_the_log() {
    let mut machine = Machine::new();
    // Nobody else is asked here.
    machine.witnesses.clear();
    let process = machine.start(RULES);
    work(&process.world);
    let countersign = &process.world.countersign;
    let log = countersign.log();
    let key = |role| Arc::clone(machine.keys.signer(role).unwrap());
    let (old, operator) = (key(Role::Checkpoint), key(Role::Operator));
    let new: Arc<dyn Signer> = Arc::new(SecretKey::generate().unwrap());
    let operator = countersign.operator(operator).unwrap();
    block_on(operator.rotate_key(Arc::clone(&old), Arc::clone(&new))).unwrap();
    work(&process.world);
    drop(operator);
    process.end();
    machine.keys = machine.keys.clone().with_signer(Role::Checkpoint, new);

    // Whoever stole it signs a longer log, and leaves that where alarms are kept.
    let ahead = Checkpoint {
        origin: watched::origin(),
        size: 999,
        root: Digest::sha256(b"nothing"),
    };
    let note = ahead.sign(old.as_ref()).unwrap();
    let alarm = Alarm {
        witness: "w0".to_owned(),
        sign: Sign::Rollback { size: 999 },
        own: note.clone(),
        evidence: Evidence::Ahead(note.clone()),
    };
    let path = machine.folder.path().join(format!("{log}-x-ahead.alarm"));
    std::fs::write(path, alarm.to_bytes()).unwrap();
    let recovery = |kept: &[Vec<u8>]| {
        let store = SqliteStore::open_read_only(&machine.paths()[0]).unwrap();
        let mut reader = store.log_reader().unwrap();
        let lost = Lost {
            reader: Some(&mut reader),
            database: &machine.paths()[0],
            head_file: None,
            kept,
        };
        Recovery::examine(lost, &machine.keys, &mut |_| {}).unwrap_err()
    };
    let nothing = recovery(&[]);
    assert!(
        matches!(nothing, RecoveryError::NothingLost { .. }),
        "{nothing}"
    );
    let none = recovery(&[note]);
    assert!(
        matches!(none, RecoveryError::Checkpoint { number: 1, .. }),
        "{none}"
    );
    // It stands as an alarm, and stops nothing.
    let process = machine.start(RULES);
    assert_eq!(process.world.countersign.witness_alarms().len(), 1);
    work(&process.world);
    process.end();
}

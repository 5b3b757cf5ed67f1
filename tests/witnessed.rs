//! A running library whose log is watched by witnesses: every commit is shown to them, and nothing waits for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod fake_witness;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use common::{PEOPLE, RULES, World, pay, read, start};
use countersign::audit::Audit;
use countersign::clock::{Bell, ManualClock};
use countersign::gate::{ApprovalGate, ApprovalGateExt};
use countersign::ledger::Keys;
use countersign::log::{Head, Origin, Role, Seq, StoredRecord, Verdict, Window, WitnessPolicy};
use countersign::store::{
    Chore, Committed, Found, Guarantees, MemoryStore, Query, Step, Store, StoreError, Tended,
};
#[cfg(feature = "sqlite")]
use countersign::witness::{Evidence, Sign};
use countersign::witness::{Request, Response, Transport, TransportError};
use fake_witness::{FakeWitness, Mood, Wire, all_of};
use futures::executor::block_on;

const ORIGIN: &str = "example.com/watched";

/// Tells of every cosignature once it is stored, by the size of its checkpoint.
#[derive(Debug)]
struct Telling<S>(S, Mutex<mpsc::Sender<u64>>);

#[async_trait]
impl<S: Store> Store for Telling<S> {
    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.0.head().await
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        self.0.append(step).await
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        self.0.read(from, limit).await
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.0.find(query).await
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        let size = match &chore {
            Chore::AddSignatures { size, .. } => Some(*size),
            _ => None,
        };
        let tended = self.0.tend(chore).await?;
        if let (Some(size), Tended::Done) = (size, &tended) {
            let _nobody_listens = self.1.lock().unwrap().send(size);
        }
        Ok(tended)
    }
    fn on_commit(&self, bell: Bell) {
        self.0.on_commit(bell);
    }
}

fn witnesses_of(keys: &Keys, many: u8) -> Vec<Arc<FakeWitness>> {
    let origin = Origin::new(ORIGIN).unwrap();
    let trusted = keys.trusted();
    let known: Vec<_> = trusted
        .iter()
        .filter(|(_, roles)| roles.contains(&Role::Checkpoint))
        .map(|(key, _)| (origin.clone(), key.key().clone()))
        .collect();
    (0..many)
        .map(|number| FakeWitness::new(number, &known))
        .collect()
}

fn policy_of(witnesses: &[Arc<FakeWitness>]) -> WitnessPolicy {
    WitnessPolicy::parse(all_of(witnesses).as_bytes()).unwrap()
}

/// A process on this store that tells when something was cosigned.
fn process(
    store: impl Store,
    keys: &Keys,
    witnesses: &[Arc<FakeWitness>],
    transport: impl Transport,
) -> (World, mpsc::Receiver<u64>) {
    let (told, stored) = mpsc::channel();
    let choose = |opening: countersign::host::Opening| {
        opening
            .with_origin(ORIGIN)
            .with_witnesses(policy_of(witnesses), transport)
    };
    let world = World::open(
        RULES,
        PEOPLE,
        Telling(store, Mutex::new(told)),
        keys.clone(),
        ManualClock::new(start()),
        tempfile::tempdir().unwrap(),
        choose,
    );
    (world, stored)
}

fn work(world: &World) {
    let _done = block_on(world.gate().run(read(), async |_| Ok::<_, String>(()))).unwrap();
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<_, String>(()))).unwrap();
}

/// Lets time pass until `many` witnesses have cosigned a log of this size.
fn until(world: &World, stored: &mpsc::Receiver<u64>, size: u64, many: usize) {
    let mut there = 0;
    while there < many {
        match stored.recv_timeout(Duration::from_millis(5)) {
            Ok(cosigned) => there += usize::from(cosigned == size),
            Err(_) => world.clock.advance(Duration::from_secs(2)),
        }
    }
}

fn size(store: &impl Store) -> u64 {
    block_on(store.head()).unwrap().unwrap().size
}

fn fresh_keys(folder: &Path) -> Keys {
    Keys::create(folder.join("keys")).unwrap()
}

#[test]
fn commits_are_cosigned_and_the_log_is_anchored_by_what_lies_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 2);
    let store = Arc::new(MemoryStore::new());
    let (world, stored) = process(
        Arc::clone(&store),
        &keys,
        &witnesses,
        Wire(witnesses.clone()),
    );
    for _ in 0..3 {
        work(&world);
        until(&world, &stored, size(&store), 2);
        let report = Audit::of(&mut store.log_reader())
            .trusting(keys.trusted())
            .witnessed_by(policy_of(&witnesses), Window::ALWAYS)
            .run();
        let size = size(&store);
        assert_eq!(report.verdict, Verdict::IntactAnchored { size });
    }
    assert!(world.countersign.witness_alarms().is_empty());
    // No witness was asked for every commit: time had to pass in between.
    assert!((witnesses[0].asked().len() as u64) < size(&store));
    world.close();
}

/// Panics.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl Transport for Broken {
    async fn exchange(&self, _: Request) -> Result<Response, TransportError> {
        panic!("out of order")
    }
}

#[test]
fn nothing_waits_for_a_witness() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 1);
    for mood in [Mood::Silent, Mood::Away, Mood::Says(500, Vec::new())] {
        witnesses[0].feels(mood);
        let wire = Wire(witnesses.clone());
        let (world, _stored) = process(MemoryStore::new(), &keys, &witnesses, wire);
        work(&world);
        world.close();
    }
    let (world, _stored) = process(MemoryStore::new(), &keys, &witnesses, Broken);
    work(&world);
    world.close();
}

#[test]
fn a_witness_that_failed_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 2);
    witnesses[0].feels(Mood::Away);
    let store = Arc::new(MemoryStore::new());
    let wire = Wire(witnesses.clone());
    let (world, stored) = process(Arc::clone(&store), &keys, &witnesses, wire);
    work(&world);
    // The other one is not kept.
    until(&world, &stored, size(&store), 1);
    let origin = Origin::new(ORIGIN).unwrap();
    assert_eq!(witnesses[1].holds(&origin), size(&store));
    assert_eq!(witnesses[0].holds(&origin), 0);
    witnesses[0].feels(Mood::Honest);
    until(&world, &stored, size(&store), 1);
    assert_eq!(witnesses[0].holds(&origin), size(&store));
    world.close();
}

#[cfg(feature = "sqlite")]
#[test]
fn a_machine_that_was_set_back_as_a_whole_is_noticed_by_its_witness() {
    use countersign::SqliteStore;

    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 1);
    let database = folder.path().join("log.db");
    // What runs in the background may hold the store for a moment longer.
    let end = |world: World, store: Arc<SqliteStore>| {
        world.close();
        while Arc::strong_count(&store) > 1 {
            std::thread::yield_now();
        }
    };
    let live = || {
        let store = Arc::new(SqliteStore::open_or_create(&database).unwrap());
        let wire = Wire(witnesses.clone());
        let (world, stored) = process(Arc::clone(&store), &keys, &witnesses, wire);
        (world, stored, store)
    };
    let (world, stored, store) = live();
    work(&world);
    until(&world, &stored, size(&store), 1);
    end(world, store);
    // The database with its head file, so that nothing on this machine remembers what comes after.
    let files = ["log.db", "log.db.head"];
    let copies = files.map(|name| std::fs::read(folder.path().join(name)).unwrap());
    let (world, stored, store) = live();
    work(&world);
    until(&world, &stored, size(&store), 1);
    let known = size(&store);
    end(world, store);
    for (name, copy) in files.iter().zip(&copies) {
        std::fs::write(folder.path().join(name), copy).unwrap();
    }

    let (world, _stored, store) = live();
    while world.countersign.witness_alarms().is_empty() {
        std::thread::yield_now();
    }
    let [alarm] = world.countersign.witness_alarms().try_into().unwrap();
    assert_eq!(alarm.sign, Sign::Rollback { size: known });
    assert!(matches!(alarm.evidence, Evidence::Ahead(_)));
    // It is not asked again, whatever is written.
    witnesses[0].asked();
    work(&world);
    world.clock.advance(Duration::from_secs(3600));
    end(world, store);
    assert!(witnesses[0].asked().is_empty());
}

//! A process whose log is watched by witnesses that do not run anywhere.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each file of tests uses a part of it"
)]

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use countersign::clock::{Bell, ManualClock};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Executed, Refusal, RunError};
use countersign::host::Opening;
use countersign::ledger::Keys;
use countersign::log::{Head, Origin, Role, Seq, StoredRecord, WitnessPolicy};
use countersign::store::{
    Chore, Committed, Found, Guarantees, MemoryStore, Query, Step, Store, StoreError, Tended,
};
use countersign::witness::Transport;
use futures::executor::block_on;

use crate::common::{PEOPLE, RULES, World, pay, read, start};
use crate::fake_witness::{FakeWitness, Wire, all_of};

pub const ORIGIN: &str = "example.com/watched";

/// Tells of every cosignature once it is stored, by the size of its checkpoint.
#[derive(Debug)]
pub struct Telling<S>(pub S, pub Mutex<mpsc::Sender<u64>>);

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

pub fn witnesses_of(keys: &Keys, many: u8) -> Vec<Arc<FakeWitness>> {
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

pub fn policy_of(witnesses: &[Arc<FakeWitness>]) -> WitnessPolicy {
    WitnessPolicy::parse(all_of(witnesses).as_bytes()).unwrap()
}

/// A process on this store that tells when something was cosigned.
pub fn process(
    store: impl Store,
    keys: &Keys,
    witnesses: &[Arc<FakeWitness>],
    transport: impl Transport,
) -> (World, mpsc::Receiver<u64>) {
    process_by(RULES, store, keys, witnesses, transport)
}

pub fn process_by(
    rules: &str,
    store: impl Store,
    keys: &Keys,
    witnesses: &[Arc<FakeWitness>],
    transport: impl Transport,
) -> (World, mpsc::Receiver<u64>) {
    let (told, stored) = mpsc::channel();
    let choose = |opening: Opening| {
        // A thread that is late must not find its permit void: here time passes fast.
        let opening = opening
            .with_origin(ORIGIN)
            .with_permit_lifetime(Duration::from_secs(3600));
        match witnesses {
            [] => opening,
            some => opening.with_witnesses(policy_of(some), transport),
        }
    };
    let world = World::open(
        rules,
        PEOPLE,
        Telling(store, Mutex::new(told)),
        keys.clone(),
        ManualClock::new(start()),
        tempfile::tempdir().unwrap(),
        choose,
    );
    (world, stored)
}

pub fn work(world: &World) {
    let _done = block_on(world.gate().run(read(), async |_| Ok::<_, String>(()))).unwrap();
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<_, String>(()))).unwrap();
}

/// Lets time pass until `many` witnesses have cosigned a log of this size.
pub fn until(world: &World, stored: &mpsc::Receiver<u64>, size: u64, many: usize) {
    let mut there = 0;
    while there < many {
        match stored.recv_timeout(Duration::from_millis(5)) {
            Ok(cosigned) => there += usize::from(cosigned == size),
            Err(_) => world.clock.advance(Duration::from_secs(2)),
        }
    }
}

pub fn size(store: &impl Store) -> u64 {
    block_on(store.head()).unwrap().unwrap().size
}

pub fn fresh_keys(folder: &Path) -> Keys {
    Keys::create(folder.join("keys")).unwrap()
}

/// [`RULES`], where witnesses have to know before something is read, and before something is paid.
pub fn watched() -> String {
    let rules = RULES.replace(
        "[approvals.one]",
        "[[rules]]\nid = \"watched\"\neffect = \"witness\"\nwhen = { action = \"db.read\" }\n[approvals.one]\nwitnessed = true",
    );
    assert_ne!(rules, RULES);
    rules
}

pub fn watched_by(
    store: &Arc<MemoryStore>,
    keys: &Keys,
    witnesses: &[Arc<FakeWitness>],
) -> (World, mpsc::Receiver<u64>) {
    let transport = Wire(witnesses.to_vec());
    process_by(&watched(), Arc::clone(store), keys, witnesses, transport)
}

/// Runs on a thread of its own, so that it may wait; says what came of it.
pub fn apart<T: Send + 'static>(
    run: impl Future<Output = Result<Executed<T>, RunError<String>>> + Send + 'static,
) -> mpsc::Receiver<Result<T, Refusal>> {
    let (said, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let answer = match block_on(run) {
            Ok(executed) => Ok(executed.into_value()),
            Err(RunError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        };
        let _nobody_waits = said.send(answer);
    });
    answer
}

/// Lets time pass until something is told, but not so much that a request is over.
pub fn hear<T>(clock: &ManualClock, told: &mpsc::Receiver<T>) -> T {
    let mut left = 100;
    loop {
        match told.recv_timeout(Duration::from_millis(5)) {
            Ok(answer) => return answer,
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("nobody will tell"),
            Err(mpsc::RecvTimeoutError::Timeout) if left == 0 => {}
            Err(mpsc::RecvTimeoutError::Timeout) => {
                left -= 1;
                clock.advance(Duration::from_secs(2));
            }
        }
    }
}

pub fn origin() -> Origin {
    Origin::new(ORIGIN).unwrap()
}

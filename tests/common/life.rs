//! One approved action from its filing to its end, in a process that may be cut off at any point.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign::clock::ManualClock;
use countersign::gate::ApprovalGate;
use countersign::ledger::Keys;
use countersign::store::Store;
use futures::executor::block_on;

use super::aftermath::{Effect, vote};
use super::{PEOPLE, RULES, World, pay, start};

/// An effect that appends a byte to a file.
pub struct Appends(pub PathBuf);

impl Effect for Appends {
    fn happen(&self) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.0)
            .unwrap();
        file.write_all(b"!").unwrap();
    }

    fn happened(&self) -> usize {
        std::fs::read(&self.0).map_or(0, |bytes| bytes.len())
    }
}

pub fn database(folder: &Path) -> PathBuf {
    folder.join("log.db")
}

pub fn effect(folder: &Path) -> Appends {
    Appends(folder.join("effect"))
}

/// The keys of the folder, made where there are none.
pub fn keys(folder: &Path) -> Keys {
    let path = folder.join("keys");
    if path.exists() {
        Keys::open(path).unwrap()
    } else {
        Keys::create(path).unwrap()
    }
}

pub fn open(folder: &Path, store: impl Store) -> World {
    World::open(
        RULES,
        PEOPLE,
        store,
        keys(folder),
        ManualClock::new(start()),
        tempfile::tempdir_in(folder).unwrap(),
        |opening| opening,
    )
}

/// Lives on this store; `pause` is called inside the effect, before and after what it does.
pub fn live(folder: &Path, store: Arc<dyn Store>, pause: impl Fn(&str) + Sync) {
    let world = open(folder, store);
    let request = world.file(pay(5));
    // Long enough for the head file to be brought up to date.
    let later = || {
        world.clock.advance(Duration::from_secs(2));
        world.clock.settled(1);
    };
    later();
    let _voted = block_on(vote(&world, request)).unwrap();
    later();
    let effect = effect(folder);
    let permit = block_on(world.gate().resume(request)).unwrap();
    let done = permit.run(async |_| {
        pause("in the effect");
        effect.happen();
        pause("after the effect");
        Ok::<(), String>(())
    });
    let _done = block_on(done).unwrap();
    later();
    world.close();
}

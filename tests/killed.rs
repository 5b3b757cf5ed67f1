//! Nothing runs unrecorded: a process that is killed before and after every call of its store, and inside its effect.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::aftermath::{Effect, inspect};
use common::child::{self, Process};
use common::{life, start};
use countersign::clock::Bell;
use countersign::log::{Head, Seq, StoredRecord};
use countersign::store::{
    Chore, Committed, Found, Guarantees, Query, SqliteStore, Step, Store, StoreError, Tended,
};

/// One pause at a time, over all threads.
static PAUSE: Mutex<()> = Mutex::new(());

/// Says where this process is, and waits to be let on, or killed.
fn pause(place: &str) {
    let _one = PAUSE.lock().unwrap();
    child::say(&format!("at {place}"));
    child::wait_for_nod();
}

/// Pauses before and after every call.
#[derive(Debug)]
struct Pausing(SqliteStore);

#[async_trait]
impl Store for Pausing {
    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        pause("head");
        let answer = self.0.head().await;
        pause("head done");
        answer
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        pause("append");
        let answer = self.0.append(step).await;
        pause("append done");
        answer
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        pause("read");
        let answer = self.0.read(from, limit).await;
        pause("read done");
        answer
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        pause("find");
        let answer = self.0.find(query).await;
        pause("find done");
        answer
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        pause("tend");
        let answer = self.0.tend(chore).await;
        pause("tend done");
        answer
    }
    fn on_commit(&self, bell: Bell) {
        self.0.on_commit(bell);
    }
}

/// Not a test by itself: what the other processes do.
#[test]
fn in_another_process() {
    let Some((_task, folder)) = child::task() else {
        return;
    };
    let store = SqliteStore::open_or_create(life::database(&folder)).unwrap();
    life::live(&folder, Arc::new(Pausing(store)), pause);
    child::say("over");
}

/// Kills a process at its `point`-th pause; the place, or `None` if it came to its end before.
fn kill_at(folder: &Path, point: usize) -> Option<String> {
    let mut process = Process::start("live", folder);
    for _ in 1..point {
        process.next("at")?;
        process.nod();
    }
    let place = process.next("at")?;
    process.kill();
    Some(place)
}

#[test]
fn a_process_killed_at_any_call_leaves_nothing_unrecorded_and_nothing_to_run_twice() {
    let mut places = Vec::new();
    // Calls of the background move the points a little from one life to the next, so neighbours overlap and nothing is left out.
    for point in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let Some(place) = kill_at(folder.path(), point) else {
            break;
        };
        let story = format!("killed at pause {point}, {place}");
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_or_create(life::database(folder.path())).unwrap());
        let effect = life::effect(folder.path());
        inspect(&store, life::keys(folder.path()), start(), &effect, &story);
        places.push((place, effect.happened()));
    }
    assert!(places.len() > 60, "{places:?}");
    for place in ["append", "append done", "in the effect", "after the effect"] {
        assert!(
            places.iter().any(|(at, _)| at == place),
            "never killed at `{place}`"
        );
    }
}

//! Nothing runs unrecorded: a process that is killed before and after every call of its store, and inside its effect.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::aftermath::inspect;
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

/// Kills a process when it comes to a place for the `time`-th time; whether it came there.
fn kill_at(folder: &Path, place: &str, time: usize) -> bool {
    let mut process = Process::start("live", folder);
    let mut times = 0;
    while let Some(at) = process.next("at") {
        times += usize::from(at == place);
        if times == time {
            process.kill();
            return true;
        }
        process.nod();
    }
    false
}

#[test]
fn a_process_killed_at_any_call_leaves_nothing_unrecorded_and_nothing_to_run_twice() {
    let calls = ["head", "append", "read", "find", "tend"];
    let done = calls.map(|call| format!("{call} done"));
    let effect = ["in the effect", "after the effect"];
    let mut points = 0;
    for place in calls
        .into_iter()
        .chain(effect)
        .chain(done.iter().map(String::as_str))
    {
        for time in 1.. {
            let folder = tempfile::tempdir().unwrap();
            if !kill_at(folder.path(), place, time) {
                assert!(time > 1, "it never came to `{place}`");
                break;
            }
            points += 1;
            let store = SqliteStore::open_or_create(life::database(folder.path())).unwrap();
            let store: Arc<dyn Store> = Arc::new(store);
            let (effect, keys) = (life::effect(folder.path()), life::keys(folder.path()));
            let story = format!("killed at `{place}` for the {time}. time");
            inspect(&store, keys, start(), &effect, &story);
        }
    }
    assert!(points > 60, "{points}");
}

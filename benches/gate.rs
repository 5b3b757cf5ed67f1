//! A guarded call alone, against bare SQLite and one signature: `cargo bench --bench gate`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Bare, Recording, median, micros, synced, timed};
use countersign::action::{Action, ActorChain, Principal, SessionId};
use countersign::gate::{ApprovalGate, ApprovalGateExt};
use countersign::host::Countersign;
use countersign::identity::StaticDirectory;
use countersign::ledger::Keys;
use countersign::log::{SecretKey, Signer};
use countersign::policy::RuleSet;
use countersign::store::SqliteStore;
use futures::executor::block_on;

const ROUNDS: usize = 9;
const CALLS: usize = 150;

fn action(n: usize) -> Action {
    Action::named("db.read")
        .parameter("table", "customers")
        .parameter("columns", "id, name, city")
        .parameter("limit", 100 + i64::try_from(n).unwrap())
        .build()
        .unwrap()
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let batches = Arc::new(Mutex::new(Vec::new()));
    let recording = Arc::new(AtomicBool::new(false));
    let store = Recording {
        inner: SqliteStore::create(folder.path().join("log.db")).unwrap(),
        batches: Arc::clone(&batches),
        on: Arc::clone(&recording),
    };
    let keys = Keys::create(folder.path().join("keys")).unwrap();
    let rules = RuleSet::from_toml(
        "version = 1\n[[rules]]\nid = \"read\"\neffect = \"allow\"\nwhen = { action = \"db.read\" }\n",
    )
    .unwrap();
    let people = StaticDirectory::from_toml(
        "[[persons]]\nid = \"corp/olga\"\n[[agents]]\nid = \"corp/bot\"\ncontrollers = [\"corp/olga\"]\n",
    )
    .unwrap();
    let countersign =
        block_on(Countersign::open(store, keys, rules, people).into_future()).unwrap();
    let chain = ActorChain::acting(Principal::agent("corp", "bot").unwrap());
    let gate = countersign
        .gate(chain, SessionId::new("bench").unwrap())
        .unwrap();
    let mut bare = Bare::on(&folder.path().join("bare.db"));
    let secret = SecretKey::generate().unwrap();
    let message = vec![7_u8; 1500];
    let file = std::fs::File::create(folder.path().join("sync")).unwrap();

    // What a call of the same kind writes, written bare; one duration for all its commits.
    let mut bare = |call: &mut dyn FnMut()| {
        recording.store(true, Ordering::Relaxed);
        call();
        recording.store(false, Ordering::Relaxed);
        let taken = std::mem::take(&mut *batches.lock().unwrap());
        let commits = taken.iter().map(|batch| timed(|| bare.write(batch)).1);
        commits.sum::<Duration>()
    };
    let guarded = |action| drop(block_on(gate.guard(action)).unwrap());
    let run = |action| {
        let effect = async |_| Ok::<_, Infallible>(());
        drop(block_on(gate.run(action, effect)).unwrap());
    };
    for n in 0..50 {
        bare(&mut || guarded(action(n)));
    }
    let (mut guard, mut guard_bare, mut runs, mut runs_bare) = (vec![], vec![], vec![], vec![]);
    let (mut sign, mut sync) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        // A call and its bare counterpart take turns, so that both find the disk as the other left it.
        let (mut calls, mut bares) = (vec![], vec![]);
        for n in 0..CALLS {
            let action_of_n = action(n);
            calls.push(timed(|| guarded(action_of_n)).1);
            bares.push(bare(&mut || guarded(action(n))));
        }
        guard.push(micros(&calls));
        guard_bare.push(micros(&bares));
        let (mut calls, mut bares) = (vec![], vec![]);
        for n in 0..CALLS {
            let action_of_n = action(n);
            calls.push(timed(|| run(action_of_n)).1);
            bares.push(bare(&mut || run(action(n))));
        }
        runs.push(micros(&calls));
        runs_bare.push(micros(&bares));
        let signed: Vec<_> = (0..200)
            .map(|_| timed(|| secret.sign(&message).unwrap()).1)
            .collect();
        sign.push(micros(&signed));
        let synced: Vec<_> = (0..100).map(|_| synced(&file)).collect();
        sync.push(micros(&synced));
    }
    let (guard, guard_bare, sign) = (median(guard), median(guard_bare), median(sign));
    let (run, run_bare) = (median(runs), median(runs_bare));
    println!(
        "durability: SQLite WAL, synchronous=FULL; one caller; medians of {ROUNDS} interleaved rounds of {CALLS} calls"
    );
    println!("one signature                     {sign:8.1} µs");
    println!("append 4 KiB + fdatasync          {:8.1} µs", median(sync));
    println!("bare transaction, guard's rows    {guard_bare:8.1} µs");
    println!(
        "guard, allowed                    {guard:8.1} µs = bare + {:.1} signatures (limit 7)",
        (guard - guard_bare) / sign
    );
    println!("two bare transactions, run's rows {run_bare:8.1} µs");
    println!(
        "gate.run, empty effect            {run:8.1} µs = 2 bare + {:.1} signatures (limit 14)",
        (run - run_bare) / sign
    );
    if guard - guard_bare > 7.0 * sign || run - run_bare > 14.0 * sign {
        println!("LIMIT MISSED");
        std::process::exit(1);
    }
}

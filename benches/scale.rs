//! What grows: `cargo bench --bench scale -- throughput|pending|open|verify|receipts [records]`; `verify` and `receipts` take
//! after it a folder in which their log is kept.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::future::Future;
use std::num::NonZeroU32;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use common::{Bare, Recording, median, micros, synced, timed};
use countersign::action::{Action, ActorChain, Principal, SessionId};
use countersign::audit::Audit;
use countersign::gate::{ApprovalGate, ApprovalGateExt, Gate};
use countersign::host::Countersign;
use countersign::identity::StaticDirectory;
use countersign::ledger::Keys;
use countersign::log::{
    Depth, LogReader, PAYLOAD_TYPE, Receipt, SecretKey, Seq, Signer, Terms, TreeSize, Verdict, pae,
    prove_record, verify_structure_alone,
};
use countersign::policy::RuleSet;
use countersign::store::{SqliteStore, Store};
use futures::executor::block_on;
use futures::future::join_all;
use sha2::{Digest, Sha256};

const RULES: &str = r#"
version = 1
[approvals.one]
quorum = "1 of group:security"
timeout = "30d"
[[rules]]
id = "read"
effect = "allow"
when = { action = "db.read" }
[[rules]]
id = "pay"
effect = "approve"
approval = "one"
when = { action = "pay" }
"#;
const PEOPLE: &str = r#"
[[persons]]
id = "corp/olga"
[[persons]]
id = "corp/rita"
groups = ["security"]
[[groups]]
name = "security"
[[agents]]
id = "corp/bot"
controllers = ["corp/olga"]
"#;
/// How often each side is measured, taking turns.
const ROUNDS: usize = 7;
const TASKS: usize = 64;

fn open(store: impl Store, keys: &Path) -> Countersign {
    let keys = if keys.exists() {
        Keys::open(keys)
    } else {
        Keys::create(keys)
    }
    .unwrap();
    let rules = RuleSet::from_toml(RULES).unwrap();
    let people = StaticDirectory::from_toml(PEOPLE).unwrap();
    block_on(Countersign::open(store, keys, rules, people).into_future()).unwrap()
}

fn gate(countersign: &Countersign) -> Gate {
    gate_in(countersign, "bench")
}

fn gate_in(countersign: &Countersign, session: &str) -> Gate {
    let chain = ActorChain::acting(Principal::agent("corp", "bot").unwrap());
    countersign
        .gate(chain, SessionId::new(session).unwrap())
        .unwrap()
}

fn read(n: usize) -> Action {
    Action::named("db.read")
        .parameter("table", "customers")
        .parameter("columns", "id, name, city")
        .parameter("limit", i64::try_from(n).unwrap())
        .build()
        .unwrap()
}

fn pay(n: usize) -> Action {
    Action::named("pay")
        .parameter("order", i64::try_from(n).unwrap())
        .parameter("note", "x".repeat(480))
        .build()
        .unwrap()
}

/// 64 tasks on two threads, each one guarded call after the other.
fn calls(gate: &Gate, from: usize, many: usize, action: fn(usize) -> Action) {
    let next = std::sync::atomic::AtomicUsize::new(from);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                block_on(join_all((0..TASKS / 2).map(|_| async {
                    loop {
                        let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if n >= from + many {
                            break;
                        }
                        drop(gate.request(action(n)).await.unwrap());
                    }
                })));
            });
        }
    });
}

/// What rounds of ten thousand calls took, each beside its bare counterpart.
struct Rounds {
    ours: f64,
    bare: f64,
    batch: f64,
    sync: f64,
}

fn throughput(records: usize) {
    let folder = tempfile::tempdir().unwrap();
    let batches = Arc::new(Mutex::new(Vec::new()));
    let recording = Arc::new(AtomicBool::new(false));
    let store = Recording {
        inner: SqliteStore::create(folder.path().join("log.db")).unwrap(),
        batches: Arc::clone(&batches),
        on: Arc::clone(&recording),
    };
    let countersign = open(store, &folder.path().join("keys"));
    let gate = gate(&countersign);
    let mut bare = Bare::on(&folder.path().join("bare.db"));
    let file = std::fs::File::create(folder.path().join("sync")).unwrap();
    let mut done = 0;
    let mut ten_thousand = || {
        let ((), took) = timed(|| calls(&gate, done, 10_000, read));
        done += 10_000;
        (done, 10_000.0 / took.as_secs_f64())
    };
    let mut rounds = |ten_thousand: &mut dyn FnMut() -> (usize, f64)| {
        let (mut ours, mut theirs, mut sizes, mut syncs) = (vec![], vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            ours.push(ten_thousand().1);
            // What calls of the same kind write, written bare.
            recording.store(true, Ordering::Relaxed);
            ten_thousand();
            recording.store(false, Ordering::Relaxed);
            let taken = std::mem::take(&mut *batches.lock().unwrap());
            let written: usize = taken.iter().map(|batch| batch.records.len()).sum();
            sizes.push(written as f64 / taken.len() as f64);
            let ((), took) = timed(|| taken.iter().for_each(|batch| bare.write(batch)));
            theirs.push(written as f64 / took.as_secs_f64());
            syncs.extend((0..20).map(|_| synced(&file)));
        }
        Rounds {
            ours: median(ours),
            bare: median(theirs),
            batch: median(sizes),
            sync: micros(&syncs),
        }
    };
    let first = rounds(&mut ten_thousand);
    println!(
        "durability: SQLite WAL, synchronous=FULL; {TASKS} tasks; medians of {ROUNDS} interleaved rounds of 10,000 calls"
    );
    println!("append 4 KiB + fdatasync           {:10.1} µs", first.sync);
    println!(
        "mean batch                         {:10.1} records",
        first.batch
    );
    println!(
        "bare transactions of these batches {:10.0} records/s",
        first.bare
    );
    println!(
        "guard, allowed                     {:10.0} records/s = {:.2} of bare (limit 0.50)",
        first.ours,
        first.ours / first.bare
    );
    loop {
        let (done, rate) = ten_thousand();
        if done % 100_000 == 0 {
            println!("  at {done:9}                     {rate:10.0} records/s");
        }
        if done + 20_000 * ROUNDS >= records {
            break;
        }
    }
    let last = rounds(&mut ten_thousand);
    println!(
        "at the end                         {:10.0} records/s = {:.2} of bare, whose file is small ({:.0} records/s, fdatasync {:.1} µs)",
        last.ours,
        last.ours / last.bare,
        last.bare,
        last.sync
    );
    println!(
        "each 10,000 at the end: {:.2} of each 10,000 at the beginning, medians of {ROUNDS} (limit 0.90); bare: {:.2}",
        last.ours / first.ours,
        last.bare / first.bare
    );
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<usize>()
        .unwrap()
        * 4096
}

fn pending(many: usize) {
    let folder = tempfile::tempdir().unwrap();
    let countersign = open(
        SqliteStore::create(folder.path().join("log.db")).unwrap(),
        &folder.path().join("keys"),
    );
    let gate = gate(&countersign);
    let mut waiting: Vec<Pin<Box<dyn Future<Output = _> + Send + '_>>> = Vec::with_capacity(many);
    let file = |waiting: &mut Vec<_>, from: usize, to: usize| {
        let mut n = from;
        while n < to {
            let chunk: Vec<_> = (n..(n + 256).min(to)).map(|n| gate.guard(pay(n))).collect();
            n += chunk.len();
            let already = waiting.len();
            let mut chunk = chunk;
            block_on(std::future::poll_fn(|context| {
                for one in &mut chunk {
                    assert!(
                        one.as_mut().poll(context).is_pending(),
                        "nobody has approved it"
                    );
                }
                if countersign.waiting() == already + chunk.len() {
                    return std::task::Poll::Ready(());
                }
                std::task::Poll::Pending
            }));
            waiting.extend(chunk);
        }
    };
    file(&mut waiting, 0, 2_000);
    let before = resident();
    let ((), took) = timed(|| file(&mut waiting, 2_000, many));
    let each = (resident() - before) as f64 / (many - 2_000) as f64;
    println!(
        "pending requests of 512 bytes: {many}, filed in {:.0} s",
        took.as_secs_f64()
    );
    println!("resident memory: {each:.0} bytes each (limit 2048)");
    drop(waiting);
}

/// A log of so many records, the last of them pending requests.
fn build(folder: &Path, records: usize, pending: usize) {
    let countersign = open(
        SqliteStore::create(folder.join("log.db")).unwrap(),
        &folder.join("keys"),
    );
    let gate = gate(&countersign);
    calls(&gate, 0, records - pending, read);
    calls(&gate, records, pending, pay);
    block_on(countersign.close());
}

fn opening(records: usize) {
    let (small, large) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    build(small.path(), 10_000, 1_000);
    build(large.path(), records, records / 10);
    let once = |folder: &Path| {
        let start = Instant::now();
        let countersign = open(
            SqliteStore::open(folder.join("log.db")).unwrap(),
            &folder.join("keys"),
        );
        drop(block_on(gate(&countersign).guard(read(0))).unwrap());
        let took = start.elapsed().as_secs_f64() * 1e3;
        block_on(countersign.close());
        took
    };
    let (mut few, mut many) = (vec![], vec![]);
    for _ in 0..9 {
        few.push(once(small.path()));
        many.push(once(large.path()));
    }
    let (few, many) = (median(few), median(many));
    println!("open until the first guard is answered, medians of 9 interleaved rounds");
    println!(
        "10,000 records, 1,000 pending: {few:.1} ms; {records} records, {} pending: {many:.1} ms = {:.2} (limit 2)",
        records / 10,
        many / few
    );
}

/// A log as it is when effects ran: each of three records, and requests of which many are still open.
fn build_ended(folder: &Path, records: usize, open_requests: usize) {
    let countersign = open(
        SqliteStore::create(folder.join("log.db")).unwrap(),
        &folder.join("keys"),
    );
    let next = &std::sync::atomic::AtomicUsize::new(0);
    let many = (records - open_requests) / 3;
    // The first adopts the policy, which others would wait for.
    drop(block_on(gate(&countersign).guard(read(0))).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let countersign = &countersign;
            scope.spawn(move || {
                block_on(join_all((0..TASKS / 2).map(|task| async move {
                    let gate = gate_in(countersign, &format!("bench-{thread}-{task}"));
                    loop {
                        let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if n >= many {
                            break;
                        }
                        let effect = |_| async { Ok::<(), std::convert::Infallible>(()) };
                        drop(gate.run(read(n), effect).await.unwrap());
                    }
                })));
            });
        }
    });
    calls(&gate(&countersign), records, open_requests, pay);
    block_on(countersign.close());
}

/// How fast something was in each round, and what it took of the processors.
#[derive(Default)]
struct Rates {
    wall: Vec<f64>,
    processor: Vec<f64>,
}

impl Rates {
    fn add(&mut self, records: usize, run: impl FnOnce()) {
        let before = processor_seconds();
        let ((), took) = timed(run);
        let processor = processor_seconds() - before;
        self.wall.push(records as f64 / took.as_secs_f64());
        self.processor.push(processor * 1e6 / records as f64);
    }

    fn medians(self) -> (f64, f64) {
        (median(self.wall), median(self.processor))
    }
}

/// What all threads of this process took so far, those that ended included (proc(5): fields 14 and 15, in hundredths).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks
        .map(|field| field.parse::<f64>().unwrap())
        .sum::<f64>()
        / 100.0
}

fn verifying(records: usize, folder: &Path) {
    if !folder.join("log.db").exists() {
        build_ended(folder, records, 10_000);
    }
    let store = SqliteStore::open_read_only(folder.join("log.db")).unwrap();
    let keys = Keys::open(folder.join("keys")).unwrap().trusted();
    let size = block_on(store.head()).unwrap().unwrap().size;
    let records = usize::try_from(size).unwrap();
    let bare_hash = || {
        let conn = rusqlite::Connection::open(folder.join("log.db")).unwrap();
        let mut select = conn
            .prepare("SELECT statement FROM record ORDER BY seq")
            .unwrap();
        let mut rows = select.query([]).unwrap();
        let mut last = [0; 32];
        while let Some(row) = rows.next().unwrap() {
            last = Sha256::digest(row.get_ref(0).unwrap().as_blob().unwrap()).into();
        }
        last
    };
    let verify = |depth| {
        let mut reader = store.log_reader().unwrap();
        let terms = Terms {
            keys: Some(&keys),
            anchors: &[],
            depth,
            ..Terms::default()
        };
        let report = verify_structure_alone(&mut reader, &terms, &mut |_| {});
        assert_eq!(report.size, size);
        if depth == Depth::Signatures {
            let verdict = report.verdict();
            assert!(
                matches!(verdict, Verdict::IntactUnanchored { .. }),
                "{verdict}"
            );
        }
    };
    // Messages from everywhere in the log, so that their mean length is that of all; one in so many is a checkpoint.
    let mut reader = store.log_reader().unwrap();
    let mut checkpoints = reader.checkpoints(0..size + 1).unwrap();
    drop(reader);
    let messages = records + checkpoints.len();
    checkpoints.truncate(1024 * checkpoints.len() / records);
    let signer = SecretKey::generate().unwrap();
    let signed: Vec<_> = (0..1024)
        .map(|n| {
            let at = Seq::new(n * size / 1024);
            let record = block_on(store.read(at, NonZeroU32::MIN)).unwrap().remove(0);
            pae(PAYLOAD_TYPE, &record.statement)
        })
        .chain(checkpoints.into_iter().map(|(_, note)| note))
        .map(|message| {
            let signature = signer.sign(&message).unwrap();
            (message, signature)
        })
        .collect();
    let cores = std::thread::available_parallelism().unwrap().get();
    let bare_verify = || {
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    let messages = signed.iter().cycle().take(messages / cores);
                    messages.for_each(|(message, signature)| {
                        signer.public().verify(message, signature).unwrap();
                    });
                });
            }
        });
    };
    let mut rates: [Rates; 4] = Default::default();
    for _ in 0..3 {
        rates[0].add(records, || assert_ne!(bare_hash(), [0; 32]));
        rates[1].add(records, || verify(Depth::Hashes));
        rates[2].add(records, bare_verify);
        rates[3].add(records, || verify(Depth::Signatures));
    }
    println!(
        "{records} records, {} checkpoints, 10,000 requests open, {cores} cores, medians of 3 interleaved rounds",
        messages - records
    );
    let [bare_hash, hashes, bare_strict, strict] = rates.map(Rates::medians);
    let tell = |what: &str, (wall, processor): (f64, f64)| {
        println!("{what:32} {wall:8.0} records/s, {processor:5.1} µs of processor time each");
    };
    tell("bare SHA-256 of the same rows", bare_hash);
    tell("verify, hashes", hashes);
    println!("  {:.2} of bare (limit 0.40)", hashes.0 / bare_hash.0);
    tell("strict verification of the same", bare_strict);
    tell("verify, signatures", strict);
    println!(
        "  {:.2} of bare on all cores (limit 0.80), {:.2} by processor time",
        strict.0 / bare_strict.0,
        bare_strict.1 / strict.1
    );
    // Each in a process of its own, so that nothing counts that others left behind.
    for what in ["hashes", "structure", "audit", "comparison"] {
        let me = std::env::current_exe().unwrap();
        let status = std::process::Command::new(me)
            .args(["resident", what])
            .arg(folder)
            .status();
        assert!(status.unwrap().success());
    }
}

fn receipts(records: usize, folder: &Path) {
    if !folder.join("log.db").exists() {
        build_ended(folder, records, 10_000.min(records / 10));
    }
    let store = SqliteStore::open_read_only(folder.join("log.db")).unwrap();
    let keys = Keys::open(folder.join("keys")).unwrap().trusted();
    let size = block_on(store.head()).unwrap().unwrap().size;
    let (mut opening, mut proving, mut proven) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..1000 {
        // Everywhere in the log, neighbours far apart in time.
        let seq = Seq::new(round * 7919 % size);
        let (mut reader, took) = timed(|| store.log_reader().unwrap());
        opening.push(took);
        let (receipt, took) = timed(|| prove_record(&mut reader, seq, TreeSize::Newest).unwrap());
        proving.push(took);
        proven.push(receipt);
    }
    let signer = SecretKey::generate().unwrap();
    let (mut verifying, mut bare) = (Vec::new(), Vec::new());
    for receipt in proven {
        let file = receipt.to_bytes();
        let message = pae(PAYLOAD_TYPE, &receipt.record.statement);
        let signature = signer.sign(&message).unwrap();
        let ((), took) = timed(|| signer.public().verify(&message, &signature).unwrap());
        bare.push(took);
        let verify = || {
            let receipt = Receipt::from_bytes(&file).unwrap();
            receipt.verify_with_keys(&keys).unwrap()
        };
        let (verified, took) = timed(verify);
        assert_eq!(verified.record().seq(), receipt.seq());
        verifying.push(took);
    }
    let (one, receipt, proof) = (micros(&bare), micros(&verifying), micros(&proving));
    proving.sort();
    let slow = proving[proving.len() * 99 / 100];
    println!("{size} records, 1,000 of them proven, medians");
    println!("opening a snapshot        {:8.1} µs", micros(&opening));
    println!(
        "proving a record          {proof:8.1} µs (limit 1000), {slow:.1?} at the 99th percentile"
    );
    println!("one strict verification   {one:8.1} µs");
    println!(
        "reading and verifying one {receipt:8.1} µs = {:.2} of it, interleaved (limit 3)",
        receipt / one
    );
    // All is told before anything fails.
    assert!(proof <= 1000.0, "a proof takes more than a millisecond");
    assert!(
        receipt <= 3.0 * one,
        "a receipt takes more than three verifications"
    );
}

/// Verifies in this process and says how much memory the process had at most.
fn peak(what: &str, folder: &Path) {
    let store = SqliteStore::open_read_only(folder.join("log.db")).unwrap();
    let keys = Keys::open(folder.join("keys")).unwrap().trusted();
    let mut reader = store.log_reader().unwrap();
    let start = Instant::now();
    let said = match what {
        "structure" | "hashes" => {
            let terms = Terms {
                keys: Some(&keys),
                anchors: &[],
                depth: match what {
                    "hashes" => Depth::Hashes,
                    _ => Depth::Signatures,
                },
                ..Terms::default()
            };
            let report = verify_structure_alone(&mut reader, &terms, &mut |_| {});
            report.verdict().to_string()
        }
        "audit" => {
            let report = Audit::of(&mut reader).trusting(keys).run();
            format!("{}; requests {}", report.verdict, report.requests)
        }
        _ => {
            let audit = Audit::of(&mut reader).trusting(keys).comparing(&store);
            let report = audit.run();
            format!("{}; {}", report.verdict, report.projections)
        }
    };
    let took = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: usize = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    println!(
        "{what:10} {took:6.1} s, peak {:4} MiB of the process (limit 128): {said}",
        kib >> 10
    );
}

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let records = args.get(1).and_then(|text| text.parse().ok());
    let records = records.unwrap_or(1_000_000);
    match args.first().map(String::as_str) {
        Some("throughput") => throughput(records),
        Some("pending") => pending(records),
        Some("open") => opening(records),
        Some("verify") => match args.get(2) {
            // Kept there, and taken as it is the next time.
            Some(folder) => verifying(records, Path::new(folder)),
            None => verifying(records, tempfile::tempdir().unwrap().path()),
        },
        Some("receipts") => match args.get(2) {
            Some(folder) => receipts(records, Path::new(folder)),
            None => receipts(records, tempfile::tempdir().unwrap().path()),
        },
        Some("resident") => peak(&args[1], Path::new(&args[2])),
        _ => println!(
            "say which: throughput, pending, open, verify or receipts, and how many records"
        ),
    }
}

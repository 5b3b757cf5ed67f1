//! Durable means durable: what the system calls of a real process say about when a start is on the disk.
//!
//! Each test runs a process under `strace`. With `synchronous` set to `NORMAL` instead of `FULL` (in `src/store/sqlite/open.rs`) a
//! commit no longer syncs the write-ahead log. Then the first test finds no sync between the frames of `started` and the effect. The
//! second one rebuilds stores that the head file has overtaken and that do not open again, and, where the head file was slow, stores
//! in which the effect has no start.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use common::aftermath::{Effect, inspect};
use common::{child, life, start};
use countersign::store::{SqliteStore, Store};
use tempfile::TempDir;

/// Not a test by itself: what the traced process does.
#[test]
fn in_another_process() {
    let Some((task, folder)) = child::task() else {
        return;
    };
    let store = SqliteStore::open_or_create(life::database(&folder)).unwrap();
    match task.as_str() {
        "begin" => life::open(&folder, store).close(),
        "live" => life::live(&folder, Arc::new(store), |_| {}),
        other => panic!("no task `{other}`"),
    }
}

/// What the process did to the files that matter, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Wrote {
        file: String,
        at: u64,
        bytes: Vec<u8>,
    },
    SyncBegins {
        file: String,
        number: usize,
    },
    SyncEnds {
        file: String,
        number: usize,
    },
    Cut {
        file: String,
        to: u64,
    },
    Removed {
        file: String,
    },
    Effect,
}

const HEAD: &str = "log.db.head";

/// Runs a task under strace, with these further arguments to it.
fn trace(task: &str, folder: &Path, more: &[&str]) -> (String, std::process::ExitStatus) {
    let output = folder.join("trace");
    let path = output.to_str().unwrap().to_owned();
    let calls = "trace=write,pwrite64,pwritev,writev,lseek,fsync,fdatasync,ftruncate,unlink,rename";
    let mut before = vec![
        "strace", "-f", "-y", "-xx", "-s", "1000000", "-o", &path, "-e", calls,
    ];
    before.extend(more);
    let status = child::command(&before, task, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace is needed to see what reaches the disk: install it");
    let text = std::fs::read_to_string(&output)
        .expect("strace is needed to see what reaches the disk, and has to be allowed to trace");
    (text, status)
}

/// A folder with a log that was begun and closed, so that the traced process has one to go on with.
fn begun() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    life::keys(folder.path());
    let status = child::command(&[], "begin", folder.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    folder
}

/// The bytes of a string as strace prints it.
fn unescape(text: &str) -> Vec<u8> {
    assert!(!text.contains("..."), "the trace was cut short");
    text.split("\\x")
        .skip(1)
        .map(|pair| u8::from_str_radix(&pair[..2], 16).unwrap())
        .collect()
}

/// One call with its arguments and its result.
struct Call<'t> {
    name: &'t str,
    arguments: String,
}

impl Call<'_> {
    /// The name of the file behind the first argument, if it is one of the store, the head file or the effect.
    fn file(&self) -> Option<String> {
        let from = self.arguments.find('<')? + 1;
        let to = self.arguments[from..].find('>')? + from;
        known(&unescape(&self.arguments[from..to]))
    }

    fn descriptor(&self) -> u32 {
        let end = self.arguments.find('<').unwrap();
        self.arguments[..end].parse().unwrap()
    }

    /// The bytes between the first pair of quotes.
    fn bytes(&self) -> Vec<u8> {
        let mut parts = self.arguments.splitn(3, '"');
        unescape(parts.nth(1).unwrap())
    }

    fn last_number(&self) -> u64 {
        let last = self.arguments.rsplit(", ").next().unwrap();
        last.parse().unwrap()
    }
}

fn known(path: &[u8]) -> Option<String> {
    let path = PathBuf::from(String::from_utf8(path.to_vec()).unwrap());
    let name = path.file_name()?.to_str()?.to_owned();
    ["log.db", "log.db-wal", HEAD, "effect"]
        .contains(&name.as_str())
        .then_some(name)
}

/// Reads a trace: a write counts once it has returned, but an effect as soon as it begins.
fn events(trace: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut unfinished: BTreeMap<&str, (&str, String)> = BTreeMap::new();
    let mut syncs: BTreeMap<&str, usize> = BTreeMap::new();
    let mut places: BTreeMap<u32, u64> = BTreeMap::new();
    let mut number = 0;
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        // A call begins, ends, or does both, on one line.
        let (call, begins, ended) = if let Some(resumed) = rest.strip_prefix("<... ") {
            let (name, tail) = resumed.split_once(" resumed>").unwrap();
            let (begun, mut arguments) = unfinished.remove(thread).unwrap();
            assert_eq!(name, begun);
            let (more, result) = tail.rsplit_once(" = ").unwrap();
            arguments.push_str(more.trim_end().trim_end_matches(')'));
            let call = Call {
                name: begun,
                arguments,
            };
            (call, false, Some(result))
        } else {
            let (name, tail) = rest.split_once('(').unwrap();
            if let Some(arguments) = tail.strip_suffix(" <unfinished ...>") {
                let arguments = arguments.to_owned();
                unfinished.insert(thread, (name, arguments.clone()));
                (Call { name, arguments }, true, None)
            } else {
                let (arguments, result) = tail.rsplit_once(" = ").unwrap();
                let arguments = arguments.trim_end();
                let arguments = arguments.strip_suffix(')').unwrap_or(arguments).to_owned();
                (Call { name, arguments }, true, Some(result))
            }
        };
        if call.name == "unlink" || call.name == "rename" {
            let removed = known(&call.bytes());
            if let (Some(file), Some("0")) = (removed, ended) {
                events.push(Event::Removed { file });
            }
            continue;
        }
        let Some(file) = call.file() else { continue };
        let result: Option<u64> = ended.and_then(|ended| ended.split(' ').next()?.parse().ok());
        match call.name {
            "write" if file == "effect" => {
                if begins {
                    events.push(Event::Effect);
                }
            }
            "lseek" => {
                if let Some(result) = result {
                    places.insert(call.descriptor(), result);
                }
            }
            "write" => {
                if let Some(length) = result {
                    let at = places.get(&call.descriptor()).copied().unwrap_or(0);
                    places.insert(call.descriptor(), at + length);
                    let mut bytes = call.bytes();
                    bytes.truncate(usize::try_from(length).unwrap());
                    events.push(Event::Wrote { file, at, bytes });
                }
            }
            "pwrite64" => {
                if let Some(length) = result {
                    let mut bytes = call.bytes();
                    bytes.truncate(usize::try_from(length).unwrap());
                    let at = call.last_number();
                    events.push(Event::Wrote { file, at, bytes });
                }
            }
            "fsync" | "fdatasync" => {
                if begins {
                    number += 1;
                    syncs.insert(thread, number);
                    let file = file.clone();
                    events.push(Event::SyncBegins { file, number });
                }
                if result == Some(0) {
                    let number = syncs[thread];
                    events.push(Event::SyncEnds { file, number });
                }
            }
            "ftruncate" => {
                if result == Some(0) {
                    let to = call.last_number();
                    events.push(Event::Cut { file, to });
                }
            }
            other => panic!("`{other}` is not expected: {line}"),
        }
    }
    events
}

#[test]
fn hitl_r13_the_claim_is_synced_before_the_effect() {
    let folder = begun();
    let (text, status) = trace("live", folder.path(), &[]);
    assert!(status.success());
    let events = events(&text);
    let wal = |file: &String| file == "log.db-wal";
    let holds = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    let effect = events.iter().position(|event| *event == Event::Effect);
    let effect = effect.expect("the effect happened");
    let frame = events
        .iter()
        .position(|event| match event {
            Event::Wrote { file, bytes, .. } => wal(file) && holds(bytes, b"\"kind\":\"started\""),
            _ => false,
        })
        .expect("a frame holds the start");
    // The sync that covers it, and everything of the same commit, begins after the last frame and returns before the effect.
    let last = events[..effect]
        .iter()
        .rposition(|event| matches!(event, Event::Wrote { file, .. } if wal(file)))
        .unwrap();
    let covers = events[..effect].iter().enumerate().any(|(begun, event)| {
        let Event::SyncBegins { file, number } = event else {
            return false;
        };
        let ends = Event::SyncEnds {
            file: file.clone(),
            number: *number,
        };
        wal(file) && begun > last && events[begun..effect].contains(&ends)
    });
    assert!(
        frame <= last,
        "the effect came before the start was written"
    );
    assert!(covers, "no sync covers the start before the effect");
}

/// The files as a power cut would leave them: what a completed sync covers, and nothing else.
#[derive(Debug, Clone, Default)]
struct Disk {
    synced: BTreeMap<String, Vec<u8>>,
    /// What was written since, with how much of it each sync under way covers.
    pending: BTreeMap<String, Vec<(u64, Vec<u8>)>>,
    under_way: BTreeMap<usize, usize>,
}

impl Disk {
    fn of(folder: &Path) -> Self {
        let mut disk = Self::default();
        // The write-ahead log is there if the process was quicker to end than the last reader to let go of the file.
        for name in ["log.db", "log.db-wal", HEAD] {
            if let Ok(bytes) = std::fs::read(folder.join(name)) {
                disk.synced.insert(name.to_owned(), bytes);
            }
        }
        disk
    }

    fn pass(&mut self, event: &Event) {
        match event {
            Event::Wrote { file, at, bytes } => {
                let pending = self.pending.entry(file.clone()).or_default();
                pending.push((*at, bytes.clone()));
            }
            Event::SyncBegins { file, number } => {
                let covered = self.pending.get(file).map_or(0, Vec::len);
                self.under_way.insert(*number, covered);
            }
            Event::SyncEnds { file, number } => {
                let covered = self.under_way.remove(number).unwrap();
                let pending = self.pending.entry(file.clone()).or_default();
                let synced = self.synced.entry(file.clone()).or_default();
                for (at, bytes) in pending.drain(..covered) {
                    let at = usize::try_from(at).unwrap();
                    if synced.len() < at + bytes.len() {
                        synced.resize(at + bytes.len(), 0);
                    }
                    synced[at..at + bytes.len()].copy_from_slice(&bytes);
                }
                for other in self.under_way.values_mut() {
                    *other = other.saturating_sub(covered);
                }
            }
            // What is cut or removed is gone at once: the worst that can happen.
            Event::Cut { file, to } => {
                if let Some(synced) = self.synced.get_mut(file) {
                    synced.truncate(usize::try_from(*to).unwrap());
                }
            }
            Event::Removed { file } => {
                self.synced.remove(file);
                self.pending.remove(file);
            }
            Event::Effect => {}
        }
    }

    fn restore(&self, keys: &Path, head: &[u8]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &self.synced {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        std::fs::write(folder.path().join(HEAD), head).unwrap();
        std::os::unix::fs::symlink(keys, folder.path().join("keys")).unwrap();
        folder
    }
}

#[test]
fn a_power_cut_at_any_sync_leaves_no_effect_without_a_start_and_no_second_use() {
    let folder = begun();
    let mut disk = Disk::of(folder.path());
    let slow = disk.synced[HEAD].clone();
    let (text, status) = trace("live", folder.path(), &[]);
    assert!(status.success());
    let mut effects = 0;
    let mut points = 0;
    for (number, event) in events(&text).iter().enumerate() {
        disk.pass(event);
        effects += usize::from(*event == Event::Effect);
        if !matches!(
            event,
            Event::SyncEnds { .. } | Event::Effect | Event::Removed { .. }
        ) {
            continue;
        }
        points += 1;
        // The head file may lag behind, so its first state does as well as its last.
        for (which, head) in [("a slow", &slow), ("the synced", &disk.synced[HEAD])] {
            let restored = disk.restore(&folder.path().join("keys"), head);
            let effect = life::effect(restored.path());
            (0..effects).for_each(|_| effect.happen());
            let story = format!("power cut after event {number}, with {which} head file");
            let store = SqliteStore::open(life::database(restored.path())).unwrap();
            let store: Arc<dyn Store> = Arc::new(store);
            inspect(
                &store,
                life::keys(restored.path()),
                start(),
                &effect,
                &story,
            );
        }
    }
    assert_eq!(effects, 1);
    assert!(points > 8, "{points} points");
}

#[test]
fn a_process_killed_inside_a_commit_leaves_nothing_unrecorded() {
    for call in ["pwrite64", "fsync"] {
        let mut killed = 0;
        for number in 1.. {
            let folder = begun();
            let inject = format!("inject={call}:signal=KILL:when={number}");
            let (_, status) = trace("live", folder.path(), &["-e", &inject]);
            if status.success() {
                break;
            }
            killed += 1;
            let story = format!("killed at {call} {number}");
            let store = SqliteStore::open(life::database(folder.path())).expect(&story);
            let store: Arc<dyn Store> = Arc::new(store);
            let effect = life::effect(folder.path());
            inspect(&store, life::keys(folder.path()), start(), &effect, &story);
        }
        assert!(killed > 4, "killed at {killed} calls of {call} only");
    }
}

//! Several processes on one file: this test binary starts itself again.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use futures::executor::block_on;
use tempfile::TempDir;
use uuid::Uuid;

use super::super::super::{Liveness, conformance};
use super::super::*;
use crate::action::InstanceId;
use crate::clock::Timestamp;

const TASK: &str = "COUNTERSIGN_TEST_TASK";
const FILE: &str = "COUNTERSIGN_TEST_FILE";

/// A process that does one of the tasks of [`in_another_process`].
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(task: &str, path: &Path) -> Self {
        let name = module_path!().split_once("::").unwrap().1;
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                &format!("{name}::in_another_process"),
                "--exact",
                "--nocapture",
            ])
            .env(TASK, task)
            .env(FILE, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Waits until it says the word.
    fn hear(&mut self, word: &str) {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if line.trim_end().ends_with(word) {
                return;
            }
            line.clear();
        }
        panic!("it ended without saying `{word}`");
    }

    /// Lets it go on.
    fn nod(&mut self) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(b"\n").unwrap();
        stdin.flush().unwrap();
    }

    fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

fn say(word: &str) {
    println!("\n{word}");
    std::io::stdout().flush().unwrap();
}

fn wait_for_nod() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Not a test by itself: what the other processes do.
#[test]
fn in_another_process() {
    let (Ok(task), Ok(path)) = (env::var(TASK), env::var(FILE)) else {
        return;
    };
    let store = SqliteStore::open_or_create(&path).unwrap();
    match task.as_str() {
        "append" => {
            say("ready");
            wait_for_nod();
            let name = std::process::id().to_string();
            conformance::append_from(&store, &name, 50).unwrap();
        }
        "commit when told" => loop {
            say("ready");
            wait_for_nod();
            conformance::append_from(&store, "told", 1).unwrap();
        },
        "stop inside" => {
            let instance = InstanceId::from_uuid(Uuid::from_u128(9));
            let at = Timestamp::EPOCH;
            block_on(store.tend(Chore::PutInstance { instance, at })).unwrap();
            store.on_commit(Bell::new());
            let step = Step::new([].into(), |_| {
                say("inside");
                wait_for_nod();
                panic!("it is killed before");
            });
            drop(block_on(store.append(step)));
        }
        other => panic!("no task `{other}`"),
    }
}

#[test]
fn processes_make_one_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    conformance::race(&store).unwrap();
    let before = block_on(store.head()).unwrap().unwrap().size;
    let mut processes: Vec<Process> = (0..4).map(|_| Process::start("append", &path)).collect();
    processes.iter_mut().for_each(|one| one.hear("ready"));
    processes.iter_mut().for_each(Process::nod);
    conformance::append_from(&store, "parent", 50).unwrap();
    processes.into_iter().for_each(Process::end);

    let head = block_on(store.head()).unwrap().unwrap();
    assert_eq!(head.size, before + 5 * 50);
    let records = block_on(store.read(Seq::GENESIS, NonZeroU32::MAX)).unwrap();
    assert!((0..).zip(&records).all(|(at, one)| one.seq.get() == at));
    assert_eq!(records.len() as u64, head.size);
    // The chain is that of the tree: every leaf follows the one before it.
    let mut frontier = crate::log::Frontier::empty();
    for record in &records {
        frontier.push(record.leaf);
    }
    assert_eq!(frontier, head.frontier);
}

#[test]
fn makers_in_several_processes_make_one_store() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let mut processes: Vec<Process> = (0..4)
        .map(|_| Process::start("commit when told", &path))
        .collect();
    processes.iter_mut().for_each(|one| one.hear("ready"));
    assert!(SqliteStore::open(&path).is_ok());
    for mut one in processes {
        one.child.kill().unwrap();
        one.child.wait().unwrap();
    }
}

#[test]
fn a_commit_of_another_process_rings_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    conformance::race(&store).unwrap();
    let mut other = Process::start("commit when told", &path);
    other.hear("ready");
    let bell = Bell::new();
    store.on_commit(bell.clone());
    let _ = bell.try_take();
    let mut waited = Duration::ZERO;
    for _ in 0..20 {
        let before = block_on(store.head()).unwrap().unwrap().size;
        let start = std::time::Instant::now();
        other.nod();
        loop {
            assert!(bell.wait(Some(Duration::from_secs(20))), "nobody rang");
            if block_on(store.head()).unwrap().unwrap().size > before {
                break;
            }
        }
        waited += start.elapsed();
        other.hear("ready");
    }
    // Who only looks once a second hears of each commit a second after it asked for it.
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    other.child.kill().unwrap();
    other.child.wait().unwrap();
}

#[test]
fn a_process_that_dies_inside_leaves_nothing_and_is_noticed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    conformance::race(&store).unwrap();
    let before = block_on(store.head()).unwrap();
    let liveness = || {
        let found = block_on(store.find(Query::Instances)).unwrap();
        found.instances().unwrap()[0].liveness
    };
    let mut other = Process::start("stop inside", &path);
    other.hear("inside");
    assert_eq!(liveness(), Liveness::Alive);
    other.child.kill().unwrap();
    other.child.wait().unwrap();

    assert_eq!(liveness(), Liveness::Gone);
    assert_eq!(block_on(store.head()).unwrap(), before);
    // Its locks have gone with it, and its socket goes with the next commit.
    conformance::append_from(&store, "after", 1).unwrap();
    let sockets = std::fs::read_dir(folder.path().join("log.db.run"))
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().ends_with(".bell")
        })
        .count();
    assert_eq!(sockets, 0);
}

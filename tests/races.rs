//! Races: between the tasks of two processes for one permit and for the same votes, between a denial and a start, and what a
//! decision wakes.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::aftermath::Effect;
use common::child::{self, Process};
use common::{PEOPLE, RULES, World, life, log, pay, wire};
use countersign::action::{Action, RequestId};
use countersign::desk::{VoteRefused, Voted};
use countersign::gate::{ApprovalGate, Permit, Refusal, RunError};
use countersign::log::Kind;
use countersign::store::{MemoryStore, SqliteStore};
use futures::executor::block_on;
use futures::future::join_all;

const TASKS: usize = 100;
/// The requests that are voted on, each by its own group of people.
const BALLOTS: usize = 4;

/// The common rules and people, and a hundred reviewers in four groups, of whom everyone is needed.
fn crowd() -> (String, String) {
    let (mut rules, mut people) = (RULES.to_owned(), PEOPLE.to_owned());
    let each = TASKS / BALLOTS;
    for group in 0..BALLOTS {
        rules.push_str(&format!(
            "[approvals.all{group}]\nquorum = \"{each} of group:crowd{group}\"\ntimeout = \"1h\"\nvalid_for = \"10m\"\n\
             [[rules]]\nid = \"vote{group}\"\neffect = \"approve\"\napproval = \"all{group}\"\nwhen = {{ action = \"vote{group}\" }}\n"
        ));
        people.push_str(&format!("[[groups]]\nname = \"crowd{group}\"\n"));
    }
    for person in 0..TASKS {
        people.push_str(&format!(
            "[[persons]]\nid = \"corp/p{person}\"\ngroups = [\"crowd{}\"]\n",
            person % BALLOTS
        ));
    }
    (rules, people)
}

fn open(folder: &std::path::Path) -> World {
    let (rules, people) = crowd();
    World::open(
        &rules,
        &people,
        SqliteStore::open_or_create(life::database(folder)).unwrap(),
        life::keys(folder),
        countersign::clock::ManualClock::new(common::start()),
        tempfile::tempdir_in(folder).unwrap(),
        |opening| opening,
    )
}

/// Runs a hundred tasks that begin at one time, and says what each answered.
fn at_once<T: Send>(task: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(TASKS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..TASKS)
            .map(|number| {
                let (barrier, task) = (&barrier, &task);
                scope.spawn(move || {
                    barrier.wait();
                    task(number)
                })
            })
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// Not a test by itself: what the racing processes do.
#[test]
fn in_another_process() {
    let Some((task, folder)) = child::task() else {
        return;
    };
    let world = open(&folder);
    let requests = requests(&folder);
    child::say("ready");
    child::wait_for_nod();
    let answers = match task.as_str() {
        "run" => at_once(|_| take(&world, requests[0], &life::effect(&folder))),
        "vote" => at_once(|person| cast(&world, person, requests[person % BALLOTS])),
        other => panic!("no task `{other}`"),
    };
    for answer in answers {
        child::say(&format!("answer {answer}"));
    }
    world.close();
    child::say("over");
}

fn requests(folder: &std::path::Path) -> Vec<RequestId> {
    let text = std::fs::read_to_string(folder.join("requests")).unwrap();
    text.lines()
        .map(|line| RequestId::parse(line).unwrap())
        .collect()
}

fn take(world: &World, request: RequestId, effect: &impl Effect) -> String {
    let permit = match block_on(world.gate().resume(request)) {
        Ok(permit) => permit,
        Err(refusal) => return format!("{refusal:?}"),
    };
    let ran = permit.run(async |_| {
        effect.happen();
        Ok::<(), String>(())
    });
    match block_on(ran) {
        Ok(_) => "ran".to_owned(),
        Err(RunError::Refused(refusal)) => format!("{refusal:?}"),
        Err(error) => format!("{error:?}"),
    }
}

fn cast(world: &World, person: usize, request: RequestId) -> String {
    match world.approve(&format!("p{person}"), request) {
        Ok(Voted::Recorded { .. }) => "recorded".to_owned(),
        Ok(Voted::Unchanged { .. }) => "unchanged".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Has two processes race, and counts what they answer.
fn race(task: &str, folder: &std::path::Path, requests: &[RequestId]) -> BTreeMap<String, usize> {
    let lines: Vec<String> = requests.iter().map(ToString::to_string).collect();
    std::fs::write(folder.join("requests"), lines.join("\n")).unwrap();
    let mut processes: Vec<Process> = (0..2).map(|_| Process::start(task, folder)).collect();
    for process in &mut processes {
        process.hear("ready");
    }
    processes.iter_mut().for_each(Process::nod);
    let mut answers = BTreeMap::new();
    for mut process in processes {
        for _ in 0..TASKS {
            *answers.entry(process.hear("answer")).or_default() += 1;
        }
        process.hear("over");
        process.end();
    }
    answers
}

/// The log is one line, and every record, link and signature in it is sound.
fn assert_one_line(folder: &std::path::Path) -> SqliteStore {
    let store = SqliteStore::open(life::database(folder)).unwrap();
    log::assert_sound(&store, &life::keys(folder).trusted());
    store
}

#[test]
fn hitl_r2_two_processes_race_for_one_permit() {
    let folder = tempfile::tempdir().unwrap();
    let world = open(folder.path());
    let request = world.file(pay(5));
    let _voted = world.approve("rita", request).unwrap();
    world.close();
    let answers = race("run", folder.path(), &[request]);
    assert_eq!(answers.get("ran"), Some(&1), "{answers:?}");
    assert_eq!(
        answers.get("AlreadyTaken"),
        Some(&(2 * TASKS - 1)),
        "{answers:?}"
    );
    assert_eq!(life::effect(folder.path()).happened(), 1);
    let store = assert_one_line(folder.path());
    assert_eq!(log::count(&store, request, Kind::Started), 1);
    assert_eq!(log::count(&store, request, Kind::Finished), 1);
}

#[test]
fn policy_29_concurrent_votes_make_one_transition() {
    let folder = tempfile::tempdir().unwrap();
    let world = open(folder.path());
    let requests: Vec<RequestId> = (0..BALLOTS)
        .map(|group| world.file(Action::named(format!("vote{group}")).build().unwrap()))
        .collect();
    world.close();
    // Everybody votes in both processes.
    let answers = race("vote", folder.path(), &requests);
    assert_eq!(answers.get("recorded"), Some(&TASKS), "{answers:?}");
    assert_eq!(answers.get("unchanged"), Some(&TASKS), "{answers:?}");
    let store = assert_one_line(folder.path());
    for request in &requests {
        assert_eq!(log::count(&store, *request, Kind::Voted), TASKS / BALLOTS);
    }
    // All of them were needed, so nothing is missing from what the next process reads.
    let world = open(folder.path());
    for request in &requests {
        assert!(block_on(world.gate().resume(*request)).is_ok());
    }
}

/// A denial and a start at one time, the one in one process and the other in another.
#[test]
fn hitl_r5_a_denial_before_the_start_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (runs, denies) = (open(folder.path()), open(folder.path()));
    let store = SqliteStore::open(life::database(folder.path())).unwrap();
    let mut seen = BTreeMap::new();
    for round in 0..40 {
        let request = runs.file(pay(round));
        let _voted = runs.approve("rita", request).unwrap();
        let permit: Permit = block_on(runs.gate().resume(request)).unwrap();
        let calls = AtomicUsize::new(0);
        let barrier = Barrier::new(2);
        let (ran, denied) = thread::scope(|scope| {
            let run = scope.spawn(|| {
                barrier.wait();
                // The first of them is late, so that each side wins at least once.
                if round == 0 {
                    while log::count(&store, request, Kind::Voted) < 2 {
                        thread::yield_now();
                    }
                }
                block_on(permit.run(async |_| {
                    calls.fetch_add(1, Ordering::SeqCst);
                    Ok::<(), String>(())
                }))
            });
            let deny = scope.spawn(|| {
                barrier.wait();
                if round == 1 {
                    while log::count(&store, request, Kind::Started) < 1 {
                        thread::yield_now();
                    }
                }
                denies.deny("rita", request)
            });
            (run.join().unwrap(), deny.join().unwrap())
        });
        let kinds: Vec<Kind> = log::kinds(&store)
            .into_iter()
            .filter_map(|(kind, of)| (of == Some(request)).then_some(kind))
            .collect();
        match (ran, denied) {
            (Err(RunError::Refused(Refusal::Rejected(_))), Ok(Voted::Recorded { .. })) => {
                assert_eq!(kinds, [Kind::Requested, Kind::Voted, Kind::Voted]);
                assert_eq!(calls.load(Ordering::SeqCst), 0);
                *seen.entry("denied").or_insert(0) += 1;
            }
            (Ok(_), Err(VoteRefused::AlreadySettled(_))) => {
                let whole = [Kind::Requested, Kind::Voted, Kind::Started, Kind::Finished];
                assert_eq!(kinds, whole);
                assert_eq!(calls.load(Ordering::SeqCst), 1);
                *seen.entry("ran").or_insert(0) += 1;
            }
            (ran, denied) => panic!("{:?} and {denied:?}", ran.map(|_| "ran")),
        }
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    runs.close();
    denies.close();
    assert_one_line(folder.path());
}

#[test]
fn policy_63_a_vote_and_the_time_out_have_one_winner() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    for round in 0..60 {
        let request = world.file(pay(round));
        let rita = world.approver("rita");
        let ballot = block_on(world.desk.open(&rita, request)).unwrap().approve();
        world.clock.advance(Duration::from_secs(3599));
        let barrier = Barrier::new(2);
        let voted = thread::scope(|scope| {
            let voted = scope.spawn(|| {
                barrier.wait();
                block_on(world.desk.vote(&rita, ballot))
            });
            barrier.wait();
            world.clock.advance(Duration::from_secs(1));
            voted.join().unwrap()
        });
        world.clock.settled(1);
        let voices = log::count(&store, request, Kind::Voted);
        let ends = log::count(&store, request, Kind::Expired);
        match voted {
            Ok(Voted::Recorded { .. }) => {
                assert_eq!((voices, ends), (1, 0));
                assert!(block_on(world.gate().resume(request)).is_ok());
            }
            Err(VoteRefused::AlreadySettled(_) | VoteRefused::SignInExpired) => {
                assert_eq!((voices, ends), (0, 1));
                assert!(matches!(
                    block_on(world.gate().resume(request)),
                    Err(Refusal::Expired)
                ));
            }
            other => panic!("{other:?}"),
        }
    }
    let trusted = world.keys.trusted();
    world.close();
    log::assert_sound(&store, &trusted);
}

/// Counts how often what it belongs to would be polled.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a caller who waits holds.
type Waiter<'g> = Pin<Box<dyn Future<Output = Result<Permit, Refusal>> + Send + 'g>>;

/// Unoptimised code takes minutes to file and verify so many requests; `cargo test --release` has them all.
const WAITING: i64 = if cfg!(debug_assertions) {
    5_000
} else {
    100_000
};

#[test]
fn a_decision_polls_only_the_waiters_of_its_own_request() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, store, |opening| opening);
    let gate = world.gate();
    let numbers: Vec<i64> = (0..WAITING).collect();
    let mut requests = Vec::new();
    for chunk in numbers.chunks(1000) {
        for filing in block_on(join_all(
            chunk.iter().map(|amount| gate.request(pay(*amount))),
        )) {
            match filing.unwrap() {
                countersign::gate::Filing::Waiting(request) => requests.push(request),
                countersign::gate::Filing::Permitted(_) => panic!("it was allowed without people"),
            }
        }
    }
    let mut waiting: Vec<(Waiter<'_>, Arc<Wakes>)> = Vec::new();
    for request in &requests {
        let (mut waiter, wakes) = (gate.resume(*request), Arc::new(Wakes::default()));
        let waker = Waker::from(Arc::clone(&wakes));
        let polled = waiter.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        waiting.push((waiter, wakes));
    }
    world.clock.settled(1);
    for (_, wakes) in &waiting {
        wakes.0.store(0, Ordering::SeqCst);
    }
    let chosen = requests.len() / 2;
    let _voted = world.approve("rita", requests[chosen]).unwrap();
    // Commits come one after the other: once this one is answered, everybody whom the first one concerns has been woken.
    let other = world.file(wire(1));
    let _voted = world.approve("rita", other).unwrap();
    let woken: Vec<(usize, usize)> = waiting
        .iter()
        .enumerate()
        .map(|(place, (_, wakes))| (place, wakes.0.load(Ordering::SeqCst)))
        .filter(|(_, wakes)| *wakes > 0)
        .collect();
    assert_eq!(
        woken,
        [(chosen, 1)],
        "one decision is one poll of its own waiter"
    );
    let waker = Waker::noop();
    match waiting[chosen]
        .0
        .as_mut()
        .poll(&mut Context::from_waker(waker))
    {
        Poll::Ready(Ok(_permit)) => {}
        other => panic!("it was woken for nothing: {:?}", other.map(|_| ())),
    };
}

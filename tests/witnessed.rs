//! A running library whose log is watched by witnesses: every commit is shown to them, and nothing waits for it but what rules have
//! wait.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod fake_witness;
mod watched;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use common::{PEOPLE, RULES, World, bot, pay, read, start, wire};
use countersign::action::SessionId;
use countersign::audit::Audit;
use countersign::clock::ManualClock;
use countersign::gate::{ApprovalGate, ApprovalGateExt, Cause, Gate, Refusal};
use countersign::host::{Countersign, Opening};
use countersign::ledger::OpenError;
use countersign::log::{Note, Origin, Seq, StoredRecord, Verdict, Window, WitnessPolicy};
use countersign::policy::{
    Evaluation, Needs, Obligation, Phase, PolicyError, PolicyEvaluator, PolicyRevision, Question,
};
use countersign::store::{MemoryStore, Query, Store};
use countersign::witness::{Request, Response, Transport, TransportError};
use fake_witness::{FakeWitness, Mood, Wire};
use futures::executor::block_on;
use watched::{
    ORIGIN, apart, fresh_keys, hear, origin, policy_of, process, process_by, size, until, watched,
    watched_by, witnesses_of, work,
};

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

/// The bodies of all records of a kind, with their numbers.
fn bodies(store: &impl Store, kind: &str) -> Vec<(u64, serde_json::Value)> {
    let all = block_on(store.read(Seq::new(0), NonZeroU32::new(10_000).unwrap())).unwrap();
    let read = |record: &StoredRecord| {
        let mut statement: serde_json::Value = serde_json::from_slice(&record.statement).unwrap();
        let predicate = &mut statement["predicate"];
        (predicate["kind"] == kind).then(|| (record.seq.get(), predicate["body"].take()))
    };
    all.iter().filter_map(read).collect()
}

/// Lets time pass until a witness knows the last record of a kind, and says which that is.
fn known(world: &World, stored: &mpsc::Receiver<u64>, store: &impl Store, kind: &str) -> u64 {
    loop {
        let size = hear(&world.clock, stored);
        if let Some((seq, _)) = bodies(store, kind).pop()
            && size > seq
        {
            return seq;
        }
    }
}

/// The last start says a size beyond its decision, and under the checkpoint of that size stands a quorum.
fn assert_witnessed(store: &impl Store, decided: u64, witnesses: &[Arc<FakeWitness>]) {
    let (start, body) = bodies(store, "started").pop().unwrap();
    let size = body["witnessed"].as_u64().unwrap();
    assert!(
        decided < size && size <= start,
        "{decided} < {size} <= {start}"
    );
    let found = block_on(store.find(Query::Checkpoint { at_least: size }));
    let (filed, note) = found.unwrap().checkpoint().unwrap().unwrap();
    assert_eq!(filed, size);
    let policy = policy_of(witnesses);
    let note = Note::parse(&note).unwrap();
    assert_eq!(
        policy.witnessed(&note, [], Window::ALWAYS).map(drop),
        Ok(())
    );
}

#[test]
fn what_is_to_be_witnessed_runs_once_a_quorum_knows_the_decision() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 2);
    witnesses[1].feels(Mood::Away);
    let store = Arc::new(MemoryStore::new());
    let (world, stored) = watched_by(&store, &keys, &witnesses);
    let (gate, seen) = (world.gate(), witnesses.clone());
    let run = apart(async move {
        let known = async |_| {
            let held = seen.iter().map(|witness| witness.holds(&origin()));
            Ok::<_, String>(held.min().unwrap())
        };
        gate.run(read(), known).await
    });
    // The first one knows it, and the log goes on; that is not enough.
    let decided = known(&world, &stored, &store, "requested");
    assert_eq!(bodies(&store, "requested")[0].1["witnessed"], true);
    for amount in 1..4 {
        let _filed = world.file(pay(amount));
    }
    assert!(run.try_recv().is_err());
    assert!(bodies(&store, "started").is_empty());
    witnesses[1].feels(Mood::Honest);
    let held = hear(&world.clock, &run).unwrap();
    assert!(
        held > decided,
        "the effect was called when they knew {held} records"
    );
    assert_witnessed(&store, decided, &witnesses);
    world.close();

    // Who believes these witnesses finds them; who believes others hears that they are not there.
    let notes = |policy| {
        let mut reader = store.log_reader();
        let audit = Audit::of(&mut reader).trusting(keys.trusted());
        let report = audit.witnessed_by(policy, Window::ALWAYS).run();
        assert_ne!(report.verdict.exit_code(), 1, "{}", report.verdict);
        assert_ne!(report.verdict.exit_code(), 2, "{}", report.verdict);
        let notes = report.notes.into_iter();
        notes
            .filter(|note| note.contains("says that witnesses knew"))
            .count()
    };
    assert_eq!(notes(policy_of(&witnesses)), 0);
    assert_eq!(notes(policy_of(&witnesses_of(&keys, 3))), 1);
}

#[test]
fn what_witnesses_do_not_know_in_time_expires() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 2);
    witnesses[1].feels(Mood::Away);
    let store = Arc::new(MemoryStore::new());
    let (world, stored) = watched_by(&store, &keys, &witnesses);
    let gate = world.gate();
    let run = apart(async move { gate.run(read(), async |_| Ok(())).await });
    known(&world, &stored, &store, "requested");
    let refusal = loop {
        match run.recv_timeout(Duration::from_millis(5)) {
            Ok(answer) => break answer.unwrap_err(),
            Err(_) => world.clock.advance(Duration::from_secs(60)),
        }
    };
    assert!(matches!(refusal, Refusal::Expired), "{refusal}");
    assert!(bodies(&store, "started").is_empty());
    world.close();
}

#[test]
fn a_witness_that_contradicts_keeps_what_waits_for_witnesses_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 2);
    let store = Arc::new(MemoryStore::new());
    let (world, stored) = watched_by(&store, &keys, &witnesses);
    until(&world, &stored, size(&store), 2);
    witnesses[1].feels(Mood::Says(422, Vec::new()));
    for _ in 0..2 {
        let gate = world.gate();
        let run = apart(async move { gate.run(read(), async |_| Ok(())).await });
        let refusal = hear(&world.clock, &run).unwrap_err();
        let cause = Refusal::CouldNotDecide(Cause::WitnessContradicts);
        assert_eq!(refusal.to_string(), cause.to_string());
    }
    assert!(bodies(&store, "started").is_empty());
    // What needs no witness goes on.
    let request = world.file(wire(5));
    let _ = world.approve("rita", request).unwrap();
    let _ = world.approve("dan", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<_, String>(()))).unwrap();
    world.close();
}

#[test]
fn rules_that_rely_on_witnesses_are_refused_without_any() {
    let open = |choose: &dyn Fn(Opening) -> Opening| {
        let folder = tempfile::tempdir().unwrap();
        let keys = fresh_keys(folder.path());
        let store = Arc::new(MemoryStore::new());
        let clock = ManualClock::new(start());
        let shared = Arc::clone(&store);
        let rules = watched();
        let begun = World::begin(&rules, PEOPLE, shared, keys, clock, folder, choose);
        let error = block_on(begun).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::NoWitnesses), "{error}");
        assert!(block_on(store.head()).unwrap().is_none());
    };
    open(&|opening| opening);
    open(&|opening| {
        let nobody = WitnessPolicy::parse(b"quorum none\n").unwrap();
        opening.with_witnesses(nobody, Wire::default())
    });
}

/// An engine that asks for witnesses at the start alone, and tells nobody beforehand.
#[derive(Debug)]
struct AtTheStart(PolicyRevision, Needs);

#[async_trait]
impl PolicyEvaluator for AtTheStart {
    fn needs(&self) -> &Needs {
        &self.1
    }
    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        let allow = countersign::policy::Verdict::Allow;
        let mut answer = Evaluation::new(allow, self.0.clone());
        if let Phase::Enforce { .. } = question.phase {
            answer.obligations.push(Obligation::witnessed());
        }
        Ok(answer)
    }
    fn revision(&self) -> &PolicyRevision {
        &self.0
    }
}

#[test]
fn policy_that_asks_for_witnesses_at_the_start_alone_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 1);
    let clock = ManualClock::new(start());
    let run = |store: &Arc<MemoryStore>, choose: &dyn Fn(Opening) -> Opening| {
        let engine = AtTheStart(PolicyRevision::of("test/1", b""), Needs::nothing());
        let people = countersign::StaticDirectory::from_toml(PEOPLE).unwrap();
        let people = people.with_clock(clock.clone());
        let opening = Countersign::open(Arc::clone(store), keys.clone(), engine, people);
        let opening = opening.with_origin(ORIGIN).with_clock(clock.clone());
        let opening = choose(opening.with_permit_lifetime(Duration::from_secs(3600)));
        let countersign = block_on(opening.into_future()).unwrap();
        let session = SessionId::new("session-1").unwrap();
        let gate = countersign.gate(bot(), session).unwrap();
        let run = apart(async move { gate.run(read(), async |_| Ok(())).await });
        let answer = hear(&clock, &run);
        block_on(countersign.close());
        answer
    };
    let store = Arc::new(MemoryStore::new());
    let refusal = run(&store, &|opening| opening).unwrap_err();
    let nobody = Refusal::CouldNotDecide(Cause::NoWitnesses);
    assert_eq!(refusal.to_string(), nobody.to_string());
    assert!(bodies(&store, "started").is_empty());

    let store = Arc::new(MemoryStore::new());
    let watched =
        |opening: Opening| opening.with_witnesses(policy_of(&witnesses), Wire(witnesses.clone()));
    run(&store, &watched).unwrap();
    let [(decided, body)] = bodies(&store, "requested").try_into().unwrap();
    assert_eq!(body["witnessed"], serde_json::Value::Null);
    assert_witnessed(&store, decided, &witnesses);
}

#[test]
fn what_people_approved_waits_for_witnesses_in_whatever_process_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 1);
    let store = Arc::new(MemoryStore::new());
    let (world, _stored) = watched_by(&store, &keys, &witnesses);
    witnesses[0].feels(Mood::Away);
    let request = world.file(pay(5));
    assert_eq!(world.file(pay(5)), request, "an equal one joins it");
    let _ = world.approve("rita", request).unwrap();
    let resume = |world: &World| {
        let permit = block_on(world.gate().resume(request)).unwrap();
        apart(async move { permit.run(async |_| Ok(())).await })
    };
    let run = resume(&world);
    world.clock.advance(Duration::from_secs(30));
    assert!(run.try_recv().is_err());
    world.close();
    let closed = run.recv().unwrap().unwrap_err();
    assert!(matches!(closed, Refusal::CouldNotDecide(Cause::Closed)));

    // Rules that ask less do not take back what was asked for.
    let (world, _stored) = process_by(RULES, Arc::clone(&store), &keys, &[], Wire::default());
    let refusal = hear(&world.clock, &resume(&world)).unwrap_err();
    let nobody = Refusal::CouldNotDecide(Cause::NoWitnesses);
    assert_eq!(refusal.to_string(), nobody.to_string());
    world.close();

    let (world, _stored) = watched_by(&store, &keys, &witnesses);
    let run = resume(&world);
    assert!(run.try_recv().is_err());
    assert!(bodies(&store, "started").is_empty());
    witnesses[0].feels(Mood::Honest);
    hear(&world.clock, &run).unwrap();
    let (decided, _) = bodies(&store, "voted").pop().unwrap();
    assert_witnessed(&store, decided, &witnesses);
    world.close();
}

#[test]
fn rules_that_came_to_ask_for_witnesses_hold_for_what_was_approved_before() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 1);
    let store = Arc::new(MemoryStore::new());
    let (world, _stored) = process_by(RULES, Arc::clone(&store), &keys, &[], Wire::default());
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    world.close();

    let (world, _stored) = watched_by(&store, &keys, &witnesses);
    let permit = block_on(world.gate().resume(request)).unwrap();
    let run = apart(async move { permit.run(async |_| Ok(())).await });
    hear(&world.clock, &run).unwrap();
    let (_, body) = bodies(&store, "started").pop().unwrap();
    assert_eq!(body["requirement"]["witnessed"], true);
    let (decided, _) = bodies(&store, "voted").pop().unwrap();
    assert_witnessed(&store, decided, &witnesses);
    world.close();
}

#[test]
fn a_start_that_waits_for_witnesses_hears_that_the_approval_was_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 1);
    let store = Arc::new(MemoryStore::new());
    let (world, _stored) = watched_by(&store, &keys, &witnesses);
    witnesses[0].feels(Mood::Away);
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let run = apart(async move { permit.run(async |_| Ok(())).await });
    let reason = countersign::desk::Reason::new("not today").unwrap();
    let rita = world.approver("rita");
    let _ = block_on(world.desk.revoke(&rita, request, reason)).unwrap();
    let refusal = run.recv().unwrap().unwrap_err();
    assert!(matches!(refusal, Refusal::Revoked), "{refusal}");
    world.close();
}

/// Has something filed after each question to a witness, so that the newest checkpoint is another one each time.
#[derive(Debug)]
struct Growing(Wire, Arc<Mutex<Option<Gate>>>, AtomicI64);

#[async_trait]
impl Transport for Growing {
    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let answer = self.0.exchange(request).await;
        if let Some(gate) = self.1.lock().unwrap().as_ref() {
            // An equal one would only join the one before.
            let another = wire(self.2.fetch_add(1, Ordering::Relaxed));
            std::thread::scope(|scope| {
                scope.spawn(|| drop(block_on(gate.request(another)).unwrap()));
            });
        }
        answer
    }
}

#[test]
fn a_log_that_grows_between_the_questions_has_a_quorum_for_whoever_waits() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 3);
    let store = Arc::new(MemoryStore::new());
    let filing = Arc::new(Mutex::new(None));
    let growing = Growing(
        Wire(witnesses.clone()),
        Arc::clone(&filing),
        AtomicI64::new(1),
    );
    let shared = Arc::clone(&store);
    let (world, _stored) = process_by(&watched(), shared, &keys, &witnesses, growing);
    *filing.lock().unwrap() = Some(world.gate());
    let gate = world.gate();
    let run = apart(async move { gate.run(read(), async |_| Ok(())).await });
    hear(&world.clock, &run).unwrap();
    let requested = bodies(&store, "requested").into_iter();
    let mut allowed = requested.filter(|(_, body)| body["verdict"] == "allow");
    let (decided, _) = allowed.next().unwrap();
    assert_witnessed(&store, decided, &witnesses);
    *filing.lock().unwrap() = None;
    world.close();
}

/// Reaches nobody until it is let.
#[derive(Debug)]
struct Cut(Wire, Arc<AtomicBool>);

#[async_trait]
impl Transport for Cut {
    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        match self.1.load(Ordering::Relaxed) {
            true => self.0.exchange(request).await,
            false => Err(TransportError::new("it is cut")),
        }
    }
}

#[test]
fn what_witnesses_cosigned_for_another_process_counts_for_whoever_waits() {
    let folder = tempfile::tempdir().unwrap();
    let keys = fresh_keys(folder.path());
    let witnesses = witnesses_of(&keys, 2);
    let store = Arc::new(MemoryStore::new());
    let reached = Arc::new(AtomicBool::new(false));
    let cut = Cut(Wire(witnesses.clone()), Arc::clone(&reached));
    let shared = Arc::clone(&store);
    let (world, _stored) = process_by(&watched(), shared, &keys, &witnesses, cut);
    let request = world.file(pay(5));
    let _ = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let run = apart(async move { permit.run(async |_| Ok(())).await });
    assert!(run.try_recv().is_err());
    let (decided, _) = bodies(&store, "voted").pop().unwrap();

    // The witnesses know a log of another process that is longer by far.
    let theirs = Arc::new(AtomicBool::new(false));
    let cut = Cut(Wire(witnesses.clone()), Arc::clone(&theirs));
    let (other, stored) = process(Arc::clone(&store), &keys, &witnesses, cut);
    for _ in 0..5 {
        work(&other);
    }
    theirs.store(true, Ordering::Relaxed);
    until(&other, &stored, size(&store), 2);
    other.close();
    assert!(run.try_recv().is_err());
    reached.store(true, Ordering::Relaxed);
    hear(&world.clock, &run).unwrap();
    assert_witnessed(&store, decided, &witnesses);
    world.close();
}

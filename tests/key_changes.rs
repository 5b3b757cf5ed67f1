//! An operator changes the keys of a log while processes work on it.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{PEOPLE, RULES, World, pay, read, start};
use countersign::audit::Audit;
use countersign::clock::{Clock, ManualClock};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Cause, Filing, Refusal, RunError};
use countersign::ledger::{Keys, OpenError};
use countersign::log::{Revocation, Role, SecretKey, Signer, TrustedKeys, Verdict};
use countersign::store::SqliteStore;
use futures::FutureExt;
use futures::executor::block_on;

fn open(folder: &Path, keys: Keys) -> Result<World, OpenError> {
    let store = SqliteStore::open_or_create(folder.join("log.sqlite")).unwrap();
    let clock = ManualClock::new(start());
    let own = tempfile::tempdir().unwrap();
    block_on(World::begin(RULES, PEOPLE, store, keys, clock, own, |it| {
        it
    }))
}

fn new_key() -> Arc<dyn Signer> {
    Arc::new(SecretKey::generate().unwrap())
}

/// What an auditor finds who was given these keys at the beginning.
fn verdict(folder: &Path, keys: &TrustedKeys) -> Verdict {
    let store = SqliteStore::open_read_only(folder.join("log.sqlite")).unwrap();
    let mut reader = store.log_reader().unwrap();
    let audit = Audit::of(&mut reader).trusting(keys.clone());
    audit.comparing(&store).run().verdict
}

#[track_caller]
fn assert_intact(folder: &Path, keys: &TrustedKeys) {
    let verdict = verdict(folder, keys);
    assert!(
        matches!(verdict, Verdict::IntactUnanchored { .. }),
        "{verdict}"
    );
}

fn runs(world: &World) -> Result<(), String> {
    let done = block_on(
        world
            .gate()
            .run(read(), async |_| Ok::<_, std::io::Error>(())),
    );
    done.map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_process_goes_on_with_the_keys_that_took_the_place_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(folder.path().join("keys")).unwrap();
    let begun_with = keys.trusted();
    let world = open(folder.path(), keys.clone()).unwrap();
    runs(&world).unwrap();
    let operator = world
        .countersign
        .operator(Arc::clone(keys.signer(Role::Operator).unwrap()))
        .unwrap();
    let mut after = keys.clone();
    for role in Role::ALL {
        let (old, new) = (Arc::clone(keys.signer(role).unwrap()), new_key());
        block_on(operator.rotate_key(old, Arc::clone(&new))).unwrap();
        after = after.with_signer(role, new);
        runs(&world).unwrap();
        let request = world.file(pay(role as i64));
        let _ = world.approve("rita", request).unwrap();
    }
    world.close();
    assert_intact(folder.path(), &begun_with);

    // Whoever still has the old ones is told so, and nobody else takes the log for a stranger's.
    let refused = open(folder.path(), keys).err().unwrap();
    assert!(matches!(refused, OpenError::ForeignKey { .. }), "{refused}");
    let world = open(folder.path(), after).unwrap();
    runs(&world).unwrap();
    world.close();
    assert_intact(folder.path(), &begun_with);
}

#[test]
fn another_process_with_the_old_key_writes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(folder.path().join("keys")).unwrap();
    let (one, other) = (
        open(folder.path(), keys.clone()).unwrap(),
        open(folder.path(), keys.clone()).unwrap(),
    );
    runs(&other).unwrap();
    let operator = one
        .countersign
        .operator(Arc::clone(keys.signer(Role::Operator).unwrap()))
        .unwrap();
    let old = Arc::clone(keys.signer(Role::Gate).unwrap());
    block_on(operator.rotate_key(old, new_key())).unwrap();
    let refused = runs(&other).unwrap_err();
    assert!(refused.contains("was rotated or revoked"), "{refused}");
    // What it signs with keys that are still in force it may go on writing.
    let request = one.file(pay(1));
    let _ = other.approve("rita", request).unwrap();
    runs(&one).unwrap();
    one.close();
    other.close();
    assert_intact(folder.path(), &keys.trusted());
}

#[test]
fn a_desk_that_was_added_later_decides_and_one_that_was_revoked_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(folder.path().join("keys")).unwrap();
    let gate = open(folder.path(), keys.clone()).unwrap();
    let own = Keys::create_for(
        folder.path().join("desk"),
        [Role::Desk, Role::Gate, Role::Checkpoint],
    )
    .unwrap()
    .begun_by(keys.signer(Role::Gate).unwrap().public().clone())
    .with_value_keys_in(folder.path().join("keys"));
    assert!(matches!(
        open(folder.path(), own.clone()).err().unwrap(),
        OpenError::ForeignKey { .. }
    ));
    let operator = gate
        .countersign
        .operator(Arc::clone(keys.signer(Role::Operator).unwrap()))
        .unwrap();
    for role in [Role::Desk, Role::Gate, Role::Checkpoint] {
        let key = Arc::clone(own.signer(role).unwrap());
        block_on(operator.add_key(key, [role])).unwrap();
    }
    let desk = open(folder.path(), own.clone()).unwrap();
    let request = gate.file(pay(1));
    let _ = desk.approve("rita", request).unwrap();
    let permit = block_on(gate.gate().resume(request)).unwrap();
    let _ = block_on(permit.run(async |_| Ok::<_, std::io::Error>(()))).unwrap();

    let request = gate.file(pay(2));
    let id = own.signer(Role::Desk).unwrap().public().id();
    block_on(operator.revoke_key(id, Revocation::Retired)).unwrap();
    assert!(desk.approve("rita", request).is_err());
    let _ = gate.approve("rita", request).unwrap();
    drop(block_on(gate.gate().resume(request)).unwrap());
    desk.close();
    gate.close();
    assert_intact(folder.path(), &keys.trusted());
}

#[test]
fn what_cannot_be_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(folder.path().join("keys")).unwrap();
    let world = open(folder.path(), keys.clone()).unwrap();
    let operator = world
        .countersign
        .operator(Arc::clone(keys.signer(Role::Operator).unwrap()))
        .unwrap();
    let own = |role| Arc::clone(keys.signer(role).unwrap());
    let id = |role| own(role).public().id();
    for refused in [
        block_on(operator.add_key(own(Role::Gate), [Role::Desk])),
        block_on(operator.add_key(new_key(), [])),
        block_on(operator.rotate_key(new_key(), new_key())),
        block_on(operator.rotate_key(own(Role::Gate), own(Role::Desk))),
        block_on(operator.revoke_key(id(Role::Checkpoint), Revocation::Lost)),
        block_on(operator.revoke_key(new_key().public().id(), Revocation::Lost)),
    ] {
        refused.unwrap_err();
    }
    runs(&world).unwrap();
    // After the operator's own key is gone nobody changes keys any more.
    block_on(operator.revoke_key(id(Role::Operator), Revocation::Lost)).unwrap();
    block_on(operator.add_key(new_key(), [Role::Desk])).unwrap_err();
    runs(&world).unwrap();
    assert!(matches!(
        block_on(world.gate().request(pay(3))).unwrap(),
        Filing::Waiting(_)
    ));
    world.close();
    assert_intact(folder.path(), &keys.trusted());
}

#[test]
fn a_vote_that_a_thief_of_the_desks_key_may_have_cast_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(folder.path().join("keys")).unwrap();
    let one = open(folder.path(), keys.clone()).unwrap();
    let early = one.file(pay(1));
    let _ = one.approve("rita", early).unwrap();
    one.clock.advance(Duration::from_secs(60));
    let stolen = one.clock.now();
    let late = one.file(pay(2));
    let _ = one.approve("rita", late).unwrap();
    // Another process, which is not told: it holds a permit already, and is to hear of it by itself.
    let other = open(folder.path(), keys.clone()).unwrap();
    other.clock.advance(Duration::from_secs(60));
    let permit = block_on(other.gate().resume(late)).unwrap();

    let operator = Arc::clone(keys.signer(Role::Operator).unwrap());
    let operator = one.countersign.operator(operator).unwrap();
    let desk = keys.signer(Role::Desk).unwrap().public().id();
    let why = Revocation::Compromised { since: stolen };
    block_on(operator.revoke_key(desk, why)).unwrap();

    let ran = block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }));
    assert!(
        matches!(
            ran,
            Err(RunError::Refused(Refusal::CouldNotDecide(
                Cause::BackToReviewers
            )))
        ),
        "{ran:?}"
    );
    // It waits for people again.
    assert!(one.gate().resume(late).now_or_never().is_none());
    // What was decided before counts.
    let permit = block_on(one.gate().resume(early)).unwrap();
    let _ = block_on(permit.run(async |_| Ok::<_, String>(()))).unwrap();
    one.close();
    other.close();
    let verdict = verdict(folder.path(), &keys.trusted());
    // The vote is there, and somebody else may have cast it (S12); nothing is broken.
    assert!(matches!(verdict, Verdict::CannotVerify { .. }), "{verdict}");
}

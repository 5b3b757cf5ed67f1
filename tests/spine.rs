//! The whole way of an action: policy, people, permit, effect, record.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{World, pay, read, wire};
use countersign::action::Action;
use countersign::gate::{ApprovalGate, ApprovalGateExt, Refusal, RunError};
use countersign::log::{Kind, KnownOr, Receipt, Seq};
use futures::executor::block_on;

#[test]
fn an_allowed_action_runs_with_its_bound_parameters_and_leaves_a_receipt() {
    let world = World::new();
    let done = block_on(world.gate().run(read(), async |authorized| {
        authorized.parameter::<String>("table")
    }))
    .unwrap();
    assert_eq!(done.value(), "customers");
    assert!(done.receipt().is_ok());
}

#[test]
fn a_record_is_shared_with_some_of_its_fields() {
    let world = World::new();
    let request = world.file(pay(5));
    let _voted = world.approve("rita", request).unwrap();
    let keys = world.countersign.trusted_keys();
    let requested = (0..)
        .map(|seq| block_on(world.countersign.receipt(Seq::new(seq))).unwrap())
        .find(|receipt| {
            let verified = receipt.verify_with_keys(&keys).unwrap();
            assert!(verified.members().is_empty(), "nobody chose any");
            verified.record().statement().kind == KnownOr::Known(Kind::Requested)
        })
        .unwrap();
    let shared = block_on(
        world
            .countersign
            .receipt_disclosing(requested.seq(), |member| {
                member == "/bound/parameters/amount"
            }),
    );
    let file = shared.unwrap().to_bytes();

    let verified = Receipt::from_bytes(&file)
        .unwrap()
        .verify_with_keys(&keys)
        .unwrap();
    let amount = verified.member("/bound/parameters/amount").unwrap();
    assert_eq!(amount.as_i64(), Some(5));
    assert_eq!(verified.members().len(), 1);
    assert!(verified.withheld() > 0);
}

#[test]
fn a_denied_action_never_reaches_its_effect() {
    let world = World::new();
    let action = Action::named("db.drop").build().unwrap();
    let outcome = block_on(
        world
            .gate()
            .run(action, async |_| -> Result<(), String> { panic!("it ran") }),
    );
    assert!(matches!(
        outcome,
        Err(RunError::Refused(Refusal::Denied(_)))
    ));
}

#[test]
fn what_no_rule_names_is_denied() {
    let world = World::new();
    let action = Action::named("mail.send").build().unwrap();
    assert!(matches!(
        block_on(world.gate().guard(action)),
        Err(Refusal::Denied(_))
    ));
}

#[test]
fn one_person_lets_the_waiting_call_run() {
    let world = World::new();
    let gate = world.gate();
    let waiting = std::thread::spawn(move || {
        block_on(gate.run(pay(5), async |authorized| {
            authorized.parameter::<i64>("amount")
        }))
    });
    let request = loop {
        let open = block_on(world.gate().open_requests()).unwrap();
        if let Some(one) = open.first() {
            break one.request;
        }
        std::thread::yield_now();
    };
    let _voted = world.approve("rita", request).unwrap();
    let done = waiting.join().unwrap().unwrap();
    assert_eq!(done.into_value(), 5);
}

#[test]
fn two_groups_have_to_agree() {
    let world = World::new();
    let request = world.file(wire(7));
    let _voted = world.approve("rita", request).unwrap();
    let _voted = world.approve("dan", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let done =
        block_on(permit.run(async |authorized| authorized.parameter::<i64>("amount"))).unwrap();
    assert_eq!(done.into_value(), 7);
    assert!(matches!(
        block_on(world.gate().resume(request)),
        Err(Refusal::AlreadyTaken)
    ));
}

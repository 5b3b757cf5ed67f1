//! What was approved is what runs: an approval is tied to one request of one requester, and to nothing that looks like it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::ask::{file, forged, is_approved, is_pending, parameters_of_run, review};
use common::{PEOPLE, RULES, World, log, pay, refused, wire};
use countersign::action::{Action, ActionBuilder, ActionDigest, Operation, RequestId, Resource};
use countersign::desk::{Ballot, Review, VoteRefused};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Cause, Refusal, RunError};
use countersign::log::Kind;
use countersign::policy::RuleSet;
use countersign::store::MemoryStore;
use futures::executor::block_on;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Transfer {
    to: String,
    amount: i64,
    #[serde(default)]
    currency: String,
}

impl Operation for Transfer {
    const NAME: &'static str = "pay";

    fn describe(&self, action: ActionBuilder) -> ActionBuilder {
        action.on(Resource::new("account", &self.to))
    }
}

#[test]
fn hitl_b1_votes_carry_no_action_fields() {
    let world = World::new();
    let request = world.file(pay(5));
    let ballot = review(&world, "rita", request).approve();
    let text = String::from_utf8(ballot.to_json()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let members: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(members, ["action", "decision", "request", "shown"]);
    for member in [
        r#""tool":"shell""#,
        r#""name":"wire""#,
        r#""parameters":{"amount":6}"#,
        r#""amount":6"#,
        r#""person":"corp/dan""#,
        r#""action":"wire""#,
    ] {
        let more = format!("{{{member},{}", &text[1..]);
        assert!(Ballot::parse(more.as_bytes()).is_err(), "{more}");
    }
    let _voted = block_on(world.desk.vote(&world.approver("rita"), ballot)).unwrap();
    assert_eq!(
        parameters_of_run(&world.gate(), request),
        r#"{"amount":5,"iban":"DE02120300000000202051"}"#
    );
}

#[test]
fn hitl_b2_a_change_by_the_caller_after_filing_is_not_what_runs() {
    let world = World::new();
    let gate = world.gate();
    let mut arguments = vec!["invoice".to_owned(), "999".to_owned()];
    let action = Action::named("pay")
        .parameter("arguments", arguments.clone())
        .build()
        .unwrap();
    let request = file(&gate, action);
    arguments[1] = "1000000".to_owned();
    let _voted = world.approve("rita", request).unwrap();
    arguments.push("--force".to_owned());
    let permit = block_on(gate.resume(request)).unwrap();
    let done =
        block_on(permit.run(async |authorized| authorized.parameter::<Vec<String>>("arguments")))
            .unwrap();
    assert_eq!(*done.value(), ["invoice", "999"]);
    assert_ne!(*done.value(), arguments);
}

#[test]
fn hitl_b3_the_effect_reads_its_parameters_from_the_bound_action() {
    let world = World::new();
    let gate = world.gate();
    let asked = Transfer {
        to: "alice".to_owned(),
        amount: 1,
        currency: "EUR".to_owned(),
    };
    let request = file(&gate, Action::of(&asked).build().unwrap());
    // Whatever the type holds is asked about: there is no argument beside it.
    let card = review(&world, "rita", request);
    for value in ["alice", "1", "EUR"] {
        let shown = card
            .card()
            .facts()
            .iter()
            .any(|fact| fact.value().contains(value));
        assert!(shown, "`{value}` is not on the card");
    }
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(gate.resume(request)).unwrap();
    let permit = permit.typed::<Transfer>().unwrap();
    let done =
        block_on(permit.run(async |authorized| Ok::<_, String>(authorized.into_operation())))
            .unwrap();
    assert_eq!(done.into_value(), asked);
}

#[test]
fn hitl_b4_a_rewrite_after_approval_is_another_request() {
    let world = World::new();
    let gate = world.gate();
    let request = file(&gate, pay(5));
    let _voted = world.approve("rita", request).unwrap();
    let rewritten = |amount: &str, more: &str| {
        Action::named("pay")
            .parameters_json(format!(r#"{{"amount":{amount}{more}}}"#).as_bytes())
            .sensitive("iban", "DE02120300000000202051")
            .build()
            .unwrap()
    };
    for (what, action) in [
        ("a coerced type", rewritten(r#""5""#, "")),
        ("a default", rewritten("5", r#","currency":"EUR""#)),
        ("a null", rewritten("5", r#","currency":null"#)),
        ("a fraction", rewritten("5.01", "")),
    ] {
        let other = file(&gate, action);
        assert_ne!(other, request, "{what}");
        assert!(is_pending(&gate, other), "{what} is approved");
    }
    assert!(is_approved(&gate, request));
    assert_eq!(
        parameters_of_run(&gate, request),
        r#"{"amount":5,"iban":"DE02120300000000202051"}"#
    );
}

#[test]
fn hitl_b5_a_decision_finds_its_request_by_id_and_digest() {
    let world = World::new();
    let gate = world.gate();
    let requests: Vec<RequestId> = (0..4).map(|amount| file(&gate, pay(amount))).collect();
    let rita = world.approver("rita");
    let reviews: Vec<Review> = requests
        .iter()
        .map(|request| review(&world, "rita", *request))
        .collect();
    // The last is decided first, and the first is withdrawn meanwhile, so that every place moves.
    let _voted = block_on(world.desk.vote(&rita, reviews[3].approve())).unwrap();
    block_on(gate.withdraw(requests[0])).unwrap();
    let _voted = block_on(world.desk.vote(&rita, reviews[1].approve())).unwrap();
    let approved: Vec<bool> = requests
        .iter()
        .map(|request| is_approved(&gate, *request))
        .collect();
    assert_eq!(approved, [false, true, false, true]);
    assert!(parameters_of_run(&gate, requests[1]).contains(r#""amount":1"#));
    assert!(parameters_of_run(&gate, requests[3]).contains(r#""amount":3"#));
}

#[test]
fn hitl_b6_a_known_request_id_with_another_digest_is_refused() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let gate = world.gate();
    let (small, large) = (file(&gate, pay(5)), file(&gate, pay(1_000_000)));
    let rita = world.approver("rita");
    let before = log::kinds(store.as_ref());
    let ballot = review(&world, "rita", small).approve();
    let other = review(&world, "rita", large);
    for ballot in [
        forged(&ballot, &small.to_string(), &large.to_string()),
        forged(
            &ballot,
            &review(&world, "rita", small).action().to_string(),
            &other.action().to_string(),
        ),
        forged(
            &ballot,
            &review(&world, "rita", small).action().to_string(),
            &"0".repeat(64),
        ),
    ] {
        let refused = block_on(world.desk.vote(&rita, ballot));
        assert!(
            matches!(refused, Err(VoteRefused::OtherAction)),
            "{refused:?}"
        );
    }
    assert_eq!(log::kinds(store.as_ref()), before);
    assert!(is_pending(&gate, small) && is_pending(&gate, large));
}

#[test]
fn hitl_b7_a_stale_ballot_does_not_reach_a_newer_request() {
    let world = World::new();
    let gate = world.gate();
    let old = file(&gate, pay(5));
    let late = review(&world, "rita", old).approve();
    block_on(gate.withdraw(old)).unwrap();
    // The same action, by the same actor, in the same session.
    let new = file(&gate, pay(5));
    assert_ne!(new, old);
    let rita = world.approver("rita");
    let refused = block_on(world.desk.vote(&rita, late.clone()));
    assert!(
        matches!(refused, Err(VoteRefused::AlreadySettled(_))),
        "{refused:?}"
    );
    let renamed = forged(&late, &old.to_string(), &new.to_string());
    let refused = block_on(world.desk.vote(&rita, renamed));
    assert!(
        matches!(refused, Err(VoteRefused::OtherAction)),
        "{refused:?}"
    );
    assert!(is_pending(&gate, new));
}

#[test]
fn hitl_b12_a_shortened_digest_is_no_digest() {
    let world = World::new();
    let request = world.file(pay(5));
    let review = review(&world, "rita", request);
    let whole = review.action().to_string();
    assert_eq!(whole.len(), 64, "256 bits");
    let text = String::from_utf8(review.approve().to_json()).unwrap();
    for length in [6, 16, 40, 63] {
        let short = &whole[..length];
        assert!(ActionDigest::parse(short).is_err());
        assert!(Ballot::parse(text.replace(&whole, short).as_bytes()).is_err());
    }
    assert!(Ballot::parse(text.replace(&whole, &whole.to_uppercase()).as_bytes()).is_err());
    // What a person types is the beginning; one that begins alike is still another.
    let last = if whole.ends_with('0') { '1' } else { '0' };
    let alike = format!("{}{last}", &whole[..63]);
    let alike = Ballot::parse(text.replace(&whole, &alike).as_bytes()).unwrap();
    let refused = block_on(world.desk.vote(&world.approver("rita"), alike));
    assert!(
        matches!(refused, Err(VoteRefused::OtherAction)),
        "{refused:?}"
    );
}

#[test]
fn hitl_b15_a_policy_changed_after_approval_is_asked_again_at_the_start() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let denied = world.file(pay(5));
    let tightened = world.file(wire(7));
    let _voted = world.approve("rita", denied).unwrap();
    let _voted = world.approve("rita", tightened).unwrap();
    let _voted = world.approve("dan", tightened).unwrap();
    let (clock, keys) = (world.clock.clone(), world.keys.clone());
    world.close();
    let rules = format!(
        "{RULES}\n[[rules]]\nid = \"stop\"\neffect = \"deny\"\nwhen = {{ action = \"pay\" }}\n\
         [approvals.three]\nquorum = \"2 of group:security\"\n\
         [[rules]]\nid = \"more\"\neffect = \"approve\"\napproval = \"three\"\nwhen = {{ action = \"wire\" }}\n"
    );
    assert!(RuleSet::from_toml(&rules).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(
        &rules,
        PEOPLE,
        Arc::clone(&store),
        keys,
        clock,
        folder,
        |opening| opening,
    );
    let gate = world.gate();
    let run = |request| {
        let permit = block_on(gate.resume(request)).unwrap();
        block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }))
    };
    let refused = run(denied);
    assert!(
        matches!(refused, Err(RunError::Refused(Refusal::Denied(_)))),
        "{refused:?}"
    );
    let refused = run(tightened);
    assert!(
        matches!(
            refused,
            Err(RunError::Refused(Refusal::CouldNotDecide(
                Cause::BackToReviewers
            )))
        ),
        "{refused:?}"
    );
    assert!(is_pending(&gate, tightened));
    for request in [denied, tightened] {
        assert_eq!(log::count(store.as_ref(), request, Kind::Started), 0);
        assert_eq!(log::count(store.as_ref(), request, Kind::Reassessed), 1);
    }
}

/// An action with every sort of member.
fn export(change: impl FnOnce(ActionBuilder) -> ActionBuilder) -> Action {
    let action = Action::named("pay")
        .parameter("amount", 5)
        .parameter("to", "alice")
        .context("environment", "production");
    change(action).build().unwrap()
}

#[test]
fn policy_40_an_advisory_member_may_change() {
    let world = World::new();
    let gate = world.gate();
    let asked = file(&gate, export(|action| action));
    for action in [
        export(|action| action.because("please, it is urgent")),
        export(|action| action.trace("4bf92f3577b34da6")),
        export(|action| action.because("another reason").trace("another-trace")),
    ] {
        assert_eq!(file(&gate, action), asked, "it is the same request");
    }
    // An agent has no way to move a parameter out of what is bound: what is not advisory makes another request.
    let other = file(&gate, export(|action| action.context("note", "advisory")));
    assert_ne!(other, asked);
    let _voted = world.approve("rita", asked).unwrap();
    assert!(is_pending(&gate, other));
    assert_eq!(
        parameters_of_run(&gate, asked),
        r#"{"amount":5,"to":"alice"}"#
    );
}

#[test]
fn policy_43_shown_hashed_and_run_are_the_same() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let gate = world.gate();
    let action = Action::named("pay")
        .parameters_json(r#"{"amount":98.70,"to":["alice","bob"],"note":"für März"}"#.as_bytes())
        .sensitive("iban", "DE02120300000000202051")
        .build()
        .unwrap();
    let request = file(&gate, action.clone());
    let shown = review(&world, "rita", request);
    let facts: Vec<String> = shown
        .card()
        .facts()
        .iter()
        .map(|fact| format!("{}={}", fact.label(), fact.value()))
        .collect();
    for (name, value) in [
        ("amount", "98.7"),
        ("to", "alice"),
        ("to", "bob"),
        ("note", "für März"),
        ("iban", "DE02120300000000202051"),
    ] {
        let stands = facts
            .iter()
            .any(|fact| fact.contains(name) && fact.contains(value));
        assert!(stands, "{name} {value} in {facts:#?}");
    }
    // What is hashed is what the record's subject says, which everything else is compared with.
    let recorded = log::subjects(store.as_ref(), request);
    assert!(recorded.iter().all(|digest| *digest == shown.action()));
    assert_eq!(shown.card().digest(), shown.action());
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(gate.resume(request)).unwrap();
    assert_eq!(permit.action().parameters(), action.parameters());
    let done =
        block_on(permit.run(async |authorized| Ok::<_, String>(authorized.action().clone())))
            .unwrap();
    assert_eq!(done.value().parameters(), action.parameters());
    let recorded = log::subjects(store.as_ref(), request);
    assert_eq!(recorded.len(), 4);
    assert!(recorded.iter().all(|digest| *digest == shown.action()));
}

#[test]
fn policy_44_a_late_default_does_not_fit_the_digest() {
    let world = World::new();
    let gate = world.gate();
    // The host reads what the model sent; the default is there before anything is asked.
    let sent = r#"{"to":"alice","amount":5}"#;
    let operation: Transfer = serde_json::from_str(sent).unwrap();
    let filled = file(&gate, Action::of(&operation).build().unwrap());
    let _voted = world.approve("rita", filled).unwrap();
    assert_eq!(
        parameters_of_run(&gate, filled),
        r#"{"amount":5,"currency":"","to":"alice"}"#
    );
    // An action that was approved as it was sent is not run as the filled one.
    let bare = Action::named("pay")
        .operation(1)
        .on(Resource::new("account", "alice"))
        .parameters_json(sent.as_bytes())
        .build()
        .unwrap();
    let bare = file(&gate, bare);
    assert!(is_pending(&gate, bare));
    let _voted = world.approve("rita", bare).unwrap();
    let permit = block_on(gate.resume(bare)).unwrap();
    let refusal = refused(permit.typed::<Transfer>());
    assert!(
        matches!(refusal, Refusal::CouldNotDecide(Cause::NotThisOperation(_))),
        "{refusal:?}"
    );
}

#[test]
fn hoop_t11_there_is_one_copy_of_what_was_approved() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let request = world.file(pay(5));
    let _voted = world.approve("rita", request).unwrap();
    let (clock, keys) = (world.clock.clone(), world.keys.clone());
    world.close();
    // Another process has nothing but the records; the caller who knew the action is gone.
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(RULES, PEOPLE, store, keys, clock, folder, |opening| opening);
    assert_eq!(
        parameters_of_run(&world.gate(), request),
        r#"{"amount":5,"iban":"DE02120300000000202051"}"#
    );
    // A caller who files one action and means another has the one run.
    let gate = world.gate();
    let said = "wire the money";
    let waiting = std::thread::spawn(move || {
        block_on(gate.run(pay(6), async |authorized| {
            let _ = said;
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
    let _voted = world.approve("sam", request).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().into_value(), 6);
}

//! What reviewers are shown is what is bound, and what they vote on is what they were shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod records;

use std::sync::Arc;

use common::{PEOPLE, RULES, World, pay};
use countersign::action::{Action, Salt};
use countersign::approval::{ShownDigest, Status};
use countersign::canonical::Json;
use countersign::desk::{Ballot, Review, VoteRefused, Voted};
use countersign::log::Receipt;
use countersign::notify::{Card, Limits, Page, render};
use countersign::store::{MemoryStore, Query, Store};
use futures::executor::block_on;

fn review(world: &World, subject: &str, action: Action) -> Review {
    let request = world.file(action);
    block_on(world.desk.open(&world.approver(subject), request)).unwrap()
}

#[test]
fn hitl_v1_agent_text_comes_last_and_is_labelled() {
    let world = World::new();
    let lie = "Read-only. Approved by security. action: db.read";
    let action = Action::named("pay")
        .parameter("amount", 5)
        .because(lie)
        .build()
        .unwrap();
    let review = review(&world, "rita", action);
    let card = review.card();
    let fact = |label: &str| {
        card.facts()
            .iter()
            .find(|fact| fact.label() == label)
            .map(|fact| fact.value().to_owned())
    };
    assert_eq!(fact("action").as_deref(), Some("pay"));
    assert_eq!(fact("params.amount").as_deref(), Some("5"));
    assert!(
        card.facts()
            .iter()
            .all(|fact| !fact.value().contains("Read-only")),
        "no fact is in the agent's words"
    );
    let rendered = render(card, &Limits::UNLIMITED, &Page::default());
    let text = rendered.text();
    let (facts, said) = text.split_once(Card::AGENT_SAYS).unwrap();
    assert!(!facts.contains("Read-only") && said.contains("Read-only"));
    assert!(facts.contains("params.amount"));
}

#[test]
fn hitl_v2_hostile_text_is_made_visible() {
    let texts = [
        "\u{1b}[2J\u{1b}[Happroved",
        "safe\rdrop\u{8}\u{7}",
        "\n\n| Risk: LOW\n| approved by: the CISO",
        "invoice_\u{202e}fdp.exe",
        "\u{2066}\u{2069}\u{200b}\u{e0041}\u{feff}",
        "<b>ok</b> [ok](javascript:alert(1)) `ok`",
        "\u{440}\u{430}\u{443}\u{440}\u{430}l",
        &" ".repeat(400),
    ];
    let world = World::new();
    for text in texts {
        let action = Action::named("pay")
            .parameter("note", text)
            .because(text)
            .context("where", text)
            .build()
            .unwrap();
        let review = review(&world, "rita", action);
        let shown = render(review.card(), &Limits::UNLIMITED, &Page::default())
            .text()
            .to_owned();
        for c in shown.chars().filter(|c| *c != '\n') {
            assert!(
                !c.is_control() && !is_invisible(c),
                "{c:?} of {text:?} is on the card"
            );
        }
        assert!(
            shown.lines().all(|line| line.starts_with('|')),
            "each line is the card's own:\n{shown}"
        );
        // Nothing is lost of it: what is shown reads back as the value.
        let note = review
            .card()
            .facts()
            .iter()
            .find(|fact| fact.label() == "params.note")
            .unwrap();
        let inner = note
            .value()
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap();
        assert_eq!(
            countersign::notify::from_visible(inner).as_deref(),
            Some(text)
        );
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The bytes of unpadded base64url text.
fn decoded(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = 0_u32;
    let mut bytes = Vec::new();
    for (index, c) in text.chars().enumerate() {
        bits = bits << 6 | u32::try_from(alphabet.find(c).unwrap()).unwrap();
        if index % 4 != 0 {
            bytes.push((bits >> (6 - 2 * (index % 4))) as u8);
        }
    }
    bytes
}

fn vote(world: &World, subject: &str, ballot: Ballot) -> Result<Voted, VoteRefused> {
    block_on(world.desk.vote(&world.approver(subject), ballot))
}

fn receipt(voted: Result<Voted, VoteRefused>) -> Receipt {
    match voted.unwrap() {
        Voted::Recorded { receipt, .. } => *receipt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hitl_v7_the_signed_vote_says_what_was_shown() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let review = review(&world, "rita", pay(5));
    let receipt = receipt(vote(&world, "rita", review.approve()));
    let verified = receipt
        .verify_with_keys(&world.countersign.trusted_keys())
        .unwrap();
    let record = verified.record();
    let said = record
        .statement()
        .body
        .get("shown")
        .and_then(Json::as_str)
        .map(str::to_owned);
    assert_eq!(said, Some(review.shown().to_string()));
    // With the salt that lies beside it, whoever has the card can see that it is this one.
    let found = block_on(store.find(Query::Disclosures(vec![record.seq()])))
        .unwrap()
        .disclosures()
        .unwrap();
    let opened = found
        .iter()
        .map(|(_, disclosure)| disclosure.clear().unwrap().open().unwrap());
    let salt = opened
        .into_iter()
        .find(|one| one.name == "shown_salt")
        .unwrap();
    let salt = Salt::from_bytes(decoded(salt.value.as_str().unwrap()).try_into().unwrap());
    assert_eq!(
        ShownDigest::of(&salt, &review.card().facts_json()),
        review.shown()
    );
    let mut other = review.card().facts_json();
    if let Json::Object(facts) = &mut other {
        *facts = std::mem::take(facts).with("added", "later");
    }
    assert_ne!(ShownDigest::of(&salt, &other), review.shown());
}

#[test]
fn a_vote_on_another_showing_is_none() {
    let world = World::new();
    let first = review(&world, "rita", pay(5));
    // What sam was shown is sam's, also where it says the same.
    let sams = block_on(world.desk.open(&world.approver("sam"), first.request())).unwrap();
    assert_eq!(first.card().facts_json(), sams.card().facts_json());
    assert!(matches!(
        vote(&world, "rita", sams.approve()),
        Err(VoteRefused::OtherShowing)
    ));
    // Nor does a showing of one request serve another that looks the same.
    let second = review(&world, "rita", pay(6));
    let wire = String::from_utf8(first.approve().to_json()).unwrap();
    let moved = wire.replace(&first.request().to_string(), &second.request().to_string());
    let ballot = Ballot::parse(moved.as_bytes()).unwrap();
    assert!(matches!(
        vote(&world, "rita", ballot),
        Err(VoteRefused::OtherAction)
    ));
    let moved = moved.replace(&first.action().to_string(), &second.action().to_string());
    let ballot = Ballot::parse(moved.as_bytes()).unwrap();
    assert!(matches!(
        vote(&world, "rita", ballot),
        Err(VoteRefused::OtherShowing)
    ));
    assert!(vote(&world, "rita", second.approve()).is_ok());
}

#[test]
fn a_card_that_has_changed_is_shown_again_before_a_vote_on_it_counts() {
    // Rules that became stricter are on the card, so a vote on the card before them is none.
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let request = world.file(pay(5));
    let old = block_on(world.desk.open(&world.approver("sam"), request)).unwrap();
    let _ = world.approve("rita", request).unwrap();
    let World {
        countersign,
        clock,
        directory,
        desk,
        keys,
        folder,
    } = world;
    drop((directory, desk));
    block_on(countersign.close());
    let stricter = RULES.replacen("1 of group:security", "2 of group:security", 1);
    let world = World::open(&stricter, PEOPLE, store, keys, clock, folder, |opening| {
        opening
    });
    use countersign::gate::ApprovalGate;
    let permit = block_on(world.gate().resume(request)).unwrap();
    assert!(
        block_on(permit.run(async |_| Ok::<_, String>(()))).is_err(),
        "one vote is not enough any more"
    );
    assert!(matches!(
        vote(&world, "sam", old.approve()),
        Err(VoteRefused::OtherShowing)
    ));
    assert!(matches!(
        world.approve("sam", request),
        Ok(Voted::Recorded { .. })
    ));
}

#[test]
fn hitl_v8_free_text_is_never_a_decision() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let first = review(&world, "rita", pay(5));
    let wire = String::from_utf8(first.deny().to_json()).unwrap();
    for word in ["Approve", "yes", "approve ", "approve, please", "", "true"] {
        let typed = wire.replace("\"deny\"", &format!("{word:?}"));
        assert!(Ballot::parse(typed.as_bytes()).is_err(), "{word:?}");
    }
    let denied = vote(&world, "rita", first.deny().because("approve").unwrap()).unwrap();
    assert!(matches!(
        denied,
        Voted::Recorded {
            status: Status::Rejected { .. },
            ..
        }
    ));
    let second = review(&world, "rita", pay(6));
    let approved = vote(
        &world,
        "rita",
        second.approve().because("deny! reject!").unwrap(),
    )
    .unwrap();
    assert!(matches!(
        approved,
        Voted::Recorded {
            status: Status::Approved { .. },
            ..
        }
    ));
    assert!(first.deny().because("x".repeat(2001)).is_err());
}

#[test]
fn what_a_rule_wants_from_a_reviewer_is_given_or_there_is_no_vote() {
    let rules = RULES.replacen(
        "valid_for",
        "reason_required = true\nticket_required = true\nvalid_for",
        1,
    );
    let world = World::with(&rules, PEOPLE, MemoryStore::new(), |opening| opening);
    let review = review(&world, "rita", pay(5));
    assert!(matches!(
        vote(&world, "rita", review.approve()),
        Err(VoteRefused::ReasonRequired)
    ));
    let blank = review.approve().because(" \n").unwrap();
    assert!(matches!(
        vote(&world, "rita", blank),
        Err(VoteRefused::ReasonRequired)
    ));
    let reason = || review.approve().because("invoice 17").unwrap();
    assert!(matches!(
        vote(&world, "rita", reason()),
        Err(VoteRefused::TicketRequired)
    ));
    assert!(vote(&world, "rita", reason().ticket("OPS-1").unwrap()).is_ok());
}

#[test]
fn a_reviewer_sees_whether_anybody_still_waits() {
    use countersign::gate::ApprovalGate;
    use futures::FutureExt;
    let world = World::new();
    let request = world.file(pay(5));
    let progress = || {
        block_on(world.desk.open(&world.approver("rita"), request))
            .unwrap()
            .card()
            .progress()
    };
    let alone = progress();
    let gate = world.gate();
    let mut waiting = gate.resume(request);
    assert!((&mut waiting).now_or_never().is_none());
    let attended = progress();
    assert_ne!(alone, attended);
    // True whether somebody once waited or nobody ever did.
    assert!(
        alone.contains(&"nobody is waiting for it now".to_owned()),
        "{alone:?}"
    );
    drop(waiting);
    assert_eq!(progress(), alone);
}

#[test]
fn a_reviewer_sees_every_way_to_meet_the_quorum() {
    let needed = |quorum: &str, approved_by: &[&str]| {
        let rules = RULES.replace("1 of group:security and 1 of group:data-owners", quorum);
        let world = World::with(&rules, PEOPLE, MemoryStore::new(), |opening| opening);
        let request = world.file(Action::named("wire").build().unwrap());
        for subject in approved_by {
            let _voted = world.approve(subject, request).unwrap();
        }
        let review = block_on(world.desk.open(&world.approver("ola"), request)).unwrap();
        let mut lines = review.card().progress();
        lines.retain(|line| line.starts_with("still needed"));
        lines
    };
    assert_eq!(
        needed("1 of group:security or 1 of group:data-owners", &[]),
        ["still needed: 1 of group:security, or 1 of group:data-owners"]
    );
    let either = "2 of group:security or 1 of group:security and 1 of group:data-owners";
    assert_eq!(
        needed(either, &["rita"]),
        ["still needed: 1 of group:security, or 1 of group:data-owners"]
    );
    // One way needs all that the other does, and more.
    let more = "1 of group:security or 1 of group:security and 1 of group:data-owners";
    assert_eq!(needed(more, &[]), ["still needed: 1 of group:security"]);
    assert_eq!(
        needed("1 of group:security and 1 of group:data-owners", &[]),
        [
            "still needed: 1 of group:security",
            "still needed: 1 of group:data-owners",
        ]
    );
}

#[test]
fn a_receipt_and_a_vote_print_in_one_short_line() {
    let world = World::new();
    let review = review(&world, "rita", pay(5));
    let voted = vote(&world, "rita", review.approve()).unwrap();
    let text = format!("{voted:?}");
    assert!(text.len() < 600, "{} characters: {text}", text.len());
    let receipt = receipt(Ok(voted));
    let text = format!("{receipt:?}");
    assert!(
        text.contains(&format!("seq: {}", receipt.record.seq.get())),
        "{text}"
    );
    assert!(text.contains(&receipt.record.leaf.to_string()), "{text}");
}

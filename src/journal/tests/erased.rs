//! What is left of a record when disclosures are gone.

use std::sync::Arc;

use super::*;
use crate::approval::testkit::*;
use crate::approval::{Choice, DatasetName, Finished, Hidden, Outcome, Timing, Touched, Voted};
use crate::log::Rule;

fn vote(comment: bool, ticket: bool) -> Event {
    let text = |text: &str| Hidden::Known(text.to_owned());
    Event::Voted(Box::new(Voted {
        comment: comment.then(|| text("checked")),
        ticket: ticket.then(|| text("T-1")),
        ..voted(2, Choice::Approve, &["group:a"])
    }))
}

fn without(event: &Event, names: &[&str]) -> Filed {
    let mut filed = Filed::of(event);
    filed
        .disclosures
        .retain(|_, one| !names.contains(&one.open().unwrap().name.as_str()));
    filed
}

fn read(filed: &Filed) -> Voted {
    match filed.read().unwrap() {
        Event::Voted(voted) => *voted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_erased_member_reads_as_missing_and_the_others_stay() {
    let event = vote(true, false);
    let read = read(&without(&event, &["id"]));
    assert!(matches!(read.id, Hidden::Missing(_)));
    assert_eq!(read.comment, Some(Hidden::Known("checked".to_owned())));
    assert_eq!(read.ticket, None);
    // A record with missing values is read, never written.
    let again = encode(
        &Event::Voted(Box::new(read)),
        reference(&event),
        Writer::desk(Enforcement::Enforced),
        &mut SeededSalts::new(1),
    );
    assert_eq!(again.unwrap_err(), EncodeError::NotKnown { member: "id" });
}

#[test]
fn optional_members_that_may_have_been_erased_read_as_missing() {
    let all = &["id", "shown_salt", "comment", "ticket"];
    let missing = |vote: &Voted| {
        let missing = |member: &Option<Hidden<String>>| matches!(member, Some(Hidden::Missing(_)));
        (missing(&vote.comment), missing(&vote.ticket))
    };
    // Two digests are the two members that are always there.
    assert_eq!(
        missing(&read(&without(&vote(false, false), all))),
        (false, false)
    );
    // A third is one of two.
    assert_eq!(
        missing(&read(&without(&vote(true, false), all))),
        (true, true)
    );
    assert_eq!(
        missing(&read(&without(&vote(true, true), all))),
        (true, true)
    );
    // A comment that is there leaves only the ticket.
    let one_left = read(&without(&vote(true, true), &["id", "shown_salt", "ticket"]));
    assert_eq!(one_left.comment, Some(Hidden::Known("checked".to_owned())));
    assert!(matches!(one_left.ticket, Some(Hidden::Missing(_))));
}

#[test]
fn a_record_without_a_member_that_it_must_hide_is_refused() {
    let mut filed = Filed::of(&vote(false, false));
    let (digest, _) = filed
        .disclosures
        .iter()
        .find(|(_, one)| one.open().unwrap().name == "id")
        .unwrap();
    let rest: Vec<Json> = filed.body.get("_sd").unwrap().as_array().unwrap().to_vec();
    let rest = rest
        .into_iter()
        .filter(|text| text.as_str() != Some(&digest.to_string()));
    filed
        .body
        .insert("_sd".to_owned(), Json::Array(rest.collect()));
    assert_eq!(filed.read().unwrap_err().rule, Rule::F6);
}

#[test]
fn more_digests_than_members_are_refused() {
    let mut filed = without(
        &vote(true, true),
        &["id", "shown_salt", "comment", "ticket"],
    );
    let mut digests: Vec<Json> = filed.body.get("_sd").unwrap().as_array().unwrap().to_vec();
    digests.push(Json::from("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzw"));
    filed.body.insert("_sd".to_owned(), Json::Array(digests));
    assert_eq!(filed.read().unwrap_err().rule, Rule::F6);
}

#[test]
fn a_dataset_outlives_its_name() {
    let dataset = crate::action::Dataset::new("file://host", "/patients/rita")
        .label("pii")
        .sensitive();
    let event = Event::Finished(Box::new(Finished {
        used: vec![Touched::from(&dataset)],
        ..finished(Outcome::Succeeded, Timing::InTime)
    }));
    let Event::Finished(read) = without(&event, &["name"]).read().unwrap() else {
        panic!("no end");
    };
    assert!(matches!(
        read.used[0].name,
        DatasetName::Sensitive(Hidden::Missing(_))
    ));
    assert_eq!(read.used[0].reference(), None);
    assert_eq!(read.used[0].labels, *dataset.labels());
}

#[test]
fn an_action_is_still_what_it_was() {
    let ask = Event::Requested(Arc::new(asking(requirement("1 of group:a"))));
    let mut filed = Filed::of(&ask);
    filed.disclosures.clear();
    let Event::Requested(read) = filed.read().unwrap() else {
        panic!("no request");
    };
    assert_eq!(read.bound.digest(), bound(request(9)).digest());
    assert!(read.bound.disclosures().is_empty());
}

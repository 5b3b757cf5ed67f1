//! Logs in plain words.

use crate::approval::{Choice, Event, Outcome};
use crate::canonical::Object;
use crate::log::{Kind, Row, Seq};

use super::super::{Filter, TimelineEntry, timeline};
use super::fixture::{Fixture, Reader};
use super::story::{RITA, hidden};

/// Stands in for whatever makes hostile text visible where the lines go.
fn visible(text: &str) -> String {
    text.chars().flat_map(char::escape_default).collect()
}

fn told(reader: &mut Reader, filter: Filter) -> Vec<TimelineEntry> {
    timeline(reader, filter, &visible)
        .map(Result::unwrap)
        .collect()
}

#[test]
fn a_log_is_told_line_by_line() {
    let mut log = Fixture::new();
    let request = log.ask();
    let mut ballot = log.ballot(RITA, Choice::Approve);
    ballot.comment = Some(hidden("as every month"));
    let vote = log.record(&Event::Voted(Box::new(ballot)), Some(request));
    log.start(request, &[(vote, RITA)]);
    log.finish(request, Outcome::Succeeded);
    let lines = told(&mut log.reader(), Filter::default());
    let kinds: Vec<&str> = lines.iter().map(|line| line.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "genesis",
            "policy_adopted",
            "requested",
            "voted",
            "started",
            "finished"
        ]
    );
    assert_eq!(
        lines[2].text,
        "agent demo/reporter for demo/olga asks to run db.export on table crm.customers: needs 1 of group:security until \
         2026-03-01T13:00:00.000000Z; the agent says “monthly report”"
    );
    assert_eq!(
        lines[3].text,
        "demo/rita (asserted-demo through terminal) approves it as group:security, saying “as every month”"
    );
    assert_eq!(lines[4].text, "the effect starts, on one vote");
    assert_eq!(
        lines[5].text,
        "the effect succeeded, read crm.customers in sqlite://demo, wrote /out/c.csv in file://host"
    );
    assert_eq!(lines[3].request, Some(request.id));
    assert!(
        lines[3]
            .to_string()
            .starts_with("     3  2026-03-01T09:00:00.000000Z  voted ")
    );
}

#[test]
fn hostile_text_stays_on_its_line() {
    let mut log = Fixture::new();
    let request = log.ask();
    let mut ballot = log.ballot(RITA, Choice::Deny);
    let hostile = format!(
        "ok\n     9  voted  \u{202e}demo/dan approves{}",
        "x".repeat(500)
    );
    ballot.comment = Some(hidden(&hostile));
    ballot.proof.method = "odd\u{1b}[2J".to_owned();
    log.record(&Event::Voted(Box::new(ballot)), Some(request));
    let lines = told(&mut log.reader(), Filter::default());
    let line = lines.last().unwrap().to_string();
    assert!(
        line.chars().all(|c| !c.is_control() && c != '\u{202e}'),
        "{line}"
    );
    assert!(line.contains("ok\\n") && line.ends_with("…”"), "{line}");
    assert!(line.chars().count() < 400, "{line}");
}

#[test]
fn what_was_erased_is_told_without_it() {
    let mut log = Fixture::new();
    let request = log.ask();
    log.vote(request, RITA, Choice::Approve);
    let mut reader = log.reader();
    reader.disclosures.clear();
    let lines = told(&mut reader, Filter::default());
    assert!(
        lines[2].text.contains("asks to run db.export"),
        "{}",
        lines[2].text
    );
    assert!(
        lines[3].text.starts_with("p-0202020202"),
        "{}",
        lines[3].text
    );
}

#[test]
fn a_filter_tells_one_request_or_a_stretch() {
    let mut log = Fixture::new();
    let one = log.ask();
    let other = log.ask();
    log.vote(one, RITA, Choice::Deny);
    log.vote(other, RITA, Choice::Deny);
    let of_one = Filter {
        request: Some(one.id),
        ..Filter::default()
    };
    let seqs =
        |lines: Vec<TimelineEntry>| lines.iter().map(|line| line.seq.get()).collect::<Vec<_>>();
    assert_eq!(seqs(told(&mut log.reader(), of_one)), [2, 4]);
    let stretch = Filter {
        request: None,
        records: 1..3,
    };
    assert_eq!(seqs(told(&mut log.reader(), stretch)), [1, 2]);
}

#[test]
fn a_record_that_was_changed_is_not_told() {
    let mut log = Fixture::new();
    let request = log.ask();
    log.vote(request, RITA, Choice::Deny);
    log.raw(Kind::Viewed, Some(request), Object::new());
    let mut reader = log.reader();
    let Row::Record(row) = &mut reader.rows[3] else {
        panic!("a record");
    };
    let at = row
        .record
        .statement
        .windows(4)
        .position(|four| four == b"deny")
        .unwrap();
    row.record.statement.splice(at..at + 4, *b"dend");
    reader.rows[2] = Row::Malformed {
        seq: Seq::new(2),
        what: "its statement is no blob",
    };
    let lines = told(&mut reader, Filter::default());
    assert_eq!(lines.len(), 5);
    for line in &lines[2..4] {
        assert_eq!((line.kind.as_str(), line.ts), ("?", None));
        assert!(
            line.text.starts_with("not to be relied upon: "),
            "{}",
            line.text
        );
    }
    assert_eq!(
        lines[4].text,
        "not judged: bodies of kind viewed are reserved"
    );
}

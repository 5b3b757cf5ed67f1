//! Reads a log as an outsider does: by the bytes of its records and the values filed beside them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::num::NonZeroU32;

use countersign::action::RequestId;
use countersign::canonical::{Json, Object};
use countersign::log::{Seq, Statement};
use countersign::store::{EdgeRow, Query, Store};
use futures::executor::block_on;

/// Every record of the log.
pub fn all(store: &impl Store) -> Vec<Statement> {
    let (mut all, mut next) = (Vec::new(), Seq::new(0));
    loop {
        let page = block_on(store.read(next, NonZeroU32::new(256).unwrap())).unwrap();
        let Some(last) = page.last() else {
            return all;
        };
        next = last.seq.next();
        all.extend(
            page.iter()
                .map(|record| Statement::parse(&record.statement).unwrap()),
        );
    }
}

/// The kinds of a request's records, in order.
pub fn story(store: &impl Store, request: RequestId) -> Vec<String> {
    let of_request = all(store)
        .into_iter()
        .filter(|record| record.request == Some(request));
    of_request.map(|record| record.kind.to_string()).collect()
}

/// The records of one kind.
pub fn of_kind(store: &impl Store, kind: &str) -> Vec<Statement> {
    let all = all(store).into_iter();
    all.filter(|record| record.kind.to_string() == kind)
        .collect()
}

/// The body of the only record of a kind.
pub fn only(store: &impl Store, kind: &str) -> Object {
    let mut found = of_kind(store, kind);
    assert_eq!(found.len(), 1, "{kind}");
    found.pop().unwrap().body
}

/// The body of the last record of a kind.
pub fn last(store: &impl Store, kind: &str) -> Object {
    of_kind(store, kind).pop().expect("there is one").body
}

/// A member that is text.
pub fn text<'a>(body: &'a Object, member: &str) -> Option<&'a str> {
    body.get(member).and_then(Json::as_str)
}

/// The records of votes that a body says were counted.
pub fn counted(started: &Object) -> Vec<i64> {
    let votes = started.get("counted").unwrap().as_array().unwrap();
    let vote = |vote: &Json| {
        vote.as_object()
            .unwrap()
            .get("vote")
            .unwrap()
            .as_i64()
            .unwrap()
    };
    votes.iter().map(vote).collect()
}

/// The values that are filed beside a record, as JSON.
pub fn disclosed(store: &impl Store, seq: Seq) -> Vec<String> {
    let found = block_on(store.find(Query::Disclosures(vec![seq]))).unwrap();
    let disclosures = found.disclosures().unwrap().into_iter();
    disclosures
        .map(|(_, one)| format!("{:?}", one.to_text()))
        .collect()
}

/// Every row of the graph.
pub fn edges(store: &impl Store) -> Vec<EdgeRow> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let limit = NonZeroU32::new(256).unwrap();
        let page = block_on(store.find(Query::Edges { after, limit }))
            .unwrap()
            .edges()
            .unwrap();
        after = page.last().cloned();
        if after.is_none() {
            return all;
        }
        all.extend(page);
    }
}

//! Who authorised a file, and what it was made from, told from signed records.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{PEOPLE, RULES, World, bot, read, wire};
use countersign::action::Dataset;
use countersign::gate::{ApprovalGate, ApprovalGateExt};
use countersign::lineage::{Answer, Limits, Node, Question};
use countersign::store::SqliteStore;
use futures::executor::block_on;
use rusqlite::Connection;

fn table() -> Dataset {
    Dataset::new("sqlite://localhost", "crm.customers")
}

fn file(name: &str) -> Dataset {
    Dataset::new("file://localhost", name)
}

fn node(dataset: &Dataset) -> Node {
    Node::Dataset(dataset.reference())
}

/// A log in which a file was made from a table under two approvals, and a second file from the first.
fn made() -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(folder.path().join("log.sqlite")).unwrap();
    let world = World::with(RULES, PEOPLE, store, |opening| opening);
    let request = world.file(wire(7));
    let _voted = world.approve("rita", request).unwrap();
    let _voted = world.approve("dan", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _made = block_on(permit.run(async |authorized| {
        authorized.derived(table(), file("/out/a.csv"));
        Ok::<_, String>(())
    }))
    .unwrap();
    let _copied = block_on(world.gate().run(read(), async |authorized| {
        authorized.derived(file("/out/a.csv"), file("/out/b.csv").sensitive());
        Ok::<_, String>(())
    }))
    .unwrap();
    (world, folder)
}

fn ask(world: &World, question: Question) -> Answer {
    block_on(world.countersign.lineage(question, Limits::default())).unwrap()
}

#[test]
fn a_file_names_those_who_authorised_it_and_what_it_came_from() {
    let (world, _folder) = made();
    let answer = ask(&world, Question::Provenance(node(&file("/out/a.csv"))));
    assert!(answer.is_complete());
    assert!(answer.nodes.contains(&node(&table())));
    let [authorisation] = &answer.authorisations()[..] else {
        panic!("one request made it: {:?}", answer.nodes);
    };
    assert_eq!(authorisation.votes.len(), 2);
    let bot = bot().actor().id().clone();
    assert!(authorisation.asked_by.contains(&Node::Agent(bot)));
}

#[test]
fn a_hidden_name_is_followed_like_any_other() {
    let (world, _folder) = made();
    let hidden = node(&file("/out/b.csv"));
    let up = ask(&world, Question::Upstream(hidden.clone()));
    assert!(up.nodes.contains(&node(&file("/out/a.csv"))));
    assert!(up.nodes.contains(&node(&table())));
    let down = ask(&world, Question::Downstream(node(&table())));
    assert!(down.nodes.contains(&hidden));
}

#[test]
fn what_nobody_made_has_no_lineage() {
    let (world, _folder) = made();
    let answer = ask(&world, Question::Provenance(node(&file("/out/c.csv"))));
    assert_eq!((answer.nodes.len(), answer.edges.len()), (1, 0));
    assert!(answer.authorisations().is_empty());
}

#[test]
fn an_edge_that_was_put_in_by_sql_says_nothing() {
    let (world, folder) = made();
    let before = ask(&world, Question::Downstream(node(&table())));
    let conn = Connection::open(folder.path().join("log.sqlite")).unwrap();
    // Every node of the graph is said to have been derived from every other one by the first record.
    let forged = conn
        .execute(
            "INSERT OR IGNORE INTO edge SELECT a.name, 3, b.name, 0 FROM node a, node b",
            [],
        )
        .unwrap();
    assert!(forged > 10, "{forged}");
    assert_eq!(ask(&world, Question::Downstream(node(&table()))), before);
}

#[test]
fn a_limit_that_cuts_an_answer_short_is_named() {
    let (world, _folder) = made();
    let limits = Limits {
        edges: 1,
        ..Limits::default()
    };
    let question = Question::Provenance(node(&file("/out/a.csv")));
    let answer = block_on(world.countersign.lineage(question, limits)).unwrap();
    assert!(!answer.is_complete());
}

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod edges;
mod names;
mod recorders;
mod searching;

use super::*;
use crate::action::{Dataset, DatasetRef};
use crate::approval::testkit::*;
use crate::approval::{
    At, Basis, Derivation, Disposition, Event, Finished, Outcome, Timing, Touched,
};

fn dataset(name: &str) -> Node {
    Node::Dataset(Dataset::new("file://host", name).reference())
}

fn touched(name: &str) -> Touched {
    Touched::from(&Dataset::new("file://host", name))
}

/// The edges of a whole life.
fn graph(story: &Story) -> Graph {
    let bound = story.state.bound();
    story
        .records
        .iter()
        .flat_map(|recorded| edges_of(recorded, Some(bound)))
        .collect()
}

fn ended(outcome: Outcome, used: &[&str], generated: &[&str]) -> Event {
    Event::Finished(Box::new(Finished {
        used: used.iter().map(|name| touched(name)).collect(),
        generated: generated.iter().map(|name| touched(name)).collect(),
        ..finished(outcome, Timing::InTime)
    }))
}

/// Two people approve, a third vote is void, and a file is written from a table.
fn approved_export() -> Story {
    let asks = || requirement("2 of group:a");
    let again = reassess(crate::approval::Renewed::RequireApproval(asks()), &[1]);
    let basis = Basis::RequireApproval {
        requirement: asks(),
        counted: vec![counted(3, 3, &["group:a"]), counted(4, 4, &["group:a"])],
    };
    let end = Event::Finished(Box::new(Finished {
        used: vec![touched("/table")],
        generated: vec![touched("/file")],
        derived: vec![Derivation {
            generated: 0,
            used: 0,
        }],
        ..finished(Outcome::Succeeded, Timing::InTime)
    }));
    Story::begin(asking(asks()))
        .tell(1, approve(2, &["group:a"]))
        .tell(2, again)
        .tell(3, approve(3, &["group:a"]))
        .tell(4, approve(4, &["group:a"]))
        .tell(5, start(basis, 60))
        .tell(6, end)
}

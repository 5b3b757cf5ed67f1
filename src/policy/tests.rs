#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod combinations;
mod quorums;
mod requirements;

use std::collections::BTreeSet;

use super::{CountedVote, Quorum, Selector};

fn quorum(text: &str) -> Quorum {
    Quorum::parse(text).unwrap()
}

/// A vote of `person`, who satisfies these selectors.
fn vote<'a>(person: &'a str, satisfies: &[&str]) -> CountedVote<&'a str> {
    CountedVote {
        person,
        satisfies: satisfies
            .iter()
            .map(|text| Selector::parse(text).unwrap())
            .collect::<BTreeSet<Selector>>(),
    }
}

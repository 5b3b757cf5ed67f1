#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod binding;
mod clocks;
mod model;
mod runs;
mod separation;
mod table;
mod tightening;
mod voting;

use super::illegal::{Illegal, MeaningRule, Why};

fn broken(result: Result<(), Illegal>) -> (MeaningRule, Why) {
    let Illegal {
        event: _,
        rule,
        why,
    } = result.unwrap_err();
    (rule, why)
}

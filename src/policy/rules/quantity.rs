//! Numbers that are compared often.

use std::cmp::Ordering;

use crate::canonical::Number;

/// A number and, where it is one, the same as an integer.
///
/// One question may be compared with thousands of bounds, nearly all of them integers, and those compare in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quantity {
    // INVARIANT: `whole` is `exact.as_i64()`, so that equal numbers have equal fields.
    whole: Option<i64>,
    exact: Number,
}

impl From<Number> for Quantity {
    fn from(exact: Number) -> Self {
        Self {
            whole: exact.as_i64(),
            exact,
        }
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.whole, other.whole) {
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            _ => self.exact.cmp(&other.exact),
        }
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

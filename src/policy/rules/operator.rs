//! What a condition asks about an attribute.

use crate::canonical::{Digest, Json};

use super::attribute::Found;
use super::pattern::TextPattern;
use super::quantity::Quantity;
use super::truth::Truth;

/// One question about one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Eq(Literal),
    In(Vec<Literal>),
    Any(Vec<Literal>),
    All(Vec<Literal>),
    None(Vec<Literal>),
    Order(Order, Quantity),
    Prefix(String),
    Suffix(String),
    Glob(TextPattern),
    Exists(Presence),
    Length(Order, u64),
}

/// How a number stands to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Eq,
    Gt,
    Ge,
    Lt,
    Le,
}

/// Whether something is to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    There,
    Absent,
}

/// A value that stands in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Number(Quantity),
    Bool(bool),
    Digest(Digest),
}

impl Operator {
    /// Whether it holds of `found`; `Unknown` of whatever it cannot judge.
    pub fn holds(&self, found: &Found<'_>) -> Truth {
        match self {
            Self::Eq(literal) => literal.equals(found),
            Self::In(literals) => Truth::any(literals.iter().map(|literal| literal.equals(found))),
            Self::Any(literals) => Truth::any(literals.iter().map(|literal| literal.is_in(found))),
            Self::All(literals) => Truth::all(literals.iter().map(|literal| literal.is_in(found))),
            Self::None(literals) => {
                Truth::any(literals.iter().map(|literal| literal.is_in(found))).not()
            }
            Self::Order(order, bound) => match found {
                Found::Number(number) => Truth::from(order.holds(number, bound)),
                _ => Truth::Unknown,
            },
            Self::Prefix(prefix) => text(found, |text| text.starts_with(prefix.as_str())),
            Self::Suffix(suffix) => text(found, |text| text.ends_with(suffix.as_str())),
            Self::Glob(pattern) => text(found, |text| pattern.matches(text)),
            Self::Exists(wanted) => match found {
                Found::Missing => Truth::from(*wanted == Presence::Absent),
                Found::Blank => Truth::Unknown,
                _ => Truth::from(*wanted == Presence::There),
            },
            Self::Length(order, bound) => {
                let length = match found {
                    Found::Text(text) => text.chars().count(),
                    Found::List(items) => items.len(),
                    Found::Labels(labels) => labels.len(),
                    _ => return Truth::Unknown,
                };
                u64::try_from(length).map_or(Truth::Unknown, |length| {
                    Truth::from(order.holds(&length, bound))
                })
            }
        }
    }
}

fn text(found: &Found<'_>, holds: impl FnOnce(&str) -> bool) -> Truth {
    match found {
        Found::Text(text) => Truth::from(holds(text)),
        _ => Truth::Unknown,
    }
}

impl Order {
    fn holds<T: Ord>(self, value: &T, bound: &T) -> bool {
        match self {
            Self::Eq => value == bound,
            Self::Gt => value > bound,
            Self::Ge => value >= bound,
            Self::Lt => value < bound,
            Self::Le => value <= bound,
        }
    }
}

impl Literal {
    /// Equality of two values of one type; of two types there is none to be known.
    fn equals(&self, found: &Found<'_>) -> Truth {
        match (self, found) {
            (Self::Text(literal), Found::Text(text)) => Truth::from(literal == text),
            (Self::Number(literal), Found::Number(number)) => Truth::from(literal == number),
            (Self::Bool(literal), Found::Bool(truth)) => Truth::from(literal == truth),
            (Self::Digest(literal), Found::Digest(digest)) => Truth::from(literal == digest),
            _ => Truth::Unknown,
        }
    }

    /// Whether a list has it.
    fn is_in(&self, found: &Found<'_>) -> Truth {
        match (self, found) {
            (Self::Text(literal), Found::Labels(labels)) => {
                Truth::from(labels.contains(literal.as_str()))
            }
            (_, Found::List(items)) => Truth::any(
                items
                    .iter()
                    .map(|item: &Json| self.equals(&Found::json(item))),
            ),
            _ => Truth::Unknown,
        }
    }

    /// The literal as if it stood in a question.
    pub fn found(&self) -> Found<'_> {
        match self {
            Self::Text(text) => Found::Text(text),
            Self::Number(number) => Found::Number(*number),
            Self::Bool(truth) => Found::Bool(*truth),
            Self::Digest(digest) => Found::Digest(*digest),
        }
    }
}

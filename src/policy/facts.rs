//! What an evaluator may want to know beside the action itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::Json;
use crate::clock::Timestamp;

use super::names::FactName;
use super::requirement::Witnessing;

/// A value that may not be known; not knowing never helps whoever asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// The value.
    Value(T),
    /// It could not be learnt.
    Unknown,
}

impl<T> Known<T> {
    /// The value, or nothing.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown => None,
        }
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Self::Value(value) => Known::Value(value),
            Self::Unknown => Known::Unknown,
        }
    }
}

/// One fact, with who said so and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What was said.
    pub value: Known<Json>,
    /// Who said it, for people and records.
    pub source: String,
    /// When it was true.
    pub as_of: Timestamp,
}

/// The facts that were gathered for one question, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    by_name: BTreeMap<FactName, Fact>,
}

impl Facts {
    /// No facts: enough for the built-in rules.
    pub const fn none() -> Self {
        Self {
            by_name: BTreeMap::new(),
        }
    }

    /// Adds a fact, in place of an earlier one of that name.
    pub fn insert(&mut self, name: FactName, fact: Fact) -> Option<Fact> {
        self.by_name.insert(name, fact)
    }

    /// The fact of that name.
    pub fn fact(&self, name: &FactName) -> Option<&Fact> {
        self.by_name.get(name)
    }

    /// All facts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&FactName, &Fact)> {
        self.by_name.iter()
    }
}

/// What an evaluator wants gathered before it is asked, and what its answers rely on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    facts: BTreeSet<FactName>,
    witnessing: Witnessing,
}

impl Needs {
    /// Nothing beside the action.
    pub const fn nothing() -> Self {
        Self {
            facts: BTreeSet::new(),
            witnessing: Witnessing::Afterwards,
        }
    }

    /// Asks for one more fact.
    #[must_use]
    pub fn fact(mut self, name: FactName) -> Self {
        self.facts.insert(name);
        self
    }

    /// Says that an answer may be [`Witnessing::BeforeStart`], so that a log without witnesses is refused when it is opened and not at
    /// the first such action.
    #[must_use]
    pub fn witnesses(mut self) -> Self {
        self.witnessing = Witnessing::BeforeStart;
        self
    }

    /// The strictest that an answer may ask of the log's witnesses.
    #[must_use]
    pub const fn witnessing(&self) -> Witnessing {
        self.witnessing
    }

    /// The names of the facts, in order.
    pub fn facts(&self) -> impl Iterator<Item = &FactName> {
        self.facts.iter()
    }

    /// What either of the two asks for.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.facts.extend(other.facts.iter().cloned());
        self.witnessing = self.witnessing.max(other.witnessing);
        self
    }
}

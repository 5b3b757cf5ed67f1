//! The condition of a rule.

use super::super::question::Question;
use super::attribute::{Attribute, Focus, Found};
use super::operator::Operator;
use super::pattern::ActionPattern;
use super::truth::Truth;

/// Clauses that must all hold; never none of them.
///
/// `A` is how a clause names an attribute: by itself in a rule as it was written, by its [`Source`] in one that is ready to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct When<A> {
    pub clauses: Vec<Clause<A>>,
}

/// One part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clause<A> {
    /// The action's name fits one of these.
    Action(Vec<ActionPattern>),
    /// The operator holds of the attribute.
    Is(A, Operator),
    /// One of these holds.
    Any(Vec<When<A>>),
    /// This does not hold.
    Not(When<A>),
}

/// Where a condition that is ready to decide gets a value from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Looked up by name once for all rules of a group.
    Slot(usize),
    /// At hand without a search.
    Direct(Attribute),
}

impl<A> When<A> {
    /// The same condition with its attributes named another way.
    pub fn map<B>(&self, name: &mut impl FnMut(&A) -> B) -> When<B> {
        When {
            clauses: self.clauses.iter().map(|clause| clause.map(name)).collect(),
        }
    }
}

impl<A> Clause<A> {
    pub fn map<B>(&self, name: &mut impl FnMut(&A) -> B) -> Clause<B> {
        match self {
            Self::Action(patterns) => Clause::Action(patterns.clone()),
            Self::Is(attribute, operator) => Clause::Is(name(attribute), operator.clone()),
            Self::Any(choices) => Clause::Any(choices.iter().map(|when| when.map(name)).collect()),
            Self::Not(when) => Clause::Not(when.map(name)),
        }
    }
}

/// A question as the rules of one group look at it.
pub(super) struct View<'v, 'q> {
    pub question: &'v Question<'q>,
    pub focus: Focus<'q>,
    /// What the slots stand for, and their values as far as a rule asked for them.
    pub slots: &'v [Attribute],
    pub values: &'v mut [Option<Found<'q>>],
}

impl View<'_, '_> {
    /// Whether the operator holds of what stands at `source`.
    fn judge(&mut self, source: &Source, operator: &Operator) -> Truth {
        let slot = match source {
            Source::Direct(attribute) => {
                return operator.holds(&attribute.find(self.question, &self.focus));
            }
            Source::Slot(slot) => *slot,
        };
        let (Some(attribute), Some(value)) = (self.slots.get(slot), self.values.get_mut(slot))
        else {
            return Truth::Unknown;
        };
        operator.holds(value.get_or_insert_with(|| attribute.find(self.question, &self.focus)))
    }
}

impl When<Source> {
    /// Whether the condition holds of what `view` looks at.
    pub fn holds(&self, view: &mut View<'_, '_>) -> Truth {
        Truth::all(self.clauses.iter().map(|clause| clause.holds(view)))
    }
}

impl Clause<Source> {
    fn holds(&self, view: &mut View<'_, '_>) -> Truth {
        match self {
            Self::Action(patterns) => {
                let name = view.question.action.name().as_str();
                Truth::from(patterns.iter().any(|pattern| pattern.matches(name)))
            }
            Self::Is(source, operator) => view.judge(source, operator),
            Self::Any(choices) => Truth::any(choices.iter().map(|when| when.holds(view))),
            Self::Not(when) => when.holds(view).not(),
        }
    }
}

//! Rules that are well-formed and yet cannot be meant.

use super::super::attribute::Attribute;
use super::super::index::{Effect, Rule};
use super::super::operator::{Literal, Operator, Order, Presence};
use super::super::pattern::ActionPattern;
use super::super::quantity::Quantity;
use super::super::truth::Truth;
use super::super::when::{Clause, When};
use super::fields::Report;

/// Refuses rules that can never match and allow rules that a deny rule always overrules.
pub(super) fn lint(rules: &[Rule], report: &mut Report) {
    for rule in rules {
        let place = format!("rule `{}`", rule.id);
        if let Some(why) = contradiction(&rule.when) {
            report.error(rule.line, Some(&place), format!("can never match: {why}"));
        }
    }
    let denying: Vec<&Rule> = rules
        .iter()
        .filter(|rule| rule.effect == Effect::Deny)
        .collect();
    for rule in rules.iter().filter(|rule| rule.effect != Effect::Deny) {
        let Some(deny) = denying.iter().find(|deny| covers(&deny.when, &rule.when)) else {
            continue;
        };
        let message = format!(
            "is never reached: rule `{}` at line {} denies all of it",
            deny.id, deny.line
        );
        match rule.effect {
            Effect::Allow => report.error(rule.line, Some(&format!("rule `{}`", rule.id)), message),
            Effect::Approve(_) | Effect::Deny | Effect::Witness => {
                report.warn(rule.line, format!("rule `{}` {message}", rule.id))
            }
        }
    }
}

/// Whether whatever satisfies `narrow` surely satisfies `wide`, as far as comparing the clauses shows.
fn covers(wide: &When<Attribute>, narrow: &When<Attribute>) -> bool {
    wide.clauses.iter().all(|clause| match clause {
        Clause::Action(patterns) if patterns.contains(&ActionPattern::Everything) => true,
        Clause::Action(patterns) => narrow.clauses.iter().any(|other| match other {
            Clause::Action(others) => others
                .iter()
                .all(|other| patterns.iter().any(|pattern| pattern.covers(other))),
            Clause::Is(..) | Clause::Any(_) | Clause::Not(_) => false,
        }),
        Clause::Is(..) | Clause::Any(_) | Clause::Not(_) => narrow.clauses.contains(clause),
    })
}

/// Why no value satisfies all clauses.
fn contradiction(when: &When<Attribute>) -> Option<String> {
    for clause in &when.clauses {
        let found = match clause {
            Clause::Not(inner) if inner.clauses.iter().all(is_everything) => {
                Some("it excludes every action".to_owned())
            }
            Clause::Any(choices) => {
                let why: Option<Vec<String>> = choices.iter().map(contradiction).collect();
                why.and_then(|why| why.into_iter().next())
            }
            Clause::Is(attribute, _) => contradicted(attribute, &asked(&when.clauses, attribute)),
            Clause::Action(_) | Clause::Not(_) => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn is_everything(clause: &Clause<Attribute>) -> bool {
    matches!(clause, Clause::Action(patterns) if patterns.contains(&ActionPattern::Everything))
}

/// All that is asked about one attribute.
fn asked<'r>(clauses: &'r [Clause<Attribute>], attribute: &Attribute) -> Vec<&'r Operator> {
    let operators = clauses.iter().filter_map(|clause| match clause {
        Clause::Is(other, operator) if other == attribute => Some(operator),
        _ => None,
    });
    operators.collect()
}

fn contradicted(attribute: &Attribute, operators: &[&Operator]) -> Option<String> {
    let what = match attribute {
        Attribute::Parameter(path) | Attribute::Context(path) => {
            format!("`{}`", super::values::shown(&path.join(".")))
        }
        _ => "one path".to_owned(),
    };
    if operators.contains(&&Operator::Exists(Presence::Absent)) && operators.len() > 1 {
        return Some(format!("{what} is to be absent and to have a value"));
    }
    let literals = operators.iter().find_map(|operator| match operator {
        Operator::Eq(literal) => Some(std::slice::from_ref(literal)),
        Operator::In(literals) => Some(literals.as_slice()),
        _ => None,
    });
    let fits = |literal: &Literal| {
        operators
            .iter()
            .all(|operator| operator.holds(&literal.found()) == Truth::Yes)
    };
    if literals.is_some_and(|literals| !literals.iter().any(fits)) {
        return Some(format!("nothing that {what} may equal satisfies the rest"));
    }
    if is_empty_range(operators) {
        return Some(format!("no number is in the range of {what}"));
    }
    None
}

/// Whether the bounds leave no number; between two different decimals there is always one.
fn is_empty_range(operators: &[&Operator]) -> bool {
    // The bound, and whether it is itself outside.
    let mut low: Option<(Quantity, bool)> = None;
    let mut high: Option<(Quantity, bool)> = None;
    for operator in operators {
        let Operator::Order(order, bound) = operator else {
            continue;
        };
        match order {
            Order::Gt => low = low.max(Some((*bound, true))),
            Order::Ge => low = low.max(Some((*bound, false))),
            Order::Lt | Order::Le => {
                let bound = (*bound, *order == Order::Le);
                high = Some(high.map_or(bound, |so_far| so_far.min(bound)));
            }
            Order::Eq => {}
        }
    }
    match (low, high) {
        (Some((low, open)), Some((high, closed))) => {
            low > high || (low == high && (open || !closed))
        }
        _ => false,
    }
}

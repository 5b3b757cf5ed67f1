//! Rules by the action that they are about.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::names::RuleId;
use super::super::question::Question;
use super::super::{evaluator::PolicyError, names::ProfileName};
use super::attribute::{Attribute, Focus, Found};
use super::pattern::ActionPattern;
use super::truth::Truth;
use super::when::{Clause, Source, View, When};

/// How many conditions at most are looked at for one question, each resource and dataset counted.
const MAX_LOOKS: usize = 1 << 18;

/// A rule as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub id: RuleId,
    pub line: usize,
    pub effect: Effect,
    pub when: When<Attribute>,
    pub reason: Option<Arc<str>>,
}

/// What a rule does where it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Deny,
    Approve(ProfileName),
    Allow,
    /// Whatever lets it run, witnesses have to know of it before.
    Witness,
}

/// The rules that could match a question, found by its action's name.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    rules: Vec<Rule>,
    /// By the whole name.
    named: HashMap<String, Group>,
    /// Patterns, by the first segment.
    below: HashMap<String, Group>,
    /// Everything else.
    anywhere: Group,
}

/// Rules that are tried together, and the slots that they share.
#[derive(Clone, Debug, Default)]
struct Group {
    slots: Vec<Attribute>,
    rules: Vec<Ready>,
}

/// A rule that is ready to decide.
#[derive(Clone, Debug)]
struct Ready {
    /// Its place among the rules as they were written.
    rule: usize,
    restricts: Restricts,
    when: When<Source>,
    looks_at: LooksAt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restricts {
    /// Deny, approve or witness: matches where one resource may satisfy it.
    Yes,
    /// Allow: matches where all surely do.
    No,
}

/// Which of the things that an action has several of a condition looks at.
#[derive(Clone, Copy, Debug, Default)]
struct LooksAt {
    resources: bool,
    reads: bool,
    writes: bool,
}

impl Index {
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            index.place(number, rule);
        }
        index.rules = rules;
        index
    }

    /// The same rules without any order, each of them tried for every question.
    #[cfg(test)]
    pub fn unsorted(rules: Vec<Rule>) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            index.anywhere.add(number, rule, &rule.when);
        }
        index.rules = rules;
        index
    }

    /// Puts a rule wherever its action may be found; the clause on the action is left out where the place implies it.
    fn place(&mut self, number: usize, rule: &Rule) {
        let patterns = rule.when.clauses.iter().find_map(|clause| match clause {
            Clause::Action(patterns) => Some(patterns.as_slice()),
            Clause::Is(..) | Clause::Any(_) | Clause::Not(_) => None,
        });
        let names = patterns
            .unwrap_or_default()
            .iter()
            .map(|pattern| match pattern {
                ActionPattern::Exactly(name) => Some(name.as_str()),
                _ => None,
            });
        match (patterns, names.collect::<Option<BTreeSet<&str>>>()) {
            (Some(_), Some(names)) => {
                let implied = When {
                    clauses: rule
                        .when
                        .clauses
                        .iter()
                        .filter(|clause| !matches!(clause, Clause::Action(_)))
                        .cloned()
                        .collect(),
                };
                for name in names {
                    self.named
                        .entry(name.to_owned())
                        .or_default()
                        .add(number, rule, &implied);
                }
            }
            (Some([pattern]), None) if pattern.first_segment().is_some() => {
                let first = pattern.first_segment().unwrap_or_default().to_owned();
                self.below
                    .entry(first)
                    .or_default()
                    .add(number, rule, &rule.when);
            }
            _ => self.anywhere.add(number, rule, &rule.when),
        }
    }

    /// The rules as they were written.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// The rules that match, each once.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Limit`] if looking at every resource and dataset in turn would take too long.
    pub fn matching(&self, question: &Question<'_>) -> Result<Vec<&Rule>, PolicyError> {
        let name = question.action.name().as_str();
        let first = name.split('.').next().unwrap_or(name);
        let mut budget = MAX_LOOKS;
        let mut matching = Vec::new();
        let groups = [
            self.named.get(name),
            self.below.get(first),
            Some(&self.anywhere),
        ];
        for group in groups.into_iter().flatten() {
            group.collect(question, &mut budget, &mut |rule| {
                matching.extend(self.rules.get(rule))
            })?;
        }
        Ok(matching)
    }
}

impl Group {
    fn add(&mut self, number: usize, rule: &Rule, when: &When<Attribute>) {
        let mut looks_at = LooksAt::default();
        let slots = &mut self.slots;
        let when = when.map(&mut |attribute| match attribute {
            Attribute::Parameter(_) | Attribute::Context(_) => {
                let known = slots.iter().position(|slot| slot == attribute);
                Source::Slot(known.unwrap_or_else(|| {
                    slots.push(attribute.clone());
                    slots.len() - 1
                }))
            }
            other => {
                match other {
                    Attribute::Resource(_) => looks_at.resources = true,
                    Attribute::Reads(_) => looks_at.reads = true,
                    Attribute::Writes(_) => looks_at.writes = true,
                    _ => {}
                }
                Source::Direct(other.clone())
            }
        });
        self.rules.push(Ready {
            rule: number,
            restricts: match rule.effect {
                Effect::Deny | Effect::Approve(_) | Effect::Witness => Restricts::Yes,
                Effect::Allow => Restricts::No,
            },
            when,
            looks_at,
        });
    }

    fn collect(
        &self,
        question: &Question<'_>,
        budget: &mut usize,
        found: &mut impl FnMut(usize),
    ) -> Result<(), PolicyError> {
        let mut values: Vec<Option<Found<'_>>> = vec![None; self.slots.len()];
        let mut view = View {
            question,
            focus: Focus::default(),
            slots: &self.slots,
            values: &mut values,
        };
        for ready in &self.rules {
            if ready.matches(&mut view, budget)? {
                found(ready.rule);
            }
        }
        Ok(())
    }
}

impl Ready {
    /// Whether the rule matches: a restricting one also where that is unknown, an allowing one only where it is certain.
    fn matches(&self, view: &mut View<'_, '_>, budget: &mut usize) -> Result<bool, PolicyError> {
        let LooksAt {
            resources,
            reads,
            writes,
        } = self.looks_at;
        // Most rules look at nothing that an action has several of.
        let holds = if resources || reads || writes {
            self.holds_of_each(view, budget)?
        } else {
            self.when.holds(view)
        };
        Ok(match self.restricts {
            Restricts::Yes => holds != Truth::No,
            Restricts::No => holds == Truth::Yes,
        })
    }

    /// The condition on every combination of a resource, a dataset read and one written: on one of them, or on all.
    fn holds_of_each(
        &self,
        view: &mut View<'_, '_>,
        budget: &mut usize,
    ) -> Result<Truth, PolicyError> {
        let LooksAt {
            resources,
            reads,
            writes,
        } = self.looks_at;
        let action = view.question.action;
        let mut verdict: Option<Truth> = None;
        for resource in each(action.resources(), resources) {
            for read in each(action.reads(), reads) {
                for write in each(action.writes(), writes) {
                    *budget = budget.checked_sub(1).ok_or_else(|| {
                        PolicyError::Limit(
                            "the action names too many resources and datasets for these rules"
                                .to_owned(),
                        )
                    })?;
                    view.focus = Focus {
                        resource,
                        reads: read,
                        writes: write,
                    };
                    let holds = self.when.holds(view);
                    verdict = Some(match (self.restricts, verdict) {
                        (_, None) => holds,
                        (Restricts::Yes, Some(so_far)) => so_far.max(holds),
                        (Restricts::No, Some(so_far)) => so_far.min(holds),
                    });
                }
            }
        }
        Ok(verdict.unwrap_or(Truth::Unknown))
    }
}

/// Every item in turn where the rule looks at them; else, and where there are none, one turn without.
fn each<T>(items: &[T], looked_at: bool) -> impl Iterator<Item = Option<&T>> {
    let items = if looked_at { items } else { &[] };
    let blank = items.is_empty().then_some(None);
    items.iter().map(Some).chain(blank)
}

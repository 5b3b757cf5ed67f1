//! Distinct people to slots: does a set of votes meet a quorum?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::quorum::{Quorum, Term};
use super::selector::Selector;

/// One person's approval that counts, and the selectors that the directory confirmed for them.
///
/// `K` tells people apart: a pseudonym in records, a canonical person at a desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedVote<K> {
    /// Who approves.
    pub person: K,
    /// Every selector that this person satisfies now.
    pub satisfies: BTreeSet<Selector>,
}

/// Whether a quorum is met.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Satisfied {
    /// Every slot of one alternative has its own person.
    Yes,
    /// People are missing.
    No,
}

/// How far a set of votes meets a quorum.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<K> {
    /// Whether it does.
    pub satisfied: Satisfied,
    /// Who fills a slot of which selector, each person once; of the alternative that is met, or else of the nearest.
    pub assignment: Vec<(Selector, K)>,
    /// What the nearest alternative lacks; empty exactly if the quorum is met.
    pub missing: Vec<Shortfall>,
}

/// Slots of one selector that nobody fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// Of whom.
    pub selector: Selector,
    /// How many.
    pub count: u32,
}

/// What makes a quorum impossible to meet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Missing {
    /// What the nearest alternative lacks.
    pub shortfalls: Vec<Shortfall>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody who may approve is left for ")?;
        for (index, Shortfall { selector, count }) in self.shortfalls.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{count} of {selector}")?;
        }
        Ok(())
    }
}

/// Who could fill the slots of a selector, exclusions already taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pool<K> {
    /// Exactly these.
    All(BTreeSet<K>),
    /// More than this many, too many to name; taken to be enough.
    MoreThan(u32),
}

impl Quorum {
    /// Matches `votes` to the slots of this quorum.
    ///
    /// Several votes of one person are one person. The result does not depend on the order of the votes, and a vote less never
    /// makes it better. A quorum beyond [`Quorum::check_size`] is never met.
    pub fn tally<K: Ord + Clone>(&self, votes: &[CountedVote<K>]) -> Tally<K> {
        let people = people(votes);
        let Some(terms) = self.terms() else {
            return unmeetable(self);
        };
        let matched = terms.into_iter().map(|term| Matching::of(term, &people));
        match matched.min_by_key(Matching::lacks) {
            Some(nearest) => nearest.into_tally(&people),
            None => unmeetable(self),
        }
    }

    /// What each alternative of this quorum still lacks, in the order of the expression; none once it is met.
    ///
    /// An alternative that needs all that another one needs, and more, is left out.
    pub fn shortfalls<K: Ord + Clone>(&self, votes: &[CountedVote<K>]) -> Vec<Vec<Shortfall>> {
        let people = people(votes);
        let Some(terms) = self.terms() else {
            return vec![unmeetable::<K>(self).missing];
        };
        let mut kept: Vec<Vec<Shortfall>> = Vec::new();
        for term in terms {
            let Tally { missing, .. } = Matching::of(term, &people).into_tally(&people);
            if missing.is_empty() {
                return Vec::new();
            }
            if !kept.iter().any(|other| within(other, &missing)) {
                kept.retain(|other| !within(&missing, other));
                kept.push(missing);
            }
        }
        kept
    }

    /// Whether the people in `pools` could meet this quorum if all of them approved.
    ///
    /// A selector without a pool has nobody. This is a check before anyone is asked; a vote is counted by [`Quorum::tally`] alone.
    ///
    /// # Errors
    ///
    /// [`Missing`] says what the nearest alternative lacks.
    pub fn feasible<K: Ord + Clone>(
        &self,
        pools: &BTreeMap<Selector, Pool<K>>,
    ) -> Result<(), Missing> {
        let mut people: BTreeMap<&K, BTreeSet<&Selector>> = BTreeMap::new();
        let mut plenty = BTreeSet::new();
        for (selector, pool) in pools {
            match pool {
                Pool::All(members) => {
                    for person in members {
                        people.entry(person).or_default().insert(selector);
                    }
                }
                Pool::MoreThan(_) => {
                    plenty.insert(selector);
                }
            }
        }
        let people: Vec<(&K, BTreeSet<&Selector>)> = people.into_iter().collect();
        let Some(terms) = self.terms() else {
            let Tally { missing, .. } = unmeetable::<K>(self);
            return Err(Missing {
                shortfalls: missing,
            });
        };
        let nearest = terms
            .into_iter()
            .map(|mut term| {
                term.retain(|(selector, _)| !plenty.contains(selector));
                Matching::of(term, &people)
            })
            .min_by_key(Matching::lacks);
        match nearest {
            Some(matching) if matching.lacks() == 0 => Ok(()),
            Some(matching) => Err(Missing {
                shortfalls: matching.into_tally(&people).missing,
            }),
            None => Err(Missing {
                shortfalls: Vec::new(),
            }),
        }
    }
}

/// Each voter once, with everything that the votes are worth.
fn people<K: Ord>(votes: &[CountedVote<K>]) -> Vec<(&K, BTreeSet<&Selector>)> {
    let mut people: BTreeMap<&K, BTreeSet<&Selector>> = BTreeMap::new();
    for CountedVote { person, satisfies } in votes {
        people.entry(person).or_default().extend(satisfies);
    }
    people.into_iter().collect()
}

/// Whether whoever fills `more` has filled `less`.
fn within(less: &[Shortfall], more: &[Shortfall]) -> bool {
    less.iter().all(|Shortfall { selector, count }| {
        let mut others = more.iter();
        others.any(|other| other.selector == *selector && other.count >= *count)
    })
}

/// The answer for a quorum with more alternatives than are looked at: not met, one of everything missing.
fn unmeetable<K>(quorum: &Quorum) -> Tally<K> {
    let missing = quorum.selectors().into_iter().map(|selector| Shortfall {
        selector: selector.clone(),
        count: 1,
    });
    Tally {
        satisfied: Satisfied::No,
        assignment: Vec::new(),
        missing: missing.collect(),
    }
}

/// A largest matching of people to the slots of one alternative (augmenting paths, people in their own order).
struct Matching<'a> {
    slots: Vec<Slots<'a>>,
}

/// The slots of one selector, and who sits in them, by index.
struct Slots<'a> {
    selector: &'a Selector,
    count: u32,
    filled: Vec<usize>,
}

impl Slots<'_> {
    fn free(&self) -> u32 {
        let filled = u32::try_from(self.filled.len()).unwrap_or(u32::MAX);
        self.count.saturating_sub(filled)
    }
}

impl<'a> Matching<'a> {
    fn of<K>(term: Term<'a>, people: &[(&K, BTreeSet<&Selector>)]) -> Self {
        let slots = term.into_iter().map(|(selector, count)| Slots {
            selector,
            count,
            filled: Vec::new(),
        });
        let mut matching = Self {
            slots: slots.collect(),
        };
        for person in 0..people.len() {
            let mut tried = vec![false; matching.slots.len()];
            matching.seat(person, people, &mut tried);
        }
        matching
    }

    /// Gives `person` a slot, moving others to other slots where that is needed; whether it worked.
    ///
    /// Each call that goes deeper has marked one more of the slot groups as tried, so the depth is at most their number.
    fn seat<K>(
        &mut self,
        person: usize,
        people: &[(&K, BTreeSet<&Selector>)],
        tried: &mut [bool],
    ) -> bool {
        let Some((_, satisfies)) = people.get(person) else {
            return false;
        };
        for index in 0..self.slots.len() {
            let (Some(slots), Some(seen)) = (self.slots.get_mut(index), tried.get_mut(index))
            else {
                continue;
            };
            if *seen || !satisfies.contains(slots.selector) {
                continue;
            }
            *seen = true;
            if slots.free() > 0 {
                slots.filled.push(person);
                return true;
            }
            for sitting in slots.filled.clone() {
                if self.seat(sitting, people, tried) {
                    if let Some(slots) = self.slots.get_mut(index) {
                        slots.filled.retain(|other| *other != sitting);
                        slots.filled.push(person);
                    }
                    return true;
                }
            }
        }
        false
    }

    /// How many slots are empty.
    fn lacks(&self) -> u64 {
        self.slots.iter().map(|slots| u64::from(slots.free())).sum()
    }

    fn into_tally<K: Clone>(self, people: &[(&K, BTreeSet<&Selector>)]) -> Tally<K> {
        let satisfied = if self.lacks() == 0 {
            Satisfied::Yes
        } else {
            Satisfied::No
        };
        let mut assignment = Vec::new();
        let mut missing = Vec::new();
        for slots in self.slots {
            let free = slots.free();
            let mut filled = slots.filled;
            filled.sort_unstable();
            for (person, _) in filled.into_iter().filter_map(|index| people.get(index)) {
                assignment.push((slots.selector.clone(), K::clone(person)));
            }
            if free > 0 {
                missing.push(Shortfall {
                    selector: slots.selector.clone(),
                    count: free,
                });
            }
        }
        Tally {
            satisfied,
            assignment,
            missing,
        }
    }
}

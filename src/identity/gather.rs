//! The facts that separation of duties needs, asked of a directory.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use crate::{
    action::{ActorChain, PersonId, Principal, PrincipalId, PrincipalKind},
    policy::Selector,
};

use super::{
    Activity, Directory, DirectoryError, Freshness, IsMember, NotProven, Person, Proven, Why,
};

/// The part that somebody has in an action, because of which they may not approve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Asks for it: the human who acts.
    Requester,
    /// Has somebody act for them: any human further out in the chain.
    Delegator,
    /// Controls an agent or a service in the chain.
    Controller,
}

/// Who has a part in an action.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// This person.
    Person(PersonId),
    /// Somebody whom the directory could not name: so it could be anybody.
    Unknown,
}

/// One part that one party has, and through which hop of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interest {
    /// What part.
    pub part: Part,
    /// Whose.
    pub party: Party,
    /// The hop of the chain, 0 for who acts.
    pub hop: usize,
}

/// Everybody who has a part in an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct InterestsFound {
    interests: BTreeSet<Interest>,
    persons: Vec<Option<PersonId>>,
}

impl InterestsFound {
    /// Every part that anybody has; a person may have several.
    pub fn iter(&self) -> impl Iterator<Item = &Interest> {
        self.interests.iter()
    }

    /// The persons, each once, for whom pseudonyms are needed.
    #[must_use]
    pub fn persons(&self) -> BTreeSet<&PersonId> {
        self.interests
            .iter()
            .filter_map(|interest| match &interest.party {
                Party::Person(person) => Some(person),
                Party::Unknown => None,
            })
            .collect()
    }

    /// For each hop of the chain in order the person behind it: nothing for agents and services, nor for a human whom
    /// the directory could not name.
    #[must_use]
    pub fn hops(&self) -> &[Option<PersonId>] {
        &self.persons
    }

    /// Whether somebody has this part whom the directory could not name.
    #[must_use]
    pub fn is_unknown(&self, part: Part) -> bool {
        self.interests
            .iter()
            .any(|interest| interest.part == part && interest.party == Party::Unknown)
    }
}

/// Learns who has a part in what this chain asks for.
///
/// Every human of the chain is resolved to the one person behind the id, and every agent and service to those who
/// control it. What the directory does not know stays in the answer as [`Party::Unknown`]. An inactive person keeps
/// the part they have.
///
/// # Errors
/// If the directory could not be asked, or its data contradict themselves; then nothing is known.
pub async fn interests(
    chain: &ActorChain,
    directory: &dyn Directory,
    freshness: Freshness,
) -> Result<InterestsFound, DirectoryError> {
    let hops = chain.hops().map(|hop| parties(hop, directory, freshness));
    let hops = try_join_all(hops).await?;
    let mut found = InterestsFound::default();
    for (hop, of_hop) in hops.into_iter().enumerate() {
        let (part, parties, person) = match of_hop {
            Parties::Human(party) => {
                let part = if hop == 0 {
                    Part::Requester
                } else {
                    Part::Delegator
                };
                let person = match &party {
                    Party::Person(person) => Some(person.clone()),
                    Party::Unknown => None,
                };
                (part, vec![party], person)
            }
            Parties::Controllers(parties) => (Part::Controller, parties, None),
        };
        found.persons.push(person);
        found.interests.extend(
            parties
                .into_iter()
                .map(|party| Interest { part, party, hop }),
        );
    }
    Ok(found)
}

enum Parties {
    Human(Party),
    Controllers(Vec<Party>),
}

async fn parties(
    hop: &Principal,
    directory: &dyn Directory,
    freshness: Freshness,
) -> Result<Parties, DirectoryError> {
    match hop.kind() {
        PrincipalKind::Human => {
            let person = freshness.take(directory.person(hop.id()).await?);
            Ok(Parties::Human(
                person.map_or(Party::Unknown, |person| Party::Person(person.id)),
            ))
        }
        PrincipalKind::Agent | PrincipalKind::Service => {
            let controllers = freshness.take(directory.controllers(hop.id()).await?);
            Ok(Parties::Controllers(match controllers {
                Ok(persons) => persons.into_iter().map(Party::Person).collect(),
                Err(_) => vec![Party::Unknown],
            }))
        }
    }
}

/// What a directory confirmed of somebody who votes, or voted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Confirmed {
    /// An active person, with those of the selectors that they belong to, which may be none.
    Person {
        /// The one id that stands for all of theirs.
        person: PersonId,
        /// The selectors whose slots they can fill.
        satisfies: BTreeSet<Selector>,
    },
    /// The person is known and has no say any more.
    Deactivated(PersonId),
    /// The directory does not know who this is.
    Unknown(Why),
}

/// Learns which of the selectors this person can fill now.
///
/// The id may be any of the person's: it is resolved again, so that ids that were linked since lead to one person. What
/// the directory does not know is not filled. A human fills every kind of selector but `service:`, a service fills that
/// alone, and an agent none, whatever their groups say.
///
/// # Errors
/// If the directory could not be asked, or its data contradict themselves; then the vote does not count.
pub async fn confirm(
    who: &PrincipalId,
    selectors: &BTreeSet<Selector>,
    directory: &dyn Directory,
    freshness: Freshness,
) -> Result<Confirmed, DirectoryError> {
    let person = match freshness.take(directory.person(who).await?) {
        Ok(person) => person,
        Err(why) => return Ok(Confirmed::Unknown(why)),
    };
    let Person {
        id,
        kind,
        display_name: _,
        active,
    } = person;
    match active {
        Activity::Deactivated => return Ok(Confirmed::Deactivated(id)),
        Activity::Active => {}
    }
    // The kind is looked at before any group: no role lets an agent fill a human's slot.
    let open_to = selectors.iter().filter(|selector| may_fill(kind, selector));
    let asked = open_to.map(|selector| satisfied(&id, selector, directory, freshness));
    let satisfies = try_join_all(asked).await?.into_iter().flatten().collect();
    Ok(Confirmed::Person {
        person: id,
        satisfies,
    })
}

fn may_fill(kind: PrincipalKind, selector: &Selector) -> bool {
    match (kind, selector) {
        (PrincipalKind::Human, Selector::Service(_)) => false,
        (PrincipalKind::Human, _) => true,
        (PrincipalKind::Service, Selector::Service(_)) => true,
        (PrincipalKind::Service, _) => false,
        (PrincipalKind::Agent, _) => false,
    }
}

/// Finds the person behind what was proven.
///
/// # Errors
/// [`NotProven::Unlinked`], [`NotProven::Ambiguous`], [`NotProven::Deactivated`] or [`NotProven::Unavailable`] as the
/// directory says; [`NotProven::Agent`] if an agent's credential was presented; [`NotProven::Invalid`] if the proof and
/// the directory disagree whether this is a human.
pub async fn recognise(
    proven: &Proven,
    directory: &dyn Directory,
    freshness: Freshness,
) -> Result<Person, NotProven> {
    let person = match freshness.take(directory.person(&proven.who).await?) {
        Ok(person) => person,
        Err(Why::Ambiguous) => return Err(NotProven::Ambiguous),
        Err(Why::Stale) => return Err(NotProven::Unavailable(None)),
        Err(_) => return Err(NotProven::Unlinked),
    };
    match (proven.kind, person.kind, person.active) {
        (PrincipalKind::Agent, _, _) | (_, PrincipalKind::Agent, _) => Err(NotProven::Agent),
        (proven, known, _) if proven != known => Err(NotProven::Invalid),
        (_, _, Activity::Deactivated) => Err(NotProven::Deactivated),
        (_, _, Activity::Active) => Ok(person),
    }
}

async fn satisfied(
    person: &PersonId,
    selector: &Selector,
    directory: &dyn Directory,
    freshness: Freshness,
) -> Result<Option<Selector>, DirectoryError> {
    let membership = freshness.take(directory.member(person, selector).await?);
    Ok(match membership.map(|membership| membership.is) {
        Ok(IsMember::Yes) => Some(selector.clone()),
        Ok(IsMember::No) | Err(_) => None,
    })
}

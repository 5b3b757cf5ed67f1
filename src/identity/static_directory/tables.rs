//! A directory's content after it was checked, and the answers from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use crate::{
    action::{PersonId, PrincipalId, PrincipalKind},
    policy::Selector,
};

use super::{
    error::{EditError, Warning},
    look_alike::Look,
};
use crate::identity::{Activity, IsMember, Members, Membership, Person, Why};

#[derive(Clone)]
pub(super) struct PersonRow {
    pub(super) name: Option<String>,
    pub(super) active: Activity,
}

#[derive(Clone)]
pub(super) struct AgentRow {
    /// Agent or service.
    pub(super) kind: PrincipalKind,
    /// `None` where it is not known.
    pub(super) controllers: Option<BTreeSet<PersonId>>,
}

/// What a selector names. Nested ones are followed when a question is asked, so that an edit of an inner one counts.
#[derive(Clone, Default)]
pub(super) struct SetRow {
    pub(super) members: BTreeSet<PersonId>,
    pub(super) nested: BTreeSet<Selector>,
}

/// INVARIANT: an id is in `links` or in `agents`, never in both; every person is linked to themselves; members and
/// controllers are persons, or services in a set for services; no set contains itself.
#[derive(Clone, Default)]
pub(super) struct Tables {
    persons: BTreeMap<PersonId, PersonRow>,
    links: BTreeMap<PrincipalId, PersonId>,
    agents: BTreeMap<PrincipalId, AgentRow>,
    sets: BTreeMap<Selector, SetRow>,
    /// How every id looks, for refusing others that look the same.
    looks: BTreeMap<Look, BTreeSet<PrincipalId>>,
}

/// Answers.
impl Tables {
    pub(super) fn person(&self, id: &PrincipalId) -> Result<Person, Why> {
        if let Some(person) = self.links.get(id) {
            let PersonRow { name, active } = self.persons.get(person).ok_or(Why::Unlinked)?;
            return Ok(Person {
                id: person.clone(),
                kind: PrincipalKind::Human,
                display_name: name.clone(),
                active: *active,
            });
        }
        match self.agents.get(id) {
            Some(AgentRow {
                kind: PrincipalKind::Service,
                controllers: _,
            }) => Ok(Person {
                id: PersonId::new(id.clone()),
                kind: PrincipalKind::Service,
                display_name: None,
                active: Activity::Active,
            }),
            Some(_) | None => Err(Why::Unlinked),
        }
    }

    pub(super) fn member(&self, person: &PersonId, of: &Selector) -> Result<Membership, Why> {
        let is = if self.everybody(of)?.contains(person) {
            IsMember::Yes
        } else {
            IsMember::No
        };
        Ok(Membership { is, since: None })
    }

    pub(super) fn members(&self, of: &Selector, at_most: NonZeroU32) -> Result<Members, Why> {
        let everybody = self.everybody(of)?;
        let limit = usize::try_from(at_most.get()).unwrap_or(usize::MAX);
        // Only those who have a say: this serves the question whether anybody could approve.
        let active: Vec<_> = everybody
            .into_iter()
            .filter(|person| self.is_active(person))
            .collect();
        if active.len() > limit {
            return Ok(Members::MoreThan(at_most));
        }
        Ok(Members::All(active.into_iter().cloned().collect()))
    }

    pub(super) fn controllers(&self, agent: &PrincipalId) -> Result<Vec<PersonId>, Why> {
        let row = self.agents.get(agent).ok_or(Why::Unlisted)?;
        let controllers = row.controllers.as_ref().ok_or(Why::Unlisted)?;
        Ok(controllers.iter().cloned().collect())
    }

    fn everybody(&self, of: &Selector) -> Result<BTreeSet<&PersonId>, Why> {
        if let Selector::User(name) = of {
            // The text of the id, in its one spelling; any id of the person will do.
            let mut named = self
                .links
                .iter()
                .filter(|(id, _)| id.to_string() == name.as_str());
            return Ok(BTreeSet::from([named.next().ok_or(Why::NoSuchName)?.1]));
        }
        let mut everybody = BTreeSet::new();
        let mut seen = BTreeSet::from([of]);
        let mut inside = vec![self.sets.get(of).ok_or(Why::NoSuchName)?];
        while let Some(SetRow { members, nested }) = inside.pop() {
            everybody.extend(members);
            for inner in nested {
                if seen.insert(inner) {
                    inside.push(self.sets.get(inner).ok_or(Why::NoSuchName)?);
                }
            }
        }
        Ok(everybody)
    }

    fn is_active(&self, person: &PersonId) -> bool {
        self.person(person.as_principal())
            .is_ok_and(|person| person.active == Activity::Active)
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let empty = self.sets.keys().filter_map(|selector| {
            let everybody = self.everybody(selector).ok()?;
            if everybody.is_empty() {
                Some(Warning::Empty(selector.clone()))
            } else if everybody.iter().any(|person| self.is_active(person)) {
                None
            } else {
                Some(Warning::AllDeactivated(selector.clone()))
            }
        });
        let uncontrolled = self
            .agents
            .iter()
            .filter(|(_, row)| row.controllers.is_none())
            .map(|(agent, _)| Warning::NoControllers(agent.clone()));
        empty.chain(uncontrolled).collect()
    }
}

/// Look-ups and inserts for whoever checks content.
impl Tables {
    pub(super) fn is_taken(&self, id: &PrincipalId) -> bool {
        self.links.contains_key(id) || self.agents.contains_key(id)
    }

    /// An id that looks like `id` and belongs to another than `owner`.
    pub(super) fn looks_like(&self, id: &PrincipalId, owner: &PrincipalId) -> Option<PrincipalId> {
        let owner = self.canonical(owner);
        self.looks
            .get(&Look::of(id))?
            .iter()
            .find(|other| *other != id && (owner.is_none() || self.canonical(other) != owner))
            .cloned()
    }

    pub(super) fn canonical(&self, id: &PrincipalId) -> Option<&PersonId> {
        self.links.get(id)
    }

    /// Who is meant by an id in a list of members: a service in a set for services, a person in any other.
    pub(super) fn belonging(&self, of: &Selector, id: &PrincipalId) -> Option<PersonId> {
        match (of, self.agents.get(id).map(|agent| agent.kind)) {
            (Selector::Service(_), Some(PrincipalKind::Service)) => Some(PersonId::new(id.clone())),
            (Selector::Service(_), _) => None,
            (_, _) => self.canonical(id).cloned(),
        }
    }

    pub(super) fn set(&self, selector: &Selector) -> Option<&SetRow> {
        self.sets.get(selector)
    }

    pub(super) fn set_mut(&mut self, selector: Selector) -> &mut SetRow {
        self.sets.entry(selector).or_default()
    }

    pub(super) fn insert_agent(&mut self, id: PrincipalId, row: AgentRow) {
        self.look(&id);
        self.agents.insert(id, row);
    }

    pub(super) fn insert_person(&mut self, id: PrincipalId, row: PersonRow) {
        let person = PersonId::new(id.clone());
        self.persons.insert(person.clone(), row);
        self.insert_link(id, person);
    }

    pub(super) fn insert_link(&mut self, id: PrincipalId, person: PersonId) {
        self.look(&id);
        self.links.insert(id, person);
    }

    pub(super) fn set_controllers_of(
        &mut self,
        agent: &PrincipalId,
        controllers: Option<BTreeSet<PersonId>>,
    ) {
        if let Some(row) = self.agents.get_mut(agent) {
            row.controllers = controllers;
        }
    }

    fn look(&mut self, id: &PrincipalId) {
        self.looks
            .entry(Look::of(id))
            .or_default()
            .insert(id.clone());
    }
}

/// Edits.
impl Tables {
    pub(super) fn set_active(
        &mut self,
        person: &PrincipalId,
        active: Activity,
    ) -> Result<(), EditError> {
        let person = self
            .canonical(person)
            .ok_or(EditError::NoSuchPerson)?
            .clone();
        let row = self
            .persons
            .get_mut(&person)
            .ok_or(EditError::NoSuchPerson)?;
        row.active = active;
        Ok(())
    }

    pub(super) fn link(&mut self, id: PrincipalId, person: &PrincipalId) -> Result<(), EditError> {
        let person = self
            .canonical(person)
            .ok_or(EditError::NoSuchPerson)?
            .clone();
        if self.agents.contains_key(&id) {
            return Err(EditError::NotAHuman);
        }
        let second = match self.canonical(&id) {
            Some(same) if *same == person => return Ok(()),
            Some(second) => second.clone(),
            None if self.looks_like(&id, person.as_principal()).is_some() => {
                return Err(EditError::LooksAlike);
            }
            None => {
                self.insert_link(id, person);
                return Ok(());
            }
        };
        self.merge(&second, &person);
        Ok(())
    }

    /// Makes two persons one. Who was deactivated as either is deactivated.
    fn merge(&mut self, second: &PersonId, person: &PersonId) {
        let gone = self.persons.remove(second);
        if let (Some(gone), Some(stays)) = (gone, self.persons.get_mut(person)) {
            stays.active = match (gone.active, stays.active) {
                (Activity::Active, Activity::Active) => Activity::Active,
                (Activity::Deactivated, _) | (_, Activity::Deactivated) => Activity::Deactivated,
            };
        }
        for linked in self.links.values_mut().filter(|linked| *linked == second) {
            *linked = person.clone();
        }
        let sets = self.sets.values_mut().map(|set| &mut set.members);
        let controllers = self
            .agents
            .values_mut()
            .filter_map(|agent| agent.controllers.as_mut());
        for people in sets.chain(controllers) {
            if people.remove(second) {
                people.insert(person.clone());
            }
        }
    }

    pub(super) fn unlink(&mut self, id: &PrincipalId) -> Result<(), EditError> {
        let person = self.canonical(id).ok_or(EditError::NoSuchPerson)?;
        if person.as_principal() == id {
            return Err(EditError::Canonical);
        }
        self.links.remove(id);
        if let Some(same) = self.looks.get_mut(&Look::of(id)) {
            same.remove(id);
        }
        Ok(())
    }

    pub(super) fn add_member(
        &mut self,
        of: &Selector,
        person: &PrincipalId,
    ) -> Result<(), EditError> {
        if let Selector::User(_) = of {
            return Err(EditError::NoSuchSet);
        }
        let person = self.belonging(of, person).ok_or(EditError::NoSuchPerson)?;
        self.set_mut(of.clone()).members.insert(person);
        Ok(())
    }

    pub(super) fn remove_member(
        &mut self,
        of: &Selector,
        person: &PrincipalId,
    ) -> Result<(), EditError> {
        let person = self.belonging(of, person).ok_or(EditError::NoSuchPerson)?;
        let set = self.sets.get_mut(of).ok_or(EditError::NoSuchSet)?;
        set.members.remove(&person);
        Ok(())
    }

    pub(super) fn set_controllers(
        &mut self,
        agent: &PrincipalId,
        controllers: Option<&[PrincipalId]>,
    ) -> Result<(), EditError> {
        let persons = controllers
            .map(|ids| {
                let person = |id| self.canonical(id).cloned().ok_or(EditError::NoSuchPerson);
                ids.iter().map(person).collect::<Result<BTreeSet<_>, _>>()
            })
            .transpose()?;
        let row = self.agents.get_mut(agent).ok_or(EditError::NoSuchAgent)?;
        row.controllers = persons;
        Ok(())
    }
}

//! A directory's content before it was checked.

use std::collections::BTreeSet;

use crate::{
    action::{PersonId, PrincipalId, PrincipalKind},
    policy::Selector,
};

use super::{
    error::{LoadError, LoadErrors, Problem},
    tables::{AgentRow, PersonRow, SetRow, Tables},
};
use crate::identity::Activity;

/// Something with the line that it stands on.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) line: Option<usize>,
    pub(super) it: T,
}

impl<T> At<T> {
    pub(super) fn nowhere(it: T) -> Self {
        Self { line: None, it }
    }

    fn wrong(&self, problem: Problem) -> LoadError {
        LoadError {
            line: self.line,
            problem,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct DraftPerson {
    pub(super) id: At<PrincipalId>,
    pub(super) name: Option<String>,
    pub(super) active: Activity,
    pub(super) aliases: Vec<At<PrincipalId>>,
    pub(super) groups: Vec<At<Selector>>,
}

#[derive(Clone, Debug)]
pub(super) struct DraftSet {
    pub(super) selector: At<Selector>,
    pub(super) members: Vec<At<PrincipalId>>,
    pub(super) nested: Vec<At<Selector>>,
}

#[derive(Clone, Debug)]
pub(super) struct DraftAgent {
    pub(super) id: At<PrincipalId>,
    pub(super) kind: PrincipalKind,
    pub(super) controllers: Option<Vec<At<PrincipalId>>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) persons: Vec<DraftPerson>,
    pub(super) sets: Vec<DraftSet>,
    pub(super) agents: Vec<DraftAgent>,
    /// Ids of persons who were never declared, for whom aliases were given.
    pub(super) unowned: Vec<At<PrincipalId>>,
}

impl Draft {
    /// The tables, if nothing is wrong.
    pub(super) fn check(self) -> Result<Tables, LoadErrors> {
        let Self {
            persons,
            sets,
            agents,
            unowned,
        } = self;
        let mut checked = Checked::default();
        // First everything that has an id, for the rest refers to it.
        for agent in &agents {
            checked.agent(agent);
        }
        for person in &persons {
            checked.person(person);
        }
        for set in &sets {
            checked.declare(&set.selector);
        }
        for person in &persons {
            checked.groups_of(person);
        }
        for set in &sets {
            checked.set(set);
        }
        for agent in &agents {
            checked.controllers(agent);
        }
        for set in &sets {
            checked.circle(&set.selector);
        }
        for id in &unowned {
            checked
                .errors
                .push(id.wrong(Problem::NoSuchPerson(id.it.clone())));
        }
        let Checked {
            tables, mut errors, ..
        } = checked;
        if errors.is_empty() {
            return Ok(tables);
        }
        errors.sort_by_key(|error| error.line);
        Err(LoadErrors::of(errors))
    }
}

#[derive(Default)]
struct Checked {
    tables: Tables,
    declared: BTreeSet<Selector>,
    errors: Vec<LoadError>,
}

impl Checked {
    /// Whether an id is free and like no other; says so where it is not.
    fn free(&mut self, id: &At<PrincipalId>, owner: &PrincipalId) -> bool {
        let problem = if self.tables.is_taken(&id.it) {
            Problem::AmbiguousIdentity(id.it.clone())
        } else if let Some(other) = self.tables.looks_like(&id.it, owner) {
            Problem::LooksAlike {
                id: id.it.clone(),
                other,
            }
        } else {
            return true;
        };
        self.errors.push(id.wrong(problem));
        false
    }

    fn agent(&mut self, agent: &DraftAgent) {
        let DraftAgent {
            id,
            kind,
            controllers: _,
        } = agent;
        if self.free(id, &id.it) {
            let row = AgentRow {
                kind: *kind,
                controllers: None,
            };
            self.tables.insert_agent(id.it.clone(), row);
        }
    }

    fn person(&mut self, person: &DraftPerson) {
        let DraftPerson {
            id,
            name,
            active,
            aliases,
            groups: _,
        } = person;
        if !self.free(id, &id.it) {
            return;
        }
        let row = PersonRow {
            name: name.clone(),
            active: *active,
        };
        self.tables.insert_person(id.it.clone(), row);
        for alias in aliases {
            if self.free(alias, &id.it) {
                self.tables
                    .insert_link(alias.it.clone(), PersonId::new(id.it.clone()));
            }
        }
    }

    fn declare(&mut self, selector: &At<Selector>) {
        if self.declared.insert(selector.it.clone()) {
            self.tables.set_mut(selector.it.clone());
        } else {
            self.errors
                .push(selector.wrong(Problem::Twice(selector.it.clone())));
        }
    }

    fn groups_of(&mut self, person: &DraftPerson) {
        for group in &person.groups {
            let member = PersonId::new(person.id.it.clone());
            self.tables.set_mut(group.it.clone()).members.insert(member);
        }
    }

    fn set(&mut self, set: &DraftSet) {
        let DraftSet {
            selector,
            members,
            nested,
        } = set;
        for member in members {
            match self.tables.belonging(&selector.it, &member.it) {
                Some(person) => {
                    self.tables
                        .set_mut(selector.it.clone())
                        .members
                        .insert(person);
                }
                None => self.errors.push(member.wrong(match selector.it {
                    Selector::Service(_) => Problem::NoSuchService(member.it.clone()),
                    _ => Problem::NoSuchPerson(member.it.clone()),
                })),
            }
        }
        for inner in nested {
            if self.tables.set(&inner.it).is_some() {
                self.tables
                    .set_mut(selector.it.clone())
                    .nested
                    .insert(inner.it.clone());
            } else {
                self.errors
                    .push(inner.wrong(Problem::NoSuchSet(inner.it.clone())));
            }
        }
    }

    fn controllers(&mut self, agent: &DraftAgent) {
        let Some(controllers) = &agent.controllers else {
            return;
        };
        let mut persons = BTreeSet::new();
        for controller in controllers {
            match self.tables.canonical(&controller.it) {
                Some(person) => {
                    persons.insert(person.clone());
                }
                None => self
                    .errors
                    .push(controller.wrong(Problem::NoSuchPerson(controller.it.clone()))),
            }
        }
        self.tables.set_controllers_of(&agent.id.it, Some(persons));
    }

    fn circle(&mut self, selector: &At<Selector>) {
        let mut seen = BTreeSet::new();
        let mut inside: Vec<&Selector> = self.nested(&selector.it);
        while let Some(inner) = inside.pop() {
            if *inner == selector.it {
                self.errors
                    .push(selector.wrong(Problem::Circle(selector.it.clone())));
                return;
            }
            if seen.insert(inner) {
                inside.extend(self.nested(inner));
            }
        }
    }

    fn nested(&self, selector: &Selector) -> Vec<&Selector> {
        let set = self.tables.set(selector);
        set.map(|SetRow { nested, .. }| nested.iter().collect())
            .unwrap_or_default()
    }
}

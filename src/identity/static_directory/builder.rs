//! Putting a directory together in a program.

use crate::{
    action::{PrincipalId, PrincipalKind},
    policy::Selector,
};

use super::{
    StaticDirectory,
    draft::{At, Draft, DraftAgent, DraftPerson, DraftSet},
    error::LoadErrors,
};
use crate::identity::Activity;

/// Puts a [`StaticDirectory`] together; everything is checked at the end, as it is for a file.
///
/// ```
/// use countersign::action::PrincipalId;
/// use countersign::identity::StaticDirectory;
///
/// let rita = PrincipalId::new("demo", "rita")?;
/// let directory = StaticDirectory::builder()
///     .person(rita.clone())
///     .alias(rita.clone(), PrincipalId::new("slack", "U02")?)
///     .member("group:security".parse()?, rita.clone())
///     .agent(PrincipalId::new("agents", "exporter")?, [rita])
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct StaticDirectoryBuilder {
    draft: Draft,
    aliases: Vec<(PrincipalId, PrincipalId)>,
}

impl StaticDirectoryBuilder {
    /// A person, known by this id.
    pub fn person(mut self, id: PrincipalId) -> Self {
        self.draft.persons.push(DraftPerson {
            id: At::nowhere(id),
            name: None,
            active: Activity::Active,
            aliases: Vec::new(),
            groups: Vec::new(),
        });
        self
    }

    /// The same for a person whom others know by a name.
    pub fn person_named(mut self, id: PrincipalId, name: &str) -> Self {
        self = self.person(id);
        if let Some(person) = self.draft.persons.last_mut() {
            person.name = Some(name.to_owned());
        }
        self
    }

    /// A person who has no say any more.
    pub fn deactivated(mut self, id: PrincipalId) -> Self {
        self = self.person(id);
        if let Some(person) = self.draft.persons.last_mut() {
            person.active = Activity::Deactivated;
        }
        self
    }

    /// Another id of a person, after somebody verified that it is theirs.
    pub fn alias(mut self, person: PrincipalId, id: PrincipalId) -> Self {
        self.aliases.push((person, id));
        self
    }

    /// What a selector names, with nobody in it so far.
    pub fn set(self, named: Selector) -> Self {
        self.extend_set(named, |_| {})
    }

    /// Somebody who belongs to what a selector names: a person, or in a `service:` set a service.
    pub fn member(self, of: Selector, id: PrincipalId) -> Self {
        self.extend_set(of, |set| set.members.push(At::nowhere(id)))
    }

    /// Lets everybody in `inner` belong to `outer` too.
    pub fn nested(self, outer: Selector, inner: Selector) -> Self {
        self.extend_set(outer, |set| set.nested.push(At::nowhere(inner)))
    }

    /// An agent, with everybody who controls it.
    pub fn agent(
        self,
        id: PrincipalId,
        controllers: impl IntoIterator<Item = PrincipalId>,
    ) -> Self {
        self.controlled(
            PrincipalKind::Agent,
            id,
            Some(controllers.into_iter().collect()),
        )
    }

    /// A service, with everybody who controls it.
    pub fn service(
        self,
        id: PrincipalId,
        controllers: impl IntoIterator<Item = PrincipalId>,
    ) -> Self {
        self.controlled(
            PrincipalKind::Service,
            id,
            Some(controllers.into_iter().collect()),
        )
    }

    /// An agent of which nobody knows who controls it.
    pub fn stray_agent(self, id: PrincipalId) -> Self {
        self.controlled(PrincipalKind::Agent, id, None)
    }

    /// The directory.
    ///
    /// # Errors
    /// Everything that is wrong with what was said.
    pub fn build(self) -> Result<StaticDirectory, LoadErrors> {
        let Self { mut draft, aliases } = self;
        let mut nobodys = Vec::new();
        for (owner, alias) in aliases {
            match draft
                .persons
                .iter_mut()
                .find(|person| person.id.it == owner)
            {
                Some(person) => person.aliases.push(At::nowhere(alias)),
                None => nobodys.push(At::nowhere(owner)),
            }
        }
        draft.unowned = nobodys;
        draft.check().map(StaticDirectory::holding)
    }

    fn controlled(
        mut self,
        kind: PrincipalKind,
        id: PrincipalId,
        controllers: Option<Vec<PrincipalId>>,
    ) -> Self {
        self.draft.agents.push(DraftAgent {
            id: At::nowhere(id),
            kind,
            controllers: controllers.map(|ids| ids.into_iter().map(At::nowhere).collect()),
        });
        self
    }

    fn extend_set(mut self, named: Selector, extend: impl FnOnce(&mut DraftSet)) -> Self {
        let known = self
            .draft
            .sets
            .iter_mut()
            .find(|set| set.selector.it == named);
        if let Some(set) = known {
            extend(set);
            return self;
        }
        let mut set = DraftSet {
            selector: At::nowhere(named),
            members: Vec::new(),
            nested: Vec::new(),
        };
        extend(&mut set);
        self.draft.sets.push(set);
        self
    }
}

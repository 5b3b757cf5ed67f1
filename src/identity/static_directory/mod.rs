//! A directory that is held in memory, from a file or built by a program.

mod builder;
mod draft;
mod error;
mod file;
mod look_alike;
mod tables;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    num::NonZeroU32,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;

use crate::{
    action::{PersonId, PrincipalId},
    clock::{Clock, SystemClock},
    policy::Selector,
};

use self::tables::Tables;
use super::{Activity, Directory, DirectoryError, Known, Members, Membership, Person, Why};

pub use self::{
    builder::StaticDirectoryBuilder,
    error::{EditError, LoadError, LoadErrors, Problem, Warning},
};

/// A [`Directory`] in memory, from a TOML file or a [builder](StaticDirectory::builder), that can be edited while it serves.
///
/// ```toml
/// [[persons]]
/// id = "demo/rita"                       # issuer/subject; { issuer = "https://…", subject = "…" } where one has a slash
/// name = "Rita"                          # for people to read, never compared
/// aliases = ["slack/U02", "demo/rita-adm"] # links that somebody verified
/// groups = ["security"]
/// # active = false                       # known, and without any say
///
/// [[groups]]                             # also [[roles]], [[relations]], [[oncall]], [[owners]], [[services]]
/// name = "reviewers"
/// members = ["demo/dan"]
/// groups = ["security"]                  # its members are members here too
///
/// [[agents]]
/// id = "agents/exporter"
/// kind = "agent"                         # or "service"; agent unless said otherwise
/// controllers = ["demo/olga"]            # [] says that nobody controls it; without the line that is unknown
/// ```
///
/// Everything is checked before any of it is used, and each error names its line: unknown fields, an id of two persons, ids
/// of two parties that differ only in case, width or invisible characters, members and controllers that are nobody's id,
/// groups that contain each other. A group without members is legal, nobody can approve for it, and
/// [`warnings`](StaticDirectory::warnings) says so.
///
/// Relations are sets that the file names, such as `relation:manager-of-olga`; a relation that depends on who asks needs
/// another directory.
///
/// Edits are atomic: a question sees all of an edit or nothing. Answers are as fresh as the question, for memory is where
/// this directory's truth is.
///
/// ```
/// use countersign::identity::StaticDirectory;
///
/// let directory = StaticDirectory::from_toml(r#"
///     [[persons]]
///     id = "demo/rita"
///     groups = ["security"]
/// "#)?;
/// assert!(directory.warnings().is_empty());
///
/// let errors = StaticDirectory::from_toml("[[persons]]\nid = \"demo/rita\"\nmanager = true\n").unwrap_err();
/// assert!(errors.to_string().starts_with("line 3: "));
/// # Ok::<(), countersign::identity::LoadErrors>(())
/// ```
pub struct StaticDirectory {
    // INVARIANT: whole tables are swapped under the lock, so that a panic elsewhere cannot leave half of an edit.
    tables: RwLock<Arc<Tables>>,
    clock: Arc<dyn Clock>,
}

impl StaticDirectory {
    /// A directory from the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn from_toml(text: &str) -> Result<Self, LoadErrors> {
        file::read(text)?.check().map(Self::holding)
    }

    /// A directory from a file.
    ///
    /// # Errors
    /// If the file cannot be read, and else everything that is wrong with it, each with its line.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, LoadErrors> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|error| LoadErrors::unreadable(path, error))?;
        Self::from_toml(&text)
    }

    /// A directory that a program puts together.
    pub fn builder() -> StaticDirectoryBuilder {
        StaticDirectoryBuilder::default()
    }

    /// The same, with the time of its answers taken from this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn holding(tables: Tables) -> Self {
        Self {
            tables: RwLock::new(Arc::new(tables)),
            clock: Arc::new(SystemClock),
        }
    }

    /// What is legal and probably not meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        self.tables().warnings()
    }

    /// Takes another directory's content in place of its own, at once.
    pub fn replace(&self, new: Self) {
        let tables = new
            .tables
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = tables;
    }

    /// Gives or takes a person's say.
    ///
    /// # Errors
    /// [`EditError::NoSuchPerson`].
    pub fn set_active(&self, person: &PrincipalId, active: Activity) -> Result<(), EditError> {
        self.edit(|tables| tables.set_active(person, active))
    }

    /// Links another id to a person, after somebody verified that it is theirs.
    ///
    /// If the id is itself a person's, with or without further ids, the two persons become one: all ids and memberships of
    /// the second are the first's from then on.
    ///
    /// # Errors
    /// [`EditError::NoSuchPerson`], [`EditError::NotAHuman`] if the id is an agent's, [`EditError::LooksAlike`] if it looks like
    /// an id of somebody else.
    pub fn link(&self, id: PrincipalId, person: &PrincipalId) -> Result<(), EditError> {
        self.edit(|tables| tables.link(id, person))
    }

    /// Takes an id from its person; the id that stands for the person itself stays.
    ///
    /// # Errors
    /// [`EditError::NoSuchPerson`] if it is nobody's, [`EditError::Canonical`] if it stands for the person.
    pub fn unlink(&self, id: &PrincipalId) -> Result<(), EditError> {
        self.edit(|tables| tables.unlink(id))
    }

    /// Makes a person belong to what a selector names, which need not have been named before.
    ///
    /// # Errors
    /// [`EditError::NoSuchPerson`]; [`EditError::NoSuchSet`] for `user:`, which names a person itself.
    pub fn add_member(&self, of: &Selector, person: &PrincipalId) -> Result<(), EditError> {
        self.edit(|tables| tables.add_member(of, person))
    }

    /// Takes a person out of what a selector names. A person who also belongs to it through a nested group stays.
    ///
    /// # Errors
    /// [`EditError::NoSuchPerson`], [`EditError::NoSuchSet`].
    pub fn remove_member(&self, of: &Selector, person: &PrincipalId) -> Result<(), EditError> {
        self.edit(|tables| tables.remove_member(of, person))
    }

    /// Says who controls an agent, or that this is not known.
    ///
    /// # Errors
    /// [`EditError::NoSuchPerson`] for a controller, [`EditError::NoSuchAgent`].
    pub fn set_controllers(
        &self,
        agent: &PrincipalId,
        controllers: Option<&[PrincipalId]>,
    ) -> Result<(), EditError> {
        self.edit(|tables| tables.set_controllers(agent, controllers))
    }

    fn edit(
        &self,
        change: impl FnOnce(&mut Tables) -> Result<(), EditError>,
    ) -> Result<(), EditError> {
        let mut guard = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let mut edited = Tables::clone(&guard);
        change(&mut edited)?;
        *guard = Arc::new(edited);
        Ok(())
    }

    fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn say<T>(&self, answer: Result<T, Why>) -> Known<T> {
        match answer {
            Ok(value) => Known::Known {
                value,
                as_of: self.clock.now(),
            },
            Err(why) => Known::Unknown(why),
        }
    }
}

impl fmt::Debug for StaticDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People's names and ids are no matter for a log.
        f.debug_struct("StaticDirectory").finish_non_exhaustive()
    }
}

#[async_trait]
impl Directory for StaticDirectory {
    async fn person(&self, id: &PrincipalId) -> Result<Known<Person>, DirectoryError> {
        Ok(self.say(self.tables().person(id)))
    }

    async fn member(
        &self,
        person: &PersonId,
        of: &Selector,
    ) -> Result<Known<Membership>, DirectoryError> {
        Ok(self.say(self.tables().member(person, of)))
    }

    async fn members(
        &self,
        of: &Selector,
        at_most: NonZeroU32,
    ) -> Result<Known<Members>, DirectoryError> {
        Ok(self.say(self.tables().members(of, at_most)))
    }

    async fn controllers(
        &self,
        agent: &PrincipalId,
    ) -> Result<Known<Vec<PersonId>>, DirectoryError> {
        Ok(self.say(self.tables().controllers(agent)))
    }
}

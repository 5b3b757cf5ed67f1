//! The plug that knows people.

use std::{error::Error, fmt::Debug, num::NonZeroU32, sync::Arc};

use async_trait::async_trait;

use crate::{
    action::{PersonId, PrincipalId},
    policy::Selector,
};

use super::{Known, Members, Membership, Person};

/// Who a person is, what they belong to, and who controls an agent.
///
/// Separation of duties rests on the answers: two ids of one person must lead to one [`PersonId`],
/// whatever the channel that they were used on.
///
/// # Contract
///
/// - **Links are verified.** [`person`](Directory::person) follows only links between ids that an
///   administrator or the person proved. It never guesses from an e-mail address, a display name, or
///   the spelling of an id; ids are compared byte for byte. An id without a link is
///   [`Why::Unlinked`](super::Why::Unlinked).
/// - **One id, one person.** An id that two persons claim is [`DirectoryError::AmbiguousIdentity`]
///   or [`Why::Ambiguous`](super::Why::Ambiguous), never a choice between them.
/// - **Live.** An answer says when it was true; a cached answer says when it was fetched. A token's
///   groups are as old as the token and no answer.
/// - **Nested groups are the directory's to resolve**, with an end to the depth; a circle is
///   [`Why::Cycle`](super::Why::Cycle).
/// - **Names are exact.** `group:security` of one tenant is not that of another: what is not unique
///   in the directory carries its issuer in the name.
/// - [`members`](Directory::members) serves the question whether anybody could approve at all. It
///   is never used to count a vote.
/// - [`controllers`](Directory::controllers) of an agent are all who can make it act: its owner, who
///   registered it, who holds its credentials, who scheduled its run. An empty list says that there is
///   nobody; not to know is [`Why::Unlisted`](super::Why::Unlisted).
/// - Methods are called from many threads at once, may be dropped at any await, and a panic in one is
///   taken for an error.
///
/// A directory that answers too much lets people approve their own actions; one that is down, or does not
/// know, lets nobody approve anything. It must not be writable for the agents whose actions it helps to decide.
///
/// # Implementing
///
/// ```
/// use std::num::NonZeroU32;
/// use async_trait::async_trait;
/// use countersign::action::{PersonId, PrincipalId, PrincipalKind};
/// use countersign::clock::{Clock, SystemClock};
/// use countersign::identity::{
///     Activity, Directory, DirectoryError, IsMember, Known, Members, Membership, Person, Why,
/// };
/// use countersign::policy::Selector;
///
/// /// A workshop of one: its owner is the only person, and belongs to `group:owners`.
/// #[derive(Debug)]
/// struct Workshop {
///     owner: PrincipalId,
/// }
///
/// impl Workshop {
///     fn say<T>(value: T) -> Known<T> {
///         Known::Known { value, as_of: SystemClock.now() }
///     }
/// }
///
/// #[async_trait]
/// impl Directory for Workshop {
///     async fn person(&self, id: &PrincipalId) -> Result<Known<Person>, DirectoryError> {
///         if *id != self.owner {
///             return Ok(Known::Unknown(Why::Unlinked));
///         }
///         Ok(Self::say(Person {
///             id: PersonId::new(id.clone()),
///             kind: PrincipalKind::Human,
///             display_name: None,
///             active: Activity::Active,
///         }))
///     }
///
///     async fn member(
///         &self,
///         person: &PersonId,
///         of: &Selector,
///     ) -> Result<Known<Membership>, DirectoryError> {
///         if of.to_string() != "group:owners" {
///             return Ok(Known::Unknown(Why::NoSuchName));
///         }
///         let is = if *person.as_principal() == self.owner { IsMember::Yes } else { IsMember::No };
///         Ok(Self::say(Membership { is, since: None }))
///     }
///
///     async fn members(
///         &self,
///         of: &Selector,
///         _at_most: NonZeroU32,
///     ) -> Result<Known<Members>, DirectoryError> {
///         if of.to_string() != "group:owners" {
///             return Ok(Known::Unknown(Why::NoSuchName));
///         }
///         Ok(Self::say(Members::All(vec![PersonId::new(self.owner.clone())])))
///     }
///
///     async fn controllers(
///         &self,
///         _agent: &PrincipalId,
///     ) -> Result<Known<Vec<PersonId>>, DirectoryError> {
///         Ok(Self::say(vec![PersonId::new(self.owner.clone())]))
///     }
/// }
/// ```
#[async_trait]
pub trait Directory: Debug + Send + Sync + 'static {
    /// The person behind an id, through verified links.
    ///
    /// # Errors
    /// If the directory could not be asked, or its data contradict themselves.
    async fn person(&self, id: &PrincipalId) -> Result<Known<Person>, DirectoryError>;

    /// Whether a person belongs to what a selector names.
    ///
    /// # Errors
    /// If the directory could not be asked, or its data contradict themselves.
    async fn member(
        &self,
        person: &PersonId,
        of: &Selector,
    ) -> Result<Known<Membership>, DirectoryError>;

    /// Those who belong to what a selector names, if they are not more than `at_most`.
    ///
    /// # Errors
    /// If the directory could not be asked, or its data contradict themselves.
    async fn members(
        &self,
        of: &Selector,
        at_most: NonZeroU32,
    ) -> Result<Known<Members>, DirectoryError>;

    /// The persons who control an agent or a service.
    ///
    /// # Errors
    /// If the directory could not be asked, or its data contradict themselves.
    async fn controllers(
        &self,
        agent: &PrincipalId,
    ) -> Result<Known<Vec<PersonId>>, DirectoryError>;
}

#[async_trait]
impl<T: Directory + ?Sized> Directory for Arc<T> {
    async fn person(&self, id: &PrincipalId) -> Result<Known<Person>, DirectoryError> {
        (**self).person(id).await
    }

    async fn member(
        &self,
        person: &PersonId,
        of: &Selector,
    ) -> Result<Known<Membership>, DirectoryError> {
        (**self).member(person, of).await
    }

    async fn members(
        &self,
        of: &Selector,
        at_most: NonZeroU32,
    ) -> Result<Known<Members>, DirectoryError> {
        (**self).members(of, at_most).await
    }

    async fn controllers(
        &self,
        agent: &PrincipalId,
    ) -> Result<Known<Vec<PersonId>>, DirectoryError> {
        (**self).controllers(agent).await
    }
}

/// Why a directory gave no answer at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// It could not be asked; the same question may be answered later.
    #[error("the directory cannot be asked now: try again later")]
    Unavailable(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// Two persons claim one id. Nothing that rests on that id is decided until an administrator mends it.
    #[error("two persons are linked to one id: remove one of the links")]
    AmbiguousIdentity,
}

//! What a reviewer presents, and what it proves.

use std::{collections::BTreeMap, fmt};

use zeroize::Zeroizing;

use crate::{
    action::{PrincipalId, PrincipalKind, SessionId},
    clock::Timestamp,
};

use super::{AdapterName, Assurance, DirectoryError};

/// What somebody presents to prove who they are, before anybody looked at it.
///
/// The fields are opaque here: a token, a signed request, a cookie. They are wiped from memory on drop, and `Debug`
/// shows only their names.
#[derive(Clone)]
pub struct Presented {
    adapter: AdapterName,
    fields: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl Presented {
    /// Nothing yet, on the channel that `adapter` names.
    #[must_use]
    pub fn on(adapter: AdapterName) -> Self {
        Self {
            adapter,
            fields: BTreeMap::new(),
        }
    }

    /// The same with one more field, or with that field replaced.
    #[must_use]
    pub fn with(mut self, field: &str, credential: impl Into<Vec<u8>>) -> Self {
        self.fields
            .insert(field.to_owned(), Zeroizing::new(credential.into()));
        self
    }

    /// Where it came in.
    #[must_use]
    pub fn adapter(&self) -> &AdapterName {
        &self.adapter
    }

    /// The bytes of one field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.get(name).map(|bytes| bytes.as_slice())
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { adapter, fields } = self;
        f.debug_struct("Presented")
            .field("adapter", adapter)
            .field("fields", &fields.keys())
            .finish_non_exhaustive()
    }
}

/// What an [`Authenticator`](super::Authenticator) found proven.
///
/// It says which id spoke, not which person that is, nor what they may do: those are the directory's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The id that was proven, never one that was only claimed beside the proof.
    pub who: PrincipalId,
    /// What the id stands for. An agent's or a service's token proves an agent or a service, whoever it acts for.
    pub kind: PrincipalKind,
    /// When the person proved it: the time of the login, not of the check.
    pub at: Timestamp,
    /// How strong the proof is.
    pub assurance: Option<Assurance>,
    /// The session that it was proven in.
    pub session: Option<SessionId>,
    /// Where it came in.
    pub adapter: AdapterName,
    /// When the proof ends; the desk ends it after its own time in any case.
    pub expires: Option<Timestamp>,
}

/// Why a proof was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotProven {
    /// No authenticator takes what this adapter presents.
    #[error("nothing here checks a proof of this kind: use another way to sign in")]
    NoSuchMethod,
    /// A field is missing or is not what it should be.
    #[error("the proof is incomplete or malformed: sign in again")]
    Malformed,
    /// The proof is complete and wrong.
    #[error("the proof is not valid: sign in again")]
    Invalid,
    /// The proof was valid and is too old.
    #[error("the proof has expired: sign in again")]
    Expired,
    /// The id is proven and no person is linked to it.
    #[error("the id is proven and linked to no person: ask an administrator to link it")]
    Unlinked,
    /// The id is proven and more than one person is linked to it.
    #[error("the id is linked to more than one person: ask an administrator to mend the links")]
    Ambiguous,
    /// The person is known and has no say any more.
    #[error("the person behind this id was deactivated")]
    Deactivated,
    /// The credential is an agent's, and agents review nothing.
    #[error("this proof belongs to an agent, and agents review nothing: sign in yourself")]
    Agent,
    /// The check could not be made.
    #[error("the proof cannot be checked now: try again later")]
    Unavailable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

impl From<DirectoryError> for NotProven {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::AmbiguousIdentity => Self::Ambiguous,
            unavailable @ DirectoryError::Unavailable(_) => {
                Self::Unavailable(Some(Box::new(unavailable)))
            }
        }
    }
}

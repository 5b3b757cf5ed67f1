use std::error::Error;
use std::sync::Arc;

use thiserror::Error;

/// What lies behind a store's failure; shared, since one failure answers every caller of a batch.
pub type Source = Arc<dyn Error + Send + Sync>;

/// Why a store did not do what it was asked.
///
/// Unless a variant says otherwise nothing was written.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The builder said no.
    #[error("the builder refused to write: {0}")]
    Aborted(Abort),
    /// The builder panicked.
    #[error("the builder panicked; nothing was written")]
    Builder,
    /// The batch does not continue the head that the store holds, or a row that must be new is already there.
    #[error("the batch does not continue the log: {0}")]
    Conflict(&'static str),
    /// There is no room left for the rows.
    #[error("the store is full; free some space and try again")]
    Full,
    /// Somebody else kept the store locked for longer than it waits.
    #[error("the store is locked by another program; try again once it is done")]
    Busy,
    /// The store could not be reached, read or written.
    #[error("the store cannot be used: {0}")]
    Unavailable(#[source] Source),
    /// The commit may or may not have happened: look for the leaf before anybody is answered.
    #[error("it is not known whether the commit happened; look for its records")]
    Indeterminate(#[source] Source),
    /// What the store holds is not what it was given.
    #[error("the store is damaged: {what}")]
    Corrupt {
        /// What does not fit, without any value of a caller.
        what: String,
    },
    /// The file is no store of this library, or one that this version does not know; it was left as it is.
    #[error("not a store that can be used here: {0}")]
    NotAStore(String),
    /// This store cannot do that.
    #[error("this store does not support it: {0}")]
    Unsupported(&'static str),
}

impl StoreError {
    /// An [`Unavailable`](Self::Unavailable) error with what lies behind it.
    #[must_use]
    pub fn unavailable(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(source))
    }

    /// An [`Unavailable`](Self::Unavailable) error that names the path on which the system said no.
    #[cfg(feature = "sqlite")]
    pub(crate) fn unavailable_at(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self {
        move |error| {
            let named = format!("`{}`: {error}", path.display());
            Self::unavailable(std::io::Error::new(error.kind(), named))
        }
    }

    /// An [`Indeterminate`](Self::Indeterminate) error with what lies behind it.
    #[must_use]
    pub fn indeterminate(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Indeterminate(Arc::new(source))
    }

    /// A [`Corrupt`](Self::Corrupt) error.
    #[must_use]
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

/// Why a builder wants nothing written; for people, never compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Abort(String);

impl Abort {
    /// A refusal with its reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

use std::fmt;

use thiserror::Error;

use super::{description::quoted, names::InvalidText, value::IntoJsonError};
use crate::canonical::AdmitError;

/// An action that cannot be built: what does not fit, and where it is.
///
/// The message names members but no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionError {
    fault: Box<(String, Unfit)>,
}

impl ActionError {
    pub(super) fn new(place: impl Into<String>, reason: impl Into<Unfit>) -> Self {
        Self {
            fault: Box::new((place.into(), reason.into())),
        }
    }

    /// Of several things of the same sort, the one with this name.
    pub(super) fn named(sort: &str, name: &str, reason: impl Into<Unfit>) -> Self {
        Self::new(format!("{sort} `{}`", quoted(name)), reason)
    }

    /// Of several things of the same sort, the one at this place, counted from 0.
    pub(super) fn at(sort: &str, index: usize, reason: impl Into<Unfit>) -> Self {
        Self::new(format!("{sort}[{index}]"), reason)
    }

    /// Where it is, such as "parameter `recipient`" or `resource[0]`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.fault.0
    }

    /// What does not fit there.
    #[must_use]
    pub fn reason(&self) -> &Unfit {
        &self.fault.1
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, reason) = &*self.fault;
        write!(f, "{place}: {reason}")
    }
}

// The reason is part of the message, so it is not a source too.
impl std::error::Error for ActionError {}

/// Why a part of an action does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unfit {
    /// A text that its type does not accept.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// A value without an exact JSON form.
    #[error(transparent)]
    Value(#[from] IntoJsonError),
    /// Bytes that were not admitted.
    #[error(transparent)]
    Bytes(#[from] AdmitError),
    /// Something that is set once was set again.
    #[error("this was set before; set it once")]
    Twice,
    /// More of the same sort than allowed.
    #[error("there are more than {limit}")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// More bytes than allowed.
    #[error("this is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// More arrays and objects inside each other than allowed.
    #[error("arrays and objects are nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// `_sd` or `...` as a name inside of a value (RFC 9901, section 4).
    #[error("the names `_sd` and `...` belong to selective disclosure; choose another one")]
    ReservedName,
    /// A number with a fraction or beyond ±(2^53−1), where the signed statement would show it.
    #[error("what records show in the clear holds integers only; use a string or hide it")]
    NotAnInteger,
    /// A hidden member that would have the name of a clear one beside it in the bound form.
    #[error("{0}")]
    NameTaken(&'static str),
    /// The parameters are not an object.
    #[error("parameters are the members of an object")]
    NotAnObject,
    /// A parameter beside the fields of a typed operation.
    #[error("the parameters of a typed operation are its fields; no others are added")]
    NotAField,
    /// A parameter that is marked as sensitive and is not there.
    #[error("this is marked as sensitive, but there is no such parameter; write it always")]
    NoSuchField,
    /// A typed operation that is not the same after it was read back.
    #[error("the operation is another one after it is written and read back")]
    NotReproduced,
}

impl Unfit {
    pub(super) const OCCURRENCE: InvalidText = InvalidText::new(
        "an occurrence",
        "1 to 256 characters without control characters",
    );
}

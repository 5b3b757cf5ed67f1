use std::fmt;

use thiserror::Error;

use crate::canonical::{JsonPath, NumberError};

/// A value that has no exact JSON form, and where in it the reason is.
///
/// The message names members but no values.
#[derive(Clone, PartialEq, Eq)]
pub struct IntoJsonError {
    // One word wide, since it travels up through every level of a value.
    fault: Box<(JsonPath, Unrepresentable)>,
}

/// Why a value has no exact JSON form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unrepresentable {
    /// A float denotes a decimal that nobody wrote.
    #[error("floats have no exact form; pass a string or a `Number`")]
    Float,
    /// A number that RFC 8785 does not print as it is.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// A map's key that is not a text.
    #[error("the keys of a map must be texts")]
    KeyNotText,
    /// A map's key that stands twice.
    #[error("this key stands twice in one map; keep one of them")]
    DuplicateKey,
    /// More arrays and objects inside each other than allowed.
    #[error("arrays and objects are nested deeper than 64 levels")]
    TooDeep,
    /// The type's own `Serialize` gave up.
    #[error("the type's own `Serialize` refused the value")]
    Refused,
}

impl IntoJsonError {
    pub(in crate::action) fn new(reason: Unrepresentable) -> Self {
        Self {
            fault: Box::new((JsonPath::root(), reason)),
        }
    }

    /// Where in the value: `numbers[0]`, `a.b[2]`; empty for the value itself.
    #[must_use]
    pub fn path(&self) -> &JsonPath {
        &self.fault.0
    }

    /// What is wrong there.
    #[must_use]
    pub fn reason(&self) -> Unrepresentable {
        self.fault.1
    }

    pub(in crate::action) fn under_member(mut self, name: &str) -> Self {
        self.fault.0 = std::mem::take(&mut self.fault.0).under_member(name);
        self
    }

    pub(in crate::action) fn under_element(mut self, index: usize) -> Self {
        self.fault.0 = std::mem::take(&mut self.fault.0).under_element(index);
        self
    }
}

impl From<Unrepresentable> for IntoJsonError {
    fn from(reason: Unrepresentable) -> Self {
        Self::new(reason)
    }
}

impl From<NumberError> for IntoJsonError {
    fn from(error: NumberError) -> Self {
        Self::new(error.into())
    }
}

impl fmt::Display for IntoJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, reason) = &*self.fault;
        write_at(f, path, reason)
    }
}

impl fmt::Debug for IntoJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IntoJsonError({self})")
    }
}

impl std::error::Error for IntoJsonError {}

impl serde::ser::Error for IntoJsonError {
    /// The type's own message may quote the value, so it goes no further.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(Unrepresentable::Refused)
    }
}

/// JSON that a type does not accept, and where in it the reason is.
///
/// The message names members but no values: what the type itself says may quote one and is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct FromJsonError {
    fault: Box<(JsonPath, Mismatch)>,
}

/// Why a type does not accept JSON.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// Something of another type stands there.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What the type wants, in its own words.
        expected: String,
        /// What stands there.
        found: &'static str,
    },
    /// A value of the right type that the type does not accept.
    #[error("expected {expected}, found another value")]
    Value {
        /// What the type wants, in its own words.
        expected: String,
    },
    /// Too few or too many elements.
    #[error("expected {expected}, found {found} elements")]
    Length {
        /// What the type wants, in its own words.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// A member that the type needs is not there.
    #[error("the member `{0}` is missing")]
    Missing(&'static str),
    /// A member that the type does not know.
    #[error("the type has no such member")]
    Unknown,
    /// A variant that the type does not know.
    #[error("the type has no such variant")]
    UnknownVariant,
    /// The type's own `Deserialize` gave up.
    #[error("the type's own `Deserialize` refused the value")]
    Refused,
}

impl FromJsonError {
    pub(super) fn new(reason: Mismatch) -> Self {
        Self {
            fault: Box::new((JsonPath::root(), reason)),
        }
    }

    /// Where in the value: `numbers[0]`, `a.b[2]`; empty for the value itself.
    #[must_use]
    pub fn path(&self) -> &JsonPath {
        &self.fault.0
    }

    /// What is wrong there.
    #[must_use]
    pub fn reason(&self) -> &Mismatch {
        &self.fault.1
    }

    pub(super) fn under_member(mut self, name: &str) -> Self {
        self.fault.0 = std::mem::take(&mut self.fault.0).under_member(name);
        self
    }

    pub(super) fn under_element(mut self, index: usize) -> Self {
        self.fault.0 = std::mem::take(&mut self.fault.0).under_element(index);
        self
    }
}

impl fmt::Display for FromJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, reason) = &*self.fault;
        write_at(f, path, reason)
    }
}

impl fmt::Debug for FromJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FromJsonError({self})")
    }
}

impl std::error::Error for FromJsonError {}

impl serde::de::Error for FromJsonError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(Mismatch::Refused)
    }

    fn invalid_type(found: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::new(Mismatch::Type {
            expected: expected.to_string(),
            found: kind_of(&found),
        })
    }

    fn invalid_value(_: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::new(Mismatch::Value {
            expected: expected.to_string(),
        })
    }

    fn invalid_length(found: usize, expected: &dyn serde::de::Expected) -> Self {
        Self::new(Mismatch::Length {
            expected: expected.to_string(),
            found,
        })
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self::new(Mismatch::UnknownVariant)
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::new(Mismatch::Unknown)
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Mismatch::Missing(name))
    }

    fn duplicate_field(_: &'static str) -> Self {
        // An object has each name once; only a type that knows a member by two names gets here.
        Self::new(Mismatch::Refused)
    }
}

/// The kind of a value, without the value that serde's own words quote.
fn kind_of(found: &serde::de::Unexpected<'_>) -> &'static str {
    use serde::de::Unexpected as U;
    match found {
        U::Bool(_) => "a truth value",
        U::Unsigned(_) | U::Signed(_) => "an integer",
        U::Float(_) => "a number with a fraction",
        U::Char(_) | U::Str(_) => "a string",
        U::Unit | U::Option => "null",
        U::Seq | U::Bytes(_) => "an array",
        U::Map | U::StructVariant => "an object",
        _ => "something else",
    }
}

fn write_at(f: &mut fmt::Formatter<'_>, path: &JsonPath, reason: &dyn fmt::Display) -> fmt::Result {
    if !path.is_root() {
        write!(f, "`{path}`: ")?;
    }
    write!(f, "{reason}")
}

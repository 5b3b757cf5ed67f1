use std::fmt;

use super::{Number, NumberError, Object, write};

/// A JSON value that RFC 8785 can always write.
///
/// Every number is a [`Number`], every object is in canonical order, every string is Unicode, so
/// writing cannot fail. There is no conversion from floats, and from wide integers only a checked
/// one: what does not fit is passed as a string.
///
/// Values that [`admit`](super::admit()) returns nest at most 128 deep; a value that a program nests
/// deeper by hand is written, compared and dropped recursively, as any Rust value is.
///
/// `Debug` prints the canonical text, values included.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A decimal that RFC 8785 prints exactly.
    Number(Number),
    /// Unicode text, never normalised.
    String(String),
    /// Values in their given order.
    Array(Vec<Json>),
    /// Members in canonical order, each name once.
    Object(Object),
}

impl Json {
    /// The canonical bytes of RFC 8785, which are UTF-8 without any white space.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write_canonical(&mut out);
        out
    }

    /// Appends the canonical bytes of RFC 8785 to `out`.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        write::write_value(out, self);
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members, if this is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The truth value, if this is `true` or `false`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The number, if this is one.
    #[must_use]
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The integer, if this is a number without a fraction within ±(2^53−1).
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_canonical()))
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Json {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Number> for Json {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<Json>> for Json {
    fn from(elements: Vec<Json>) -> Self {
        Self::Array(elements)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

macro_rules! from_narrow_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Json {
            fn from(integer: $integer) -> Self {
                Self::Number(Number::from(integer))
            }
        }
    )*};
}

from_narrow_integers!(i8, i16, i32, u8, u16, u32);

impl TryFrom<i64> for Json {
    type Error = NumberError;

    /// # Errors
    /// [`NumberError::UnsafeInteger`] beyond ±(2^53−1).
    fn try_from(integer: i64) -> Result<Self, NumberError> {
        Number::from_integer(integer).map(Self::Number)
    }
}

impl TryFrom<u64> for Json {
    type Error = NumberError;

    /// # Errors
    /// [`NumberError::UnsafeInteger`] beyond 2^53−1.
    fn try_from(integer: u64) -> Result<Self, NumberError> {
        let integer = i64::try_from(integer).map_err(|_| NumberError::UnsafeInteger)?;
        Self::try_from(integer)
    }
}

use std::fmt;

use thiserror::Error;

use super::{Json, JsonPath, NumberError, parser};

/// How large and how deep a value may be that comes from elsewhere.
///
/// By default 1 MiB of bytes and 64 nested arrays and objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    max_bytes: usize,
    max_depth: usize,
}

impl Admission {
    /// The deepest nesting that can be allowed, so that no value exhausts a thread's stack.
    pub const DEEPEST: usize = 128;

    /// Allows so many bytes, white space included.
    #[must_use]
    pub const fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Allows so many arrays and objects inside each other, at most [`Admission::DEEPEST`].
    #[must_use]
    pub const fn with_max_depth(mut self, max_depth: usize) -> Self {
        self.max_depth = if max_depth < Self::DEEPEST {
            max_depth
        } else {
            Self::DEEPEST
        };
        self
    }

    /// How many bytes are allowed.
    #[must_use]
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// How many arrays and objects may be inside each other.
    #[must_use]
    pub const fn max_depth(&self) -> usize {
        self.max_depth
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            max_depth: 64,
        }
    }
}

/// Reads bytes that came from elsewhere as JSON, or refuses them.
///
/// Whatever two readers could understand differently is refused: duplicate names (compared after
/// unescaping), numbers that RFC 8785 does not print exactly as written, lone surrogates, a byte
/// order mark, invalid UTF-8, bytes after the value, and every leniency that the grammar of
/// RFC 8259 does not have. Nothing is normalised: names in another Unicode form are other names.
///
/// # Errors
/// [`AdmitError`] says what, and in which member and at which byte.
pub fn admit(bytes: &[u8], limits: &Admission) -> Result<Json, AdmitError> {
    parser::parse(bytes, limits)
}

/// Bytes that were not admitted, and where the reason is.
///
/// The message names members but no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmitError {
    // One word wide, since it travels up through every level of a value.
    fault: Box<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    path: JsonPath,
    offset: usize,
    reason: Inadmissible,
}

impl AdmitError {
    pub(super) fn new(offset: usize, reason: Inadmissible) -> Self {
        let path = JsonPath::root();
        Self {
            fault: Box::new(Fault {
                path,
                offset,
                reason,
            }),
        }
    }

    /// Where in the value, as far as it was read: `numbers[0]`, `a.b[2]`.
    #[must_use]
    pub fn path(&self) -> &JsonPath {
        &self.fault.path
    }

    /// At which byte of the input, counted from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.fault.offset
    }

    /// What is wrong there.
    #[must_use]
    pub fn reason(&self) -> Inadmissible {
        self.fault.reason
    }

    /// This error seen from the object that has the value under the member `name`.
    #[must_use]
    pub fn under_member(mut self, name: &str) -> Self {
        self.fault.path = std::mem::take(&mut self.fault.path).under_member(name);
        self
    }

    /// This error seen from the array that has the value as its element `index`.
    #[must_use]
    pub fn under_element(mut self, index: usize) -> Self {
        self.fault.path = std::mem::take(&mut self.fault.path).under_element(index);
        self
    }
}

impl fmt::Display for AdmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            path,
            offset,
            reason,
        } = &*self.fault;
        if !path.is_root() {
            write!(f, "`{path}`, ")?;
        }
        write!(f, "byte {offset}: {reason}")
    }
}

// The reason is part of the message, so it is not a source too.
impl std::error::Error for AdmitError {}

/// Why bytes were not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Inadmissible {
    /// More bytes than allowed.
    #[error("the value is larger than the {max_bytes} bytes allowed")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// More arrays and objects inside each other than allowed.
    #[error("arrays and objects are nested deeper than the {max_depth} levels allowed")]
    TooDeep {
        /// The limit.
        max_depth: usize,
    },
    /// The input begins with U+FEFF.
    #[error("a byte order mark stands before the value; remove it")]
    ByteOrderMark,
    /// A byte that does not belong to UTF-8, a surrogate in UTF-8 included.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The input ended inside of the value.
    #[error("the text ends before the value does")]
    Unfinished,
    /// Something stands where another thing must.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Something follows the value.
    #[error("nothing but white space may follow the value")]
    Trailing,
    /// A name stands twice in one object, in whatever spelling.
    #[error("this name stands twice in one object; keep one of them")]
    DuplicateName,
    /// `NaN` or an infinity.
    #[error("JSON has neither NaN nor infinities; use a string")]
    NotFinite,
    /// A number that has no exact canonical form.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// A bare control character inside of a string.
    #[error("a control character in a string must be escaped")]
    ControlCharacter,
    /// A backslash with something else than JSON's escapes after it.
    #[error("JSON has no such escape")]
    UnknownEscape,
    /// Half of a surrogate pair.
    #[error("an escaped surrogate lacks its other half, so the string is not Unicode")]
    LoneSurrogate,
}

//! Names that a policy gives to its own parts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name of a rule or a profile, in bytes.
const MAX_LEN: usize = 64;

/// Why a text names no rule, profile or fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no name: use 1 to 64 of the characters a-z, A-Z, 0-9, `_`, `-`, `.` and `:`, a letter or digit first"
)]
pub struct NameError {
    text: String,
}

/// The text, if it follows the grammar of a name.
fn checked(text: &str) -> Result<Arc<str>, NameError> {
    let mut bytes = text.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let goes_on =
        bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'));
    if starts_well && goes_on && text.len() <= MAX_LEN {
        Ok(Arc::from(text))
    } else {
        Err(NameError {
            text: text
                .chars()
                .take(MAX_LEN)
                .flat_map(char::escape_debug)
                .collect(),
        })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 64 bytes of `[A-Za-z0-9_.:-]`, a letter or digit first: it stands in records and on cards, where nothing
        /// needs escaping then. A clone is cheap.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name that `text` spells.
            ///
            /// # Errors
            ///
            /// If `text` is empty, longer than 64 bytes, or holds another character.
            pub fn new(text: &str) -> Result<Self, NameError> {
                checked(text).map(Self)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    };
}

name! {
    /// The id of one rule, unique in its rule set.
    RuleId
}

name! {
    /// The name of an approval profile.
    ProfileName
}

name! {
    /// The name of a fact that an evaluator may ask for.
    FactName
}

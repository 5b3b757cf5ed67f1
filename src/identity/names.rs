//! Names of ways to prove who one is.

use std::{fmt, str::FromStr};

/// The longest of these names, in bytes.
const LONGEST: usize = 64;

/// A text that is no name of an adapter, a method or an assurance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a name: use 1 to 64 of the characters a-z, 0-9, `_`, `.`, `:` and `-`, beginning with a letter"
)]
pub struct NotAName;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 64 bytes of `[a-z0-9_.:-]`, a letter first, since it stands in records and on cards, where it must not
        /// need escaping.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name that `text` spells.
            ///
            /// # Errors
            /// If it is outside of the grammar above.
            pub fn new(text: &str) -> Result<Self, NotAName> {
                let fits = text.len() <= LONGEST
                    && text.starts_with(|first: char| first.is_ascii_lowercase())
                    && text.bytes().all(|byte| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b':' | b'-')
                    });
                if fits { Ok(Self(text.to_owned())) } else { Err(NotAName) }
            }

            /// The name as text.
            #[must_use]
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
            type Err = NotAName;

            fn from_str(text: &str) -> Result<Self, NotAName> {
                Self::new(text)
            }
        }
    };
}

name! {
    /// Where a proof came in: a terminal, a web inbox, a chat.
    AdapterName
}

name! {
    /// How a reviewer proves who they are, such as `oidc` or `asserted-demo`.
    AuthMethod
}

name! {
    /// How strong a proof is, in the words of whoever checked it, such as an `acr` value.
    Assurance
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_never_needs_escaping() {
        for refused in ["", "Oidc", "9p", "a b", "a/b", "a\n", "é", &"a".repeat(65)] {
            assert_eq!(AuthMethod::new(refused), Err(NotAName), "{refused:?}");
        }
        assert_eq!(
            AuthMethod::new("asserted-demo").unwrap().to_string(),
            "asserted-demo"
        );
        assert!(Assurance::new(&"a".repeat(64)).is_ok());
    }
}

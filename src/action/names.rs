use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use thiserror::Error;

/// A text that its type does not accept.
///
/// The message states the limit and never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{what} is {grammar}")]
pub struct InvalidText {
    what: &'static str,
    grammar: &'static str,
}

impl InvalidText {
    pub(super) const fn new(what: &'static str, grammar: &'static str) -> Self {
        Self { what, grammar }
    }
}

macro_rules! text_types {
    ($(
        $(#[$doc:meta])*
        $name:ident: $what:literal, $grammar:literal, $accepts:path;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text that follows the grammar of this type.
            ///
            /// # Errors
            #[doc = concat!("[`InvalidText`], unless it is ", $grammar, ".")]
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidText> {
                let text = text.as_ref();
                if $accepts(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(InvalidText::new($what, $grammar))
                }
            }

            /// The text, as it was given.
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

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidText;

            fn try_from(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }
    )*};
}

text_types! {
    /// What an action is called, such as `db.export`.
    ///
    /// Rules and reviewers know actions by name, so there is one spelling of each: no upper case, no
    /// other separator, nothing beyond ASCII.
    ActionName: "an action name",
        "1 to 8 segments `[a-z][a-z0-9_-]*` joined by `.`, at most 128 bytes", is_action_name;

    /// What a parameter or a member of the context is called.
    ///
    /// Names that begin with `_sd` belong to selective disclosure (RFC 9901, section 4) and are
    /// refused; others such as `__proto__` are names like any.
    Name: "a name",
        "`[A-Za-z_][A-Za-z0-9_.-]*` of at most 64 bytes that does not begin with `_sd`", is_name;

    /// A classification of data, such as `pii` or `source:untrusted`.
    Label: "a label",
        "`[a-z][a-z0-9_-]*` or two of them joined by `:`, at most 64 bytes", is_label;

    /// The tenant of a host that serves several; requests of one are never another's.
    TenantId: "a tenant id", "1 to 128 visible ASCII characters", is_short_visible;

    /// The host's name for one run of an agent; labels flow along it.
    SessionId: "a session id", "1 to 128 visible ASCII characters", is_short_visible;

    /// The host's id for following an action through other systems; shown and recorded, not bound.
    TraceId: "a trace id", "1 to 128 visible ASCII characters", is_short_visible;

    /// How the host came to know who acts, such as `host`, `oidc` or `asserted-demo`.
    Established: "a way of establishing a chain",
        "1 to 64 characters of `[a-z0-9_.:-]`", is_established;

    /// What sort of thing a resource is, such as `table`; always in the clear.
    ResourceType: "a resource type",
        "`[a-z][a-z0-9_.:-]*` of at most 64 bytes", is_resource_type;
}

impl Established {
    /// The host knows it by itself: `host`.
    #[must_use]
    pub fn host() -> Self {
        Self(Arc::from("host"))
    }
}

fn is_action_name(text: &str) -> bool {
    text.len() <= 128
        && text.split('.').count() <= 8
        && text.split('.').all(|segment| is_word(segment.as_bytes()))
}

fn is_name(text: &str) -> bool {
    let [first, rest @ ..] = text.as_bytes() else {
        return false;
    };
    text.len() <= 64
        && (first.is_ascii_alphabetic() || *first == b'_')
        && rest
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        && !text.starts_with("_sd")
}

fn is_label(text: &str) -> bool {
    text.len() <= 64
        && text.split(':').count() <= 2
        && text.split(':').all(|part| is_word(part.as_bytes()))
}

fn is_established(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(is_lower_or_mark)
}

fn is_resource_type(text: &str) -> bool {
    is_established(text) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

fn is_short_visible(text: &str) -> bool {
    is_visible(text, 128)
}

fn is_word(bytes: &[u8]) -> bool {
    let [first, rest @ ..] = bytes else {
        return false;
    };
    first.is_ascii_lowercase()
        && rest.iter().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        })
}

fn is_lower_or_mark(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b':' | b'-')
}

/// Whether this is 1 to `limit` visible ASCII characters; a space is not visible.
pub(super) fn is_visible(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether this is 1 to `limit` characters without control characters.
pub(super) fn is_plain(text: &str, limit: usize) -> bool {
    // A character is at most four bytes, so that a huge text is not counted through.
    !text.is_empty()
        && text.len() <= limit.saturating_mul(4)
        && text.chars().count() <= limit
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn action_names_have_one_spelling() {
        for good in [
            "deploy",
            "db.export",
            "a.b.c.d.e.f.g.h",
            "db2.mass-update_all",
        ] {
            assert_eq!(ActionName::new(good).unwrap().as_str(), good);
        }
        let long = format!("a{}", "b".repeat(127));
        assert!(ActionName::new(&long).is_ok());
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "DEPLOY.prod",
            "deploy:prod",
            "deploy prod",
            "déploy",
            "ｄeploy",
            "1a",
            "a.1b",
            "_a",
            "-a",
            "a/b",
            "a\u{200b}",
            "a.b.c.d.e.f.g.h.i",
            &format!("{long}b"),
        ] {
            assert!(ActionName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_of_selective_disclosure_are_refused() {
        for good in [
            "a",
            "_",
            "__proto__",
            "constructor",
            "X-y.z_1",
            "sd",
            "_s",
            &"a".repeat(64),
        ] {
            assert!(Name::new(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "_sd",
            "_sd_alg",
            "_sdx",
            "...",
            ".a",
            "1a",
            "a b",
            "é",
            "a\n",
            &"a".repeat(65),
        ] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn labels_have_at_most_one_colon() {
        for good in ["pii", "source:untrusted", "a-b_1"] {
            assert!(Label::new(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            ":",
            "a:",
            ":a",
            "a:b:c",
            "PII",
            "a b",
            "1",
            &"a".repeat(65),
        ] {
            assert!(Label::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_of_the_host_are_visible_ascii() {
        assert!(SessionId::new("run-7/αβ").is_err());
        assert!(SessionId::new("run-7/{x}").is_ok());
        assert!(SessionId::new("a b").is_err());
        assert!(SessionId::new("").is_err());
        assert!(TenantId::new("x".repeat(128)).is_ok());
        assert!(TenantId::new("x".repeat(129)).is_err());
    }

    #[test]
    fn an_error_never_quotes_the_text() {
        let error = ActionName::new("S3CRET").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("S3CRET"));
    }
}

//! Who may fill a slot of a quorum.

use std::fmt;
use std::str::FromStr;

/// The longest name of a selector, in bytes.
const MAX_LEN: usize = 128;

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The kind before the colon is missing: a bare name could mean a group here and a person there.
    #[error("`{0}` lacks its kind: write `group:{0}` or another of {KINDS}")]
    Bare(String),
    /// The kind is none of the seven.
    #[error("`{0}` is no kind of reviewer: use one of {KINDS}")]
    Kind(String),
    /// The name is empty, too long or has a character that a selector cannot hold.
    #[error(
        "`{0}` is no name of a reviewer: use 1 to 128 visible ASCII characters without spaces and parentheses"
    )]
    Name(String),
}

const KINDS: &str = "`group:`, `user:`, `role:`, `relation:`, `oncall:`, `owner:`, `service:`";

/// The name in a selector: 1 to 128 visible ASCII bytes without spaces and parentheses, so that a quorum's text
/// reads only one way.
///
/// It is compared byte for byte. A name that two directories could both know carries its issuer
/// (`okta/security`), and what it means is the directory's to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SelectorName(String);

impl SelectorName {
    /// The name that `text` spells.
    ///
    /// # Errors
    ///
    /// [`SelectorError::Name`] outside the grammar above.
    pub fn new(text: &str) -> Result<Self, SelectorError> {
        let visible = text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'(' | b')'));
        if visible && !text.is_empty() && text.len() <= MAX_LEN {
            Ok(Self(text.to_owned()))
        } else {
            Err(SelectorError::Name(shown(text)))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SelectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of people that a directory can name, written `kind:name`.
///
/// Every kind but [`Selector::Service`] is filled by humans only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// `group:name`: the members of a group.
    Group(SelectorName),
    /// `user:issuer/subject`: one person.
    User(SelectorName),
    /// `role:name`: the holders of a role.
    Role(SelectorName),
    /// `relation:name`: those who stand in a relation to the requester, such as `relation:manager`.
    Relation(SelectorName),
    /// `oncall:name`: whoever is on duty now.
    Oncall(SelectorName),
    /// `owner:name`: the owners of what the action touches.
    Owner(SelectorName),
    /// `service:name`: the one kind that no human needs to fill.
    Service(SelectorName),
}

impl Selector {
    /// The selector that `text` spells, such as `group:security`.
    ///
    /// # Errors
    ///
    /// If the kind is missing or unknown, or the name is outside the grammar of [`SelectorName`].
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let Some((kind, name)) = text.split_once(':') else {
            return Err(SelectorError::Bare(shown(text)));
        };
        let make = match kind {
            "group" => Self::Group,
            "user" => Self::User,
            "role" => Self::Role,
            "relation" => Self::Relation,
            "oncall" => Self::Oncall,
            "owner" => Self::Owner,
            "service" => Self::Service,
            other => return Err(SelectorError::Kind(shown(other))),
        };
        SelectorName::new(name).map(make)
    }

    /// The word before the colon.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Group(_) => "group",
            Self::User(_) => "user",
            Self::Role(_) => "role",
            Self::Relation(_) => "relation",
            Self::Oncall(_) => "oncall",
            Self::Owner(_) => "owner",
            Self::Service(_) => "service",
        }
    }

    /// The name after the colon.
    pub fn name(&self) -> &SelectorName {
        match self {
            Self::Group(name)
            | Self::User(name)
            | Self::Role(name)
            | Self::Relation(name)
            | Self::Oncall(name)
            | Self::Owner(name)
            | Self::Service(name) => name,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.name())
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

/// Input as an error message shows it: short, and with everything invisible made visible.
fn shown(text: &str) -> String {
    text.chars()
        .take(MAX_LEN)
        .flat_map(char::escape_debug)
        .collect()
}

use std::collections::BTreeSet;
use std::fmt;

use crate::action::{PersonId, Pseudonym, Salt};
use crate::canonical::{Digest, Json, NotADigest, Object};
use crate::policy::Selector;

use super::super::hidden::Hidden;
use super::parts::Proof;

/// One person's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voted {
    /// Who, as the log names them.
    pub person: Pseudonym,
    /// Who, as the directory names them.
    pub id: Hidden<PersonId>,
    /// What they decided.
    pub decision: Choice,
    /// Every selector of the requirement that they satisfied then.
    pub as_: BTreeSet<Selector>,
    /// What they were shown.
    pub shown: ShownDigest,
    /// The salt of `shown`.
    pub shown_salt: Hidden<Salt>,
    /// The rule that they were excused from.
    pub exception: Option<Exception>,
    /// How they were authenticated.
    pub proof: Proof,
    /// Their own words.
    pub comment: Option<Hidden<String>>,
    /// The ticket that they named.
    pub ticket: Option<Hidden<String>>,
    /// A reason from a closed vocabulary, which may be told to a model.
    pub code: Option<VoteCode>,
    /// The reviewer's own signature: a DSSE envelope.
    pub attestation: Option<Object>,
}

/// What a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Choice {
    /// It may run.
    Approve,
    /// It may not.
    Deny,
}

/// A rule that a requirement lifts on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exception {
    /// The person has an interest in the action.
    SelfApproval,
}

/// The salted digest of what a reviewer was shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShownDigest(Digest);

impl ShownDigest {
    /// The digest of a card's facts under `salt`.
    #[must_use]
    pub fn of(salt: &Salt, facts: &Json) -> Self {
        let mut bytes = salt.as_bytes().to_vec();
        facts.write_canonical(&mut bytes);
        Self(Digest::of("countersign/shown/v1", &bytes))
    }

    /// The digest that `text` spells in hex.
    ///
    /// # Errors
    ///
    /// If it is not 64 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, NotADigest> {
        Digest::parse_hex(text).map(Self)
    }

    /// The bare digest.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for ShownDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ShownDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShownDigest({})", self.0)
    }
}

/// A reviewer's reason from a closed vocabulary: 1 to 64 of `[a-z0-9_]`.
///
/// So short and plain a word carries no prose, which is why it may reach a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VoteCode(String);

/// A text is no vote code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a vote code is 1 to {} of the characters a-z, 0-9 and `_`",
    VoteCode::MAX_LEN
)]
pub struct InvalidVoteCode;

impl VoteCode {
    /// The longest code, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The code that `text` spells.
    ///
    /// # Errors
    ///
    /// If it is empty, too long or has another character.
    pub fn new(text: &str) -> Result<Self, InvalidVoteCode> {
        let plain = text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if plain && (1..=Self::MAX_LEN).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidVoteCode)
        }
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VoteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

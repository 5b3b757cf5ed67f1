use std::fmt;

use thiserror::Error;

use crate::action::{DisclosureDigest, Pseudonym};

use super::super::hidden::Hidden;

/// An operator has had hidden values erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// On what ground.
    pub basis: LegalBasis,
    /// Whose values.
    pub whose: Whose,
    /// The digests of the disclosures, which were erased in the same commit; ascending by their texts, each once, at least one.
    pub digests: Vec<DisclosureDigest>,
    /// Why, in words.
    pub reason: Hidden<String>,
}

/// Whose values an erasure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Single values.
    Values,
    /// Who a person is, wherever the log says it.
    Person(Pseudonym),
}

/// The ground of an erasure, as a code: `gdpr_art_17_1_a`, `contract.retention:7y`.
///
/// 1 to 64 characters of `[a-z0-9_.:-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegalBasis(String);

impl LegalBasis {
    /// A ground with this code.
    ///
    /// # Errors
    /// [`InvalidLegalBasis`] for another spelling.
    pub fn new(code: impl Into<String>) -> Result<Self, InvalidLegalBasis> {
        let code = code.into();
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.:-".contains(&byte)
        };
        if (1..=64).contains(&code.len()) && code.bytes().all(plain) {
            Ok(Self(code))
        } else {
            Err(InvalidLegalBasis)
        }
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LegalBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not a code for a ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the ground of an erasure is a code of 1 to 64 characters of `[a-z0-9_.:-]`, such as `gdpr_art_17_1_a`"
)]
pub struct InvalidLegalBasis;

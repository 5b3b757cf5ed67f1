use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use thiserror::Error;

/// Sixteen random bytes that keep a hidden value from being guessed (RFC 9901, section 4.2.1).
///
/// `Debug` hides them: who knows the salt of a disclosure can try out values.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// A salt with these bytes, which must come from a source of secret randomness.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The base64url text, 22 characters without padding.
    pub(super) fn write_text(&self, out: &mut Vec<u8>) {
        let mut text = [0; 22];
        // 16 bytes are exactly 22 characters, so this cannot fail.
        if let Ok(text) = Base64UrlUnpadded::encode(&self.0, &mut text) {
            out.extend_from_slice(text.as_bytes());
        }
    }

    /// Reads the text that [`Salt::write_text`] writes, in its one spelling.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        if text.len() != 22 || Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len() != 16 {
            return None;
        }
        let mut again = [0; 22];
        let again = Base64UrlUnpadded::encode(&bytes, &mut again).ok()?;
        (again == text).then_some(Self(bytes))
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(«hidden»)")
    }
}

/// Where salts come from.
///
/// An implementation whose salts can be predicted, or that gives one out twice, lets readers of a log
/// guess what it hides.
pub trait SaltSource {
    /// A salt that was never given out before.
    ///
    /// # Errors
    /// [`NoEntropy`] if there is no randomness to be had; then nothing can be recorded.
    fn salt(&mut self) -> Result<Salt, NoEntropy>;
}

impl<S: SaltSource + ?Sized> SaltSource for &mut S {
    fn salt(&mut self) -> Result<Salt, NoEntropy> {
        (**self).salt()
    }
}

/// The system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system's random generator failed; nothing can be recorded without it")]
pub struct NoEntropy;

/// How many salts one call to the system brings.
const BATCH: usize = 8;

/// Salts from the system's random generator, fetched in batches.
///
/// A process that forks makes a new one on each side: both would give out the rest of the batch.
pub struct OsSalts {
    batch: [[u8; 16]; BATCH],
    /// How many of the batch were not given out; those are the first ones.
    left: usize,
}

impl OsSalts {
    /// A source that has fetched nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            batch: [[0; 16]; BATCH],
            left: 0,
        }
    }
}

impl Default for OsSalts {
    fn default() -> Self {
        Self::new()
    }
}

impl SaltSource for OsSalts {
    fn salt(&mut self) -> Result<Salt, NoEntropy> {
        if self.left == 0 {
            getrandom::fill(self.batch.as_flattened_mut()).map_err(|_| NoEntropy)?;
            self.left = BATCH;
        }
        self.left -= 1;
        let place = self.batch.get_mut(self.left).ok_or(NoEntropy)?;
        Ok(Salt(std::mem::take(place)))
    }
}

impl fmt::Debug for OsSalts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsSalts").finish_non_exhaustive()
    }
}

/// Salts that a seed determines, for tests and golden vectors only.
#[cfg(any(test, feature = "testing"))]
#[derive(Clone, Debug)]
pub struct SeededSalts {
    seed: u64,
    given: u64,
}

#[cfg(any(test, feature = "testing"))]
impl SeededSalts {
    /// The sequence of this seed, from its beginning.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, given: 0 }
    }
}

#[cfg(any(test, feature = "testing"))]
impl SaltSource for SeededSalts {
    fn salt(&mut self) -> Result<Salt, NoEntropy> {
        let digest = crate::canonical::Digest::of_parts(&[
            b"countersign/seeded-salt/v1\0",
            &self.seed.to_be_bytes(),
            &self.given.to_be_bytes(),
        ]);
        self.given += 1;
        digest
            .as_bytes()
            .first_chunk()
            .copied()
            .map(Salt)
            .ok_or(NoEntropy)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_salt_is_given_out_twice() {
        let mut source = OsSalts::new();
        let salts: BTreeSet<_> = (0..BATCH * 3)
            .map(|_| *source.salt().unwrap().as_bytes())
            .collect();
        assert_eq!(salts.len(), BATCH * 3);
        assert!(!salts.contains(&[0; 16]));
    }

    #[test]
    fn a_salt_has_one_spelling() {
        let salt = SeededSalts::new(1).salt().unwrap();
        let mut text = Vec::new();
        salt.write_text(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.len(), 22);
        assert_eq!(Salt::parse(&text), Some(salt));
        // The last character carries four unused bits.
        assert_eq!(Salt::parse("AAAAAAAAAAAAAAAAAAAAAB"), None);
        assert!(Salt::parse("AAAAAAAAAAAAAAAAAAAAAA").is_some());
        assert_eq!(Salt::parse("AAAAAAAAAAAAAAAAAAAAAA=="), None);
        assert_eq!(Salt::parse("AAAAAAAAAAAAAAAAAAAAA"), None);
    }
}

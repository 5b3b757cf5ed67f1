use std::fmt;

use thiserror::Error;
use uuid::{Builder, Uuid, Variant, Version};

use super::signer::NoRandomness;
use crate::canonical::Digest;

/// Which log a record belongs to: 122 random bits, so that no two logs share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(Uuid);

impl LogId {
    /// The id of a new log.
    ///
    /// # Errors
    /// [`NoRandomness`] if the operating system gives none.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(NoRandomness::new)?;
        Ok(Self::from_random(random))
    }

    /// The id that these random bytes make (UUID version 4, RFC 9562, section 5.4).
    #[must_use]
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(Builder::from_random_bytes(random).into_uuid())
    }

    /// The id in these 16 bytes, as [`LogId::as_bytes`] gives them.
    ///
    /// # Errors
    /// [`NotALogId`] unless they are a UUID of version 4.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, NotALogId> {
        let uuid = Uuid::from_bytes(bytes);
        let random = uuid.get_version() == Some(Version::Random);
        if random && uuid.get_variant() == Variant::RFC4122 {
            Ok(Self(uuid))
        } else {
            Err(NotALogId)
        }
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads exactly what `Display` writes: 36 characters, lower case, hyphenated.
    ///
    /// # Errors
    /// [`NotALogId`] for any other spelling, and for UUIDs of another version.
    pub fn parse(text: &str) -> Result<Self, NotALogId> {
        let uuid = Uuid::try_parse(text).map_err(|_| NotALogId)?;
        let mut buffer = Uuid::encode_buffer();
        if *uuid.hyphenated().encode_lower(&mut buffer) != *text {
            return Err(NotALogId);
        }
        Self::from_bytes(uuid.into_bytes())
    }

    /// What a record without a request has as its subject: the tagged digest `countersign/log/v1` of
    /// the id's text.
    #[must_use]
    pub fn subject(&self) -> Digest {
        Digest::of("countersign/log/v1", self.to_string().as_bytes())
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

/// The text or the bytes are no log id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a log id is a UUID of version 4, written as 36 characters in lower case with hyphens")]
pub struct NotALogId;

/// The number of a record in its log, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    /// The first record's.
    pub const GENESIS: Self = Self(0);

    /// The number itself.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of the record after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

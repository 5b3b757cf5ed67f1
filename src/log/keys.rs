use std::{
    fmt,
    hash::{Hash, Hasher},
};

use ed25519_dalek::VerifyingKey;
use thiserror::Error;

use crate::canonical::{Digest, NotADigest};

/// The type byte of an Ed25519 key in C2SP signed-note, and in a key's id.
pub(super) const ED25519: u8 = 0x01;

/// What a key may sign.
///
/// In alphabetical order, which is that of the texts in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Tree heads, and nothing else.
    Checkpoint,
    /// What reviewers decide.
    Desk,
    /// What agents ask for and do.
    Gate,
    /// Keys, erasure, recovery, acknowledgements.
    Operator,
}

impl Role {
    /// Every role, in order.
    pub const ALL: [Self; 4] = [Self::Checkpoint, Self::Desk, Self::Gate, Self::Operator];

    /// The text in records and key files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Desk => "desk",
            Self::Gate => "gate",
            Self::Operator => "operator",
        }
    }

    /// The role with exactly this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a public key: `SHA-256(0x01 ‖ public key)`.
///
/// It stands in records as `key` and in envelopes as `keyid`. It only says which key to try: what
/// counts is the key that verifies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 32]);

impl KeyId {
    fn of(public: &[u8; 32]) -> Self {
        Self(*Digest::of_parts(&[&[ED25519], public]).as_bytes())
    }

    /// The id with these bytes, of whatever key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads exactly 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`NotADigest`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotADigest> {
        Digest::parse_hex(text).map(|digest| Self(*digest.as_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An Ed25519 public key that can be relied upon: canonically encoded, and not a weak one.
#[derive(Clone)]
pub struct PublicKey {
    key: VerifyingKey,
    id: KeyId,
}

impl PublicKey {
    /// Reads the 32 bytes of RFC 8032, section 5.1.2.
    ///
    /// # Errors
    /// [`NotAKey`] if they are no point of the curve, are a second spelling of one, or are one of the
    /// points of small order, under which one signature fits many messages.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, NotAKey> {
        if !is_canonical(bytes) {
            return Err(NotAKey::NotCanonical);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| NotAKey::NotOnCurve)?;
        if key.is_weak() {
            return Err(NotAKey::Weak);
        }
        Ok(Self::of(key))
    }

    /// The key of a pair that was made here.
    pub(super) fn of(key: VerifyingKey) -> Self {
        let id = KeyId::of(key.as_bytes());
        Self { key, id }
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The key's name in records.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Checks a signature over a message, strictly: no second form of a signature, no point of small
    /// order, the equation without cofactor.
    ///
    /// # Errors
    /// [`BadSignature`], for whatever reason.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.key
            .verify_strict(message, &signature)
            .map_err(|_| BadSignature)
    }
}

/// Whether the y coordinate is below 2^255−19, so that the point has no other encoding. (The other
/// doubtful encodings, x = 0 with a sign, are of points of small order.)
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = bytes;
    let all_ones = highest | 0x80 == 0xFF && middle.iter().all(|byte| *byte == 0xFF);
    !(all_ones && *lowest >= 0xED)
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.id).finish()
    }
}

/// An Ed25519 signature: 64 bytes that may or may not verify.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// The signature with these bytes; they are judged by [`PublicKey::verify`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// Why bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAKey {
    /// The bytes are no point of the curve.
    #[error("these bytes are not an Ed25519 public key")]
    NotOnCurve,
    /// The bytes are a second spelling of a point.
    #[error("this Ed25519 public key is not encoded canonically")]
    NotCanonical,
    /// A point of small order: one signature fits many messages.
    #[error("this Ed25519 public key is weak and proves nothing")]
    Weak,
}

/// The signature is not by this key over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

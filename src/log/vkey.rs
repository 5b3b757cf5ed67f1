use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::canonical::Digest;

use super::{
    base64,
    keys::{ED25519, NotAKey, PublicKey},
};

/// The type byte of an Ed25519 key that cosigns checkpoints (C2SP tlog-cosignature).
pub(super) const COSIGNATURE: u8 = 0x04;

/// The name under which a key signs notes (C2SP signed-note).
///
/// Not empty, without white space, `+` and control characters, and at most 200 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NotAKeyName`] says what a name may be.
    pub fn new(name: impl Into<String>) -> Result<Self, NotAKeyName> {
        let name = name.into();
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if name.is_empty() || name.len() > 200 || !name.chars().all(allowed) {
            return Err(NotAKeyName);
        }
        Ok(Self(name))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no key name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a key name is 1 to 200 bytes without white space, `+` and control characters")]
pub struct NotAKeyName;

/// The four bytes that tell the keys of one name apart in signature lines: short, and so only a hint.
///
/// `SHA-256(name ‖ 0x0A ‖ type ‖ public key)`, cut; the type is 0x01 for a log, 0x04 for a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHint([u8; 4]);

impl KeyHint {
    /// The hint for an Ed25519 key under this name.
    #[must_use]
    pub fn of(name: &KeyName, key: &PublicKey) -> Self {
        Self::typed(name, ED25519, key)
    }

    fn typed(name: &KeyName, kind: u8, key: &PublicKey) -> Self {
        let name = name.as_str().as_bytes();
        let digest = Digest::of_parts(&[name, b"\n", &[kind], key.as_bytes()]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self([a, b, c, d])
    }

    /// The hint with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The four bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

/// A public key and the name under which it signs notes: what C2SP signed-note calls a vkey.
///
/// Written as `<name>+<hint in hex>+<base64 of 0x01 ‖ public key>`, for other tools to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: KeyName,
    key: PublicKey,
}

impl VerifierKey {
    /// A key under a name.
    #[must_use]
    pub const fn new(name: KeyName, key: PublicKey) -> Self {
        Self { name, key }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The hint in this key's signature lines.
    #[must_use]
    pub fn hint(&self) -> KeyHint {
        KeyHint::of(&self.name, &self.key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, key } = self;
        write(f, name, ED25519, key)
    }
}

impl FromStr for VerifierKey {
    type Err = NotAVerifierKey;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, NotAVerifierKey> {
        let (name, key) = read(text, ED25519)?;
        Ok(Self { name, key })
    }
}

/// A witness as others know it: its name, and the key with which it cosigns checkpoints (C2SP tlog-cosignature).
///
/// Written as [`VerifierKey`] is, with the type 0x04 in the place of 0x01, in the text and in the hint: neither passes for the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WitnessKey {
    name: KeyName,
    key: PublicKey,
}

impl WitnessKey {
    /// A key under a name.
    #[must_use]
    pub const fn new(name: KeyName, key: PublicKey) -> Self {
        Self { name, key }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The hint in this witness's signature lines.
    #[must_use]
    pub fn hint(&self) -> KeyHint {
        KeyHint::typed(&self.name, COSIGNATURE, &self.key)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, key } = self;
        write(f, name, COSIGNATURE, key)
    }
}

impl FromStr for WitnessKey {
    type Err = NotAVerifierKey;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, NotAVerifierKey> {
        let (name, key) = read(text, COSIGNATURE)?;
        Ok(Self { name, key })
    }
}

fn write(f: &mut fmt::Formatter<'_>, name: &KeyName, kind: u8, key: &PublicKey) -> fmt::Result {
    let hint = u32::from_be_bytes(*KeyHint::typed(name, kind, key).as_bytes());
    let mut typed = vec![kind];
    typed.extend_from_slice(key.as_bytes());
    write!(f, "{name}+{hint:08x}+{}", base64::encode(&typed))
}

fn read(text: &str, wanted: u8) -> Result<(KeyName, PublicKey), NotAVerifierKey> {
    // Base64 has `+` too, so only the first two separate.
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hint), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NotAVerifierKey::Malformed);
    };
    let name = KeyName::new(name).map_err(|_| NotAVerifierKey::Malformed)?;
    let typed = base64::decode(typed).ok_or(NotAVerifierKey::Malformed)?;
    let Some((&[kind], bytes)) = typed.split_first_chunk::<1>() else {
        return Err(NotAVerifierKey::Malformed);
    };
    if kind != wanted {
        return Err(NotAVerifierKey::OtherType);
    }
    let bytes = bytes.try_into().map_err(|_| NotAVerifierKey::Malformed)?;
    let key = PublicKey::from_bytes(bytes)?;
    let expected = u32::from_be_bytes(*KeyHint::typed(&name, kind, &key).as_bytes());
    if hint != format!("{expected:08x}") {
        return Err(NotAVerifierKey::WrongHint);
    }
    Ok((name, key))
}

/// Why a text is no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAVerifierKey {
    /// Not of the form.
    #[error("a verifier key is written `<name>+<8 hex digits>+<base64>`")]
    Malformed,
    /// The hint belongs to another name or key: something was mistyped.
    #[error("the eight digits of the verifier key do not fit its name and key; copy it again")]
    WrongHint,
    /// Not an Ed25519 key of the type that is wanted here.
    #[error(
        "the verifier key is not of the type that is wanted here (Ed25519: 1 for a log, 4 for a witness)"
    )]
    OtherType,
    /// The key itself is refused.
    #[error(transparent)]
    Key(#[from] NotAKey),
}

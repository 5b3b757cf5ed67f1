use std::fmt;

use thiserror::Error;

use super::{
    base64,
    keys::{BadSignature, Signature},
    signer::{SignError, Signer},
    vkey::{KeyHint, KeyName, VerifierKey},
};

/// The largest note that is read.
const MOST_BYTES: usize = 1_000_000;

/// How many signatures a note may carry.
pub(super) const MOST_SIGNATURES: usize = 100;

/// Text with signatures below it (C2SP signed-note), of which nothing is known yet to be true.
///
/// Read strictly: UTF-8 without control characters but newlines, a final newline, well-formed
/// signature lines, no two by the same name and hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Who says to have signed.
    pub name: KeyName,
    /// Which of the keys of that name.
    pub hint: KeyHint,
    /// The signature; only for Ed25519 these are 64 bytes.
    pub bytes: Vec<u8>,
}

impl Note {
    /// A note with this text, which ends in a newline, signed with one key under one name.
    ///
    /// # Errors
    /// [`SignNoteError`] if the text cannot stand in a note or the key cannot be used.
    pub fn sign(text: &str, name: &KeyName, signer: &dyn Signer) -> Result<Self, SignNoteError> {
        if !text.ends_with('\n') || text.chars().any(is_forbidden) {
            return Err(SignNoteError::Text);
        }
        let bytes = signer.sign(text.as_bytes())?.as_bytes().to_vec();
        let signature = NoteSignature {
            name: name.clone(),
            hint: KeyHint::of(name, signer.public()),
            bytes,
        };
        Ok(Self {
            text: text.to_owned(),
            signatures: vec![signature],
        })
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`] for anything that is not exactly a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MOST_BYTES {
            return Err(NoteError::TooLarge);
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if note.chars().any(is_forbidden) {
            return Err(NoteError::NotText);
        }
        // The last empty line separates, so that the text may have empty lines.
        let place = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, lines) = note.split_at(place + 1);
        let lines = lines.strip_prefix('\n').unwrap_or_default();
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Unsigned)?;
        if lines.split('\n').count() > MOST_SIGNATURES {
            return Err(NoteError::TooLarge);
        }
        let mut signatures: Vec<NoteSignature> = Vec::new();
        for line in lines.split('\n') {
            let signature = NoteSignature::parse(line).ok_or(NoteError::Line)?;
            let same = |other: &NoteSignature| {
                other.name == signature.name && other.hint == signature.hint
            };
            if signatures.iter().any(same) {
                return Err(NoteError::Repeated);
            }
            signatures.push(signature);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The note as it was before lines were added below its first one.
    pub(crate) fn with_first_signature(&self) -> Self {
        Self {
            text: self.text.clone(),
            signatures: self.signatures.iter().take(1).cloned().collect(),
        }
    }

    /// The bytes of the note.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { text, signatures } = self;
        let mut note = format!("{text}\n");
        for signature in signatures {
            note.push_str(&format!("{signature}\n"));
        }
        note.into_bytes()
    }

    /// The text as it was claimed, with its final newline.
    #[must_use]
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// The signature lines as they were claimed.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The text, and which of the known keys signed it: one at least.
    ///
    /// Signatures by unknown keys are ignored.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if a signature that names a known key does not verify, whatever the
    /// others do; [`NoteError::Unknown`] if no known key signed.
    pub fn verify<'n, 'k>(
        &'n self,
        known: &'k [VerifierKey],
    ) -> Result<(&'n str, Vec<&'k VerifierKey>), NoteError> {
        let mut signed = Vec::new();
        for NoteSignature { name, hint, bytes } in &self.signatures {
            // Two keys may share a name and a hint, by someone's design: one of them must verify.
            let mut claimed = known
                .iter()
                .filter(|vkey| vkey.name() == name && vkey.hint() == *hint)
                .peekable();
            if claimed.peek().is_none() {
                continue;
            }
            let signature = bytes.as_slice().try_into().map_err(|_| BadSignature)?;
            let signature = Signature::from_bytes(signature);
            let message = self.text.as_bytes();
            let by = claimed
                .find(|vkey| vkey.key().verify(message, &signature).is_ok())
                .ok_or(BadSignature)?;
            signed.push(by);
        }
        if signed.is_empty() {
            return Err(NoteError::Unknown);
        }
        Ok((&self.text, signed))
    }
}

impl fmt::Display for NoteSignature {
    /// The signature line, without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, hint, bytes } = self;
        let line = base64::encode(&[hint.as_bytes(), bytes.as_slice()].concat());
        write!(f, "\u{2014} {name} {line}")
    }
}

impl NoteSignature {
    /// Reads exactly one signature line, without its newline.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let name = KeyName::new(name).ok()?;
        let decoded = base64::decode(encoded)?;
        let (hint, bytes) = decoded.split_first_chunk::<4>()?;
        if bytes.is_empty() {
            return None;
        }
        Some(Self {
            name,
            hint: KeyHint::from_bytes(*hint),
            bytes: bytes.to_vec(),
        })
    }
}

fn is_forbidden(character: char) -> bool {
    character < ' ' && character != '\n'
}

/// Why a note was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// More than a million bytes or a hundred signatures.
    #[error("the note is larger than 1 MB or has more than 100 signatures")]
    TooLarge,
    /// Not UTF-8, or with control characters.
    #[error("the note is not UTF-8 text without control characters")]
    NotText,
    /// No empty line with signature lines after it, or no newline at the end.
    #[error("the note does not end in an empty line and signature lines")]
    Unsigned,
    /// A line after the last empty one is no signature.
    #[error("a signature line of the note is malformed")]
    Line,
    /// Two lines claim one key.
    #[error("two signature lines of the note name the same key")]
    Repeated,
    /// A signature that names a known key is not by it.
    #[error("a signature of the note by a known key does not verify")]
    BadSignature,
    /// No known key signed.
    #[error("no key that is known here signed the note")]
    Unknown,
}

impl From<BadSignature> for NoteError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}

/// Why a note could not be signed.
#[derive(Debug, Error)]
pub enum SignNoteError {
    /// The text has control characters or no newline at its end.
    #[error("the text of a note ends in a newline and has no control characters")]
    Text,
    /// The key could not be used.
    #[error(transparent)]
    Sign(#[from] SignError),
}

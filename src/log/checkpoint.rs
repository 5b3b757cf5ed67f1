use std::fmt;

use thiserror::Error;

use crate::canonical::Digest;

use super::{
    base64,
    keys::{KeyId, PublicKey},
    note::{Note, NoteError, SignNoteError},
    signer::Signer,
    vkey::{KeyName, VerifierKey},
};

/// The name of a log in its checkpoints, and of the keys that sign them: `example.com/log`.
///
/// 1 to 200 visible ASCII characters without `+`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(KeyName);

impl Origin {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NotAnOrigin`] says what a name may be.
    pub fn new(origin: impl Into<String>) -> Result<Self, NotAnOrigin> {
        let origin = KeyName::new(origin).map_err(|_| NotAnOrigin)?;
        if !origin.as_str().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NotAnOrigin);
        }
        Ok(Self(origin))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name of the keys that sign this log's checkpoints.
    #[must_use]
    pub const fn key_name(&self) -> &KeyName {
        &self.0
    }

    /// Whether this is a log of tests, whose gates guard nothing: its name starts with `testing/`.
    #[must_use]
    pub fn is_testing(&self) -> bool {
        self.as_str().starts_with("testing/")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text names no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the origin of a log is 1 to 200 visible ASCII characters without `+`")]
pub struct NotAnOrigin;

/// The head of a log's tree at a size (C2SP tlog-checkpoint), without extension lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many records.
    pub size: u64,
    /// The head of the tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed: origin, size and root, each on its line.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { origin, size, root } = self;
        format!("{origin}\n{size}\n{}\n", base64::encode(root.as_bytes()))
    }

    /// Reads the text of a checkpoint, whether or not it was signed.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] for any other spelling, extension lines included.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let malformed = || CheckpointError::Malformed;
        let mut lines = text.strip_suffix('\n').ok_or_else(malformed)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Malformed);
        };
        let root = base64::decode(root)
            .and_then(|root| <[u8; 32]>::try_from(root).ok())
            .ok_or_else(malformed)?;
        let checkpoint = Self {
            origin: Origin::new(origin).map_err(|_| CheckpointError::Malformed)?,
            size: size.parse().map_err(|_| CheckpointError::Malformed)?,
            root: Digest::from_bytes(root),
        };
        // A leading zero or plus sign is another spelling of the same size.
        if checkpoint.text() != text {
            return Err(CheckpointError::Malformed);
        }
        Ok(checkpoint)
    }

    /// Signs the checkpoint under the log's own name; the bytes are a signed note.
    ///
    /// # Errors
    /// [`SignNoteError`] if the key cannot be used.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignNoteError> {
        let name = self.origin.key_name();
        Note::sign(&self.text(), name, signer).map(|note| note.to_bytes())
    }

    /// Reads a signed note as a checkpoint of the log `origin`, signed by exactly one of `keys`.
    ///
    /// Returns the checkpoint and the id of the key. Lines of others, such as witnesses, are ignored.
    ///
    /// # Errors
    /// [`CheckpointError`]; one bad signature by a known key spoils the note.
    pub fn verify<'k>(
        note: &[u8],
        origin: &Origin,
        keys: impl IntoIterator<Item = &'k PublicKey>,
    ) -> Result<(Self, KeyId), CheckpointError> {
        Self::verify_note(&Note::parse(note)?, origin, keys)
    }

    /// As [`Checkpoint::verify`], for a note that was parsed already.
    pub(super) fn verify_note<'k>(
        note: &Note,
        origin: &Origin,
        keys: impl IntoIterator<Item = &'k PublicKey>,
    ) -> Result<(Self, KeyId), CheckpointError> {
        let named = |key: &PublicKey| VerifierKey::new(origin.key_name().clone(), key.clone());
        let known: Vec<_> = keys.into_iter().map(named).collect();
        let (text, signed) = note.verify(&known)?;
        let checkpoint = Self::parse(text)?;
        if checkpoint.origin != *origin {
            return Err(CheckpointError::OtherLog);
        }
        match signed.as_slice() {
            [one] => Ok((checkpoint, one.key().id())),
            _ => Err(CheckpointError::SeveralSigners),
        }
    }
}

/// Why a checkpoint was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// Not the three lines of a checkpoint.
    #[error("the text is not a checkpoint of origin, size and root")]
    Malformed,
    /// Another log's.
    #[error("the checkpoint belongs to a log of another origin")]
    OtherLog,
    /// More than one of the log's keys signed.
    #[error("more than one key of the log signed the checkpoint")]
    SeveralSigners,
    /// The key was not in force for that size.
    #[error("the key that signed the checkpoint was not in force at its size")]
    NotInForce,
    /// The signed note is refused.
    #[error(transparent)]
    Note(#[from] NoteError),
}

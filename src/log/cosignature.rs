use thiserror::Error;

use super::{
    keys::{BadSignature, Signature},
    note::{Note, NoteSignature},
    signer::{SignError, Signer},
    vkey::WitnessKey,
};
use crate::clock::Timestamp;

/// What a witness says of a checkpoint: that at this time it was the largest one of its log that the witness had seen, and
/// consistent with all before (C2SP tlog-cosignature, Ed25519).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature {
    at: Timestamp,
    signature: Signature,
}

impl Cosignature {
    /// Cosigns the text of a note; the time is cut to a second.
    ///
    /// # Errors
    /// [`SignError`] if the key cannot be used.
    pub fn sign(text: &str, at: Timestamp, signer: &dyn Signer) -> Result<Self, SignError> {
        let seconds = seconds_of(at);
        let at = at_second(seconds).unwrap_or(at);
        let signature = signer.sign(&message(text, seconds))?;
        Ok(Self { at, signature })
    }

    /// When it was made, by the word of the witness.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The signature line of the witness with this key.
    #[must_use]
    pub fn line(&self, witness: &WitnessKey) -> NoteSignature {
        let Self { at, signature } = self;
        let mut bytes = seconds_of(*at).to_be_bytes().to_vec();
        bytes.extend_from_slice(signature.as_bytes());
        NoteSignature {
            name: witness.name().clone(),
            hint: witness.hint(),
            bytes,
        }
    }

    /// The cosignature of `witness` in a line over this text; `None` if the line is of another name or hint.
    ///
    /// # Errors
    /// [`CosignatureError`] if the line names the witness and is no cosignature of the text by its key.
    pub fn verify(
        line: &NoteSignature,
        text: &str,
        witness: &WitnessKey,
    ) -> Option<Result<Self, CosignatureError>> {
        let NoteSignature { name, hint, bytes } = line;
        if name != witness.name() || *hint != witness.hint() {
            return None;
        }
        Some(Self::decode(bytes).and_then(|(seconds, cosignature)| {
            witness
                .key()
                .verify(&message(text, seconds), &cosignature.signature)?;
            Ok(cosignature)
        }))
    }

    fn decode(bytes: &[u8]) -> Result<(u64, Self), CosignatureError> {
        let (seconds, signature) = bytes
            .split_first_chunk::<8>()
            .ok_or(CosignatureError::Malformed)?;
        let signature = signature
            .try_into()
            .map_err(|_| CosignatureError::Malformed)?;
        let seconds = u64::from_be_bytes(*seconds);
        // Without a time a witness does not say that it has seen no larger tree.
        let at = at_second(seconds)
            .filter(|_| seconds > 0)
            .ok_or(CosignatureError::Time)?;
        let signature = Signature::from_bytes(signature);
        Ok((seconds, Self { at, signature }))
    }
}

impl Note {
    /// The note with one more signature line below the others.
    ///
    /// # Errors
    /// [`NoteError`](super::NoteError) if the note has a line of that name and hint already, or as many as it may.
    pub fn with_signature(&self, line: &NoteSignature) -> Result<Self, super::NoteError> {
        let mut bytes = self.to_bytes();
        bytes.extend_from_slice(format!("{line}\n").as_bytes());
        Self::parse(&bytes)
    }
}

fn seconds_of(at: Timestamp) -> u64 {
    u64::try_from(at.unix_micros() / 1_000_000).unwrap_or(0)
}

fn at_second(seconds: u64) -> Option<Timestamp> {
    let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
    Timestamp::from_unix_micros(micros)
}

/// What is signed: two lines that belong to no other protocol, and the text.
fn message(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// Why a signature line that names a witness is no cosignature of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CosignatureError {
    /// Not 8 bytes of time and 64 of signature.
    #[error("the cosignature is not a time and an Ed25519 signature")]
    Malformed,
    /// No time, or one beyond the year 9999.
    #[error("the cosignature has no time, or one that cannot be")]
    Time,
    /// The key did not sign this.
    #[error("the cosignature does not verify")]
    BadSignature,
}

impl From<BadSignature> for CosignatureError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}

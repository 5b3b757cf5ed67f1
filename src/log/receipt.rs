use std::fmt;

use thiserror::Error;

use super::{
    checkpoint::{Checkpoint, CheckpointError},
    envelope::{Envelope, EnvelopeError},
    id::Seq,
    note::Note,
    proof::{InclusionProof, ProofError},
    record::StoredRecord,
    rule::Broken,
    statement::{Statement, StatementError},
    tree::leaf_hash,
    trust::{Trust, VerifiedRecord},
    trusted::TrustedKeys,
};
use crate::canonical::{Admission, AdmitError, Digest, Json, Object, admit};

/// A record that can be checked by itself: with the checkpoint of its batch and the way from its leaf to
/// that checkpoint's root (record format, section 10).
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record.
    pub record: StoredRecord,
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// The hashes beside the way from the record's leaf to the checkpoint's root.
    pub path: Vec<Digest>,
}

/// Which record it is of, and how much it holds: the bytes are for a verifier.
impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            record,
            checkpoint,
            path,
        } = self;
        f.debug_struct("Receipt")
            .field("seq", &record.seq.get())
            .field("leaf", &format_args!("{}", record.leaf))
            .field("statement_bytes", &record.statement.len())
            .field("signatures", &record.signatures.len())
            .field("checkpoint_bytes", &checkpoint.len())
            .field("path_hashes", &path.len())
            .finish()
    }
}

impl Receipt {
    /// Checks record, checkpoint and path.
    ///
    /// # Errors
    /// [`ReceiptError`] says which of them fails.
    pub fn verify(&self, trust: &Trust) -> Result<VerifiedRecord, ReceiptError> {
        let Self {
            record,
            checkpoint,
            path,
        } = self;
        let verified = trust.check(record)?;
        let checkpoint = trust.check_checkpoint(checkpoint)?;
        let proof = InclusionProof {
            index: record.seq.get(),
            size: checkpoint.size,
            path: path.clone(),
        };
        proof.verify(verified.leaf(), &checkpoint.root)?;
        Ok(verified)
    }

    /// Checks the receipt with nothing but keys from outside, whatever log it is of.
    ///
    /// Returns the checkpoint too, whose origin names the log.
    ///
    /// # Errors
    /// [`ReceiptError`] says what fails.
    pub fn verify_with_keys(
        &self,
        keys: &TrustedKeys,
    ) -> Result<(VerifiedRecord, Checkpoint), ReceiptError> {
        // What is claimed here is what gets verified: the record's signature covers the log's id, the
        // checkpoint's covers the origin, and the path ties one to the other.
        let statement = Statement::parse(&self.record.statement)?;
        let note = Note::parse(&self.checkpoint).map_err(CheckpointError::from)?;
        let checkpoint = Checkpoint::parse(note.unverified_text())?;
        let trust = keys.trust_for(statement.log, checkpoint.origin.clone());
        Ok((self.verify(&trust)?, checkpoint))
    }

    /// The receipt as canonical JSON; the record stands in it as a DSSE envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self {
            record,
            checkpoint,
            path,
        } = self;
        let StoredRecord {
            seq: _,
            statement,
            signatures,
            leaf: _,
        } = record;
        let envelope = Envelope {
            payload: statement.clone(),
            signatures: signatures.clone(),
        };
        let path: Vec<Json> = path.iter().map(|hash| hash.to_hex().into()).collect();
        Object::new()
            // A checkpoint is text; were it none, no reader would accept it in any spelling.
            .with(
                "checkpoint",
                String::from_utf8_lossy(checkpoint).into_owned(),
            )
            .with("envelope", envelope.to_value())
            .with("path", path)
            .with("v", 1_u8)
            .to_canonical()
    }

    /// Reads a receipt, which is not thereby verified.
    ///
    /// # Errors
    /// [`ReceiptError`] for other members, another version, and a record that is no statement.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let limits = Admission::default()
            .with_max_bytes(256 << 10)
            .with_max_depth(8);
        let json = admit(bytes, &limits)?;
        let members = json.as_object().ok_or(ReceiptError::Malformed)?;
        let get = |name| members.get(name).ok_or(ReceiptError::Malformed);
        if members.len() != 4 || get("v")?.as_i64() != Some(1) {
            return Err(ReceiptError::Malformed);
        }
        let Envelope {
            payload,
            signatures,
        } = Envelope::from_value(get("envelope")?)?;
        let checkpoint = get("checkpoint")?.as_str().ok_or(ReceiptError::Malformed)?;
        let path = get("path")?
            .as_array()
            .ok_or(ReceiptError::Malformed)?
            .iter()
            .map(|hash| Digest::parse_hex(hash.as_str()?).ok())
            .collect::<Option<_>>()
            .ok_or(ReceiptError::Malformed)?;
        let record = StoredRecord {
            seq: Statement::parse(&payload)?.seq,
            leaf: leaf_hash(&payload),
            statement: payload,
            signatures,
        };
        Ok(Self {
            record,
            checkpoint: checkpoint.as_bytes().to_vec(),
            path,
        })
    }

    /// The record's number, as the receipt claims it.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.record.seq
    }
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// Not JSON as it is admitted here.
    #[error("the receipt is not admitted: {0}")]
    Json(#[from] AdmitError),
    /// Not the members of a receipt.
    #[error("the receipt has not exactly the members of version 1")]
    Malformed,
    /// The envelope of the record is malformed.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The record's bytes are no statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The record breaks a rule.
    #[error(transparent)]
    Record(#[from] Broken),
    /// The checkpoint is refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The record is not in the checkpoint's tree.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

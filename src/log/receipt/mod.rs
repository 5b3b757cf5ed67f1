//! A record that is taken out of its log together with all that proves it (record format, section 10).

mod file;
mod members;
mod verified;

use std::fmt;

use thiserror::Error;

pub(crate) use self::members::open_members;
pub use self::{members::OpenedMember, verified::VerifiedReceipt};
use super::{
    checkpoint::{Checkpoint, CheckpointError},
    envelope::EnvelopeError,
    id::Seq,
    note::Note,
    outline::read_statement,
    proof::{InclusionProof, ProofError},
    record::StoredRecord,
    rule::Broken,
    statement::{Statement, StatementError},
    trust::Trust,
    trusted::TrustedKeys,
};
use crate::action::{Disclosure, NotADisclosure};
use crate::canonical::Digest;

/// A record that can be checked by itself: with a checkpoint, the way from its leaf to that checkpoint's root, and those
/// of its hidden members that whoever hands it out chose to disclose.
///
/// Nothing is known yet of what it says to be true, and nothing of a hidden member is read out of it before it was
/// verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record.
    pub record: StoredRecord,
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// The hashes beside the way from the record's leaf to the checkpoint's root.
    pub path: Vec<Digest>,
    /// The chosen disclosures. A receipt has none unless somebody put them in.
    pub disclosures: Vec<Disclosure>,
}

/// Which record it is of, and how much it holds: the bytes are for a verifier.
impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            record,
            checkpoint,
            path,
            disclosures,
        } = self;
        f.debug_struct("Receipt")
            .field("seq", &record.seq.get())
            .field("leaf", &format_args!("{}", record.leaf))
            .field("statement_bytes", &record.statement.len())
            .field("signatures", &record.signatures.len())
            .field("checkpoint_bytes", &checkpoint.len())
            .field("path_hashes", &path.len())
            .field("disclosures", &disclosures.len())
            .finish()
    }
}

impl Receipt {
    /// Checks record, checkpoint, path and disclosures.
    ///
    /// # Errors
    /// [`ReceiptError`] says which of them fails.
    pub fn verify(&self, trust: &Trust) -> Result<VerifiedReceipt, ReceiptError> {
        let statement = read_statement(&self.record.statement)?;
        self.verify_parsed(statement, &self.note()?, trust)
    }

    /// Checks the receipt with nothing but keys from outside, whatever log it is of.
    ///
    /// The checkpoint's origin names the log.
    ///
    /// # Errors
    /// [`ReceiptError`] says what fails.
    pub fn verify_with_keys(&self, keys: &TrustedKeys) -> Result<VerifiedReceipt, ReceiptError> {
        // What is claimed here is what gets verified: the record's signature covers the log's id, the
        // checkpoint's covers the origin, and the path ties one to the other.
        let statement = read_statement(&self.record.statement)?;
        let note = self.note()?;
        let checkpoint = Checkpoint::parse(note.unverified_text())?;
        let trust = keys.trust_for(statement.log, checkpoint.origin);
        self.verify_parsed(statement, &note, &trust)
    }

    fn note(&self) -> Result<Note, ReceiptError> {
        Ok(Note::parse(&self.checkpoint).map_err(CheckpointError::from)?)
    }

    /// Statement and note are those of the receipt.
    fn verify_parsed(
        &self,
        statement: Statement,
        note: &Note,
        trust: &Trust,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let Self {
            record,
            checkpoint: _,
            path,
            disclosures,
        } = self;
        let record = trust.check_statement(record, statement)?;
        let checkpoint = trust.check_note(note)?;
        let proof = InclusionProof {
            index: record.seq().get(),
            size: checkpoint.size,
            path: path.clone(),
        };
        proof.verify(record.leaf(), &checkpoint.root)?;
        let opened = members::open(record.statement(), disclosures)?;
        Ok(VerifiedReceipt::new(record, checkpoint, opened))
    }

    /// Puts disclosures of the record in.
    ///
    /// # Errors
    /// [`ReceiptError`] for one that is there already, that the record does not name, or that collides with another
    /// member.
    pub fn with_disclosures(
        mut self,
        disclosures: impl IntoIterator<Item = Disclosure>,
    ) -> Result<Self, ReceiptError> {
        self.disclosures.extend(disclosures);
        self.disclosures.sort_by_key(Disclosure::digest);
        let statement = read_statement(&self.record.statement)?;
        members::open(&statement, &self.disclosures)?;
        Ok(self)
    }

    /// Keeps the disclosures of those members that are named, and takes the others out.
    ///
    /// A member's name is its JSON pointer (RFC 6901) in the record's body, such as `/bound/parameters/to`.
    ///
    /// # Errors
    /// [`ReceiptError`] if a disclosure is not of this record.
    pub fn disclosing_only(
        mut self,
        mut keep: impl FnMut(&str) -> bool,
    ) -> Result<Self, ReceiptError> {
        let statement = read_statement(&self.record.statement)?;
        let opened = members::open(&statement, &self.disclosures)?;
        let kept: Vec<_> = opened
            .members
            .iter()
            .filter(|(_, member)| keep(&member.pointer()))
            .map(|(digest, _)| *digest)
            .collect();
        self.disclosures.retain(|one| kept.contains(&one.digest()));
        Ok(self)
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
    /// More than 8 MiB.
    #[error("the receipt is larger than 8 MiB")]
    TooLarge,
    /// Not the lines of a receipt, or another spelling of them.
    #[error("the receipt is malformed: {0}")]
    Malformed(&'static str),
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
    /// The tree of the later checkpoint did not grow out of the receipt's.
    #[error("the later checkpoint: {0}")]
    Consistency(#[source] ProofError),
    /// A line is no disclosure.
    #[error(transparent)]
    Disclosure(#[from] NotADisclosure),
    /// A disclosure of another record.
    #[error("the record does not name a disclosure of the receipt")]
    Stray,
    /// A disclosure stands there twice.
    #[error("a disclosure of the receipt stands there twice")]
    Repeated,
    /// Two members of one object have one name.
    #[error("a disclosed member has the name of another member of its object")]
    Colliding,
}

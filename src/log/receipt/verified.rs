use super::{
    ReceiptError,
    members::{Opened, OpenedMember},
};
use crate::canonical::Json;
use crate::log::{
    checkpoint::Checkpoint,
    proof::{ConsistencyProof, ProofError},
    trust::VerifiedRecord,
    trusted::TrustedKeys,
};

/// A receipt after everything in it was checked; made by [`Receipt::verify`](super::Receipt::verify) and
/// [`Receipt::verify_with_keys`](super::Receipt::verify_with_keys) alone.
#[derive(Clone, Debug)]
pub struct VerifiedReceipt {
    record: VerifiedRecord,
    checkpoint: Checkpoint,
    members: Vec<OpenedMember>,
    withheld: usize,
}

impl VerifiedReceipt {
    pub(super) fn new(record: VerifiedRecord, checkpoint: Checkpoint, opened: Opened) -> Self {
        let Opened { members, withheld } = opened;
        Self {
            record,
            checkpoint,
            members: members.into_iter().map(|(_, member)| member).collect(),
            withheld,
        }
    }

    /// The record.
    #[must_use]
    pub const fn record(&self) -> &VerifiedRecord {
        &self.record
    }

    /// The checkpoint in whose tree the record stands.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The members that the receipt discloses, in the order of the record's body.
    #[must_use]
    pub fn members(&self) -> &[OpenedMember] {
        &self.members
    }

    /// The value of a disclosed member, by its JSON pointer in the record's body: `/bound/parameters/to`.
    #[must_use]
    pub fn member(&self, pointer: &str) -> Option<&Json> {
        self.members
            .iter()
            .find(|member| member.pointer() == pointer)
            .map(OpenedMember::value)
    }

    /// How many members the record hides beside those that are disclosed here.
    ///
    /// Of a record of another version of the format it is not known.
    #[must_use]
    pub const fn withheld(&self) -> usize {
        self.withheld
    }

    /// The record, by value.
    #[must_use]
    pub fn into_record(self) -> VerifiedRecord {
        self.record
    }

    /// Checks that the log of a later signed checkpoint grew out of the one that this receipt is of, so that the record
    /// still stands in it; returns that checkpoint.
    ///
    /// # Errors
    /// [`ReceiptError::Checkpoint`] if the later checkpoint is of another log or not signed by these keys, and
    /// [`ReceiptError::Consistency`] unless the proof is exactly one between the two.
    pub fn verify_later(
        &self,
        later: &[u8],
        proof: &ConsistencyProof,
        keys: &TrustedKeys,
    ) -> Result<Checkpoint, ReceiptError> {
        let trust = keys.trust_for(self.record.statement().log, self.checkpoint.origin.clone());
        let later = trust.check_checkpoint(later)?;
        // A proof does not vouch for its sizes: they are those that were signed.
        if (proof.old, proof.new) != (self.checkpoint.size, later.size) {
            return Err(ReceiptError::Consistency(ProofError::OutOfRange));
        }
        proof
            .verify(&self.checkpoint.root, &later.root)
            .map_err(ReceiptError::Consistency)?;
        Ok(later)
    }
}

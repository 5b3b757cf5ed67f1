//! Signing on behalf of the sequencer.

use std::sync::Arc;

use crate::log::{Chained, Checkpoint, Role, Seq, Signer, Trust};

use super::crew::Signatures;
use super::{LedgerError, Shared, lock};

impl Shared {
    pub(super) fn signer(&self, role: Role) -> Option<Arc<dyn Signer>> {
        let operator = (role == Role::Operator)
            .then(|| lock(&self.operator).clone())
            .flatten();
        operator.or_else(|| self.own_signer(role))
    }

    /// Whether this process can sign for a role.
    pub(crate) fn can_sign(&self, role: Role) -> bool {
        self.signer(role).is_some()
    }

    /// One signature for each statement, each by the key of its entry's role.
    pub(super) fn sign(
        &self,
        chained: Vec<Chained>,
    ) -> Result<(Vec<Chained>, Signatures), LedgerError> {
        let signed = self.crew.sign(chained, self.all_signers());
        signed.map_err(|_| LedgerError::Signer)
    }

    /// A signed checkpoint note, by a key that is in force at its end.
    pub(super) fn sign_checkpoint(
        &self,
        checkpoint: &Checkpoint,
        trust: &Trust,
    ) -> Result<Vec<u8>, LedgerError> {
        let last = Seq::new(checkpoint.size.saturating_sub(1));
        let signer = self
            .signer_at(trust, Role::Checkpoint, last)
            .ok_or(LedgerError::NoSuchRole(Role::Checkpoint))?;
        checkpoint
            .sign(signer.as_ref())
            .map_err(|_| LedgerError::Signer)
    }
}

//! Signing on behalf of the sequencer.

use std::sync::Arc;

use crate::log::{Chained, Checkpoint, KeyId, Role, Signer};

use super::crew::Signatures;
use super::{LedgerError, Shared, lock};

impl Shared {
    pub(super) fn signer(&self, role: Role) -> Option<Arc<dyn Signer>> {
        let operator = (role == Role::Operator)
            .then(|| lock(&self.operator).clone())
            .flatten();
        operator.or_else(|| self.keys.signer(role).cloned())
    }

    /// Whether this process can sign for a role.
    pub(crate) fn can_sign(&self, role: Role) -> bool {
        self.signer(role).is_some()
    }

    /// The id of the key that this process signs with for a role.
    pub(super) fn key_id(&self, role: Role) -> Option<KeyId> {
        self.signer(role).map(|signer| signer.public().id())
    }

    /// One signature for each statement, each by the key of its entry's role.
    pub(super) fn sign(
        &self,
        chained: Vec<Chained>,
    ) -> Result<(Vec<Chained>, Signatures), LedgerError> {
        let signers = Role::ALL.into_iter();
        let signers = signers.filter_map(|role| self.signer(role)).collect();
        let signed = self.crew.sign(chained, signers);
        signed.map_err(|_| LedgerError::Signer)
    }

    /// A signed checkpoint note.
    pub(super) fn sign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<Vec<u8>, LedgerError> {
        let signer = self
            .signer(Role::Checkpoint)
            .ok_or(LedgerError::NoSuchRole(Role::Checkpoint))?;
        checkpoint
            .sign(signer.as_ref())
            .map_err(|_| LedgerError::Signer)
    }
}

//! What only whoever runs the machine may do.

use std::sync::Arc;

use crate::approval::{At, ClockAcknowledged, Event, Hidden, LegalBasis};
use crate::ledger::{Drafts, Erase, Erasure, LedgerError, Parts};
use crate::log::{KeyChange, KeyId, Revocation, Role, Seq, Signer};

/// The operator's handle, with the operator's own key, which may live elsewhere than the gate's.
#[derive(Debug)]
pub struct Operator {
    parts: Arc<Parts>,
}

/// Why the operator's word was not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// No jump of the clock waits to be acknowledged.
    #[error("no jump of the clock waits to be acknowledged")]
    NothingToAcknowledge,
    /// The record could not be written.
    #[error("the record could not be written: {0}")]
    NotRecorded(String),
}

impl Operator {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    /// Says that a jump of the machine's clock was looked into; approvals go on from here.
    ///
    /// # Errors
    /// [`OperatorError::NothingToAcknowledge`], or that the record could not be written.
    pub async fn acknowledge_clock(&self, reason: impl Into<String>) -> Result<(), OperatorError> {
        let ledger = &self.parts.ledger;
        let not_recorded = |error: LedgerError| OperatorError::NotRecorded(error.to_string());
        let clock = ledger
            .unsettled_clock()
            .await
            .map_err(not_recorded)?
            .ok_or(OperatorError::NothingToAcknowledge)?;
        let event = Event::ClockAcknowledged(ClockAcknowledged {
            clock: At(clock),
            reason: Hidden::Known(reason.into()),
        });
        Drafts::log(ledger, Role::Operator, event)
            .map_err(not_recorded)?
            .append()
            .await
            .map_err(not_recorded)?;
        ledger.clock_settled(clock);
        ledger.waiters.wake_all();
        Ok(())
    }

    /// Has the log name a key that it never named before, in force from the next record on; returns the record.
    ///
    /// The key signs the record beside the operator, which shows that somebody holds it.
    ///
    /// # Errors
    /// [`OperatorError::NotRecorded`] says why not; the log is as it was.
    pub async fn add_key(
        &self,
        key: Arc<dyn Signer>,
        roles: impl IntoIterator<Item = Role>,
    ) -> Result<Seq, OperatorError> {
        let change = KeyChange::Added {
            key: key.public().clone(),
            roles: roles.into_iter().collect(),
        };
        self.change_keys(change, vec![key]).await
    }

    /// Puts a new key in the place of another, with its roles; returns the record.
    ///
    /// Both sign the record beside the operator. Where this process signs with the old key, it goes on with the new one; every
    /// other process that holds the old key refuses to write until it is opened with the new one. A key that went never comes
    /// back. Whoever cannot sign with the old key any more revokes it and adds another.
    ///
    /// # Errors
    /// [`OperatorError::NotRecorded`] says why not; the log is as it was.
    pub async fn rotate_key(
        &self,
        old: Arc<dyn Signer>,
        new: Arc<dyn Signer>,
    ) -> Result<Seq, OperatorError> {
        let change = KeyChange::Rotated {
            old: old.public().id(),
            key: new.public().clone(),
        };
        self.change_keys(change, vec![old, new]).await
    }

    /// Ends a key; returns the record, which is the last that the key may have signed.
    ///
    /// What a compromised key signed since then counts for nobody who verifies the log, and what it signed before counts only
    /// under a checkpoint that was kept elsewhere.
    ///
    /// # Errors
    /// [`OperatorError::NotRecorded`] says why not, for example that nobody could sign checkpoints any more; the log is as it was.
    pub async fn revoke_key(&self, key: KeyId, why: Revocation) -> Result<Seq, OperatorError> {
        let change = KeyChange::Revoked { old: key, why };
        self.change_keys(change, Vec::new()).await
    }

    /// Erases hidden values, and records that, on what ground and why; in one commit, so that neither is without the other.
    ///
    /// The digests stay, and with them the action digest, the counted quorum, the separation of duties and every proof. What is erased
    /// is gone from the store and overwritten in its files. Where values are sealed ([`ValueKeys`](crate::values::ValueKeys)) their keys
    /// are destroyed, so that copies of the store that were made before, such as backups, have them no more either; copies of the file of
    /// keys have to be replaced. An erasure that is cut short between its record and its keys is finished when the log is next opened.
    /// Values of a request that is not over are still needed and cannot be erased.
    ///
    /// # Errors
    /// [`OperatorError::NotRecorded`] says why nothing was erased.
    pub async fn erase(
        &self,
        what: &Erase,
        basis: &LegalBasis,
        reason: &str,
    ) -> Result<Erasure, OperatorError> {
        let erased = self.parts.ledger.erase(what, basis, reason).await;
        erased.map_err(|error| OperatorError::NotRecorded(error.to_string()))
    }

    /// Makes sure that no byte of what was erased is left in the store's files; whether that was done.
    ///
    /// # Errors
    /// [`OperatorError::NotRecorded`] if the store failed.
    pub async fn scrub(&self) -> Result<bool, OperatorError> {
        let scrubbed = self.parts.ledger.scrub().await;
        scrubbed.map_err(|error| OperatorError::NotRecorded(error.to_string()))
    }

    async fn change_keys(
        &self,
        change: KeyChange,
        beside: Vec<Arc<dyn Signer>>,
    ) -> Result<Seq, OperatorError> {
        let written = self.parts.ledger.change_keys(change, beside).await;
        written
            .map(Seq::new)
            .map_err(|error| OperatorError::NotRecorded(error.to_string()))
    }
}

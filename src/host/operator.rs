//! What only whoever runs the machine may do.

use std::sync::Arc;

use crate::approval::{At, ClockAcknowledged, Event, Hidden};
use crate::ledger::{Drafts, LedgerError, Parts};
use crate::log::Role;

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
}

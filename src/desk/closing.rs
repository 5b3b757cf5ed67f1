//! Ending what no vote ends: cancel, revoke, reconcile.

use crate::action::RequestId;
use crate::approval::{
    Cancelled, Event, Finding, Hidden, Reconciled, RequestState, Revoked, Status,
};
use crate::identity::Approver;
use crate::ledger::{Drafts, LedgerError};
use crate::log::{Receipt, Role};

use super::voting::{Tied, past, proof_of, standing};
use super::{DeskError, Reason, ReviewDesk};

/// What is done to the request.
#[derive(Debug, Clone, Copy)]
enum Act {
    Revoke,
    Cancel,
    Reconcile(Finding),
}

impl ReviewDesk {
    /// Takes an approval back: before the start it is void, and a running effect is told to stop.
    ///
    /// # Errors
    /// [`DeskError`]: nothing was recorded.
    pub async fn revoke(
        &self,
        by: &Approver,
        request: RequestId,
        reason: Reason,
    ) -> Result<Receipt, DeskError> {
        self.close(by, request, reason, Act::Revoke).await
    }

    /// Closes a request without deciding it.
    ///
    /// # Errors
    /// [`DeskError`]: nothing was recorded.
    pub async fn cancel(
        &self,
        by: &Approver,
        request: RequestId,
        reason: Reason,
    ) -> Result<Receipt, DeskError> {
        self.close(by, request, reason, Act::Cancel).await
    }

    /// Records what somebody found out about an execution whose outcome was unknown.
    ///
    /// # Errors
    /// [`DeskError::Settled`] if the outcome is not unknown, [`DeskError::Interested`] if the rules exclude this person.
    pub async fn reconcile(
        &self,
        by: &Approver,
        request: RequestId,
        finding: Finding,
        reason: Reason,
    ) -> Result<Receipt, DeskError> {
        self.close(by, request, reason, Act::Reconcile(finding))
            .await
    }

    async fn close(
        &self,
        by: &Approver,
        request: RequestId,
        reason: Reason,
        act: Act,
    ) -> Result<Receipt, DeskError> {
        let ledger = &self.parts.ledger;
        let reason = reason.into_text();
        loop {
            self.signed_in(by)?;
            let folded = ledger.request(request).await?.ok_or(DeskError::NotFound)?;
            let state = &folded.state;
            let named = ledger.name(by.person()).await?;
            self.may_close(by, state, act, &named.pseudonym).await?;
            let (person, id, proof) = (
                named.pseudonym,
                Hidden::Known(by.person().clone()),
                proof_of(by),
            );
            let reason = Hidden::Known(reason.clone());
            let status = state.status(ledger.now());
            let event = match (act, &status) {
                (Act::Cancel, Status::Pending { .. } | Status::Approved { .. }) => {
                    Event::Cancelled(Cancelled {
                        person,
                        id,
                        proof,
                        reason,
                    })
                }
                (Act::Revoke, Status::Approved { .. } | Status::Running { stop: None, .. }) => {
                    Event::Revoked(Revoked {
                        person,
                        id,
                        proof,
                        reason,
                    })
                }
                (Act::Reconcile(finding), Status::Unresolved { execution, .. }) => {
                    Event::Reconciled(Reconciled {
                        execution: *execution,
                        finding,
                        person,
                        id,
                        proof,
                        reason,
                    })
                }
                (_, status) => return Err(DeskError::Settled(past(status).to_owned())),
            };
            let channels = ledger.channels_of(state).await?;
            let mut drafts = Drafts::resume(ledger, folded);
            drafts.rows(named.row());
            drafts.telling(channels);
            drafts.push(Role::Desk, event)?;
            match drafts.append().await {
                Ok((written, _)) => {
                    return written
                        .receipt()
                        .ok_or_else(|| DeskError::from(LedgerError::Panicked));
                }
                Err(LedgerError::Moved | LedgerError::Illegal(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whoever may decide may close; an interested person may say no to his own, and may not say how his own ended.
    async fn may_close(
        &self,
        by: &Approver,
        state: &RequestState,
        act: Act,
        person: &crate::action::Pseudonym,
    ) -> Result<(), DeskError> {
        let interested = self.interested(state).await?;
        match (act, standing(state, &interested, person)) {
            (Act::Cancel | Act::Revoke, Tied::To(_)) => return Ok(()),
            (Act::Reconcile(_), Tied::To(_)) => {
                return Err(DeskError::Interested(
                    "somebody without an interest has to find out",
                ));
            }
            (_, Tied::Free | Tied::Unknowable) => {}
        }
        self.may_see(by, state).await
    }
}

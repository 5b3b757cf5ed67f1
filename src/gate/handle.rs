//! What an agent holds.

use std::sync::Arc;

use async_trait::async_trait;

use crate::action::{Action, ActorChain, RequestId, SessionId};
use crate::approval::{Event, Status, Withdrawn};
use crate::ledger::{LedgerError, Parts};
use crate::log::Role;

use super::waiting::Feasible;
use super::{ApprovalGate, Cause, Filing, OpenRequest, Permit, Refusal, Standing};

/// The enforcing gate, scoped to one actor, tenant and session.
///
/// It can ask, wait, take back and run; it has no method that decides, and it sees nobody else's requests.
#[derive(Debug, Clone)]
pub struct Gate {
    pub(super) parts: Arc<Parts>,
    pub(super) chain: Arc<ActorChain>,
    pub(super) session: SessionId,
}

impl Gate {
    pub(crate) fn new(parts: Arc<Parts>, chain: ActorChain, session: SessionId) -> Self {
        Self {
            parts,
            chain: Arc::new(chain),
            session,
        }
    }

    /// Who acts, for whom.
    pub fn chain(&self) -> &ActorChain {
        &self.chain
    }

    /// The session that this handle belongs to.
    pub fn session(&self) -> &SessionId {
        &self.session
    }
}

#[async_trait]
impl ApprovalGate for Gate {
    async fn guard(&self, action: Action) -> Result<Permit, Refusal> {
        match Box::pin(self.file(action, Allowed::RecordedNow)).await? {
            Filing::Permitted(permit) => Ok(permit),
            Filing::Waiting(request) => self.wait(request, Feasible::JustNow).await,
        }
    }

    async fn guard_to_run(&self, action: Action) -> Result<Permit, Refusal> {
        match Box::pin(self.file(action, Allowed::RecordedWithStart)).await? {
            Filing::Permitted(permit) => Ok(permit),
            Filing::Waiting(request) => self.wait(request, Feasible::JustNow).await,
        }
    }

    async fn request(&self, action: Action) -> Result<Filing, Refusal> {
        self.file(action, Allowed::RecordedNow).await
    }

    async fn resume(&self, request: RequestId) -> Result<Permit, Refusal> {
        self.own(request).await?;
        self.wait(request, Feasible::NotAsked).await
    }

    async fn withdraw(&self, request: RequestId) -> Result<(), Refusal> {
        let folded = self.own(request).await?;
        let now = self.parts.ledger.now();
        match folded.state.status(now) {
            Status::Pending { .. } | Status::Approved { .. } => {}
            Status::Withdrawn => return Ok(()),
            other => return Err(super::waiting::refusal(&folded.state, &other)),
        }
        let instance = self.parts.ledger.instance;
        let ledger = &self.parts.ledger;
        let mut refused = None;
        let written = ledger
            .write_if(request, Role::Gate, |state| {
                match state.status(ledger.now()) {
                    Status::Pending { .. } | Status::Approved { .. } => {
                        Some(Event::Withdrawn(Withdrawn { instance }))
                    }
                    other => {
                        refused = Some(super::waiting::refusal(state, &other));
                        None
                    }
                }
            })
            .await
            .map_err(unwritten)?;
        match (written, refused) {
            (true, _) => Ok(()),
            (false, Some(refusal)) => Err(refusal),
            (false, None) => Err(Refusal::NotFound),
        }
    }

    async fn open_requests(&self) -> Result<Vec<OpenRequest>, Refusal> {
        let ledger = &self.parts.ledger;
        let mut open = Vec::new();
        for request in ledger
            .requests_of(&self.chain, &self.session, self.parts.directory.as_ref())
            .await
            .map_err(unread)?
        {
            let folded = match self.own(request).await {
                Ok(folded) => folded,
                Err(Refusal::NotFound) => continue,
                // What cannot be read is not left out as if it were not there.
                Err(refusal) => return Err(refusal),
            };
            let Some(action) = super::waiting::action_name(&folded.state) else {
                continue;
            };
            let standing = match folded.state.status(ledger.now()) {
                Status::Pending { expires } => Standing::Pending { expires },
                Status::Approved { use_by, .. } => Standing::Approved { use_by },
                Status::Running { .. } => Standing::Running,
                Status::Unresolved { .. } => Standing::Unresolved,
                _ => continue,
            };
            open.push(OpenRequest {
                request,
                action,
                standing,
            });
        }
        Ok(open)
    }
}

/// When the record of an action that policy allows is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    RecordedNow,
    RecordedWithStart,
}

/// A failure to read, as the caller hears it.
pub(crate) fn unread(error: LedgerError) -> Refusal {
    Refusal::CouldNotDecide(match error {
        LedgerError::Closed => Cause::Closed,
        LedgerError::Directory => Cause::DirectoryUnavailable,
        error => Cause::LogUnreadable(error.to_string()),
    })
}

/// A failure to write, as the caller hears it.
pub(crate) fn unwritten(error: LedgerError) -> Refusal {
    Refusal::CouldNotDecide(match error {
        LedgerError::Closed => Cause::Closed,
        LedgerError::TooLarge(why) => Cause::TooLarge(why),
        LedgerError::Moved => Cause::Unsettled,
        LedgerError::Tampered { .. } => Cause::LogUnreadable(error.to_string()),
        error => Cause::NotRecorded(error.to_string()),
    })
}

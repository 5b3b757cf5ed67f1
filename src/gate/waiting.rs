//! Waiting for people: asleep until this request changes, or its time is up.

use std::sync::Arc;
use std::time::Duration;

use crate::action::{ActionName, Rebuilt, RequestId};
use crate::approval::{Choice, RequestState, Status, Unmet};
use crate::ledger::{Folded, rebuild};

use super::handle::unread;
use super::permit::{Basis, Pass, Unused};
use super::{Cause, Gate, Permit, PolicyDenial, Refusal, Rejection};

/// How soon whoever waits looks again at the earliest, where nothing has happened.
const SOONEST: Duration = Duration::from_secs(60);

/// Whether it was just found out that enough people could approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feasible {
    JustNow,
    NotAsked,
}

impl Gate {
    /// A request of this very actor, tenant and session; anybody else's is not found.
    pub(super) async fn own(&self, request: RequestId) -> Result<Folded, Refusal> {
        let folded = self
            .parts
            .ledger
            .request(request)
            .await
            .map_err(unread)?
            .ok_or(Refusal::NotFound)?;
        if self.is_mine(&folded.state) {
            Ok(folded)
        } else {
            Err(Refusal::NotFound)
        }
    }

    /// Compares what the record binds with what this handle was made for.
    fn is_mine(&self, state: &RequestState) -> bool {
        rebuild(state.bound()).is_some_and(|unbound| {
            unbound.session == self.session
                && unbound.chain().is_some_and(|chain| chain == *self.chain)
        })
    }

    /// Waits until the request may be run by this caller, or cannot be any more.
    pub(super) async fn wait(
        &self,
        request: RequestId,
        mut feasible: Feasible,
    ) -> Result<Permit, Refusal> {
        let ledger = &self.parts.ledger;
        let seat = ledger.waiters.sit(request);
        loop {
            seat.listen();
            if let Some(permit) = Box::pin(self.look(request, &seat, feasible)).await? {
                return Ok(permit);
            }
            feasible = Feasible::NotAsked;
            seat.woken().await;
        }
    }

    /// Refuses where nobody who is left could meet the requirement; that is no decision, and the request stays as it is.
    async fn still_possible(&self, state: &RequestState) -> Result<(), Refusal> {
        let Some(requirement) = state.requirement() else {
            return Ok(());
        };
        let interested = self
            .parts
            .ledger
            .interested(&self.chain, self.parts.directory.as_ref())
            .await;
        // A directory that does not answer now may know somebody later.
        let Ok(interested) = interested else {
            return Ok(());
        };
        match self.feasible(requirement, &interested).await {
            Ok(Err(missing)) => Err(Refusal::Unsatisfiable(Box::new(missing))),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// One look at a request: a permit, a refusal, or `None` for "not yet".
    async fn look(
        &self,
        request: RequestId,
        seat: &crate::ledger::Seat,
        feasible: Feasible,
    ) -> Result<Option<Permit>, Refusal> {
        let ledger = &self.parts.ledger;
        if let Some(error) = ledger.stopped() {
            return Err(unread(error));
        }
        let folded = self.own(request).await?;
        let now = ledger.now();
        let look_again = |at| ledger.alarms.look_again(request, at, &ledger.waiters);
        match folded.state.status(now) {
            Status::Pending { expires } => {
                if feasible == Feasible::NotAsked {
                    self.still_possible(&folded.state).await?;
                }
                // Groups change without a sign. Halving what is left of the time asks seldom, and early enough.
                let half = expires.since(now) / 2;
                look_again(now.saturating_add(half.max(SOONEST)).min(expires));
                Ok(None)
            }
            Status::Approved {
                use_by, not_before, ..
            } => {
                if let Some(not_before) = not_before
                    && now < not_before
                {
                    look_again(not_before.min(use_by));
                    return Ok(None);
                }
                let until = now
                    .saturating_add(ledger.limits.permit_lifetime)
                    .min(use_by);
                let Some(turn) = seat.take_turn(now, until) else {
                    look_again(seat.turn_ends().unwrap_or(until).min(use_by));
                    return Ok(None);
                };
                let Some(Rebuilt::Action(action)) =
                    rebuild(folded.state.bound()).map(|unbound| unbound.action)
                else {
                    return Err(Refusal::CouldNotDecide(Cause::ValueErased));
                };
                Ok(Some(Permit {
                    pass: Box::new(Pass {
                        parts: Arc::clone(&self.parts),
                        chain: Arc::clone(&self.chain),
                        session: self.session.clone(),
                        action: *action,
                        request,
                        basis: Basis::Recorded,
                    }),
                    unused: Unused {
                        turn: Some(turn),
                        until,
                    },
                }))
            }
            ended => Err(refusal(&folded.state, &ended)),
        }
    }
}

/// What the caller hears of a request that cannot be run (any more).
pub(crate) fn refusal(state: &RequestState, status: &Status) -> Refusal {
    match status {
        Status::Denied => Refusal::Denied(Box::new(PolicyDenial {
            request: state.request(),
            rules: state.requested().decision.rules.clone(),
            reason: state
                .requested()
                .reason
                .as_ref()
                .and_then(|reason| reason.known().cloned()),
        })),
        Status::Rejected { .. } => {
            let vote = state
                .votes()
                .iter()
                .rfind(|vote| vote.decision == Choice::Deny);
            Refusal::Rejected(Box::new(Rejection {
                request: state.request(),
                comment: vote.and_then(|vote| vote.comment.as_ref()?.known().cloned()),
                code: vote.and_then(|vote| Some(vote.code.as_ref()?.as_str().to_owned())),
            }))
        }
        Status::Expired {
            what: Unmet::Pending | Unmet::Unused,
        } => Refusal::Expired,
        Status::Withdrawn => Refusal::Withdrawn,
        Status::Superseded { .. } => Refusal::Superseded,
        Status::Cancelled => Refusal::Cancelled,
        Status::Revoked => Refusal::Revoked,
        Status::Running { .. }
        | Status::Unresolved { .. }
        | Status::Finished { .. }
        | Status::Reconciled { .. } => Refusal::AlreadyTaken,
        Status::Pending { .. } | Status::Approved { .. } => {
            Refusal::CouldNotDecide(Cause::BackToReviewers)
        }
    }
}

/// The name of the action that a request asks for.
pub(super) fn action_name(state: &RequestState) -> Option<ActionName> {
    let name = state.bound().form().as_object()?.get("action")?.as_str()?;
    ActionName::new(name).ok()
}

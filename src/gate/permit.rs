//! The single-use right to run one bound action.

use std::fmt;
use std::sync::Arc;

use crate::action::{Action, ActorChain, Operation, RequestId, SessionId, decode};
use crate::clock::Timestamp;
use crate::ledger::{Drafts, Parts, Turn};

use super::authorized::AuthorizedFor;
use super::{Authorized, Cause, Executed, Refusal, RunError};

/// The right to run one approved action once; taken by value, made by the gate alone.
///
/// A permit that is dropped, or not started within its lifetime (60 seconds unless the host set another), is void and
/// consumes nothing: the approval stands until it lapses, and [`resume`](super::ApprovalGate::resume) gives a new permit.
///
/// Running takes it away, and there is no copy of it:
///
/// ```compile_fail,E0382
/// # use countersign::gate::Permit;
/// async fn twice(permit: Permit) {
///     let _first = permit.run(async |_| Ok::<_, String>(())).await;
///     let _second = permit.run(async |_| Ok::<_, String>(())).await;
/// }
/// ```
#[must_use = "a permit that is not run lets nothing happen"]
pub struct Permit {
    pub(super) pass: Box<Pass>,
    pub(super) unused: Unused,
}

/// Everything that running takes.
pub(super) struct Pass {
    pub(super) parts: Arc<Parts>,
    pub(super) chain: Arc<ActorChain>,
    pub(super) session: SessionId,
    pub(super) action: Action,
    pub(super) request: RequestId,
    pub(super) basis: Basis,
}

/// What the start builds on.
pub(super) enum Basis {
    /// The records of the request, which are read once more at the start.
    Recorded,
    /// The record of the allowed action, which waits to be written together with its start.
    Deferred(Box<Drafts>),
}

/// What ends when a permit goes unused. It sits in a field of its own, so that `run` can take the rest apart.
pub(super) struct Unused {
    pub(super) turn: Option<Turn>,
    pub(super) until: Timestamp,
}

impl Unused {
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        now < self.until && self.turn.as_ref().is_none_or(|turn| turn.holds(now))
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("request", &self.pass.request)
            .field("action", &self.pass.action)
            .finish_non_exhaustive()
    }
}

impl Permit {
    /// The bound action.
    pub fn action(&self) -> &Action {
        &self.pass.action
    }

    /// The request that was approved.
    pub fn request(&self) -> RequestId {
        self.pass.request
    }

    /// Records the start, runs the effect, records the end.
    ///
    /// The decision is checked once more against the rules, the people and the votes of now; the effect is called only
    /// after the commit of the `started` record has returned. Where rules want witnesses to know of the decision first, it waits for them
    /// as long as the approval holds. A panic of the effect is caught, and a dropped future is recorded:
    /// both leave the outcome `Unknown`.
    ///
    /// # Errors
    /// [`RunError::Refused`]: the effect was not called. Otherwise what became of it.
    pub async fn run<F, Fut, T, E>(self, effect: F) -> Result<Executed<T>, RunError<E>>
    where
        F: FnOnce(Authorized) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Self { pass, unused } = self;
        let started = Box::pin(pass.start(unused)).await?;
        started.drive(effect).await
    }

    /// Takes the permit as one for a typed operation.
    ///
    /// # Errors
    /// [`Refusal::CouldNotDecide`] if the approved action is another operation, or does not decode as this one.
    pub fn typed<O: Operation>(self) -> Result<PermitFor<O>, Refusal> {
        match decode::<O>(&self.pass.action) {
            Ok(_) => Ok(PermitFor {
                permit: self,
                operation: std::marker::PhantomData,
            }),
            Err(error) => Err(Refusal::CouldNotDecide(Cause::NotThisOperation(
                error.to_string(),
            ))),
        }
    }
}

/// A [`Permit`] whose effect is given the operation decoded from the approved bytes.
#[must_use = "a permit that is not run lets nothing happen"]
pub struct PermitFor<O> {
    permit: Permit,
    operation: std::marker::PhantomData<fn() -> O>,
}

impl<O> fmt::Debug for PermitFor<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PermitFor").field(&self.permit).finish()
    }
}

impl<O: Operation> PermitFor<O> {
    /// The untyped permit.
    pub fn into_permit(self) -> Permit {
        self.permit
    }

    /// As [`Permit::run`], with the decoded operation.
    ///
    /// # Errors
    /// As [`Permit::run`].
    pub async fn run<F, Fut, T, E>(self, effect: F) -> Result<Executed<T>, RunError<E>>
    where
        F: FnOnce(AuthorizedFor<O>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Permit { pass, unused } = self.permit;
        // Decoded before the start: an action that does not decode consumes nothing.
        let operation = decode::<O>(&pass.action)
            .map_err(|error| Refusal::CouldNotDecide(Cause::NotThisOperation(error.to_string())))?;
        let started = Box::pin(pass.start(unused)).await?;
        started
            .drive(move |authorized| effect(AuthorizedFor::new(authorized, operation)))
            .await
    }
}

//! What a guarded effect is given: the bound action, and the means to say what it did.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{FusedFuture, Shared};
use serde::de::DeserializeOwned;

use crate::action::{Action, Dataset, ExecutionId, ParameterError, RequestId};
use crate::canonical::{Digest, Object};

use super::StopCause;

/// The approved action, owned, inside the effect.
///
/// Parameters are read from here and not from the caller's variables: what was approved is what runs. It cannot be
/// cloned, and it is inert once the effect has ended.
pub struct Authorized {
    run: Arc<Run>,
    stop: Stop,
}

/// The execution that an [`Authorized`] belongs to; kept by the gate as well.
pub(crate) struct Run {
    pub(crate) action: Action,
    pub(crate) request: RequestId,
    pub(crate) execution: ExecutionId,
    traces: Mutex<Traces>,
}

/// What the effect said about itself.
#[derive(Debug, Default, Clone)]
pub(crate) struct Traces {
    pub(crate) used: Vec<Dataset>,
    pub(crate) generated: Vec<Dataset>,
    pub(crate) derived: Vec<(u32, u32)>,
    pub(crate) result: Option<Digest>,
    pub(crate) unsure: bool,
    ended: bool,
}

impl Run {
    pub(crate) fn new(action: Action, request: RequestId, execution: ExecutionId) -> Arc<Self> {
        Arc::new(Self {
            action,
            request,
            execution,
            traces: Mutex::new(Traces::default()),
        })
    }

    fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the effect said; whatever is said later is not recorded.
    pub(crate) fn end(&self) -> Traces {
        let mut traces = self.traces();
        let said = std::mem::take(&mut *traces);
        traces.ended = true;
        said
    }
}

impl Traces {
    fn position(list: &mut Vec<Dataset>, dataset: Dataset) -> u32 {
        let place = list.iter().position(|known| *known == dataset);
        let place = place.unwrap_or_else(|| {
            list.push(dataset);
            list.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized")
            .field("request", &self.run.request)
            .field("execution", &self.run.execution)
            .field("action", &self.run.action)
            .finish_non_exhaustive()
    }
}

impl Authorized {
    pub(crate) fn new(run: Arc<Run>, stop: Stop) -> Self {
        Self { run, stop }
    }

    /// The bound action.
    pub fn action(&self) -> &Action {
        &self.run.action
    }

    /// Every bound parameter.
    pub fn parameters(&self) -> &Object {
        self.run.action.parameters()
    }

    /// One bound parameter, decoded.
    ///
    /// # Errors
    /// [`ParameterError`] if there is none of that name or it has another shape.
    pub fn parameter<T: DeserializeOwned>(&self, name: &str) -> Result<T, ParameterError> {
        self.run.action.parameter_as(name)
    }

    /// The request that was approved.
    pub fn request(&self) -> RequestId {
        self.run.request
    }

    /// The execution, as the log names it.
    pub fn execution(&self) -> ExecutionId {
        self.run.execution
    }

    /// A key that is the same for this execution however often its effect reaches another system, and never that of another.
    pub fn idempotency_key(&self) -> String {
        self.run.execution.to_string()
    }

    /// Resolves when the effect shall stop: the approval was revoked, or the lease ended.
    ///
    /// After a grace of five seconds the effect's future is dropped.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Says that the effect read a dataset; the log's `used`, which lineage follows.
    pub fn used(&self, dataset: Dataset) {
        let mut traces = self.run.traces();
        if !traces.ended {
            Traces::position(&mut traces.used, dataset);
        }
    }

    /// Says that the effect wrote a dataset; the log's `generated`.
    pub fn generated(&self, dataset: Dataset) {
        let mut traces = self.run.traces();
        if !traces.ended {
            Traces::position(&mut traces.generated, dataset);
        }
    }

    /// Says that `to` was made from `from` (PROV `wasDerivedFrom`), and that they were read and written.
    pub fn derived(&self, from: Dataset, to: Dataset) {
        let mut traces = self.run.traces();
        if !traces.ended {
            let used = Traces::position(&mut traces.used, from);
            let generated = Traces::position(&mut traces.generated, to);
            if !traces.derived.contains(&(generated, used)) {
                traces.derived.push((generated, used));
            }
        }
    }

    /// Gives the bytes that the effect returns or wrote, whose digest goes into the record, salted.
    pub fn result(&self, bytes: &[u8]) {
        let digest = Digest::sha256(bytes);
        let mut traces = self.run.traces();
        if !traces.ended {
            traces.result = Some(digest);
        }
    }

    /// Says that an error from here on leaves open whether the effect took place: the outcome is `Unknown`, not `Failed`.
    pub fn unsure(&self) {
        let mut traces = self.run.traces();
        if !traces.ended {
            traces.unsure = true;
        }
    }
}

/// An [`Authorized`] whose action is a typed operation.
#[derive(Debug)]
pub struct AuthorizedFor<O> {
    authorized: Authorized,
    operation: O,
}

impl<O> AuthorizedFor<O> {
    pub(crate) fn new(authorized: Authorized, operation: O) -> Self {
        Self {
            authorized,
            operation,
        }
    }

    /// The operation, decoded from the approved bytes.
    pub fn operation(&self) -> &O {
        &self.operation
    }

    /// The operation, by value.
    pub fn into_operation(self) -> O {
        self.operation
    }
}

impl<O> std::ops::Deref for AuthorizedFor<O> {
    type Target = Authorized;

    fn deref(&self) -> &Authorized {
        &self.authorized
    }
}

/// Resolves to the cause when a running effect shall stop; pending for ever if it need not.
#[derive(Clone)]
pub struct Stop(Shared<oneshot::Receiver<StopCause>>);

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

impl Stop {
    pub(crate) fn channel() -> (oneshot::Sender<StopCause>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver.shared()))
    }

    /// The cause, if the effect shall stop by now.
    pub fn now(&self) -> Option<StopCause> {
        self.0.clone().now_or_never().and_then(Result::ok)
    }
}

impl Future for Stop {
    type Output = StopCause;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<StopCause> {
        if self.0.is_terminated() {
            return Poll::Pending;
        }
        match self.0.poll_unpin(context) {
            Poll::Ready(Ok(cause)) => Poll::Ready(cause),
            // The gate let go of its end: nobody will ask this effect to stop any more.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

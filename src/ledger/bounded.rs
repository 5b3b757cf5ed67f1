//! Plugs that decide get a bound on their time, and a panic in them is an answer.

use std::panic::AssertUnwindSafe;
use std::pin::pin;

use futures::FutureExt;
use futures::future::{Either, select};

use super::Shared;

/// Why a plug gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    TimedOut,
    Panicked,
}

impl Shared {
    /// Polls a plug's future inside the caller's own call, raced against an alarm of the keeper.
    pub(crate) async fn bounded<T>(
        &self,
        future: impl Future<Output = T> + Send,
    ) -> Result<T, NoAnswer> {
        let mut answer = pin!(AssertUnwindSafe(future).catch_unwind());
        // Most evaluators answer at once; they need no alarm.
        if let std::task::Poll::Ready(answer) = futures::poll!(answer.as_mut()) {
            return answer.map_err(|_panic| NoAnswer::Panicked);
        }
        let alarm = self
            .alarms
            .at(self.now().saturating_add(self.limits.decide_within));
        match select(answer, alarm).await {
            Either::Left((answer, _)) => answer.map_err(|_panic| NoAnswer::Panicked),
            Either::Right(((), _)) => Err(NoAnswer::TimedOut),
        }
    }
}

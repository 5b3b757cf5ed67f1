//! From the committed start to the recorded end.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{Either, select};

use crate::action::{Action, ExecutionId, RequestId};
use crate::approval::{
    Derivation, EndCode, Event, Finished, Hidden, Outcome, ResultDigest, Status, Timing, Touched,
};
use crate::clock::Timestamp;
use crate::ledger::{Drafts, Folded, LastWords, LedgerError, Parts};
use crate::log::{Receipt, Role};

use super::authorized::{Run, Stop, Traces};
use super::{Authorized, Executed, RecordError, RunError, StopCause};

/// An execution whose start is durable.
///
/// It travels through the commit's answer: if the caller is gone by then, dropping it records that the effect was never called.
pub(super) struct Started {
    armed: Armed,
    stop: Stop,
}

struct Armed {
    parts: Arc<Parts>,
    run: Arc<Run>,
    folded: Option<Folded>,
    fate: Fate,
}

/// What is recorded if the execution is let go of now.
enum Fate {
    NotStarted,
    Dropped,
    /// The effect ended so, and no record says it yet.
    Ended(Box<Finished>),
    Recorded,
}

/// Prepares the guard that the commit's answer will carry.
pub(super) fn arm(
    parts: &Arc<Parts>,
    action: &Action,
    request: RequestId,
    execution: ExecutionId,
    lease_until: Timestamp,
) -> impl FnOnce(Option<Folded>) -> Started + Send + 'static {
    let (parts, action) = (Arc::clone(parts), action.clone());
    move |folded| {
        let (sender, stop) = Stop::channel();
        parts.ledger.begins(execution, request, lease_until, sender);
        Started {
            armed: Armed {
                run: Run::new(action, request, execution),
                parts,
                folded,
                fate: Fate::NotStarted,
            },
            stop,
        }
    }
}

enum Ended<T, E> {
    Returned(Result<T, E>),
    Panicked,
    Stopped(StopCause),
}

impl Started {
    /// Calls the effect, drives it, and records how it ended.
    pub(super) async fn drive<F, Fut, T, E>(self, effect: F) -> Result<Executed<T>, RunError<E>>
    where
        F: FnOnce(Authorized) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Self { mut armed, stop } = self;
        let authorized = Authorized::new(Arc::clone(&armed.run), stop.clone());
        armed.fate = Fate::Dropped;
        let request = armed.run.request;
        let ended = {
            // The call itself is inside the caught future: a closure that panics before its first await is no different.
            let future = AssertUnwindSafe(async move { effect(authorized).await }).catch_unwind();
            let future = Box::pin(future);
            let returned = |caught: Result<Result<T, E>, _>| match caught {
                Ok(result) => Ended::Returned(result),
                Err(_panic) => Ended::Panicked,
            };
            match select(future, stop).await {
                Either::Left((caught, _)) => returned(caught),
                Either::Right((cause, future)) => {
                    let ledger = &armed.parts.ledger;
                    let grace = ledger.now().saturating_add(ledger.limits.grace);
                    let alarm = pin!(ledger.alarms.at(grace));
                    match select(future, alarm).await {
                        Either::Left((caught, _)) => returned(caught),
                        Either::Right(((), future)) => {
                            drop(future);
                            Ended::Stopped(cause)
                        }
                    }
                }
            }
        };
        let traces = armed.run.end();
        let (outcome, code) = match &ended {
            Ended::Returned(Ok(_)) => (Outcome::Succeeded, None),
            Ended::Returned(Err(_)) if traces.unsure => (Outcome::Unknown, Some(EndCode::Unsure)),
            Ended::Returned(Err(_)) => (Outcome::Failed, None),
            Ended::Panicked => (Outcome::Unknown, Some(EndCode::Panicked)),
            Ended::Stopped(_) => (Outcome::Unknown, Some(EndCode::Stopped)),
        };
        let receipt = armed.record(traces, outcome, code).await;
        match ended {
            Ended::Returned(Ok(value)) => Ok(Executed::new(value, receipt, request)),
            Ended::Returned(Err(error)) => Err(RunError::Effect {
                error,
                receipt: receipt.map(Box::new),
            }),
            Ended::Panicked => Err(RunError::Panicked { request }),
            Ended::Stopped(cause) => Err(RunError::Stopped { cause, request }),
        }
    }
}

impl Armed {
    async fn record(
        &mut self,
        traces: Traces,
        outcome: Outcome,
        code: Option<EndCode>,
    ) -> Result<Receipt, RecordError> {
        let request = self.run.request;
        let event = finished(&self.parts, &self.run, traces, outcome, code);
        // From here on the end is known: who lets go of it, or fails to write it, leaves it to the last words. Nothing runs any
        // more, so that the lease passes if they fail as well, and the execution is listed as lost.
        self.fate = Fate::Ended(Box::new(event.clone()));
        self.parts.ledger.ended(&self.run.execution);
        let written = write(&self.parts, request, self.folded.take(), event, None).await;
        if written.is_ok() {
            self.fate = Fate::Recorded;
        }
        written.map_err(|error| RecordError {
            request,
            why: error.to_string(),
        })
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let untold =
            |outcome, code| finished(&self.parts, &self.run, self.run.end(), outcome, Some(code));
        let event = match std::mem::replace(&mut self.fate, Fate::Recorded) {
            Fate::Recorded => return,
            // Certain: the effect was not called.
            Fate::NotStarted => untold(Outcome::Failed, EndCode::NotStarted),
            Fate::Dropped => untold(Outcome::Unknown, EndCode::Dropped),
            Fate::Ended(event) => *event,
        };
        let request = self.run.request;
        let folded = self.folded.take();
        let ledger = Arc::clone(&self.parts.ledger);
        let parts = Arc::clone(&self.parts);
        ledger.ended(&self.run.execution);
        ledger.spawn_last_words(|right| Speaker { right, parts }.say(request, folded, event));
    }
}

/// Who has last words.
///
/// The right goes first: to let go of the last of the parts closes the ledger, which waits until the right is given back.
struct Speaker {
    right: LastWords,
    parts: Arc<Parts>,
}

impl Speaker {
    async fn say(self, request: RequestId, folded: Option<Folded>, event: Finished) {
        let Self { right, parts } = &self;
        match write(parts, request, folded, event, Some(right)).await {
            Ok(_) => {}
            Err(LedgerError::Illegal(why)) => {
                tracing::debug!(why, %request, "the end of an execution stands already");
            }
            Err(error) => {
                tracing::error!(%error, %request, "the end of an execution could not be recorded");
            }
        }
    }
}

fn finished(
    parts: &Parts,
    run: &Run,
    traces: Traces,
    outcome: Outcome,
    code: Option<EndCode>,
) -> Finished {
    let touched =
        |datasets: &[crate::action::Dataset]| datasets.iter().map(Touched::from).collect();
    Finished {
        execution: run.execution,
        instance: parts.ledger.instance,
        outcome,
        code,
        used: touched(&traces.used),
        generated: touched(&traces.generated),
        derived: traces
            .derived
            .iter()
            .map(|(generated, used)| Derivation {
                generated: *generated,
                used: *used,
            })
            .collect(),
        timing: Timing::InTime,
        result: traces
            .result
            .map(|digest| Hidden::Known(ResultDigest(digest))),
    }
}

/// Writes the end on top of what the start left, or on top of what the log says now.
async fn write(
    parts: &Arc<Parts>,
    request: RequestId,
    known: Option<Folded>,
    mut event: Finished,
    last: Option<&LastWords>,
) -> Result<Receipt, LedgerError> {
    let ledger = &parts.ledger;
    let mut next = known;
    loop {
        let folded = match next.take() {
            Some(folded) => folded,
            None => ledger
                .request(request)
                .await?
                .ok_or_else(|| LedgerError::Illegal("the request is gone".to_owned()))?,
        };
        event.timing = match folded.state.status(ledger.now()) {
            Status::Running { .. } => Timing::InTime,
            _ => Timing::Late,
        };
        let channels = ledger.channels_of(&folded.state).await?;
        let mut drafts = Drafts::resume(ledger, folded);
        drafts.telling(channels);
        if let Some(right) = last {
            drafts.as_last_words(right);
        }
        drafts.push(Role::Gate, Event::Finished(Box::new(event.clone())))?;
        match drafts.append().await {
            Ok((written, _)) => {
                return written.receipt().ok_or(LedgerError::Panicked);
            }
            Err(LedgerError::Moved) => {}
            Err(error) => return Err(error),
        }
    }
}

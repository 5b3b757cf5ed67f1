//! Running a typed operation whose waiter has died, once people have approved it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::stream::StreamExt;

use crate::action::{Operation, Rebuilt, RequestId, decode};
use crate::approval::Status;
use crate::ledger::{Parts, rebuild};
use crate::store::Phase;

use super::permit::{Basis, Pass, Unused};
use super::{AuthorizedFor, Permit};

/// Serves approved requests for an operation; see [`Countersign::on_approved`](crate::host::Countersign::on_approved).
pub(crate) fn serve<O, S, F, Fut, T, E>(parts: &Arc<Parts>, state: S, handler: F)
where
    O: Operation,
    S: Clone + Send + Sync + 'static,
    F: Fn(S, AuthorizedFor<O>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let (sender, changes) = unbounded();
    parts.ledger.on_change(move |requests| {
        for request in requests {
            // The receiver ends with the library.
            let _closed = sender.unbounded_send(*request);
        }
    });
    let handler = Arc::new(handler);
    let weak = Arc::downgrade(parts);
    parts
        .ledger
        .spawner
        .spawn(run::<O, S, F, Fut, T, E>(weak, changes, state, handler));
}

async fn run<O, S, F, Fut, T, E>(
    parts: Weak<Parts>,
    mut changes: UnboundedReceiver<RequestId>,
    state: S,
    handler: Arc<F>,
) where
    O: Operation,
    S: Clone + Send + Sync + 'static,
    F: Fn(S, AuthorizedFor<O>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let busy: Arc<Mutex<std::collections::HashSet<RequestId>>> = Arc::default();
    let left = match parts.upgrade() {
        None => return,
        Some(parts) => parts
            .ledger
            .in_phase(Phase::Approved)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "approved requests could not be listed");
                Vec::new()
            }),
    };
    let mut left = left.into_iter();
    loop {
        let request = match left.next() {
            Some(request) => request,
            None => match changes.next().await {
                Some(request) => request,
                None => return,
            },
        };
        let Some(strong) = parts.upgrade() else {
            return;
        };
        if busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&request)
        {
            continue;
        }
        let Some(permit) = abandoned::<O>(&strong, request).await else {
            continue;
        };
        busy.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(request);
        let (handler, state, busy) = (Arc::clone(&handler), state.clone(), Arc::clone(&busy));
        strong.ledger.spawner.spawn(async move {
            let outcome = match permit.typed::<O>() {
                Ok(permit) => permit
                    .run(move |authorized| handler(state, authorized))
                    .await
                    .map(|_| ())
                    .map_err(|error| error.to_string()),
                Err(refusal) => Err(refusal.to_string()),
            };
            if let Err(error) = outcome {
                tracing::warn!(%request, %error, "an approved request was served and did not succeed");
            }
            busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&request);
        });
    }
}

/// A permit for an approved request of this operation that no living process waits for.
async fn abandoned<O: Operation>(parts: &Arc<Parts>, request: RequestId) -> Option<Permit> {
    let ledger = &parts.ledger;
    if ledger.waiters.is_waiting(&request) {
        return None;
    }
    let folded = match ledger.request(request).await {
        Ok(folded) => folded?,
        Err(error) => {
            tracing::warn!(%request, %error, "a request could not be read");
            return None;
        }
    };
    let now = ledger.now();
    let Status::Approved {
        use_by, not_before, ..
    } = folded.state.status(now)
    else {
        return None;
    };
    folded.state.requirement()?;
    if not_before.is_some_and(|not_before| now < not_before) {
        return None;
    }
    let asked_by = folded.state.requested().instance;
    if asked_by != ledger.instance && ledger.is_alive(asked_by).await.unwrap_or(true) {
        return None;
    }
    let unbound = rebuild(folded.state.bound())?;
    let chain = unbound.chain()?;
    let Rebuilt::Action(action) = unbound.action else {
        return None;
    };
    decode::<O>(&action).ok()?;
    let seat = ledger.waiters.sit(request);
    let until = now
        .saturating_add(ledger.limits.permit_lifetime)
        .min(use_by);
    let turn = seat.take_turn(now, until)?;
    Some(Permit {
        pass: Box::new(Pass {
            parts: Arc::clone(parts),
            chain: Arc::new(chain),
            session: unbound.session,
            action: *action,
            request,
            basis: Basis::Recorded,
        }),
        unused: Unused {
            turn: Some(turn),
            until,
        },
    })
}

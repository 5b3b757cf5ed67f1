//! The executions of this process: who runs, until when, and how to tell them to stop.

use std::sync::Arc;

use futures::channel::oneshot;
use futures::executor::block_on;

use crate::action::{ExecutionId, InstanceId, RequestId};
use crate::approval::StopCause;
use crate::clock::Timestamp;
use crate::store::{Liveness, PageOf, Phase, Query};

use super::{LastWords, LedgerError, Running, Shared, lock};

impl Shared {
    /// Takes note of an execution whose start is durable.
    pub(crate) fn begins(
        &self,
        execution: ExecutionId,
        request: RequestId,
        lease_until: Timestamp,
        stop: oneshot::Sender<StopCause>,
    ) {
        let begun = Running {
            request,
            lease_until,
            lease: lease_until.since(self.now()),
            stop: Some(stop),
        };
        let renewed_at = begun.half_life();
        let in_time = {
            let mut running = lock(&self.running);
            running.insert(execution, begun);
            // INVARIANT: the keeper sets this under the same lock, after it has looked at all that run.
            lock(&self.keeper_wakes).is_some_and(|wakes| wakes <= renewed_at)
        };
        if !in_time {
            self.alarms.bell.ring();
        }
    }

    /// Forgets an execution whose effect runs no more, so that nobody renews its lease.
    pub(crate) fn ended(&self, execution: &ExecutionId) {
        let gone = lock(&self.running).remove(execution);
        drop(gone);
    }

    /// Runs what an abandoned execution still has to record; the close waits for it.
    pub(crate) fn spawn_last_words<F>(self: &Arc<Self>, task: impl FnOnce(LastWords) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawner.spawn(task(LastWords::of(self)));
    }

    /// Requests of a phase, as the index has them.
    pub(crate) async fn in_phase(&self, phase: Phase) -> Result<Vec<RequestId>, LedgerError> {
        let (mut requests, mut after) = (Vec::new(), None);
        let limit = std::num::NonZeroU32::new(256).unwrap_or(std::num::NonZeroU32::MIN);
        loop {
            let query = Query::Inbox(PageOf {
                phases: [phase].into(),
                after,
                limit,
            });
            let rows = self.store.find(query).await?.rows()?;
            let Some(last) = rows.last() else {
                return Ok(requests);
            };
            after = Some(last.request);
            requests.extend(rows.into_iter().map(|row| row.request));
        }
    }

    /// Whether a process that asked or started something still lives.
    pub(crate) async fn is_alive(&self, instance: InstanceId) -> Result<bool, LedgerError> {
        if instance == self.instance {
            return Ok(true);
        }
        let instances = self.store.find(Query::Instances).await?.instances()?;
        Ok(instances
            .iter()
            .any(|row| row.instance == instance && row.liveness == Liveness::Alive))
    }

    /// Tells an own execution to stop.
    pub(crate) fn stop_execution(&self, execution: &ExecutionId, cause: StopCause) {
        let sender = lock(&self.running)
            .get_mut(execution)
            .and_then(|running| running.stop.take());
        if let Some(sender) = sender {
            // The effect may have ended meanwhile; then there is nobody to tell.
            let _gone = sender.send(cause);
        }
    }

    /// Tells own executions to stop whose approval was revoked.
    pub(crate) fn stop_revoked(&self, touched: &[RequestId]) {
        let mine: Vec<(ExecutionId, RequestId)> = lock(&self.running)
            .iter()
            .filter(|(_, running)| touched.contains(&running.request))
            .map(|(execution, running)| (*execution, running.request))
            .collect();
        for (execution, request) in mine {
            let revoked = match block_on(self.request(request)) {
                Ok(Some(folded)) => folded.state.is_revoked(),
                Ok(None) => true,
                Err(error) => {
                    tracing::error!(%error, "a running request could not be read");
                    false
                }
            };
            if revoked {
                self.stop_execution(&execution, StopCause::Revoked);
            }
        }
    }
}

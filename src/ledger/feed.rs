//! Feeds outside lineage recorders: in order, without a gap, at least once, never in the way of the gate.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};

use crate::action::Bound;
use crate::approval::{Event, Recorded};
use crate::lineage::{self, LineageEvent, LineageRecorder, RecordRef, RecorderError};
use crate::log::Seq;
use crate::store::{Chore, Query, Tended};

use super::alarms::Alarm;
use super::courier::Doorbell;
use super::{LedgerError, Shared};

const PAGE: u32 = 256;
/// How long a parked recorder, or one that failed without saying when to come back, is left alone.
const PARKED: Duration = Duration::from_secs(60);

pub(super) fn start(shared: &Arc<Shared>, recorder: Arc<dyn LineageRecorder>) {
    let bell = shared.new_feed();
    let weak = Arc::downgrade(shared);
    shared.spawner.spawn(run(weak, bell, recorder));
}

async fn run(shared: Weak<Shared>, bell: Doorbell, recorder: Arc<dyn LineageRecorder>) {
    while !bell.is_closed() {
        let pause = match shared.upgrade() {
            None => return,
            Some(shared) => match drain(&shared, recorder.as_ref()).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, recorder = %recorder.name(), "the recorder could not be fed");
                    Some(Duration::from_secs(5))
                }
            },
        };
        let alarm = match (pause, shared.upgrade()) {
            (_, None) => return,
            (None, Some(_)) => None,
            (Some(pause), Some(shared)) => {
                Some(shared.alarms.at(shared.now().saturating_add(pause)))
            }
        };
        match alarm {
            None => bell.heard().await,
            Some(alarm) => until(alarm, &bell).await,
        }
    }
}

/// Waits for the alarm, whatever is committed meanwhile: a recorder that asked for a pause gets it.
async fn until(mut alarm: Alarm, bell: &Doorbell) {
    while !bell.is_closed() {
        match select(bell.heard(), alarm).await {
            Either::Left(((), rest)) => alarm = rest,
            Either::Right(_) => return,
        }
    }
}

/// Hands over everything that was committed; says how long to wait if the recorder asked for it.
async fn drain(
    shared: &Arc<Shared>,
    recorder: &dyn LineageRecorder,
) -> Result<Option<Duration>, LedgerError> {
    let name = recorder.name().to_string();
    loop {
        let cursor = shared
            .store
            .find(Query::Cursor(name.clone()))
            .await?
            .cursor()?;
        let from = cursor.map_or(Seq::new(0), Seq::next);
        let limit = std::num::NonZeroU32::new(PAGE).unwrap_or(std::num::NonZeroU32::MIN);
        let rows = shared.store.read(from, limit).await?;
        let mut verified = Vec::with_capacity(rows.len());
        let size = shared.known_size();
        for row in rows.iter().filter(|row| row.seq.get() < size) {
            verified.push(shared.verify_news(row).await?);
        }
        let Some(last) = verified.last().map(|record| record.seq()) else {
            return Ok(None);
        };
        let mut events = Vec::new();
        for recorded in shared.decode_all(&verified).await? {
            let bound = shared.bound_of(&recorded).await?;
            let edges = lineage::edges_of(&recorded, bound.as_ref());
            let leaf = verified
                .iter()
                .find(|record| record.seq().get() == recorded.seq.0)
                .map(|record| *record.leaf());
            events.extend(leaf.map(|leaf| LineageEvent {
                record: RecordRef {
                    log: *shared.trust().log(),
                    leaf,
                },
                recorded,
                edges,
            }));
        }
        let taken = if events.is_empty() {
            // Nothing but records that are no events.
            Ok(Ok(()))
        } else {
            AssertUnwindSafe(async { recorder.record(&events).await })
                .catch_unwind()
                .await
        };
        match taken {
            Ok(Ok(())) => {
                let moved = shared
                    .store
                    .tend(Chore::MoveCursor {
                        name: name.clone(),
                        to: last,
                        expected: cursor,
                    })
                    .await?;
                if let Tended::Stale = moved {
                    // Another process feeds the same recorder; it went on from here.
                    continue;
                }
            }
            Ok(Err(RecorderError::Later { after })) => return Ok(Some(after)),
            Ok(Err(RecorderError::Parked { why })) => {
                tracing::error!(recorder = %name, %why, "the recorder is parked; it will be tried again");
                return Ok(Some(PARKED));
            }
            Err(_panic) => {
                tracing::error!(recorder = %name, "the recorder panicked; it will be tried again");
                return Ok(Some(PARKED));
            }
        }
    }
}

impl Shared {
    /// What the request of a record is bound to.
    pub(super) async fn bound_of(&self, recorded: &Recorded) -> Result<Option<Bound>, LedgerError> {
        let Some(request) = recorded.request else {
            return Ok(None);
        };
        if let Event::Requested(requested) = &recorded.event {
            return Ok(Some(requested.bound.clone()));
        }
        Ok(self
            .recorded(request)
            .await?
            .into_iter()
            .find_map(|one| match one.event {
                Event::Requested(requested) => Some(requested.bound.clone()),
                _ => None,
            }))
    }
}

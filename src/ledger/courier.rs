//! Delivers what the outbox holds: at least once, each channel on its own, never in the way of a guarded action.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use futures::task::AtomicWaker;

use crate::clock::Timestamp;
use crate::notify::{
    self, DeliveryError, MessageRef, Notice, Notifier, Sensitive, Settlement, Waiting,
};
use crate::store::{
    ChannelKey, Chore, Delivery, DeliveryResult, MessageRow, NoticeKind, OutboxRow, Query,
    Reference,
};

use super::{LedgerError, Shared, card, channel_key};

/// How long a claim holds before another process may deliver the notice instead.
const CLAIM: Duration = Duration::from_secs(60);
/// How long one delivery may take; shorter than a claim, so that nobody else has it meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a quiet outbox is looked at, for what other processes left behind.
const ROUND: Duration = Duration::from_secs(30);
const AT_ONCE: u32 = 32;
/// After this many attempts a notice is dead: recorded nowhere as decided, listed as undelivered.
const ATTEMPTS: u32 = 12;

/// An asynchronous bell with one sleeper.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doorbell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rung: AtomicBool,
    closed: AtomicBool,
    waker: AtomicWaker,
}

impl Doorbell {
    pub(crate) fn ring(&self) {
        self.0.rung.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    pub(crate) fn heard(&self) -> Heard<'_> {
        Heard(self)
    }
}

/// Resolves when the bell was rung or closed.
pub(crate) struct Heard<'a>(&'a Doorbell);

impl Future for Heard<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let inner = &self.0.0;
        inner.waker.register(context.waker());
        if inner.rung.swap(false, Ordering::AcqRel) || inner.closed.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Starts one delivering task for this process's channels.
pub(super) fn start(shared: &Arc<Shared>) {
    if shared.notifiers.is_empty() {
        return;
    }
    let weak = Arc::downgrade(shared);
    let bell = shared.courier.clone();
    shared.spawner.spawn(run(weak, bell));
}

async fn run(shared: Weak<Shared>, bell: Doorbell) {
    while !bell.is_closed() {
        let next = match shared.upgrade() {
            None => return,
            Some(shared) => round(&shared).await,
        };
        let Some(alarm) = shared.upgrade().map(|shared| {
            let now = shared.now();
            let at = match next {
                Ok(Some(at)) => at.min(now.saturating_add(ROUND)),
                Ok(None) => now.saturating_add(ROUND),
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be read; trying again");
                    now.saturating_add(Duration::from_secs(5))
                }
            };
            shared.alarms.at(at)
        }) else {
            return;
        };
        futures::future::select(bell.heard(), alarm).await;
    }
}

/// Delivers what is due; says when the next notice is.
async fn round(shared: &Arc<Shared>) -> Result<Option<Timestamp>, LedgerError> {
    let channels: Vec<ChannelKey> = shared
        .notifiers
        .iter()
        .map(|notifier| channel_key(notifier.channel()))
        .collect();
    loop {
        let now = shared.now();
        let chore = Chore::ClaimOutbox {
            channels: channels.clone(),
            by: shared.instance,
            now,
            lease_until: now.saturating_add(CLAIM),
            limit: std::num::NonZeroU32::new(AT_ONCE).unwrap_or(std::num::NonZeroU32::MIN),
        };
        let claimed = shared.store.tend(chore).await?.claimed()?;
        if claimed.is_empty() {
            let next = Query::NextNotice { channels, now };
            return Ok(shared.store.find(next).await?.moment()?);
        }
        // Each channel on its own: a slow one does not hold up the others.
        let deliveries = claimed.iter().map(|message| deliver(shared, message));
        for settled in futures::future::join_all(deliveries).await {
            settled?;
        }
    }
}

/// Delivers one notice and writes down what came of it.
async fn deliver(shared: &Arc<Shared>, message: &MessageRow) -> Result<(), LedgerError> {
    let MessageRow { row, attempts, .. } = message;
    if !shared.is_sealed(row) {
        tracing::error!(channel = %row.channel.0, request = %row.request, "somebody wrote a notice into the store that no gate or desk has queued; it is not delivered");
        return bury(shared, row, "not_queued_here").await;
    }
    let notifier = shared
        .notifiers
        .iter()
        .find(|notifier| channel_key(notifier.channel()) == row.channel);
    let notice = match shared.notice(row).await {
        Ok(notice) => notice,
        // What was done to one request must not be tried for ever.
        Err(error @ LedgerError::Tampered { .. }) => {
            tracing::error!(%error, "a request that somebody should hear of cannot be read");
            return bury(shared, row, "not_verified").await;
        }
        Err(error) => return Err(error),
    };
    let (Some(notifier), Some(notice)) = (notifier, notice) else {
        return bury(shared, row, "nothing_to_say").await;
    };
    let earlier = shared.earlier(row).await?;
    let delivery = AssertUnwindSafe(async { notifier.deliver(&notice, earlier.as_ref()).await });
    let patience = shared.alarms.at(shared.now().saturating_add(PATIENCE));
    // A notifier may be dropped at any await; one that never answers must not hold up the other channels.
    let delivered = match select(Box::pin(delivery.catch_unwind()), patience).await {
        Either::Left((delivered, _)) => delivered,
        Either::Right(((), _)) => Ok(Err(DeliveryError::Later {
            after: Duration::from_secs(1),
        })),
    };
    let now = shared.now();
    let result = match delivered {
        Ok(Ok(reference)) => DeliveryResult::Delivered(Reference(reference.to_string())),
        Ok(Err(DeliveryError::Never { code })) => DeliveryResult::Dead {
            code: code.to_string(),
        },
        Ok(Err(DeliveryError::Later { after })) if *attempts < ATTEMPTS => DeliveryResult::Later {
            due: now.saturating_add(after.max(Duration::from_secs(1))),
        },
        Err(_panic) if *attempts < ATTEMPTS => DeliveryResult::Later {
            due: now.saturating_add(Duration::from_secs(1 << (*attempts).min(8))),
        },
        Ok(Err(DeliveryError::Later { .. })) | Err(_) => DeliveryResult::Dead {
            code: "too_many_attempts".to_owned(),
        },
    };
    settle(shared, row, result).await
}

/// Ends a notice that no channel shall carry.
async fn bury(shared: &Arc<Shared>, row: &OutboxRow, why: &str) -> Result<(), LedgerError> {
    let code = why.to_owned();
    settle(shared, row, DeliveryResult::Dead { code }).await
}

async fn settle(
    shared: &Arc<Shared>,
    row: &OutboxRow,
    result: DeliveryResult,
) -> Result<(), LedgerError> {
    if let DeliveryResult::Dead { code } = &result {
        tracing::warn!(channel = %row.channel.0, %code, request = %row.request, "a notice could not be delivered");
    }
    shared
        .store
        .tend(Chore::SettleOutbox {
            notice: row.notice,
            result,
        })
        .await?;
    Ok(())
}

impl Shared {
    /// Whether somebody in this process waits for a request.
    pub(crate) fn waiting_for(&self, request: &crate::action::RequestId) -> Waiting {
        if self.waiters.is_waiting(request) {
            Waiting::Somebody
        } else {
            Waiting::Nobody
        }
    }

    /// What a notice says, rendered from the request as it stands now.
    async fn notice(&self, row: &OutboxRow) -> Result<Option<Notice>, LedgerError> {
        let Some(folded) = self.request(row.request).await? else {
            return Ok(None);
        };
        let state = &folded.state;
        let now = self.now();
        let waiting = self.waiting_for(&row.request);
        let Some(card) = card::card_of(state, Sensitive::Masked, waiting) else {
            return Ok(None);
        };
        let Ok(id) = notify::NoticeId::new(&row.notice.0.to_string()) else {
            return Ok(None);
        };
        let settled = card::settled(state, now);
        Ok(match (row.what, settled) {
            // Settled meanwhile: nobody has to be asked any more; the settlement has its own notice.
            (NoticeKind::Ask | NoticeKind::Remind, Some(_)) => None,
            (NoticeKind::Ask, None) => Some(Notice::Ask { id, card }),
            (NoticeKind::Remind, None) => Some(Notice::Remind { id, card }),
            (NoticeKind::Settle, Some(what)) => Some(Notice::Settle {
                id,
                settlement: Settlement {
                    what,
                    at: now,
                    card,
                },
            }),
            // It went back to its reviewers: they are asked again.
            (NoticeKind::Settle, None) => Some(Notice::Ask { id, card }),
        })
    }

    /// The message that the same channel sent before about the same request.
    async fn earlier(&self, row: &OutboxRow) -> Result<Option<MessageRef>, LedgerError> {
        let messages = self
            .store
            .find(Query::Messages(row.request))
            .await?
            .messages()?;
        Ok(messages
            .into_iter()
            .filter(|message| {
                message.row.channel == row.channel
                    && message.row.notice != row.notice
                    && self.is_sealed(&message.row)
            })
            .rev()
            .find_map(|message| match message.delivery {
                Delivery::Delivered(Reference(text)) => MessageRef::new(&text).ok(),
                Delivery::Waiting | Delivery::Dead(_) => None,
            }))
    }
}

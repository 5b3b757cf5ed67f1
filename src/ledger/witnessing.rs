//! Shows each new checkpoint to the witnesses: each on its own, one request at a time, in the way of no guarded action but those that
//! have to wait for witnesses. For these, all witnesses are shown one and the same checkpoint, so that there is a quorum under it.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};

use crate::clock::Timestamp;
use crate::log::{Role, Trust, TrustedKeys, VerifierKey};
use crate::witness::{Alarm, Evidence, Submitted, Trouble, Witnesses};

use super::courier::Doorbell;
use super::kept_alarms::is_signed;
use super::{LedgerError, Shared, lock};

/// How long one witness may take for all that it is asked in a round.
const PATIENCE: Duration = Duration::from_secs(60);
/// A witness is asked no more often than this, however fast the log grows.
const PACE: Duration = Duration::from_secs(1);
/// A witness that fails is asked again after this at the latest.
const LONGEST: Duration = Duration::from_secs(600);
/// And after this while a start waits for it.
const HURRY: Duration = Duration::from_secs(5);

/// Starts a task for each witness that has an address.
pub(super) fn start(shared: &Arc<Shared>) {
    let Some(witnesses) = &shared.witnesses else {
        return;
    };
    for (place, witness) in witnesses.policy().witnesses().iter().enumerate() {
        if witness.url.is_some() {
            let bell = shared.new_feed();
            let weak = Arc::downgrade(shared);
            shared
                .spawner
                .spawn(run(weak, bell, Arc::clone(witnesses), place));
        }
    }
}

async fn run(shared: Weak<Shared>, bell: Doorbell, witnesses: Arc<Witnesses>, place: usize) {
    // It asks at once, so that a store that was set back while nobody looked is noticed now.
    let mut failures = 0;
    while !bell.is_closed() {
        let Some(ours) = shared.upgrade() else {
            return;
        };
        let Some(next) = round(&ours, &witnesses, place, &mut failures).await else {
            return;
        };
        match next {
            Next::AtNews => {
                drop(ours);
                bell.heard().await;
            }
            Next::After(pause) => {
                let since = ours.now();
                drop(ours);
                rest(&shared, &bell, since, pause).await;
            }
        }
    }
}

/// Leaves a witness alone for a while, which is shorter as soon as a start waits.
async fn rest(shared: &Weak<Shared>, bell: &Doorbell, since: Timestamp, pause: Duration) {
    while let Some(ours) = shared.upgrade()
        && !bell.is_closed()
    {
        let pause = if ours.is_waited_for() {
            pause.min(HURRY)
        } else {
            pause
        };
        let at = since.saturating_add(pause);
        if ours.now() >= at {
            return;
        }
        let alarm = ours.alarms.at(at);
        drop(ours);
        if let Either::Right(_) = select(bell.heard(), alarm).await {
            return;
        }
    }
}

/// When a witness is to be asked next.
enum Next {
    /// When the log has grown.
    AtNews,
    /// After this, whether or not it has.
    After(Duration),
}

/// Asks a witness once; `None` if it is never to be asked again.
async fn round(
    shared: &Arc<Shared>,
    witnesses: &Witnesses,
    place: usize,
    failures: &mut u32,
) -> Option<Next> {
    let (keys, now) = (shared.checkpoint_keys(), shared.now());
    let target = shared.target();
    let asked = witnesses.show(place, target, shared.store.as_ref(), &keys, now);
    let asked = AssertUnwindSafe(asked).catch_unwind();
    let patience = shared.alarms.at(now.saturating_add(PATIENCE));
    let answer = match select(Box::pin(asked), patience).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => {
            tracing::warn!(place, "a witness takes too long; it will be asked again");
            return Some(later(failures));
        }
    };
    match answer {
        Ok(Ok(Submitted::Already { .. })) => {
            shared.cosigned();
            Some(Next::AtNews)
        }
        // The log may have grown meanwhile.
        Ok(Ok(Submitted::Cosigned { .. })) => {
            *failures = 0;
            shared.cosigned();
            Some(Next::After(PACE))
        }
        Ok(Ok(Submitted::Overtaken)) => {
            *failures = 0;
            shared.overtaken(witnesses.held_by(place).await);
            Some(Next::After(PACE))
        }
        Ok(Err(Trouble::Alarm(alarm))) => {
            tracing::error!(%alarm, "a witness contradicts the log");
            shared.contradicted(witnesses, place, alarm);
            None
        }
        Ok(Err(trouble)) => {
            tracing::warn!(place, %trouble, "a witness has not cosigned; it will be asked again");
            Some(later(failures))
        }
        Err(_panic) => {
            tracing::error!(
                place,
                "the way to a witness panicked; it will be tried again"
            );
            Some(later(failures))
        }
    }
}

/// Twice as long each time.
fn later(failures: &mut u32) -> Next {
    *failures = failures.saturating_add(1);
    let pause = Duration::from_secs(1 << (*failures).min(10));
    Next::After(pause.min(LONGEST))
}

impl Shared {
    /// Keeps what a witness says against the log. Where a key of the log has signed it, nothing is appended any more.
    fn contradicted(&self, witnesses: &Witnesses, place: usize, alarm: Arc<Alarm>) {
        if let Some(witness) = witnesses.policy().witnesses().get(place) {
            self.kept_alarms.keep(&witness.key.key().id(), &alarm);
        }
        // Or any witness, or whoever has a key that went, could bring the log to a stop.
        if is_signed(&alarm.evidence, &self.trust()) {
            match alarm.evidence {
                Evidence::Word => {}
                Evidence::Ahead(_) => self.stop(LedgerError::Rollback),
                Evidence::Fork(_) => self.stop(LedgerError::Fork),
            }
        }
        lock(&self.contradictions).push(alarm);
        self.waiters.wake_all();
    }

    /// What witnesses have said against the log, also before it was opened.
    pub(crate) fn contradictions(&self) -> Vec<Arc<Alarm>> {
        lock(&self.contradictions).clone()
    }

    /// Every key that signs or has signed checkpoints of the log, with which evidence against it is checked.
    fn checkpoint_keys(&self) -> TrustedKeys {
        checkpoint_keys(&self.trust())
    }
}

/// Every key that signs or has signed checkpoints of a log.
pub(super) fn checkpoint_keys(trust: &Trust) -> TrustedKeys {
    let name = trust.origin().key_name();
    let mut keys = TrustedKeys::new();
    for key in trust.ring().with_role(Role::Checkpoint) {
        let key = VerifierKey::new(name.clone(), key.clone());
        // A ring names no key twice.
        let added = keys.add(key, BTreeSet::from([Role::Checkpoint]));
        debug_assert!(added.is_ok());
    }
    keys
}

//! A clock that jumped: recorded, and approvals wait until an operator has said that it was looked into.

use std::sync::Arc;

use crate::approval::{ClockDoubt, ClockDoubted, Event};
use crate::journal::Scope;
use crate::log::{Kind, KnownOr, Seq};
use crate::store::ScopeKey;

use super::{Drafts, LedgerError, Shared, lock};

/// A jump of this run that nobody has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its record could not be written yet; by how many microseconds the clock jumped.
    Unrecorded(i64),
    /// Its record.
    At(u64),
}

impl Shared {
    /// Whether approvals have to wait.
    pub(crate) async fn clock_unsettled(&self) -> Result<bool, LedgerError> {
        Ok(self.unsettled_clock().await?.is_some())
    }

    /// The record of the jump that waits to be acknowledged.
    pub(crate) async fn unsettled_clock(&self) -> Result<Option<u64>, LedgerError> {
        let doubt = *lock(&self.unsettled);
        match doubt {
            None => Ok(None),
            Some(Doubt::Unrecorded(_)) => Ok(Some(u64::MAX)),
            Some(Doubt::At(seq)) => {
                // Another process may hold the operator's key.
                if self.acknowledged_elsewhere(seq).await? {
                    self.clock_settled(seq);
                    return Ok(None);
                }
                Ok(Some(seq))
            }
        }
    }

    /// A jump whose record is still to be written.
    pub(super) fn unrecorded_jump(&self) -> Option<i64> {
        match *lock(&self.unsettled) {
            Some(Doubt::Unrecorded(micros)) => Some(micros),
            Some(Doubt::At(_)) | None => None,
        }
    }

    pub(crate) fn clock_settled(&self, seq: u64) {
        let mut unsettled = lock(&self.unsettled);
        if *unsettled == Some(Doubt::At(seq)) {
            *unsettled = None;
        }
    }

    async fn acknowledged_elsewhere(&self, clock: u64) -> Result<bool, LedgerError> {
        let scope = ScopeKey::new(Scope::Clock.key());
        let moved = self.versions([scope.clone()]).await?;
        let now = moved.get(&scope).copied().unwrap_or(0);
        if now == *lock(&self.clock_version) {
            return Ok(false);
        }
        let page = std::num::NonZeroU32::new(512).unwrap_or(std::num::NonZeroU32::MIN);
        let mut next = Seq::new(clock + 1);
        loop {
            let rows = self.store.read(next, page).await?;
            let Some(last) = rows.last() else {
                return Ok(false);
            };
            next = last.seq.next();
            for row in &rows {
                let record = self.verify_news(row).await?;
                let statement = record.statement();
                let named = statement.body.get("clock").and_then(|seq| seq.as_i64());
                if statement.kind == KnownOr::Known(Kind::ClockAcknowledged)
                    && named == i64::try_from(clock).ok()
                {
                    return Ok(true);
                }
            }
        }
    }

    /// Records that the clock jumped or was behind at open; a jump makes approvals wait.
    pub(crate) async fn note_clock(self: &Arc<Self>, what: ClockDoubt, micros: i64) {
        let role = self.tending_role();
        if what == ClockDoubt::Jump {
            *lock(&self.unsettled) = Some(Doubt::Unrecorded(micros));
        }
        let event = Event::Clock(ClockDoubted {
            instance: self.instance,
            micros,
            what,
        });
        let written = async {
            let (written, _) = Drafts::log(self, role, event)?.append().await?;
            let scope = ScopeKey::new(Scope::Clock.key());
            let version = self.versions([scope.clone()]).await?;
            *lock(&self.clock_version) = version.get(&scope).copied().unwrap_or(0);
            Ok::<_, LedgerError>(written.first())
        };
        match written.await {
            Ok(Some(seq)) if what == ClockDoubt::Jump => {
                *lock(&self.unsettled) = Some(Doubt::At(seq))
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "a jump of the clock could not be recorded"),
        }
    }
}

//! Starts that have to wait until witnesses know of their decisions.
//!
//! A quorum has to stand under one checkpoint. A log that grows would have each witness cosign another one, so that as long as
//! somebody waits all of them are shown the same: the target.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::action::RequestId;
use crate::approval::At;
use crate::log::{Note, Seq, Window, leaf_hash, prove_inclusion};
use crate::store::{self, Query};

use super::{LedgerError, Seat, Shared, lock};

/// How many checkpoints right after a decision are looked at, beside the target and the last one that had a quorum.
const NEXT: usize = 8;

/// Who waits for witnesses in this process.
#[derive(Debug, Default)]
pub(super) struct Vigils {
    /// The request that is to be started, and the last record of its decision.
    waiting: BTreeMap<u64, (RequestId, Option<At>)>,
    next: u64,
    /// How many records the checkpoint has, at least, that witnesses are shown.
    target: Option<u64>,
    /// The size of the largest tree that is known to have a quorum.
    met: u64,
}

/// Why no quorum of witnesses knows of a decision, and none will.
#[derive(Debug, Clone)]
pub(crate) enum Unseen {
    /// This process asks no witnesses.
    NobodyToAsk,
    /// A witness knows another history of the log.
    Contradicted,
    /// The log could not be read.
    Unread(LedgerError),
}

/// A start that waits; it sits in the line of its request, so that it hears of what happens to that.
#[derive(Debug)]
pub(crate) struct Vigil {
    shared: Arc<Shared>,
    number: u64,
    seat: Seat,
}

impl Shared {
    /// Waits for witnesses in the name of a request.
    pub(crate) fn keep_vigil(self: &Arc<Self>, request: RequestId) -> Result<Vigil, Unseen> {
        let witnesses = self.witnesses.as_ref();
        if !witnesses.is_some_and(|witnesses| witnesses.policy().asks_for_witnesses()) {
            return Err(Unseen::NobodyToAsk);
        }
        let number = {
            let mut vigils = lock(&self.vigils);
            let number = vigils.next;
            vigils.next += 1;
            vigils.waiting.insert(number, (request, None));
            number
        };
        Ok(Vigil {
            shared: Arc::clone(self),
            number,
            seat: self.waiters.sit(request),
        })
    }

    pub(super) fn is_waited_for(&self) -> bool {
        !lock(&self.vigils).waiting.is_empty()
    }

    /// From which size on a checkpoint is to be shown to witnesses instead of the newest one.
    pub(super) fn target(&self) -> Option<u64> {
        let mut vigils = lock(&self.vigils);
        let wanted = vigils.waiting.values().filter_map(|(_, last)| *last);
        let nearest = wanted.min()?.0.saturating_add(1);
        let newest = self.known_size().max(nearest);
        let target = vigils.target.get_or_insert(newest);
        // All that it covers have what they waited for.
        if *target < nearest {
            *target = newest;
        }
        Some(*target)
    }

    /// A witness holds a larger tree than that of the target, so that it will not cosign that one.
    pub(super) fn overtaken(&self, holds: u64) {
        let raised = {
            let mut vigils = lock(&self.vigils);
            match &mut vigils.target {
                Some(target) if *target < holds => {
                    *target = holds;
                    true
                }
                _ => false,
            }
        };
        if raised {
            self.ring_background();
        }
    }

    /// Has whoever waits for witnesses look again.
    pub(super) fn cosigned(&self) {
        let requests: Vec<RequestId> = {
            let vigils = lock(&self.vigils);
            vigils
                .waiting
                .values()
                .map(|(request, _)| *request)
                .collect()
        };
        self.waiters.wake(&requests);
    }

    /// The size of a tree that holds the record `last` and that a quorum of witnesses cosigned.
    async fn witnessed(&self, last: At) -> Result<Option<u64>, Unseen> {
        if !lock(&self.contradictions).is_empty() {
            return Err(Unseen::Contradicted);
        }
        let (target, met) = {
            let vigils = lock(&self.vigils);
            (vigils.target, vigils.met)
        };
        let beyond = last.0.saturating_add(1);
        for size in [Some(met), target].into_iter().flatten() {
            if size >= beyond
                && let Some((size, true)) = self.look_at(size, last).await?
            {
                return Ok(Some(size));
            }
        }
        let mut at_least = beyond;
        for _ in 0..NEXT {
            match self.look_at(at_least, last).await? {
                Some((size, true)) => return Ok(Some(size)),
                Some((size, false)) => at_least = size.saturating_add(1),
                None => break,
            }
        }
        Ok(None)
    }

    /// The size of the first checkpoint over at least so many records, and whether a quorum cosigned it over the record `last`.
    async fn look_at(&self, at_least: u64, last: At) -> Result<Option<(u64, bool)>, Unseen> {
        let found = self.find(Query::Checkpoint { at_least }).await;
        let found = found.and_then(|found| Ok(found.checkpoint()?));
        let Some((size, note)) = found.map_err(Unseen::Unread)? else {
            return Ok(None);
        };
        let quorum = self.has_quorum(size, &note, last).await;
        Ok(Some((size, quorum.map_err(Unseen::Unread)?)))
    }

    async fn has_quorum(&self, size: u64, bytes: &[u8], last: At) -> Result<bool, LedgerError> {
        let Some(witnesses) = &self.witnesses else {
            return Ok(false);
        };
        let trust = self.trust();
        let Ok(note) = Note::parse(bytes) else {
            return Ok(false);
        };
        let window = Window::recent(self.now(), std::time::Duration::MAX);
        let own = trust.ring().all();
        if witnesses.policy().witnessed(&note, own, window).is_err() {
            return Ok(false);
        }
        let refused = |why: String| LedgerError::Tampered { seq: last.0, why };
        let checkpoint = trust
            .check_checkpoint(bytes)
            .map_err(|error| refused(error.to_string()))?;
        // What witnesses know is this very record, whatever the rows of the tree say.
        let record = self.store.read(Seq::new(last.0), NonZeroU32::MIN).await?;
        let leaf = record
            .first()
            .filter(|record| record.seq.get() == last.0)
            .map(|record| leaf_hash(&record.statement));
        let proof = store::prove(self.store.as_ref(), |nodes| {
            prove_inclusion(nodes, last.0, checkpoint.size)
        });
        let holds = match (leaf, proof) {
            (Some(leaf), Some(Ok(proof))) if checkpoint.size == size => {
                proof.verify(&leaf, &checkpoint.root).is_ok()
            }
            _ => false,
        };
        if !holds {
            return Err(refused(
                "it is not in the tree that witnesses cosigned".to_owned(),
            ));
        }
        let mut vigils = lock(&self.vigils);
        vigils.met = vigils.met.max(size);
        Ok(true)
    }
}

impl Vigil {
    /// Forgets what happened up to now; what comes after is not missed.
    pub(crate) fn listen(&self) {
        self.seat.listen();
    }

    /// The size of a tree that holds the record `last` and that a quorum of witnesses cosigned; `None` for "not yet", and then they
    /// are asked.
    pub(crate) async fn look(&self, last: At) -> Result<Option<u64>, Unseen> {
        let fresh = {
            let mut vigils = lock(&self.shared.vigils);
            let entry = vigils.waiting.get_mut(&self.number);
            entry.is_some_and(|(_, known)| known.replace(last) != Some(last))
        };
        if fresh {
            // The target is chosen before anybody looks.
            let _target = self.shared.target();
            self.shared.ring_background();
        }
        self.shared.witnessed(last).await
    }

    /// Resolves once something has happened since [`Vigil::listen`]: a cosignature, a change of the request, or its alarm.
    pub(crate) async fn woken(&self) {
        self.seat.woken().await;
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        let mut vigils = lock(&self.shared.vigils);
        vigils.waiting.remove(&self.number);
        if vigils.waiting.is_empty() {
            vigils.target = None;
        }
    }
}

//! Whether the rows filed under a request are all of its records.
//!
//! Which request a record belongs to stands in its signed statement; that the rows under a request are all that there are
//! is said by unsigned columns. Whoever hides a denial from the request that it ended, and sets the count of its records
//! to fit, would bring an approval back. So before a start the rows are compared with what this process saw being
//! written, or, for a request that it has not seen from its filing on, with a walk over the log, whose leaves must have
//! the signed tree head.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Mutex;

use crate::action::RequestId;
use crate::log::{Kind, KnownOr, Seq, Statement, StoredRecord, leaf_hash};

use super::open::frontier_at;
use super::reader::Folded;
use super::{LedgerError, Shared, lock};

/// How many requests each of the two generations holds; older ones are looked up in the log.
const GENERATION: usize = 64 * 1024;
/// How many records are read in one go.
const PAGE: NonZeroU32 = match NonZeroU32::new(512) {
    Some(page) => page,
    None => NonZeroU32::MIN,
};

/// The records of each request that this process has seen being written from its filing on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    current: HashMap<RequestId, Vec<u64>>,
    previous: HashMap<RequestId, Vec<u64>>,
}

impl Seen {
    /// Takes note of a record; noting it twice does no harm.
    ///
    /// A request whose filing was not seen is left out: of such a one not everything may be known.
    pub(super) fn note(&self, request: RequestId, kind: Kind, seq: u64) {
        let mut generations = lock(&self.generations);
        let Generations { current, previous } = &mut *generations;
        let known = match previous.remove(&request) {
            Some(known) => Some(current.entry(request).or_insert(known)),
            None if kind == Kind::Requested => Some(current.entry(request).or_default()),
            None => current.get_mut(&request),
        };
        if let Some(known) = known
            && !known.contains(&seq)
        {
            known.push(seq);
        }
        if current.len() >= GENERATION {
            *previous = std::mem::take(current);
        }
    }

    /// Calls `look` with the records that were seen; `None` if not all of them were.
    fn with<T>(&self, request: &RequestId, look: impl FnOnce(&[u64]) -> T) -> Option<T> {
        let generations = lock(&self.generations);
        let Generations { current, previous } = &*generations;
        let seen = current.get(request).or_else(|| previous.get(request))?;
        Some(look(seen))
    }

    /// A record that was seen and is not among these.
    pub(super) fn hidden(&self, request: &RequestId, among: &[u64]) -> Option<u64> {
        self.with(request, |seen| first_beside(seen, among))
            .flatten()
    }
}

impl Shared {
    /// Fails unless what was folded are all records of the request.
    ///
    /// # Errors
    /// [`LedgerError::Tampered`] if a record is hidden, [`LedgerError::Moved`] if one was written meanwhile.
    pub(crate) async fn complete(&self, folded: &Folded) -> Result<(), LedgerError> {
        let request = folded.state.request();
        let seen = |all: &[u64]| first_beside(all, &folded.records);
        let hidden = match self.seen.with(&request, seen) {
            Some(hidden) => hidden,
            None => seen(&self.search(request, folded.state.first().0).await?),
        };
        let Some(hidden) = hidden else {
            return Ok(());
        };
        let now = self.versions([folded.scope.clone()]).await?;
        if now.get(&folded.scope).copied().unwrap_or(0) != folded.version {
            return Err(LedgerError::Moved);
        }
        Err(LedgerError::Tampered {
            seq: hidden,
            why: format!("it belongs to request {request} and is not filed under it"),
        })
    }

    /// The records of a request, as the whole log tells it from its filing on.
    async fn search(&self, request: RequestId, first: u64) -> Result<Vec<u64>, LedgerError> {
        let tampered = |seq, why: &str| LedgerError::Tampered {
            seq,
            why: why.to_owned(),
        };
        let head = self.store.head().await?.ok_or(LedgerError::Rollback)?;
        head.check(&self.trust)
            .map_err(|broken| tampered(head.size, &broken.to_string()))?;
        let base = first / 256 * 256;
        let mut frontier = frontier_at(&self.store, base)
            .await
            .map_err(|error| tampered(base, &error.to_string()))?;
        let (name, mut found, mut next) = (request.to_string(), Vec::new(), base);
        while next < head.size {
            let page = self.store.read(Seq::new(next), PAGE).await?;
            if page.is_empty() {
                break;
            }
            for record in page {
                if next == head.size {
                    break;
                }
                if record.seq.get() != next {
                    return Err(tampered(next, "it is missing"));
                }
                // The leaf as it follows from the bytes, not as the row has it.
                frontier.push(leaf_hash(&record.statement));
                if belongs(&record, request, &name) {
                    found.push(next);
                }
                next += 1;
            }
        }
        if frontier != head.frontier {
            return Err(tampered(
                base,
                "a record from here on is not the one that was signed",
            ));
        }
        Ok(found)
    }
}

fn first_beside(all: &[u64], among: &[u64]) -> Option<u64> {
    all.iter().copied().find(|seq| !among.contains(seq))
}

/// Whether a record says that it belongs to the request; `name` is the request as text, to pass over the others at little cost.
fn belongs(record: &StoredRecord, request: RequestId, name: &str) -> bool {
    std::str::from_utf8(&record.statement).is_ok_and(|text| text.contains(name))
        && Statement::parse(&record.statement)
            .is_ok_and(|statement| statement.request == Some(request))
}

/// The kind of a record that this edition knows.
pub(super) fn kind_of(statement: &Statement) -> Option<Kind> {
    match &statement.kind {
        KnownOr::Known(kind) => Some(*kind),
        KnownOr::Unknown(_) => None,
    }
}

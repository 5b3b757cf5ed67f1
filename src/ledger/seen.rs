//! Whether the rows filed under a request are all of its records.
//!
//! Which request a record belongs to stands in its signed statement; that the rows under a request are all that there are
//! is said by unsigned columns. Whoever hides a denial from the request that it ended, and sets the count of its records
//! to fit, would bring an approval back. So before a start the rows are compared with what this process saw being
//! written, or, for a request that it has not seen from its filing on, with a walk over the log, whose leaves must have
//! the signed tree head.

use std::collections::{HashMap, VecDeque};
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

/// Of so many of the latest records it is known whom they concern.
const RECENT: usize = 64 * 1024;

/// The records of each request that this process has seen being written from its filing on.
#[derive(Debug)]
pub(super) struct Seen {
    generations: Mutex<Generations>,
    recent: Mutex<Recent>,
}

/// Whom the latest records concern, one entry for each, without a gap.
#[derive(Debug)]
struct Recent {
    from: u64,
    requests: VecDeque<Option<RequestId>>,
}

impl Recent {
    fn upto(&self) -> u64 {
        self.from + self.requests.len() as u64
    }
}

#[derive(Debug, Default)]
struct Generations {
    current: HashMap<RequestId, Vec<u64>>,
    previous: HashMap<RequestId, Vec<u64>>,
}

impl Seen {
    /// Nothing was seen yet of a log of this size.
    pub(super) fn of_size(size: u64) -> Self {
        Self {
            generations: Mutex::default(),
            recent: Mutex::new(Recent {
                from: size,
                requests: VecDeque::new(),
            }),
        }
    }

    /// Takes note of whom a record concerns; records come in order, and one that was noted already is passed over.
    pub(super) fn follow(&self, seq: u64, request: Option<RequestId>) {
        let mut recent = lock(&self.recent);
        if seq < recent.upto() {
            return;
        }
        if seq > recent.upto() {
            recent.from = seq;
            recent.requests.clear();
        }
        recent.requests.push_back(request);
        if recent.requests.len() > RECENT {
            recent.requests.pop_front();
            recent.from += 1;
        }
    }

    /// Up to which record it is known whom each concerns.
    fn upto(&self) -> u64 {
        lock(&self.recent).upto()
    }

    /// Whether it is known that no record from `since` up to `size` concerns the request.
    pub(super) fn untouched(&self, request: &RequestId, since: u64, size: u64) -> bool {
        let recent = lock(&self.recent);
        let skipped = since.checked_sub(recent.from);
        let (Some(Ok(skipped)), true) = (skipped.map(usize::try_from), size <= recent.upto())
        else {
            return false;
        };
        let mut after = recent.requests.iter().skip(skipped);
        !after.any(|concerned| concerned.as_ref() == Some(request))
    }

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
    /// Fails unless what was folded are all records of the request; says up to which record of the log that holds.
    ///
    /// # Errors
    /// [`LedgerError::Tampered`] if a record is hidden, [`LedgerError::Moved`] if one was written meanwhile.
    pub(crate) async fn complete(&self, folded: &Folded) -> Result<u64, LedgerError> {
        let request = folded.state.request();
        let seen = |all: &[u64]| first_beside(all, &folded.records);
        // Asked before: what is noted meanwhile may be missing from what was seen.
        let upto = self.seen.upto();
        let (hidden, upto) = match self.seen.with(&request, seen) {
            Some(hidden) => (hidden, upto),
            None => {
                let (all, size) = self.search(request, folded.state.first().0).await?;
                (seen(&all), size)
            }
        };
        let Some(hidden) = hidden else {
            return Ok(upto);
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

    /// The records of a request, as the whole log tells it from its filing on, and how long that log is.
    async fn search(&self, request: RequestId, first: u64) -> Result<(Vec<u64>, u64), LedgerError> {
        let tampered = |seq, why: &str| LedgerError::Tampered {
            seq,
            why: why.to_owned(),
        };
        let head = self.store.head().await?.ok_or(LedgerError::Rollback)?;
        head.check(&self.trust())
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
        Ok((found, head.size))
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

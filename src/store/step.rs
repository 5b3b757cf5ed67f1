use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::action::RequestId;
use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::{Head, Kept, Kind, Seq, StoredRecord, Subtree};

use super::error::{Abort, StoreError};
use super::rows::{Row, Tag};

/// One all-or-nothing change of the log: the scopes that it depends on, and a builder that runs inside the lock.
///
/// The builder is called once, after the head is locked and the scopes' versions are loaded; it must not block, and it
/// must not call the store.
pub struct Step {
    scopes: BTreeSet<ScopeKey>,
    since: Option<Seq>,
    build: Box<dyn FnOnce(View) -> Result<Batch, Abort> + Send>,
}

impl Step {
    /// A step that reads the versions of `scopes` and writes what `build` makes of them.
    pub fn new(
        scopes: BTreeSet<ScopeKey>,
        build: impl FnOnce(View) -> Result<Batch, Abort> + Send + 'static,
    ) -> Self {
        Self {
            scopes,
            since: None,
            build: Box::new(build),
        }
    }

    /// Has the view hold the records from this number on, unless there are more than [`View::MOST_NEWS`].
    #[must_use]
    pub fn with_news_since(mut self, seq: Seq) -> Self {
        self.since = Some(seq);
        self
    }

    /// Has `look` see what the builder makes; for wrappers of stores.
    #[must_use]
    pub fn inspected(self, look: impl FnOnce(&Batch) + Send + 'static) -> Self {
        let Self {
            scopes,
            since,
            build,
        } = self;
        Self {
            scopes,
            since,
            build: Box::new(move |view| build(view).inspect(|batch| look(batch))),
        }
    }

    /// The first of the records that the view must hold, if it must hold any.
    #[must_use]
    pub const fn news_since(&self) -> Option<Seq> {
        self.since
    }

    /// The scopes whose versions the view must hold.
    #[must_use]
    pub fn scopes(&self) -> &BTreeSet<ScopeKey> {
        &self.scopes
    }

    /// Calls the builder; for implementers of [`Store`](super::Store), inside the lock.
    ///
    /// # Errors
    /// [`StoreError::Aborted`] if the builder said no, [`StoreError::Builder`] if it panicked. Both mean: roll back.
    pub fn build(self, view: View) -> Result<Batch, StoreError> {
        let Self {
            scopes: _,
            since: _,
            build,
        } = self;
        match catch_unwind(AssertUnwindSafe(move || build(view))) {
            Ok(Ok(batch)) => Ok(batch),
            Ok(Err(abort)) => Err(StoreError::Aborted(abort)),
            Err(_panic) => Err(StoreError::Builder),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// The name of something whose changes are counted: opaque to the store.
///
/// Up to [`ScopeKey::LONGEST`] bytes, so that a store can index it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeKey(Vec<u8>);

impl ScopeKey {
    /// The most bytes that a store must be able to index.
    pub const LONGEST: usize = 512;

    /// A scope with these bytes as its name.
    ///
    /// Names longer than [`LONGEST`](Self::LONGEST) are replaced by their digest, which is as good a name.
    #[must_use]
    pub fn new(name: impl Into<Vec<u8>>) -> Self {
        let name = name.into();
        if name.len() <= Self::LONGEST {
            return Self(name);
        }
        Self(
            Digest::of("countersign/scope/v1", &name)
                .as_bytes()
                .to_vec(),
        )
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a builder sees inside the lock.
#[derive(Debug, Clone)]
pub struct View {
    /// The head as it is, `None` before the genesis batch.
    pub head: Option<Head>,
    /// How often each scope of the step has moved; 0 if never.
    pub versions: BTreeMap<ScopeKey, u64>,
    /// The records from [`Step::news_since`] up to the head; none if the step asks for none, or if there are more than
    /// [`MOST_NEWS`](Self::MOST_NEWS).
    pub news: Vec<StoredRecord>,
}

impl View {
    /// The most records that a store hands to a builder.
    pub const MOST_NEWS: u32 = 1024;

    /// How many records a store has to hand over, from which on.
    pub(super) fn news(since: Option<Seq>, head: Option<&Head>) -> Option<(Seq, u32)> {
        let (since, head) = (since?, head?);
        let many = u32::try_from(head.size.checked_sub(since.get())?).ok()?;
        (1..=Self::MOST_NEWS)
            .contains(&many)
            .then_some((since, many))
    }
}

/// 32 random bytes that key the tags in the store's rows; made by the ledger in the genesis batch, never part of a record.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreSecret(Zeroizing<[u8; 32]>);

impl StoreSecret {
    /// The secret with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA-256 (RFC 2104) over a domain, a zero byte and `bytes`: equal for equal input within one store, and telling nothing
    /// without the secret.
    #[must_use]
    pub fn tag(&self, domain: &str, bytes: &[u8]) -> Tag {
        // HMAC takes keys of any length; a constant keeps the function total.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.as_bytes()) else {
            return Tag::from_bytes([0; 32]);
        };
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        Tag::from_bytes(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for StoreSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSecret(«hidden»)")
    }
}

/// What one commit writes, all or nothing.
///
/// A store checks that the records continue the head that it holds ([`Batch::check`]); it judges nothing else.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The records in order, at least one.
    pub records: Vec<NewRecord>,
    /// The full subtrees that these records completed.
    pub subtrees: Vec<Subtree>,
    /// The size and the signed note of the batch's checkpoint.
    pub checkpoint: (u64, Vec<u8>),
    /// The head after the batch.
    pub head: Head,
    /// The disclosures of the records, in the order of the records, as they are to be kept.
    pub disclosures: Vec<(Seq, Kept)>,
    /// The scopes whose versions go up by one for each time they are named.
    pub moved: Vec<ScopeKey>,
    /// Changes of the projections, applied in order.
    pub rows: Vec<Row>,
    /// The store's secret; given by the genesis batch and by no other.
    pub secret: Option<StoreSecret>,
}

/// A record with what a store indexes it by.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The record.
    pub record: StoredRecord,
    /// Its kind.
    pub kind: Kind,
    /// The request that it belongs to.
    pub request: Option<RequestId>,
    /// Its gate time.
    pub ts: Timestamp,
    /// The leaf of the record before.
    pub prev: Digest,
}

/// The answer to an append: durable as far as the store's guarantees say.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The head after the commit.
    pub head: Head,
}

/// The most disclosures that one record may have.
pub const MOST_DISCLOSURES: usize = 4096;

impl Batch {
    /// Checks that the batch continues `before`: for implementers of [`Store`](super::Store), inside the lock.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if numbers, chain, checkpoint or head do not fit together.
    pub fn check(&self, before: Option<&Head>) -> Result<(), StoreError> {
        let Self {
            records,
            subtrees: _,
            checkpoint: (checkpoint, _),
            head,
            disclosures,
            moved: _,
            rows: _,
            secret,
        } = self;
        let (mut size, mut prev) = match before {
            Some(before) => (before.size, before.prev),
            None => (0, Digest::from_bytes([0; 32])),
        };
        let first = size;
        if records.is_empty() {
            return Err(StoreError::Conflict("a batch without a record"));
        }
        if before.is_some_and(|before| before.log != head.log) {
            return Err(StoreError::Conflict("a head of another log"));
        }
        if secret.is_some() != before.is_none() {
            return Err(StoreError::Conflict(
                "the secret comes with the genesis batch alone",
            ));
        }
        for new in records {
            if new.record.seq.get() != size {
                return Err(StoreError::Conflict(
                    "a record with another number than the next",
                ));
            }
            if new.prev != prev {
                return Err(StoreError::Conflict(
                    "a record whose `prev` is not the leaf before it",
                ));
            }
            size += 1;
            prev = new.record.leaf;
        }
        if head.size != size || *checkpoint != size || head.prev != prev {
            return Err(StoreError::Conflict(
                "a head or checkpoint that is not of the last record",
            ));
        }
        let mut last = (first, 0);
        for (seq, _) in disclosures {
            last = match seq.get() {
                seq if seq == last.0 => (seq, last.1 + 1),
                seq if seq > last.0 => (seq, 1),
                _ => return Err(StoreError::Conflict("disclosures out of order")),
            };
            if last.0 >= size || last.1 > MOST_DISCLOSURES {
                return Err(StoreError::Conflict(
                    "disclosures of no record, or too many of one",
                ));
            }
        }
        Ok(())
    }
}

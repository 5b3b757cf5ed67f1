//! Other processes' records: part of the log only after they have been hashed onto what this process knows of it.
//!
//! A signed head says that its tree is somebody's log, not that it continues ours: an older copy of the store that somebody
//! went on with has a signed head as well. And the head row's time and last leaf are under no signature.

use std::num::NonZeroU32;
use std::sync::Arc;

use futures::executor::block_on;

use crate::action::Pseudonym;
use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::{Frontier, Head, Kind, KnownOr, Seq, Statement, StoredRecord, Trust, leaf_hash};

use super::seen::kind_of;
use super::{LedgerError, Shared, lock};

/// How many records are read in one go.
const PAGE: NonZeroU32 = match NonZeroU32::new(512) {
    Some(page) => page,
    None => NonZeroU32::MIN,
};

/// The log as it grows beyond a head that is known.
struct Extension {
    /// The keys as of its end.
    trust: Arc<Trust>,
    /// Pseudonyms that stand for nobody any more.
    retired: Vec<Pseudonym>,
    frontier: Frontier,
    prev: Digest,
    ts: Timestamp,
}

impl Extension {
    fn of(known: &Head, trust: Arc<Trust>) -> Self {
        Self {
            trust,
            retired: Vec::new(),
            frontier: known.frontier.clone(),
            prev: known.prev,
            ts: known.ts,
        }
    }

    /// Takes the next record; those that are known already are passed over.
    fn push(&mut self, record: &StoredRecord) -> Result<Option<Statement>, LedgerError> {
        let (seq, next) = (record.seq.get(), self.frontier.size());
        if seq < next {
            return Ok(None);
        }
        let tampered = |why: String| LedgerError::Tampered { seq, why };
        if seq > next {
            return Err(tampered("the record before it is missing".to_owned()));
        }
        let statement =
            Statement::parse(&record.statement).map_err(|error| tampered(error.to_string()))?;
        // The leaf as it follows from the bytes, not as the row has it.
        self.prev = leaf_hash(&record.statement);
        self.frontier.push(self.prev);
        self.ts = statement.ts;
        let changes = statement
            .kind
            .known()
            .is_some_and(|kind| kind.changes_keys());
        // What is known of the keys may go further than what is known of the rest.
        if changes && self.trust.ring().latest_change() < Some(record.seq) {
            let verified = self
                .trust
                .check(record)
                .map_err(|broken| tampered(broken.to_string()))?;
            Arc::make_mut(&mut self.trust)
                .follow(&verified)
                .map_err(|broken| tampered(broken.to_string()))?;
        }
        Ok(Some(statement))
    }

    /// Whether it has grown to exactly this head.
    fn is(&self, head: &Head) -> bool {
        self.frontier == head.frontier && self.prev == head.prev && self.ts == head.ts
    }
}

/// Why a head is not taken.
pub(super) enum Unfit {
    /// More was written by others than is at hand: it has to be read first.
    Behind,
    Refused(LedgerError),
}

impl Shared {
    /// The head inside the lock, checked against what this process knows of the log; `news` are the records since then.
    pub(super) fn check_head(
        &self,
        head: Option<Head>,
        news: &[StoredRecord],
    ) -> Result<Head, Unfit> {
        let head = head.ok_or(Unfit::Refused(LedgerError::Rollback))?;
        let known = lock(&self.known);
        if head.size < known.size {
            return Err(Unfit::Refused(LedgerError::Rollback));
        }
        if head.size == known.size {
            // Every byte that the next record builds on is compared, not only the root.
            return if head == *known {
                Ok(head)
            } else {
                Err(Unfit::Refused(LedgerError::Fork))
            };
        }
        let mut extension = Extension::of(&known, self.trust());
        drop(known);
        for record in news {
            self.take(&mut extension, record).map_err(Unfit::Refused)?;
        }
        if extension.frontier.size() < head.size {
            return Err(Unfit::Behind);
        }
        self.accept(&extension, &head).map_err(Unfit::Refused)?;
        Ok(head)
    }

    /// Reads what others have written and takes it for part of the log, if it continues what is known.
    ///
    /// # Errors
    /// [`LedgerError::Rollback`] or [`LedgerError::Fork`] if the store holds another history.
    pub(super) fn catch_up(&self) -> Result<(), LedgerError> {
        block_on(self.read_news())
    }

    /// As [`Shared::catch_up`], for whoever may wait.
    pub(super) async fn read_news(&self) -> Result<(), LedgerError> {
        // Asked in this order: what this process commits meanwhile must not make the store look older than what is known.
        let known = lock(&self.known).clone();
        let head = self.store.head().await?.ok_or(LedgerError::Rollback)?;
        if head.size < known.size {
            return Err(LedgerError::Rollback);
        }
        if head.size == known.size {
            return if head == known {
                Ok(())
            } else {
                Err(LedgerError::Fork)
            };
        }
        let mut extension = Extension::of(&known, self.trust());
        while extension.frontier.size() < head.size {
            let next = Seq::new(extension.frontier.size());
            let page = self.store.read(next, PAGE).await?;
            if page.is_empty() {
                return Err(LedgerError::Rollback);
            }
            for record in &page {
                if extension.frontier.size() == head.size {
                    break;
                }
                self.take(&mut extension, record)?;
            }
        }
        self.accept(&extension, &head)?;
        self.time.at_least(head.ts);
        self.learn(&head);
        Ok(())
    }

    /// Hashes one more record onto the log, and takes note whom it concerns.
    fn take(&self, extension: &mut Extension, record: &StoredRecord) -> Result<(), LedgerError> {
        let Some(statement) = extension.push(record)? else {
            return Ok(());
        };
        if let (Some(request), Some(kind)) = (statement.request, kind_of(&statement)) {
            self.seen.note(request, kind, record.seq.get());
        }
        self.seen.follow(record.seq.get(), statement.request);
        if statement.kind == KnownOr::Known(Kind::Erased) {
            let person = statement.body.get("person").and_then(|json| json.as_str());
            let person = person.and_then(|text| Pseudonym::parse(text).ok());
            extension.retired.extend(person);
        }
        Ok(())
    }

    fn accept(&self, extension: &Extension, head: &Head) -> Result<(), LedgerError> {
        head.check(&extension.trust)
            .map_err(|broken| LedgerError::Tampered {
                seq: head.size,
                why: broken.to_string(),
            })?;
        if !extension.is(head) {
            return Err(LedgerError::Fork);
        }
        self.rely_on(&extension.trust);
        self.retire(&extension.retired);
        Ok(())
    }
}

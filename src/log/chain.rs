use thiserror::Error;

use super::{
    checkpoint::{Checkpoint, Origin},
    entry::Entry,
    head::Head,
    id::{LogId, Seq},
    keys::KeyId,
    kind::{Belonging, Kind},
    tree::{Frontier, Subtree, leaf_hash},
    write::{Position, StatementLimit, TooLarge, write_statement},
};
use crate::{canonical::Digest, clock::Timestamp};

/// The growing end of a log: gives each entry its place. Pure state; signing and storing come after.
#[derive(Clone, Debug)]
pub struct Chain {
    log: LogId,
    frontier: Frontier,
    prev: Digest,
    ts: Timestamp,
    limit: StatementLimit,
}

/// An entry that has its place, not yet signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chained {
    /// Its number.
    pub seq: Seq,
    /// Its time.
    pub ts: Timestamp,
    /// The leaf of the record before.
    pub prev: Digest,
    /// The key that has to sign it.
    pub key: KeyId,
    /// The bytes to be signed and kept.
    pub statement: Vec<u8>,
    /// Its leaf.
    pub leaf: Digest,
    /// The full subtrees of the tree that it completed.
    pub subtrees: Vec<Subtree>,
}

impl Chain {
    /// The beginning of a log, whose first entry is its genesis.
    #[must_use]
    pub const fn begin(log: LogId, limit: StatementLimit) -> Self {
        Self {
            log,
            frontier: Frontier::empty(),
            prev: Digest::from_bytes([0; 32]),
            ts: Timestamp::EPOCH,
            limit,
        }
    }

    /// Goes on after a head.
    #[must_use]
    pub fn resume(head: &Head, limit: StatementLimit) -> Self {
        let Head {
            log,
            size: _,
            frontier,
            prev,
            ts,
            checkpoint: _,
        } = head;
        Self {
            log: *log,
            frontier: frontier.clone(),
            prev: *prev,
            ts: *ts,
            limit,
        }
    }

    /// Gives an entry the next place, at `now` or at the time of the record before if that is later
    /// (rule S5), to be signed by the key `key`.
    ///
    /// # Errors
    /// [`ChainError`] if a record cannot be so; the chain is then as it was.
    pub fn extend(
        &mut self,
        entry: &Entry,
        now: Timestamp,
        key: &KeyId,
    ) -> Result<Chained, ChainError> {
        self.admit(entry)?;
        let position = Position {
            log: &self.log,
            seq: Seq::new(self.frontier.size()),
            prev: self.prev,
            root: self.frontier.root(),
            ts: now.max(self.ts),
        };
        let statement = write_statement(entry, &position, key, self.limit)?;
        let Position { seq, prev, ts, .. } = position;
        let leaf = leaf_hash(&statement);
        let subtrees = self.frontier.push(leaf);
        self.prev = leaf;
        self.ts = ts;
        Ok(Chained {
            seq,
            ts,
            prev,
            key: *key,
            statement,
            leaf,
            subtrees,
        })
    }

    /// What the format asks of a kind, so that no writer's slip makes a log that its verifiers refuse.
    fn admit(&self, entry: &Entry) -> Result<(), ChainError> {
        let Entry {
            kind,
            request,
            role,
            crit,
            body: _,
            disclosures: _,
            enforced: _,
        } = entry;
        if (*kind == Kind::Genesis) != (self.frontier.size() == 0) {
            return Err(ChainError::GenesisFirst);
        }
        if !kind.roles().contains(role) {
            return Err(ChainError::Role);
        }
        match (kind.belongs_to_request(), request) {
            (Belonging::Always, None) | (Belonging::Never, Some(_)) => {
                return Err(ChainError::Request);
            }
            _ => {}
        }
        if !crit.is_sorted_by(|a, b| a < b) {
            return Err(ChainError::Extensions);
        }
        Ok(())
    }

    /// The log.
    #[must_use]
    pub const fn log(&self) -> &LogId {
        &self.log
    }

    /// How many records there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The time of the last record.
    #[must_use]
    pub const fn ts(&self) -> Timestamp {
        self.ts
    }

    /// The tree head over all records, to be signed.
    #[must_use]
    pub fn checkpoint(&self, origin: &Origin) -> Checkpoint {
        Checkpoint {
            origin: origin.clone(),
            size: self.frontier.size(),
            root: self.frontier.root(),
        }
    }

    /// The head row for the records so far, with their signed checkpoint.
    #[must_use]
    pub fn head(&self, checkpoint: Vec<u8>) -> Head {
        let Self {
            log,
            frontier,
            prev,
            ts,
            limit: _,
        } = self;
        Head {
            log: *log,
            size: frontier.size(),
            frontier: frontier.clone(),
            prev: *prev,
            ts: *ts,
            checkpoint,
        }
    }
}

/// Why an entry cannot be the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChainError {
    /// The first record is the genesis, and no other.
    #[error("a log begins with its genesis and has no second one")]
    GenesisFirst,
    /// The kind is not signed in that role.
    #[error("a record of this kind is not signed by a key of that role")]
    Role,
    /// The kind belongs to a request and the entry does not, or the other way round.
    #[error("a record of this kind has a request, or must not have one")]
    Request,
    /// Extensions out of order.
    #[error("the extensions of a record ascend and stand once each")]
    Extensions,
    /// The statement is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

use std::{num::NonZeroU32, ops::Range};

use thiserror::Error;

use crate::{
    action::{DisclosureDigest, RequestId},
    canonical::Digest,
    clock::Timestamp,
    log::{
        id::Seq,
        kind::Kind,
        outline::{Outline, Outlined},
        record::StoredRecord,
        statement::Statement,
        tree::Subtree,
    },
};

/// How many records are asked for at once where all are gone through.
const MANY: NonZeroU32 = match NonZeroU32::new(256) {
    Some(many) => many,
    None => NonZeroU32::MIN,
};

/// How a stored log is read by its verifier.
///
/// # Contract
/// - Every answer comes from one snapshot: nothing that is committed meanwhile shows.
/// - Answers ascend, hold only what lies in the range asked for, and hold all of it, except that
///   `records` may stop early, after at least one row, once it has a MiB or so of what is stored.
/// - Rows are handed out as they are stored, however wrong. What has no form at all is a
///   [`Row::Malformed`], or is left out where an answer has no such variant. An error means that the
///   store could not be read, and nothing about the log.
/// - Nothing is written, created, repaired or locked out.
///
/// A reader that leaves rows out makes the verifier call a sound log broken; one that makes rows up cannot
/// make it call a broken log intact, since what counts is signed.
pub trait LogReader {
    /// The head row.
    ///
    /// # Errors
    /// [`ReadError`] if the store cannot be read.
    fn head_row(&mut self) -> Result<HeadRow, ReadError>;

    /// At most `limit` records from `from` on.
    ///
    /// # Errors
    /// [`ReadError`] if the store cannot be read.
    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError>;

    /// The stored leaves of these records, for proofs; those before the first one that has none.
    ///
    /// The answer is read from [`LogReader::records`] unless a reader knows a shorter way.
    ///
    /// # Errors
    /// [`ReadError`] if the store cannot be read.
    fn leaves(&mut self, records: Range<u64>) -> Result<Vec<Digest>, ReadError> {
        let mut leaves = Vec::new();
        let mut next = records.start;
        while next < records.end {
            let limit = u32::try_from(records.end - next).unwrap_or(u32::MAX);
            let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
            let before = next;
            for row in self.records(Seq::new(next), limit)? {
                match row {
                    Row::Record(row) if row.record.seq.get() == next => {
                        leaves.push(row.record.leaf);
                        next += 1;
                    }
                    Row::Record(_) | Row::Malformed { .. } => return Ok(leaves),
                }
            }
            if next == before {
                break;
            }
        }
        Ok(leaves)
    }

    /// The numbers of the records below this one whose kind column says that they change keys.
    ///
    /// They are looked for among [`LogReader::records`] unless a reader knows a shorter way.
    ///
    /// # Errors
    /// [`ReadError`] if the store cannot be read.
    fn key_changes(&mut self, below: Seq) -> Result<Vec<Seq>, ReadError> {
        let mut found = Vec::new();
        let mut next = Seq::GENESIS;
        while next < below {
            let rows = self.records(next, MANY)?;
            let Some(last) = rows.last() else { break };
            next = last.seq().next();
            found.extend(rows.iter().filter(|row| row.changes_keys()).map(Row::seq));
        }
        found.retain(|seq| *seq < below);
        Ok(found)
    }

    /// The checkpoints that are filed under these sizes, with their sizes.
    ///
    /// # Errors
    /// [`ReadError`] if the store cannot be read.
    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError>;

    /// The full subtrees of a level (from 1) at these places.
    ///
    /// # Errors
    /// [`ReadError`] if the store cannot be read.
    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError>;

    /// The texts of the disclosures that are filed under these records, with their records.
    ///
    /// A store may keep one sealed ([`Sealed`](crate::log::Sealed)); then that is its text.
    ///
    /// # Errors
    /// [`ReadError`] if the store cannot be read.
    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError>;

    /// The digests of the disclosures of these records that were there and were not handed over, with
    /// their records.
    ///
    /// Only an export withholds: a disclosure that a store lacks is missing, and one that it seals is there, as it is kept.
    ///
    /// # Errors
    /// [`ReadError`] if the store cannot be read.
    fn withheld(&mut self, records: Range<u64>) -> Result<Vec<(Seq, DisclosureDigest)>, ReadError> {
        let _ = records;
        Ok(Vec::new())
    }

    /// Whether logs in this form keep the full subtrees of the tree at all.
    ///
    /// Where they do not, they are worked out from the records and compared with nothing.
    fn keeps_subtrees(&self) -> bool {
        true
    }
}

impl<R: LogReader + ?Sized> LogReader for Box<R> {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        (**self).head_row()
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        (**self).records(from, limit)
    }

    fn leaves(&mut self, records: Range<u64>) -> Result<Vec<Digest>, ReadError> {
        (**self).leaves(records)
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        (**self).checkpoints(sizes)
    }

    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        (**self).subtrees(level, places)
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        (**self).disclosures(records)
    }

    fn withheld(&mut self, records: Range<u64>) -> Result<Vec<(Seq, DisclosureDigest)>, ReadError> {
        (**self).withheld(records)
    }

    fn keeps_subtrees(&self) -> bool {
        (**self).keeps_subtrees()
    }
}

/// The head row of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadRow {
    /// Its bytes ([`Head::encode`](crate::log::Head::encode)).
    Stored(Vec<u8>),
    /// It should be there and is not.
    Missing,
    /// Logs in this form have none, as in an export.
    NotKept,
}

/// A stored record with what is stored about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A row that could be read.
    Record(Box<RowRecord>),
    /// A row with this number whose columns are no record.
    Malformed {
        /// Its number.
        seq: Seq,
        /// Which column, and how it should be.
        what: &'static str,
    },
}

impl Row {
    /// The number under which it is stored.
    #[must_use]
    pub fn seq(&self) -> Seq {
        match self {
            Self::Record(row) => row.record.seq,
            Self::Malformed { seq, .. } => *seq,
        }
    }

    /// Whether its column of the kind is one of a record that changes keys.
    pub(crate) fn changes_keys(&self) -> bool {
        match self {
            Self::Record(row) => Kind::parse(&row.columns.kind).is_some_and(Kind::changes_keys),
            Self::Malformed { .. } => false,
        }
    }
}

/// A record and the columns beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRecord {
    /// The record.
    pub record: StoredRecord,
    /// Copies of what its statement says, for searching.
    pub columns: Columns,
}

/// What a store copies out of a statement in order to search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The leaf of the record before.
    pub prev: Digest,
    /// The text of the kind.
    pub kind: String,
    /// The request.
    pub request: Option<RequestId>,
    /// Gate time.
    pub ts: Timestamp,
}

impl Columns {
    /// What the statement itself says, for a log that is kept without columns.
    ///
    /// Of bytes that are no statement nothing can be copied, and nobody compares it: they are refused
    /// for what they are.
    pub(crate) fn of(statement: &[u8]) -> Self {
        let outline = match Outlined::read(statement) {
            Some(outlined) => Some(outlined.outline),
            None => Statement::parse(statement)
                .ok()
                .map(|parsed| Outline::of(&parsed)),
        };
        match outline {
            Some(outline) => Self {
                prev: outline.prev,
                kind: outline.kind.as_str().to_owned(),
                request: outline.request,
                ts: outline.ts,
            },
            None => Self {
                prev: Digest::from_bytes([0; 32]),
                kind: String::new(),
                request: None,
                ts: Timestamp::EPOCH,
            },
        }
    }
}

/// The store could not be read.
#[derive(Debug, Error)]
#[error("the log could not be read: {0}")]
pub struct ReadError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl ReadError {
    /// An error with its cause.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

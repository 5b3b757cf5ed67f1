//! Proofs and receipts out of a stored log, without a walk over it.

use std::{cell::RefCell, num::NonZeroU32, ops::Range};

use thiserror::Error;

use super::{
    checkpoint::{Checkpoint, CheckpointError},
    head::Head,
    id::Seq,
    kept::Kept,
    note::Note,
    prove::{Nodes, ProveError, prove_inclusion},
    receipt::Receipt,
    tree::leaf_hash,
    verify::{HeadRow, LogReader, ReadError, Row},
};
use crate::action::Disclosure;
use crate::canonical::Digest;

/// The tree of a stored log, for [`prove_inclusion`] and [`prove_consistency`](super::prove_consistency).
#[derive(Debug)]
pub struct StoredTree<'r, R: ?Sized>(RefCell<&'r mut R>);

impl<'r, R: LogReader + ?Sized> StoredTree<'r, R> {
    /// The tree of the log that is read.
    pub const fn of(reader: &'r mut R) -> Self {
        Self(RefCell::new(reader))
    }
}

impl<R: LogReader + ?Sized> Nodes for StoredTree<'_, R> {
    type Error = ReadError;

    fn leaves(&self, records: Range<u64>) -> Result<Vec<Digest>, ReadError> {
        self.0.borrow_mut().leaves(records)
    }

    fn subtrees(&self, level: u8, places: Range<u64>) -> Result<Vec<Digest>, ReadError> {
        let found = self.0.borrow_mut().subtrees(level, places.clone())?;
        // Those up to the first that is not where it should be: too few make no proof.
        Ok(places
            .zip(found)
            .take_while(|(place, one)| *place == one.index)
            .map(|(_, one)| one.hash)
            .collect())
    }
}

/// Which of the trees of a growing log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TreeSize {
    /// That of the newest checkpoint.
    #[default]
    Newest,
    /// The one over so many records, of which there is a checkpoint.
    Exactly(u64),
}

/// The receipt of a stored record, without disclosures, in the tree of a checkpoint that is stored too.
///
/// It reads the record, one checkpoint and some rows for each 256-fold of the log's size, and writes nothing. That the
/// receipt proves something to whoever has the keys is for them to find out; this checks only that its parts agree.
///
/// A log in a form without a head row is asked for all of its checkpoints in order to find the newest.
///
/// # Errors
/// [`ProveRecordError`] if there is no such record or checkpoint, or what is stored does not agree.
pub fn prove_record<R: LogReader + ?Sized>(
    reader: &mut R,
    seq: Seq,
    size: TreeSize,
) -> Result<Receipt, ProveRecordError> {
    let note = match size {
        TreeSize::Newest => newest_checkpoint(reader, seq)?,
        TreeSize::Exactly(size) => reader
            .checkpoints(size..size.saturating_add(1))?
            .pop()
            .map(|(_, note)| note)
            .ok_or(ProveRecordError::NoCheckpoint)?,
    };
    let checkpoint = read_checkpoint(&note)
        .map_err(|error| ProveRecordError::damaged(format!("its checkpoint: {error}")))?;
    let wrong_size = matches!(size, TreeSize::Exactly(size) if size != checkpoint.size);
    if wrong_size {
        return Err(ProveRecordError::damaged(
            "its checkpoint is filed under another size",
        ));
    }
    if seq.get() >= checkpoint.size {
        return Err(ProveRecordError::NoRecord(seq));
    }
    let record = match reader.records(seq, NonZeroU32::MIN)?.pop() {
        Some(Row::Record(row)) if row.record.seq == seq => row.record,
        Some(Row::Malformed { seq: at, what }) if at == seq => {
            return Err(ProveRecordError::damaged(what));
        }
        Some(_) | None => return Err(ProveRecordError::damaged("the record is missing")),
    };
    let proof = prove_inclusion(&StoredTree::of(reader), seq.get(), checkpoint.size)?;
    // Said here rather than by everybody to whom the receipt is given.
    proof
        .verify(&leaf_hash(&record.statement), &checkpoint.root)
        .map_err(|error| ProveRecordError::damaged(error.to_string()))?;
    Ok(Receipt {
        record,
        checkpoint: note,
        path: proof.path,
        disclosures: Vec::new(),
    })
}

/// The disclosures that are stored for a record, for [`Receipt::with_disclosures`].
///
/// # Errors
/// [`ProveRecordError`] if they cannot be read, one of them is malformed, or one is sealed and the reader does not open it.
pub fn stored_disclosures<R: LogReader + ?Sized>(
    reader: &mut R,
    seq: Seq,
) -> Result<Vec<Disclosure>, ProveRecordError> {
    let stored = reader.disclosures(seq.get()..seq.get().saturating_add(1))?;
    let kept = stored.iter().map(|(_, text)| match Kept::parse(text) {
        Ok(Kept::Clear(disclosure)) => Ok(disclosure),
        Ok(Kept::Sealed(_)) => Err(ProveRecordError::Sealed),
        Err(error) => Err(ProveRecordError::damaged(error.to_string())),
    });
    kept.collect()
}

fn newest_checkpoint<R: LogReader + ?Sized>(
    reader: &mut R,
    seq: Seq,
) -> Result<Vec<u8>, ProveRecordError> {
    match reader.head_row()? {
        HeadRow::Stored(bytes) => {
            let Head {
                size, checkpoint, ..
            } = Head::decode(&bytes)
                .map_err(|error| ProveRecordError::damaged(error.to_string()))?;
            // As it is filed, witnesses may have cosigned it since.
            let filed = reader.checkpoints(size..size.saturating_add(1))?.pop();
            let filed = filed.map(|(_, note)| note);
            Ok(filed
                .filter(|note| note.starts_with(&checkpoint))
                .unwrap_or(checkpoint))
        }
        HeadRow::Missing => Err(ProveRecordError::damaged("the head row is missing")),
        HeadRow::NotKept => reader
            .checkpoints(seq.get().saturating_add(1)..u64::MAX)?
            .pop()
            .map(|(_, note)| note)
            .ok_or(ProveRecordError::NoCheckpoint),
    }
}

fn read_checkpoint(note: &[u8]) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::parse(Note::parse(note)?.unverified_text())
}

/// Why a stored record has no receipt.
#[derive(Debug, Error)]
pub enum ProveRecordError {
    /// The tree has no such record.
    #[error("there is no record {0} in that tree")]
    NoRecord(Seq),
    /// No checkpoint of that size is stored, or none at all that covers the record.
    #[error("no such checkpoint is stored")]
    NoCheckpoint,
    /// The hidden values are sealed.
    #[error("the hidden values of the record are sealed, and their keys were not given")]
    Sealed,
    /// What is stored does not agree with itself.
    #[error("the log is damaged: {0}; verify it")]
    Damaged(String),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl ProveRecordError {
    fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged(why.into())
    }
}

impl From<ProveError<ReadError>> for ProveRecordError {
    fn from(error: ProveError<ReadError>) -> Self {
        match error {
            ProveError::Store(error) => Self::Read(error),
            error @ (ProveError::OutOfRange | ProveError::Missing) => {
                Self::Damaged(error.to_string())
            }
        }
    }
}

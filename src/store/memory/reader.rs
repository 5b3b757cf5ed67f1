use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;

use crate::log::{
    Columns, Head, HeadRow, Kept, LogReader, ReadError, Row, RowRecord, Seq, Subtree,
};

use super::super::step::NewRecord;
use super::state::State;

/// A snapshot of the log of a [`MemoryStore`](super::MemoryStore).
#[derive(Debug)]
pub struct MemoryReader {
    head: Option<Head>,
    records: Vec<NewRecord>,
    checkpoints: BTreeMap<u64, Vec<u8>>,
    subtrees: Vec<Subtree>,
    disclosures: BTreeMap<Seq, Vec<Kept>>,
}

impl MemoryReader {
    pub(super) fn new(state: &State) -> Self {
        let subtrees = state.subtrees.iter();
        Self {
            head: state.head.clone(),
            records: state.records.clone(),
            checkpoints: state.checkpoints.clone(),
            subtrees: subtrees
                .map(|((level, index), hash)| Subtree {
                    level: *level,
                    index: *index,
                    hash: *hash,
                })
                .collect(),
            disclosures: state.disclosures.clone(),
        }
    }
}

impl LogReader for MemoryReader {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        let head = self.head.as_ref();
        Ok(head.map_or(HeadRow::Missing, |head| HeadRow::Stored(head.encode())))
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let from = usize::try_from(from.get()).unwrap_or(usize::MAX);
        let rows = self.records.iter().skip(from).take(limit.get() as usize);
        Ok(rows
            .map(|new| {
                Row::Record(Box::new(RowRecord {
                    record: new.record.clone(),
                    columns: Columns {
                        prev: new.prev,
                        kind: new.kind.as_str().to_owned(),
                        request: new.request,
                        ts: new.ts,
                    },
                }))
            })
            .collect())
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let found = self.checkpoints.iter();
        Ok(found
            .filter(|(size, _)| sizes.contains(size))
            .map(|(size, note)| (*size, note.clone()))
            .collect())
    }

    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        let found = self.subtrees.iter().copied();
        Ok(found
            .filter(|one| one.level == level && places.contains(&one.index))
            .collect())
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        let found = self.disclosures.iter();
        Ok(found
            .filter(|(seq, _)| records.contains(&seq.get()))
            .flat_map(|(seq, ones)| ones.iter().map(|one| (*seq, one.to_text().into_owned())))
            .collect())
    }
}

//! A tree of three levels of tiles.

use std::{num::NonZeroU32, ops::Range};

use super::{
    super::{Export, TilesReader},
    faulty::Faulty,
    log::{Log, key},
};
use crate::log::{
    Checkpoint, Columns, Frontier, HeadRow, LogReader, Origin, ReadError, Row, RowRecord, Seq,
    StoredRecord, Subtree, leaf_hash,
};

/// A log whose records, after the genesis, say their numbers and nothing else: an export does not read them.
struct Tall {
    genesis: Row,
    size: u64,
    checkpoints: Vec<(u64, Vec<u8>)>,
    subtrees: Vec<Subtree>,
}

impl Tall {
    fn of(sizes: &[u64]) -> Self {
        let genesis = Log::of(1, &[1]).rows.remove(0);
        let mut tall = Self {
            genesis,
            size: *sizes.last().unwrap(),
            checkpoints: Vec::new(),
            subtrees: Vec::new(),
        };
        let mut frontier = Frontier::empty();
        for seq in 0..tall.size {
            let Row::Record(row) = tall.row(seq) else {
                panic!("record {seq} is malformed")
            };
            tall.subtrees.extend(frontier.push(row.record.leaf));
            if sizes.contains(&(seq + 1)) {
                let checkpoint = Checkpoint {
                    origin: Origin::new("example.com/exported").unwrap(),
                    size: seq + 1,
                    root: frontier.root(),
                };
                let note = checkpoint.sign(&key(2)).unwrap();
                tall.checkpoints.push((seq + 1, note));
            }
        }
        tall
    }

    fn row(&self, seq: u64) -> Row {
        if seq == 0 {
            return self.genesis.clone();
        }
        let statement = format!("record {seq}").into_bytes();
        let columns = Columns::of(&statement);
        let record = StoredRecord {
            seq: Seq::new(seq),
            leaf: leaf_hash(&statement),
            statement,
            signatures: Vec::new(),
        };
        Row::Record(Box::new(RowRecord { record, columns }))
    }
}

impl LogReader for Tall {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        Ok(HeadRow::NotKept)
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let end = self.size.min(from.get() + u64::from(limit.get()));
        Ok((from.get()..end).map(|seq| self.row(seq)).collect())
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let mut found = self.checkpoints.clone();
        found.retain(|(size, _)| sizes.contains(size) && *size <= self.size);
        Ok(found)
    }

    fn subtrees(&mut self, _: u8, _: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        Ok(Vec::new())
    }

    fn disclosures(&mut self, _: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        Ok(Vec::new())
    }
}

#[test]
fn a_tall_tree_grows_by_its_right_edge() {
    let sizes = [65_530, 65_600, 66_100];
    let mut tall = Tall::of(&sizes);
    let folder = tempfile::tempdir().unwrap();
    let mut published = 0;
    for size in sizes {
        tall.size = size;
        let exported = Export::of(&mut tall)
            .tiles_on(&mut Faulty::sound(), folder.path())
            .unwrap();
        assert_eq!((exported.from, exported.size), (published, size));
        published = size;
    }
    for path in [
        "tile/0/258.p/52",
        "tile/1/000",
        "tile/1/001.p/2",
        "tile/2/000.p/1",
        "tile/1/000.p/255",
    ] {
        assert!(folder.path().join(path).exists(), "{path}");
    }
    let mut reader = TilesReader::open(folder.path()).unwrap();
    let mut found = Vec::new();
    for level in 1..=6 {
        found.extend(reader.subtrees(level, 0..u64::MAX).unwrap());
    }
    let mut expected = tall.subtrees.clone();
    expected.sort_by_key(|one| (one.level, one.index));
    assert_eq!(expected.len(), 259);
    assert_eq!(found, expected);
}

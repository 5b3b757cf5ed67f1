use std::num::NonZeroU32;
use std::ops::Range;

use crate::action::DisclosureDigest;
use crate::canonical::Digest;
use crate::log::{HeadRow, LogReader, ReadError, Row, Sealed, Seq, Subtree};

use super::{NotOpened, ValueKeys};

/// A log whose sealed values are opened as it is read.
///
/// What cannot be opened because its key was destroyed is not there for whoever reads, so that a verifier asks for the record that
/// erased it; what is damaged is a malformed disclosure.
///
/// ```no_run
/// use countersign::audit::Audit;
/// use countersign::store::SqliteStore;
/// use countersign::values::{Unsealed, ValueKeys};
///
/// # fn example(trusted: countersign::log::TrustedKeys) -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::open_read_only("audit.sqlite")?;
/// let keys = ValueKeys::read("audit.keys/cd8aaf4c-58ab-4e6c-9d0a-8b7cf0b1b0c5.values")?;
/// let mut reader = Unsealed::new(store.log_reader()?, keys);
/// println!("{}", Audit::of(&mut reader).trusting(trusted).run());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Unsealed<R> {
    reader: R,
    keys: ValueKeys,
}

impl<R: LogReader> Unsealed<R> {
    /// Reads a log with the keys of its values.
    pub const fn new(reader: R, keys: ValueKeys) -> Self {
        Self { reader, keys }
    }
}

impl<R: LogReader> LogReader for Unsealed<R> {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        self.reader.head_row()
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        self.reader.records(from, limit)
    }

    fn leaves(&mut self, records: Range<u64>) -> Result<Vec<Digest>, ReadError> {
        self.reader.leaves(records)
    }

    fn key_changes(&mut self, below: Seq) -> Result<Vec<Seq>, ReadError> {
        self.reader.key_changes(below)
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        self.reader.checkpoints(sizes)
    }

    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        self.reader.subtrees(level, places)
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        let mut opened = self.reader.disclosures(records)?;
        opened.retain_mut(|(seq, text)| {
            let Ok(sealed) = Sealed::parse(text) else {
                return true;
            };
            match self.keys.open(*seq, &sealed) {
                Ok(disclosure) => disclosure.as_str().clone_into(text),
                Err(NotOpened::Destroyed) => return false,
                Err(NotOpened::Damaged) => text.clear(),
            }
            true
        });
        Ok(opened)
    }

    fn withheld(&mut self, records: Range<u64>) -> Result<Vec<(Seq, DisclosureDigest)>, ReadError> {
        self.reader.withheld(records)
    }

    fn keeps_subtrees(&self) -> bool {
        self.reader.keeps_subtrees()
    }
}

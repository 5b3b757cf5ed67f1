use std::{fmt, io::Write, path::Path};

use super::{
    disclosing::{Count, Disclosing},
    disk::{Disk, System},
    error::ExportError,
    jsonl, tiles,
};
use crate::log::{LogId, LogReader, Origin};

/// An export of one log.
pub struct Export<'a>(Exporting<'a>);

/// What every form of export needs.
pub(super) struct Exporting<'a> {
    pub(super) reader: &'a mut dyn LogReader,
    pub(super) disclosing: Disclosing<'a>,
    pub(super) replacing: bool,
    pub(super) progress: Box<dyn FnMut(Progress) + 'a>,
    pub(super) count: Count,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many records were read and hashed; nothing is written yet.
    Checked(u64),
    /// So many records are written.
    Written(u64),
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The log.
    pub log: LogId,
    /// Its origin.
    pub origin: Origin,
    /// How many records had been published before; equal to `size` where nothing was new.
    pub from: u64,
    /// How many records are published now.
    pub size: u64,
    /// How many disclosures this run has handed over.
    pub given: u64,
    /// How many disclosures this run has named and not handed over.
    pub withheld: u64,
}

impl<'a> Export<'a> {
    /// An export of what `reader` reads, which must be one snapshot. Every record is read twice: once to see that the log is
    /// what its checkpoints say, and once to write.
    #[must_use]
    pub fn of(reader: &'a mut dyn LogReader) -> Self {
        Self(Exporting {
            reader,
            disclosing: Disclosing::Nothing,
            replacing: false,
            progress: Box::new(|_| {}),
            count: Count::default(),
        })
    }

    /// Which values of hidden members are handed over.
    #[must_use]
    pub fn disclosing(mut self, disclosing: Disclosing<'a>) -> Self {
        self.0.disclosing = disclosing;
        self
    }

    /// Writes the disclosures of records that were published before anew, as they are in the log and as
    /// [`disclosing`](Self::disclosing) says now: after an erasure, or to hand over other values.
    ///
    /// Without it, tiles get the disclosures of new records only, and of the up to 255 before them.
    #[must_use]
    pub fn replacing_disclosures(mut self) -> Self {
        self.0.replacing = true;
        self
    }

    /// Hears now and then how far it is.
    #[must_use]
    pub fn progress(mut self, hear: impl FnMut(Progress) + 'a) -> Self {
        self.0.progress = Box::new(hear);
        self
    }

    /// Publishes the log as a C2SP tlog-tiles directory, which any static web server can serve, or adds to one what is new.
    ///
    /// The directory is made if it is not there. The checkpoint comes last: whenever the machine stops, the checkpoint in
    /// the directory is that of an earlier run or the new one, and all that it covers is there. No tile, bundle or signature that was
    /// published is written again. After a failure, another run completes it.
    ///
    /// # Errors
    /// [`ExportError`]; of those that say so, nothing was written.
    pub fn to_tiles(self, directory: impl AsRef<Path>) -> Result<Exported, ExportError> {
        self.tiles_on(&mut System, directory.as_ref())
    }

    pub(super) fn tiles_on(
        mut self,
        disk: &mut dyn Disk,
        directory: &Path,
    ) -> Result<Exported, ExportError> {
        tiles::export(&mut self.0, disk, directory)
    }

    /// Writes the log as JSON Lines into a new file, which is there whole or not at all.
    ///
    /// # Errors
    /// [`ExportError`]; a file that is there already is not touched.
    pub fn to_jsonl(self, file: impl AsRef<Path>) -> Result<Exported, ExportError> {
        self.jsonl_on(&mut System, file.as_ref())
    }

    pub(super) fn jsonl_on(
        mut self,
        disk: &mut dyn Disk,
        file: &Path,
    ) -> Result<Exported, ExportError> {
        jsonl::export(&mut self.0, disk, file)
    }

    /// Writes the log as JSON Lines, such as to a pipe.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn write_jsonl(mut self, out: &mut dyn Write) -> Result<Exported, ExportError> {
        jsonl::write(&mut self.0, out)
    }
}

impl fmt::Debug for Export<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("disclosing", &self.0.disclosing)
            .field("replacing", &self.0.replacing)
            .finish_non_exhaustive()
    }
}

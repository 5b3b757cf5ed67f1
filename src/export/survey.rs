//! The first of two passes: whether the log is what its checkpoints say and continues what is published, before a
//! byte is written.

use std::num::NonZeroU32;

use super::{
    error::ExportError,
    run::{Exporting, Progress},
};
use crate::{
    canonical::Digest,
    log::{
        Broken, Checkpoint, Frontier, Genesis, LogReader, Note, Row, RowRecord, Rule, Seq,
        Statement, StatementLimit, VerifiedGenesis, leaf_hash,
    },
};

/// How many records are asked for at once.
const ROWS: NonZeroU32 = match NonZeroU32::new(256) {
    Some(rows) => rows,
    None => NonZeroU32::MIN,
};

/// How many signatures a record of an export has at most (format rule S2).
pub(super) const MOST_SIGNATURES: usize = 8;

/// The largest log that is looked for.
pub(super) const LARGEST: u64 = (1 << 53) - 1;

/// Where a survey begins.
pub(super) struct Start {
    /// The tree over what need not be read again; its size is a multiple of 256.
    pub(super) frontier: Frontier,
    /// The published checkpoint.
    pub(super) published: Option<Checkpoint>,
}

/// What a survey found: all of the log and its last checkpoint agree.
#[derive(Debug)]
pub(super) struct Surveyed {
    pub(super) size: u64,
    pub(super) root: Digest,
    /// The signed note.
    pub(super) checkpoint: Vec<u8>,
}

/// Record 0, checked as far as it can be alone.
pub(super) fn genesis(reader: &mut dyn LogReader) -> Result<Genesis, ExportError> {
    let rows = reader.records(Seq::GENESIS, NonZeroU32::MIN)?;
    match rows.into_iter().next() {
        None => Err(ExportError::Empty),
        Some(Row::Malformed { seq, what }) => Err(broken(seq.get(), Rule::S8, what)),
        Some(Row::Record(row)) => {
            let genesis = VerifiedGenesis::check(&row.record).map_err(ExportError::Broken)?;
            Ok(genesis.genesis().clone())
        }
    }
}

pub(super) fn survey(
    exporting: &mut Exporting<'_>,
    genesis: &Genesis,
    start: Start,
) -> Result<Surveyed, ExportError> {
    let Start {
        mut frontier,
        published,
    } = start;
    let mut last = None;
    if frontier.size() == 0 && !exporting.reader.checkpoints(0..1)?.is_empty() {
        let why = "a checkpoint is filed under another size";
        return Err(broken(0, Rule::S7, why));
    }
    // At a multiple of 256 nothing that is published is read again, so that the signed record after it is asked.
    let aligned = published
        .as_ref()
        .filter(|published| published.size == frontier.size())
        .cloned();
    if let Some(published) = &aligned {
        let own = exporting
            .reader
            .checkpoints(published.size..published.size + 1)?;
        for (size, note) in &own {
            if read(note, genesis, *size)?.root != published.root {
                return Err(ExportError::Fork {
                    published: published.size,
                });
            }
        }
        last = own.into_iter().next_back();
    }
    loop {
        let from = frontier.size();
        let rows = rows(exporting.reader, from)?;
        let Some(end) = rows.last().map(|row| row.record.seq.next().get()) else {
            break;
        };
        let mut checkpoints = exporting
            .reader
            .checkpoints(from + 1..end + 1)?
            .into_iter()
            .peekable();
        for row in rows {
            if let Some(published) = &aligned
                && published.size == frontier.size()
            {
                follows(&row, published)?;
            }
            frontier.push(row.record.leaf);
            if let Some(published) = &published
                && published.size == frontier.size()
                && published.root != frontier.root()
            {
                return Err(ExportError::Fork {
                    published: published.size,
                });
            }
            while let Some((size, note)) = checkpoints.next_if(|(size, _)| *size <= frontier.size())
            {
                if read(&note, genesis, size)?.root != frontier.root() {
                    let why = "the checkpoint after it has another tree head";
                    return Err(broken(size - 1, Rule::S7, why));
                }
                last = Some((size, note));
            }
        }
        (exporting.progress)(Progress::Checked(frontier.size()));
    }
    let size = frontier.size();
    if let Some(published) = &published
        && published.size > size
    {
        let published = published.size;
        // What was skipped is counted from what is published, so the log itself is asked.
        let size = size_below(exporting.reader, size)?;
        return Err(ExportError::Rollback { published, size });
    }
    if size == 0 {
        return Err(ExportError::Empty);
    }
    beyond(exporting.reader, size)?;
    match last {
        Some((covered, checkpoint)) if covered == size => Ok(Surveyed {
            size,
            root: frontier.root(),
            checkpoint,
        }),
        _ => Err(broken(size - 1, Rule::S7, "no checkpoint covers it")),
    }
}

/// The next records, of which each is in its place and whole.
pub(super) fn rows(reader: &mut dyn LogReader, from: u64) -> Result<Vec<RowRecord>, ExportError> {
    let rows = reader.records(Seq::new(from), ROWS)?;
    let mut sound = Vec::with_capacity(rows.len());
    for (expected, row) in (from..).zip(rows) {
        let row = match row {
            Row::Record(row) => row,
            Row::Malformed { seq, what } => return Err(broken(seq.get(), Rule::S8, what)),
        };
        let record = &row.record;
        if record.seq.get() != expected {
            let why = "records are missing from here on";
            return Err(broken(expected, Rule::S4, why));
        }
        if record.statement.len() > StatementLimit::LARGEST.get() {
            return Err(broken(expected, Rule::F1, "its statement is too large"));
        }
        if record.leaf != leaf_hash(&record.statement) {
            return Err(broken(expected, Rule::S8, "its stored leaf is another"));
        }
        if record.signatures.len() > MOST_SIGNATURES {
            let why = "it has more than 8 signatures";
            return Err(broken(expected, Rule::S2, why));
        }
        sound.push(*row);
    }
    Ok(sound)
}

/// A checkpoint of this log as it is filed; its signature is for the verifier.
fn read(note: &[u8], genesis: &Genesis, size: u64) -> Result<Checkpoint, ExportError> {
    let parsed = Note::parse(note)
        .ok()
        .and_then(|note| Checkpoint::parse(note.unverified_text()).ok());
    parsed
        .filter(|checkpoint| checkpoint.size == size && checkpoint.origin == *genesis.origin())
        .ok_or_else(|| {
            let why = "what is filed as the checkpoint after it is none of this log and size";
            broken(size.saturating_sub(1), Rule::S7, why)
        })
}

/// Whether the record after what is published names the published tree head.
fn follows(row: &RowRecord, published: &Checkpoint) -> Result<(), ExportError> {
    let statement = Statement::parse(&row.record.statement)
        .map_err(|error| ExportError::Broken(Broken::new(row.record.seq, error.rule, error.why)))?;
    if statement.root == published.root {
        return Ok(());
    }
    Err(ExportError::Fork {
        published: published.size,
    })
}

/// How many records there are, which are `most` or fewer.
fn size_below(reader: &mut dyn LogReader, most: u64) -> Result<u64, ExportError> {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low + (high - low) / 2;
        if reader
            .records(Seq::new(middle), NonZeroU32::MIN)?
            .is_empty()
        {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Refuses what is filed under records that are not there.
fn beyond(reader: &mut dyn LogReader, size: u64) -> Result<(), ExportError> {
    if !reader.checkpoints(size + 1..LARGEST)?.is_empty() {
        let why = "a checkpoint covers records that are missing";
        return Err(broken(size, Rule::S7, why));
    }
    if let Some((seq, _)) = reader.disclosures(size..LARGEST)?.first() {
        let why = "a disclosure is filed under a record that is not there";
        return Err(broken(seq.get(), Rule::S9, why));
    }
    Ok(())
}

pub(super) fn broken(seq: u64, rule: Rule, why: &'static str) -> ExportError {
    ExportError::Broken(Broken::new(Seq::new(seq), rule, why))
}

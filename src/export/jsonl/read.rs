//! Lines as a log that can be verified.

use std::{
    fs::{self, File},
    io::{self, BufReader, Seek, SeekFrom},
    num::NonZeroU32,
    ops::{ControlFlow, Range},
    path::Path,
};

use super::line::{
    CHECKPOINT, Header, Line, MOST_LINE, RecordLine, parse_checkpoint, pass_line, read_line,
};
use crate::{
    action::DisclosureDigest,
    log::{
        Columns, Genesis, HeadRow, LogReader, ReadError, Row, RowRecord, Seq, StoredRecord,
        Subtree, VerifiedGenesis, leaf_hash,
    },
};

/// For so many records one place in the file is remembered.
const BLOCK: u64 = 256;

/// How many bytes one answer holds, about.
const PORTION: usize = 1 << 20;

/// The largest header.
const MOST_HEADER: usize = 4096;

/// A log in JSON Lines.
///
/// A line's place counts, and it has one spelling: a line that is not exactly as it should be is handed to the verifier as a bad
/// record or checkpoint in that place. Nothing is kept of the file but where some of its lines begin.
///
/// The file must not change while it is read.
#[derive(Debug)]
pub struct JsonlReader {
    file: BufReader<File>,
    header: Header,
    /// Where the lines after so many blocks of records begin.
    blocks: Vec<u64>,
    /// How many lines with records there are.
    count: u64,
    /// What is filed under the records that were read last.
    filed: FiledLines,
}

/// What is filed under some records.
#[derive(Debug, Default)]
struct FiledLines {
    records: Range<u64>,
    given: Vec<(Seq, String)>,
    withheld: Vec<(Seq, DisclosureDigest)>,
}

/// A line in its place.
struct Placed<'l> {
    /// How many records stand before it.
    place: u64,
    checkpoint: bool,
    /// Its bytes; `None` if they are no line.
    line: Option<&'l [u8]>,
}

impl JsonlReader {
    /// Passes over the file and remembers where its lines begin.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read or does not begin with a header.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = file.as_ref();
        // Opening a pipe would wait for its writer.
        if !fs::metadata(path).map_err(ReadError::new)?.is_file() {
            return Err(ReadError::new(format!("`{}` is no file", path.display())));
        }
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(ReadError::new)?);
        let mut line = Vec::new();
        let header = match read_line(&mut file, &mut line, MOST_HEADER).map_err(ReadError::new)? {
            Line::Whole => Header::parse(&line),
            Line::Torn | Line::TooLong | Line::End => None,
        };
        let header = header.ok_or_else(|| {
            ReadError::new(format!(
                "`{}` does not begin as an exported log",
                path.display()
            ))
        })?;
        let mut reader = Self {
            file,
            header,
            blocks: Vec::new(),
            count: 0,
            filed: FiledLines::default(),
        };
        reader.index().map_err(ReadError::new)?;
        Ok(reader)
    }

    fn index(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            if self.count.is_multiple_of(BLOCK)
                && u64::try_from(self.blocks.len()) == Ok(self.count / BLOCK)
            {
                let here = self.file.stream_position()?;
                self.blocks.push(here);
            }
            match read_line(&mut self.file, &mut line, MOST_LINE)? {
                Line::End => return Ok(()),
                Line::Whole if line.starts_with(CHECKPOINT) => {}
                Line::Whole | Line::Torn => self.count += 1,
                Line::TooLong => {
                    pass_line(&mut self.file)?;
                    self.count += 1;
                }
            }
        }
    }

    /// Goes over the lines from the one after `place` records on.
    fn scan(
        &mut self,
        place: u64,
        mut see: impl FnMut(Placed<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let block = (place / BLOCK).min(u64::try_from(self.blocks.len()).unwrap_or(u64::MAX) - 1);
        let start = usize::try_from(block)
            .ok()
            .and_then(|block| self.blocks.get(block));
        let Some(start) = start else {
            return Ok(());
        };
        self.file.seek(SeekFrom::Start(*start))?;
        let mut at = block * BLOCK;
        let mut line = Vec::new();
        loop {
            let read = read_line(&mut self.file, &mut line, MOST_LINE)?;
            let whole = match read {
                Line::End => return Ok(()),
                Line::Whole => Some(line.as_slice()),
                Line::Torn => None,
                Line::TooLong => {
                    pass_line(&mut self.file)?;
                    None
                }
            };
            let checkpoint = whole.is_some_and(|line| line.starts_with(CHECKPOINT));
            let placed = Placed {
                place: at,
                checkpoint,
                line: whole,
            };
            if at >= place && see(placed).is_break() {
                return Ok(());
            }
            at += u64::from(!checkpoint);
        }
    }

    /// Reads what is filed under these records, unless it is at hand.
    fn file(&mut self, records: Range<u64>) -> Result<(), ReadError> {
        let known = &self.filed.records;
        if known.start <= records.start && records.end.min(self.count) <= known.end {
            return Ok(());
        }
        let mut filed = FiledLines {
            records: records.clone(),
            ..FiledLines::default()
        };
        self.scan(
            records.start,
            |Placed {
                 place,
                 checkpoint,
                 line,
             }| {
                if place >= records.end {
                    return ControlFlow::Break(());
                }
                if !checkpoint && let Some(line) = line.and_then(RecordLine::parse) {
                    filed.add(place, &line);
                }
                ControlFlow::Continue(())
            },
        )
        .map_err(ReadError::new)?;
        self.filed = filed;
        Ok(())
    }
}

impl FiledLines {
    fn add(&mut self, place: u64, line: &RecordLine) {
        let seq = Seq::new(place);
        let given = line.disclosures.iter().map(|text| (seq, text.clone()));
        self.given.extend(given);
        self.withheld
            .extend(line.withheld.iter().map(|digest| (seq, *digest)));
    }
}

impl Header {
    /// What a line of a record comes to in its place.
    fn judge(&self, place: u64, line: RecordLine) -> Result<RowRecord, &'static str> {
        let RecordLine {
            seq,
            statement,
            signatures,
            disclosures: _,
            withheld: _,
        } = line;
        if seq != place {
            return Err("its line stands in another place than it says");
        }
        if place >= self.records {
            return Err("the header counts fewer records");
        }
        let record = StoredRecord {
            seq: Seq::new(place),
            leaf: leaf_hash(&statement),
            statement,
            signatures,
        };
        if place == 0
            && let Ok(genesis) = VerifiedGenesis::check(&record)
            && !self.is_of(genesis.genesis())
        {
            return Err("the header names another log");
        }
        let columns = Columns::of(&record.statement);
        Ok(RowRecord { record, columns })
    }

    fn is_of(&self, genesis: &Genesis) -> bool {
        self.log == *genesis.log() && self.origin == *genesis.origin()
    }
}

impl LogReader for JsonlReader {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        Ok(HeadRow::NotKept)
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let from = from.get();
        let header = self.header.clone();
        let most = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let mut rows: Vec<Row> = Vec::new();
        let mut filed = FiledLines {
            records: from..from,
            ..FiledLines::default()
        };
        let mut bytes = 0;
        self.scan(
            from,
            |Placed {
                 place,
                 checkpoint,
                 line,
             }| {
                if checkpoint {
                    return ControlFlow::Continue(());
                }
                let row = match line.and_then(RecordLine::parse) {
                    None => Err("it is no line of a record"),
                    Some(line) => {
                        filed.add(place, &line);
                        header.judge(place, line)
                    }
                };
                bytes += line.map_or(0, <[u8]>::len);
                filed.records.end = place + 1;
                let seq = Seq::new(place);
                rows.push(match row {
                    Ok(row) => Row::Record(Box::new(row)),
                    Err(what) => Row::Malformed { seq, what },
                });
                if rows.len() < most && bytes < PORTION {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            },
        )
        .map_err(ReadError::new)?;
        let end = self.count.max(from);
        if rows.len() < most && bytes < PORTION && end == self.count && self.count < header.records
        {
            rows.push(Row::Malformed {
                seq: Seq::new(end),
                what: "the header counts more records than there are",
            });
        }
        self.filed = filed;
        Ok(rows)
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let mut found = Vec::new();
        self.scan(
            sizes.start,
            |Placed {
                 place,
                 checkpoint,
                 line,
             }| {
                if place >= sizes.end {
                    return ControlFlow::Break(());
                }
                if checkpoint && let Some(line) = line {
                    // One that is none is handed out as it is, and refused.
                    let note = parse_checkpoint(line, place).unwrap_or_else(|| line.to_vec());
                    found.push((place, note));
                }
                ControlFlow::Continue(())
            },
        )
        .map_err(ReadError::new)?;
        Ok(found)
    }

    /// None are kept.
    fn subtrees(&mut self, _level: u8, _places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        Ok(Vec::new())
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        self.file(records.clone())?;
        let mut found = self.filed.given.clone();
        found.retain(|(seq, _)| records.contains(&seq.get()));
        Ok(found)
    }

    fn withheld(&mut self, records: Range<u64>) -> Result<Vec<(Seq, DisclosureDigest)>, ReadError> {
        self.file(records.clone())?;
        let mut found = self.filed.withheld.clone();
        found.retain(|(seq, _)| records.contains(&seq.get()));
        Ok(found)
    }

    fn keeps_subtrees(&self) -> bool {
        false
    }
}

//! Reading a log in pieces, in one thread that does nothing else.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    ops::Range,
    sync::mpsc::{Receiver, SyncSender},
};

use super::{
    reader::{HeadRow, LogReader, ReadError, Row},
    terms::Depth,
};
use crate::{
    action::DisclosureDigest,
    log::{
        id::Seq,
        tree::{LARGEST_TREE, LEVELS_PER_ROW, Subtree},
    },
};

/// How many records a piece has at most.
///
/// Values take several times the memory of the bytes that they are made of, and many pieces are on the way at once. Where only
/// hashes are looked at there are no values, and one checkpoint for each piece is checked.
const fn most_records(depth: Depth) -> NonZeroU32 {
    let most = match depth {
        Depth::Signatures => NonZeroU32::new(256),
        Depth::Hashes => NonZeroU32::new(1024),
    };
    match most {
        Some(most) => most,
        None => NonZeroU32::MIN,
    }
}

/// How many bytes of statements and disclosures a piece has before it is closed.
const PIECE_BYTES: usize = 4 << 20;

/// For how many records disclosures are read at once.
const STEP: usize = 64;

/// The levels at which a tree can have full subtrees.
pub(super) const LEVELS: std::ops::RangeInclusive<u8> = 1..=6;

/// A stretch of the log with everything that is filed under it.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its place among the pieces.
    pub(super) number: usize,
    /// The numbers of records that it covers, whether or not each is there.
    pub(super) range: Range<u64>,
    pub(super) rows: Vec<Fed>,
    /// Records under which disclosures are filed that are not there.
    pub(super) strays: Vec<Seq>,
    /// Checkpoints that end within the range.
    pub(super) checkpoints: Vec<(u64, Vec<u8>)>,
    /// Full subtrees that end within the range; `None` where none are kept.
    pub(super) subtrees: Option<Vec<Subtree>>,
}

impl Piece {
    /// One record by itself, with nothing of what else ends with it.
    pub(super) fn of_one(range: Range<u64>, row: Fed) -> Self {
        Self {
            number: 0,
            range,
            rows: vec![row],
            strays: Vec::new(),
            checkpoints: Vec::new(),
            subtrees: None,
        }
    }
}

/// A row and the disclosures filed under it.
#[derive(Debug)]
pub(super) struct Fed {
    pub(super) row: Row,
    pub(super) disclosures: Vec<String>,
    /// The digests of those that an export withholds.
    pub(super) withheld: Vec<DisclosureDigest>,
}

/// What is stored but belongs to no record that was found.
#[derive(Debug)]
pub(super) struct Beyond {
    /// All records were read before it, so that without it the others can be judged.
    pub(super) head: Result<HeadRow, ReadError>,
    pub(super) checkpoint: bool,
    pub(super) subtree: bool,
    pub(super) disclosure: Option<Seq>,
}

/// Reads the log from the record `from` on, a piece for each turn, and then what lies beyond it.
pub(super) fn feed(
    reader: &mut dyn LogReader,
    (depth, mut from): (Depth, u64),
    turns: &Receiver<()>,
    pieces: SyncSender<Piece>,
) -> Result<Beyond, ReadError> {
    let mut waiting = VecDeque::new();
    // Without a turn nobody wants to know any more.
    for number in 0.. {
        if turns.recv().is_err() {
            break;
        }
        let Some(piece) = read_piece(reader, depth, number, from, &mut waiting)? else {
            break;
        };
        from = piece.range.end;
        if pieces.send(piece).is_err() {
            break;
        }
    }
    // No more pieces: the workers may go home while the rest is read.
    drop(pieces);
    let mut subtree = false;
    for level in LEVELS {
        let first = from >> (u32::from(level) * LEVELS_PER_ROW);
        subtree |= !reader.subtrees(level, first..LARGEST_TREE)?.is_empty();
    }
    Ok(Beyond {
        head: reader.head_row(),
        checkpoint: !reader.checkpoints(from + 1..LARGEST_TREE)?.is_empty(),
        subtree,
        disclosure: beyond(reader, from..LARGEST_TREE)?,
    })
}

/// The first record here under which a disclosure is filed, given or withheld.
fn beyond(reader: &mut dyn LogReader, records: Range<u64>) -> Result<Option<Seq>, ReadError> {
    let given = reader.disclosures(records.clone())?;
    let withheld = reader.withheld(records)?;
    let given = given.first().map(|(seq, _)| *seq);
    Ok(given
        .into_iter()
        .chain(withheld.first().map(|(seq, _)| *seq))
        .min())
}

fn read_piece(
    reader: &mut dyn LogReader,
    depth: Depth,
    number: usize,
    from: u64,
    waiting: &mut VecDeque<Row>,
) -> Result<Option<Piece>, ReadError> {
    let mut piece = Piece {
        number,
        range: from..from,
        rows: Vec::new(),
        strays: Vec::new(),
        checkpoints: Vec::new(),
        subtrees: reader.keeps_subtrees().then(Vec::new),
    };
    let mut bytes = 0;
    let limit = most_records(depth);
    let most = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    while piece.rows.len() < most && bytes < PIECE_BYTES {
        if waiting.is_empty() {
            *waiting = reader.records(Seq::new(piece.range.end), limit)?.into();
        }
        let step: Vec<Row> = waiting.drain(..waiting.len().min(STEP)).collect();
        let Some(last) = step.last() else {
            break;
        };
        let covered = piece.range.end..last.seq().next().get();
        let ascending = step.is_sorted_by(|row, next| row.seq() < next.seq());
        let within = step
            .first()
            .is_some_and(|row| covered.contains(&row.seq().get()));
        if !ascending || !within {
            return Err(ReadError::new("its records were not handed out in order"));
        }
        bytes += file(reader, depth, &mut piece, step, covered)?;
    }
    if piece.rows.is_empty() {
        return Ok(None);
    }
    let Range { start, end } = piece.range;
    // The first piece also has what is filed under size 0, where nothing may be.
    let sizes = if start == 0 { 0 } else { start + 1 }..end + 1;
    piece.checkpoints = reader.checkpoints(sizes)?;
    for level in LEVELS {
        let height = u32::from(level) * LEVELS_PER_ROW;
        let places = start >> height..end >> height;
        if let Some(subtrees) = &mut piece.subtrees
            && !places.is_empty()
        {
            subtrees.append(&mut reader.subtrees(level, places)?);
        }
    }
    Ok(Some(piece))
}

/// Puts rows and their disclosures into a piece, and returns how many bytes they have.
fn file(
    reader: &mut dyn LogReader,
    depth: Depth,
    piece: &mut Piece,
    rows: Vec<Row>,
    covered: Range<u64>,
) -> Result<usize, ReadError> {
    let mut bytes = 0;
    piece.range.end = covered.end;
    let (filed, withheld) = match depth {
        Depth::Signatures => (
            reader.disclosures(covered.clone())?,
            reader.withheld(covered)?,
        ),
        Depth::Hashes => (Vec::new(), Vec::new()),
    };
    let mut filed = filed.into_iter().peekable();
    let mut withheld = withheld.into_iter().peekable();
    for row in rows {
        let mut disclosures = Vec::new();
        while let Some((seq, text)) = filed.next_if(|(seq, _)| *seq <= row.seq()) {
            bytes += text.len();
            if seq == row.seq() {
                disclosures.push(text);
            } else {
                piece.strays.push(seq);
            }
        }
        let mut digests = Vec::new();
        while let Some((seq, digest)) = withheld.next_if(|(seq, _)| *seq <= row.seq()) {
            if seq == row.seq() {
                digests.push(digest);
            } else {
                piece.strays.push(seq);
            }
        }
        if let Row::Record(row) = &row {
            bytes += row.record.statement.len();
        }
        piece.rows.push(Fed {
            row,
            disclosures,
            withheld: digests,
        });
    }
    piece.strays.extend(filed.map(|(seq, _)| seq));
    piece.strays.extend(withheld.map(|(seq, _)| seq));
    Ok(bytes)
}

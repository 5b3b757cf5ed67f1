//! Structural verification: whether a stored log is what its keys signed, from its first record to its
//! last.

mod duplicates;
mod examine;
mod feed;
mod reader;
mod report;
mod resume;
mod terms;
mod walk;

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    sync::{Arc, Mutex, PoisonError, RwLock, mpsc},
    thread,
};

use self::{
    examine::{Bodies, Examined, Ground},
    feed::{Beyond, Piece},
    resume::Stop,
    walk::{Anchor, Visit, Walk},
};
pub use self::{
    reader::{Columns, HeadRow, LogReader, ReadError, Row, RowRecord},
    report::{Report, Verdict},
    resume::Foothold,
    terms::{Depth, Terms},
};
use super::{
    checkpoint::{Checkpoint, CheckpointError},
    id::Seq,
    keys::{PublicKey, Role},
    note::{Note, NoteError},
    tree::LARGEST_TREE,
    trust::{Trust, VerifiedGenesis, VerifiedRecord},
    trusted::TrustedKeys,
};
use crate::action::Disclosure;

/// Walks over a stored log and judges its bytes, structure and signatures (rules F, S and M9; F6 only of
/// the genesis).
///
/// It never stops at a bad record. `progress` hears how many records were passed; `visit` sees each sound
/// record in order, with its disclosures, so that a layer that knows what records mean can judge them in the
/// same pass and add what it finds to the report.
///
/// Signatures are checked on all cores. Memory holds a few MiB of records at a time, and 8 bytes for each
/// hidden member.
pub fn verify_structure(
    reader: &mut (dyn LogReader + Send),
    terms: &Terms<'_>,
    progress: &mut dyn FnMut(u64),
    visit: &mut dyn FnMut(&VerifiedRecord, &[Disclosure]),
) -> Report {
    verify(reader, terms, Bodies::Built, progress, visit)
}

/// As [`verify_structure`], for whoever does not look at records: their bodies are judged in the same way, and not
/// made into values, which takes a fraction of the time.
pub fn verify_structure_alone(
    reader: &mut (dyn LogReader + Send),
    terms: &Terms<'_>,
    progress: &mut dyn FnMut(u64),
) -> Report {
    verify(reader, terms, Bodies::Judged, progress, &mut |_, _| {})
}

fn verify(
    reader: &mut (dyn LogReader + Send),
    terms: &Terms<'_>,
    bodies: Bodies,
    progress: &mut dyn FnMut(u64),
    visit: Visit<'_>,
) -> Report {
    let Terms {
        keys,
        anchors,
        witnesses,
        window,
        depth,
        since,
        leave_foothold,
    } = *terms;
    let first = match reader.records(Seq::GENESIS, NonZeroU32::MIN) {
        Ok(rows) => rows.into_iter().next(),
        Err(error) => {
            let mut report = Report::new();
            report.add_doubt(error.to_string());
            return report;
        }
    };
    let genesis = match &first {
        Some(Row::Record(row)) => Some(VerifiedGenesis::check(&row.record)),
        Some(Row::Malformed { .. }) | None => None,
    };
    let trust = genesis
        .as_ref()
        .and_then(|genesis| genesis.as_ref().ok())
        .map(Trust::on_genesis);
    let (mut doubts, mut others) = (Vec::new(), Vec::new());
    let anchors = read_anchors(anchors, keys, trust.as_ref(), &mut doubts, &mut others);
    let ground = Ground {
        trust: trust.map(|trust| RwLock::new(Arc::new(trust))),
        witnesses: witnesses.filter(|_| depth == Depth::Signatures),
        window,
        depth,
        bodies,
        predecessor: genesis
            .as_ref()
            .and_then(|genesis| genesis.as_ref().ok())
            .and_then(|genesis| genesis.genesis().predecessor().cloned()),
    };
    let mut walk = Walk::new(&ground, anchors);
    for doubt in doubts {
        walk.report.add_doubt(doubt);
    }
    for other in others {
        walk.report.add_note(other);
    }
    let begun = match since {
        None => Ok(()),
        Some(foothold) => resume::begin(reader, &mut walk, (&ground, keys), foothold, visit),
    };
    match begun {
        Ok(()) => {
            if let Err(error) = walk_on(reader, &ground, &mut walk, progress, visit) {
                walk.report.add_doubt(error.to_string());
            }
        }
        Err(stop) => {
            match stop {
                Stop::Broken(broken) => walk.report.add_broken(broken),
                Stop::Doubt(why) => walk.report.add_doubt(why),
            }
            match resume::count(reader, LARGEST_TREE) {
                Ok(size) => walk.report.size = size,
                Err(error) => walk.report.add_doubt(error.to_string()),
            }
        }
    }
    let mut report = if leave_foothold {
        walk.into_report_with_foothold()
    } else {
        walk.report
    };
    match genesis {
        Some(Err(broken)) => report.add_broken(broken),
        Some(Ok(genesis)) => {
            let vouched = keys.is_some_and(|keys| keys.vouch_for(&genesis).is_ok());
            if !vouched {
                report.add_doubt("self-consistent, signer not trusted");
            }
        }
        None => {}
    }
    if depth == Depth::Hashes {
        report.add_doubt("only hashes were looked at");
    }
    report
}

/// From where the walk stands to the end of the log.
fn walk_on(
    reader: &mut (dyn LogReader + Send),
    ground: &Ground<'_>,
    walk: &mut Walk<'_>,
    progress: &mut dyn FnMut(u64),
    visit: Visit<'_>,
) -> Result<(), ReadError> {
    let since = walk.passed();
    match go(reader, ground, walk, progress, visit) {
        Ok(beyond) => walk.finish(beyond),
        Err(error) => walk.report.add_doubt(error.to_string()),
    }
    duplicates::find(reader, walk)?;
    resume::settle_erased(reader, walk, since)
}

/// The checkpoints from outside: signed by a key that the auditor trusts, or by one that the log may name on the way.
fn read_anchors(
    notes: &[Vec<u8>],
    keys: Option<&TrustedKeys>,
    trust: Option<&Trust>,
    doubts: &mut Vec<String>,
    others: &mut Vec<String>,
) -> Vec<Anchor> {
    let signers: Vec<&PublicKey> = match (keys, trust) {
        (Some(keys), _) => keys
            .iter()
            .filter(|(_, roles)| roles.contains(&Role::Checkpoint))
            .map(|(key, _)| key.key())
            .collect(),
        (None, Some(trust)) => trust.ring().with_role(Role::Checkpoint).collect(),
        (None, None) => Vec::new(),
    };
    let read = |note: &[u8]| -> Result<Anchor, CheckpointError> {
        let checkpoint = Checkpoint::parse(Note::parse(note)?.unverified_text())?;
        // Of a log that has no genesis any more, the origin is as the checkpoint says.
        let origin = trust.map_or(&checkpoint.origin, Trust::origin);
        if checkpoint.origin != *origin {
            return Err(CheckpointError::OtherLog);
        }
        let unvouched = match Checkpoint::verify(note, origin, signers.iter().copied()) {
            Ok(_) => None,
            Err(CheckpointError::Note(NoteError::Unknown)) if trust.is_some() => {
                Some(note.to_vec())
            }
            Err(error) => return Err(error),
        };
        Ok(Anchor {
            checkpoint,
            unvouched,
        })
    };
    let mut anchors = Vec::new();
    for (index, note) in notes.iter().enumerate() {
        match read(note) {
            Ok(anchor) if anchor.checkpoint.size > 0 => anchors.push(anchor),
            Ok(_) => doubts.push(format!("checkpoint {index} from outside covers nothing")),
            Err(CheckpointError::OtherLog) => others.push(format!(
                "checkpoint {index} from outside is ignored: it is of another log"
            )),
            Err(error) => doubts.push(format!(
                "checkpoint {index} from outside cannot be used: {error}"
            )),
        }
    }
    anchors
}

/// Reads, examines and walks: one thread reads, one on each core examines, and this one walks in order.
fn go(
    reader: &mut (dyn LogReader + Send),
    ground: &Ground<'_>,
    walk: &mut Walk<'_>,
    progress: &mut dyn FnMut(u64),
    visit: Visit<'_>,
) -> Result<Beyond, ReadError> {
    let from = walk.passed();
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // As many pieces are in memory as there are turns.
    let at_once = cores * 2 + 1;
    let (turn, turns) = mpsc::sync_channel(at_once);
    let (to_examine, pieces) = mpsc::sync_channel::<Piece>(at_once);
    let (to_walk, examined) = mpsc::sync_channel::<Examined>(at_once);
    let pieces = Mutex::new(pieces);
    for _ in 0..at_once {
        let _ = turn.send(());
    }
    thread::scope(|scope| {
        // Owned here, so that whichever end goes first, the others notice and end too.
        let (turn, examined) = (turn, examined);
        let feeder =
            scope.spawn(move || feed::feed(reader, (ground.depth, from), &turns, to_examine));
        for _ in 0..cores {
            let (to_walk, pieces) = (to_walk.clone(), &pieces);
            scope.spawn(move || {
                loop {
                    let piece = pieces.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(piece) = piece else {
                        break;
                    };
                    if to_walk.send(ground.examine(piece)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(to_walk);
        let mut early = BTreeMap::new();
        let mut number = 0;
        for piece in &examined {
            early.insert(piece.number, piece);
            while let Some(piece) = early.remove(&number) {
                walk.pass(piece, visit);
                progress(walk.passed());
                number += 1;
                let _ = turn.send(());
            }
        }
        feeder
            .join()
            .unwrap_or_else(|_| Err(ReadError::new("its reader panicked")))
    })
}

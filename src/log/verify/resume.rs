//! Going on from a checkpoint up to which an earlier verification found the log intact.
//!
//! The tree before it is taken from the stored hashes, and compared with the checkpoint. Of the records before it only those are
//! read again that bear on what comes after them, and each is proven to stand in that tree.

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU32,
    ops::Range,
};

use super::{
    examine::{Ground, fingerprint},
    feed::{Fed, Piece},
    reader::{LogReader, ReadError, Row, RowRecord},
    walk::{S13, Visit, Walk},
};
use crate::{
    action::DisclosureDigest,
    canonical::Digest,
    log::{
        checkpoint::{Checkpoint, CheckpointError},
        id::Seq,
        kept::Kept,
        keys::{PublicKey, Role},
        kind::Kind,
        note::Note,
        prove::{ProveError, prove_inclusion, tree_edge, tree_root},
        rule::{Broken, Rule},
        sd,
        statement::{KnownOr, Statement},
        stored::StoredTree,
        tree::{Frontier, leaf_hash},
        trust::Trust,
        trusted::TrustedKeys,
    },
};

const PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// What a verification leaves to a later one, which then goes on from its last checkpoint.
///
/// Nobody signs it. Whoever can change it decides what counts as verified, so that it is kept where keys from outside are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foothold {
    /// The checkpoint, as a signed note.
    pub checkpoint: Vec<u8>,
    /// The records before it that bear on those after it.
    pub records: BTreeSet<u64>,
    /// The first eight bytes of the digest of each hidden member before it, ascending.
    pub hidden: Vec<u64>,
}

/// Why a walk does not begin at a checkpoint.
pub(super) enum Stop {
    Broken(Broken),
    Doubt(String),
}

impl Stop {
    fn broken(seq: u64, rule: Rule, why: &'static str) -> Self {
        Self::Broken(Broken::new(Seq::new(seq), rule, why))
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Doubt(error.to_string())
    }
}

impl From<CheckpointError> for Stop {
    fn from(error: CheckpointError) -> Self {
        Self::Doubt(format!("the checkpoint to go on from is refused: {error}"))
    }
}

/// Puts a walk behind the checkpoint of a foothold.
pub(super) fn begin(
    reader: &mut dyn LogReader,
    walk: &mut Walk<'_>,
    (ground, keys): (&Ground<'_>, Option<&TrustedKeys>),
    foothold: &Foothold,
    visit: Visit<'_>,
) -> Result<(), Stop> {
    let note = Note::parse(&foothold.checkpoint).map_err(CheckpointError::from)?;
    let checkpoint = Checkpoint::parse(note.unverified_text())?;
    let trust = ground
        .trust()
        .ok_or_else(|| Stop::Doubt("the log has no genesis".to_owned()))?;
    if checkpoint.origin != *trust.origin() {
        let origin = checkpoint.origin;
        let why = format!("the checkpoint to go on from is of another log, {origin}");
        return Err(Stop::Doubt(why));
    }
    let size = checkpoint.size;
    let Some(last) = size.checked_sub(1) else {
        let why = "the checkpoint to go on from covers nothing";
        return Err(Stop::Doubt(why.to_owned()));
    };
    let mut records = foothold.records.clone();
    records.extend([0, last]);
    records.retain(|seq| *seq < size);
    let vouched = |reader: &mut dyn LogReader| {
        let brought = keys.is_some_and(|keys| signed_by(&note, &checkpoint, keys));
        brought
            || keys_then(reader, &trust, &records)
                .check_note(&note)
                .is_ok()
    };
    let unvouched = || {
        let why =
            "it does not fit the checkpoint to go on from, which no key that is known here signed";
        Stop::Doubt(why.to_owned())
    };

    if row(reader, last)?.is_none() {
        let there = count(reader, last)?;
        return Err(if vouched(reader) {
            let why = "the checkpoint to go on from covers records that are missing";
            Stop::broken(there, Rule::S7, why)
        } else {
            unvouched()
        });
    }
    let older: BTreeSet<u64> = walk.older_anchors(size);
    let (edge, roots) = if reader.keeps_subtrees() {
        stored_edge(reader, size, &older)?
    } else {
        hashed_edge(reader, size, &older)?
    };
    if edge.root() != checkpoint.root {
        return Err(if vouched(reader) {
            let why = "the stored tree has another head than the checkpoint to go on from: the log was rewritten, or the hashes of its tree are damaged";
            Stop::broken(last, Rule::S7, why)
        } else {
            unvouched()
        });
    }
    for seq in &records {
        let found = match row(reader, *seq)? {
            Some(Row::Record(found)) => found,
            Some(Row::Malformed { what, .. }) => return Err(Stop::broken(*seq, Rule::S8, what)),
            None => return Err(Stop::broken(*seq, Rule::S4, "it is missing")),
        };
        stands(reader, &found, &checkpoint)?;
        let this = *seq..seq + 1;
        let disclosures = reader.disclosures(this.clone())?;
        let withheld = reader.withheld(this.clone())?;
        let fed = Fed {
            row: Row::Record(found),
            disclosures: disclosures.into_iter().map(|(_, text)| text).collect(),
            withheld: withheld.into_iter().map(|(_, digest)| digest).collect(),
        };
        walk.carry(ground.examine(Piece::of_one(this, fed)), visit);
    }
    if let Some(trust) = ground.trust() {
        trust.check_note(&note)?;
    }
    walk.begin_behind(edge, foothold, records.len());
    walk.pass_older_anchors(size, &roots);
    Ok(())
}

fn row(reader: &mut dyn LogReader, seq: u64) -> Result<Option<Row>, ReadError> {
    let rows = reader.records(Seq::new(seq), NonZeroU32::MIN)?;
    Ok(rows.into_iter().find(|row| row.seq().get() == seq))
}

/// How many records there are, at most `end`; by halves.
pub(super) fn count(reader: &mut dyn LogReader, end: u64) -> Result<u64, ReadError> {
    let Range { mut start, mut end } = 0..end;
    while start < end {
        let middle = start + (end - start) / 2;
        if row(reader, middle)?.is_some() {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    Ok(start)
}

/// Whether a key that came from outside signed the checkpoint.
fn signed_by(note: &Note, checkpoint: &Checkpoint, keys: &TrustedKeys) -> bool {
    let of_checkpoints = keys
        .iter()
        .filter(|(_, roles)| roles.contains(&Role::Checkpoint));
    let of_checkpoints: Vec<&PublicKey> = of_checkpoints.map(|(key, _)| key.key()).collect();
    Checkpoint::verify_note(note, &checkpoint.origin, of_checkpoints).is_ok()
}

/// What these records say of keys, as far as they can be read.
fn keys_then(reader: &mut dyn LogReader, trust: &Trust, records: &BTreeSet<u64>) -> Trust {
    let mut trust = trust.clone();
    for seq in records.iter().skip(1) {
        if let Ok(Some(Row::Record(found))) = row(reader, *seq)
            && let Ok(verified) = trust.check(&found.record)
        {
            // One that may not change them changes nothing.
            let _ = trust.follow(&verified);
        }
    }
    trust
}

type Edge = (Frontier, HashMap<u64, Digest>);

/// The right edge of the tree and the heads at these sizes, from the stored hashes.
fn stored_edge(reader: &mut dyn LogReader, size: u64, sizes: &BTreeSet<u64>) -> Result<Edge, Stop> {
    let tree = StoredTree::of(reader);
    let failed = |error| match error {
        ProveError::Store(error) => Stop::from(error),
        ProveError::Missing | ProveError::OutOfRange => {
            let why = "hashes of the stored tree before the checkpoint to go on from are missing";
            Stop::broken(size - 1, Rule::S8, why)
        }
    };
    let edge = tree_edge(&tree, size).map_err(failed)?;
    let roots = sizes
        .iter()
        .map(|size| Ok((*size, tree_root(&tree, *size)?)))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    Ok((edge, roots))
}

/// The same of a log without stored hashes: the bytes of all records before are hashed.
fn hashed_edge(reader: &mut dyn LogReader, size: u64, sizes: &BTreeSet<u64>) -> Result<Edge, Stop> {
    let mut edge = Frontier::empty();
    let mut roots = HashMap::new();
    while edge.size() < size {
        let from = edge.size();
        for leaf in reader.leaves(from..size.min(from + 4096))? {
            edge.push(leaf);
            if sizes.contains(&edge.size()) {
                roots.insert(edge.size(), edge.root());
            }
        }
        if edge.size() == from {
            return Err(Stop::broken(from, Rule::S8, "it is no record"));
        }
    }
    Ok((edge, roots))
}

/// Whether the record stands in the tree of the checkpoint, of which the stored tree has the head.
fn stands(
    reader: &mut dyn LogReader,
    found: &RowRecord,
    checkpoint: &Checkpoint,
) -> Result<(), Stop> {
    if !reader.keeps_subtrees() {
        // Its own bytes were hashed for the head.
        return Ok(());
    }
    let record = &found.record;
    let (seq, leaf) = (record.seq.get(), leaf_hash(&record.statement));
    let proof = match prove_inclusion(&StoredTree::of(reader), seq, checkpoint.size) {
        Ok(proof) => proof,
        Err(ProveError::Store(error)) => return Err(error.into()),
        Err(ProveError::Missing | ProveError::OutOfRange) => {
            return Err(Stop::broken(
                seq,
                Rule::S8,
                "hashes of the tree around it are missing",
            ));
        }
    };
    proof.verify(&leaf, &checkpoint.root).map_err(|_| {
        if leaf == record.leaf {
            // The proof goes by the stored leaves of its neighbours.
            let why = "it or a record near it is not what the checkpoint to go on from covers; a verification of the whole finds which";
            Stop::broken(seq, Rule::S7, why)
        } else {
            Stop::broken(seq, Rule::S8, "its stored leaf is another")
        }
    })
}

/// Looks through the records before the checkpoint for values that were erased after it (S13); only then are they read.
pub(super) fn settle_erased(
    reader: &mut dyn LogReader,
    walk: &mut Walk<'_>,
    since: u64,
) -> Result<(), ReadError> {
    let mut sought: HashMap<DisclosureDigest, Seq> = HashMap::new();
    let mut wrong: Vec<Seq> = Vec::new();
    for (digest, by) in std::mem::take(&mut walk.erased_before) {
        let begins = fingerprint(digest.as_digest());
        let known = walk.fingerprints.binary_search(&begins).is_ok();
        if !known || sought.insert(digest, by).is_some() {
            wrong.push(by);
        }
    }
    if !sought.is_empty() {
        walk.report.add_note(format!(
            "values of records before {since} were erased since; those records were looked through for them"
        ));
    }
    let mut found: BTreeSet<[u8; 32]> = BTreeSet::new();
    let mut next = 0;
    while next < since && !sought.is_empty() {
        let rows = reader.records(Seq::new(next), PAGE)?;
        let Some(last) = rows.last().map(Row::seq).filter(|last| last.get() >= next) else {
            break;
        };
        next = last.next().get();
        for row in rows {
            let Row::Record(row) = row else {
                continue;
            };
            let seq = row.record.seq.get();
            let Ok(statement) = Statement::parse(&row.record.statement) else {
                continue;
            };
            if seq >= since {
                break;
            }
            if statement.kind == KnownOr::Known(Kind::Erased) {
                let before = statement.body.get("digests").and_then(sd::digests);
                let again = before.iter().flatten().filter_map(|one| sought.get(one));
                wrong.extend(again);
            }
            let hidden = sd::hidden_in(&statement.body);
            let hits: Vec<&DisclosureDigest> = hidden
                .iter()
                .filter(|digest| sought.contains_key(*digest))
                .collect();
            if hits.is_empty() {
                continue;
            }
            let this = seq..seq + 1;
            let given = reader.disclosures(this.clone())?;
            let withheld = reader.withheld(this)?;
            let there: Vec<DisclosureDigest> = given
                .iter()
                .filter_map(|(_, text)| Some(Kept::parse(text).ok()?.digest()))
                .chain(withheld.iter().map(|(_, digest)| *digest))
                .collect();
            for digest in hits.into_iter().filter(|digest| !there.contains(digest)) {
                found.insert(*digest.as_digest().as_bytes());
            }
        }
    }
    let gone = |digest: &DisclosureDigest| found.contains(digest.as_digest().as_bytes());
    wrong.extend(
        sought
            .iter()
            .filter(|(digest, _)| !gone(digest))
            .map(|(_, by)| *by),
    );
    for seq in wrong {
        walk.report.add_broken(Broken::new(seq, Rule::S13, S13));
    }
    Ok(())
}

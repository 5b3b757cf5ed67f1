//! Everything about a piece of a log that can be told from the piece alone; done by many threads.

use super::{
    feed::{Fed, Piece},
    reader::{Columns, Row, RowRecord},
    terms::Depth,
};
use crate::{
    action::Disclosure,
    canonical::Digest,
    log::{
        checkpoint::{Checkpoint, CheckpointError},
        id::Seq,
        links::Links,
        note::Note,
        record::StoredRecord,
        rule::{Broken, Rule},
        sd,
        statement::Statement,
        tree::{Subtree, leaf_hash},
        trust::{SignatureFault, Trust, VerifiedRecord},
    },
};

/// What does not change during a walk.
#[derive(Debug)]
pub(super) struct Ground {
    /// What records are checked against; `None` if the genesis is broken.
    pub(super) trust: Option<Trust>,
    pub(super) depth: Depth,
}

/// A piece after it was looked at.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) number: usize,
    pub(super) records: Vec<ExaminedRecord>,
    pub(super) strays: Vec<Seq>,
    pub(super) checkpoints: Vec<(u64, Result<Checkpoint, CheckpointError>)>,
    pub(super) subtrees: Vec<Subtree>,
}

/// A record after it was looked at.
#[derive(Debug)]
pub(super) struct ExaminedRecord {
    pub(super) seq: Seq,
    /// The leaf of its bytes; `None` if there are no such bytes.
    pub(super) leaf: Option<Digest>,
    pub(super) links: Option<Links>,
    /// The record, if nothing is wrong with it alone.
    pub(super) verified: Option<VerifiedRecord>,
    pub(super) faults: Vec<Broken>,
    /// A fault if no later edition's record has named the key.
    pub(super) unknown_key: Option<Broken>,
    /// How many hidden members have no disclosure.
    pub(super) missing: usize,
    pub(super) disclosures: Vec<Disclosure>,
    /// The beginnings of the digests of its hidden members.
    pub(super) fingerprints: Vec<u64>,
}

/// The first eight bytes of a digest.
pub(super) fn fingerprint(digest: &Digest) -> u64 {
    digest
        .as_bytes()
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl Ground {
    pub(super) fn examine(&self, piece: Piece) -> Examined {
        let Piece {
            number,
            range,
            rows,
            strays,
            checkpoints,
            subtrees,
        } = piece;
        // All are read before the signatures of all are checked: each of the two is faster in a row.
        let read: Vec<_> = rows.into_iter().map(|fed| self.examine_row(fed)).collect();
        let records = read
            .into_iter()
            .map(|(mut examined, signed)| {
                if let (Some(signed), Some(trust)) = (signed, &self.trust) {
                    examined.look_at_signatures(signed, trust);
                }
                examined
            })
            .collect();
        let checkpoints = checkpoints
            .into_iter()
            .map(|(size, note)| {
                // Where only hashes are looked at, one signature for each piece is looked at too.
                let signed = self.depth == Depth::Signatures || size == range.end;
                (size, self.examine_checkpoint(&note, signed))
            })
            .collect();
        Examined {
            number,
            records,
            strays,
            checkpoints,
            subtrees,
        }
    }

    fn examine_checkpoint(&self, note: &[u8], signed: bool) -> Result<Checkpoint, CheckpointError> {
        match &self.trust {
            Some(trust) if signed => trust.check_checkpoint(note),
            _ => Checkpoint::parse(Note::parse(note)?.unverified_text()),
        }
    }

    fn examine_row(&self, fed: Fed) -> (ExaminedRecord, Option<Signed>) {
        let Fed { row, disclosures } = fed;
        let mut examined = ExaminedRecord {
            seq: row.seq(),
            leaf: None,
            links: None,
            verified: None,
            faults: Vec::new(),
            unknown_key: None,
            missing: 0,
            disclosures: Vec::new(),
            fingerprints: Vec::new(),
        };
        let signed = match row {
            Row::Malformed { seq, what } => {
                examined.faults.push(Broken::new(seq, Rule::S8, what));
                None
            }
            Row::Record(row) => match self.depth {
                Depth::Hashes => {
                    examined.look_at_hashes(&row);
                    None
                }
                Depth::Signatures => examined.look_at_bytes(*row, &disclosures),
            },
        };
        (examined, signed)
    }
}

/// A record whose bytes are a statement, and whose signatures are still to be checked.
struct Signed {
    record: StoredRecord,
    statement: Statement,
}

impl ExaminedRecord {
    fn fault(&mut self, rule: Rule, why: &'static str) {
        self.faults.push(Broken::new(self.seq, rule, why));
    }

    /// Leaf and links.
    fn look_at_hashes(&mut self, row: &RowRecord) {
        let StoredRecord {
            seq: _,
            statement: bytes,
            signatures: _,
            leaf,
        } = &row.record;
        self.look_at_leaf(bytes, leaf);
        self.links = Links::at_end(bytes);
        if self.links.is_none() {
            match Statement::parse(bytes) {
                Ok(statement) => self.links = Some(Links::of(&statement)),
                Err(error) => self
                    .faults
                    .push(Broken::new(self.seq, error.rule, error.why)),
            }
        }
    }

    fn look_at_leaf(&mut self, bytes: &[u8], stored: &Digest) {
        let leaf = leaf_hash(bytes);
        self.leaf = Some(leaf);
        if leaf != *stored {
            self.fault(Rule::S8, "its stored leaf is another");
        }
    }

    fn look_at_bytes(&mut self, row: RowRecord, disclosures: &[String]) -> Option<Signed> {
        let RowRecord { record, columns } = row;
        self.look_at_leaf(&record.statement, &record.leaf);
        let statement = match Statement::parse(&record.statement) {
            Ok(statement) => statement,
            Err(error) => {
                self.faults
                    .push(Broken::new(self.seq, error.rule, error.why));
                return None;
            }
        };
        self.links = Some(Links::of(&statement));
        self.look_at_columns(&columns, &statement);
        self.look_at_hidden(&statement, disclosures);
        Some(Signed { record, statement })
    }

    fn look_at_signatures(&mut self, signed: Signed, trust: &Trust) {
        let Signed { record, statement } = signed;
        if let Err(broken) = trust.check_words(&statement) {
            let seq = self.seq;
            self.faults.push(Broken { seq, ..broken });
        }
        match trust.check_signatures(&record, &statement) {
            Err(SignatureFault::Broken(broken)) => self.faults.push(broken),
            Err(SignatureFault::UnknownKey(broken)) => self.unknown_key = Some(broken),
            Ok(signers) if self.faults.is_empty() => {
                self.verified = Some(VerifiedRecord::new(statement, record.leaf, signers));
            }
            Ok(_) => {}
        }
    }

    fn look_at_columns(&mut self, columns: &Columns, statement: &Statement) {
        let Columns {
            prev,
            kind,
            request,
            ts,
        } = columns;
        let same = *prev == statement.prev
            && kind == statement.kind.as_str()
            && *request == statement.request
            && *ts == statement.ts;
        if !same {
            self.fault(Rule::S8, "a stored column says something else than it");
        }
    }

    fn look_at_hidden(&mut self, statement: &Statement, texts: &[String]) {
        for text in texts {
            match Disclosure::parse(text) {
                Ok(disclosure) => self.disclosures.push(disclosure),
                Err(_) => self.fault(Rule::F9, "a disclosure of it is malformed"),
            }
        }
        let Ok(covers) = sd::covers(&statement.body) else {
            // Of this version it is a fault that the parser has found; of another it is not judged.
            return;
        };
        let hidden = sd::fill(&covers, &self.disclosures);
        self.missing = hidden.missing;
        self.fingerprints = covers
            .iter()
            .flat_map(|cover| &cover.digests)
            .map(|digest| fingerprint(digest.as_digest()))
            .collect();
        if hidden.stray > 0 {
            self.fault(Rule::S9, "a disclosure filed under it is not named by it");
        }
        if hidden.colliding > 0 {
            self.fault(
                Rule::F9,
                "a hidden member of it collides with another member",
            );
        }
    }
}

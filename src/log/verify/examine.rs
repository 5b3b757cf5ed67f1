//! Everything about a piece of a log that can be told from the piece alone; done by many threads.

use std::sync::{Arc, PoisonError, RwLock};

use super::{
    feed::{Fed, Piece},
    reader::{Columns, Row, RowRecord},
    terms::Depth,
    walk::succession::Succession,
};
use crate::{
    action::{Disclosure, DisclosureDigest},
    canonical::Digest,
    clock::Timestamp,
    log::{
        checkpoint::{Checkpoint, CheckpointError},
        genesis::Predecessor,
        id::Seq,
        kept::Sealed,
        key_change::KeyChange,
        keys::KeyId,
        kind::Kind,
        links::Links,
        note::Note,
        outline::{Outline, Outlined},
        record::StoredRecord,
        rule::{Broken, Rule},
        sd::{self, Cover, Opened},
        statement::{KnownOr, Statement, StatementError, Unjudged},
        tree::{Subtree, leaf_hash},
        trust::{SignatureFault, Trust, VerifiedRecord},
        witnesses::{Window, WitnessPolicy},
    },
};

/// So many records are read before the signatures of all are checked: each of the two is faster in a row, while what was
/// read is still in the processor's cache.
const AT_ONCE: usize = 64;

/// What does not change during a walk.
#[derive(Debug)]
pub(super) struct Ground<'t> {
    /// What records are checked against, as far as the walk has come; `None` if the genesis is broken.
    pub(super) trust: Option<RwLock<Arc<Trust>>>,
    /// Whose cosignatures count, and when they must have been made.
    pub(super) witnesses: Option<&'t WitnessPolicy>,
    pub(super) window: Window,
    pub(super) depth: Depth,
    pub(super) bodies: Bodies,
    /// The log that this one continues, as its genesis says.
    pub(super) predecessor: Option<Predecessor>,
}

/// Whether somebody looks at records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bodies {
    /// Their bodies are made into values.
    Built,
    /// Their bodies are judged, and left at that.
    Judged,
}

/// A piece after it was looked at.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) number: usize,
    pub(super) records: Vec<ExaminedRecord>,
    pub(super) strays: Vec<Seq>,
    pub(super) checkpoints: Vec<ExaminedCheckpoint>,
    pub(super) subtrees: Option<Vec<Subtree>>,
    /// How many changes of keys were known.
    pub(super) changes: usize,
    /// The beginnings of the digests of all hidden members.
    pub(super) fingerprints: Vec<u64>,
}

/// A checkpoint after it was looked at.
#[derive(Debug)]
pub(super) struct ExaminedCheckpoint {
    /// The size under which it is filed.
    pub(super) size: u64,
    pub(super) note: Vec<u8>,
    pub(super) found: Result<Checkpoint, CheckpointError>,
}

/// A record after it was looked at.
#[derive(Debug)]
pub(super) struct ExaminedRecord {
    pub(super) seq: Seq,
    /// The leaf of its bytes; `None` if there are no such bytes.
    pub(super) leaf: Option<Digest>,
    pub(super) links: Option<Links>,
    /// What it says, if nothing is wrong with it alone.
    pub(super) sound: Option<Sound>,
    pub(super) faults: Vec<Broken>,
    /// The record, if a key of it was not known: a record that the walk had not reached may have named it.
    pub(super) undecided: Option<Box<Signed>>,
    /// The hidden members that have no disclosure, those aside that are withheld.
    pub(super) missing: Vec<DisclosureDigest>,
    /// How many disclosures of it are withheld.
    pub(super) withheld: usize,
    /// How many are sealed.
    pub(super) sealed: usize,
    /// Whether it may be one that erases values: it is, or its kind could not be told.
    pub(super) may_erase: bool,
}

/// What a record says with which nothing is wrong.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) kind: KnownOr<Kind>,
    pub(super) ts: Timestamp,
    pub(super) unjudged: Option<NotJudged>,
    /// The keys that signed it, the named one first.
    pub(super) signers: Vec<KeyId>,
    pub(super) change: Option<Box<KeyChange>>,
    /// What it says to have been erased.
    pub(super) erased: Vec<DisclosureDigest>,
    /// What it says about the log that this one continues.
    pub(super) succession: Option<Box<Succession>>,
    /// For whoever looks at records.
    pub(super) built: Option<Box<(VerifiedRecord, Vec<Disclosure>)>>,
}

/// A record whose meaning is not judged.
#[derive(Debug)]
pub(super) struct NotJudged {
    pub(super) why: Unjudged,
    /// The kind, unless the record has an extension, which may mean anything.
    pub(super) kind: Option<Kind>,
}

/// The first eight bytes of a digest.
pub(super) fn fingerprint(digest: &Digest) -> u64 {
    digest
        .as_bytes()
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl Ground<'_> {
    pub(super) fn examine(&self, piece: Piece) -> Examined {
        let Piece {
            number,
            range,
            rows,
            strays,
            checkpoints,
            subtrees,
        } = piece;
        let trust = self.trust();
        let mut desk = Desk {
            ground: self,
            scratch: Vec::new(),
            fingerprints: Vec::new(),
        };
        let mut records = Vec::with_capacity(rows.len());
        let mut signed = Vec::with_capacity(AT_ONCE);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let first = records.len();
            for fed in rows.by_ref().take(AT_ONCE) {
                let (examined, one) = desk.examine_row(fed);
                records.push(examined);
                signed.push(one);
            }
            for (examined, signed) in records.iter_mut().skip(first).zip(signed.drain(..)) {
                if let (Some(signed), Some(trust)) = (signed, &trust) {
                    examined.look_at_signatures(signed, trust, &mut desk.scratch);
                }
            }
        }
        let fingerprints = desk.fingerprints;
        let checkpoints = checkpoints
            .into_iter()
            .map(|(size, note)| {
                // Where only hashes are looked at, one signature for each piece is looked at too.
                let signed = self.depth == Depth::Signatures || size == range.end;
                let trust = trust.as_deref().filter(|_| signed);
                let found = examine_checkpoint(&note, trust);
                ExaminedCheckpoint { size, note, found }
            })
            .collect();
        Examined {
            number,
            records,
            strays,
            checkpoints,
            subtrees,
            changes: trust.map_or(0, |trust| trust.ring().changes()),
            fingerprints,
        }
    }

    pub(super) fn trust(&self) -> Option<Arc<Trust>> {
        let trust = self.trust.as_ref()?;
        Some(Arc::clone(
            &trust.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }

    /// Has the pieces that are examined from now on checked against these keys.
    pub(super) fn publish(&self, changed: &Arc<Trust>) {
        if let Some(trust) = &self.trust {
            *trust.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(changed);
        }
    }
}

/// Its signature is looked at if there is somebody to trust.
pub(super) fn examine_checkpoint(
    note: &[u8],
    trust: Option<&Trust>,
) -> Result<Checkpoint, CheckpointError> {
    match trust {
        Some(trust) => trust.check_checkpoint(note),
        None => Checkpoint::parse(Note::parse(note)?.unverified_text()),
    }
}

/// Where the records of one piece are examined.
struct Desk<'g> {
    ground: &'g Ground<'g>,
    /// Room for decoding.
    scratch: Vec<u8>,
    fingerprints: Vec<u64>,
}

/// A record whose bytes are a statement, and whose signatures are still to be checked.
#[derive(Debug)]
pub(super) struct Signed {
    record: StoredRecord,
    outline: Outline,
    unjudged: Option<NotJudged>,
    change: Option<Box<KeyChange>>,
    erased: Vec<DisclosureDigest>,
    succession: Option<Box<Succession>>,
    built: Option<(Statement, Vec<Disclosure>)>,
}

impl Desk<'_> {
    fn examine_row(&mut self, fed: Fed) -> (ExaminedRecord, Option<Signed>) {
        let Fed {
            row,
            disclosures,
            withheld,
        } = fed;
        let mut examined = ExaminedRecord {
            seq: row.seq(),
            leaf: None,
            links: None,
            sound: None,
            faults: Vec::new(),
            undecided: None,
            missing: Vec::new(),
            withheld: 0,
            sealed: 0,
            may_erase: true,
        };
        let signed = match row {
            Row::Malformed { seq, what } => {
                examined.faults.push(Broken::new(seq, Rule::S8, what));
                None
            }
            Row::Record(row) => match self.ground.depth {
                Depth::Hashes => {
                    examined.look_at_hashes(&row);
                    None
                }
                Depth::Signatures => {
                    self.look_at_bytes(&mut examined, *row, (disclosures, withheld))
                }
            },
        };
        (examined, signed)
    }

    fn look_at_bytes(
        &mut self,
        examined: &mut ExaminedRecord,
        row: RowRecord,
        (disclosures, withheld): (Vec<String>, Vec<DisclosureDigest>),
    ) -> Option<Signed> {
        let RowRecord { record, columns } = row;
        examined.look_at_leaf(&record.statement, &record.leaf);
        let quick = Outlined::read(&record.statement).and_then(|outlined| {
            let kind = outlined.outline.kind.known();
            let statement = match self.ground.bodies {
                Bodies::Judged if !kind.is_some_and(|kind| kind.bears_on_others()) => None,
                Bodies::Judged | Bodies::Built => Some(outlined.to_statement()?),
            };
            Some((outlined, statement))
        });
        if let Some((outlined, statement)) = quick {
            let Outlined {
                outline, covers, ..
            } = outlined;
            let unjudged = match &outline.kind {
                KnownOr::Known(kind) if kind.is_reserved() => Some(NotJudged {
                    why: Unjudged::Reserved(*kind),
                    kind: Some(*kind),
                }),
                KnownOr::Known(_) | KnownOr::Unknown(_) => None,
            };
            examined.may_erase = kind_erases(outline.kind.known());
            examined.look_at_outline(&outline, &columns);
            let disclosures = self.look_at_hidden(examined, &covers, disclosures, withheld);
            let change = statement.as_ref().and_then(|it| examined.look_at_keys(it));
            let erased = statement.as_ref().map(|it| examined.look_at_erased(it));
            let succession = statement
                .as_ref()
                .and_then(|it| examined.look_at_succession(it));
            return Some(Signed {
                record,
                outline,
                unjudged,
                change,
                erased: erased.unwrap_or_default(),
                succession,
                built: statement
                    .filter(|_| self.ground.bodies == Bodies::Built)
                    .map(|statement| (statement, disclosures)),
            });
        }
        let statement = match Statement::parse(&record.statement) {
            Ok(statement) => statement,
            Err(StatementError { rule, why }) => {
                examined.faults.push(Broken::new(examined.seq, rule, why));
                return None;
            }
        };
        let outline = Outline::of(&statement);
        examined.look_at_outline(&outline, &columns);
        let disclosures = match sd::covers(&statement.body) {
            Ok(covers) => self.look_at_hidden(examined, &covers, disclosures, withheld),
            // Of this version it is a fault that the parser has found; of another it is not judged.
            Err(_) => self.read_disclosures(examined, disclosures).0,
        };
        let unjudged = statement.unjudged().map(|why| NotJudged {
            why,
            kind: statement
                .kind
                .known()
                .copied()
                .filter(|_| statement.crit.is_empty()),
        });
        examined.may_erase = match &unjudged {
            Some(NotJudged { kind, .. }) => kind_erases(kind.as_ref()),
            None => kind_erases(statement.kind.known()),
        };
        let (change, erased, succession) = match unjudged {
            // An extension may give its members another meaning.
            Some(_) => (None, Vec::new(), None),
            None => (
                examined.look_at_keys(&statement),
                examined.look_at_erased(&statement),
                examined.look_at_succession(&statement),
            ),
        };
        Some(Signed {
            record,
            outline,
            unjudged,
            change,
            erased,
            succession,
            built: match self.ground.bodies {
                Bodies::Built => Some((statement, disclosures)),
                Bodies::Judged => None,
            },
        })
    }

    fn read_disclosures(
        &mut self,
        examined: &mut ExaminedRecord,
        texts: Vec<String>,
    ) -> (Vec<Disclosure>, Vec<Opened>, Vec<DisclosureDigest>) {
        let mut disclosures = Vec::new();
        let mut sealed = Vec::new();
        let mut opened = Vec::with_capacity(texts.len());
        for text in texts {
            if Sealed::is_meant(&text) {
                match Sealed::parse(&text) {
                    Ok(one) => sealed.push(one.digest()),
                    Err(_) => examined.fault(Rule::F9, "a sealed disclosure of it is malformed"),
                }
                continue;
            }
            match Disclosure::named(text, &mut self.scratch) {
                Ok((disclosure, name)) => {
                    let digest = disclosure.digest();
                    opened.push(Opened {
                        digest,
                        name,
                        used: false,
                    });
                    if self.ground.bodies == Bodies::Built {
                        disclosures.push(disclosure);
                    }
                }
                Err(_) => examined.fault(Rule::F9, "a disclosure of it is malformed"),
            }
        }
        (disclosures, opened, sealed)
    }

    fn look_at_hidden(
        &mut self,
        examined: &mut ExaminedRecord,
        covers: &[Cover<'_>],
        texts: Vec<String>,
        withheld: Vec<DisclosureDigest>,
    ) -> Vec<Disclosure> {
        let (disclosures, mut opened, sealed) = self.read_disclosures(examined, texts);
        let mut hidden = sd::fill(covers, &mut opened);
        examined.withheld = withheld.len();
        examined.sealed = sealed.len();
        if !sd::withhold(&mut hidden.missing, sealed) {
            let why = "a sealed disclosure filed under it is there in clear, or not named by it";
            examined.fault(Rule::S9, why);
        }
        if !sd::withhold(&mut hidden.missing, withheld) {
            let why = "a disclosure that is said to be withheld is given or not named by it";
            examined.fault(Rule::S9, why);
        }
        examined.missing = hidden.missing;
        let digests = covers.iter().flat_map(|cover| &cover.digests);
        self.fingerprints
            .extend(digests.map(|digest| fingerprint(digest.as_digest())));
        if hidden.stray > 0 {
            let why = "a disclosure filed under it is not named by it";
            examined.fault(Rule::S9, why);
        }
        if hidden.colliding > 0 {
            let why = "a hidden member of it collides with another member";
            examined.fault(Rule::F9, why);
        }
        disclosures
    }
}

/// Whether a record of the kind, if it is known, may erase values.
fn kind_erases(kind: Option<&Kind>) -> bool {
    kind.is_none_or(|kind| *kind == Kind::Erased)
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

    fn look_at_outline(&mut self, outline: &Outline, columns: &Columns) {
        self.links = Some(outline.links());
        let Columns {
            prev,
            kind,
            request,
            ts,
        } = columns;
        let same = *prev == outline.prev
            && kind == outline.kind.as_str()
            && *request == outline.request
            && *ts == outline.ts;
        if !same {
            self.fault(Rule::S8, "a stored column says something else than it");
        }
    }

    /// What it says about keys (F6).
    fn look_at_keys(&mut self, statement: &Statement) -> Option<Box<KeyChange>> {
        match KeyChange::parse(statement) {
            Ok(change) => change.map(Box::new),
            Err(malformed) => {
                let why = malformed.to_string();
                self.faults.push(Broken::new(self.seq, Rule::F6, why));
                None
            }
        }
    }

    /// The digests that it says to have been erased (F6).
    fn look_at_erased(&mut self, statement: &Statement) -> Vec<DisclosureDigest> {
        if statement.kind != KnownOr::Known(Kind::Erased) {
            return Vec::new();
        }
        match statement.body.get("digests").and_then(sd::digests) {
            Some(digests) => digests,
            None => {
                self.fault(Rule::F6, "what it erases is no ascending array of digests");
                Vec::new()
            }
        }
    }

    /// What it says about the log that this one continues (F6).
    fn look_at_succession(&mut self, statement: &Statement) -> Option<Box<Succession>> {
        if statement.kind != KnownOr::Known(Kind::Recovered) {
            return None;
        }
        let read = Succession::read(&statement.body);
        if read.is_none() {
            self.fault(Rule::F6, "its body does not say what was lost");
        }
        read.map(Box::new)
    }

    pub(super) fn look_at_signatures(
        &mut self,
        signed: Signed,
        trust: &Trust,
        scratch: &mut Vec<u8>,
    ) {
        if let Err(broken) = trust.check_words(&signed.outline) {
            let seq = self.seq;
            self.faults.push(Broken { seq, ..broken });
        }
        self.look_at_signers(signed, trust, scratch);
    }

    /// Whether the keys that signed it are in force; asked again if one of them was not known at first.
    pub(super) fn look_at_signers(
        &mut self,
        signed: Signed,
        trust: &Trust,
        scratch: &mut Vec<u8>,
    ) -> Option<Broken> {
        let newcomer = signed.change.as_deref().and_then(KeyChange::new_key);
        match trust.check_signatures(&signed.record, &signed.outline, newcomer, scratch) {
            Err(SignatureFault::Broken(broken)) => {
                // A key without the role may have gone before, which is named first (S2).
                let by_role = broken.rule == Rule::S3;
                self.faults.push(broken);
                self.undecided = by_role.then(|| Box::new(signed));
            }
            Err(SignatureFault::UnknownKey(broken)) => {
                self.undecided = Some(Box::new(signed));
                return Some(broken);
            }
            Ok(signers) if self.faults.is_empty() => {
                let Signed {
                    record,
                    outline,
                    unjudged,
                    change,
                    erased,
                    succession,
                    built,
                } = signed;
                let built = built.map(|(statement, disclosures)| {
                    let record = VerifiedRecord::new(statement, record.leaf, signers.clone());
                    Box::new((record, disclosures))
                });
                self.sound = Some(Sound {
                    kind: outline.kind,
                    ts: outline.ts,
                    unjudged,
                    signers,
                    change,
                    erased,
                    succession,
                    built,
                });
            }
            Ok(_) => {}
        }
        None
    }
}

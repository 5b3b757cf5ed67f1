//! What can only be told in order: the chain, the tree, and what stands for the whole.

use std::collections::VecDeque;

use super::{
    examine::{Examined, ExaminedRecord, NotJudged, Sound},
    feed::Beyond,
    reader::HeadRow,
    report::Report,
};
use crate::{
    action::Disclosure,
    canonical::Digest,
    clock::Timestamp,
    log::{
        checkpoint::{Checkpoint, CheckpointError},
        head::Head,
        id::{LogId, Seq},
        kind::Kind,
        links::Links,
        note::NoteError,
        rule::{Broken, Rule},
        statement::KnownOr,
        tree::{Frontier, Subtree},
        trust::{Trust, VerifiedRecord},
    },
};

/// What is called with each sound record, in order, and its disclosures.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&VerifiedRecord, &[Disclosure]);

/// The state of a walk along the log.
pub(super) struct Walk<'t> {
    trust: Option<&'t Trust>,
    pub(super) report: Report,
    log: Option<LogId>,
    /// The number that the next record should have.
    next: u64,
    frontier: Frontier,
    prev: Digest,
    /// Whether a record's bytes could not be read, so that the tree is not known from there on.
    torn: bool,
    ts: Option<Timestamp>,
    /// The size of the last checkpoint beside the log.
    covered: u64,
    /// Checkpoints from outside that are still ahead, the nearest first.
    anchors: VecDeque<Checkpoint>,
    /// Whether a record that is not judged here may have named more keys.
    keys_may_differ: bool,
    /// Whether a record that is not judged here may have erased disclosures.
    erasures: bool,
    missing: Option<Seq>,
    /// The beginnings of the digests of all hidden members, 8 bytes each.
    pub(super) fingerprints: Vec<u64>,
}

impl<'t> Walk<'t> {
    pub(super) fn new(trust: Option<&'t Trust>, mut anchors: Vec<Checkpoint>) -> Self {
        anchors.sort_by_key(|checkpoint| checkpoint.size);
        let mut report = Report::new();
        report.log = trust.map(|trust| *trust.log());
        report.origin = trust.map(|trust| trust.origin().clone());
        Self {
            trust,
            report,
            log: trust.map(|trust| *trust.log()),
            next: 0,
            frontier: Frontier::empty(),
            prev: Digest::from_bytes([0; 32]),
            torn: false,
            ts: None,
            covered: 0,
            anchors: anchors.into(),
            keys_may_differ: false,
            erasures: false,
            missing: None,
            fingerprints: Vec::new(),
        }
    }

    /// How many records were passed, counting those that are not there.
    pub(super) const fn passed(&self) -> u64 {
        self.next
    }

    /// Goes over the next piece.
    pub(super) fn pass(&mut self, piece: Examined, visit: Visit<'_>) {
        let Examined {
            number: _,
            records,
            strays,
            checkpoints,
            subtrees,
            mut fingerprints,
        } = piece;
        self.fingerprints.append(&mut fingerprints);
        for seq in strays {
            self.broken(
                seq,
                Rule::S9,
                "a disclosure is filed under a record that is not there",
            );
        }
        let mut checkpoints: VecDeque<_> = checkpoints.into();
        let mut stored: VecDeque<_> = subtrees.into();
        let mut completed = Vec::new();
        for record in records {
            completed.append(&mut self.pass_record(record, visit));
            while let Some((size, checkpoint)) =
                next_if(&mut checkpoints, |(size, _)| *size <= self.next)
            {
                self.pass_checkpoint(size, checkpoint);
            }
            self.pass_anchors();
        }
        // Of one level they come in order; the reader hands them out level by level.
        completed.sort_by_key(|subtree| subtree.level);
        for subtree in completed {
            let same = next_if(&mut stored, |stored| *stored == subtree);
            if same.is_none() {
                self.broken(
                    last_of(&subtree),
                    Rule::S8,
                    "a stored subtree that ends with it is missing or another",
                );
                stored.retain(|stored| place(stored) > place(&subtree));
            }
        }
        if let Some(extra) = stored.front() {
            self.broken(
                last_of(extra),
                Rule::S8,
                "a stored subtree is not one of the tree",
            );
        }
    }

    fn broken(&mut self, seq: Seq, rule: Rule, why: &'static str) {
        self.report.add_broken(Broken::new(seq, rule, why));
    }

    fn pass_record(&mut self, record: ExaminedRecord, visit: Visit<'_>) -> Vec<Subtree> {
        let ExaminedRecord {
            seq,
            leaf,
            links,
            sound: says,
            faults,
            unknown_key,
            missing,
        } = record;
        let mut sound = faults.is_empty();
        for fault in faults {
            self.report.add_broken(fault);
        }
        if let Some(fault) = unknown_key {
            sound = false;
            if self.keys_may_differ {
                let why = "a key is not named by any record that is judged here";
                self.report.add_doubt(format!("record {seq}: {why}"));
            } else {
                self.report.add_broken(fault);
            }
        }
        if seq.get() != self.next {
            sound = false;
            self.broken(
                Seq::new(self.next),
                Rule::S4,
                "records are missing from here on",
            );
        }
        self.next = seq.next().get();
        if let Some(links) = links {
            sound &= self.pass_links(seq, &links);
        }
        self.torn |= leaf.is_none();
        let leaf = leaf.unwrap_or(Digest::from_bytes([0; 32]));
        self.prev = leaf;
        let completed = self.frontier.push(leaf);
        if missing > 0 {
            self.missing.get_or_insert(seq);
        }
        if let Some(says) = says.filter(|_| sound)
            && self.pass_kind(seq, &says)
            && let Some(built) = says.built
        {
            let (verified, disclosures) = &*built;
            visit(verified, disclosures);
        }
        completed
    }

    /// Number, log, predecessor, tree head (S4) and time (S5).
    fn pass_links(&mut self, seq: Seq, links: &Links) -> bool {
        let Links {
            log,
            seq: own,
            prev,
            root,
            ts,
        } = links;
        let mut sound = true;
        let mut check = |holds: bool, rule, why| {
            if !holds {
                sound = false;
                self.report.add_broken(Broken::new(seq, rule, why));
            }
        };
        check(*own == seq, Rule::S4, "it says to have another number");
        let expected = *self.log.get_or_insert(*log);
        check(*log == expected, Rule::S4, "it belongs to another log");
        check(
            *prev == self.prev,
            Rule::S4,
            "it does not follow the record before",
        );
        check(
            *root == self.frontier.root(),
            Rule::S4,
            "its tree head is not that of the records before",
        );
        let in_order = self.ts.is_none_or(|before| before <= *ts);
        check(
            in_order,
            Rule::S5,
            "its time is before that of the record before",
        );
        self.ts = Some(self.ts.map_or(*ts, |before| before.max(*ts)));
        sound
    }

    /// Counts the record; whether it is sound in this place too.
    fn pass_kind(&mut self, seq: Seq, says: &Sound) -> bool {
        let Sound {
            kind,
            ts,
            unjudged,
            built: _,
        } = says;
        let genesis = *kind == KnownOr::Known(Kind::Genesis);
        if genesis != (seq == Seq::GENESIS) {
            self.broken(seq, Rule::S6, "record 0 is the genesis, and no other is");
            return false;
        }
        if let Some(NotJudged { why, kind }) = unjudged {
            self.report
                .add_doubt(format!("record {seq} is not judged: {why}"));
            // Another version or extension may mean anything, keys and erasure included.
            self.keys_may_differ |= kind.is_none_or(Kind::changes_keys);
            self.erasures |= kind.is_none_or(|kind| kind == Kind::Erased);
        }
        self.report.last_ts = Some(*ts);
        let kind = kind.as_str();
        match self.report.kinds.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.report.kinds.insert(kind.to_owned(), 1)),
        }
        true
    }

    fn pass_checkpoint(&mut self, size: u64, found: Result<Checkpoint, CheckpointError>) {
        let last = Seq::new(size.saturating_sub(1));
        // A bad one is named itself; that it is there counts here.
        self.covered = size;
        match found {
            Ok(checkpoint) if checkpoint.size != size || size == 0 => {
                self.broken(last, Rule::S7, "a checkpoint is filed under another size");
            }
            Ok(checkpoint) => {
                let same = self.torn
                    || size == self.frontier.size() && checkpoint.root == self.frontier.root();
                if !same {
                    self.broken(
                        last,
                        Rule::S7,
                        "the checkpoint after it has another tree head",
                    );
                }
            }
            Err(CheckpointError::Note(NoteError::Unknown) | CheckpointError::NotInForce)
                if self.keys_may_differ =>
            {
                let why = "its checkpoint is by a key that no record judged here names";
                self.report.add_doubt(format!("record {last}: {why}"));
            }
            Err(error) => {
                let why = format!("the checkpoint after it is refused: {error}");
                self.report.add_broken(Broken::new(last, Rule::S7, why));
            }
        }
    }

    fn pass_anchors(&mut self) {
        while let Some(anchor) = next_if(&mut self.anchors, |anchor| anchor.size <= self.next) {
            let size = anchor.size;
            if self.torn {
                continue;
            }
            if size == self.frontier.size() && anchor.root == self.frontier.root() {
                self.report.anchored = size;
            } else {
                let why = "a checkpoint from outside has another tree head: the log was rewritten";
                self.broken(Seq::new(size.saturating_sub(1)), Rule::S7, why);
            }
        }
    }

    /// Judges what stands for the whole log.
    pub(super) fn finish(&mut self, beyond: Beyond) {
        let Beyond {
            head,
            checkpoint,
            subtree,
            disclosure,
        } = beyond;
        self.report.size = self.frontier.size();
        self.report.root = self.frontier.root();
        let end = Seq::new(self.next);
        if !self.anchors.is_empty() {
            self.broken(
                end,
                Rule::S7,
                "a checkpoint from outside covers records that are missing",
            );
        }
        if checkpoint {
            self.broken(
                end,
                Rule::S7,
                "a checkpoint covers records that are missing",
            );
        }
        if subtree {
            self.broken(
                end,
                Rule::S8,
                "a stored subtree covers records that are missing",
            );
        }
        if let Some(seq) = disclosure {
            self.broken(
                seq,
                Rule::S9,
                "a disclosure is filed under a record that is not there",
            );
        }
        if self.covered < self.next {
            self.broken(Seq::new(self.covered), Rule::S7, "no checkpoint covers it");
        }
        self.finish_head(head);
        match self.missing {
            Some(seq) if self.erasures => self.report.add_doubt(format!(
                "record {seq}: whether its missing disclosure was erased is not judged"
            )),
            Some(seq) => self.broken(seq, Rule::S9, "a disclosure of it is missing"),
            None => {}
        }
    }

    fn finish_head(&mut self, row: HeadRow) {
        let end = Seq::new(self.next);
        let last = Seq::new(self.next.saturating_sub(1));
        let head = match row {
            HeadRow::NotKept => return,
            HeadRow::Missing if self.next == 0 => return,
            HeadRow::Missing => {
                self.broken(last, Rule::S8, "the head row is missing");
                return;
            }
            HeadRow::Stored(bytes) => match Head::decode(&bytes) {
                Ok(head) => head,
                Err(_) => {
                    self.broken(last, Rule::S8, "the head row is malformed");
                    return;
                }
            },
        };
        if head.size > self.next {
            self.broken(
                end,
                Rule::S8,
                "the head row counts records that are missing",
            );
            return;
        }
        let Head {
            log,
            size: _,
            frontier,
            prev,
            ts,
            checkpoint: _,
        } = &head;
        let same = Some(*log) == self.log
            && *frontier == self.frontier
            && *prev == self.prev
            && Some(*ts) == self.ts;
        if !same {
            self.broken(
                last,
                Rule::S8,
                "the head row is not that of the last record",
            );
        }
        let checked = self.trust.map(|trust| head.check(trust));
        if let (Some(Err(broken)), false) = (checked, self.keys_may_differ) {
            self.report.add_broken(broken);
        }
    }
}

/// Takes the front if it is as wished.
fn next_if<T>(queue: &mut VecDeque<T>, wished: impl FnOnce(&T) -> bool) -> Option<T> {
    if wished(queue.front()?) {
        queue.pop_front()
    } else {
        None
    }
}

/// The record with which a subtree ends.
fn last_of(subtree: &Subtree) -> Seq {
    let height = u32::from(subtree.level) * 8;
    let end = subtree.index.saturating_add(1).checked_shl(height);
    Seq::new(end.unwrap_or(u64::MAX).saturating_sub(1))
}

fn place(subtree: &Subtree) -> (u8, u64) {
    (subtree.level, subtree.index)
}

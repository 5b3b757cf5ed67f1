//! What can only be told in order: the chain, the tree, and what stands for the whole.

mod erased;
mod keys;
pub(super) mod succession;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use self::{erased::Missing, keys::SignedBy};
use super::{
    examine::{Examined, ExaminedCheckpoint, ExaminedRecord, Ground, NotJudged, Sound},
    feed::Beyond,
    reader::HeadRow,
    report::Report,
    resume::Foothold,
    terms::Depth,
};
use crate::{
    action::{Disclosure, DisclosureDigest},
    canonical::Digest,
    clock::Timestamp,
    log::{
        checkpoint::{Checkpoint, CheckpointError},
        head::Head,
        id::{LogId, Seq},
        kind::Kind,
        links::Links,
        note::{Note, NoteError},
        rule::{Broken, Rule},
        statement::KnownOr,
        tree::{Frontier, Subtree},
        trust::{Trust, VerifiedRecord},
        witnesses::{NotWitnessed, Window},
    },
};

/// What is wrong with an erasure.
pub(super) const S13: &str =
    "a value that it erases was not hidden before, was erased already, or is still there";

/// What is called with each sound record, in order, and its disclosures.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&VerifiedRecord, &[Disclosure]);

/// The state of a walk along the log.
pub(super) struct Walk<'g> {
    ground: &'g Ground<'g>,
    /// As of the record before.
    trust: Option<Arc<Trust>>,
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
    anchors: VecDeque<Anchor>,
    /// The largest tree of which a checkpoint from outside has the head.
    outside: u64,
    /// The sizes of the checkpoints that a quorum of witnesses cosigned, and from when on it was one.
    witnessed: Vec<(u64, Timestamp)>,
    /// Whether it was said already why a checkpoint does not count as witnessed.
    unwitnessed: bool,
    signed: SignedBy,
    /// Room for messages.
    scratch: Vec<u8>,
    /// Whether a record that is not judged here may have named more keys.
    keys_may_differ: bool,
    missing: Missing,
    /// The beginnings of the digests of all hidden members, 8 bytes each.
    pub(super) fingerprints: Vec<u64>,
    /// What was erased and was not hidden by a record that was passed, and the records that say so; where a walk did not begin
    /// with the log.
    pub(super) erased_before: Vec<(DisclosureDigest, Seq)>,
    /// The records that changed keys.
    key_changes: Vec<Seq>,
    /// The last checkpoint beside the log that is sound.
    newest: Option<(u64, Vec<u8>)>,
}

/// A checkpoint from outside.
#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) checkpoint: Checkpoint,
    /// Its bytes, if no key that the auditor brought signed it: the log may name the key on the way.
    pub(super) unvouched: Option<Vec<u8>>,
}

impl<'g> Walk<'g> {
    pub(super) fn new(ground: &'g Ground<'g>, mut anchors: Vec<Anchor>) -> Self {
        anchors.sort_by_key(|anchor| anchor.checkpoint.size);
        let trust = ground.trust();
        let mut report = Report::new();
        report.log = trust.as_ref().map(|trust| *trust.log());
        report.origin = trust.as_ref().map(|trust| trust.origin().clone());
        let log = report.log;
        Self {
            ground,
            trust,
            report,
            log,
            next: 0,
            frontier: Frontier::empty(),
            prev: Digest::from_bytes([0; 32]),
            torn: false,
            ts: None,
            covered: 0,
            anchors: anchors.into(),
            outside: 0,
            witnessed: Vec::new(),
            unwitnessed: false,
            signed: SignedBy::default(),
            scratch: Vec::new(),
            // Where only hashes are looked at, nobody follows which keys are in force.
            keys_may_differ: ground.depth == Depth::Hashes,
            missing: Missing::default(),
            fingerprints: Vec::new(),
            erased_before: Vec::new(),
            key_changes: Vec::new(),
            newest: None,
        }
    }

    /// Takes a record in that stands before the walk and bears on what comes after it.
    pub(super) fn carry(&mut self, piece: Examined, visit: Visit<'_>) {
        let changes = piece.changes;
        for mut record in piece.records {
            let unknown_key = self.settle_keys(&mut record, changes);
            let ExaminedRecord {
                seq,
                leaf,
                links,
                sound,
                faults,
                ..
            } = record;
            for fault in faults.into_iter().chain(unknown_key) {
                self.report.add_broken(fault);
            }
            if let (Some(leaf), Some(links)) = (leaf, links) {
                self.prev = leaf;
                self.ts = Some(links.ts);
                self.report.last_ts = self.ts;
            }
            if let Some(says) = sound {
                if let Some(NotJudged { why, .. }) = &says.unjudged {
                    let why = format!("record {seq} is not judged: {why}");
                    self.report.add_doubt(why);
                }
                if self.pass_keys(seq, &says)
                    && let Some(built) = says.built
                {
                    let (verified, disclosures) = &*built;
                    visit(verified, disclosures);
                }
            }
        }
    }

    /// Begins behind a checkpoint that was verified before, with what was carried over.
    pub(super) fn begin_behind(&mut self, edge: Frontier, foothold: &Foothold, read_again: usize) {
        let size = edge.size();
        self.next = size;
        self.frontier = edge;
        self.covered = size;
        self.outside = size;
        self.newest = Some((size, foothold.checkpoint.clone()));
        self.fingerprints.clone_from(&foothold.hidden);
        self.report.anchored = size;
        self.report.since = size;
        self.report.read_again = u64::try_from(read_again).unwrap_or(u64::MAX);
    }

    /// The sizes of the checkpoints from outside that are smaller than this.
    pub(super) fn older_anchors(&self, size: u64) -> BTreeSet<u64> {
        let sizes = self.anchors.iter().map(|anchor| anchor.checkpoint.size);
        sizes.filter(|one| *one < size).collect()
    }

    /// Judges those by the heads that the tree has at their sizes.
    pub(super) fn pass_older_anchors(&mut self, size: u64, roots: &HashMap<u64, Digest>) {
        while let Some(anchor) = next_if(&mut self.anchors, |anchor| anchor.checkpoint.size < size)
        {
            let root = roots.get(&anchor.checkpoint.size).copied();
            self.judge_anchor(anchor, root);
        }
        self.outside = self.outside.max(size);
        self.pass_anchors();
    }

    /// The report, with what a later verification needs in order to go on from here.
    pub(super) fn into_report_with_foothold(self) -> Report {
        let Self {
            mut report,
            newest,
            key_changes,
            signed,
            fingerprints,
            ..
        } = self;
        if let Some((size, checkpoint)) = newest
            && size == report.size
        {
            let bearing = key_changes.into_iter().chain(signed.records());
            report.foothold = Some(Foothold {
                checkpoint,
                records: bearing.map(Seq::get).collect(),
                hidden: fingerprints,
            });
        }
        report
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
            changes,
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
        let kept = subtrees.is_some();
        let mut stored: VecDeque<_> = subtrees.unwrap_or_default().into();
        let mut completed = Vec::new();
        for record in records {
            completed.append(&mut self.pass_record(record, changes, visit));
            while let Some(checkpoint) = next_if(&mut checkpoints, |one| one.size <= self.next) {
                self.pass_checkpoint(checkpoint, changes);
            }
            self.pass_anchors();
        }
        if !kept {
            return;
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

    fn pass_record(
        &mut self,
        mut record: ExaminedRecord,
        changes: usize,
        visit: Visit<'_>,
    ) -> Vec<Subtree> {
        let unknown_key = self.settle_keys(&mut record, changes);
        let ExaminedRecord {
            seq,
            leaf,
            links,
            sound: says,
            faults,
            undecided: _,
            missing,
            withheld,
            sealed,
            may_erase,
        } = record;
        let mut sound = faults.is_empty();
        // Whether at most what is stored beside it is broken, so that what follows it does so all the same.
        let beside = |fault: &Broken| matches!(fault.rule, Rule::S8 | Rule::S9 | Rule::F9);
        let mut stands = faults.iter().all(beside) && unknown_key.is_none();
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
            (sound, stands) = (false, false);
            self.broken(
                Seq::new(self.next),
                Rule::S4,
                "records are missing from here on",
            );
        }
        self.next = seq.next().get();
        if let Some(links) = links {
            let follows = self.pass_links(seq, &links);
            (sound, stands) = (sound && follows, stands && follows);
        }
        self.torn |= leaf.is_none();
        let leaf = leaf.unwrap_or(Digest::from_bytes([0; 32]));
        self.prev = leaf;
        let completed = self.frontier.push(leaf);
        self.missing.add(seq, missing);
        if !stands || (may_erase && !sound) {
            self.missing.passed_broken(seq);
        }
        self.report.withheld += u64::try_from(withheld).unwrap_or(u64::MAX);
        self.report.sealed += u64::try_from(sealed).unwrap_or(u64::MAX);
        if let Some(says) = says.filter(|_| sound)
            && self.pass_kind(seq, &says)
            && self.pass_keys(seq, &says)
            && self.pass_erased(seq, &says)
            && self.pass_succession(seq, &says)
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
            signers: _,
            change: _,
            erased: _,
            succession: _,
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
            if kind.is_none() {
                self.missing.may_be_erased();
            }
        }
        self.report.last_ts = Some(*ts);
        let kind = kind.as_str();
        match self.report.kinds.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.report.kinds.insert(kind.to_owned(), 1)),
        }
        true
    }

    fn pass_checkpoint(&mut self, examined: ExaminedCheckpoint, changes: usize) {
        let ExaminedCheckpoint { size, note, found } = examined;
        let found = match &self.trust {
            Some(trust) if self.keys_changed_since(changes) => trust.check_checkpoint(&note),
            _ => found,
        };
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
                } else if !self.torn {
                    self.pass_witnesses(size, &note);
                    self.newest = Some((size, note));
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

    /// A checkpoint of the log, with the right head, may be one that a quorum of witnesses vouches for.
    fn pass_witnesses(&mut self, size: u64, note: &[u8]) {
        let (Some(policy), Some(trust)) = (self.ground.witnesses, &self.trust) else {
            return;
        };
        let Ok(note) = Note::parse(note) else {
            return;
        };
        let quorum = |window| policy.witnessed(&note, trust.ring().all(), window);
        let recent = quorum(self.ground.window);
        let ever = match &recent {
            Ok(witnessed) => Some(witnessed.since),
            Err(_) => quorum(Window::ALWAYS).ok().map(|witnessed| witnessed.since),
        };
        self.report.quorums.extend(ever.map(|since| (size, since)));
        match recent {
            Ok(witnessed) => {
                self.witnessed.push((size, witnessed.since));
                self.report.anchored = self.report.anchored.max(size);
                self.report.witnessed = size;
                self.report.quorum = Some(witnessed);
            }
            Err(NotWitnessed::NotAsked | NotWitnessed::NoQuorum { .. }) => {}
            // The same is likely to be wrong with the others.
            Err(error) if !self.unwitnessed => {
                self.unwitnessed = true;
                self.report.add_note(format!(
                    "the checkpoint over {size} records does not count as witnessed: {error}"
                ));
            }
            Err(_) => {}
        }
    }

    fn pass_anchors(&mut self) {
        while let Some(anchor) = next_if(&mut self.anchors, |anchor| {
            anchor.checkpoint.size <= self.next
        }) {
            if !self.torn {
                let here = anchor.checkpoint.size == self.frontier.size();
                let root = here.then(|| self.frontier.root());
                self.judge_anchor(anchor, root);
            }
        }
    }

    /// Compares a checkpoint from outside with the head that the tree has at its size.
    fn judge_anchor(&mut self, anchor: Anchor, found: Option<Digest>) {
        let Anchor {
            checkpoint: Checkpoint { size, root, .. },
            unvouched,
        } = anchor;
        let vouched = match (&unvouched, &self.trust) {
            (None, _) => true,
            (Some(note), Some(trust)) => trust.check_checkpoint(note).is_ok(),
            (Some(_), None) => false,
        };
        if !vouched {
            self.report.add_doubt(format!(
                "the checkpoint from outside over {size} records is by no key that is trusted"
            ));
        } else if found == Some(root) {
            self.outside = self.outside.max(size);
            self.report.anchored = self.report.anchored.max(size);
        } else {
            let why = "a checkpoint from outside has another tree head: the log was rewritten";
            self.broken(Seq::new(size.saturating_sub(1)), Rule::S7, why);
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
        self.finish_succession();
        let end = Seq::new(self.next);
        let (vouched, unvouched): (Vec<_>, Vec<_>) = std::mem::take(&mut self.anchors)
            .into_iter()
            .partition(|anchor| anchor.unvouched.is_none());
        if !vouched.is_empty() {
            self.broken(
                end,
                Rule::S7,
                "a checkpoint from outside covers records that are missing",
            );
        }
        if !unvouched.is_empty() {
            let why = "a checkpoint from outside covers more records than there are, and is by no key that is trusted";
            self.report.add_doubt(why);
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
        match head {
            Ok(row) => self.finish_head(row),
            Err(error) => self.report.add_doubt(error.to_string()),
        }
        self.finish_compromised();
        if self.report.withheld > 0 {
            let count = self.report.withheld;
            let note = format!("{count} hidden members were withheld by whoever made the export");
            self.report.add_note(note);
        }
        if self.report.sealed > 0 {
            let count = self.report.sealed;
            let note = format!(
                "{count} hidden members are sealed, and nobody opened them here: that they can be opened is the word of whoever keeps the store"
            );
            self.report.add_note(note);
        }
        self.finish_missing();
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
        let checked = self.trust.as_ref().map(|trust| head.check(trust));
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

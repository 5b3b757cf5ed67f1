use std::{collections::BTreeMap, fmt};

use super::resume::Foothold;
use crate::{
    canonical::Digest,
    clock::Timestamp,
    log::{
        checkpoint::Origin,
        id::{LogId, Seq},
        rule::{Broken, Rule},
        tree::empty_root,
        witnesses::Witnessed,
    },
};

/// How many notes a report keeps.
const MOST_NOTES: usize = 100;

/// What the verification of a log comes to (record format, section 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every rule holds, and a checkpoint from outside covers all of it.
    IntactAnchored {
        /// How many records.
        size: u64,
    },
    /// Every rule holds from a record on, by the word of an earlier verification before which the records were not read again.
    ///
    /// It is as good as [`Verdict::IntactAnchored`] where `anchored` is `size`, if what was kept of the earlier one is what it left.
    IntactSince {
        /// The first record that was read.
        since: u64,
        /// How many records.
        size: u64,
        /// How many of them the last checkpoint from outside covers: those before `since` at least.
        anchored: u64,
    },
    /// Every rule holds, but what lies beyond the last checkpoint from outside could have been cut and
    /// written anew by whoever holds the keys.
    IntactUnanchored {
        /// How many records.
        size: u64,
        /// How many of them the last checkpoint from outside covers; 0 if there is none.
        anchored: u64,
    },
    /// A rule is broken; this is the first bad record.
    Broken(Broken),
    /// Nothing is known to be broken, but not everything could be judged.
    CannotVerify {
        /// What stood in the way.
        why: String,
    },
}

impl Verdict {
    /// What a program that verifies exits with.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::IntactAnchored { .. } => 0,
            Self::Broken(_) => 1,
            Self::CannotVerify { .. } => 2,
            Self::IntactUnanchored { .. } => 3,
            Self::IntactSince { size, anchored, .. } => {
                if *size == *anchored {
                    0
                } else {
                    3
                }
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IntactAnchored { size } => write!(f, "intact and anchored, {size} records"),
            Self::IntactUnanchored { size, anchored } => write!(
                f,
                "intact with an unanchored tail, {size} records of which {anchored} are anchored"
            ),
            Self::IntactSince { since, size, .. } if since == size => write!(
                f,
                "nothing came after the first {since} records, which were not verified again"
            ),
            Self::IntactSince {
                since,
                size,
                anchored,
            } if anchored == size => write!(
                f,
                "intact and anchored from record {since} on, up to {size} records; those before were not verified again"
            ),
            Self::IntactSince {
                since,
                size,
                anchored,
            } => write!(
                f,
                "intact from record {since} on with an unanchored tail, {size} records of which {anchored} are anchored; those before {since} were not verified again"
            ),
            Self::Broken(broken) => broken.fmt(f),
            Self::CannotVerify { why } => write!(f, "cannot verify: {why}"),
        }
    }
}

/// What is known of a log after a walk over all of it; only what stands in signed bytes.
#[derive(Clone, Debug)]
pub struct Report {
    /// The log, if its genesis could be read.
    pub log: Option<LogId>,
    /// Its origin.
    pub origin: Option<Origin>,
    /// How many records were found.
    pub size: u64,
    /// The tree head over them.
    pub root: Digest,
    /// The latest time of a sound record.
    pub last_ts: Option<Timestamp>,
    /// How many sound records there are of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// How many records the last checkpoint covers that agrees with the log and comes from outside, or was cosigned by a quorum of
    /// the auditor's witnesses.
    pub anchored: u64,
    /// How many records the last checkpoint covers that was cosigned so.
    pub witnessed: u64,
    /// The sizes of the checkpoints beside the log that a quorum cosigned, whenever that was, and from when on it was one; ascending.
    pub(crate) quorums: Vec<(u64, Timestamp)>,
    /// Who cosigned that checkpoint, and from when on they were a quorum.
    pub quorum: Option<Witnessed>,
    /// How many disclosures were not handed over, by the word of whoever made the export. A store withholds
    /// none.
    pub withheld: u64,
    /// How many disclosures are sealed, under keys that were not at hand; see [`Unsealed`](crate::values::Unsealed).
    pub sealed: u64,
    /// The first record that was read in order; those before were not verified again.
    pub since: u64,
    /// How many records before that one were read again, since they bear on the rest.
    pub read_again: u64,
    /// From where a later verification can go on, if the [`Terms`](super::Terms) asked for it and the log ends with a checkpoint.
    ///
    /// It is worth what the verdict is worth: only an intact log is gone on from.
    pub foothold: Option<Foothold>,
    /// What else a reader of the report should know; the first hundred.
    pub notes: Vec<String>,
    broken: Option<Broken>,
    doubt: Option<String>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            log: None,
            origin: None,
            size: 0,
            root: empty_root(),
            last_ts: None,
            kinds: BTreeMap::new(),
            anchored: 0,
            witnessed: 0,
            quorums: Vec::new(),
            quorum: None,
            withheld: 0,
            sealed: 0,
            since: 0,
            read_again: 0,
            foothold: None,
            notes: Vec::new(),
            broken: None,
            doubt: None,
        }
    }

    /// The verdict over all that was found so far.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (size, anchored) = (self.size, self.anchored);
        if let Some(broken) = &self.broken {
            return Verdict::Broken(broken.clone());
        }
        // An empty log is never intact.
        let empty = (size == 0).then(|| "the log is empty".to_owned());
        if let Some(why) = self.doubt.clone().or(empty) {
            return Verdict::CannotVerify { why };
        }
        if self.since > 0 {
            let since = self.since;
            return Verdict::IntactSince {
                since,
                size,
                anchored,
            };
        }
        if anchored == size {
            Verdict::IntactAnchored { size }
        } else {
            Verdict::IntactUnanchored { size, anchored }
        }
    }

    /// Adds that a rule is broken; the lowest record stays, and of one record the rule that comes first.
    ///
    /// For the layer that judges what records mean, in the same walk.
    pub fn add_broken(&mut self, broken: Broken) {
        let sooner = |known: &Broken| order(&broken) < order(known);
        if self.broken.as_ref().is_none_or(sooner) {
            self.broken = Some(broken);
        }
    }

    /// Whether a rule is known to be broken at this record or before.
    pub(super) fn is_broken_by(&self, seq: Seq) -> bool {
        self.broken.as_ref().is_some_and(|broken| broken.seq <= seq)
    }

    /// Adds that something could not be judged; the first reason stays, all are noted.
    pub fn add_doubt(&mut self, why: impl Into<String>) {
        let why = why.into();
        self.add_note(why.clone());
        self.doubt.get_or_insert(why);
    }

    /// Adds something that a reader of the report should know.
    pub fn add_note(&mut self, note: impl Into<String>) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(note.into());
        }
    }
}

/// Bytes before structure before meaning; disclosures, which stand beside the statement, after both.
fn order(broken: &Broken) -> (Seq, bool, Rule) {
    (broken.seq, broken.rule == Rule::F9, broken.rule)
}

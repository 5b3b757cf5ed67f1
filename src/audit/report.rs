//! What an audit found.

use crate::action::{Pseudonym, RequestId};
use crate::approval::{At, Outcome, Status};
use crate::clock::Timestamp;
use crate::log::{Rule, Seq, Verdict, Witnessed};

use super::bookmark::Bookmark;
use super::listed::Listed;
use super::projections::ProjectionReport;

/// What an audit found.
///
/// `Display` writes a page for people, [`AuditReport::to_json`] the same for machines. Neither holds a hidden value.
#[derive(Clone, Debug)]
pub struct AuditReport {
    /// The verdict over structure and meaning (section 9 of the record format).
    ///
    /// A rule of structure or meaning that fails makes it broken, at the lowest record of all; projections do not bear on it.
    pub verdict: Verdict,
    /// How many records there are.
    pub size: u64,
    /// The first record that was read in order; those before were not verified again ([`Audit::since`](super::Audit::since)).
    pub since: u64,
    /// How many records before that one were read again, since they bear on the rest.
    pub read_again: u64,
    /// Gate time of the last record.
    pub until: Option<Timestamp>,
    /// How many requests ended how, or stand where, at the last record.
    pub requests: Requests,
    /// The requests whose effects ended nobody knows how, ascending.
    pub unresolved: Vec<RequestId>,
    /// The votes that a requirement excused from separation of duties.
    pub exceptions: Listed<Excused>,
    /// The records whose bodies this reader does not judge.
    pub not_judged: Listed<NotJudged>,
    /// Every rule that a record breaks, lowest record first.
    pub problems: Listed<Problem>,
    /// The rules that a record would break, if it were not for an earlier record of its request that this reader does not judge.
    pub doubts: Listed<Problem>,
    /// How the store's projections compare with the log.
    pub projections: ProjectionReport,
    /// How far the auditor's witnesses vouch for the log.
    pub witnesses: WitnessReport,
    /// From where a later audit can go on, if it was asked for and the log is intact.
    pub bookmark: Option<Bookmark>,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

impl AuditReport {
    /// The exit code of a command that prints this report.
    ///
    /// It is that of the verdict (0 intact and anchored, 3 intact with an unanchored tail, 1 broken, 2 cannot verify). Projections
    /// that differ are caches that differ, and make an intact log exit with 4: its store should be rebuilt from it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let code = self.verdict.exit_code();
        if is_intact(&self.verdict) && self.projections.differs() {
            Self::PROJECTIONS_DIFFER
        } else {
            code
        }
    }

    /// The exit code where the log is intact and the store's projections are not what it says.
    pub const PROJECTIONS_DIFFER: u8 = 4;
}

pub(super) const fn is_intact(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::IntactAnchored { .. }
        | Verdict::IntactUnanchored { .. }
        | Verdict::IntactSince { .. } => true,
        Verdict::Broken(_) | Verdict::CannotVerify { .. } => false,
    }
}

/// How far the auditor's witnesses vouch for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessReport {
    /// No policy was brought, or one that asks for no witness.
    NotAsked,
    /// No checkpoint of the log has a quorum.
    NoQuorum,
    /// A quorum cosigned a checkpoint.
    Quorum {
        /// How many records the last one covers.
        size: u64,
        /// Who cosigned it, and from when on they were a quorum.
        witnessed: Witnessed,
    },
}

/// A record breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The record.
    pub seq: Seq,
    /// The rule.
    pub rule: Rule,
    /// What is wrong, without any value of the record.
    pub why: String,
}

impl Problem {
    pub(super) fn new(seq: At, rule: Rule, why: String) -> Self {
        Self {
            seq: Seq::new(seq.0),
            rule,
            why,
        }
    }
}

/// A vote that was excused from separation of duties (`self_approval`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excused {
    /// The vote.
    pub seq: Seq,
    /// Who cast it.
    pub person: Pseudonym,
}

/// A record whose body this reader does not judge: its kind is reserved, or its kind, version or an extension is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJudged {
    /// The record.
    pub seq: Seq,
    /// Its kind, as it says itself.
    pub kind: String,
}

/// How many requests there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Policy denied them.
    pub denied: u64,
    /// People are asked.
    pub pending: u64,
    /// They may run.
    pub approved: u64,
    /// Their effects run, as far as the log knows.
    pub running: u64,
    /// Nobody knows how their effects ended.
    pub unresolved: u64,
    /// Their effects did what was approved.
    pub succeeded: u64,
    /// Their effects did not.
    pub failed: u64,
    /// A person denied them.
    pub rejected: u64,
    /// The requester no longer wanted them.
    pub withdrawn: u64,
    /// Another request took their place.
    pub superseded: u64,
    /// A reviewer closed them.
    pub cancelled: u64,
    /// A reviewer took the approval back before it was used.
    pub revoked: u64,
    /// A clock ran out, whether or not a record says so yet.
    pub expired: u64,
    /// A reviewer found out how their lost effects ended.
    pub reconciled: u64,
}

impl Requests {
    pub(super) const fn count(&mut self, status: &Status) {
        let place = match status {
            Status::Denied => &mut self.denied,
            Status::Pending { .. } => &mut self.pending,
            Status::Approved { .. } => &mut self.approved,
            Status::Running { .. } => &mut self.running,
            Status::Unresolved { .. } => &mut self.unresolved,
            Status::Finished {
                outcome: Outcome::Succeeded,
                ..
            } => &mut self.succeeded,
            Status::Finished {
                outcome: Outcome::Failed,
                ..
            } => &mut self.failed,
            // The fold keeps an unknown outcome as unresolved.
            Status::Finished {
                outcome: Outcome::Unknown,
                ..
            } => &mut self.unresolved,
            Status::Rejected { .. } => &mut self.rejected,
            Status::Withdrawn => &mut self.withdrawn,
            Status::Superseded { .. } => &mut self.superseded,
            Status::Cancelled => &mut self.cancelled,
            Status::Revoked => &mut self.revoked,
            Status::Expired { .. } => &mut self.expired,
            Status::Reconciled { .. } => &mut self.reconciled,
        };
        *place = place.saturating_add(1);
    }

    /// Each status with its word and number.
    #[must_use]
    pub const fn each(&self) -> [(&'static str, u64); 14] {
        let Self {
            denied,
            pending,
            approved,
            running,
            unresolved,
            succeeded,
            failed,
            rejected,
            withdrawn,
            superseded,
            cancelled,
            revoked,
            expired,
            reconciled,
        } = *self;
        [
            ("succeeded", succeeded),
            ("failed", failed),
            ("unresolved", unresolved),
            ("reconciled", reconciled),
            ("running", running),
            ("approved", approved),
            ("pending", pending),
            ("denied", denied),
            ("rejected", rejected),
            ("withdrawn", withdrawn),
            ("superseded", superseded),
            ("cancelled", cancelled),
            ("revoked", revoked),
            ("expired", expired),
        ]
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.each().iter().map(|(_, number)| number).sum()
    }
}

//! The fold over the events of one request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{ActionDigest, Bound, ExecutionId, InstanceId, PersonId, Pseudonym, RequestId};
use crate::clock::Timestamp;
use crate::policy::{CountedVote, Requirement, Selector, Shortfall, Tally, Witnessing};

use super::event::{
    At, Choice, Disposition, EndCode, Event, Exception, Finding, LossCause, Outcome, ReassessCause,
    Recorded, Requested, Unmet, VoteCode,
};
use super::hidden::Hidden;
use super::illegal::{Illegal, MeaningRule, Why};
use super::separation::Interests;
use super::table::{self, Change};
use super::votes;

/// What the records of one request add up to.
///
/// It holds no time: whether something has expired is asked with an instant ([`RequestState::status`],
/// [`RequestState::may_start`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestState {
    pub(super) request: RequestId,
    pub(super) requested: Arc<Requested>,
    pub(super) filed: Timestamp,
    pub(super) first: At,
    pub(super) last: At,
    pub(super) last_ts: Timestamp,
    pub(super) requirement: Option<Requirement>,
    pub(super) witnessing: Witnessing,
    /// Until when it is pending whenever it is; kept while it is approved.
    pub(super) expires: Option<Timestamp>,
    pub(super) interests: Interests,
    pub(super) votes: Vec<Vote>,
    pub(super) reassessed: BTreeMap<ReassessCause, u32>,
    pub(super) phase: Phase,
}

/// A vote that was cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Its record.
    pub seq: At,
    /// When.
    pub ts: Timestamp,
    /// Who.
    pub person: Pseudonym,
    /// What they decided.
    pub decision: Choice,
    /// The selectors that they satisfied then.
    pub as_: BTreeSet<Selector>,
    /// The rule that they were excused from.
    pub exception: Option<Exception>,
    /// The human behind the pseudonym; gone once erased.
    pub id: Hidden<PersonId>,
    /// The reviewer's words, if any.
    pub comment: Option<Hidden<String>>,
    /// The reviewer's reason code, if any.
    pub code: Option<VoteCode>,
    /// Whether a later record says that it no longer counts, and which.
    pub voided: Option<At>,
}

/// Where a request stands, as far as records say; clocks come on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Denied,
    Pending {
        expires: Timestamp,
    },
    Approved {
        since: Timestamp,
        use_by: Timestamp,
    },
    Running {
        run: Run,
        revoked: Revocation,
    },
    Unresolved {
        run: Run,
        open: Open,
    },
    Finished {
        run: Run,
        outcome: Outcome,
        code: Option<EndCode>,
    },
    Rejected {
        by: At,
    },
    Withdrawn,
    Superseded {
        by: RequestId,
    },
    Cancelled,
    Revoked,
    Expired {
        what: Unmet,
    },
    Reconciled {
        run: Run,
        finding: Finding,
    },
}

/// One run of the effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub execution: ExecutionId,
    pub instance: InstanceId,
    pub started: At,
    pub lease_until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revocation {
    None,
    Asked,
}

/// Why an end is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// The process said so itself.
    Said { code: Option<EndCode> },
    /// The process was given up, and may have been heard of since.
    Lost {
        why: LossCause,
        late: Option<(Outcome, Option<EndCode>)>,
    },
}

impl Phase {
    /// The words for it in messages.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Pending { .. } => "pending",
            Self::Approved { .. } => "approved",
            Self::Running { .. } => "running",
            Self::Unresolved { .. } => "unresolved",
            Self::Finished { .. } => "finished",
            Self::Rejected { .. } => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Superseded { .. } => "superseded",
            Self::Cancelled => "cancelled",
            Self::Revoked => "revoked",
            Self::Expired { .. } => "expired",
            Self::Reconciled { .. } => "reconciled",
        }
    }

    /// The run of the effect, from the start on.
    pub(super) fn run(&self) -> Option<&Run> {
        match self {
            Self::Running { run, .. }
            | Self::Unresolved { run, .. }
            | Self::Finished { run, .. }
            | Self::Reconciled { run, .. } => Some(run),
            Self::Denied
            | Self::Pending { .. }
            | Self::Approved { .. }
            | Self::Rejected { .. }
            | Self::Withdrawn
            | Self::Superseded { .. }
            | Self::Cancelled
            | Self::Revoked
            | Self::Expired { .. } => None,
        }
    }
}

impl RequestState {
    /// The state after a request was filed.
    ///
    /// # Errors
    ///
    /// If the event is not a `requested` one, or is filed under another request or action than it binds to.
    pub fn begin(recorded: &Recorded) -> Result<Self, Illegal> {
        let Recorded {
            seq,
            ts,
            request,
            action,
            event,
        } = recorded;
        let illegal = |rule, why| Illegal {
            event: event.kind(),
            rule,
            why,
        };
        let Event::Requested(requested) = event else {
            return Err(illegal(MeaningRule::M3, Why::NotRequested));
        };
        let Some(request) = *request else {
            return Err(illegal(MeaningRule::M3, Why::NotOfARequest));
        };
        if *action != Some(requested.bound.digest()) {
            return Err(illegal(MeaningRule::M2, Why::OtherRequest));
        }
        if requested.bound.request() != Some(request) {
            return Err(illegal(MeaningRule::M2, Why::OtherBound));
        }
        let (phase, requirement, expires, witnessing) = match &requested.disposition {
            Disposition::Deny { cause: _ } => (Phase::Denied, None, None, Witnessing::Afterwards),
            Disposition::Allow { use_by, witnessing } => (
                Phase::Approved {
                    since: *ts,
                    use_by: *use_by,
                },
                None,
                None,
                *witnessing,
            ),
            Disposition::RequireApproval {
                requirement,
                expires,
            } => (
                Phase::Pending { expires: *expires },
                Some(requirement.clone()),
                Some(*expires),
                requirement.witnessing,
            ),
        };
        Ok(Self {
            request,
            interests: requested.interests.clone(),
            requested: Arc::clone(requested),
            filed: *ts,
            first: *seq,
            last: *seq,
            last_ts: *ts,
            requirement,
            witnessing,
            expires,
            votes: Vec::new(),
            reassessed: BTreeMap::new(),
            phase,
        })
    }

    /// The state after all `records` of one request, in the order of the log.
    ///
    /// # Errors
    ///
    /// The first record that is not allowed; if there is none at all, [`Why::NotRequested`].
    pub fn fold<'a>(records: impl IntoIterator<Item = &'a Recorded>) -> Result<Self, Illegal> {
        let mut records = records.into_iter();
        let Some(first) = records.next() else {
            return Err(Illegal {
                event: "requested",
                rule: MeaningRule::M3,
                why: Why::NotRequested,
            });
        };
        let mut state = Self::begin(first)?;
        for recorded in records {
            state.apply(recorded)?;
        }
        Ok(state)
    }

    /// Whether `event` would be legal next, at the instant `at`: for writers, before they append.
    ///
    /// # Errors
    ///
    /// The rule that it would break. The state stays as it is either way.
    pub fn check(&self, event: &Event, at: Timestamp) -> Result<(), Illegal> {
        let next = At(self.last.0.saturating_add(1));
        table::change(self, event, next, at).map(drop)
    }

    /// Moves on by one record.
    ///
    /// # Errors
    ///
    /// The rule that the record breaks; the state is then as it was before.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        let Recorded {
            seq,
            ts,
            request,
            action,
            event,
        } = recorded;
        let illegal = |rule, why| Illegal {
            event: event.kind(),
            rule,
            why,
        };
        if *request != Some(self.request) || *action != Some(self.digest()) {
            return Err(illegal(MeaningRule::M2, Why::OtherRequest));
        }
        if *seq <= self.last || *ts < self.last_ts {
            return Err(illegal(MeaningRule::M3, Why::OutOfOrder));
        }
        let change = table::change(self, event, *seq, *ts)?;
        self.install(change, *seq);
        self.last = *seq;
        self.last_ts = *ts;
        Ok(())
    }

    fn install(&mut self, change: Change, seq: At) {
        match change {
            Change::Phase(phase) => self.phase = phase,
            Change::Vote { vote, phase } => {
                self.votes.push(vote);
                self.phase = phase;
            }
            Change::Renewal {
                cause,
                voided,
                interests,
                requirement,
                phase,
            } => {
                for vote in self
                    .votes
                    .iter_mut()
                    .filter(|vote| voided.contains(&vote.seq))
                {
                    vote.voided = Some(seq);
                }
                *self.reassessed.entry(cause).or_default() += 1;
                self.interests = interests;
                self.witnessing = self.witnessing.max(asked_of_witnesses(&requirement));
                self.requirement = requirement;
                if let Phase::Pending { expires } = phase {
                    self.expires = Some(expires);
                }
                self.phase = phase;
            }
            Change::Start { requirement, phase } => {
                self.requirement = requirement;
                self.phase = phase;
            }
        }
    }

    /// Until when a request is pending that was approved and no longer is.
    ///
    /// That is the instant of its `requested` record; one that policy had allowed has none, and is pending for `timeout` from now.
    pub(super) fn pending_until(&self, requirement: &Requirement, now: Timestamp) -> Timestamp {
        self.expires
            .unwrap_or_else(|| now.saturating_add(requirement.clocks.timeout))
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// What was filed.
    #[must_use]
    pub fn requested(&self) -> &Requested {
        &self.requested
    }

    /// When it was filed.
    #[must_use]
    pub const fn filed(&self) -> Timestamp {
        self.filed
    }

    /// The record that filed it.
    #[must_use]
    pub const fn first(&self) -> At {
        self.first
    }

    /// The last record of it.
    #[must_use]
    pub const fn last(&self) -> At {
        self.last
    }

    /// What an approval binds to.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.requested.bound
    }

    /// The action digest.
    #[must_use]
    pub fn digest(&self) -> ActionDigest {
        self.requested.bound.digest()
    }

    /// What people must meet now; `None` where policy allowed or denied it.
    #[must_use]
    pub const fn requirement(&self) -> Option<&Requirement> {
        self.requirement.as_ref()
    }

    /// Whether the log's witnesses must know of the decision before the start: what was once asked for stays.
    #[must_use]
    pub const fn witnessing(&self) -> Witnessing {
        self.witnessing
    }

    /// Until when people are asked; `None` if nobody ever was. The clock decides whether that time has come.
    #[must_use]
    pub const fn asked_until(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Whether the approval was revoked, before or after the start.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        matches!(
            self.phase,
            Phase::Revoked
                | Phase::Running {
                    revoked: Revocation::Asked,
                    ..
                }
        )
    }

    /// Who has, or ever had, an interest in it.
    #[must_use]
    pub const fn interests(&self) -> &Interests {
        &self.interests
    }

    /// Every vote, in order, void ones too.
    #[must_use]
    pub fn votes(&self) -> &[Vote] {
        &self.votes
    }

    /// The last vote of `person` that is not void.
    #[must_use]
    pub fn vote_of(&self, person: &Pseudonym) -> Option<&Vote> {
        let mut latest_first = self.votes.iter().rev();
        latest_first.find(|vote| vote.person == *person && vote.voided.is_none())
    }

    /// The approvals that count now, with the selectors that the directory confirmed when they were cast.
    #[must_use]
    pub fn counting(&self) -> Vec<CountedVote<Pseudonym>> {
        self.requirement
            .as_ref()
            .map(|requirement| votes::counting(&self.votes, requirement, &self.interests))
            .unwrap_or_default()
    }

    /// How far the approvals meet the quorum; `None` where nobody is asked.
    #[must_use]
    pub fn tally(&self) -> Option<Tally<Pseudonym>> {
        let requirement = self.requirement.as_ref()?;
        Some(requirement.quorum.tally(&self.counting()))
    }

    /// What each way to meet the quorum still lacks; none once it is met, or where nobody is asked.
    #[must_use]
    pub fn shortfalls(&self) -> Vec<Vec<Shortfall>> {
        self.requirement
            .as_ref()
            .map(|requirement| requirement.quorum.shortfalls(&self.counting()))
            .unwrap_or_default()
    }

    /// How often it was judged again for `cause`.
    #[must_use]
    pub fn reassessments(&self, cause: ReassessCause) -> u32 {
        self.reassessed.get(&cause).copied().unwrap_or_default()
    }

    /// The run of the effect, once it was started.
    #[must_use]
    pub fn execution(&self) -> Option<ExecutionId> {
        self.phase.run().map(|run| run.execution)
    }

    /// The process that runs the effect, or ran it.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceId> {
        self.phase.run().map(|run| run.instance)
    }

    /// The record of the start.
    #[must_use]
    pub fn started(&self) -> Option<At> {
        self.phase.run().map(|run| run.started)
    }
}

pub(super) fn asked_of_witnesses(requirement: &Option<Requirement>) -> Witnessing {
    let requirement = requirement.as_ref();
    requirement.map_or(Witnessing::Afterwards, |requirement| requirement.witnessing)
}

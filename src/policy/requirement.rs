//! What must happen before an action that needs people may run.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;

use super::names::ProfileName;
use super::quorum::Quorum;

/// Who must approve, who must not, by when, and what they must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// How many people of which kind.
    pub quorum: Quorum,
    /// Whose approval does not count, whatever group they are in.
    pub exclude: BTreeSet<Exclusion>,
    /// The four clocks.
    pub clocks: Clocks,
    /// What each approval must bring along.
    pub must_supply: MustSupply,
    /// Whether someone excluded may approve all the same, on record.
    pub self_approval: SelfApproval,
    /// Whether the log's witnesses must know of the decision first.
    pub witnessing: Witnessing,
    /// The approval profiles of which this is the conjunction.
    pub profiles: BTreeSet<ProfileName>,
}

impl Requirement {
    /// A requirement of `quorum` with every default: all four exclusions, four hours to decide, a quarter of an hour to start.
    pub fn new(quorum: Quorum) -> Self {
        Self {
            quorum,
            exclude: BTreeSet::from(Exclusion::ALL),
            clocks: Clocks::default(),
            must_supply: MustSupply::default(),
            self_approval: SelfApproval::Refused,
            witnessing: Witnessing::Afterwards,
            profiles: BTreeSet::new(),
        }
    }

    /// The requirement that is met only if both are.
    ///
    /// The quorums are joined by `and` (equal conjuncts once), the shorter clocks and the later start win, exclusions and what
    /// must be supplied add up, an exception stands only where both grant it, and witnesses come first where either says so. The order of
    /// merging does not matter.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let Self {
            quorum,
            mut exclude,
            clocks,
            must_supply,
            self_approval,
            witnessing,
            mut profiles,
        } = self;
        exclude.extend(other.exclude);
        profiles.extend(other.profiles);
        Self {
            quorum: quorum.and(other.quorum),
            exclude,
            clocks: clocks.and(other.clocks),
            must_supply: must_supply.and(other.must_supply),
            self_approval: self_approval.and(other.self_approval),
            witnessing: witnessing.max(other.witnessing),
            profiles,
        }
    }

    /// The requirement with what is asked of witnesses beside it.
    #[must_use]
    pub fn witnessed(mut self, witnessing: Witnessing) -> Self {
        self.witnessing = self.witnessing.max(witnessing);
        self
    }

    /// Whether this requirement is at least as strict as `former`, as far as comparing what is written tells.
    #[must_use]
    pub fn keeps(&self, former: &Self) -> bool {
        let Self {
            quorum,
            exclude,
            clocks,
            must_supply,
            self_approval,
            witnessing,
            profiles: _,
        } = self;
        quorum.keeps(&former.quorum)
            && exclude.is_superset(&former.exclude)
            && clocks.and(former.clocks) == *clocks
            && must_supply.and(former.must_supply) == *must_supply
            && self_approval.and(former.self_approval) == *self_approval
            && *witnessing >= former.witnessing
    }
}

/// The clocks of a requirement, all in gate time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// How long people have to decide, from the request on: 1 s to 30 days, whole seconds, 4 h by default.
    pub timeout: Duration,
    /// How long an approval may wait to be used: 1 s to 30 days, whole seconds, 15 min by default.
    pub valid_after_approval: Duration,
    /// The effect does not start before this instant.
    pub not_before: Option<Timestamp>,
    /// How long the effect may run before its lease must be renewed: 1 s to 30 days, whole seconds; else the gate's own.
    pub run_within: Option<Duration>,
}

impl Clocks {
    /// The shortest span that a clock takes.
    pub const SHORTEST: Duration = Duration::from_secs(1);
    /// The longest span that a clock takes: 30 days.
    pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// The stricter of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let Self {
            timeout,
            valid_after_approval,
            not_before,
            run_within,
        } = self;
        Self {
            timeout: timeout.min(other.timeout),
            valid_after_approval: valid_after_approval.min(other.valid_after_approval),
            not_before: not_before.max(other.not_before),
            run_within: match (run_within, other.run_within) {
                (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
                (mine, theirs) => mine.or(theirs),
            },
        }
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(4 * 60 * 60),
            valid_after_approval: Duration::from_secs(15 * 60),
            not_before: None,
            run_within: None,
        }
    }
}

/// Whose approval never counts: people with an interest in the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exclusion {
    /// Whoever asks.
    Requester,
    /// Everyone for whom the requester acts, along the whole chain.
    Delegators,
    /// The people who control an agent in the chain; where they are unknown, nobody's approval counts.
    AgentOwner,
    /// Whoever edited the request.
    Editors,
}

impl Exclusion {
    /// All four: the default.
    pub const ALL: [Self; 4] = [
        Self::Requester,
        Self::Delegators,
        Self::AgentOwner,
        Self::Editors,
    ];

    /// The word for it in rule files and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Delegators => "delegators",
            Self::AgentOwner => "agent-owner",
            Self::Editors => "editors",
        }
    }

    /// The exclusion that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What an approval must bring along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MustSupply {
    /// The approver's own words.
    pub reason: Supply,
    /// The number of a ticket.
    pub ticket: Supply,
}

impl MustSupply {
    /// What either of the two wants.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let Self { reason, ticket } = self;
        Self {
            reason: reason.max(other.reason),
            ticket: ticket.max(other.ticket),
        }
    }
}

/// Whether something must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Supply {
    /// It may be left out.
    #[default]
    Optional,
    /// An approval without it is refused.
    Required,
}

/// What becomes of an approval by someone who is excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelfApproval {
    /// It is refused.
    #[default]
    Refused,
    /// It counts, and card, record and reports show the exception: for a single operator.
    Recorded,
}

impl SelfApproval {
    /// The exception only where both grant it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Recorded, Self::Recorded) => Self::Recorded,
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
        }
    }
}

/// When the log's witnesses have to know of a decision; the later value is the stricter one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witnessing {
    /// They are told in the background, and nothing waits for them.
    #[default]
    Afterwards,
    /// The effect starts only once a quorum of them has cosigned a tree that holds the decision.
    BeforeStart,
}

//! Separation of duties: nobody approves their own action (NIST SP 800-53 AC-5).

use std::collections::BTreeSet;

use crate::action::Pseudonym;
use crate::policy::Exclusion;

/// What ties a person to an action.
///
/// The order is that of the words in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum As {
    /// They control an agent in the chain: own, register or schedule it.
    Controller,
    /// The chain acts for them.
    Delegator,
    /// They ask.
    Requester,
}

impl As {
    /// The exclusion that covers this interest.
    #[must_use]
    pub const fn excluded_by(self) -> Exclusion {
        match self {
            Self::Controller => Exclusion::AgentOwner,
            Self::Delegator => Exclusion::Delegators,
            Self::Requester => Exclusion::Requester,
        }
    }
}

/// Whether all controllers of the agents in a chain are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Controllers {
    /// All of them are among the interests.
    #[default]
    Known,
    /// Some could not be learnt, so anybody could be one.
    Unknown,
}

/// Everybody who has an interest in an action, as canonical persons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interests {
    people: BTreeSet<(As, Pseudonym)>,
    controllers: Controllers,
}

/// How a person stands to an action.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No interest that is excluded.
    Free,
    /// An interest that is excluded.
    Interested(As),
    /// Anybody could have an interest that is excluded.
    Unknowable,
}

impl Interests {
    /// Nobody has an interest, and every controller is known.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            people: BTreeSet::new(),
            controllers: Controllers::Known,
        }
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, tie: As, person: Pseudonym) -> Self {
        self.people.insert((tie, person));
        self
    }

    /// The same where some controllers could not be learnt.
    #[must_use]
    pub fn with_unknown_controllers(mut self) -> Self {
        self.controllers = Controllers::Unknown;
        self
    }

    /// Who has which interest, in the order of records.
    pub fn people(&self) -> impl ExactSizeIterator<Item = (As, Pseudonym)> + '_ {
        self.people.iter().copied()
    }

    /// Whether all controllers are known.
    #[must_use]
    pub const fn controllers(&self) -> Controllers {
        self.controllers
    }

    /// How `person` stands to the action where `exclude` is excluded.
    pub fn excluded(&self, person: &Pseudonym, exclude: &BTreeSet<Exclusion>) -> Standing {
        if self.controllers == Controllers::Unknown && exclude.contains(&Exclusion::AgentOwner) {
            return Standing::Unknowable;
        }
        let tie = self
            .people
            .iter()
            .find(|(tie, who)| who == person && exclude.contains(&tie.excluded_by()));
        match tie {
            Some((tie, _)) => Standing::Interested(*tie),
            None => Standing::Free,
        }
    }

    /// What is known now, with everybody who ever had an interest: giving up an agent does not make one free to approve it.
    ///
    /// Whether all controllers are known is the newer one's to say.
    #[must_use]
    pub fn followed_by(&self, newer: &Self) -> Self {
        Self {
            people: self.people.union(&newer.people).copied().collect(),
            controllers: newer.controllers,
        }
    }
}

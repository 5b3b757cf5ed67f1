//! Which votes count.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::Pseudonym;
use crate::policy::{CountedVote, Requirement, Selector, SelfApproval, Tally};

use super::event::{At, Choice, Counted, Exception};
use super::separation::{As, Interests, Standing};
use super::state::{RequestState, Vote};

/// A recount of the approvals of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedVotes {
    /// The votes that count, ascending by record, as a `started` record names them.
    pub counted: Vec<Counted>,
    /// The votes that no longer count, and why.
    pub voided: BTreeMap<At, VoidReason>,
    /// How far those that count meet the quorum.
    pub tally: Tally<Pseudonym>,
}

/// Why a vote no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VoidReason {
    /// The voter has an interest in the action.
    Interested(As),
    /// Some controllers of the agent are unknown, so nobody's approval counts.
    UnknownController,
    /// The directory no longer confirms any selector of the quorum for the voter, or knows them as inactive.
    NotEligible,
}

/// Counts the approvals of `state` anew, against `requirement`, `interests` and what the directory confirms now.
///
/// `confirmed` holds, for each active voter, the selectors that the directory confirms; whoever is not in it has none. Two
/// pseudonyms that proved to be one person must not both be in it. Everybody who ever had an interest keeps it.
#[must_use]
pub fn count_votes(
    state: &RequestState,
    requirement: &Requirement,
    interests: &Interests,
    confirmed: &BTreeMap<Pseudonym, BTreeSet<Selector>>,
) -> CountedVotes {
    let interests = state.interests().followed_by(interests);
    let asked = requirement.quorum.selectors();
    let mut counted = Vec::new();
    let mut voided = BTreeMap::new();
    for vote in standing(state.votes()) {
        let as_: BTreeSet<Selector> = confirmed
            .get(&vote.person)
            .into_iter()
            .flatten()
            .filter(|selector| asked.contains(selector))
            .cloned()
            .collect();
        let why = match may_count(vote.person, vote.exception, requirement, &interests) {
            Err(why) => Some(why),
            Ok(()) if as_.is_empty() => Some(VoidReason::NotEligible),
            Ok(()) => None,
        };
        match why {
            Some(why) => {
                voided.insert(vote.seq, why);
            }
            None => counted.push(Counted {
                vote: vote.seq,
                person: vote.person,
                as_,
            }),
        }
    }
    let tally = requirement.quorum.tally(&of_counted(&counted));
    CountedVotes {
        counted,
        voided,
        tally,
    }
}

/// Approvals that are not void.
pub(super) fn standing<'a>(
    votes: impl IntoIterator<Item = &'a Vote>,
) -> impl Iterator<Item = &'a Vote> {
    votes
        .into_iter()
        .filter(|vote| vote.decision == Choice::Approve && vote.voided.is_none())
}

/// The approvals that count, with the selectors of their records.
///
/// A vote whose person an interest excludes does not count, whether or not a record voids it.
pub(super) fn counting<'a>(
    votes: impl IntoIterator<Item = &'a Vote>,
    requirement: &Requirement,
    interests: &Interests,
) -> Vec<CountedVote<Pseudonym>> {
    standing(votes)
        .filter(|vote| may_count(vote.person, vote.exception, requirement, interests).is_ok())
        .map(|vote| CountedVote {
            person: vote.person,
            satisfies: vote.as_.clone(),
        })
        .collect()
}

/// Counted votes in the words of the quorum.
pub(super) fn of_counted(counted: &[Counted]) -> Vec<CountedVote<Pseudonym>> {
    let vote = |Counted {
                    vote: _,
                    person,
                    as_,
                }: &Counted| CountedVote {
        person: *person,
        satisfies: as_.clone(),
    };
    counted.iter().map(vote).collect()
}

/// Whether separation of duties lets an approval of `person` count.
///
/// An exception excuses a known interest where the requirement grants it; nothing excuses that controllers are unknown.
pub(super) fn may_count(
    person: Pseudonym,
    exception: Option<Exception>,
    requirement: &Requirement,
    interests: &Interests,
) -> Result<(), VoidReason> {
    match (interests.excluded(&person, &requirement.exclude), exception) {
        (Standing::Free, _) => Ok(()),
        (Standing::Interested(_), Some(Exception::SelfApproval))
            if requirement.self_approval == SelfApproval::Recorded =>
        {
            Ok(())
        }
        (Standing::Interested(tie), _) => Err(VoidReason::Interested(tie)),
        (Standing::Unknowable, _) => Err(VoidReason::UnknownController),
    }
}

//! One evaluation: the facts about the chain, and what policy says of the action.

use crate::action::{Action, ActorChain, PersonId, SessionId};
use crate::approval::{Decision, DenialCause, ReassessCause};
use crate::ledger::{Interested, LedgerError, NoAnswer};
use crate::policy::{
    CountedVote, Facts, Obligation, Phase, Question, Requirement, Verdict, Witnessing,
};

use crate::ledger::Parts;

use super::Cause;

/// What policy says, with everything that could go wrong already turned into a denial.
#[derive(Debug)]
pub(crate) enum Ruling {
    Allow(Witnessing),
    RequireApproval(Requirement),
    Deny(Option<Failure>),
}

/// Why no verdict was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    NotApplicable,
    PolicyError,
    PolicyTimeout,
    PolicyPanicked,
    Facts,
}

impl Failure {
    pub(crate) fn denial(self) -> DenialCause {
        match self {
            Self::NotApplicable => DenialCause::NotApplicable,
            Self::PolicyError => DenialCause::PolicyError,
            Self::PolicyTimeout => DenialCause::PolicyTimeout,
            Self::PolicyPanicked => DenialCause::PolicyPanicked,
            Self::Facts => DenialCause::FactsUnavailable,
        }
    }

    pub(crate) fn reassessment(self) -> ReassessCause {
        match self {
            Self::NotApplicable => ReassessCause::Policy,
            Self::PolicyError => ReassessCause::PolicyError,
            Self::PolicyTimeout => ReassessCause::PolicyTimeout,
            Self::PolicyPanicked => ReassessCause::PolicyPanicked,
            Self::Facts => ReassessCause::FactsUnavailable,
        }
    }

    /// What the caller hears; `None` where it is policy's own answer.
    pub(crate) fn cause(self) -> Option<Cause> {
        match self {
            Self::NotApplicable => None,
            Self::PolicyError => Some(Cause::PolicyFailed),
            Self::PolicyTimeout => Some(Cause::PolicyTimedOut),
            Self::PolicyPanicked => Some(Cause::PolicyPanicked),
            Self::Facts => Some(Cause::DirectoryUnavailable),
        }
    }
}

/// An evaluation with the facts that it was made on.
#[derive(Debug)]
pub(crate) struct Assessment {
    pub(crate) ruling: Ruling,
    pub(crate) decision: Decision,
    pub(crate) interested: Interested,
    /// The rule's own words, for people.
    pub(crate) reason: Option<String>,
}

/// When an action is looked at.
pub(crate) enum When<'a> {
    Asked,
    Starting(&'a [CountedVote<PersonId>]),
}

impl Parts {
    /// Gathers the facts and has policy decide; an `Err` is about the store, never about policy.
    pub(crate) async fn assess(
        &self,
        action: &Action,
        chain: &ActorChain,
        session: &SessionId,
        when: When<'_>,
    ) -> Result<Assessment, LedgerError> {
        let undecided = |failure, interested| Assessment {
            ruling: Ruling::Deny(Some(failure)),
            decision: Decision {
                revision: self.policy.revision().clone(),
                rules: Vec::new(),
            },
            interested,
            reason: None,
        };
        let interested = match self.ledger.interested(chain, self.directory.as_ref()).await {
            Ok(interested) => interested,
            Err(LedgerError::Directory) => {
                let interested = self.ledger.interested_unasked(chain).await?;
                return Ok(undecided(Failure::Facts, interested));
            }
            Err(error) => return Err(error),
        };
        let facts = Facts::none();
        let question = Question {
            action,
            chain,
            session,
            now: self.ledger.now(),
            phase: match when {
                When::Asked => Phase::Propose,
                When::Starting(votes) => Phase::Enforce { votes },
            },
            facts: &facts,
        };
        // The call itself may panic as well, not only its future.
        let evaluation = async { self.policy.evaluate(&question).await };
        let evaluation = match self.ledger.bounded(evaluation).await {
            Ok(Ok(evaluation)) => evaluation,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the policy evaluator failed");
                return Ok(undecided(Failure::PolicyError, interested));
            }
            Err(NoAnswer::TimedOut) => return Ok(undecided(Failure::PolicyTimeout, interested)),
            Err(NoAnswer::Panicked) => return Ok(undecided(Failure::PolicyPanicked, interested)),
        };
        // One that is not met must not be passed over.
        let Some(witnessing) = known(&evaluation.obligations) else {
            tracing::warn!("policy sets an obligation that this gate does not know");
            return Ok(undecided(Failure::PolicyError, interested));
        };
        Ok(Assessment {
            ruling: match evaluation.verdict {
                Verdict::Allow => Ruling::Allow(witnessing),
                Verdict::RequireApproval(requirement) => {
                    Ruling::RequireApproval(requirement.witnessed(witnessing))
                }
                Verdict::Deny => Ruling::Deny(None),
                Verdict::NotApplicable => Ruling::Deny(Some(Failure::NotApplicable)),
            },
            decision: Decision {
                revision: evaluation.revision,
                rules: evaluation.decided_by,
            },
            interested,
            reason: evaluation.reason,
        })
    }
}

/// What the obligations ask of witnesses; `None` if there is one that is not known.
fn known(obligations: &[Obligation]) -> Option<Witnessing> {
    obligations
        .iter()
        .try_fold(Witnessing::Afterwards, |_, obligation| {
            (*obligation == Obligation::witnessed()).then_some(Witnessing::BeforeStart)
        })
}

//! Taking a vote.

use std::collections::BTreeSet;

use crate::action::{Pseudonym, RequestId};
use crate::approval::{
    As, Cancelled, Choice, Event, Exception, Hidden, Proof, RequestState, Standing, Status,
    Voted as VotedEvent,
};
use crate::identity::{self, Approver, Confirmed, Freshness};
use crate::ledger::{Drafts, Folded, Interested, LedgerError, Named, rebuild};
use crate::log::{Receipt, Role};
use crate::policy::{Selector, SelfApproval, Supply};

use super::{Ballot, DeskError, ReviewDesk, VoteRefused};

/// How often a vote starts over because another vote came between.
const ROUNDS: usize = 1_000;

/// What stands for the reason that a cancellation needs, where somebody denied without a word; the parentheses say that these
/// are not their words.
const NO_REASON: &str = "(no reason given)";

/// What became of a vote.
#[derive(Debug, Clone)]
#[must_use]
pub enum Voted {
    /// It is recorded.
    Recorded {
        /// Its receipt.
        receipt: Box<Receipt>,
        /// Whether the request waits for more votes, may run, or is over.
        status: Status,
    },
    /// The same person had voted the same before; nothing was written.
    Unchanged {
        /// Where the request stands.
        status: Status,
    },
    /// The requester, a delegator or a controller said no: the request was cancelled, which is no vote.
    Cancelled {
        /// The receipt of the cancellation.
        receipt: Box<Receipt>,
    },
}

/// Whether a vote can be written on what was just read.
enum Weighed {
    Write(Box<Event>),
    Unchanged,
    /// Another process gave the person a name, and this one was about to give another.
    NamedMeanwhile,
}

impl ReviewDesk {
    /// Takes one person's vote on one showing of one request.
    ///
    /// The ballot must name the request, the action and the showing that `by` was given; the person must be active, eligible and
    /// without an interest, now. An equal vote of the same person changes nothing; a person may turn an approval into a denial until
    /// the action starts, and never back.
    ///
    /// # Errors
    /// [`VoteRefused`]: nothing was recorded.
    pub async fn vote(&self, by: &Approver, ballot: Ballot) -> Result<Voted, VoteRefused> {
        let ledger = &self.parts.ledger;
        for _ in 0..ROUNDS {
            self.signed_in(by)?;
            let folded = ledger
                .request(ballot.request)
                .await?
                .ok_or(VoteRefused::NotFound)?;
            // Whoever may not see a request does not learn from a ballot that there is one.
            self.may_see(by, &folded.state).await?;
            let named = ledger.name(by.person()).await?;
            let interested = self.interested(&folded.state).await?;
            let weighed = self
                .weigh(by, &ballot, &folded, &named, &interested)
                .await?;
            let event = match weighed {
                Weighed::Unchanged => {
                    return Ok(Voted::Unchanged {
                        status: folded.state.status(ledger.now()),
                    });
                }
                Weighed::NamedMeanwhile => {
                    ledger.unname();
                    continue;
                }
                Weighed::Write(event) => *event,
            };
            let cancels = matches!(event, Event::Cancelled(_));
            let channels = ledger.channels_of(&folded.state).await?;
            let mut drafts = Drafts::resume(ledger, folded);
            drafts.rows(named.row());
            drafts.telling(channels);
            drafts.push(Role::Desk, event)?;
            match drafts.append().await {
                Ok((written, after)) => {
                    let receipt = Box::new(written.receipt().ok_or(LedgerError::Panicked)?);
                    if cancels {
                        return Ok(Voted::Cancelled { receipt });
                    }
                    let after = after.ok_or(LedgerError::Panicked)?;
                    return Ok(Voted::Recorded {
                        receipt,
                        status: after.state.status(ledger.now()),
                    });
                }
                // Another vote or the start came first: look again at what it left.
                Err(LedgerError::Moved | LedgerError::Illegal(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(VoteRefused::NotRecorded(
            "the request kept changing".to_owned(),
        ))
    }

    async fn weigh(
        &self,
        by: &Approver,
        ballot: &Ballot,
        folded: &Folded,
        named: &Named,
        interested: &Interested,
    ) -> Result<Weighed, VoteRefused> {
        let (ledger, state) = (&self.parts.ledger, &folded.state);
        if ballot.action != state.digest() {
            return Err(VoteRefused::OtherAction);
        }
        let (showing, salt) = self.show(folded, named)?;
        if ballot.shown != showing.shown {
            return Err(VoteRefused::OtherShowing);
        }
        let now = ledger.now();
        let standing = standing(state, interested, &named.pseudonym);
        let own_no = match (ballot.decision, &standing) {
            (Choice::Deny, Tied::To(_)) => true,
            (Choice::Deny | Choice::Approve, _) => false,
        };
        match (state.status(now), ballot.decision) {
            (Status::Pending { .. }, _) | (Status::Approved { .. }, Choice::Deny) => {}
            (Status::Approved { .. }, Choice::Approve)
                if state.vote_of(&named.pseudonym).is_some() =>
            {
                return Ok(Weighed::Unchanged);
            }
            (status, _) => return Err(VoteRefused::AlreadySettled(past(&status).to_owned())),
        }
        let proof = proof_of(by);
        let id = Hidden::Known(by.person().clone());
        if own_no {
            return Ok(Weighed::Write(Box::new(Event::Cancelled(Cancelled {
                person: named.pseudonym,
                id,
                proof,
                reason: Hidden::Known(
                    ballot
                        .comment
                        .clone()
                        .unwrap_or_else(|| NO_REASON.to_owned()),
                ),
            }))));
        }
        let requirement = state.requirement().ok_or(VoteRefused::NotEligible)?;
        let wanted: BTreeSet<Selector> = requirement
            .quorum
            .selectors()
            .into_iter()
            .cloned()
            .collect();
        let as_ = self.satisfied(by, &wanted).await?;
        if as_.is_empty() {
            return Err(VoteRefused::NotEligible);
        }
        if let Some(former) = state.vote_of(&named.pseudonym) {
            match (former.decision, ballot.decision) {
                (Choice::Approve, Choice::Approve) | (Choice::Deny, Choice::Deny) => {
                    return Ok(Weighed::Unchanged);
                }
                (Choice::Deny, Choice::Approve) => return Err(VoteRefused::Tightened),
                (Choice::Approve, Choice::Deny) => {}
            }
        }
        let mut exception = None;
        if ballot.decision == Choice::Approve {
            // The row that names a person is a cache; the votes say who cast them.
            let otherwise = state
                .votes()
                .iter()
                .any(|vote| vote.id.known() == Some(by.person()) && vote.person != named.pseudonym);
            if otherwise && named.row().is_some() {
                // Another process has named the person while this one was about to.
                return Ok(Weighed::NamedMeanwhile);
            }
            if otherwise {
                return Err(VoteRefused::NotRecorded(
                    "the store names this person otherwise than the log does; audit it".to_owned(),
                ));
            }
            exception = match (&standing, requirement.self_approval) {
                (Tied::Free, _) => None,
                (Tied::To(_) | Tied::Unknowable, SelfApproval::Recorded) => {
                    Some(Exception::SelfApproval)
                }
                (Tied::To(tie), SelfApproval::Refused) => {
                    return Err(VoteRefused::SelfApproval(*tie));
                }
                (Tied::Unknowable, SelfApproval::Refused) => {
                    return Err(VoteRefused::ControllersUnknown);
                }
            };
            if ledger.clock_unsettled().await? {
                return Err(VoteRefused::ClockUnsettled);
            }
            if requirement.must_supply.reason == Supply::Required && ballot.comment.is_none() {
                return Err(VoteRefused::ReasonRequired);
            }
            if requirement.must_supply.ticket == Supply::Required && ballot.ticket.is_none() {
                return Err(VoteRefused::TicketRequired);
            }
        }
        let Ballot {
            request: _,
            action: _,
            shown,
            decision,
            comment,
            ticket,
            code,
            attestation,
        } = ballot.clone();
        Ok(Weighed::Write(Box::new(Event::Voted(Box::new(
            VotedEvent {
                person: named.pseudonym,
                id,
                decision,
                as_,
                shown,
                shown_salt: Hidden::Known(salt),
                exception,
                proof,
                comment: comment.map(Hidden::Known),
                ticket: ticket.map(Hidden::Known),
                code,
                attestation,
            },
        )))))
    }

    /// Which of the selectors the directory confirms for this person now.
    pub(super) async fn satisfied(
        &self,
        by: &Approver,
        wanted: &BTreeSet<Selector>,
    ) -> Result<BTreeSet<Selector>, VoteRefused> {
        let answer = self
            .parts
            .ledger
            .bounded(identity::confirm(
                &by.proven().who,
                wanted,
                self.parts.directory.as_ref(),
                Freshness::Any,
            ))
            .await
            .map_err(|_| VoteRefused::DirectoryUnavailable)?
            .map_err(|_| VoteRefused::DirectoryUnavailable)?;
        match answer {
            // The id was proven for one person; if it is linked to another by now, the proof is nobody's.
            Confirmed::Person { person, satisfies } if person == *by.person() => Ok(satisfies),
            Confirmed::Person { .. } | Confirmed::Deactivated(_) | Confirmed::Unknown(_) => {
                Err(VoteRefused::NotActive)
            }
        }
    }

    /// Who has an interest, as the directory knows it now.
    pub(super) async fn interested(&self, state: &RequestState) -> Result<Interested, DeskError> {
        let chain = rebuild(state.bound())
            .and_then(|unbound| unbound.chain())
            .ok_or(DeskError::Erased)?;
        Ok(self
            .parts
            .ledger
            .interested(&chain, self.parts.directory.as_ref())
            .await?)
    }
}

/// A person's tie to a request, by what was recorded and by what is known now; the closer of both.
pub(super) enum Tied {
    Free,
    To(As),
    Unknowable,
}

pub(super) fn standing(state: &RequestState, now: &Interested, person: &Pseudonym) -> Tied {
    let exclude = state
        .requirement()
        .map(|requirement| requirement.exclude.clone())
        .unwrap_or_default();
    let then = state.interests().excluded(person, &exclude);
    let fresh = now.interests.excluded(person, &exclude);
    match (then, fresh) {
        (Standing::Interested(tie), _) | (_, Standing::Interested(tie)) => Tied::To(tie),
        (Standing::Unknowable, _) | (_, Standing::Unknowable) => Tied::Unknowable,
        (Standing::Free, Standing::Free) => Tied::Free,
    }
}

pub(super) fn proof_of(by: &Approver) -> Proof {
    let proven = by.proven();
    Proof {
        method: by.method().to_string(),
        adapter: proven.adapter.to_string(),
        at: proven.at,
        assurance: proven.assurance.as_ref().map(ToString::to_string),
    }
}

/// How a request stands, to end the sentence "the request …".
pub(super) fn past(status: &Status) -> &'static str {
    match status {
        Status::Denied => "was denied by policy",
        Status::Pending { .. } => "is pending",
        Status::Approved { .. } => "was approved",
        Status::Running { .. } => "was started",
        Status::Unresolved { .. } => "ran and its outcome is unknown",
        Status::Finished { .. } => "ran",
        Status::Rejected { .. } => "was rejected",
        Status::Withdrawn => "was withdrawn",
        Status::Superseded { .. } => "was replaced",
        Status::Cancelled => "was cancelled",
        Status::Revoked => "was revoked",
        Status::Expired { .. } => "expired",
        Status::Reconciled { .. } => "was reconciled",
    }
}

/// The request that a ballot is for, for callers that route ballots.
impl From<&Ballot> for RequestId {
    fn from(ballot: &Ballot) -> Self {
        ballot.request
    }
}

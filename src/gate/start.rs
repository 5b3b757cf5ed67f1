//! The start protocol: everything that the decision rests on is read once more, and must not move until the commit.
//!
//! 1. read the versions of what counts: the request, the session, freezes, the datasets read
//! 2. gather the facts: the chain and its controllers, each voter's membership and activity, policy
//! 3. take the strictest of the stored and the new verdict, and recount the votes
//! 4. where it is asked for, wait until a quorum of witnesses knows the decision, and begin anew
//! 5. append `started`, expecting those versions; inside the lock the state and gate time are judged again
//! 6. only then is the effect called

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{
    Action, ActorChain, ExecutionId, PersonId, Pseudonym, Rebuilt, SessionId, join_input,
};
use crate::approval::{
    At, Basis as StartBasis, Choice, Event, Hidden, ReassessCause, Reassessed, Renewed,
    RequestState, Started as StartedEvent, Status, count_votes,
};
use crate::identity::{self, Confirmed, Freshness};
use crate::journal::Scope;
use crate::ledger::{Drafts, LedgerError, Parts, Unseen, Vigil, rebuild};
use crate::log::Role;
use crate::policy::{CountedVote, Satisfied, Selector, Witnessing};
use crate::store::{Row, ScopeKey};

use super::assess::{Assessment, Ruling, When};
use super::finish::Started;
use super::handle::{unread, unwritten};
use super::permit::{Basis, Pass, Unused};
use super::waiting::refusal;
use super::{Cause, PolicyDenial, Refusal};

/// How often the start begins again because something moved; once more where it began from what was last seen.
const ROUNDS: usize = 3;

impl Pass {
    /// Commits `started`, or says why not.
    pub(super) async fn start(self: Box<Self>, unused: Unused) -> Result<Started, Refusal> {
        let Self {
            parts,
            chain,
            session,
            action,
            request,
            basis,
        } = *self;
        let ledger = &parts.ledger;
        if let Some(error) = ledger.stopped() {
            return Err(unread(error));
        }
        if !unused.holds(ledger.now()) {
            return Err(Refusal::CouldNotDecide(Cause::PermitVoid));
        }
        let mut deferred = match basis {
            Basis::Recorded => None,
            Basis::Deferred(drafts) => Some(*drafts),
        };
        let mut scopes: BTreeSet<ScopeKey> = action
            .reads()
            .iter()
            .map(|dataset| key(Scope::Dataset(dataset.reference())))
            .collect();
        let freezes = key(Scope::Freezes);
        scopes.insert(key(Scope::Session(
            chain.tenant().cloned(),
            session.clone(),
        )));
        scopes.insert(freezes.clone());
        // What is filed in the same commit was moved by nobody yet.
        if deferred.is_none() {
            scopes.insert(key(Scope::Request(request)));
            // A key that is declared compromised takes votes away.
            scopes.insert(key(Scope::Keys));
        }
        let mut vigil: Option<Vigil> = None;
        let mut rounds = 0..=ROUNDS;
        while let Some(round) = rounds.next() {
            if let Some(vigil) = &vigil {
                // Nothing that happens from here on is missed.
                vigil.listen();
                if let Some(error) = ledger.stopped() {
                    return Err(unread(error));
                }
            }
            let versions = match (&deferred, round) {
                // Nobody else knows of the request, so that what was last seen will do until the commit contradicts.
                (Some(_), 0) => ledger.versions_lately(&scopes).await,
                _ => ledger.versions(scopes.iter().cloned()).await,
            };
            let versions = versions.map_err(unread)?;
            let version = |scope: &ScopeKey| versions.get(scope).copied().unwrap_or(0);
            if version(&freezes) > 0 {
                return Err(Refusal::Frozen);
            }
            // What the permit was given on is read and recomputed once more: a record that no longer says so starts nothing.
            let current = match &deferred {
                Some(_) => None,
                None => ledger.request(request).await.map_err(unread)?,
            };
            let mut complete = None;
            let mut doubted = BTreeSet::new();
            if let Some(folded) = &current {
                if !binds(&folded.state, &action, &chain, &session) {
                    return Err(Refusal::CouldNotDecide(Cause::ValueErased));
                }
                let keys = version(&key(Scope::Keys));
                doubted = ledger.doubted_votes(folded, keys).await.map_err(unread)?;
                match ledger.complete(folded).await {
                    Ok(size) => complete = Some(size),
                    Err(LedgerError::Moved) => continue,
                    Err(error) => return Err(unread(error)),
                }
            }
            let state = match (&current, &deferred) {
                (Some(folded), _) => folded.state.clone(),
                (None, Some(drafts)) => drafts.provisional().map_err(unwritten)?,
                (None, None) => return Err(Refusal::NotFound),
            };
            let attempt = Attempt {
                pass: Shared {
                    parts: &parts,
                    chain: &chain,
                    session: &session,
                    action: &action,
                },
                state: &state,
                doubted: &doubted,
            };
            let mut judged = attempt.judge().await?;
            if let Judged::Start(event, _, Witnessing::BeforeStart) = &mut judged {
                if let Some(drafts) = deferred.take() {
                    // Witnesses see only what is in the log, so that the verdict is written first.
                    drafts.append().await.map_err(unwritten)?;
                    parts.adopted(&state.requested().decision.revision);
                    scopes.extend([key(Scope::Request(request)), key(Scope::Keys)]);
                    continue;
                }
                let listened = vigil.is_some();
                let vigil = match &vigil {
                    Some(vigil) => vigil,
                    None => vigil.insert(ledger.keep_vigil(request).map_err(unseen)?),
                };
                event.witnessed = vigil.look(state.last()).await.map_err(unseen)?;
                if event.witnessed.is_none() {
                    if let Status::Approved { use_by, .. } = state.status(ledger.now()) {
                        ledger.alarms.look_again(request, use_by, &ledger.waiters);
                    }
                    if listened {
                        vigil.woken().await;
                    }
                    // Much may have changed while it slept.
                    rounds = 0..=ROUNDS;
                    continue;
                }
            }
            // What was drafted at the filing stays at hand for the case that something moves.
            let mut drafts = match (current, deferred.clone()) {
                (Some(folded), _) => Drafts::resume(ledger, folded),
                (None, Some(drafts)) => drafts,
                (None, None) => return Err(Refusal::NotFound),
            };
            if let Some(size) = complete {
                drafts.complete_up_to(size);
            }
            for scope in &scopes {
                drafts.expect(scope.clone(), version(scope));
            }
            let adoption = parts.adopting(&judged.decision().revision);
            if let Some(adoption) = adoption {
                drafts.push(Role::Gate, adoption).map_err(unwritten)?;
            }
            let revision = judged.decision().revision.clone();
            let written = match judged {
                Judged::Start(event, rows, _) => {
                    let (execution, lease_until) = (event.execution, event.lease_until);
                    drafts.rows(rows);
                    drafts.telling(ledger.channels_of(&state).await.map_err(unread)?);
                    drafts
                        .push(Role::Gate, Event::Started(Box::new(event)))
                        .map_err(unwritten)?;
                    let armed =
                        super::finish::arm(&parts, &action, request, execution, lease_until);
                    drafts
                        .append_then(armed)
                        .await
                        .map(|(_, started)| Some(started))
                }
                Judged::Back(event, rows, refusal) => {
                    drafts.rows(rows);
                    if let (None, Renewed::RequireApproval(_)) =
                        (state.requirement(), &event.verdict)
                    {
                        // Policy had allowed it, so that nobody was asked yet.
                        let asking = super::filing::notices(ledger, request, ledger.now());
                        drafts.rows(asking.map_err(unwritten)?);
                    }
                    drafts.telling(ledger.channels_of(&state).await.map_err(unread)?);
                    drafts
                        .push(Role::Gate, Event::Reassessed(Box::new(event)))
                        .map_err(unwritten)?;
                    match drafts.append().await {
                        Ok(_) => return Err(refusal),
                        Err(error) => Err(error),
                    }
                }
            };
            match written {
                Ok(Some(started)) => {
                    parts.adopted(&revision);
                    drop(unused);
                    return Ok(started);
                }
                Ok(None) | Err(LedgerError::Moved) => {}
                Err(LedgerError::Illegal(why)) => {
                    // Time has moved on between the reading and the lock, or somebody else was faster.
                    tracing::debug!(why, "the start was not legal any more");
                }
                Err(error) => return Err(unwritten(error)),
            }
        }
        Err(Refusal::CouldNotDecide(Cause::Unsettled))
    }
}

/// Whether the records of a request bind, byte for byte, this action of this actor.
fn binds(state: &RequestState, action: &Action, chain: &ActorChain, session: &SessionId) -> bool {
    let Some(unbound) = rebuild(state.bound()) else {
        return false;
    };
    match (unbound.chain(), &unbound.action) {
        (Some(bound), Rebuilt::Action(recorded)) => {
            join_input(recorded, &bound, &unbound.session) == join_input(action, chain, session)
        }
        _ => false,
    }
}

/// Why witnesses do not know the decision, as the caller hears it.
fn unseen(why: Unseen) -> Refusal {
    match why {
        Unseen::NobodyToAsk => Refusal::CouldNotDecide(Cause::NoWitnesses),
        Unseen::Contradicted => Refusal::CouldNotDecide(Cause::WitnessContradicts),
        Unseen::Unread(error) => unread(error),
    }
}

fn key(scope: Scope) -> ScopeKey {
    ScopeKey::new(scope.key())
}

/// What all attempts share.
struct Shared<'a> {
    parts: &'a Arc<Parts>,
    chain: &'a ActorChain,
    session: &'a SessionId,
    action: &'a Action,
}

struct Attempt<'a> {
    pass: Shared<'a>,
    state: &'a RequestState,
    /// Votes that a thief of the desk's key may have cast.
    doubted: &'a BTreeSet<At>,
}

enum Judged {
    /// It may start, once witnesses know that where they have to.
    Start(StartedEvent, Vec<Row>, Witnessing),
    /// The request goes back to its reviewers, or policy denies now.
    Back(Reassessed, Vec<Row>, Refusal),
}

impl Judged {
    fn decision(&self) -> &crate::approval::Decision {
        match self {
            Self::Start(event, _, _) => &event.decision,
            Self::Back(event, _, _) => &event.decision,
        }
    }
}

impl Attempt<'_> {
    async fn judge(&self) -> Result<Judged, Refusal> {
        let Shared {
            parts,
            chain,
            session,
            action,
        } = self.pass;
        let ledger = &parts.ledger;
        let now = ledger.now();
        match self.state.status(now) {
            Status::Approved { not_before, .. } => {
                if not_before.is_some_and(|not_before| now < not_before) {
                    return Err(Refusal::CouldNotDecide(Cause::Unsettled));
                }
            }
            other => return Err(refusal(self.state, &other)),
        }
        let stored = self.state.requirement();
        if stored.is_some() && ledger.clock_unsettled().await.map_err(unread)? {
            return Err(Refusal::CouldNotDecide(Cause::ClockUnsettled));
        }
        // Policy sees the votes with the memberships that the directory confirms now.
        let wanted: BTreeSet<Selector> = stored
            .iter()
            .flat_map(|requirement| requirement.quorum.selectors().into_iter().cloned())
            .collect();
        let confirmed = self.confirm(&wanted).await?;
        let Assessment {
            ruling,
            decision,
            interested,
            reason,
        } = parts
            .assess(action, chain, session, When::Starting(&confirmed.persons))
            .await
            .map_err(unread)?;
        let back = |cause, verdict, voided, refusal| {
            let event = Reassessed {
                cause,
                decision: decision.clone(),
                instance: ledger.instance,
                interests: interested.interests.clone(),
                verdict,
                voided,
                reason: reason.clone().map(Hidden::Known),
            };
            Ok(Judged::Back(event, interested.rows.clone(), refusal))
        };
        let mut witnessing = self.state.witnessing();
        let requirement = match (stored.cloned(), ruling) {
            // Stricter wins: a new denial ends it, whatever was approved.
            (_, Ruling::Deny(failure)) => {
                let cause = failure.map_or(ReassessCause::Policy, |failure| failure.reassessment());
                let refusal = match failure.and_then(|failure| failure.cause()) {
                    Some(cause) => Refusal::CouldNotDecide(cause),
                    None => Refusal::Denied(Box::new(PolicyDenial {
                        request: self.state.request(),
                        rules: decision.rules.clone(),
                        reason: reason.clone(),
                    })),
                };
                return back(cause, Renewed::Deny, BTreeSet::new(), refusal);
            }
            (None, Ruling::Allow(fresh)) => {
                witnessing = witnessing.max(fresh);
                None
            }
            // Looser changes nothing.
            (Some(stored), Ruling::Allow(fresh)) => Some(stored.witnessed(fresh)),
            (None, Ruling::RequireApproval(fresh)) => Some(fresh.witnessed(witnessing)),
            (Some(stored), Ruling::RequireApproval(fresh)) => Some(stored.and(fresh)),
        };
        let execution = ExecutionId::new(now, &mut crate::ledger::salts())
            .map_err(|_| unwritten(LedgerError::NoEntropy))?;
        let lease = requirement
            .as_ref()
            .and_then(|requirement| requirement.clocks.run_within)
            .unwrap_or(ledger.limits.lease);
        let started = |basis| StartedEvent {
            execution,
            instance: ledger.instance,
            lease_until: now.saturating_add(lease),
            decision: decision.clone(),
            interests: interested.interests.clone(),
            basis,
            witnessed: None,
        };
        let Some(requirement) = requirement else {
            return Ok(Judged::Start(
                started(StartBasis::Allow),
                interested.rows.clone(),
                witnessing,
            ));
        };
        // A requirement that grew may ask for groups that nobody was asked about yet.
        let asked_anew = requirement
            .quorum
            .selectors()
            .into_iter()
            .any(|selector| !wanted.contains(selector));
        let confirmed = if asked_anew {
            let all = requirement
                .quorum
                .selectors()
                .into_iter()
                .cloned()
                .collect();
            self.confirm(&all).await?
        } else {
            confirmed
        };
        let recount = count_votes(
            self.state,
            &requirement,
            &interested.interests,
            &confirmed.pseudonyms,
        );
        if recount.tally.satisfied == Satisfied::Yes {
            let witnessing = witnessing.max(requirement.witnessing);
            return Ok(Judged::Start(
                started(StartBasis::RequireApproval {
                    requirement,
                    counted: recount.counted,
                }),
                interested.rows.clone(),
                witnessing,
            ));
        }
        let cause = if stored.is_none_or(|stored| *stored != requirement) {
            ReassessCause::Policy
        } else {
            ReassessCause::Votes
        };
        back(
            cause,
            Renewed::RequireApproval(requirement),
            recount.voided.into_keys().collect(),
            Refusal::CouldNotDecide(Cause::BackToReviewers),
        )
    }

    /// Asks the directory about each voter who approved: active still, and a member of what still.
    async fn confirm(&self, selectors: &BTreeSet<Selector>) -> Result<Confirmations, Refusal> {
        let parts = self.pass.parts;
        let unavailable = || Refusal::CouldNotDecide(Cause::DirectoryUnavailable);
        let mut confirmed = Confirmations::default();
        for vote in self.state.votes() {
            if vote.decision != Choice::Approve || vote.voided.is_some() {
                continue;
            }
            if self.doubted.contains(&vote.seq) {
                continue;
            }
            // An erased identity cannot be asked about, so it does not count.
            let Some(person) = vote.id.known() else {
                continue;
            };
            // The table of pseudonyms is no record: two of them for one person are one person.
            if confirmed.persons.iter().any(|one| one.person == *person) {
                continue;
            }
            let answer = parts
                .ledger
                .bounded(identity::confirm(
                    person.as_principal(),
                    selectors,
                    parts.directory.as_ref(),
                    Freshness::Any,
                ))
                .await
                .map_err(|_| unavailable())?
                .map_err(|_| unavailable())?;
            let satisfies = match answer {
                // Linked to somebody else since: the vote is not that person's.
                Confirmed::Person {
                    person: known,
                    satisfies,
                } if known == *person => satisfies,
                Confirmed::Person { .. } | Confirmed::Deactivated(_) | Confirmed::Unknown(_) => {
                    BTreeSet::new()
                }
            };
            confirmed.persons.push(CountedVote {
                person: person.clone(),
                satisfies: satisfies.clone(),
            });
            confirmed.pseudonyms.insert(vote.person, satisfies);
        }
        Ok(confirmed)
    }
}

/// What the directory says now of those who approved.
#[derive(Default)]
struct Confirmations {
    persons: Vec<CountedVote<PersonId>>,
    pseudonyms: BTreeMap<Pseudonym, BTreeSet<Selector>>,
}

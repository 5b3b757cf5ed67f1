//! The table of section 8 of the record format: what each event needs, and what it leads to.
//!
//! There is no second copy of it: writers ask it before they append, and the fold and the verifier ask it for every record.

use std::collections::BTreeSet;

use crate::action::{ExecutionId, InstanceId};
use crate::clock::Timestamp;
use crate::policy::{Requirement, Satisfied, Supply, Witnessing};

use super::event::{
    At, Basis, Choice, Counted, Derivation, Event, Exception, Expired, Finished, LeaseRenewed,
    LossCause, Lost, Outcome, ReassessCause, Reassessed, Reconciled, Renewed, Started, Timing,
    Unmet, Voted,
};
use super::illegal::{Illegal, MeaningRule, Why};
use super::separation::Interests;
use super::state::{Open, Phase, RequestState, Revocation, Run, Vote, asked_of_witnesses};
use super::votes::{self, VoidReason};

/// What an event changes.
pub(super) enum Change {
    Phase(Phase),
    Vote {
        vote: Vote,
        phase: Phase,
    },
    Renewal {
        cause: ReassessCause,
        voided: BTreeSet<At>,
        interests: Interests,
        requirement: Option<Requirement>,
        phase: Phase,
    },
    Start {
        requirement: Option<Requirement>,
        phase: Phase,
    },
}

type Broken = (MeaningRule, Why);

/// What `event` changes if it comes next, as record `seq` at the instant `ts`.
pub(super) fn change(
    state: &RequestState,
    event: &Event,
    seq: At,
    ts: Timestamp,
) -> Result<Change, Illegal> {
    let change = match event {
        Event::Requested(_) => Err(m3(Why::RequestedTwice)),
        Event::PolicyAdopted(_)
        | Event::Clock(_)
        | Event::ClockAcknowledged(_)
        | Event::Erased(_)
        | Event::Recovered(_) => Err(m3(Why::NotOfARequest)),
        Event::Voted(voted) => match voted.decision {
            Choice::Approve => approve(state, voted, seq, ts),
            Choice::Deny => deny(state, voted, seq, ts),
        },
        Event::Reassessed(reassessed) => reassess(state, reassessed, ts),
        Event::Started(started) => start(state, started, seq, ts),
        Event::LeaseRenewed(renewed) => renew(state, renewed, ts),
        Event::Finished(finished) => finish(state, finished),
        Event::Lost(lost) => lose(state, lost, ts),
        Event::Withdrawn(_) => close(state, ts, Phase::Withdrawn),
        Event::Superseded(superseded) => close(state, ts, Phase::Superseded { by: superseded.by }),
        Event::Cancelled(_) => close(state, ts, Phase::Cancelled),
        Event::Revoked(_) => revoke(state, ts),
        Event::Expired(expired) => expire(state, expired, ts),
        Event::Reconciled(reconciled) => reconcile(state, reconciled),
    };
    change.map_err(|(rule, why)| Illegal {
        event: event.kind(),
        rule,
        why,
    })
}

const fn m3(why: Why) -> Broken {
    (MeaningRule::M3, why)
}

fn wrong(state: &RequestState) -> Broken {
    m3(Why::Wrong {
        state: state.phase.words(),
    })
}

/// A request that waits for people or for its start, and whose clock has not run out.
enum Waiting {
    Pending { expires: Timestamp },
    Approved { since: Timestamp, use_by: Timestamp },
}

fn waiting(state: &RequestState, ts: Timestamp) -> Result<Waiting, Broken> {
    match state.phase {
        Phase::Pending { expires } if ts < expires => Ok(Waiting::Pending { expires }),
        Phase::Pending { .. } => Err(m3(Why::Over(Unmet::Pending))),
        Phase::Approved { since, use_by } if ts < use_by => Ok(Waiting::Approved { since, use_by }),
        Phase::Approved { .. } => Err(m3(Why::Over(Unmet::Unused))),
        _ => Err(wrong(state)),
    }
}

/// The requirement under which somebody votes, if the voter satisfies a selector of it.
fn asked<'a>(state: &'a RequestState, voted: &Voted) -> Result<&'a Requirement, Broken> {
    let requirement = state.requirement.as_ref().ok_or(m3(Why::NobodyAsked))?;
    let selectors = requirement.quorum.selectors();
    if voted
        .as_
        .iter()
        .any(|selector| selectors.contains(selector))
    {
        Ok(requirement)
    } else {
        Err(m3(Why::NotEligible))
    }
}

fn cast(voted: &Voted, seq: At, ts: Timestamp) -> Vote {
    Vote {
        seq,
        ts,
        person: voted.person,
        decision: voted.decision,
        as_: voted.as_.clone(),
        exception: voted.exception,
        id: voted.id.clone(),
        comment: voted.comment.clone(),
        code: voted.code.clone(),
        voided: None,
    }
}

fn approve(state: &RequestState, voted: &Voted, seq: At, ts: Timestamp) -> Result<Change, Broken> {
    // Who has approved hears so, also once the quorum is met: for them it is the same answer to the same click.
    let earlier = state.vote_of(&voted.person);
    let expires = match (waiting(state, ts)?, earlier) {
        (_, Some(earlier)) => return Err(m3(Why::AlreadyApproved(earlier.seq))),
        (Waiting::Approved { .. }, None) => return Err(wrong(state)),
        (Waiting::Pending { expires }, None) => expires,
    };
    let requirement = asked(state, voted)?;
    separate(state, voted, requirement)?;
    if requirement.must_supply.reason == Supply::Required && voted.comment.is_none() {
        return Err((MeaningRule::M7, Why::ReasonMissing));
    }
    if requirement.must_supply.ticket == Supply::Required && voted.ticket.is_none() {
        return Err((MeaningRule::M7, Why::TicketMissing));
    }
    let vote = cast(voted, seq, ts);
    let counting = votes::counting(
        state.votes.iter().chain([&vote]),
        requirement,
        &state.interests,
    );
    let phase = match requirement.quorum.tally(&counting).satisfied {
        Satisfied::Yes => approved(requirement, ts),
        Satisfied::No => Phase::Pending { expires },
    };
    Ok(Change::Vote { vote, phase })
}

fn approved(requirement: &Requirement, since: Timestamp) -> Phase {
    Phase::Approved {
        since,
        use_by: since.saturating_add(requirement.clocks.valid_after_approval),
    }
}

/// M4: an approval by somebody with an interest carries the exception that the requirement grants, and no other one does.
fn separate(state: &RequestState, voted: &Voted, requirement: &Requirement) -> Result<(), Broken> {
    let m4 = |why| Err((MeaningRule::M4, why));
    let without = votes::may_count(voted.person, None, requirement, &state.interests);
    let with = votes::may_count(voted.person, voted.exception, requirement, &state.interests);
    match (voted.exception, without, with) {
        (None, Ok(()), _) => Ok(()),
        (Some(Exception::SelfApproval), Err(_), Ok(())) => Ok(()),
        (Some(Exception::SelfApproval), Ok(()), _) => m4(Why::NoException),
        (_, _, Err(VoidReason::UnknownController)) => m4(Why::UnknownController),
        (Some(Exception::SelfApproval), _, Err(_)) => m4(Why::NoException),
        (None, Err(VoidReason::Interested(tie)), _) => m4(Why::SelfApproval(tie)),
        (None, Err(_), _) => m4(Why::UnknownController),
    }
}

fn deny(state: &RequestState, voted: &Voted, seq: At, ts: Timestamp) -> Result<Change, Broken> {
    waiting(state, ts)?;
    asked(state, voted)?;
    if voted.exception.is_some() {
        return Err((MeaningRule::M4, Why::NoException));
    }
    Ok(Change::Vote {
        vote: cast(voted, seq, ts),
        phase: Phase::Rejected { by: seq },
    })
}

fn reassess(
    state: &RequestState,
    reassessed: &Reassessed,
    ts: Timestamp,
) -> Result<Change, Broken> {
    let Reassessed {
        cause,
        decision: _,
        instance: _,
        interests,
        verdict,
        voided,
        reason: _,
    } = reassessed;
    let waiting = waiting(state, ts)?;
    for seq in voided {
        if !votes::standing(&state.votes).any(|vote| vote.seq == *seq) {
            return Err(m3(Why::NoSuchVote(*seq)));
        }
    }
    let interests = state.interests.followed_by(interests);
    let (requirement, phase) = match (verdict, &state.requirement) {
        (Renewed::Deny, former) => (former.clone(), Phase::Denied),
        (Renewed::Allow, Some(_)) => return Err((MeaningRule::M6, Why::Weaker)),
        (Renewed::Allow, None) => (None, state.phase.clone()),
        (Renewed::RequireApproval(requirement), former) => {
            if former
                .as_ref()
                .is_some_and(|former| !requirement.keeps(former))
            {
                return Err((MeaningRule::M6, Why::Weaker));
            }
            let rest = state
                .votes
                .iter()
                .filter(|vote| !voided.contains(&vote.seq));
            let counting = votes::counting(rest, requirement, &interests);
            let met = requirement.quorum.tally(&counting).satisfied;
            let phase = match (met, waiting) {
                (Satisfied::Yes, Waiting::Approved { since, use_by }) => {
                    Phase::Approved { since, use_by }
                }
                (Satisfied::Yes, Waiting::Pending { .. }) => approved(requirement, ts),
                (Satisfied::No, Waiting::Pending { expires }) => Phase::Pending { expires },
                (Satisfied::No, Waiting::Approved { .. }) => Phase::Pending {
                    expires: state.pending_until(requirement, ts),
                },
            };
            (Some(requirement.clone()), phase)
        }
    };
    Ok(Change::Renewal {
        cause: *cause,
        voided: voided.clone(),
        interests,
        requirement,
        phase,
    })
}

fn start(
    state: &RequestState,
    started: &Started,
    seq: At,
    ts: Timestamp,
) -> Result<Change, Broken> {
    let Started {
        execution,
        instance,
        lease_until,
        decision: _,
        interests,
        basis,
        witnessed,
    } = started;
    let Waiting::Approved { .. } = waiting(state, ts)? else {
        return Err(wrong(state));
    };
    let not_before = match basis {
        Basis::Allow => None,
        Basis::RequireApproval { requirement, .. } => requirement.clocks.not_before,
    };
    if not_before.is_some_and(|not_before| ts < not_before) {
        return Err(m3(Why::TooEarly));
    }
    let requirement = match (basis, &state.requirement) {
        (Basis::Allow, Some(_)) => return Err((MeaningRule::M6, Why::Weaker)),
        (Basis::Allow, None) => None,
        (
            Basis::RequireApproval {
                requirement,
                counted,
            },
            former,
        ) => {
            recount(state, requirement, interests, counted)?;
            if former
                .as_ref()
                .is_some_and(|former| !requirement.keeps(former))
            {
                return Err((MeaningRule::M6, Why::Weaker));
            }
            Some(requirement)
        }
    }
    .cloned();
    knew(state, &requirement, *witnessed, seq)?;
    Ok(Change::Start {
        requirement,
        phase: Phase::Running {
            run: Run {
                execution: *execution,
                instance: *instance,
                started: seq,
                lease_until: *lease_until,
            },
            revoked: Revocation::None,
        },
    })
}

/// M11: where witnesses had to know of the decision first, they cosigned a tree that holds it.
fn knew(
    state: &RequestState,
    requirement: &Option<Requirement>,
    witnessed: Option<u64>,
    seq: At,
) -> Result<(), Broken> {
    let m11 = |why| Err((MeaningRule::M11, why));
    match (
        state.witnessing.max(asked_of_witnesses(requirement)),
        witnessed,
    ) {
        (Witnessing::BeforeStart, None) => m11(Why::Unwitnessed),
        (_, Some(size)) if size <= state.last.0 => m11(Why::WitnessedBefore),
        (_, Some(size)) if size > seq.0 => m11(Why::WitnessedAhead),
        (Witnessing::BeforeStart, Some(_)) | (Witnessing::Afterwards, _) => Ok(()),
    }
}

/// M5: the counted votes are votes that count, each person once, and meet the quorum.
fn recount(
    state: &RequestState,
    requirement: &Requirement,
    interests: &Interests,
    counted: &[Counted],
) -> Result<(), Broken> {
    let m5 = |why| Err((MeaningRule::M5, why));
    let interests = state.interests.followed_by(interests);
    let mut people = BTreeSet::new();
    let mut last = None;
    for Counted {
        vote: seq,
        person,
        as_: _,
    } in counted
    {
        let vote =
            votes::standing(&state.votes).find(|vote| vote.seq == *seq && vote.person == *person);
        let Some(vote) = vote else {
            return m5(Why::Miscounted(*seq));
        };
        if last.is_some_and(|last| *seq <= last) || !people.insert(*person) {
            return m5(Why::Miscounted(*seq));
        }
        last = Some(*seq);
        match votes::may_count(*person, vote.exception, requirement, &interests) {
            Ok(()) => {}
            Err(VoidReason::Interested(tie)) => return m5(Why::SelfApproval(tie)),
            Err(VoidReason::UnknownController | VoidReason::NotEligible) => {
                return m5(Why::UnknownController);
            }
        }
    }
    match requirement
        .quorum
        .tally(&votes::of_counted(counted))
        .satisfied
    {
        Satisfied::Yes => Ok(()),
        Satisfied::No => m5(Why::QuorumNotMet),
    }
}

fn renew(state: &RequestState, renewed: &LeaseRenewed, ts: Timestamp) -> Result<Change, Broken> {
    let LeaseRenewed {
        execution,
        instance,
        lease_until,
    } = renewed;
    let Phase::Running { run, revoked } = state.phase else {
        return Err(wrong(state));
    };
    same_run(&run, *execution, Some(*instance))?;
    if ts >= run.lease_until {
        return Err(m3(Why::LeasePassed));
    }
    Ok(Change::Phase(Phase::Running {
        run: Run {
            lease_until: *lease_until,
            ..run
        },
        revoked,
    }))
}

fn same_run(run: &Run, execution: ExecutionId, instance: Option<InstanceId>) -> Result<(), Broken> {
    if run.execution == execution && instance.is_none_or(|instance| run.instance == instance) {
        Ok(())
    } else {
        Err(m3(Why::OtherExecution))
    }
}

fn finish(state: &RequestState, finished: &Finished) -> Result<Change, Broken> {
    let Finished {
        execution,
        instance,
        outcome,
        code,
        used,
        generated,
        derived,
        timing,
        result: _,
    } = finished;
    let phase = match (&state.phase, timing) {
        (Phase::Running { run, .. }, Timing::InTime) => {
            same_run(run, *execution, Some(*instance))?;
            match outcome {
                Outcome::Succeeded | Outcome::Failed => Phase::Finished {
                    run: *run,
                    outcome: *outcome,
                    code: *code,
                },
                Outcome::Unknown => Phase::Unresolved {
                    run: *run,
                    open: Open::Said { code: *code },
                },
            }
        }
        (
            Phase::Unresolved {
                run,
                open: Open::Lost { why, late },
            },
            Timing::Late,
        ) => {
            same_run(run, *execution, Some(*instance))?;
            if late.is_some() {
                return Err(m3(Why::LateTwice));
            }
            Phase::Unresolved {
                run: *run,
                open: Open::Lost {
                    why: *why,
                    late: Some((*outcome, *code)),
                },
            }
        }
        (Phase::Running { .. } | Phase::Unresolved { .. }, _) => return Err(m3(Why::Lateness)),
        _ => return Err(wrong(state)),
    };
    let listed = |index: u32, of: usize| usize::try_from(index).is_ok_and(|index| index < of);
    let known = |pair: &Derivation| {
        listed(pair.generated, generated.len()) && listed(pair.used, used.len())
    };
    if !derived.iter().all(known) {
        return Err(m3(Why::NoSuchDataset));
    }
    Ok(Change::Phase(phase))
}

fn lose(state: &RequestState, lost: &Lost, ts: Timestamp) -> Result<Change, Broken> {
    let Lost {
        execution,
        instance,
        why,
    } = lost;
    let Phase::Running { run, .. } = state.phase else {
        return Err(wrong(state));
    };
    same_run(&run, *execution, Some(*instance))?;
    if *why == LossCause::LeasePassed && ts < run.lease_until {
        return Err(m3(Why::LeaseHolds));
    }
    Ok(Change::Phase(Phase::Unresolved {
        run,
        open: Open::Lost {
            why: *why,
            late: None,
        },
    }))
}

fn close(state: &RequestState, ts: Timestamp, into: Phase) -> Result<Change, Broken> {
    waiting(state, ts)?;
    Ok(Change::Phase(into))
}

fn revoke(state: &RequestState, ts: Timestamp) -> Result<Change, Broken> {
    match state.phase {
        Phase::Running {
            revoked: Revocation::Asked,
            ..
        } => Err(m3(Why::RevokedTwice)),
        Phase::Running {
            run,
            revoked: Revocation::None,
        } => Ok(Change::Phase(Phase::Running {
            run,
            revoked: Revocation::Asked,
        })),
        _ => match waiting(state, ts)? {
            Waiting::Approved { .. } => Ok(Change::Phase(Phase::Revoked)),
            Waiting::Pending { .. } => Err(wrong(state)),
        },
    }
}

fn expire(state: &RequestState, expired: &Expired, ts: Timestamp) -> Result<Change, Broken> {
    let due = match (&state.phase, expired.what) {
        (Phase::Pending { expires }, Unmet::Pending) => *expires,
        (Phase::Approved { use_by, .. }, Unmet::Unused) => *use_by,
        _ => return Err(wrong(state)),
    };
    if ts < due {
        return Err(m3(Why::NotOver));
    }
    Ok(Change::Phase(Phase::Expired { what: expired.what }))
}

fn reconcile(state: &RequestState, reconciled: &Reconciled) -> Result<Change, Broken> {
    let Phase::Unresolved { run, .. } = state.phase else {
        return Err(wrong(state));
    };
    same_run(&run, reconciled.execution, None)?;
    Ok(Change::Phase(Phase::Reconciled {
        run,
        finding: reconciled.finding,
    }))
}

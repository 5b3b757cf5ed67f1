//! Events and whole lives of requests for tests of this layer and of those above.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::action::{
    Action, ActorChain, Bound, Dataset, ExecutionId, InstanceId, PersonId, Principal, PrincipalId,
    Pseudonym, RequestId, Salt, SeededSalts, SessionId, Stamp, TenantId, bind,
};
use crate::canonical::Json;
use crate::clock::Timestamp;
use crate::policy::{PolicyRevision, Quorum, Requirement, RuleId, Selector};

use super::{
    At, Basis, Cancelled, Choice, Counted, Decision, Disposition, Event, Exception, Expired,
    Finding, Finished, Hidden, Illegal, Interests, LeaseRenewed, LossCause, Lost, Outcome, Proof,
    ReassessCause, Reassessed, Reconciled, Recorded, Renewed, RequestState, Requested, Revoked,
    ShownDigest, Started, Superseded, Timing, Unmet, Voted, Withdrawn,
};

/// So many seconds into the test.
pub(crate) fn at(seconds: u64) -> Timestamp {
    let start = Timestamp::parse("2030-01-01T00:00:00.000000Z").unwrap();
    start.saturating_add(Duration::from_secs(seconds))
}

/// The person number `n`.
pub(crate) fn person(n: u8) -> Pseudonym {
    Pseudonym::from_bytes([n; 16])
}

pub(crate) fn request(n: u8) -> RequestId {
    RequestId::from_uuid(Uuid::from_bytes([n; 16]))
}

pub(crate) fn execution(n: u8) -> ExecutionId {
    ExecutionId::from_uuid(Uuid::from_bytes([n; 16]))
}

pub(crate) fn instance(n: u8) -> InstanceId {
    InstanceId::from_uuid(Uuid::from_bytes([n; 16]))
}

pub(crate) fn selectors(texts: &[&str]) -> BTreeSet<Selector> {
    texts
        .iter()
        .map(|text| Selector::parse(text).unwrap())
        .collect()
}

/// An agent for `person(1)` exports a table.
pub(crate) fn bound(request: RequestId) -> Bound {
    let action = Action::named("db.export")
        .parameter("format", "csv")
        .sensitive("recipient", "rita@example.org")
        .reads(Dataset::new("postgres://db:5432", "crm.customers").label("pii"))
        .writes(Dataset::new("file://host", "/out/rita.csv").sensitive())
        .build()
        .unwrap();
    let chain = ActorChain::acting(Principal::agent("demo", "reporter").unwrap())
        .on_behalf_of(Principal::human("demo", "olga").unwrap())
        .unwrap()
        .in_tenant(TenantId::new("acme").unwrap());
    let stamp = Stamp {
        request,
        chain: &chain,
        session: &SessionId::new("s-1").unwrap(),
        persons: &[person(1)],
    };
    bind(
        &action,
        &stamp,
        &mut SeededSalts::new(request.as_uuid().as_u128() as u64),
    )
    .unwrap()
}

/// A hundred seconds to decide, fifty to start.
pub(crate) fn requirement(quorum: &str) -> Requirement {
    let mut requirement = Requirement::new(Quorum::parse(quorum).unwrap());
    requirement.clocks.timeout = Duration::from_secs(100);
    requirement.clocks.valid_after_approval = Duration::from_secs(50);
    requirement
}

pub(crate) fn decision() -> Decision {
    Decision {
        revision: PolicyRevision::of("countersign-rules/1", b"rules"),
        rules: vec![RuleId::new("export-pii").unwrap()],
    }
}

pub(crate) fn proof() -> Proof {
    Proof {
        method: "asserted-demo".to_owned(),
        adapter: "terminal".to_owned(),
        at: at(0),
        assurance: None,
    }
}

fn id(person: Pseudonym) -> Hidden<PersonId> {
    let id = PrincipalId::new("demo", format!("person-{}", person.as_bytes()[0])).unwrap();
    Hidden::Known(PersonId::new(id))
}

fn reason() -> Hidden<String> {
    Hidden::Known("because".to_owned())
}

pub(crate) fn requested(disposition: Disposition) -> Requested {
    Requested {
        bound: bound(request(9)),
        decision: decision(),
        instance: instance(1),
        interests: Interests::none(),
        disposition,
        because: None,
        reason: None,
        trace: None,
    }
}

/// A request for `requirement`, filed at second 0.
pub(crate) fn asking(requirement: Requirement) -> Requested {
    let expires = at(0).saturating_add(requirement.clocks.timeout);
    requested(Disposition::RequireApproval {
        requirement,
        expires,
    })
}

pub(crate) fn voted(who: u8, decision: Choice, as_: &[&str]) -> Voted {
    let salt = Salt::from_bytes([who; 16]);
    Voted {
        person: person(who),
        id: id(person(who)),
        decision,
        as_: selectors(as_),
        shown: ShownDigest::of(&salt, &Json::from("card")),
        shown_salt: Hidden::Known(salt),
        exception: None,
        proof: proof(),
        comment: None,
        ticket: None,
        code: None,
        attestation: None,
    }
}

pub(crate) fn approve(who: u8, as_: &[&str]) -> Event {
    Event::Voted(Box::new(voted(who, Choice::Approve, as_)))
}

pub(crate) fn approve_excepted(who: u8, as_: &[&str]) -> Event {
    Event::Voted(Box::new(Voted {
        exception: Some(Exception::SelfApproval),
        ..voted(who, Choice::Approve, as_)
    }))
}

pub(crate) fn deny(who: u8, as_: &[&str]) -> Event {
    Event::Voted(Box::new(voted(who, Choice::Deny, as_)))
}

pub(crate) fn reassessed(verdict: Renewed, voided: &[u64]) -> Reassessed {
    Reassessed {
        cause: ReassessCause::Votes,
        decision: decision(),
        instance: instance(1),
        interests: Interests::none(),
        verdict,
        voided: voided.iter().copied().map(At).collect(),
        reason: None,
    }
}

pub(crate) fn reassess(verdict: Renewed, voided: &[u64]) -> Event {
    Event::Reassessed(Box::new(reassessed(verdict, voided)))
}

pub(crate) fn counted(vote: u64, who: u8, as_: &[&str]) -> Counted {
    Counted {
        vote: At(vote),
        person: person(who),
        as_: selectors(as_),
    }
}

pub(crate) fn started(basis: Basis, lease_until: u64) -> Started {
    Started {
        execution: execution(1),
        instance: instance(1),
        lease_until: at(lease_until),
        decision: decision(),
        interests: Interests::none(),
        basis,
        witnessed: None,
    }
}

pub(crate) fn start(basis: Basis, lease_until: u64) -> Event {
    Event::Started(Box::new(started(basis, lease_until)))
}

pub(crate) fn renew(lease_until: u64) -> Event {
    Event::LeaseRenewed(LeaseRenewed {
        execution: execution(1),
        instance: instance(1),
        lease_until: at(lease_until),
    })
}

pub(crate) fn finished(outcome: Outcome, timing: Timing) -> Finished {
    Finished {
        execution: execution(1),
        instance: instance(1),
        outcome,
        code: None,
        used: Vec::new(),
        generated: Vec::new(),
        derived: Vec::new(),
        timing,
        result: None,
    }
}

pub(crate) fn finish(outcome: Outcome) -> Event {
    Event::Finished(Box::new(finished(outcome, Timing::InTime)))
}

pub(crate) fn finish_late(outcome: Outcome) -> Event {
    Event::Finished(Box::new(finished(outcome, Timing::Late)))
}

pub(crate) fn lose(why: LossCause) -> Event {
    Event::Lost(Lost {
        execution: execution(1),
        instance: instance(1),
        why,
    })
}

pub(crate) fn withdraw() -> Event {
    Event::Withdrawn(Withdrawn {
        instance: instance(1),
    })
}

pub(crate) fn supersede() -> Event {
    Event::Superseded(Superseded {
        by: request(8),
        instance: instance(1),
    })
}

pub(crate) fn cancel() -> Event {
    Event::Cancelled(Cancelled {
        person: person(7),
        id: id(person(7)),
        proof: proof(),
        reason: reason(),
    })
}

pub(crate) fn revoke() -> Event {
    Event::Revoked(Revoked {
        person: person(7),
        id: id(person(7)),
        proof: proof(),
        reason: reason(),
    })
}

pub(crate) fn expire(what: Unmet) -> Event {
    Event::Expired(Expired {
        instance: instance(1),
        what,
    })
}

pub(crate) fn reconcile(finding: Finding) -> Event {
    Event::Reconciled(Reconciled {
        execution: execution(1),
        finding,
        person: person(7),
        id: id(person(7)),
        proof: proof(),
        reason: reason(),
    })
}

/// The life of `request(9)`, told event by event; the first record is number 0.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) state: RequestState,
    pub(crate) records: Vec<Recorded>,
}

impl Story {
    pub(crate) fn begin(requested: Requested) -> Self {
        Self::begin_at(0, requested)
    }

    /// The same with another number of the first record.
    pub(crate) fn begin_at(first: u64, requested: Requested) -> Self {
        let recorded = Recorded {
            seq: At(first),
            ts: at(0),
            request: Some(request(9)),
            action: Some(requested.bound.digest()),
            event: Event::Requested(Arc::new(requested)),
        };
        Self {
            state: RequestState::begin(&recorded).unwrap(),
            records: vec![recorded],
        }
    }

    /// The record that `event` would be at that second.
    pub(crate) fn next(&self, seconds: u64, event: Event) -> Recorded {
        Recorded {
            seq: At(self.state.first().0 + self.records.len() as u64),
            ts: at(seconds),
            request: Some(self.state.request()),
            action: Some(self.state.digest()),
            event,
        }
    }

    pub(crate) fn try_tell(&mut self, seconds: u64, event: Event) -> Result<(), Illegal> {
        let recorded = self.next(seconds, event);
        let checked = self.state.check(&recorded.event, recorded.ts);
        let before = self.state.clone();
        let applied = self.state.apply(&recorded);
        assert_eq!(checked, applied, "the writer's check and the fold differ");
        match &applied {
            Ok(()) => self.records.push(recorded),
            Err(_) => assert_eq!(self.state, before, "a refused record changed the state"),
        }
        applied
    }

    pub(crate) fn tell(mut self, seconds: u64, event: Event) -> Self {
        self.try_tell(seconds, event).unwrap();
        self
    }
}

//! What happens in a log, in short.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::action::{
    Action, ActorChain, Bound, Dataset, ExecutionId, InstanceId, PersonId, Principal, PrincipalId,
    Pseudonym, RequestId, Resource, SaltSource, SessionId, Stamp, bind,
};
use crate::approval::{
    As, At, Basis, Choice, Counted, Decision, Disposition, Event, Exception, Finding, Finished,
    Hidden, Interests, LossCause, Lost, Outcome, PolicyAdopted, Proof, ReassessCause, Reassessed,
    Reconciled, Renewed, Requested, ShownDigest, Started, Timing, Touched, Voted, Withdrawn,
};
use crate::canonical::Json;
use crate::clock::Timestamp;
use crate::log::{Broken, RequestRef, Rule, Verdict};
use crate::policy::{PolicyRevision, Quorum, Requirement, RuleId, Selector};

use super::super::AuditReport;
use super::fixture::{Fixture, GATE};

pub(super) const OLGA: u8 = 1;
pub(super) const RITA: u8 = 2;
pub(super) const DAN: u8 = 3;

pub(super) fn person(number: u8) -> Pseudonym {
    Pseudonym::from_bytes([number; 16])
}

pub(super) fn id_of(number: u8) -> PersonId {
    let name = match number {
        OLGA => "olga",
        RITA => "rita",
        DAN => "dan",
        _ => "somebody",
    };
    PersonId::new(PrincipalId::new("demo", name).unwrap())
}

pub(super) fn proof(at: Timestamp) -> Proof {
    Proof {
        method: "asserted-demo".to_owned(),
        adapter: "terminal".to_owned(),
        at,
        assurance: None,
    }
}

pub(super) fn instance(number: u128) -> InstanceId {
    InstanceId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn revision() -> PolicyRevision {
    PolicyRevision::of("countersign-rules/1", b"rules")
}

pub(super) fn decision() -> Decision {
    Decision {
        revision: revision(),
        rules: vec![RuleId::new("exports").unwrap()],
    }
}

pub(super) fn requirement(quorum: &str) -> Requirement {
    Requirement::new(Quorum::parse(quorum).unwrap())
}

pub(super) fn security() -> BTreeSet<Selector> {
    BTreeSet::from([Selector::parse("group:security").unwrap()])
}

pub(super) fn interests() -> Interests {
    Interests::none().with(As::Controller, person(OLGA))
}

pub(super) fn hidden(text: &str) -> Hidden<String> {
    Hidden::Known(text.to_owned())
}

impl Fixture {
    pub(super) fn adopt(&mut self, by: u128) -> u64 {
        let adopted = PolicyAdopted {
            revision: revision(),
            instance: instance(by),
        };
        self.record(&Event::PolicyAdopted(adopted), None)
    }

    pub(super) fn bound(&mut self, request: RequestId) -> Bound {
        let action = Action::named("db.export")
            .on(Resource::new("table", "crm.customers").clear_id())
            .parameter("format", "csv")
            .reads(Dataset::new("sqlite://demo", "crm.customers"))
            .build()
            .unwrap();
        let chain = ActorChain::acting(Principal::agent("demo", "reporter").unwrap())
            .on_behalf_of(Principal::human("demo", "olga").unwrap())
            .unwrap();
        let session = SessionId::new("session-1").unwrap();
        let stamp = Stamp {
            request,
            chain: &chain,
            session: &session,
            persons: &[person(OLGA)],
        };
        bind(&action, &stamp, &mut self.salts).unwrap()
    }

    pub(super) fn requested(&mut self, disposition: Disposition) -> (Requested, RequestRef) {
        let id = RequestId::from_uuid(self.id());
        let bound = self.bound(id);
        let request = RequestRef {
            id,
            digest: bound.digest(),
        };
        let requested = Requested {
            bound,
            decision: decision(),
            instance: instance(GATE),
            interests: interests(),
            disposition,
            because: Some(hidden("monthly report")),
            reason: None,
            trace: None,
        };
        (requested, request)
    }

    pub(super) fn file(&mut self, disposition: Disposition) -> RequestRef {
        let (requested, request) = self.requested(disposition);
        self.record(&Event::Requested(Arc::new(requested)), Some(request));
        request
    }

    /// A request that one of security has to approve.
    pub(super) fn ask(&mut self) -> RequestRef {
        self.ask_for(requirement("1 of group:security"))
    }

    pub(super) fn ask_for(&mut self, requirement: Requirement) -> RequestRef {
        let expires = self.now.saturating_add(requirement.clocks.timeout);
        self.file(Disposition::RequireApproval {
            requirement,
            expires,
        })
    }

    pub(super) fn allow(&mut self) -> RequestRef {
        let use_by = self.later(900);
        self.file(Disposition::Allow {
            use_by,
            witnessing: Default::default(),
        })
    }

    pub(super) fn ballot(&mut self, who: u8, decision: Choice) -> Voted {
        let shown_salt = self.salts.salt().unwrap();
        Voted {
            person: person(who),
            id: Hidden::Known(id_of(who)),
            decision,
            as_: security(),
            shown: ShownDigest::of(&shown_salt, &Json::from("card")),
            shown_salt: Hidden::Known(shown_salt),
            exception: None,
            proof: proof(self.now),
            comment: None,
            ticket: None,
            code: None,
            attestation: None,
        }
    }

    pub(super) fn vote(&mut self, request: RequestRef, who: u8, decision: Choice) -> u64 {
        let ballot = self.ballot(who, decision);
        self.record(&Event::Voted(Box::new(ballot)), Some(request))
    }

    pub(super) fn excused(&mut self, request: RequestRef, who: u8) -> u64 {
        let mut ballot = self.ballot(who, Choice::Approve);
        ballot.exception = Some(Exception::SelfApproval);
        self.record(&Event::Voted(Box::new(ballot)), Some(request))
    }

    /// The start of a request on the votes given, with its present requirement.
    pub(super) fn starting(&mut self, request: RequestRef, votes: &[(u64, u8)]) -> Started {
        let basis = match self.state(request).requirement() {
            None => Basis::Allow,
            Some(requirement) => Basis::RequireApproval {
                requirement: requirement.clone(),
                counted: votes
                    .iter()
                    .map(|(vote, who)| Counted {
                        vote: At(*vote),
                        person: person(*who),
                        as_: security(),
                    })
                    .collect(),
            },
        };
        Started {
            execution: ExecutionId::from_uuid(self.id()),
            instance: instance(GATE),
            lease_until: self.later(3600),
            decision: decision(),
            interests: interests(),
            basis,
            witnessed: None,
        }
    }

    pub(super) fn start(&mut self, request: RequestRef, votes: &[(u64, u8)]) -> u64 {
        let started = self.starting(request, votes);
        self.record(&Event::Started(Box::new(started)), Some(request))
    }

    pub(super) fn finished(&self, request: RequestRef, outcome: Outcome, timing: Timing) -> Event {
        Event::Finished(Box::new(Finished {
            execution: self.state(request).execution().unwrap(),
            instance: instance(GATE),
            outcome,
            code: None,
            used: vec![Touched::from(&Dataset::new(
                "sqlite://demo",
                "crm.customers",
            ))],
            generated: vec![Touched::from(&Dataset::new("file://host", "/out/c.csv"))],
            derived: Vec::new(),
            timing,
            result: None,
        }))
    }

    pub(super) fn finish(&mut self, request: RequestRef, outcome: Outcome) -> u64 {
        let finished = self.finished(request, outcome, Timing::InTime);
        self.record(&finished, Some(request))
    }

    pub(super) fn lose(&mut self, request: RequestRef) -> u64 {
        let lost = Lost {
            execution: self.state(request).execution().unwrap(),
            instance: instance(GATE),
            why: LossCause::InstanceGone,
        };
        self.record(&Event::Lost(lost), Some(request))
    }

    pub(super) fn reconcile(&mut self, request: RequestRef) -> u64 {
        let reconciled = Reconciled {
            execution: self.state(request).execution().unwrap(),
            finding: Finding::NotRun,
            person: person(RITA),
            id: Hidden::Known(id_of(RITA)),
            proof: proof(self.now),
            reason: hidden("no file was written"),
        };
        self.record(&Event::Reconciled(reconciled), Some(request))
    }
}

#[track_caller]
pub(super) fn broken(fixture: &mut Fixture, seq: u64, rule: Rule) -> AuditReport {
    let report = fixture.audit();
    let Verdict::Broken(Broken {
        seq: at,
        rule: which,
        ..
    }) = &report.verdict
    else {
        panic!("{report}");
    };
    assert_eq!((at.get(), *which), (seq, rule), "{report}");
    assert_eq!(report.exit_code(), 1);
    report
}

pub(super) fn withdrawn() -> Event {
    Event::Withdrawn(Withdrawn {
        instance: instance(GATE),
    })
}

pub(super) fn reassessed(verdict: Renewed, voided: &[u64]) -> Event {
    Event::Reassessed(Box::new(Reassessed {
        cause: ReassessCause::Policy,
        decision: decision(),
        instance: instance(GATE),
        interests: interests(),
        verdict,
        voided: voided.iter().copied().map(At).collect(),
        reason: None,
    }))
}

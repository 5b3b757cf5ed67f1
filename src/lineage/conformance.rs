//! What every [`LineageRecorder`] must bear, for its author's own tests.

use std::sync::Arc;

use crate::action::{
    Action, ActorChain, Bound, Dataset, ExecutionId, InstanceId, NoEntropy, Principal, Pseudonym,
    RequestId, Salt, SaltSource, SessionId, Stamp, bind,
};
use crate::approval::{
    At, Basis, Decision, Derivation, Disposition, Event, Finished, Interests, Outcome,
    PolicyAdopted, Recorded, Requested, Started, Timing, Touched,
};
use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::LogId;
use crate::policy::{PolicyRevision, Witnessing};

use super::edges_of::edges_of;
use super::recorder::{LineageEvent, LineageRecorder, RecordRef, RecorderError};

/// Feeds `recorder` a short life of a request as it may come after crashes and retries, and returns what it did wrong.
///
/// The recorder should be new, with its sink at hand. It is given [`sample_events`] whole, again, and again cut in other ways; when
/// this returns, the sink must hold each of them once, which only its author can look at.
pub async fn check(recorder: &dyn LineageRecorder) -> Vec<String> {
    let events = sample_events();
    let mut complaints = Vec::new();
    let name = recorder.name().clone();
    let whole = events.as_slice();
    let (first, rest) = whole.split_at(whole.len() / 2);
    let batches = [
        ("the first half", first),
        ("everything, although the first half came before", whole),
        ("the second half again", rest),
        (
            "the last event again",
            whole
                .last_chunk::<1>()
                .map_or(whole, |last| last.as_slice()),
        ),
    ];
    for (what, batch) in batches {
        match recorder.record(batch).await {
            Ok(()) => {}
            Err(RecorderError::Later { after }) => {
                complaints.push(format!("it does not take {what} but asks for it in {after:?}: check it with its sink at hand"));
            }
            Err(RecorderError::Parked { why }) => {
                complaints.push(format!("it parks at {what}: {why}"))
            }
        }
    }
    if *recorder.name() != name {
        complaints.push("its name changed, and with it its cursor".to_owned());
    }
    complaints
}

/// A policy, a request that it allows, its start, and its end with two datasets.
///
/// Their numbers have gaps, as they have in every log: other records stand between them.
#[must_use]
pub fn sample_events() -> Vec<LineageEvent> {
    let Some(bound) = sample_bound() else {
        return Vec::new();
    };
    let instance = InstanceId::from_uuid(uuid::Uuid::from_u128(2));
    let execution = ExecutionId::from_uuid(uuid::Uuid::from_u128(3));
    let revision = PolicyRevision::of("sample", b"");
    let decision = || Decision {
        revision: revision.clone(),
        rules: Vec::new(),
    };
    let soon = Timestamp::EPOCH.saturating_add(std::time::Duration::from_secs(3600));
    let events = [
        Event::PolicyAdopted(PolicyAdopted {
            revision: revision.clone(),
            instance,
        }),
        Event::Requested(Arc::new(Requested {
            bound: bound.clone(),
            decision: decision(),
            instance,
            interests: Interests::none(),
            disposition: Disposition::Allow {
                use_by: soon,
                witnessing: Witnessing::Afterwards,
            },
            because: None,
            reason: None,
            trace: None,
        })),
        Event::Started(Box::new(Started {
            execution,
            instance,
            lease_until: soon,
            decision: decision(),
            interests: Interests::none(),
            basis: Basis::Allow,
            witnessed: None,
        })),
        Event::Finished(Box::new(Finished {
            execution,
            instance,
            outcome: Outcome::Succeeded,
            code: None,
            used: vec![Touched::from(&Dataset::new("sample://source", "table"))],
            generated: vec![Touched::from(&Dataset::new("sample://target", "file"))],
            derived: vec![Derivation {
                generated: 0,
                used: 0,
            }],
            timing: Timing::InTime,
            result: None,
        })),
    ];
    let numbered = (1u64..).step_by(3).zip(events);
    numbered
        .map(|(seq, event)| sample_event(seq, event, &bound))
        .collect()
}

fn sample_event(seq: u64, event: Event, bound: &Bound) -> LineageEvent {
    let of_the_request = !matches!(event, Event::PolicyAdopted(_));
    let recorded = Recorded {
        seq: At(seq),
        ts: Timestamp::EPOCH,
        request: of_the_request.then(|| RequestId::from_uuid(uuid::Uuid::from_u128(1))),
        action: of_the_request.then(|| bound.digest()),
        event,
    };
    LineageEvent {
        record: RecordRef {
            log: LogId::from_random([0; 16]),
            leaf: Digest::of("sample", &seq.to_be_bytes()),
        },
        edges: edges_of(&recorded, Some(bound)),
        recorded,
    }
}

fn sample_bound() -> Option<Bound> {
    let action = Action::named("sample.copy")
        .parameter("format", "csv")
        .build()
        .ok()?;
    let chain = ActorChain::acting(Principal::agent("sample", "agent").ok()?)
        .on_behalf_of(Principal::human("sample", "person").ok()?)
        .ok()?;
    let stamp = Stamp {
        request: RequestId::from_uuid(uuid::Uuid::from_u128(1)),
        chain: &chain,
        session: &SessionId::new("sample").ok()?,
        persons: &[Pseudonym::from_bytes([1; 16])],
    };
    bind(&action, &stamp, &mut SampleSalts(0)).ok()
}

/// Salts that hide nothing, of values that nobody needs to hide.
struct SampleSalts(u128);

impl SaltSource for SampleSalts {
    fn salt(&mut self) -> Result<Salt, NoEntropy> {
        self.0 = self.0.wrapping_add(1);
        Ok(Salt::from_bytes(self.0.to_be_bytes()))
    }
}

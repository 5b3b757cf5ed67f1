//! What an event moves on.

use crate::action::{Bound, DatasetRef, RequestId, SessionId, TenantId};
use crate::approval::{Event, Touched};
use crate::canonical::{Digest, Object};

/// A part of the world whose version counts the records that changed it.
///
/// A start reads the versions of all that it depends on, gathers facts, and is written only if none moved meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// One request.
    Request(RequestId),
    /// What a session has read so far.
    Session(Option<TenantId>, SessionId),
    /// What is frozen.
    Freezes,
    /// One dataset.
    Dataset(DatasetRef),
    /// Whether the clock is trusted.
    Clock,
    /// Which keys are in force.
    Keys,
    /// That hidden values are kept sealed, which is settled when the log is begun.
    Values,
}

impl Scope {
    /// The scope of the request that a bound form names.
    #[must_use]
    pub fn of_request(bound: &Bound) -> Option<Self> {
        bound.request().map(Self::Request)
    }

    /// The scope of the session that a bound form names.
    #[must_use]
    pub fn of_session(bound: &Bound) -> Option<Self> {
        let actor = &bound.stamped()?.actor;
        Some(Self::Session(actor.tenant.clone(), actor.session.clone()))
    }

    /// The stable name of this scope for stores: opaque, at most 33 bytes.
    ///
    /// Sessions and datasets are hashed under a domain of their own; whoever sees the store learns no name from it but by guessing.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
        match self {
            Self::Request(request) => tagged(b'r', request.as_uuid().as_bytes()),
            Self::Session(tenant, session) => {
                let mut object = Object::new().with("session", session.as_str());
                if let Some(tenant) = tenant {
                    object = object.with("tenant", tenant.as_str());
                }
                tagged(
                    b's',
                    Digest::of("countersign/scope/session/v1", &object.to_canonical()).as_bytes(),
                )
            }
            Self::Freezes => tagged(b'f', &[]),
            Self::Dataset(dataset) => {
                let object = Object::new()
                    .with("kind", dataset.kind().as_str())
                    .with("name", dataset.name())
                    .with("namespace", dataset.namespace());
                tagged(
                    b'd',
                    Digest::of("countersign/scope/dataset/v1", &object.to_canonical()).as_bytes(),
                )
            }
            Self::Clock => tagged(b'c', &[]),
            Self::Keys => tagged(b'k', &[]),
            Self::Values => tagged(b'v', &[]),
        }
    }
}

/// The scopes that `event` moves on; `bound` is what the request that it belongs to is bound to.
///
/// An end that read something moves its session, since what a session has read may bear on its next action.
#[must_use]
pub fn scopes(event: &Event, bound: Option<&Bound>) -> Vec<Scope> {
    let mut moved: Vec<Scope> = bound.and_then(Scope::of_request).into_iter().collect();
    match event {
        Event::Finished(finished) => {
            if !finished.used.is_empty() {
                moved.extend(bound.and_then(Scope::of_session));
            }
            moved.extend(
                finished
                    .generated
                    .iter()
                    .filter_map(Touched::reference)
                    .map(Scope::Dataset),
            );
        }
        Event::Requested(requested) => {
            moved.extend(Scope::of_request(&requested.bound));
        }
        Event::Clock(_) | Event::ClockAcknowledged(_) => moved.push(Scope::Clock),
        Event::PolicyAdopted(_)
        | Event::Erased(_)
        | Event::Recovered(_)
        | Event::Voted(_)
        | Event::Reassessed(_)
        | Event::Started(_)
        | Event::LeaseRenewed(_)
        | Event::Lost(_)
        | Event::Withdrawn(_)
        | Event::Superseded(_)
        | Event::Cancelled(_)
        | Event::Revoked(_)
        | Event::Expired(_)
        | Event::Reconciled(_) => {}
    }
    moved.sort();
    moved.dedup();
    moved
}

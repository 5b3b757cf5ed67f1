//! A record back to its event.

use std::sync::Arc;

use thiserror::Error;

use crate::action::{ActionDigest, Disclosure, DisclosureDigest, RequestId};
use crate::approval::{At, Event, Recorded};
use crate::canonical::{Digest, Object};
use crate::clock::Timestamp;
use crate::log::{KeyChange, Kind, KnownOr, Rule, Statement, Unjudged, VerifiedRecord};

use super::read::{Lookup, Members, Read};
use super::{around, ended, execution, reassessed, requested, voted};

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// An event.
    Event(Box<Recorded>),
    /// The log's own first record, which the log reads itself.
    Genesis,
    /// A change of keys, which the log reads itself and has followed.
    Keys(Box<KeyChange>),
    /// A kind, version or extension whose meaning this edition does not judge.
    NotJudged(Unjudged),
}

impl Decoded {
    /// The event, if it is one.
    #[must_use]
    pub fn into_event(self) -> Option<Recorded> {
        match self {
            Self::Event(recorded) => Some(*recorded),
            Self::Genesis | Self::Keys(_) | Self::NotJudged(_) => None,
        }
    }
}

/// A record's body is not what the record format says for its kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("record {seq} breaks {rule}: {why}")]
pub struct DecodeError {
    /// The record.
    pub seq: At,
    /// The rule that it breaks.
    pub rule: Rule,
    /// What is wrong, without any value of it.
    pub why: String,
}

/// The event that a checked record holds.
///
/// `disclosures` finds the disclosure of a digest, where it is still there; what it does not find reads as
/// [`Hidden::Missing`](crate::approval::Hidden::Missing).
///
/// # Errors
///
/// If the body has an unknown member, lacks one, or one has another type or spelling than the record format says (F6, F7, F9, M1).
pub fn decode(
    record: &VerifiedRecord,
    disclosures: &dyn Fn(&DisclosureDigest) -> Option<Disclosure>,
) -> Result<Decoded, DecodeError> {
    let statement = record.statement();
    if let Some(unjudged) = statement.unjudged() {
        return Ok(Decoded::NotJudged(unjudged));
    }
    match KeyChange::parse(statement) {
        Ok(None) => {}
        Ok(Some(change)) => return Ok(Decoded::Keys(Box::new(change))),
        Err(malformed) => {
            return Err(DecodeError {
                seq: At(statement.seq.get()),
                rule: Rule::F6,
                why: malformed.to_string(),
            });
        }
    }
    let Statement {
        seq,
        ts,
        kind,
        request,
        subject,
        body,
        ..
    } = statement;
    let place = Place {
        seq: At(seq.get()),
        ts: *ts,
        request: *request,
        subject: *subject,
    };
    match kind {
        KnownOr::Known(kind) => place.read(*kind, body, disclosures),
        KnownOr::Unknown(kind) => Ok(Decoded::NotJudged(Unjudged::Kind(kind.clone()))),
    }
}

/// What a statement says beside its body.
pub(super) struct Place {
    pub seq: At,
    pub ts: Timestamp,
    pub request: Option<RequestId>,
    pub subject: Digest,
}

impl Place {
    pub(super) fn read(
        self,
        kind: Kind,
        body: &Object,
        lookup: Lookup<'_>,
    ) -> Result<Decoded, DecodeError> {
        let Self {
            seq,
            ts,
            request,
            subject,
        } = self;
        let event = event(kind, body, seq, lookup).map_err(|fault| DecodeError {
            seq,
            rule: fault.rule,
            why: fault.why,
        })?;
        Ok(match event {
            Body::Genesis => Decoded::Genesis,
            Body::Reserved => Decoded::NotJudged(Unjudged::Reserved(kind)),
            Body::Of(event) => Decoded::Event(Box::new(Recorded {
                seq,
                ts,
                request,
                action: request.map(|_| ActionDigest::from_digest(subject)),
                event,
            })),
        })
    }
}

/// What a body is that of.
enum Body {
    Of(Event),
    Genesis,
    Reserved,
}

fn event(kind: Kind, body: &Object, own: At, lookup: Lookup<'_>) -> Read<Body> {
    let mut members = Members::of(body, lookup)?;
    let m = &mut members;
    let event = match kind {
        Kind::PolicyAdopted => Event::PolicyAdopted(around::decode_adopted(m)?),
        Kind::Requested => Event::Requested(Arc::new(requested::decode(m, lookup)?)),
        Kind::Voted => Event::Voted(Box::new(voted::decode(m)?)),
        Kind::Reassessed => Event::Reassessed(Box::new(reassessed::decode(m, own)?)),
        Kind::Started => Event::Started(Box::new(execution::decode_started(m, own)?)),
        Kind::LeaseRenewed => Event::LeaseRenewed(execution::decode_renewed(m)?),
        Kind::Finished => Event::Finished(Box::new(execution::decode_finished(m, lookup)?)),
        Kind::Lost => Event::Lost(execution::decode_lost(m)?),
        Kind::Withdrawn => Event::Withdrawn(ended::decode_withdrawn(m)?),
        Kind::Superseded => Event::Superseded(ended::decode_superseded(m)?),
        Kind::Cancelled => Event::Cancelled(ended::decode_cancelled(m)?),
        Kind::Revoked => Event::Revoked(ended::decode_revoked(m)?),
        Kind::Expired => Event::Expired(ended::decode_expired(m)?),
        Kind::Reconciled => Event::Reconciled(ended::decode_reconciled(m)?),
        Kind::Clock => Event::Clock(around::decode_clock(m)?),
        Kind::ClockAcknowledged => Event::ClockAcknowledged(around::decode_acknowledged(m, own)?),
        Kind::Erased => Event::Erased(Box::new(around::decode_erased(m)?)),
        Kind::Recovered => Event::Recovered(Box::new(around::decode_recovered(m)?)),
        Kind::Genesis => return Ok(Body::Genesis),
        Kind::Granted
        | Kind::GrantRevoked
        | Kind::Edited
        | Kind::Responded
        | Kind::Frozen
        | Kind::Thawed
        | Kind::BreakGlass
        | Kind::Reviewed
        | Kind::Viewed
        | Kind::Undelivered
        // Read by the log itself, before anybody comes here.
        | Kind::KeyAdded
        | Kind::KeyRotated
        | Kind::KeyRevoked => return Ok(Body::Reserved),
    };
    members.finish()?;
    Ok(Body::Of(event))
}

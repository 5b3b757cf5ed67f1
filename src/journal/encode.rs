//! An event to a log entry.

use thiserror::Error;

use crate::action::{Disclosure, NoEntropy, SaltSource, Sealer};
use crate::approval::Event;
use crate::log::{Enforcement, Entry, Kind, RequestRef, Role};

use super::body::Body;
use super::{around, ended, execution, reassessed, requested, voted};

/// Who writes entries: which of two allowed roles signs, and whether the gate is a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    role: Role,
    enforced: Enforcement,
}

impl Writer {
    /// A process that holds a gate key. Kinds that only a desk or an operator may sign are still theirs.
    #[must_use]
    pub const fn gate(enforced: Enforcement) -> Self {
        Self {
            role: Role::Gate,
            enforced,
        }
    }

    /// A process that holds a desk key; it signs with it whatever a desk may sign.
    #[must_use]
    pub const fn desk(enforced: Enforcement) -> Self {
        Self {
            role: Role::Desk,
            enforced,
        }
    }

    /// The role that signs a kind: the writer's own where the kind allows it, else the first that it allows.
    fn signs(self, kind: Kind) -> Role {
        let roles = kind.roles();
        if roles.contains(&self.role) {
            self.role
        } else {
            roles.first().copied().unwrap_or(self.role)
        }
    }
}

/// Why an event cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The event came from a record and lacks a hidden value.
    #[error(
        "`{member}` is not known; only events whose hidden values are all known can be written"
    )]
    NotKnown {
        /// The member.
        member: &'static str,
    },
    /// A number that JSON cannot hold exactly.
    #[error("`{member}` is larger than 2^53−1")]
    TooLarge {
        /// The member.
        member: &'static str,
    },
    /// The event belongs to a request and none was given, or the other way round.
    #[error("`{kind}` and the request given do not go together")]
    Request {
        /// The kind of the event.
        kind: &'static str,
    },
    /// The request given is not the one that the action is bound to.
    #[error("the action is bound to another request or another digest")]
    OtherRequest,
    /// No salt could be drawn.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// The entry for `event`, which belongs to `request`: section 5 of the record format.
///
/// # Errors
///
/// If a hidden value is not known, the request does not fit the kind, or no salt can be drawn.
pub fn encode(
    event: &Event,
    request: Option<RequestRef>,
    writer: Writer,
    salts: &mut dyn SaltSource,
) -> Result<Entry, EncodeError> {
    if request.is_some() == event.is_of_the_log() {
        return Err(EncodeError::Request { kind: event.kind() });
    }
    if let (Event::Requested(requested), Some(request)) = (event, request)
        && requested.bound.digest() != request.digest
    {
        return Err(EncodeError::OtherRequest);
    }
    let kind = kind_of(event);
    let mut sealer = Sealer::new(salts);
    let body = body(event, &mut sealer)?;
    let mut disclosures: Vec<Disclosure> = match event {
        Event::Requested(requested) => requested.bound.disclosures().to_vec(),
        _ => Vec::new(),
    };
    disclosures.extend(sealer.into_disclosures());
    Ok(Entry {
        kind,
        request,
        body: body.into_canonical(),
        disclosures,
        role: writer.signs(kind),
        enforced: writer.enforced,
        crit: Vec::new(),
    })
}

fn body(event: &Event, sealer: &mut Sealer<'_>) -> Result<Body, EncodeError> {
    Ok(match event {
        Event::PolicyAdopted(adopted) => around::encode_adopted(adopted),
        Event::Requested(requested) => requested::encode(requested, sealer)?,
        Event::Voted(voted) => voted::encode(voted, sealer)?,
        Event::Reassessed(reassessed) => reassessed::encode(reassessed, sealer)?,
        Event::Started(started) => execution::encode_started(started)?,
        Event::LeaseRenewed(renewed) => execution::encode_renewed(renewed),
        Event::Finished(finished) => execution::encode_finished(finished, sealer)?,
        Event::Lost(lost) => execution::encode_lost(lost),
        Event::Withdrawn(withdrawn) => ended::encode_withdrawn(withdrawn),
        Event::Superseded(superseded) => ended::encode_superseded(superseded),
        Event::Cancelled(cancelled) => ended::encode_cancelled(cancelled, sealer)?,
        Event::Revoked(revoked) => ended::encode_revoked(revoked, sealer)?,
        Event::Expired(expired) => ended::encode_expired(expired),
        Event::Reconciled(reconciled) => ended::encode_reconciled(reconciled, sealer)?,
        Event::Clock(doubted) => around::encode_clock(doubted)?,
        Event::ClockAcknowledged(acknowledged) => {
            around::encode_acknowledged(acknowledged, sealer)?
        }
        Event::Erased(erased) => around::encode_erased(erased, sealer)?,
        Event::Recovered(recovered) => around::encode_recovered(recovered, sealer)?,
    })
}

fn kind_of(event: &Event) -> Kind {
    match event {
        Event::PolicyAdopted(_) => Kind::PolicyAdopted,
        Event::Requested(_) => Kind::Requested,
        Event::Voted(_) => Kind::Voted,
        Event::Reassessed(_) => Kind::Reassessed,
        Event::Started(_) => Kind::Started,
        Event::LeaseRenewed(_) => Kind::LeaseRenewed,
        Event::Finished(_) => Kind::Finished,
        Event::Lost(_) => Kind::Lost,
        Event::Withdrawn(_) => Kind::Withdrawn,
        Event::Superseded(_) => Kind::Superseded,
        Event::Cancelled(_) => Kind::Cancelled,
        Event::Revoked(_) => Kind::Revoked,
        Event::Expired(_) => Kind::Expired,
        Event::Reconciled(_) => Kind::Reconciled,
        Event::Clock(_) => Kind::Clock,
        Event::ClockAcknowledged(_) => Kind::ClockAcknowledged,
        Event::Erased(_) => Kind::Erased,
        Event::Recovered(_) => Kind::Recovered,
    }
}

use crate::action::{PersonId, Pseudonym, RequestId, Sealer};
use crate::approval::{
    Cancelled, Expired, Hidden, Proof, Reconciled, Revoked, Superseded, Withdrawn,
};

use super::body::Body;
use super::encode::EncodeError;
use super::parts;
use super::read::{Members, Read};
use super::words::Word;

pub(super) fn encode_withdrawn(withdrawn: &Withdrawn) -> Body {
    let Withdrawn { instance } = withdrawn;
    let mut body = Body::default();
    body.put("instance", instance.to_string());
    body
}

pub(super) fn decode_withdrawn(members: &mut Members<'_>) -> Read<Withdrawn> {
    Ok(Withdrawn {
        instance: parts::instance(members)?,
    })
}

pub(super) fn encode_superseded(superseded: &Superseded) -> Body {
    let Superseded { by, instance } = superseded;
    let mut body = Body::default();
    body.put("by", by.to_string());
    body.put("instance", instance.to_string());
    body
}

pub(super) fn decode_superseded(members: &mut Members<'_>) -> Read<Superseded> {
    Ok(Superseded {
        by: members.parse("by", parts::UUID, RequestId::parse)?,
        instance: parts::instance(members)?,
    })
}

pub(super) fn encode_cancelled(
    cancelled: &Cancelled,
    sealer: &mut Sealer<'_>,
) -> Result<Body, EncodeError> {
    let Cancelled {
        person,
        id,
        proof,
        reason,
    } = cancelled;
    let mut body = Body::default();
    sign(&mut body, person, id, proof, reason, sealer)?;
    Ok(body)
}

pub(super) fn decode_cancelled(members: &mut Members<'_>) -> Read<Cancelled> {
    let id = members.hidden("id", parts::id_from)?;
    let reason = members.hidden("reason", parts::text_from)?;
    Ok(Cancelled {
        person: parts::person(members)?,
        id,
        proof: parts::proof_from(members)?,
        reason,
    })
}

pub(super) fn encode_revoked(
    revoked: &Revoked,
    sealer: &mut Sealer<'_>,
) -> Result<Body, EncodeError> {
    let Revoked {
        person,
        id,
        proof,
        reason,
    } = revoked;
    let mut body = Body::default();
    sign(&mut body, person, id, proof, reason, sealer)?;
    Ok(body)
}

pub(super) fn decode_revoked(members: &mut Members<'_>) -> Read<Revoked> {
    let id = members.hidden("id", parts::id_from)?;
    let reason = members.hidden("reason", parts::text_from)?;
    Ok(Revoked {
        person: parts::person(members)?,
        id,
        proof: parts::proof_from(members)?,
        reason,
    })
}

pub(super) fn encode_expired(expired: &Expired) -> Body {
    let Expired { instance, what } = expired;
    let mut body = Body::default();
    body.put("instance", instance.to_string());
    body.put("what", what.word());
    body
}

pub(super) fn decode_expired(members: &mut Members<'_>) -> Read<Expired> {
    Ok(Expired {
        instance: parts::instance(members)?,
        what: members.word("what")?,
    })
}

pub(super) fn encode_reconciled(
    reconciled: &Reconciled,
    sealer: &mut Sealer<'_>,
) -> Result<Body, EncodeError> {
    let Reconciled {
        execution,
        finding,
        person,
        id,
        proof,
        reason,
    } = reconciled;
    let mut body = Body::default();
    body.put("execution", execution.to_string());
    body.put("finding", finding.word());
    sign(&mut body, person, id, proof, reason, sealer)?;
    Ok(body)
}

pub(super) fn decode_reconciled(members: &mut Members<'_>) -> Read<Reconciled> {
    let id = members.hidden("id", parts::id_from)?;
    let reason = members.hidden("reason", parts::text_from)?;
    Ok(Reconciled {
        execution: parts::execution(members)?,
        finding: members.word("finding")?,
        person: parts::person(members)?,
        id,
        proof: parts::proof_from(members)?,
        reason,
    })
}

/// Who did it, how that is known, and why they did it.
fn sign(
    body: &mut Body,
    person: &Pseudonym,
    id: &Hidden<PersonId>,
    proof: &Proof,
    reason: &Hidden<String>,
    sealer: &mut Sealer<'_>,
) -> Result<(), EncodeError> {
    body.put("person", person.to_string());
    body.put("proof", parts::proof(proof));
    body.hide("id", id, parts::id, sealer)?;
    body.hide_text("reason", reason, sealer)
}

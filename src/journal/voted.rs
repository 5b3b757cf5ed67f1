use crate::action::Sealer;
use crate::approval::{ShownDigest, VoteCode, Voted};
use crate::canonical::Json;

use super::body::Body;
use super::encode::EncodeError;
use super::parts;
use super::read::{Fault, Members, Read, optional};
use super::words::Word;

pub(super) fn encode(voted: &Voted, sealer: &mut Sealer<'_>) -> Result<Body, EncodeError> {
    let Voted {
        person,
        id,
        decision,
        as_,
        shown,
        shown_salt,
        exception,
        proof,
        comment,
        ticket,
        code,
        attestation,
    } = voted;
    let mut body = Body::default();
    body.put("as", parts::selectors(as_));
    body.put("decision", decision.word());
    body.put_some("exception", exception.map(Word::word));
    body.put("person", person.to_string());
    body.put("proof", parts::proof(proof));
    body.put("shown", shown.to_string());
    body.put_some("attestation", attestation.clone().map(Json::Object));
    body.put_some("code", code.as_ref().map(VoteCode::as_str));
    body.hide("id", id, parts::id, sealer)?;
    body.hide("shown_salt", shown_salt, parts::salt, sealer)?;
    body.hide_some_text("comment", comment.as_ref(), sealer)?;
    body.hide_some_text("ticket", ticket.as_ref(), sealer)?;
    Ok(body)
}

pub(super) fn decode(members: &mut Members<'_>) -> Read<Voted> {
    let attestation = members.take_some("attestation").map(|json| {
        let object = json.as_object().cloned();
        object.ok_or_else(|| Fault::member("attestation", "an object"))
    });
    let id = members.hidden("id", parts::id_from)?;
    let shown_salt = members.hidden("shown_salt", parts::salt_from)?;
    let [comment, ticket] = members.hidden_some(["comment", "ticket"])?;
    Ok(Voted {
        person: parts::person(members)?,
        id,
        decision: members.word("decision")?,
        as_: parts::selectors_from(members.take("as")?)?,
        shown: members.parse("shown", "a digest", ShownDigest::parse)?,
        shown_salt,
        exception: members.word_some("exception")?,
        proof: parts::proof_from(members)?,
        comment: optional("comment", comment, parts::text_from)?,
        ticket: optional("ticket", ticket, parts::text_from)?,
        code: members.parse_some("code", "a vote code", VoteCode::new)?,
        attestation: attestation.transpose()?,
    })
}

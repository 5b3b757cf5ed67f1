use std::collections::BTreeSet;

use crate::action::Sealer;
use crate::approval::{At, Reassessed, Renewed};
use crate::canonical::Json;

use super::body::Body;
use super::encode::EncodeError;
use super::parts;
use super::read::{Fault, Members, Read, optional};
use super::words::Word;

pub(super) fn encode(
    reassessed: &Reassessed,
    sealer: &mut Sealer<'_>,
) -> Result<Body, EncodeError> {
    let Reassessed {
        cause,
        decision,
        instance,
        interests,
        verdict,
        voided,
        reason,
    } = reassessed;
    let mut body = Body::default();
    body.put("cause", cause.word());
    body.put("decision", parts::decision(decision));
    body.put("instance", instance.to_string());
    body.put("interests", parts::interests(interests));
    match verdict {
        Renewed::Allow => body.put("verdict", "allow"),
        Renewed::Deny => body.put("verdict", "deny"),
        Renewed::RequireApproval(requirement) => {
            body.put("verdict", "require_approval");
            body.put("requirement", requirement.to_json());
        }
    }
    let voided = voided
        .iter()
        .map(|at| parts::seq(*at))
        .collect::<Result<_, _>>()?;
    body.put("voided", Json::Array(voided));
    body.hide_some_text("reason", reason.as_ref(), sealer)?;
    Ok(body)
}

pub(super) fn decode(members: &mut Members<'_>, own: At) -> Read<Reassessed> {
    let verdict = match members.text("verdict")? {
        "allow" => Renewed::Allow,
        "deny" => Renewed::Deny,
        "require_approval" => Renewed::RequireApproval(parts::requirement_from(members)?),
        _ => return Err(Fault::member("verdict", "a verdict")),
    };
    let [reason] = members.hidden_some(["reason"])?;
    Ok(Reassessed {
        cause: members.word("cause")?,
        decision: parts::decision_from(members)?,
        instance: parts::instance(members)?,
        interests: parts::interests_from(members)?,
        verdict,
        voided: voided(members.take("voided")?, own)?,
        reason: optional("reason", reason, parts::text_from)?,
    })
}

fn voided(json: &Json, own: At) -> Read<BTreeSet<At>> {
    let items = parts::array("voided", json)?.iter();
    let items = items
        .map(|item| parts::seq_from("voided", item, own))
        .collect::<Read<Vec<At>>>()?;
    if items.is_sorted_by(|a, b| a < b) {
        Ok(items.into_iter().collect())
    } else {
        Err(Fault::member("voided", "ascending without repetition"))
    }
}

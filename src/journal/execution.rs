use crate::action::Pseudonym;
use crate::action::Sealer;
use crate::approval::{
    At, Basis, Counted, Finished, LeaseRenewed, Lost, MeaningRule, ResultDigest, Started, Timing,
};
use crate::canonical::{Digest, Json, Object};
use crate::clock::Timestamp;

use super::body::Body;
use super::encode::EncodeError;
use super::parts;
use super::read::{Fault, Lookup, Members, Read, optional};
use super::words::Word;

pub(super) fn encode_started(started: &Started) -> Result<Body, EncodeError> {
    let Started {
        execution,
        instance,
        lease_until,
        decision,
        interests,
        basis,
        witnessed,
    } = started;
    let mut body = Body::default();
    body.put("execution", execution.to_string());
    body.put("instance", instance.to_string());
    body.put("lease_until", parts::time(*lease_until));
    body.put("decision", parts::decision(decision));
    body.put("interests", parts::interests(interests));
    let votes: &[Counted] = match basis {
        Basis::Allow => {
            body.put("verdict", "allow");
            &[]
        }
        Basis::RequireApproval {
            requirement,
            counted,
        } => {
            body.put("verdict", "require_approval");
            body.put("requirement", requirement.to_json());
            counted
        }
    };
    let votes = votes.iter().map(counted).collect::<Result<_, _>>()?;
    body.put("counted", Json::Array(votes));
    if let Some(size) = witnessed {
        body.put("witnessed", parts::seq(At(*size))?);
    }
    Ok(body)
}

fn counted(counted: &Counted) -> Result<Json, EncodeError> {
    let Counted { vote, person, as_ } = counted;
    let object = Object::new()
        .with("as", parts::selectors(as_))
        .with("person", person.to_string())
        .with("vote", parts::seq(*vote)?);
    Ok(Json::Object(object))
}

pub(super) fn decode_started(members: &mut Members<'_>, own: At) -> Read<Started> {
    let items = parts::array("counted", members.take("counted")?)?;
    let counted = items
        .iter()
        .map(|json| counted_from(json, own))
        .collect::<Read<Vec<Counted>>>()?;
    let basis = match members.text("verdict")? {
        "allow" if counted.is_empty() => Basis::Allow,
        "allow" => {
            let why = "votes are counted although policy allowed the action";
            return Err(Fault::meaning(MeaningRule::M5, why));
        }
        "require_approval" => Basis::RequireApproval {
            requirement: parts::requirement_from(members)?,
            counted,
        },
        "deny" => return Err(Fault::meaning(MeaningRule::M3, "it starts what was denied")),
        _ => return Err(Fault::member("verdict", "a verdict")),
    };
    let witnessed = members.take_some("witnessed").map(tree_size).transpose()?;
    Ok(Started {
        execution: parts::execution(members)?,
        instance: parts::instance(members)?,
        lease_until: members.parse("lease_until", parts::TIME, Timestamp::parse)?,
        decision: parts::decision_from(members)?,
        interests: parts::interests_from(members)?,
        basis,
        witnessed,
    })
}

fn tree_size(json: &Json) -> Read<u64> {
    let number = json.as_i64().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Fault::member("witnessed", "the size of a tree"))
}

fn counted_from(json: &Json, own: At) -> Read<Counted> {
    let mut inner = parts::plain("counted", json)?;
    let counted = Counted {
        vote: parts::seq_from("vote", inner.take("vote")?, own)?,
        person: inner.parse("person", "a pseudonym", Pseudonym::parse)?,
        as_: parts::selectors_from(inner.take("as")?)?,
    };
    inner.finish()?;
    Ok(counted)
}

pub(super) fn encode_renewed(renewed: &LeaseRenewed) -> Body {
    let LeaseRenewed {
        execution,
        instance,
        lease_until,
    } = renewed;
    let mut body = Body::default();
    body.put("execution", execution.to_string());
    body.put("instance", instance.to_string());
    body.put("lease_until", parts::time(*lease_until));
    body
}

pub(super) fn decode_renewed(members: &mut Members<'_>) -> Read<LeaseRenewed> {
    Ok(LeaseRenewed {
        execution: parts::execution(members)?,
        instance: parts::instance(members)?,
        lease_until: members.parse("lease_until", parts::TIME, Timestamp::parse)?,
    })
}

pub(super) fn encode_finished(
    finished: &Finished,
    sealer: &mut Sealer<'_>,
) -> Result<Body, EncodeError> {
    let Finished {
        execution,
        instance,
        outcome,
        code,
        used,
        generated,
        derived,
        timing,
        result,
    } = finished;
    let mut body = Body::default();
    body.put("execution", execution.to_string());
    body.put("instance", instance.to_string());
    body.put("outcome", outcome.word());
    body.put_some("code", code.map(Word::word));
    body.put("used", parts::touched(used, sealer)?);
    body.put("generated", parts::touched(generated, sealer)?);
    body.put("derived", parts::derived(derived));
    match timing {
        Timing::InTime => {}
        Timing::Late => body.put("late", true),
    }
    body.hide_some("result", result.as_ref(), digest, sealer)?;
    Ok(body)
}

pub(super) fn decode_finished(members: &mut Members<'_>, lookup: Lookup<'_>) -> Read<Finished> {
    let timing = match members.take_some("late") {
        None => Timing::InTime,
        Some(Json::Bool(true)) => Timing::Late,
        Some(_) => return Err(Fault::member("late", "`true`")),
    };
    let [result] = members.hidden_some(["result"])?;
    Ok(Finished {
        execution: parts::execution(members)?,
        instance: parts::instance(members)?,
        outcome: members.word("outcome")?,
        code: members.word_some("code")?,
        used: parts::touched_from("used", members, lookup)?,
        generated: parts::touched_from("generated", members, lookup)?,
        derived: parts::derived_from(members)?,
        timing,
        result: optional("result", result, digest_from)?,
    })
}

fn digest(result: &ResultDigest) -> Json {
    Json::Object(Object::new().with("sha256", result.0.to_hex()))
}

fn digest_from(json: &Json) -> Option<ResultDigest> {
    let object = json.as_object().filter(|object| object.len() == 1)?;
    let text = object.get("sha256")?.as_str()?;
    Digest::parse_hex(text).ok().map(ResultDigest)
}

pub(super) fn encode_lost(lost: &Lost) -> Body {
    let Lost {
        execution,
        instance,
        why,
    } = lost;
    let mut body = Body::default();
    body.put("execution", execution.to_string());
    body.put("instance", instance.to_string());
    body.put("why", why.word());
    body
}

pub(super) fn decode_lost(members: &mut Members<'_>) -> Read<Lost> {
    Ok(Lost {
        execution: parts::execution(members)?,
        instance: parts::instance(members)?,
        why: members.word("why")?,
    })
}

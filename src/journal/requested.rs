use crate::action::{Bound, Disclosure, Sealer, TraceId, unbind};
use crate::approval::{Disposition, Requested};
use crate::canonical::Json;
use crate::clock::Timestamp;
use crate::policy::Witnessing;

use super::body::Body;
use super::encode::EncodeError;
use super::parts;
use super::read::{Fault, Lookup, Members, Read, digests_of, find, optional};
use super::words::Word;

pub(super) fn encode(requested: &Requested, sealer: &mut Sealer<'_>) -> Result<Body, EncodeError> {
    let Requested {
        bound,
        decision,
        instance,
        interests,
        disposition,
        because,
        reason,
        trace,
    } = requested;
    let mut body = Body::default();
    body.put_canonical("bound", bound.canonical());
    body.put("decision", parts::decision(decision));
    body.put("instance", instance.to_string());
    body.put("interests", parts::interests(interests));
    match disposition {
        Disposition::Allow { use_by, witnessing } => {
            body.put("verdict", "allow");
            body.put("use_by", parts::time(*use_by));
            match witnessing {
                Witnessing::Afterwards => {}
                Witnessing::BeforeStart => body.put("witnessed", true),
            }
        }
        Disposition::Deny { cause } => {
            body.put("verdict", "deny");
            body.put_some("cause", cause.map(Word::word));
        }
        Disposition::RequireApproval {
            requirement,
            expires,
        } => {
            body.put("verdict", "require_approval");
            body.put("requirement", requirement.to_json());
            body.put("expires", parts::time(*expires));
        }
    }
    body.put_some("trace", trace.as_ref().map(TraceId::as_str));
    body.hide_some_text("because", because.as_ref(), sealer)?;
    body.hide_some_text("reason", reason.as_ref(), sealer)?;
    Ok(body)
}

pub(super) fn decode(members: &mut Members<'_>, lookup: Lookup<'_>) -> Read<Requested> {
    let form = members.take("bound")?;
    let bound = bound(form, lookup)?;
    let decision = parts::decision_from(members)?;
    let instance = parts::instance(members)?;
    let interests = parts::interests_from(members)?;
    let disposition = match members.text("verdict")? {
        "allow" => Disposition::Allow {
            use_by: members.parse("use_by", parts::TIME, Timestamp::parse)?,
            witnessing: match members.take_some("witnessed") {
                None => Witnessing::Afterwards,
                Some(Json::Bool(true)) => Witnessing::BeforeStart,
                Some(_) => return Err(Fault::member("witnessed", "`true`")),
            },
        },
        "deny" => Disposition::Deny {
            cause: members.word_some("cause")?,
        },
        "require_approval" => Disposition::RequireApproval {
            requirement: parts::requirement_from(members)?,
            expires: members.parse("expires", parts::TIME, Timestamp::parse)?,
        },
        _ => return Err(Fault::member("verdict", "a verdict")),
    };
    let trace = members.parse_some("trace", "a trace id", |text| TraceId::new(text))?;
    let [because, reason] = members.hidden_some(["because", "reason"])?;
    Ok(Requested {
        bound,
        decision,
        instance,
        interests,
        disposition,
        because: optional("because", because, parts::text_from)?,
        reason: optional("reason", reason, parts::text_from)?,
        trace,
    })
}

/// The bound form with those of its disclosures that are still there.
fn bound(form: &Json, lookup: Lookup<'_>) -> Read<Bound> {
    let mut disclosures = Vec::new();
    collect(form, lookup, &mut disclosures)?;
    unbind(form, lookup)
        .map_err(|error| Fault::member("bound", &format!("a bound form: {error}")))?;
    Ok(Bound::of_form(form.clone(), disclosures))
}

/// The disclosures of every `_sd` in `json`, in the order in which it is written. What admission let in nests only so deep.
fn collect(json: &Json, lookup: Lookup<'_>, into: &mut Vec<Disclosure>) -> Read<()> {
    match json {
        Json::Object(object) => {
            for (name, value) in object.iter() {
                if name == "_sd" {
                    for digest in digests_of(value)? {
                        into.extend(find(&digest, lookup)?);
                    }
                } else {
                    collect(value, lookup, into)?;
                }
            }
        }
        Json::Array(items) => {
            for item in items {
                collect(item, lookup, into)?;
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
    Ok(())
}

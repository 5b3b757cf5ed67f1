use crate::action::{DisclosureDigest, Pseudonym, Sealer};
use crate::approval::{
    At, ClockAcknowledged, ClockDoubted, Erased, LegalBasis, PolicyAdopted, Recovered, TreeHead,
    Whose,
};
use crate::canonical::{Digest, Json, Object};

use super::body::Body;
use super::encode::EncodeError;
use super::parts;
use super::read::{Fault, Members, Read};
use super::words::Word;

pub(super) fn encode_adopted(adopted: &PolicyAdopted) -> Body {
    let PolicyAdopted { revision, instance } = adopted;
    let mut body = Body::default();
    body.put("decision", parts::revision(revision));
    body.put("instance", instance.to_string());
    body
}

pub(super) fn decode_adopted(members: &mut Members<'_>) -> Read<PolicyAdopted> {
    let mut inner = parts::plain("decision", members.take("decision")?)?;
    let revision = parts::revision_from(&mut inner)?;
    inner.finish()?;
    Ok(PolicyAdopted {
        revision,
        instance: parts::instance(members)?,
    })
}

pub(super) fn encode_clock(doubted: &ClockDoubted) -> Result<Body, EncodeError> {
    let ClockDoubted {
        instance,
        what,
        micros,
    } = doubted;
    let micros = Json::try_from(*micros).map_err(|_| EncodeError::TooLarge { member: "micros" })?;
    let mut body = Body::default();
    body.put("instance", instance.to_string());
    body.put("what", what.word());
    body.put("micros", micros);
    Ok(body)
}

pub(super) fn decode_clock(members: &mut Members<'_>) -> Read<ClockDoubted> {
    let micros = members.take("micros")?.as_i64();
    Ok(ClockDoubted {
        instance: parts::instance(members)?,
        what: members.word("what")?,
        micros: micros.ok_or_else(|| Fault::member("micros", "an integer"))?,
    })
}

pub(super) fn encode_acknowledged(
    acknowledged: &ClockAcknowledged,
    sealer: &mut Sealer<'_>,
) -> Result<Body, EncodeError> {
    let ClockAcknowledged { clock, reason } = acknowledged;
    let mut body = Body::default();
    body.put("clock", parts::seq(*clock)?);
    body.hide_text("reason", reason, sealer)?;
    Ok(body)
}

pub(super) fn decode_acknowledged(members: &mut Members<'_>, own: At) -> Read<ClockAcknowledged> {
    Ok(ClockAcknowledged {
        clock: parts::seq_from("clock", members.take("clock")?, own)?,
        reason: members.hidden("reason", parts::text_from)?,
    })
}

pub(super) fn encode_erased(erased: &Erased, sealer: &mut Sealer<'_>) -> Result<Body, EncodeError> {
    let Erased {
        basis,
        whose,
        digests,
        reason,
    } = erased;
    let digests: Vec<Json> = digests.iter().map(|one| one.to_string().into()).collect();
    let mut body = Body::default();
    body.put("basis", basis.as_str());
    body.put("digests", digests);
    match whose {
        Whose::Values => body.put("what", VALUE),
        Whose::Person(person) => {
            body.put("person", person.to_string());
            body.put("what", PERSON);
        }
    }
    body.hide_text("reason", reason, sealer)?;
    Ok(body)
}

pub(super) fn decode_erased(members: &mut Members<'_>) -> Read<Erased> {
    let digests: Option<Vec<DisclosureDigest>> = members
        .take("digests")?
        .as_array()
        .and_then(|all| all.iter().map(digest_from).collect())
        .filter(|all: &Vec<_>| !all.is_empty());
    let ascending = |all: &Vec<DisclosureDigest>| {
        let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        texts.is_sorted_by(|a, b| a < b)
    };
    let person = members.parse_some("person", "a pseudonym", Pseudonym::parse)?;
    let whose = match (members.text("what")?, person) {
        (VALUE, None) => Whose::Values,
        (PERSON, Some(person)) => Whose::Person(person),
        _ => {
            return Err(Fault::member(
                "what",
                "`value`, or `person` beside a person",
            ));
        }
    };
    Ok(Erased {
        basis: members.parse("basis", "a code", |text| LegalBasis::new(text))?,
        whose,
        digests: digests
            .filter(ascending)
            .ok_or_else(|| Fault::member("digests", "an ascending array of digests"))?,
        reason: members.hidden("reason", parts::text_from)?,
    })
}

pub(super) fn encode_recovered(
    recovered: &Recovered,
    sealer: &mut Sealer<'_>,
) -> Result<Body, EncodeError> {
    let Recovered {
        after,
        attested,
        found,
        reason,
    } = recovered;
    let mut body = Body::default();
    body.put("after", after.word());
    body.put("attested", head("attested", *attested)?);
    body.put("found", head("found", *found)?);
    body.hide_text("reason", reason, sealer)?;
    Ok(body)
}

pub(super) fn decode_recovered(members: &mut Members<'_>) -> Read<Recovered> {
    Ok(Recovered {
        after: members.word("after")?,
        attested: head_from("attested", members)?,
        found: head_from("found", members)?,
        reason: members.hidden("reason", parts::text_from)?,
    })
}

fn head(member: &'static str, head: Option<TreeHead>) -> Result<Json, EncodeError> {
    let Some(TreeHead { size, root }) = head else {
        return Ok(Json::Null);
    };
    let size = Json::try_from(size).map_err(|_| EncodeError::TooLarge { member })?;
    let head = Object::new().with("root", root.to_hex()).with("size", size);
    Ok(head.into())
}

fn head_from(member: &'static str, members: &mut Members<'_>) -> Read<Option<TreeHead>> {
    let json = members.take(member)?;
    if *json == Json::Null {
        return Ok(None);
    }
    let read = || {
        let head = json.as_object().filter(|head| head.len() == 2)?;
        Some(TreeHead {
            size: u64::try_from(head.get("size")?.as_i64()?).ok()?,
            root: Digest::parse_hex(head.get("root")?.as_str()?).ok()?,
        })
    };
    let head = read().filter(|head| head.size > 0);
    head.map(Some)
        .ok_or_else(|| Fault::member(member, "null, or a root and a size"))
}

const VALUE: &str = "value";
const PERSON: &str = "person";

fn digest_from(json: &Json) -> Option<DisclosureDigest> {
    DisclosureDigest::parse(json.as_str()?).ok()
}

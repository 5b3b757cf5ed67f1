use crate::action::Sealer;
use crate::approval::{At, ClockAcknowledged, ClockDoubted, PolicyAdopted};
use crate::canonical::Json;

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

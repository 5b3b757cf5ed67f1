//! Members that several kinds share: each written and read in one place.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::action::{
    Dataset, DatasetKind, ExecutionId, InstanceId, PersonId, PrincipalId, Pseudonym, Salt, Sealer,
};
use crate::approval::{
    As, At, Controllers, DatasetName, Decision, Derivation, Hidden, Interests, Proof, Touched,
};
use crate::canonical::{Digest, Json, Object};
use crate::clock::Timestamp;
use crate::policy::{PolicyRevision, Requirement, RuleId, Selector};

use super::body::Body;
use super::encode::EncodeError;
use super::read::{Fault, Lookup, Members, Read};
use super::words::Word;

pub(super) const TIME: &str = "a time";
pub(super) const UUID: &str = "a uuid";

pub(super) fn text_from(json: &Json) -> Option<String> {
    json.as_str().map(str::to_owned)
}

pub(super) fn time(at: Timestamp) -> Json {
    Json::from(at.to_string())
}

/// A number of a record.
pub(super) fn seq(at: At) -> Result<Json, EncodeError> {
    Json::try_from(at.0).map_err(|_| EncodeError::TooLarge { member: "seq" })
}

/// A number of a record that stands before this one (M1).
pub(super) fn seq_from(name: &'static str, json: &Json, own: At) -> Read<At> {
    let number = json.as_i64().and_then(|number| u64::try_from(number).ok());
    let at = number
        .map(At)
        .ok_or_else(|| Fault::member(name, "the number of a record"))?;
    if at < own {
        Ok(at)
    } else {
        Err(Fault::later(name))
    }
}

pub(super) fn instance(members: &mut Members<'_>) -> Read<InstanceId> {
    members.parse("instance", UUID, InstanceId::parse)
}

pub(super) fn execution(members: &mut Members<'_>) -> Read<ExecutionId> {
    members.parse("execution", UUID, ExecutionId::parse)
}

pub(super) fn person(members: &mut Members<'_>) -> Read<Pseudonym> {
    members.parse("person", "a pseudonym", Pseudonym::parse)
}

pub(super) fn array<'a>(name: &str, json: &'a Json) -> Read<&'a [Json]> {
    json.as_array()
        .ok_or_else(|| Fault::member(name, "an array"))
}

pub(super) fn object<'a>(name: &str, json: &'a Json) -> Read<&'a Object> {
    json.as_object()
        .ok_or_else(|| Fault::member(name, "an object"))
}

/// No object inside this one hides anything.
pub(super) fn nothing_hidden(
    _: &crate::action::DisclosureDigest,
) -> Option<crate::action::Disclosure> {
    None
}

/// The members of an object that hides none.
pub(super) fn plain<'a>(name: &str, json: &'a Json) -> Read<Members<'a>> {
    let object = object(name, json)?;
    if object.contains("_sd") {
        return Err(Fault::member(name, "an object that hides nothing"));
    }
    Members::of(object, &nothing_hidden)
}

pub(super) fn revision(revision: &PolicyRevision) -> Object {
    Object::new()
        .with("engine", revision.engine())
        .with("revision", revision.digest().to_hex())
}

pub(super) fn revision_from(members: &mut Members<'_>) -> Read<PolicyRevision> {
    let digest = members.parse("revision", "a digest", Digest::parse_hex)?;
    Ok(PolicyRevision::from_parts(digest, members.text("engine")?))
}

pub(super) fn decision(decision: &Decision) -> Json {
    let Decision {
        revision: of,
        rules,
    } = decision;
    let rules = rules.iter().map(|rule| Json::from(rule.as_str())).collect();
    Json::Object(revision(of).with("rules", Json::Array(rules)))
}

pub(super) fn decision_from(members: &mut Members<'_>) -> Read<Decision> {
    let mut inner = plain("decision", members.take("decision")?)?;
    let revision = revision_from(&mut inner)?;
    let rules = array("rules", inner.take("rules")?)?;
    let rules = rules
        .iter()
        .map(|rule| rule.as_str().and_then(|id| RuleId::new(id).ok()));
    let rules = rules.collect::<Option<Vec<RuleId>>>();
    let rules = rules.ok_or_else(|| Fault::member("rules", "an array of rule ids"))?;
    inner.finish()?;
    Ok(Decision { revision, rules })
}

pub(super) fn interests(interests: &Interests) -> Json {
    let entry = |tie: As, person: String| {
        let entry = Object::new().with("as", tie.word()).with("person", person);
        Json::Object(entry)
    };
    let people = interests.people().collect::<Vec<_>>();
    let split = people.partition_point(|(tie, _)| *tie == As::Controller);
    let (controllers, others) = people.split_at_checked(split).unwrap_or((&people, &[]));
    // `unknown` sorts after every pseudonym.
    let unknown = match interests.controllers() {
        Controllers::Known => None,
        Controllers::Unknown => Some(entry(As::Controller, "unknown".to_owned())),
    };
    let entries = |people: &[(As, Pseudonym)]| -> Vec<Json> {
        people
            .iter()
            .map(|(tie, person)| entry(*tie, person.to_string()))
            .collect()
    };
    Json::Array(
        [
            entries(controllers),
            unknown.into_iter().collect(),
            entries(others),
        ]
        .concat(),
    )
}

pub(super) fn interests_from(members: &mut Members<'_>) -> Read<Interests> {
    let json = members.take("interests")?;
    let mut found = Interests::none();
    for entry in array("interests", json)? {
        let mut inner = plain("interests", entry)?;
        let tie: As = inner.word("as")?;
        found = match (tie, inner.text("person")?) {
            (As::Controller, "unknown") => found.with_unknown_controllers(),
            (tie, text) => {
                let person =
                    Pseudonym::parse(text).map_err(|_| Fault::member("person", "a pseudonym"))?;
                found.with(tie, person)
            }
        };
        inner.finish()?;
    }
    // Only one order, and no entry twice, gives the same array again.
    if interests(&found) == *json {
        Ok(found)
    } else {
        Err(Fault::member("interests", "ascending without repetition"))
    }
}

pub(super) fn proof(proof: &Proof) -> Json {
    let Proof {
        method,
        adapter,
        at,
        assurance,
    } = proof;
    let mut object = Object::new()
        .with("adapter", adapter.as_str())
        .with("at", time(*at))
        .with("method", method.as_str());
    if let Some(assurance) = assurance {
        object = object.with("assurance", assurance.as_str());
    }
    Json::Object(object)
}

pub(super) fn proof_from(members: &mut Members<'_>) -> Read<Proof> {
    let mut inner = plain("proof", members.take("proof")?)?;
    let proof = Proof {
        method: inner.text("method")?.to_owned(),
        adapter: inner.text("adapter")?.to_owned(),
        at: inner.parse("at", TIME, Timestamp::parse)?,
        assurance: if inner.has("assurance") {
            Some(inner.text("assurance")?.to_owned())
        } else {
            None
        },
    };
    inner.finish()?;
    Ok(proof)
}

pub(super) fn id(person: &PersonId) -> Json {
    person.as_principal().to_json()
}

pub(super) fn id_from(json: &Json) -> Option<PersonId> {
    PrincipalId::from_json(json).ok().map(PersonId::new)
}

pub(super) fn salt(salt: &Salt) -> Json {
    Json::from(Base64UrlUnpadded::encode_string(salt.as_bytes()))
}

pub(super) fn salt_from(json: &Json) -> Option<Salt> {
    let text = json.as_str()?;
    let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
    let salt = Salt::from_bytes(bytes.try_into().ok()?);
    // Unused bits give one salt several spellings.
    (Base64UrlUnpadded::encode_string(salt.as_bytes()) == text).then_some(salt)
}

pub(super) fn selectors(selectors: &BTreeSet<Selector>) -> Json {
    let mut texts: Vec<String> = selectors.iter().map(ToString::to_string).collect();
    texts.sort();
    Json::Array(texts.into_iter().map(Json::from).collect())
}

pub(super) fn selectors_from(json: &Json) -> Read<BTreeSet<Selector>> {
    let fault = || Fault::member("as", "a sorted array of selectors");
    let found = array("as", json)?
        .iter()
        .map(|text| text.as_str().and_then(|text| Selector::parse(text).ok()))
        .collect::<Option<BTreeSet<Selector>>>()
        .ok_or_else(fault)?;
    if selectors(&found) == *json {
        Ok(found)
    } else {
        Err(fault())
    }
}

pub(super) fn requirement_from(members: &mut Members<'_>) -> Read<Requirement> {
    let json = members.take("requirement")?;
    Requirement::from_json(json)
        .map_err(|error| Fault::member("requirement", &format!("one: {error}")))
}

/// The datasets that an effect named, in its order.
pub(super) fn touched(all: &[Touched], sealer: &mut Sealer<'_>) -> Result<Json, EncodeError> {
    let mut array = Vec::with_capacity(all.len());
    for Touched {
        kind,
        namespace,
        name,
        labels,
    } in all
    {
        let mut object = Body::default();
        object.put("kind", kind.as_str());
        object.put("namespace", namespace.as_str());
        let labels = labels.iter().map(|label| Json::from(label.as_str()));
        object.put("labels", Json::Array(labels.collect()));
        match name {
            DatasetName::Clear(name) => object.put("name", name.as_str()),
            DatasetName::Sensitive(name) => object.hide_text("name", name, sealer)?,
        }
        array.push(Json::Object(object.into_object()));
    }
    Ok(Json::Array(array))
}

pub(super) fn touched_from(
    name: &'static str,
    members: &mut Members<'_>,
    lookup: Lookup<'_>,
) -> Read<Vec<Touched>> {
    let items = array(name, members.take(name)?)?;
    items
        .iter()
        .map(|json| one_touched(name, json, lookup))
        .collect()
}

fn one_touched(member: &'static str, json: &Json, lookup: Lookup<'_>) -> Read<Touched> {
    let mut inner = Members::of(object(member, json)?, lookup)?;
    let kind = inner.parse("kind", "a kind of dataset", |word| {
        DatasetKind::parse(word).ok_or(())
    })?;
    let namespace = inner.text("namespace")?.to_owned();
    let labels_json = inner.take("labels")?;
    let name = if inner.has("name") {
        DatasetName::Clear(inner.text("name")?.to_owned())
    } else {
        DatasetName::Sensitive(inner.hidden("name", text_from)?)
    };
    inner.finish()?;

    // The same limits as for whoever names a dataset; a missing name keeps to them as far as anybody can tell.
    let shown = match &name {
        DatasetName::Clear(name) | DatasetName::Sensitive(Hidden::Known(name)) => name.as_str(),
        DatasetName::Sensitive(Hidden::Missing(_)) => "missing",
    };
    let fault = || Fault::member(member, "an array of datasets");
    let mut dataset = Dataset::of_kind(kind, namespace.as_str(), shown);
    for label in array("labels", labels_json)? {
        dataset = dataset.label(label.as_str().ok_or_else(fault)?);
    }
    let dataset = dataset.checked().map_err(|_| fault())?;
    let labels = dataset.labels().clone();
    let sorted = labels
        .iter()
        .map(|label| Json::from(label.as_str()))
        .collect();
    if Json::Array(sorted) != *labels_json {
        return Err(Fault::member("labels", "a sorted array of labels"));
    }
    Ok(Touched {
        kind,
        namespace,
        name,
        labels,
    })
}

pub(super) fn derived(pairs: &[Derivation]) -> Json {
    let pair = |Derivation { generated, used }: &Derivation| {
        Json::Array(vec![Json::from(*generated), Json::from(*used)])
    };
    Json::Array(pairs.iter().map(pair).collect())
}

pub(super) fn derived_from(members: &mut Members<'_>) -> Read<Vec<Derivation>> {
    let pair = |json: &Json| {
        let [generated, used] = json.as_array()? else {
            return None;
        };
        let index = |json: &Json| json.as_i64().and_then(|index| u32::try_from(index).ok());
        Some(Derivation {
            generated: index(generated)?,
            used: index(used)?,
        })
    };
    let pairs = array("derived", members.take("derived")?)?.iter().map(pair);
    let pairs = pairs.collect::<Option<Vec<Derivation>>>();
    pairs.ok_or_else(|| Fault::member("derived", "an array of pairs of indices"))
}

//! `countersign show`

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use countersign::audit::{Filter, timeline};
use countersign::canonical::{Admission, Json, Object, admit};
use countersign::log::{Kept, KeyId, Row, RowRecord, Seq, Trust};
use countersign::notify::visible;

use crate::arguments::Show;
use crate::ending::{Code, Ended, Failure};
use crate::erased::{self, Erased};
use crate::out::Out;
use crate::store::Log;
use crate::text::pretty;
use crate::trust;

/// A record with all that stands about it.
struct Shown {
    seq: Seq,
    form: &'static str,
    told: String,
    /// Why it cannot be relied upon.
    fault: Option<String>,
    /// Each signer, with the roles that the log gives it there.
    signers: Vec<(KeyId, Vec<&'static str>)>,
    leaf: String,
    /// `None` if its bytes are no JSON.
    statement: Option<Json>,
    members: Vec<Member>,
}

/// A member that the record hides.
struct Member {
    /// The JSON pointer of its object in the body.
    object: String,
    digest: String,
    content: Content,
}

enum Content {
    Disclosed {
        name: String,
        value: Json,
    },
    /// By the word of whoever made the export.
    Withheld,
    /// Under a key that was not given.
    Sealed,
    Erased(Erased),
    /// It is not there, and no record says why.
    Lost,
}

pub fn run(asked: &Show, out: &mut Out) -> Ended {
    let mut log = Log::opening(&asked.store, asked.values.values.as_deref())?;
    let seq = Seq::new(asked.seq);
    let row = match log.reader.records(seq, NonZeroU32::MIN)?.pop() {
        Some(row) if row.seq() == seq => row,
        Some(_) | None => return Err(Failure::cannot(format!("there is no record {seq}"))),
    };
    let row = match row {
        Row::Record(row) => row,
        Row::Malformed { what, .. } => {
            return Err(Failure::broken(format!("record {seq} is none: {what}")));
        }
    };
    let shown = look(&mut log, &row)?;
    if asked.json {
        out.json(&shown.to_json());
    } else {
        shown.print(out);
    }
    Ok(match shown.fault {
        None => Code::GOOD,
        Some(_) => Code::BROKEN,
    })
}

fn look(log: &mut Log, row: &RowRecord) -> Result<Shown, Failure> {
    let record = &row.record;
    let seq = record.seq;
    let trust = trust::before(log, seq)?;
    let fault = match &trust {
        Ok(trust) => check(trust, row),
        Err(why) => Some(format!("the log's genesis: {why}")),
    };
    let roles = |key: &KeyId| {
        let held = trust
            .as_ref()
            .ok()
            .and_then(|trust| trust.ring().roles_at(key, seq));
        held.map(|roles| roles.iter().map(|role| role.as_str()).collect())
            .unwrap_or_default()
    };
    let signers = record.signatures.iter().map(|(key, _)| (*key, roles(key)));
    let signers = signers.collect();
    let statement = admit(&record.statement, &Admission::default()).ok();
    let range = seq.get()..seq.get().saturating_add(1);
    let mut given = BTreeMap::new();
    let mut sealed = BTreeSet::new();
    for (_, text) in log.reader.disclosures(range.clone())? {
        match Kept::parse(&text) {
            Ok(Kept::Clear(disclosure)) => {
                given.insert(disclosure.digest().to_string(), disclosure);
            }
            Ok(Kept::Sealed(one)) => {
                sealed.insert(one.digest().to_string());
            }
            Err(_) => {}
        }
    }
    let withheld = log.reader.withheld(range.clone())?;
    let withheld: Vec<String> = withheld
        .iter()
        .map(|(_, digest)| digest.to_string())
        .collect();
    let mut members = Vec::new();
    if let Some(body) = statement.as_ref().and_then(body) {
        hidden(body, "", &mut |object, digest| {
            let opened = given.get(digest).and_then(|one| one.open().ok());
            let content = match opened {
                Some(opened) => Content::Disclosed {
                    name: opened.name,
                    value: opened.value,
                },
                None if withheld.iter().any(|one| one == digest) => Content::Withheld,
                None if sealed.contains(digest) => Content::Sealed,
                None => Content::Lost,
            };
            members.push(Member {
                object: object.to_owned(),
                digest: digest.to_owned(),
                content,
            });
        });
    }
    let missing: BTreeSet<String> = members
        .iter()
        .filter(|member| matches!(member.content, Content::Lost))
        .map(|member| member.digest.clone())
        .collect();
    if !missing.is_empty() {
        let mut erased = erased::after(log, seq, &missing)?;
        for member in &mut members {
            if let Some(erased) = erased.remove(&member.digest) {
                member.content = Content::Erased(erased);
            }
        }
    }
    let form = log.form;
    let filter = Filter {
        request: None,
        records: range,
    };
    let told = timeline(log.reader.as_mut(), filter, &visible)
        .next()
        .transpose()?;
    Ok(Shown {
        seq,
        form,
        told: told.map(|entry| entry.text).unwrap_or_default(),
        fault,
        signers,
        leaf: record.leaf.to_hex(),
        statement,
        members,
    })
}

/// What of a record can be checked without its neighbours.
fn check(trust: &Trust, row: &RowRecord) -> Option<String> {
    match trust.check(&row.record) {
        // The key that comes with a change of keys is in force after it.
        Ok(verified) => {
            let mut trust = trust.clone();
            trust
                .follow(&verified)
                .err()
                .map(|broken| broken.to_string())
        }
        Err(broken) => Some(broken.to_string()),
    }
}

fn body(statement: &Json) -> Option<&Object> {
    let predicate = statement.as_object()?.get("predicate")?.as_object()?;
    predicate.get("body")?.as_object()
}

/// Every digest of a hidden member, with the pointer of the object that it belongs to.
fn hidden(object: &Object, pointer: &str, see: &mut dyn FnMut(&str, &str)) {
    for (name, value) in object {
        if name == "_sd" {
            for digest in value.as_array().unwrap_or_default() {
                see(pointer, digest.as_str().unwrap_or_default());
            }
        } else {
            within(value, &below(pointer, name), see);
        }
    }
}

fn within(value: &Json, pointer: &str, see: &mut dyn FnMut(&str, &str)) {
    match value {
        Json::Object(object) => hidden(object, pointer, see),
        Json::Array(elements) => {
            for (place, element) in elements.iter().enumerate() {
                within(element, &format!("{pointer}/{place}"), see);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

impl Shown {
    fn print(&self, out: &mut Out) {
        let Self {
            seq,
            form,
            told,
            fault,
            signers,
            leaf,
            statement,
            members,
        } = self;
        out.line(&format!("record       {seq} ({form}): {told}"));
        match fault {
            None => out.line("signatures   good, by keys that the log names; whether these are to be trusted says `countersign verify`"),
            Some(why) => out.line(&format!("signatures   not to be relied upon: {why}")),
        }
        for (key, roles) in signers {
            let roles = if roles.is_empty() {
                "no role".to_owned()
            } else {
                roles.join(", ")
            };
            out.line(&format!("  {key}  {roles}"));
        }
        out.line(&format!("leaf         {leaf}"));
        match statement {
            Some(statement) => out.raw(&format!("statement    {}\n", pretty(statement, 0))),
            None => out.line("statement    its bytes are no JSON"),
        }
        out.line(&format!("hidden       {} members", members.len()));
        for Member {
            object,
            digest,
            content,
        } in members
        {
            match content {
                Content::Disclosed { name, value } => {
                    out.raw(&format!("  {} = {}\n", visible(&below(object, name)), pretty(value, 2)));
                }
                Content::Withheld => out.line(&format!("  {object}/… withheld by the export, digest {digest}")),
                Content::Sealed => out.line(&format!("  {object}/… sealed (--values opens it), digest {digest}")),
                Content::Erased(Erased { by, basis, fault: None }) => out.line(&format!("  {object}/… erased by record {by} ({basis}), digest {digest}")),
                Content::Erased(Erased { by, fault: Some(why), .. }) => out.line(&format!(
                    "  {object}/… lost: record {by} says that it was erased, and is not to be relied upon ({why}), digest {digest}"
                )),
                Content::Lost => out.line(&format!("  {object}/… lost: no record says that it was erased, digest {digest}")),
            }
        }
    }

    fn to_json(&self) -> Object {
        let Self {
            seq,
            form,
            told,
            fault,
            signers,
            leaf,
            statement,
            members,
        } = self;
        let signers: Vec<Json> = signers
            .iter()
            .map(|(key, roles)| {
                let roles: Vec<Json> = roles.iter().map(|role| Json::from(*role)).collect();
                Object::new()
                    .with("key", key.to_string())
                    .with("roles", roles)
                    .into()
            })
            .collect();
        let members: Vec<Json> = members
            .iter()
            .map(
                |Member {
                     object,
                     digest,
                     content,
                 }| {
                    let member = Object::new()
                        .with("object", object.as_str())
                        .with("digest", digest.as_str());
                    match content {
                        Content::Disclosed { name, value } => member
                            .with("is", "disclosed")
                            .with("pointer", below(object, name))
                            .with("value", value.clone()),
                        Content::Withheld => member.with("is", "withheld"),
                        Content::Sealed => member.with("is", "sealed"),
                        Content::Erased(Erased { by, basis, fault }) => member
                            .with("is", if fault.is_none() { "erased" } else { "lost" })
                            .with("by", Json::try_from(by.get()).unwrap_or(Json::Null))
                            .with("basis", basis.as_str())
                            .with("fault", fault.clone().map_or(Json::Null, Json::from)),
                        Content::Lost => member.with("is", "lost"),
                    }
                    .into()
                },
            )
            .collect();
        Object::new()
            .with("fault", fault.clone().map_or(Json::Null, Json::from))
            .with("form", *form)
            .with("hidden", members)
            .with("leaf", leaf.as_str())
            .with("reliable", fault.is_none())
            .with("seq", Json::try_from(seq.get()).unwrap_or(Json::Null))
            .with("signers", signers)
            .with("statement", statement.clone().unwrap_or(Json::Null))
            .with("text", told.as_str())
    }
}

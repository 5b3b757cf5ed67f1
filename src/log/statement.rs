use std::{borrow::Cow, fmt};

use super::{
    entry::Enforcement,
    id::{LogId, Seq},
    keys::KeyId,
    kind::{Belonging, Kind},
    rule::Rule,
    sd,
    write::{PREDICATE_TYPE, STATEMENT_TYPE, StatementLimit},
};
use crate::{
    action::RequestId,
    canonical::{Admission, Digest, Json, Object, admit},
    clock::Timestamp,
};

/// The version of the format that is read here.
const VERSION: u64 = 1;

/// A value of a closed list, or one that this reader does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KnownOr<T> {
    /// Known.
    Known(T),
    /// Of a later edition or another version: not judged.
    Unknown(String),
}

impl<T> KnownOr<T> {
    /// The value, if it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl KnownOr<Kind> {
    /// The text in records.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(kind) => kind.as_str(),
            Self::Unknown(text) => text,
        }
    }
}

impl<T: fmt::Display> fmt::Display for KnownOr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => value.fmt(f),
            Self::Unknown(text) => text.fmt(f),
        }
    }
}

/// What the bytes of a record say, well-formed but otherwise unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The log that it says to belong to.
    pub log: LogId,
    /// Its number.
    pub seq: Seq,
    /// The leaf of the record before.
    pub prev: Digest,
    /// The tree head over all records before.
    pub root: Digest,
    /// Gate time.
    pub ts: Timestamp,
    /// What it is about. In another version than 1 no kind is known.
    pub kind: KnownOr<Kind>,
    /// The version of the format.
    pub v: u64,
    /// What a reader must understand; this one knows no extension.
    pub crit: Vec<String>,
    /// Whether the gate guarded anything.
    pub enforced: Enforcement,
    /// The key of the first signature.
    pub key: KeyId,
    /// The request it belongs to.
    pub request: Option<RequestId>,
    /// The action digest of that request, or the log's subject. All zeros in another version that has
    /// no such subject.
    pub subject: Digest,
    /// The body; empty in another version that has none.
    pub body: Object,
}

/// Why the meaning of a record is not judged, although its bytes, place and signatures are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// Another version of the format.
    Version(u64),
    /// A kind that this reader does not know.
    Kind(String),
    /// An extension that must be understood.
    Extension(String),
    /// A kind whose body is a later edition's.
    Reserved(Kind),
}

impl fmt::Display for Unjudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(v) => write!(f, "its version is {v}"),
            // Of whoever signed the record, so it is made visible.
            Self::Kind(kind) => write!(f, "its kind {kind:?} is not known"),
            Self::Extension(name) => write!(f, "its extension {name:?} is not known"),
            Self::Reserved(kind) => write!(f, "bodies of kind {kind} are reserved"),
        }
    }
}

/// Why bytes are no statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementError {
    /// The rule that they break.
    pub rule: Rule,
    /// In words.
    pub why: Cow<'static, str>,
}

impl StatementError {
    fn new(rule: Rule, why: impl Into<Cow<'static, str>>) -> Self {
        let why = why.into();
        Self { rule, why }
    }
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, why } = self;
        write!(f, "not a statement (rule {rule}): {why}")
    }
}

impl std::error::Error for StatementError {}

impl Statement {
    /// Reads the bytes of a record by the rules F1 to F5, F7 and F8.
    ///
    /// Of a statement of another version only the members are asked for that chain it.
    ///
    /// # Errors
    /// [`StatementError`] names the rule.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > StatementLimit::LARGEST.get() {
            return Err(StatementError::new(Rule::F1, "it is larger than 48 KiB"));
        }
        let limits = Admission::default()
            .with_max_bytes(StatementLimit::LARGEST.get())
            .with_max_depth(64);
        let json = admit(bytes, &limits)
            .map_err(|error| StatementError::new(Rule::F2, format!("{}", error.reason())))?;
        if json.to_canonical() != bytes {
            let why = "its bytes are not the canonical form of what they say";
            return Err(StatementError::new(Rule::F2, why));
        }
        let (predicate, subject) = envelope_members(json)?;
        let members = Members::of(predicate)?;
        let statement = members.read(&subject)?;
        if statement.is_of_this_version() {
            statement.check_version_1(&subject)?;
        }
        Ok(statement)
    }

    /// Whether it is of the version that is read here.
    pub(super) const fn is_of_this_version(&self) -> bool {
        self.v == VERSION
    }

    /// Why the meaning of this record is not judged, if it is not.
    #[must_use]
    pub fn unjudged(&self) -> Option<Unjudged> {
        if !self.is_of_this_version() {
            return Some(Unjudged::Version(self.v));
        }
        if let Some(name) = self.crit.first() {
            return Some(Unjudged::Extension(name.clone()));
        }
        match &self.kind {
            KnownOr::Unknown(kind) => Some(Unjudged::Kind(kind.clone())),
            KnownOr::Known(kind) if kind.is_reserved() => Some(Unjudged::Reserved(*kind)),
            KnownOr::Known(_) => None,
        }
    }

    fn check_version_1(&self, subject: &Subject) -> Result<(), StatementError> {
        let belonging = self.kind.known().map(|kind| kind.belongs_to_request());
        match (belonging, self.request) {
            (Some(Belonging::Always), None) => {
                let why = "a record of its kind belongs to a request, and it names none";
                return Err(StatementError::new(Rule::F5, why));
            }
            (Some(Belonging::Never), Some(_)) => {
                let why = "a record of its kind belongs to no request, and it names one";
                return Err(StatementError::new(Rule::F5, why));
            }
            _ => {}
        }
        let Subject { name, digest } = subject;
        let digest = digest.ok_or_else(subject_malformed)?;
        let expected = match self.request {
            Some(request) => format!("request:{request}"),
            None if digest != self.log.subject() => {
                let why = "its subject is not the digest of its log";
                return Err(StatementError::new(Rule::F4, why));
            }
            None => format!("log:{}", self.log),
        };
        if *name != Some(expected) {
            let why = "its subject is another than its request or log";
            return Err(StatementError::new(Rule::F4, why));
        }
        sd::covers(&self.body).map_err(|why| StatementError::new(Rule::F7, why))?;
        Ok(())
    }
}

/// The subject as far as it could be read.
struct Subject {
    name: Option<String>,
    digest: Option<Digest>,
}

fn subject_malformed() -> StatementError {
    StatementError::new(Rule::F4, "its subject is not one name with one digest")
}

/// Takes the four members of an in-toto statement apart (F3).
fn envelope_members(json: Json) -> Result<(Object, Subject), StatementError> {
    let wrong = || {
        let why = "it is not an in-toto statement with a record as its predicate";
        StatementError::new(Rule::F3, why)
    };
    let Json::Object(mut members) = json else {
        return Err(wrong());
    };
    let kind = members.remove("_type").ok_or_else(wrong)?;
    let predicate_type = members.remove("predicateType").ok_or_else(wrong)?;
    let predicate = members.remove("predicate").ok_or_else(wrong)?;
    let subject = members.remove("subject").ok_or_else(wrong)?;
    let types = (kind.as_str(), predicate_type.as_str());
    if !members.is_empty() || types != (Some(STATEMENT_TYPE), Some(PREDICATE_TYPE)) {
        return Err(wrong());
    }
    let Json::Object(predicate) = predicate else {
        return Err(wrong());
    };
    Ok((
        predicate,
        read_subject(&subject).unwrap_or(Subject {
            name: None,
            digest: None,
        }),
    ))
}

/// One name with one digest (F4).
fn read_subject(subject: &Json) -> Option<Subject> {
    let [subject] = subject.as_array()? else {
        return None;
    };
    let members = subject.as_object()?;
    let digests = members.get("digest")?.as_object()?;
    let name = members.get("name")?.as_str()?;
    let digest = Digest::parse_hex(digests.get("sha256")?.as_str()?).ok()?;
    (members.len() == 2 && digests.len() == 1).then(|| Subject {
        name: Some(name.to_owned()),
        digest: Some(digest),
    })
}

/// The members of a predicate, taken apart but not read.
#[derive(Default)]
struct Members {
    body: Option<Json>,
    crit: Option<Json>,
    enforced: Option<Json>,
    key: Option<Json>,
    kind: Option<Json>,
    log: Option<Json>,
    prev: Option<Json>,
    request: Option<Json>,
    root: Option<Json>,
    seq: Option<Json>,
    ts: Option<Json>,
    v: u64,
}

impl Members {
    fn of(predicate: Object) -> Result<Self, StatementError> {
        let mut members = Self {
            v: integer(predicate.get("v")).ok_or_else(|| missing("v"))?,
            ..Self::default()
        };
        for (name, value) in predicate {
            let place = match name.as_str() {
                "body" => &mut members.body,
                "crit" => &mut members.crit,
                "enforced" => &mut members.enforced,
                "key" => &mut members.key,
                "kind" => &mut members.kind,
                "log" => &mut members.log,
                "prev" => &mut members.prev,
                "request" => &mut members.request,
                "root" => &mut members.root,
                "seq" => &mut members.seq,
                "ts" => &mut members.ts,
                "v" => continue,
                _ if members.v == VERSION => {
                    let why = "its predicate has a member that the format does not know";
                    return Err(StatementError::new(Rule::F5, why));
                }
                _ => continue,
            };
            *place = Some(value);
        }
        Ok(members)
    }

    fn read(self, subject: &Subject) -> Result<Statement, StatementError> {
        let Self {
            body,
            crit,
            enforced,
            key,
            kind,
            log,
            prev,
            request,
            root,
            seq,
            ts,
            v,
        } = self;
        let strict = v == VERSION;
        let kind = match text(kind.as_ref()) {
            None | Some("") => return Err(missing("kind")),
            Some(kind) => match Kind::parse(kind).filter(|_| strict) {
                Some(kind) => KnownOr::Known(kind),
                None => KnownOr::Unknown(kind.to_owned()),
            },
        };
        let body = match body {
            Some(Json::Object(body)) => body,
            _ if strict => return Err(missing("body")),
            _ => Object::new(),
        };
        if strict && !body.iter().all(|(_, value)| holds_integers_only(value)) {
            let why = "a number in its body is no integer within ±(2^53−1)";
            return Err(StatementError::new(Rule::F8, why));
        }
        let enforced = match enforced {
            Some(Json::Bool(enforced)) => Enforcement::from_bool(enforced),
            _ if strict => return Err(missing("enforced")),
            _ => Enforcement::Enforced,
        };
        let crit = match crit.as_ref().map(extensions) {
            None => Vec::new(),
            Some(Some(crit)) => crit,
            Some(None) if strict => return Err(missing("crit")),
            Some(None) => Vec::new(),
        };
        let request = match request {
            None => None,
            Some(request) => match text(Some(&request)).map(RequestId::parse) {
                Some(Ok(request)) => Some(request),
                _ if strict => return Err(missing("request")),
                _ => None,
            },
        };
        Ok(Statement {
            log: text(log.as_ref())
                .and_then(|log| LogId::parse(log).ok())
                .ok_or_else(|| missing("log"))?,
            seq: integer(seq.as_ref())
                .map(Seq::new)
                .ok_or_else(|| missing("seq"))?,
            prev: digest(prev.as_ref()).ok_or_else(|| missing("prev"))?,
            root: digest(root.as_ref()).ok_or_else(|| missing("root"))?,
            ts: text(ts.as_ref())
                .and_then(|ts| Timestamp::parse(ts).ok())
                .ok_or_else(|| missing("ts"))?,
            kind,
            v,
            crit,
            enforced,
            key: text(key.as_ref())
                .and_then(|key| KeyId::parse(key).ok())
                .ok_or_else(|| missing("key"))?,
            request,
            subject: subject.digest.unwrap_or(Digest::from_bytes([0; 32])),
            body,
        })
    }
}

fn missing(member: &str) -> StatementError {
    let why = format!("the member `{member}` of its predicate is missing or malformed");
    StatementError::new(Rule::F5, why)
}

fn text(json: Option<&Json>) -> Option<&str> {
    json?.as_str()
}

fn integer(json: Option<&Json>) -> Option<u64> {
    u64::try_from(json?.as_i64()?).ok()
}

fn digest(json: Option<&Json>) -> Option<Digest> {
    Digest::parse_hex(json?.as_str()?).ok()
}

/// A non-empty ascending array of distinct texts.
fn extensions(json: &Json) -> Option<Vec<String>> {
    let names: Vec<String> = json
        .as_array()?
        .iter()
        .map(|name| name.as_str().map(str::to_owned))
        .collect::<Option<_>>()?;
    let ascending = names.is_sorted_by(|a, b| a < b);
    (ascending && !names.is_empty()).then_some(names)
}

/// Whether no number in it has a fraction or an exponent (F8).
fn holds_integers_only(json: &Json) -> bool {
    match json {
        Json::Number(number) => number.as_i64().is_some(),
        Json::Array(elements) => elements.iter().all(holds_integers_only),
        Json::Object(members) => members.iter().all(|(_, value)| holds_integers_only(value)),
        Json::Null | Json::Bool(_) | Json::String(_) => true,
    }
}

//! What a record's bytes say besides its body, read without making values of them.

use std::ops::Range;

use super::{
    entry::Enforcement,
    id::{LogId, Seq},
    keys::KeyId,
    kind::{Belonging, Kind},
    links::Links,
    sd::{Cover, Names},
    statement::{KnownOr, Statement, StatementError},
    write::{PREDICATE_TYPE, STATEMENT_TYPE, StatementLimit},
};
use crate::{
    action::{DisclosureDigest, RequestId},
    canonical::{Admission, Digest, Json, Scan, admit},
    clock::Timestamp,
};

/// How deep arrays and objects of a body are inside each other at most, to be read here.
const DEPTH: usize = 32;

/// Every member of a statement but its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) log: LogId,
    pub(super) seq: Seq,
    pub(super) prev: Digest,
    pub(super) root: Digest,
    pub(super) ts: Timestamp,
    pub(super) kind: KnownOr<Kind>,
    pub(super) enforced: Enforcement,
    pub(super) key: KeyId,
    pub(super) request: Option<RequestId>,
    pub(super) subject: Digest,
}

/// A statement of version 1 that was read without making values.
#[derive(Debug)]
pub(super) struct Outlined<'b> {
    pub(super) outline: Outline,
    /// The objects of its body that hide members.
    pub(super) covers: Vec<Cover<'b>>,
    body: &'b [u8],
}

impl Outline {
    pub(super) fn of(statement: &Statement) -> Self {
        let Statement {
            log,
            seq,
            prev,
            root,
            ts,
            kind,
            v: _,
            crit: _,
            enforced,
            key,
            request,
            subject,
            body: _,
        } = statement;
        Self {
            log: *log,
            seq: *seq,
            prev: *prev,
            root: *root,
            ts: *ts,
            kind: kind.clone(),
            enforced: *enforced,
            key: *key,
            request: *request,
            subject: *subject,
        }
    }

    pub(super) const fn links(&self) -> Links {
        Links {
            log: self.log,
            seq: self.seq,
            prev: self.prev,
            root: self.root,
            ts: self.ts,
        }
    }
}

impl<'b> Outlined<'b> {
    /// Reads the bytes of a record, if they are a plain statement of version 1 by the rules F1 to F5, F7
    /// and F8.
    ///
    /// `None` means that [`Statement::parse`] is to be asked: it alone tells what is wrong with them, or
    /// that they are right although they are not plain. In canonical bytes of this version all members
    /// but the body have fixed places and forms, so that they are compared instead of parsed.
    pub(super) fn read(bytes: &'b [u8]) -> Option<Self> {
        if bytes.len() > StatementLimit::LARGEST.get() {
            return None;
        }
        let mut scan = Scan::of(bytes)?;
        scan.literal(r#"{"_type":""#)?;
        scan.literal(STATEMENT_TYPE)?;
        scan.literal(r#"","predicate":{"body":"#)?;
        let (covers, body) = read_body(&mut scan)?;
        let body = bytes.get(body)?;
        scan.literal(r#","enforced":"#)?;
        let enforced = Enforcement::from_bool(scan.has("true"));
        if enforced == Enforcement::Testing {
            scan.literal("false")?;
        }
        scan.literal(r#","key":""#)?;
        let key = KeyId::parse(scan.until_quote()?).ok()?;
        scan.literal(r#","kind":""#)?;
        let kind = Kind::parse(scan.until_quote()?)?;
        scan.literal(r#","log":""#)?;
        let log_text = scan.until_quote()?;
        let log = LogId::parse(log_text).ok()?;
        scan.literal(r#","prev":""#)?;
        let prev = Digest::parse_hex(scan.until_quote()?).ok()?;
        let request = match scan.has(r#","request":""#) {
            true => Some(scan.until_quote()?),
            false => None,
        };
        scan.literal(r#","root":""#)?;
        let root = Digest::parse_hex(scan.until_quote()?).ok()?;
        scan.literal(r#","seq":"#)?;
        let seq = Seq::new(u64::try_from(scan.integer()?).ok()?);
        scan.literal(r#","ts":""#)?;
        let ts = Timestamp::parse(scan.until_quote()?).ok()?;
        scan.literal(r#","v":1},"predicateType":""#)?;
        scan.literal(PREDICATE_TYPE)?;
        scan.literal(r#"","subject":[{"digest":{"sha256":""#)?;
        let subject = Digest::parse_hex(scan.until_quote()?).ok()?;
        scan.literal(r#"},"name":""#)?;
        let name = scan.until_quote()?;
        scan.literal("}]}")?;
        if !scan.is_at_end() {
            return None;
        }
        let named = match request {
            Some(request) => name.strip_prefix("request:") == Some(request),
            None => name.strip_prefix("log:") == Some(log_text) && subject == log.subject(),
        };
        let belongs = match kind.belongs_to_request() {
            Belonging::Always => request.is_some(),
            Belonging::Never => request.is_none(),
            Belonging::AsBodySays => true,
        };
        if !named || !belongs {
            return None;
        }
        let request = match request {
            Some(request) => Some(RequestId::parse(request).ok()?),
            None => None,
        };
        let outline = Outline {
            log,
            seq,
            prev,
            root,
            ts,
            kind: KnownOr::Known(kind),
            enforced,
            key,
            request,
            subject,
        };
        Some(Self {
            outline,
            covers,
            body,
        })
    }

    /// The statement with its body.
    pub(super) fn to_statement(&self) -> Option<Statement> {
        let limits = Admission::default().with_max_depth(DEPTH);
        let Ok(Json::Object(body)) = admit(self.body, &limits) else {
            return None;
        };
        let Outline {
            log,
            seq,
            prev,
            root,
            ts,
            kind,
            enforced,
            key,
            request,
            subject,
        } = self.outline.clone();
        Some(Statement {
            log,
            seq,
            prev,
            root,
            ts,
            kind,
            v: 1,
            crit: Vec::new(),
            enforced,
            key,
            request,
            subject,
            body,
        })
    }
}

/// As [`Statement::parse`], quicker where the bytes are plain.
pub(super) fn read_statement(bytes: &[u8]) -> Result<Statement, StatementError> {
    match Outlined::read(bytes).and_then(|outlined| outlined.to_statement()) {
        Some(statement) => Ok(statement),
        None => Statement::parse(bytes),
    }
}

/// As [`Statement::parse`] for whoever wants the number alone.
pub(super) fn read_seq(bytes: &[u8]) -> Result<Seq, StatementError> {
    match Outlined::read(bytes) {
        Some(outlined) => Ok(outlined.outline.seq),
        None => Statement::parse(bytes).map(|statement| statement.seq),
    }
}

/// Passes a body, and finds where it is and what it hides.
fn read_body<'b>(scan: &mut Scan<'b>) -> Option<(Vec<Cover<'b>>, Range<usize>)> {
    let start = scan.at();
    let mut body = Body {
        names: Vec::with_capacity(16),
        covers: Vec::new(),
    };
    body.object(scan, DEPTH)?;
    let mut covers = body.covers;
    if let [_, _, ..] = covers.as_slice() {
        let mut all: Vec<&Digest> = covers
            .iter()
            .flat_map(|cover| &cover.digests)
            .map(DisclosureDigest::as_digest)
            .collect();
        all.sort_unstable();
        if all.windows(2).any(|pair| pair.first() == pair.last()) {
            return None;
        }
    }
    covers.shrink_to_fit();
    Some((covers, start..scan.at()))
}

/// A body on the way.
struct Body<'b> {
    /// The names of members so far of all objects that are open.
    names: Vec<&'b str>,
    covers: Vec<Cover<'b>>,
}

impl<'b> Body<'b> {
    fn value(&mut self, scan: &mut Scan<'b>, depth: usize) -> Option<()> {
        match scan.peek()? {
            b'{' => self.object(scan, depth),
            b'[' => {
                let depth = depth.checked_sub(1)?;
                scan.array(|scan| self.value(scan, depth))
            }
            _ => scan.scalar(),
        }
    }

    fn object(&mut self, scan: &mut Scan<'b>, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let outside = self.names.len();
        let mut hidden = None;
        scan.object(|scan, name| {
            self.names.push(name);
            if name == "_sd" {
                hidden = Some(digests(scan)?);
                return Some(());
            }
            self.value(scan, depth)
        })?;
        match hidden {
            None => self.names.truncate(outside),
            Some(digests) => self.covers.push(Cover {
                names: Names::Ascending(self.names.split_off(outside)),
                digests,
            }),
        }
        Some(())
    }
}

/// An ascending array of digests.
fn digests(scan: &mut Scan<'_>) -> Option<Vec<DisclosureDigest>> {
    let mut digests = Vec::new();
    let mut last = "";
    scan.array(|scan| {
        let text = scan.plain_string()?;
        if last >= text {
            return None;
        }
        last = text;
        digests.push(DisclosureDigest::parse(text).ok()?);
        Some(())
    })?;
    (!digests.is_empty()).then_some(digests)
}

use std::io::Write as _;

use thiserror::Error;

use super::{
    entry::{Enforcement, Entry},
    id::{LogId, Seq},
    keys::KeyId,
};
use crate::{
    canonical::{Digest, write_string},
    clock::Timestamp,
};

/// The type of an in-toto statement.
pub(super) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What a statement of this library is.
pub(super) const PREDICATE_TYPE: &str = "https://countersign.dev/record/v1";

/// The place of a record in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position<'l> {
    /// The log.
    pub log: &'l LogId,
    /// The record's number.
    pub seq: Seq,
    /// The leaf of the record before.
    pub prev: Digest,
    /// The tree head over all records before.
    pub root: Digest,
    /// Gate time.
    pub ts: Timestamp,
}

/// How large a statement may become: 16 KiB, unless the host allows more, and never beyond 48 KiB, so
/// that a record in base64 stays within what tile logs hold (64 KiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementLimit(usize);

impl StatementLimit {
    /// The hard limit, which readers hold to (rule F1).
    pub const LARGEST: Self = Self(48 << 10);

    /// A limit in bytes, at most [`StatementLimit::LARGEST`].
    #[must_use]
    pub fn bytes(limit: usize) -> Self {
        Self(limit.min(Self::LARGEST.0))
    }

    /// The limit in bytes.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Default for StatementLimit {
    fn default() -> Self {
        Self(16 << 10)
    }
}

/// The statement is larger than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the record would be {bytes} bytes, more than the {limit} allowed; move values into parameters, which are held beside the log"
)]
pub struct TooLarge {
    /// How large it is.
    pub bytes: usize,
    /// How large it may be.
    pub limit: usize,
}

/// Writes the bytes of a record that are signed, hashed and kept: an in-toto statement in canonical form
/// (record format, rules F1 to F5).
///
/// The prepared parts are put together in canonical order; nothing is parsed or serialised again.
///
/// # Errors
/// [`TooLarge`], whose cure is the caller's.
pub fn write_statement(
    entry: &Entry,
    position: &Position<'_>,
    key: &KeyId,
    limit: StatementLimit,
) -> Result<Vec<u8>, TooLarge> {
    let Entry {
        kind,
        request,
        body,
        disclosures: _,
        role: _,
        enforced,
        crit,
    } = entry;
    let Position {
        log,
        seq,
        prev,
        root,
        ts,
    } = position;
    let mut out = Vec::with_capacity(body.len() + 1024);
    out.extend_from_slice(br#"{"_type":""#);
    out.extend_from_slice(STATEMENT_TYPE.as_bytes());
    out.extend_from_slice(br#"","predicate":{"body":"#);
    out.extend_from_slice(body);
    if !crit.is_empty() {
        write_crit(&mut out, crit);
    }
    out.extend_from_slice(match enforced {
        Enforcement::Enforced => br#","enforced":true,"key":""#,
        Enforcement::Testing => br#","enforced":false,"key":""#,
    });
    // Writing into a vector does not fail, and ids, digests and times need no escapes.
    let _ = write!(
        out,
        r#"{key}","kind":"{kind}","log":"{log}","prev":"{prev}""#
    );
    if let Some(request) = request {
        let _ = write!(out, r#","request":"{}""#, request.id);
    }
    let _ = write!(
        out,
        r#","root":"{root}","seq":{seq},"ts":"{ts}","v":1}},"predicateType":"{PREDICATE_TYPE}","subject":[{{"digest":{{"sha256":""#
    );
    let _ = match request {
        Some(request) => write!(
            out,
            r#"{}"}},"name":"request:{}"#,
            request.digest, request.id
        ),
        None => write!(out, r#"{}"}},"name":"log:{log}"#, log.subject()),
    };
    out.extend_from_slice(br#""}]}"#);
    if out.len() > limit.get() {
        let (bytes, limit) = (out.len(), limit.get());
        return Err(TooLarge { bytes, limit });
    }
    Ok(out)
}

fn write_crit(out: &mut Vec<u8>, crit: &[String]) {
    out.extend_from_slice(br#","crit":["#);
    for (index, name) in crit.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(out, name);
    }
    out.push(b']');
}

use super::{
    id::{LogId, Seq},
    statement::Statement,
    write::PREDICATE_TYPE,
};
use crate::{canonical::Digest, clock::Timestamp};

/// What ties a statement to its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) log: LogId,
    pub(super) seq: Seq,
    pub(super) prev: Digest,
    pub(super) root: Digest,
    pub(super) ts: Timestamp,
}

impl Links {
    pub(super) const fn of(statement: &Statement) -> Self {
        Self {
            log: statement.log,
            seq: statement.seq,
            prev: statement.prev,
            root: statement.root,
            ts: statement.ts,
        }
    }

    /// Reads the links of a version 1 statement from the end of its bytes, without parsing the rest;
    /// `None` if they do not end so.
    ///
    /// In canonical bytes the links are the last members of the predicate, each of a fixed form, and what
    /// follows them is fixed too. If the bytes are a canonical statement at all, then what matches here is
    /// what a parser finds: the text begins with `,"log":"`, whose quotation mark cannot end a string,
    /// since `log` may not follow one; so it is outside of strings, and from there on no brace opens
    /// before the one that closes the predicate.
    pub(super) fn at_end(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_suffix(br#""}]}"#)?;
        let rest = strip_uuid(rest)?;
        let rest = rest
            .strip_suffix(b"log:")
            .or_else(|| rest.strip_suffix(b"request:"))?;
        let rest = rest.strip_suffix(br#""},"name":""#)?;
        let (rest, _) = strip_digest(rest)?;
        let rest = rest.strip_suffix(br#"","subject":[{"digest":{"sha256":""#)?;
        let rest = rest.strip_suffix(PREDICATE_TYPE.as_bytes())?;
        let rest = rest.strip_suffix(br#"","v":1},"predicateType":""#)?;
        let (rest, ts) = rest.split_last_chunk::<27>()?;
        let ts = Timestamp::parse(str::from_utf8(ts).ok()?).ok()?;
        let rest = rest.strip_suffix(br#","ts":""#)?;
        let (rest, seq) = strip_number(rest)?;
        let rest = rest.strip_suffix(br#"","seq":"#)?;
        let (rest, root) = strip_digest(rest)?;
        let rest = rest.strip_suffix(br#"","root":""#)?;
        // Here ends the request, if there is one, else the leaf before.
        let without_request =
            strip_uuid(rest).and_then(|rest| rest.strip_suffix(br#"","request":""#));
        let (rest, prev) = strip_digest(without_request.unwrap_or(rest))?;
        let rest = rest.strip_suffix(br#"","prev":""#)?;
        let (rest, log) = rest.split_last_chunk::<36>()?;
        let log = LogId::parse(str::from_utf8(log).ok()?).ok()?;
        rest.strip_suffix(br#","log":""#)?;
        Some(Self {
            log,
            seq,
            prev,
            root,
            ts,
        })
    }
}

fn strip_uuid(bytes: &[u8]) -> Option<&[u8]> {
    let (rest, uuid) = bytes.split_last_chunk::<36>()?;
    let fits = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    uuid.iter().all(fits).then_some(rest)
}

fn strip_digest(bytes: &[u8]) -> Option<(&[u8], Digest)> {
    let (rest, hex) = bytes.split_last_chunk::<64>()?;
    Some((rest, Digest::parse_hex(str::from_utf8(hex).ok()?).ok()?))
}

/// A number as canonical JSON writes it: without a leading zero.
fn strip_number(bytes: &[u8]) -> Option<(&[u8], Seq)> {
    let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let (rest, digits) = bytes.split_at_checked(bytes.len().checked_sub(digits.count())?)?;
    if digits.len() > 1 && digits.starts_with(b"0") {
        return None;
    }
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((rest, Seq::new(number)))
}

//! Single lines of the form, each with exactly one spelling.

use std::io::{self, BufRead};

use crate::{
    action::DisclosureDigest,
    canonical::{Admission, Json, Object, Scan, admit, write_string},
    log::{
        KeyId, LogId, Origin, PAYLOAD_TYPE, Signature,
        base64::{decode, encode},
    },
};

/// What the header says that this is.
const FORMAT: &str = "countersign/jsonl/v1";

/// How a line with a checkpoint begins, and none with a record.
pub(super) const CHECKPOINT: &[u8] = b"{\"checkpoint\":";

/// The longest line.
pub(super) const MOST_LINE: usize = 16 << 20;

/// What was read as a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::export) enum Line {
    /// A line, without its newline.
    Whole,
    /// Bytes at the end that no newline ends.
    Torn,
    /// More bytes than a line may have; some of them are still to be passed over.
    TooLong,
    /// Nothing any more.
    End,
}

/// Reads up to the next newline, or until it is more than `most` bytes: a file that somebody grew without end is not read to its end.
pub(in crate::export) fn read_line(
    from: &mut dyn BufRead,
    line: &mut Vec<u8>,
    most: usize,
) -> io::Result<Line> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            return Ok(if any { Line::Torn } else { Line::End });
        }
        any = true;
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let until = newline.unwrap_or(buffer.len());
        if line.len() + until > most {
            return Ok(Line::TooLong);
        }
        line.extend_from_slice(buffer.get(..until).unwrap_or_default());
        from.consume(until + usize::from(newline.is_some()));
        if newline.is_some() {
            return Ok(Line::Whole);
        }
    }
}

/// Passes over the rest of a line.
pub(super) fn pass_line(from: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let passed = newline.map_or(buffer.len(), |at| at + 1);
        let done = buffer.is_empty() || newline.is_some();
        from.consume(passed);
        if done {
            return Ok(());
        }
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) log: LogId,
    pub(super) origin: Origin,
    pub(super) records: u64,
}

impl Header {
    pub(super) fn to_line(&self) -> Option<Vec<u8>> {
        let Self {
            log,
            origin,
            records,
        } = self;
        let object = Object::new()
            .with("format", FORMAT)
            .with("log", log.to_string())
            .with("origin", origin.as_str())
            .with("records", Json::try_from(*records).ok()?);
        Some(object.to_canonical())
    }

    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let json = admit(line, &Admission::default()).ok()?;
        let members = json.as_object()?;
        let header = Self {
            log: LogId::parse(members.get("log")?.as_str()?).ok()?,
            origin: Origin::new(members.get("origin")?.as_str()?).ok()?,
            records: u64::try_from(members.get("records")?.as_i64()?).ok()?,
        };
        (header.to_line()? == line).then_some(header)
    }
}

pub(super) fn checkpoint_line(size: u64, note: &str) -> Option<Vec<u8>> {
    let mut line = CHECKPOINT.to_vec();
    write_string(&mut line, note);
    line.extend_from_slice(format!(",\"size\":{size}}}").as_bytes());
    Some(line)
}

/// The note in a line with the checkpoint of that size.
pub(super) fn parse_checkpoint(line: &[u8], size: u64) -> Option<Vec<u8>> {
    let limits = Admission::default().with_max_bytes(MOST_LINE);
    let json = admit(line, &limits).ok()?;
    let note = json.as_object()?.get("checkpoint")?.as_str()?;
    (checkpoint_line(size, note)? == line).then(|| note.as_bytes().to_vec())
}

/// A record with what is filed under it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordLine {
    pub(super) seq: u64,
    pub(super) statement: Vec<u8>,
    pub(super) signatures: Vec<(KeyId, Signature)>,
    pub(super) disclosures: Vec<String>,
    pub(super) withheld: Vec<DisclosureDigest>,
}

impl RecordLine {
    /// The canonical JSON of the record, an object of this form:
    ///
    /// `{"disclosures":[…],"envelope":{"payload":…,"payloadType":…,"signatures":[…]},"seq":…,"withheld":[…]}`
    pub(super) fn to_line(&self) -> Vec<u8> {
        let Self {
            seq,
            statement,
            signatures,
            disclosures,
            withheld,
        } = self;
        let mut line = String::with_capacity(statement.len() * 2);
        line.push_str("{\"disclosures\":[");
        texts(&mut line, disclosures.iter());
        line.push_str("],\"envelope\":{\"payload\":\"");
        line.push_str(&encode(statement));
        line.push_str("\",\"payloadType\":\"");
        line.push_str(PAYLOAD_TYPE);
        line.push_str("\",\"signatures\":[");
        for (index, (key, signature)) in signatures.iter().enumerate() {
            if index > 0 {
                line.push(',');
            }
            let signature = encode(signature.as_bytes());
            line.push_str(&format!("{{\"keyid\":\"{key}\",\"sig\":\"{signature}\"}}"));
        }
        line.push_str(&format!("]}},\"seq\":{seq},\"withheld\":["));
        texts(&mut line, withheld.iter());
        line.push_str("]}");
        line.into_bytes()
    }

    /// Reads exactly what [`RecordLine::to_line`] writes.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut scan = Scan::of(line)?;
        scan.literal("{\"disclosures\":")?;
        let mut disclosures = Vec::new();
        scan.array(|scan| {
            disclosures.push(scan.plain_string()?.to_owned());
            Some(())
        })?;
        scan.literal(",\"envelope\":{\"payload\":")?;
        let statement = decode(scan.plain_string()?)?;
        scan.literal(",\"payloadType\":")?;
        if scan.plain_string()? != PAYLOAD_TYPE {
            return None;
        }
        scan.literal(",\"signatures\":")?;
        let mut signatures = Vec::new();
        scan.array(|scan| {
            scan.literal("{\"keyid\":")?;
            let key = KeyId::parse(scan.plain_string()?).ok()?;
            scan.literal(",\"sig\":")?;
            let signature = decode(scan.plain_string()?)?.try_into().ok()?;
            scan.literal("}")?;
            signatures.push((key, Signature::from_bytes(signature)));
            Some(())
        })?;
        scan.literal("},\"seq\":")?;
        let seq = u64::try_from(scan.integer()?).ok()?;
        scan.literal(",\"withheld\":")?;
        let mut withheld = Vec::new();
        scan.array(|scan| {
            withheld.push(DisclosureDigest::parse(scan.plain_string()?).ok()?);
            Some(())
        })?;
        scan.literal("}")?;
        scan.is_at_end().then_some(Self {
            seq,
            statement,
            signatures,
            disclosures,
            withheld,
        })
    }
}

/// Texts that need no escapes, in quotation marks.
fn texts<T: std::fmt::Display>(line: &mut String, texts: impl Iterator<Item = T>) {
    for (index, text) in texts.enumerate() {
        if index > 0 {
            line.push(',');
        }
        line.push_str(&format!("\"{text}\""));
    }
}

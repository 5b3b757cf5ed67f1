//! What goes to a witness and what comes back, as bytes; nothing here is asked or stored.

use std::time::Duration;

use thiserror::Error;

use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::{Cosignature, CosignatureError, NoteSignature, Window, WitnessKey, base64};

use super::transport::{Call, MOST_RESPONSE_BYTES, Request, Response};

/// As many as fit into the numbers of tlog-witness.
const MOST_HASHES: usize = 63;

/// The body of an `add-checkpoint` request.
pub(super) fn add_checkpoint(url: &str, old: u64, path: &[Digest], note: &[u8]) -> Request {
    let mut body = format!("old {old}\n");
    for hash in path.iter().take(MOST_HASHES) {
        body.push_str(&base64::encode(hash.as_bytes()));
        body.push('\n');
    }
    body.push('\n');
    let mut body = body.into_bytes();
    body.extend_from_slice(note);
    Request {
        url: format!("{}/add-checkpoint", url.trim_end_matches('/')),
        call: Call::Post(body),
    }
}

/// Asks for the checkpoint that a witness has of a log.
pub(super) fn checkpoint_of(url: &str, origin: &str) -> Request {
    let hash = Digest::sha256(origin.as_bytes());
    Request {
        url: format!("{}/{hash}/checkpoint", url.trim_end_matches('/')),
        call: Call::Get,
    }
}

/// What a witness answers to `add-checkpoint`.
#[derive(Debug)]
pub(super) enum Answer {
    /// 200: it cosigned at this time.
    Cosigned(NoteSignature, Timestamp),
    /// 409: it holds a tree of another size than was said.
    Holds(u64),
    /// 422: what it holds is not the beginning of what it was shown.
    Inconsistent,
    /// 404: it does not watch this log.
    NotWatched,
    /// 403: it does not know the key that signed the checkpoint.
    NotTrusted,
}

/// Reads an answer strictly; a cosignature is verified.
pub(super) fn read(
    response: &Response,
    text: &str,
    witness: &WitnessKey,
    now: Timestamp,
) -> Result<Answer, BadAnswer> {
    let Response { status, body } = response;
    if body.len() > MOST_RESPONSE_BYTES {
        return Err(BadAnswer::TooLong);
    }
    match status {
        200 => cosigned(body, text, witness, now),
        409 => read_size(body).map(Answer::Holds).ok_or(BadAnswer::Size),
        422 => Ok(Answer::Inconsistent),
        404 => Ok(Answer::NotWatched),
        403 => Ok(Answer::NotTrusted),
        other => Err(BadAnswer::Status(*other)),
    }
}

fn cosigned(
    body: &[u8],
    text: &str,
    witness: &WitnessKey,
    now: Timestamp,
) -> Result<Answer, BadAnswer> {
    let lines = str::from_utf8(body)
        .ok()
        .and_then(|body| body.strip_suffix('\n'))
        .ok_or(BadAnswer::Lines)?;
    let mut found = None;
    for line in lines.split('\n') {
        let line = NoteSignature::parse(line).ok_or(BadAnswer::Lines)?;
        // Those of other keys are nobody's here: they may be of another kind of key, or of another witness.
        if let Some(verified) = Cosignature::verify(&line, text, witness) {
            let at = verified?.at();
            if found.replace((line, at)).is_some() {
                return Err(BadAnswer::Lines);
            }
        }
    }
    let (line, at) = found.ok_or(BadAnswer::NoCosignature)?;
    if !Window::recent(now, Duration::MAX).contains(at) {
        return Err(BadAnswer::Ahead);
    }
    Ok(Answer::Cosigned(line, at))
}

/// A decimal number in its one spelling, and a newline.
fn read_size(body: &[u8]) -> Option<u64> {
    let text = str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(size)
}

/// What is wrong with the answer of a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadAnswer {
    /// A status that the protocol does not have here.
    #[error("it has the status {0}")]
    Status(u16),
    /// Longer than any answer.
    #[error("it is longer than any answer may be")]
    TooLong,
    /// Not signature lines.
    #[error("it is not the lines of signatures that the protocol asks for")]
    Lines,
    /// No line is by the key of this witness.
    #[error("it has no signature by the key that the policy names")]
    NoCosignature,
    /// Not a cosignature of what the witness was shown.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
    /// A time that has not come.
    #[error("its cosignature was made later than now")]
    Ahead,
    /// Not a size, or the one that it was told.
    #[error("it does not say which size it holds instead")]
    Size,
}

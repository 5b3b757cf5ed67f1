//! What an audit leaves to a later one, as a file.

use std::collections::BTreeSet;

use base64ct::{Base64, Encoding};
use thiserror::Error;
use uuid::Uuid;

use crate::action::RequestId;
use crate::approval::At;
use crate::canonical::Digest;
use crate::log::{Checkpoint, CheckpointError, Foothold, Note};

use super::ended::{Mark, ShortDigest};

const FIRST_LINE: &str = "countersign bookmark v1";
const MARK: usize = 32;

/// How far an audit came that found a log intact, and all of it that bears on the records to come.
///
/// That is the checkpoint, the numbers of the records that a later audit reads again (changes of keys, adopted policies, jumps of the
/// clock, requests that are not over, the last record of each key), the requests that are over, 32 bytes each, and 8 bytes for each hidden
/// member. Nobody signs it: an auditor keeps it as carefully as the public keys. Made where an audit was asked for it with
/// [`Audit::bookmarking`](super::Audit::bookmarking), used with [`Audit::since`](super::Audit::since).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    pub(super) foothold: Foothold,
    /// The records before the checkpoint whose meaning bears on those after it.
    pub(super) replayed: BTreeSet<u64>,
    /// The requests that are over, ascending.
    pub(super) ended: Vec<Mark>,
}

impl Bookmark {
    /// The checkpoint up to which the log was found intact, as a signed note.
    #[must_use]
    pub fn checkpoint(&self) -> &[u8] {
        &self.foothold.checkpoint
    }

    /// How many records that checkpoint covers.
    ///
    /// # Errors
    /// [`CheckpointError`] if it is none.
    pub fn size(&self) -> Result<u64, CheckpointError> {
        let note = Note::parse(self.checkpoint())?;
        Ok(Checkpoint::parse(note.unverified_text())?.size)
    }

    /// The bookmark as it stands in a file: lines of text, the last of which has the SHA-256 of those before it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self {
            foothold:
                Foothold {
                    checkpoint,
                    records,
                    hidden,
                },
            replayed,
            ended,
        } = self;
        let numbers = |records: &BTreeSet<u64>| -> String {
            records.iter().map(|seq| format!(" {seq}")).collect()
        };
        let (records, replayed) = (numbers(records), numbers(replayed));
        let ended: Vec<u8> = ended.iter().flat_map(encode).collect();
        let hidden: Vec<u8> = hidden
            .iter()
            .flat_map(|begin| begin.to_be_bytes())
            .collect();
        let text = format!(
            "{FIRST_LINE}\ncheckpoint {}\nrecords{records}\nreplayed{replayed}\nended {}\nhidden {}\n",
            Base64::encode_string(checkpoint),
            Base64::encode_string(&ended),
            Base64::encode_string(&hidden),
        );
        let digest = Digest::sha256(text.as_bytes()).to_hex();
        format!("{text}sha256 {digest}\n").into_bytes()
    }

    /// Reads what [`Bookmark::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`NotABookmark`] for anything else; a file that was cut or changed by accident is found by its last line.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotABookmark> {
        let text = str::from_utf8(bytes).map_err(|_| NotABookmark::Other)?;
        if !text.starts_with(FIRST_LINE) {
            return Err(match Note::parse(bytes) {
                Ok(_) => NotABookmark::Note,
                Err(_) => NotABookmark::Other,
            });
        }
        let damaged = NotABookmark::Damaged;
        let (before, digest) = text
            .strip_suffix('\n')
            .and_then(|text| text.rsplit_once("\nsha256 "))
            .ok_or(damaged)?;
        let signed = format!("{before}\n");
        if Digest::sha256(signed.as_bytes()).to_hex() != digest {
            return Err(damaged);
        }
        let mut lines = before.split('\n').skip(1);
        let mut line = |name: &str| {
            let line = lines.next()?.strip_prefix(name)?;
            Some(line.strip_prefix(' ').unwrap_or(line))
        };
        let mut read = || {
            let checkpoint = Base64::decode_vec(line("checkpoint")?).ok()?;
            let [records, replayed] = [line("records")?, line("replayed")?];
            let numbers = |line: &str| {
                let numbers = line.split_terminator(' ');
                numbers.map(|seq| seq.parse().ok()).collect::<Option<_>>()
            };
            let (records, replayed) = (numbers(records)?, numbers(replayed)?);
            let ended = Base64::decode_vec(line("ended")?).ok()?;
            let (ended, []) = ended.as_chunks::<MARK>() else {
                return None;
            };
            let ended = ended.iter().map(decode).collect::<Option<Vec<_>>>()?;
            let hidden = Base64::decode_vec(line("hidden")?).ok()?;
            let (hidden, []) = hidden.as_chunks::<8>() else {
                return None;
            };
            let hidden: Vec<u64> = hidden
                .iter()
                .map(|begin| u64::from_be_bytes(*begin))
                .collect();
            // Both are searched by halves.
            (ended.is_sorted() && hidden.is_sorted()).then_some(Self {
                foothold: Foothold {
                    checkpoint,
                    records,
                    hidden,
                },
                replayed,
                ended,
            })
        };
        read().ok_or(damaged)
    }
}

fn encode(mark: &Mark) -> [u8; MARK] {
    let Mark {
        request,
        first,
        action,
    } = mark;
    let mut bytes = [0; MARK];
    let parts = request.as_uuid().into_bytes().into_iter();
    let parts = parts.chain(first.0.to_be_bytes()).chain(action.bytes());
    for (place, byte) in bytes.iter_mut().zip(parts) {
        *place = byte;
    }
    bytes
}

fn decode(bytes: &[u8; MARK]) -> Option<Mark> {
    let (request, rest) = bytes.split_first_chunk::<16>()?;
    let (first, action) = rest.split_first_chunk::<8>()?;
    Some(Mark {
        request: RequestId::from_uuid(Uuid::from_bytes(*request)),
        first: At(u64::from_be_bytes(*first)),
        action: ShortDigest::from_bytes(action.try_into().ok()?),
    })
}

/// Why bytes are no bookmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotABookmark {
    /// A signed note, such as a checkpoint, which does not say what bears on the records after it.
    #[error(
        "it is a checkpoint alone, which does not say what was open; it anchors a whole verification"
    )]
    Note,
    /// Something else.
    #[error("it is no bookmark of an audit")]
    Other,
    /// A bookmark that was cut or changed.
    #[error("it is a bookmark that was cut or changed")]
    Damaged,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn a_bookmark_comes_back_and_a_changed_one_does_not() {
        let mark = |number: u8| Mark {
            request: RequestId::from_uuid(Uuid::from_bytes([number; 16])),
            first: At(u64::from(number)),
            action: ShortDigest::from_bytes([number; 8]),
        };
        for (records, ended, hidden) in [
            (vec![], vec![], vec![]),
            (vec![0, 7], vec![mark(1), mark(2)], vec![1, 1, u64::MAX]),
        ] {
            let bookmark = Bookmark {
                foothold: Foothold {
                    checkpoint: b"a note".to_vec(),
                    records: records.into_iter().collect(),
                    hidden,
                },
                replayed: BTreeSet::from([3]),
                ended,
            };
            let bytes = bookmark.to_bytes();
            assert_eq!(Bookmark::from_bytes(&bytes), Ok(bookmark));
            for place in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[place] ^= 1;
                assert!(Bookmark::from_bytes(&changed).is_err(), "byte {place}");
                assert!(Bookmark::from_bytes(&bytes[..place]).is_err(), "{place}");
            }
        }
    }
}

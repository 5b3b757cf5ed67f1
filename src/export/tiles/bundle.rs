//! The bytes of bundles: up to 256 entries, one after the other.

use crate::{
    canonical::Digest,
    log::{KeyId, Signature, decode_signatures, encode_signatures},
};

use super::super::survey::MOST_SIGNATURES;

/// The most bytes that a bundle of statements has.
pub(super) const MOST_ENTRY_BYTES: usize = 256 * (2 + u16::MAX as usize);

/// The most bytes that a bundle of signatures has.
pub(super) const MOST_SIGNATURE_BYTES: usize = 256 * (2 + MOST_SIGNATURES * SIGNED);

/// A key id and a signature.
const SIGNED: usize = 32 + 64;

/// A bundle that was read, as far as it has a form.
#[derive(Debug, Default)]
pub(super) struct Bundle<T> {
    /// The entries that could be told apart.
    pub(super) entries: Vec<T>,
    /// Where each of them ends.
    pub(super) ends: Vec<usize>,
}

impl<T> Bundle<T> {
    fn read(bytes: &[u8], width: usize, next: impl Fn(&[u8]) -> Option<(T, usize)>) -> Self {
        let mut bundle = Self {
            entries: Vec::with_capacity(width),
            ends: Vec::with_capacity(width),
        };
        let mut at = 0;
        while bundle.entries.len() < width {
            let Some((entry, length)) = bytes.get(at..).and_then(&next) else {
                break;
            };
            at += length;
            bundle.entries.push(entry);
            bundle.ends.push(at);
        }
        if at < bytes.len() && bundle.entries.len() == width {
            // What follows the last entry makes it another one than was written.
            bundle.entries.pop();
            bundle.ends.pop();
        }
        bundle
    }
}

/// Appends a statement, of which the caller knows that it is short enough.
pub(super) fn write_entry(out: &mut Vec<u8>, statement: &[u8]) {
    let length = u16::try_from(statement.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(statement);
}

pub(super) fn read_entries(bytes: &[u8], width: usize) -> Bundle<Vec<u8>> {
    Bundle::read(bytes, width, |rest| {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        Some((rest.get(..length)?.to_vec(), 2 + length))
    })
}

/// Appends the signatures of a statement, at most eight.
pub(super) fn write_signatures(out: &mut Vec<u8>, signatures: &[(KeyId, Signature)]) {
    let count = u16::try_from(signatures.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&encode_signatures(signatures));
}

pub(super) fn read_signatures(bytes: &[u8], width: usize) -> Bundle<Vec<(KeyId, Signature)>> {
    Bundle::read(bytes, width, |rest| {
        let (count, rest) = rest.split_first_chunk::<2>()?;
        let count = usize::from(u16::from_be_bytes(*count));
        let length = count.checked_mul(SIGNED)?;
        if count > MOST_SIGNATURES {
            return None;
        }
        Some((decode_signatures(rest.get(..length)?)?, 2 + length))
    })
}

pub(super) fn write_hashes(out: &mut Vec<u8>, hashes: &[Digest]) {
    for hash in hashes {
        out.extend_from_slice(hash.as_bytes());
    }
}

/// The hashes of a tile, if it has exactly the length of that many.
pub(super) fn read_hashes(bytes: &[u8], width: usize) -> Option<Vec<Digest>> {
    let (hashes, []) = bytes.as_chunks::<32>() else {
        return None;
    };
    (hashes.len() == width).then(|| hashes.iter().copied().map(Digest::from_bytes).collect())
}

use super::{
    id::Seq,
    keys::{KeyId, Signature},
};
use crate::canonical::Digest;

/// How many bytes a key id and a signature take together.
const SIGNED_BYTES: usize = 32 + 64;

/// A record as a store keeps it, of which nothing is known yet to be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The number under which it was found.
    pub seq: Seq,
    /// The bytes that were signed.
    pub statement: Vec<u8>,
    /// Who says to have signed them, in order.
    pub signatures: Vec<(KeyId, Signature)>,
    /// The leaf that was stored with it.
    pub leaf: Digest,
}

/// The signatures of a record as a store keeps them: for each the 32 bytes of the key id and the 64 of
/// the signature.
#[must_use]
pub fn encode_signatures(signatures: &[(KeyId, Signature)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(signatures.len() * SIGNED_BYTES);
    for (key, signature) in signatures {
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(signature.as_bytes());
    }
    bytes
}

/// The signatures in bytes that [`encode_signatures`] wrote; `None` if they are cut.
///
/// None at all, and more than are allowed, are for the verifier to refuse.
#[must_use]
pub fn decode_signatures(bytes: &[u8]) -> Option<Vec<(KeyId, Signature)>> {
    let (pairs, []) = bytes.as_chunks::<SIGNED_BYTES>() else {
        return None;
    };
    pairs
        .iter()
        .map(|pair| {
            let (key, signature) = pair.split_first_chunk::<32>()?;
            let signature = signature.try_into().ok()?;
            Some((KeyId::from_bytes(*key), Signature::from_bytes(signature)))
        })
        .collect()
}

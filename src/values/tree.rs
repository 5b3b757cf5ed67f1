//! Keys that follow from one secret, and of which single ones can be destroyed.
//!
//! A binary tree over the numbers of records (a puncturable pseudorandom function, as of Goldreich, Goldwasser and Micali): the secret of
//! a node gives those of its two children, and nothing leads back up. To destroy what a leaf gives, the nodes on its way from the root
//! are forgotten, and the siblings beside that way are kept.

use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding};
use chacha20_poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::action::{Disclosure, DisclosureDigest};
use crate::log::{LogId, Sealed, Seq};

/// The height of the tree: a log has fewer than 2^53 records.
pub(super) const HEIGHT: u32 = 53;
/// How far above the leaf the node is that is kept at hand for the next records.
const AT_HAND: u32 = 8;
/// How many bytes the cipher adds.
const TAG: usize = 16;

/// 32 secret bytes, gone from memory with their owner.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) [u8; 32]);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A node whose secret is known: it covers the `2^height` records from `first` on.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) first: u64,
    pub(super) height: u32,
    pub(super) secret: Secret,
}

impl Node {
    fn covers(&self, seq: u64) -> bool {
        seq >> self.height == self.first >> self.height
    }

    /// The lower or the upper half.
    fn half(&self, upper: bool) -> Self {
        let mut hash = Sha256::new();
        // With it, all that is hashed fits into one block.
        hash.update(b"countersign/node/v1\0");
        hash.update([u8::from(upper)]);
        hash.update(self.secret.0);
        let height = self.height.saturating_sub(1);
        Self {
            first: self.first | (u64::from(upper) << height),
            height,
            secret: Secret(hash.finalize().into()),
        }
    }

    /// Walks down to the node of this height above `seq`, showing the sibling of each step.
    fn descend(&self, seq: u64, height: u32, beside: &mut dyn FnMut(Self)) -> Self {
        let mut here = self.clone();
        while here.height > height {
            let upper = seq >> (here.height - 1) & 1 == 1;
            beside(here.half(!upper));
            here = here.half(upper);
        }
        here
    }

    /// The key of one value of the record, at a leaf.
    fn value_key(&self, digest: &DisclosureDigest) -> Option<Secret> {
        // HMAC refuses no key.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret.0).ok()?;
        mac.update(b"countersign/value/v1\0");
        mac.update(digest.as_digest().as_bytes());
        Some(Secret(mac.finalize().into_bytes().into()))
    }
}

/// The keys that are left.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tree {
    /// Nodes that cover different records, by the first of these.
    pub(super) nodes: BTreeMap<u64, Node>,
    /// Keys of single values, of records from which others were taken.
    pub(super) single: BTreeMap<(u64, [u8; 32]), Secret>,
    /// A node above the leaf that was last asked for; it follows from the others.
    at_hand: Option<Node>,
}

impl Tree {
    pub(super) fn of(
        nodes: BTreeMap<u64, Node>,
        single: BTreeMap<(u64, [u8; 32]), Secret>,
    ) -> Self {
        Self {
            nodes,
            single,
            at_hand: None,
        }
    }

    /// All keys, from one secret.
    pub(super) fn whole(secret: Secret) -> Self {
        let root = Node {
            first: 0,
            height: HEIGHT,
            secret,
        };
        Self::of(BTreeMap::from([(0, root)]), BTreeMap::new())
    }

    fn node_above(&self, seq: u64) -> Option<&Node> {
        let (_, node) = self.nodes.range(..=seq).next_back()?;
        node.covers(seq).then_some(node)
    }

    /// The key of a value; `None` if it was destroyed.
    fn key(&mut self, seq: u64, digest: &DisclosureDigest) -> Option<Secret> {
        if let Some(key) = self.single.get(&(seq, *digest.as_digest().as_bytes())) {
            return Some(key.clone());
        }
        let near = match &self.at_hand {
            Some(near) if near.covers(seq) => near.clone(),
            _ => {
                let node = self.node_above(seq)?;
                let near = node.descend(seq, AT_HAND.min(node.height), &mut drop);
                self.at_hand = Some(near.clone());
                near
            }
        };
        near.descend(seq, 0, &mut drop).value_key(digest)
    }

    /// Destroys the keys of values of a record; those of the others that lie beside it stay.
    pub(super) fn destroy(
        &mut self,
        seq: u64,
        gone: &[DisclosureDigest],
        stay: &[DisclosureDigest],
    ) {
        self.at_hand = None;
        for digest in gone {
            self.single.remove(&(seq, *digest.as_digest().as_bytes()));
        }
        let Some(first) = self.node_above(seq).map(|node| node.first) else {
            return;
        };
        let Some(node) = self.nodes.remove(&first) else {
            return;
        };
        let mut beside = Vec::new();
        let leaf = node.descend(seq, 0, &mut |sibling| beside.push(sibling));
        self.nodes
            .extend(beside.into_iter().map(|sibling| (sibling.first, sibling)));
        for digest in stay.iter().filter(|digest| !gone.contains(digest)) {
            if let Some(key) = leaf.value_key(digest) {
                let place = (seq, *digest.as_digest().as_bytes());
                self.single.insert(place, key);
            }
        }
    }

    /// Seals a disclosure; `None` if its key was destroyed.
    pub(super) fn seal(&mut self, log: LogId, seq: Seq, disclosure: &Disclosure) -> Option<Sealed> {
        let digest = disclosure.digest();
        let key = self.key(seq.get(), &digest)?;
        // The base64url of a disclosure has one spelling, so the bytes that it stands for are enough.
        let mut bytes = Base64UrlUnpadded::decode_vec(disclosure.as_str()).ok()?;
        let tag = cipher(&key).encrypt(&mut bytes, Some(&beside(log, seq, &digest)));
        bytes.extend_from_slice(&tag);
        Some(Sealed::new(digest, bytes))
    }

    /// Opens what was sealed.
    pub(super) fn open(
        &mut self,
        log: LogId,
        seq: Seq,
        sealed: &Sealed,
    ) -> Result<Disclosure, NotOpened> {
        let digest = sealed.digest();
        let key = self.key(seq.get(), &digest).ok_or(NotOpened::Destroyed)?;
        let (bytes, tag) = sealed
            .bytes()
            .len()
            .checked_sub(TAG)
            .and_then(|end| sealed.bytes().split_at_checked(end))
            .ok_or(NotOpened::Damaged)?;
        let tag = <[u8; TAG]>::try_from(tag).map_err(|_| NotOpened::Damaged)?;
        let mut bytes = Zeroizing::new(bytes.to_vec());
        cipher(&key)
            .decrypt(&mut bytes, tag, Some(&beside(log, seq, &digest)))
            .map_err(|_| NotOpened::Damaged)?;
        let disclosure = Disclosure::parse(&Base64UrlUnpadded::encode_string(&bytes))
            .map_err(|_| NotOpened::Damaged)?;
        if disclosure.digest() == digest {
            Ok(disclosure)
        } else {
            Err(NotOpened::Damaged)
        }
    }
}

/// Each key seals one text, the one with the digest that it is made from, so the nonce may be the same for all.
fn cipher(key: &Secret) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(Key::new(key.0), Nonce::new([0; 12]))
}

/// What is under the seal beside the value: the place that it belongs to.
fn beside(log: LogId, seq: Seq, digest: &DisclosureDigest) -> Vec<u8> {
    let mut bytes = b"countersign/sealed/v1\0".to_vec();
    bytes.extend_from_slice(log.to_string().as_bytes());
    bytes.extend_from_slice(&seq.get().to_be_bytes());
    bytes.extend_from_slice(digest.as_digest().as_bytes());
    bytes
}

/// Why a sealed value was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// Its key was destroyed.
    #[error("the key of a hidden value was destroyed")]
    Destroyed,
    /// The key is there, but this is not what was sealed with it here.
    #[error("a sealed value is damaged, or lies where it does not belong")]
    Damaged,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;
    use crate::action::Salt;
    use crate::canonical::Json;

    fn log() -> LogId {
        LogId::from_random([7; 16])
    }

    fn value(salt: u8) -> Disclosure {
        Disclosure::new(&Salt::from_bytes([salt; 16]), "to", &Json::from("rita"))
    }

    fn tree() -> Tree {
        Tree::whole(Secret([3; 32]))
    }

    #[test]
    fn a_seal_is_for_one_place_and_one_value() {
        let mut tree = tree();
        let sealed = tree.seal(log(), Seq::new(9), &value(1)).unwrap();
        assert_eq!(tree.open(log(), Seq::new(9), &sealed), Ok(value(1)));
        let elsewhere = LogId::from_random([8; 16]);
        let renamed = Sealed::new(value(2).digest(), sealed.bytes().to_vec());
        let mut flipped = sealed.bytes().to_vec();
        flipped[0] ^= 1;
        let flipped = Sealed::new(sealed.digest(), flipped);
        for (log, seq, sealed) in [
            (elsewhere, 9, &sealed),
            (log(), 8, &sealed),
            (log(), 9, &renamed),
            (log(), 9, &flipped),
            (log(), 9, &Sealed::new(sealed.digest(), vec![0; 15])),
        ] {
            let opened = tree.open(log, Seq::new(seq), sealed);
            assert_eq!(opened, Err(NotOpened::Damaged));
        }
    }

    #[test]
    fn no_two_values_are_sealed_alike() {
        let mut tree = tree();
        let mut seen = std::collections::BTreeSet::new();
        for seq in [0, 1, 255, 256, 1 << 40, (1 << HEIGHT) - 1] {
            for salt in [1, 2] {
                let key = tree.key(seq, &value(salt).digest()).unwrap();
                assert!(seen.insert(key.0));
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_destroyed_is_gone_and_nothing_else(
            places in prop::collection::vec((0_u64..40, 0_u8..3), 1..12),
            far in any::<u64>(),
        ) {
            let mut tree = tree();
            let far = far >> 11;
            let all: Vec<u8> = vec![0, 1, 2];
            let digests: Vec<_> = all.iter().map(|salt| value(*salt).digest()).collect();
            let seqs: Vec<u64> = (0..40).chain([far]).collect();
            let mut sealed = Vec::new();
            for seq in &seqs {
                for salt in &all {
                    sealed.push((*seq, *salt, tree.seal(log(), Seq::new(*seq), &value(*salt)).unwrap()));
                }
            }
            let mut gone = std::collections::BTreeSet::new();
            for (seq, salt) in places {
                gone.insert((seq, salt));
                let left: Vec<_> = (0..3).filter(|salt| !gone.contains(&(seq, *salt)))
                    .map(|salt| digests[usize::from(salt)]).collect();
                tree.destroy(seq, &[digests[usize::from(salt)]], &left);
            }
            for (seq, salt, sealed) in &sealed {
                let opened = tree.open(log(), Seq::new(*seq), sealed);
                let expected = if gone.contains(&(*seq, *salt)) { Err(NotOpened::Destroyed) } else { Ok(value(*salt)) };
                prop_assert_eq!(opened, expected);
            }
        }
    }
}

use std::fmt;

use thiserror::Error;

use crate::canonical::Digest;

/// How many levels of the tree one stored level stands for: a full subtree has 2^8 children.
pub(crate) const LEVELS_PER_ROW: u32 = 8;

/// The largest tree: numbers of records are integers that JSON holds exactly (2^53−1).
pub(super) const LARGEST_TREE: u64 = (1 << 53) - 1;

/// The hash of a record's statement as a leaf: `SHA-256(0x00 ‖ statement)` (RFC 6962, section 2.1).
#[must_use]
pub fn leaf_hash(statement: &[u8]) -> Digest {
    Digest::of_parts(&[&[0x00], statement])
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962, section 2.1).
pub(crate) fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_pair(0x01, left, right)
}

/// The head of the tree over nothing: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Digest {
    Digest::sha256(b"")
}

/// A full subtree of 256, 65,536, … leaves.
///
/// They are what a store keeps of the tree: one row for 255 records, from which every proof can be
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// 1 for 256 leaves, 2 for 65,536, and so on.
    pub level: u8,
    /// Its place among the subtrees of its level, counted from 0.
    pub index: u64,
    /// Its root.
    pub hash: Digest,
}

/// The right edge of a growing tree: all that is needed to append to it and to name its head.
///
/// It holds at most 53 hashes, whatever the size of the log (RFC 9162, section 2.1.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    // INVARIANT: the roots of the perfect subtrees that make up the tree, the largest first, one for
    // each bit of `size` that is set.
    nodes: Vec<Digest>,
}

impl Frontier {
    /// The edge of the tree that has no leaf.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            size: 0,
            nodes: Vec::new(),
        }
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf and returns the full subtrees that it completed, the smallest first.
    pub fn push(&mut self, leaf: Digest) -> Vec<Subtree> {
        let mut completed = Vec::new();
        let index = self.size;
        let mut hash = leaf;
        for height in 1..=index.trailing_ones() {
            let Some(left) = self.nodes.pop() else {
                break;
            };
            hash = node_hash(&left, &hash);
            if height % LEVELS_PER_ROW == 0 {
                completed.push(Subtree {
                    level: u8::try_from(height / LEVELS_PER_ROW).unwrap_or(u8::MAX),
                    index: index >> height,
                    hash,
                });
            }
        }
        self.nodes.push(hash);
        self.size += 1;
        completed
    }

    /// The head of the tree.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut from_the_right = self.nodes.iter().rev();
        match from_the_right.next() {
            None => empty_root(),
            Some(last) => from_the_right.fold(*last, |right, left| node_hash(left, &right)),
        }
    }

    /// The hashes of the perfect subtrees at the right edge, largest first.
    #[must_use]
    pub fn nodes(&self) -> &[Digest] {
        &self.nodes
    }

    /// Takes hashes as the right edge of a tree; whoever does so compares its [`root`](Frontier::root) with a signed one.
    ///
    /// # Errors
    /// [`NotAFrontier`] if the hashes are not as many as a tree of that size has.
    pub fn from_nodes(size: u64, nodes: Vec<Digest>) -> Result<Self, NotAFrontier> {
        if size > LARGEST_TREE || nodes.len() != size.count_ones() as usize {
            return Err(NotAFrontier);
        }
        Ok(Self { size, nodes })
    }

    /// The bytes that [`Frontier::decode`] reads: the size in 8 bytes, big-endian, then the hashes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { size, nodes } = self;
        let mut bytes = Vec::with_capacity(8 + nodes.len() * 32);
        bytes.extend_from_slice(&size.to_be_bytes());
        for node in nodes {
            bytes.extend_from_slice(node.as_bytes());
        }
        bytes
    }

    /// Reads the right edge; whoever does so compares its [`root`](Frontier::root) with a signed one.
    ///
    /// # Errors
    /// [`NotAFrontier`] if the hashes are not as many as a tree of that size has.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAFrontier> {
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(NotAFrontier)?;
        let size = u64::from_be_bytes(*size);
        let (hashes, []) = rest.as_chunks::<32>() else {
            return Err(NotAFrontier);
        };
        if size > LARGEST_TREE || hashes.len() != size.count_ones() as usize {
            return Err(NotAFrontier);
        }
        let nodes = hashes.iter().copied().map(Digest::from_bytes).collect();
        Ok(Self { size, nodes })
    }
}

impl fmt::Debug for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frontier")
            .field("size", &self.size)
            .field("root", &self.root())
            .finish()
    }
}

/// The bytes are not the right edge of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the stored right edge of the tree has not the hashes that its size asks for")]
pub struct NotAFrontier;

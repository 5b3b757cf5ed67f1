//! Making proofs from what a store keeps of the tree.

use std::ops::Range;

use thiserror::Error;

use crate::canonical::Digest;

use super::{
    proof::{ConsistencyProof, InclusionProof},
    tree::{Frontier, LEVELS_PER_ROW, node_hash},
};

/// How many rows one read asks for at most.
const ROWS: u64 = 1 << LEVELS_PER_ROW;

/// The stored hashes of a log's tree.
///
/// # Contract
/// Every range is within what the log had when the proof was asked for, begins at a multiple of 256
/// and is at most 256 long. The answer holds exactly the range, in order. The hashes need not be
/// trusted: a proof from wrong ones does not verify.
pub trait Nodes {
    /// Why the hashes could not be read.
    type Error;

    /// The leaves of these records.
    ///
    /// # Errors
    /// Whatever kept them from being read.
    fn leaves(&self, records: Range<u64>) -> Result<Vec<Digest>, Self::Error>;

    /// The full subtrees of this level (from 1), as [`Frontier::push`](super::Frontier::push)
    /// returned them.
    ///
    /// # Errors
    /// Whatever kept them from being read.
    fn subtrees(&self, level: u8, places: Range<u64>) -> Result<Vec<Digest>, Self::Error>;
}

/// Proves that the record `index` is in the tree of the first `size` records.
///
/// Reads at most two ranges of rows for each 256-fold of the size.
///
/// # Errors
/// [`ProveError::OutOfRange`] unless `index < size`, else what the store answered.
pub fn prove_inclusion<N: Nodes>(
    nodes: &N,
    index: u64,
    size: u64,
) -> Result<InclusionProof, ProveError<N::Error>> {
    if index >= size {
        return Err(ProveError::OutOfRange);
    }
    let mut tree = Tree::new(nodes, size);
    let mut path = Vec::new();
    // PATH(m, D[n]) of RFC 9162, section 2.1.3.1, from the root down.
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(tree.range(middle, to)?);
            to = middle;
        } else {
            path.push(tree.range(from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(InclusionProof { index, size, path })
}

/// Proves that the tree of the first `new` records grew out of that of the first `old` ones.
///
/// # Errors
/// [`ProveError::OutOfRange`] unless `0 < old <= new`, else what the store answered.
pub fn prove_consistency<N: Nodes>(
    nodes: &N,
    old: u64,
    new: u64,
) -> Result<ConsistencyProof, ProveError<N::Error>> {
    if old == 0 || old > new {
        return Err(ProveError::OutOfRange);
    }
    let mut tree = Tree::new(nodes, new);
    let mut path = Vec::new();
    // SUBPROOF(m, D[n], b) of RFC 9162, section 2.1.4.1, from the root down: `from..to` is the part
    // of the new tree that is looked at, and it is whole in the old tree once `to == old`.
    let (mut from, mut to) = (0, new);
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(tree.range(middle, to)?);
            to = middle;
        } else {
            path.push(tree.range(from, middle)?);
            from = middle;
        }
    }
    if from > 0 {
        path.push(tree.range(from, to)?);
    }
    path.reverse();
    Ok(ConsistencyProof { old, new, path })
}

/// The head of the tree of the first `size` records, as the stored hashes have it.
///
/// # Errors
/// [`ProveError::OutOfRange`] for the empty tree, else what the store answered.
pub fn tree_root<N: Nodes>(nodes: &N, size: u64) -> Result<Digest, ProveError<N::Error>> {
    Tree::new(nodes, size).range(0, size)
}

/// The right edge of the tree of the first `size` records, as the stored hashes have it.
pub(super) fn tree_edge<N: Nodes>(nodes: &N, size: u64) -> Result<Frontier, ProveError<N::Error>> {
    let mut tree = Tree::new(nodes, size);
    let mut edge = Vec::new();
    let mut start = 0;
    while start < size {
        let height = (size - start).ilog2();
        edge.push(tree.perfect(start, height)?);
        start += 1 << height;
    }
    Frontier::from_nodes(size, edge).map_err(|_| ProveError::OutOfRange)
}

/// The largest power of two below `length`, where the tree over `length > 1` leaves is split.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// The stored tree, remembering the rows that were read.
struct Tree<'n, N> {
    nodes: &'n N,
    size: u64,
    read: Vec<Rows>,
}

struct Rows {
    level: u8,
    first: u64,
    hashes: Vec<Digest>,
}

impl<'n, N: Nodes> Tree<'n, N> {
    fn new(nodes: &'n N, size: u64) -> Self {
        Self {
            nodes,
            size,
            read: Vec::new(),
        }
    }

    /// The hash over the leaves `from..to`, which the splitting of a tree led to: `from` is a
    /// multiple of the largest power of two within.
    fn range(&mut self, from: u64, to: u64) -> Result<Digest, ProveError<N::Error>> {
        let mut perfect = Vec::new();
        let mut start = from;
        while start < to {
            let height = (to - start).ilog2();
            perfect.push(self.perfect(start, height)?);
            start += 1 << height;
        }
        perfect
            .into_iter()
            .rev()
            .reduce(|right, left| node_hash(&left, &right))
            .ok_or(ProveError::OutOfRange)
    }

    /// The hash over the 2^height leaves from `start`, a multiple of that, on.
    fn perfect(&mut self, start: u64, height: u32) -> Result<Digest, ProveError<N::Error>> {
        let level = height / LEVELS_PER_ROW;
        let place = start >> (level * LEVELS_PER_ROW);
        let count = 1_usize << (height % LEVELS_PER_ROW);
        let rows = self.rows(u8::try_from(level).unwrap_or(u8::MAX), place)?;
        let mut hashes: Vec<Digest> = usize::try_from(place - rows.first)
            .ok()
            .and_then(|skip| rows.hashes.get(skip..skip.checked_add(count)?))
            .ok_or(ProveError::Missing)?
            .to_vec();
        while hashes.len() > 1 {
            hashes = hashes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
        }
        hashes.first().copied().ok_or(ProveError::Missing)
    }

    /// The up to 256 rows among which `place` is.
    fn rows(&mut self, level: u8, place: u64) -> Result<&Rows, ProveError<N::Error>> {
        let first = place / ROWS * ROWS;
        let known = self
            .read
            .iter()
            .position(|rows| rows.level == level && rows.first == first);
        let position = match known {
            Some(position) => position,
            None => {
                let stored = self.size >> (u32::from(level) * LEVELS_PER_ROW);
                let range = first..stored.min(first + ROWS);
                let expected = range.end.saturating_sub(first);
                let hashes = if level == 0 {
                    self.nodes.leaves(range)
                } else {
                    self.nodes.subtrees(level, range)
                }
                .map_err(ProveError::Store)?;
                if u64::try_from(hashes.len()) != Ok(expected) {
                    return Err(ProveError::Missing);
                }
                self.read.push(Rows {
                    level,
                    first,
                    hashes,
                });
                self.read.len() - 1
            }
        };
        self.read.get(position).ok_or(ProveError::Missing)
    }
}

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProveError<E> {
    /// There is no such place in the tree.
    #[error("the tree does not have that place")]
    OutOfRange,
    /// The store answered with fewer or more hashes than were asked for.
    #[error("the store lacks hashes of the tree; verify the log")]
    Missing,
    /// The store did not answer.
    #[error("the tree could not be read")]
    Store(#[source] E),
}

//! Inclusion paths for the records of one batch, from the frontier before it and its own leaves.

use crate::canonical::Digest;
use crate::log::{Frontier, node_hash};

/// The part of the tree that one batch touches.
///
/// INVARIANT: `levels[k]` holds the hashes of the complete nodes of height `k` from index `first[k]` on; everything to the
/// left of them that a path of this batch needs is a node of the frontier before the batch.
#[derive(Debug)]
pub(crate) struct BatchTree {
    before: u64,
    size: u64,
    /// Nodes of the old frontier by height.
    old: [Option<Digest>; 64],
    levels: Vec<Level>,
    /// The hash of the incomplete right edge at each height, once the batch is complete.
    ragged: Vec<Option<Digest>>,
}

#[derive(Debug)]
struct Level {
    first: u64,
    nodes: Vec<Digest>,
}

impl BatchTree {
    /// The tree after a batch of these leaves.
    pub(crate) fn new(before: &Frontier, leaves: impl IntoIterator<Item = Digest>) -> Self {
        let mut tree = Self::begin(before);
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree.finish();
        tree
    }

    fn begin(before: &Frontier) -> Self {
        let size = before.size();
        let mut old = [None; 64];
        let mut nodes = before.nodes().iter();
        for height in (0..64).rev() {
            if size >> height & 1 == 1
                && let Some(slot) = old.get_mut(height)
            {
                *slot = nodes.next().copied();
            }
        }
        Self {
            before: size,
            size,
            old,
            levels: vec![Level {
                first: size,
                nodes: Vec::new(),
            }],
            ragged: Vec::with_capacity(65),
        }
    }

    fn push(&mut self, leaf: Digest) {
        if let Some(level) = self.levels.first_mut() {
            level.nodes.push(leaf);
            self.size += 1;
        }
    }

    /// Hashes what lies above the leaves.
    fn finish(&mut self) {
        for height in 0..63_u32 {
            // Complete nodes of the next height that this batch completed.
            let (first, end) = (self.before >> (height + 1), self.size >> (height + 1));
            let nodes = (first..end)
                .filter_map(|index| {
                    Some(node_hash(
                        &self.node(height, 2 * index)?,
                        &self.node(height, 2 * index + 1)?,
                    ))
                })
                .collect();
            self.levels.push(Level { first, nodes });
            if self.size >> (height + 1) == 0 {
                break;
            }
        }
        // The incomplete node at the right edge, from the bottom up.
        let mut ragged: Option<Digest> = None;
        self.ragged.push(None);
        for height in 0..64_u32 {
            if self.size >> height & 1 == 1 {
                let left = self.node(height, (self.size >> height) - 1);
                ragged = match (left, ragged) {
                    (Some(left), Some(right)) => Some(node_hash(&left, &right)),
                    (left, None) => left,
                    (None, _) => None,
                };
            }
            self.ragged.push(ragged);
        }
    }

    /// The inclusion path of a leaf of this batch (RFC 9162 section 2.1.3.1), lowest sibling first.
    pub(crate) fn path(&self, index: u64) -> Vec<Digest> {
        let mut path = Vec::new();
        for height in 0..64_u32 {
            if height > 0 && (self.size - 1) >> height == 0 {
                break;
            }
            let sibling = (index >> height) ^ 1;
            let complete = sibling < self.size >> height;
            let hash = if complete {
                self.node(height, sibling)
            } else if sibling << height < self.size {
                self.ragged.get(height as usize).copied().flatten()
            } else {
                None
            };
            path.extend(hash);
        }
        path
    }

    fn node(&self, height: u32, index: u64) -> Option<Digest> {
        let level = self.levels.get(height as usize);
        if let Some(level) = level
            && let Some(offset) = index.checked_sub(level.first)
        {
            return level.nodes.get(usize::try_from(offset).ok()?).copied();
        }
        // Left of the batch: only a maximal complete node is ever asked for.
        self.old.get(height as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::log::{InclusionProof, leaf_hash};

    #[test]
    fn every_path_of_every_batch_proves_inclusion() {
        for before in 0..70_u64 {
            for batch in 1..20_u64 {
                let leaf = |index: u64| leaf_hash(&index.to_be_bytes());
                let mut frontier = Frontier::empty();
                (0..before).for_each(|index| {
                    frontier.push(leaf(index));
                });
                let tree = BatchTree::new(&frontier, (before..before + batch).map(leaf));
                for index in before..before + batch {
                    frontier.push(leaf(index));
                }
                for index in before..before + batch {
                    let proof = InclusionProof {
                        index,
                        size: before + batch,
                        path: tree.path(index),
                    };
                    proof.verify(&leaf(index), &frontier.root()).unwrap();
                }
            }
        }
    }
}

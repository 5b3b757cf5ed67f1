use thiserror::Error;

use crate::canonical::Digest;

use super::tree::node_hash;

/// That a leaf stands at an index of a tree (RFC 9162, section 2.1.3).
///
/// The proof does not vouch for `size`: it comes from a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The place of the leaf, counted from 0.
    pub index: u64,
    /// How many leaves the tree has.
    pub size: u64,
    /// The hashes beside the way from the leaf to the root.
    pub path: Vec<Digest>,
}

impl InclusionProof {
    /// Checks the proof for this leaf under this root.
    ///
    /// # Errors
    /// [`ProofError`]; a path with a hash too few or too many is refused as one with a wrong hash is.
    pub fn verify(&self, leaf: &Digest, root: &Digest) -> Result<(), ProofError> {
        let Self { index, size, path } = self;
        // Numbered as in RFC 9162, section 2.1.3.2. Step 1:
        if index >= size {
            return Err(ProofError::OutOfRange);
        }
        // 2 and 3.
        let (mut place, mut last) = (*index, size - 1);
        let mut hash = *leaf;
        // 4.
        for beside in path {
            if last == 0 {
                return Err(ProofError::WrongLength);
            }
            if place & 1 == 1 || place == last {
                hash = node_hash(beside, &hash);
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node_hash(&hash, beside);
            }
            place >>= 1;
            last >>= 1;
        }
        // 5.
        if last != 0 {
            return Err(ProofError::WrongLength);
        }
        if hash != *root {
            return Err(ProofError::WrongRoot);
        }
        Ok(())
    }
}

/// That a tree grew out of an older one without a change (RFC 9162, section 2.1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// How many leaves the older tree has.
    pub old: u64,
    /// How many leaves the newer tree has.
    pub new: u64,
    /// The hashes that lead from the older root to the newer one.
    pub path: Vec<Digest>,
}

impl ConsistencyProof {
    /// Checks the proof for these two roots.
    ///
    /// Between two trees of one size the path is empty and the roots are equal.
    ///
    /// # Errors
    /// [`ProofError`]; an empty older tree is refused, since it says nothing about the newer one.
    pub fn verify(&self, old_root: &Digest, new_root: &Digest) -> Result<(), ProofError> {
        let Self { old, new, path } = self;
        if *old == 0 || old > new {
            return Err(ProofError::OutOfRange);
        }
        if old == new {
            return match path.as_slice() {
                [] if old_root == new_root => Ok(()),
                [] => Err(ProofError::WrongRoot),
                _ => Err(ProofError::WrongLength),
            };
        }
        // Numbered as in RFC 9162, section 2.1.4.2. Steps 1 and 2:
        let mut path = path.iter();
        let first = if old.is_power_of_two() {
            *old_root
        } else {
            *path.next().ok_or(ProofError::WrongLength)?
        };
        // 3 and 4.
        let (mut place, mut last) = (old - 1, new - 1);
        while place & 1 == 1 {
            place >>= 1;
            last >>= 1;
        }
        // 5.
        let (mut old_hash, mut new_hash) = (first, first);
        // 6.
        for beside in path {
            if last == 0 {
                return Err(ProofError::WrongLength);
            }
            if place & 1 == 1 || place == last {
                old_hash = node_hash(beside, &old_hash);
                new_hash = node_hash(beside, &new_hash);
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                new_hash = node_hash(&new_hash, beside);
            }
            place >>= 1;
            last >>= 1;
        }
        // 7.
        if last != 0 {
            return Err(ProofError::WrongLength);
        }
        if old_hash != *old_root || new_hash != *new_root {
            return Err(ProofError::WrongRoot);
        }
        Ok(())
    }
}

/// Why a proof is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The index is not in the tree, the tree is empty, or the older tree is the larger one.
    #[error("the proof is about a place that the tree does not have")]
    OutOfRange,
    /// A hash too few or too many.
    #[error("the proof has not as many hashes as its sizes ask for")]
    WrongLength,
    /// The hashes lead elsewhere.
    #[error("the proof does not lead to the signed root")]
    WrongRoot,
}

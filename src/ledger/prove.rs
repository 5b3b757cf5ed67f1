//! Inclusion proofs from what a store keeps of the tree.

use std::ops::Range;

use futures::executor::block_on;

use crate::canonical::Digest;
use crate::log::{Nodes, prove_inclusion};
use crate::store::{Query, Store, StoreError};

use super::LedgerError;

/// A store's rows as the nodes of a tree.
struct Rows<'a>(&'a dyn Store);

impl Nodes for Rows<'_> {
    type Error = StoreError;

    fn leaves(&self, range: Range<u64>) -> Result<Vec<Digest>, StoreError> {
        block_on(self.0.find(Query::Leaves(range)))?.digests()
    }

    fn subtrees(&self, level: u8, range: Range<u64>) -> Result<Vec<Digest>, StoreError> {
        block_on(self.0.find(Query::Subtrees { level, range }))?.digests()
    }
}

/// The inclusion path of a leaf in the tree of a size.
pub(super) async fn inclusion(
    store: &dyn Store,
    index: u64,
    size: u64,
) -> Result<Vec<Digest>, LedgerError> {
    // The proof asks for rows one after the other; a thread of its own may wait for them, the caller's may be inside of an
    // executor, where it may not.
    let proved = std::thread::scope(|scope| {
        scope
            .spawn(|| prove_inclusion(&Rows(store), index, size))
            .join()
    });
    match proved {
        Ok(Ok(proof)) => Ok(proof.path),
        Ok(Err(error)) => Err(LedgerError::Tampered {
            seq: index,
            why: error.to_string(),
        }),
        Err(_panic) => Err(LedgerError::Panicked),
    }
}

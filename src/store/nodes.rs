//! A store's rows as the nodes of a tree, for proofs.

use std::ops::Range;
use std::thread;

use futures::executor::block_on;

use crate::canonical::Digest;
use crate::log::Nodes;

use super::{Query, Store, StoreError};

/// The stored hashes, which need not be trusted.
pub(crate) struct StoreNodes<'a>(&'a dyn Store);

/// Makes proofs from what a store keeps; `None` if it panicked.
///
/// They ask for rows one after the other. A thread of its own may wait for these; the caller's may be inside of an executor,
/// where it may not.
pub(crate) fn prove<T: Send>(
    store: &dyn Store,
    prove: impl FnOnce(&StoreNodes<'_>) -> T + Send,
) -> Option<T> {
    thread::scope(|scope| scope.spawn(|| prove(&StoreNodes(store))).join()).ok()
}

impl Nodes for StoreNodes<'_> {
    type Error = StoreError;

    fn leaves(&self, range: Range<u64>) -> Result<Vec<Digest>, StoreError> {
        block_on(self.0.find(Query::Leaves(range)))?.digests()
    }

    fn subtrees(&self, level: u8, range: Range<u64>) -> Result<Vec<Digest>, StoreError> {
        block_on(self.0.find(Query::Subtrees { level, range }))?.digests()
    }
}

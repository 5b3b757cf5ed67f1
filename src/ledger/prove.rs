//! Inclusion proofs from what a store keeps of the tree.

use crate::canonical::Digest;
use crate::log::prove_inclusion;
use crate::store::{self, Store};

use super::LedgerError;

/// The inclusion path of a leaf in the tree of a size.
pub(super) async fn inclusion(
    store: &dyn Store,
    index: u64,
    size: u64,
) -> Result<Vec<Digest>, LedgerError> {
    match store::prove(store, |nodes| prove_inclusion(nodes, index, size)) {
        Some(Ok(proof)) => Ok(proof.path),
        Some(Err(error)) => Err(LedgerError::Tampered {
            seq: index,
            why: error.to_string(),
        }),
        None => Err(LedgerError::Panicked),
    }
}

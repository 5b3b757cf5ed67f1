use std::{num::NonZeroUsize, sync::OnceLock, thread};

use thiserror::Error;

use super::{
    chain::Chained,
    envelope::{PAYLOAD_TYPE, pae},
    keys::{KeyId, Signature},
    signer::{SignError, Signer},
};

/// From how many records on it pays to start threads.
static CORES: OnceLock<usize> = OnceLock::new();

const WORTH_THREADS: usize = 16;

/// Signs records that have their places, each with the key that it names, on all cores where there are
/// many.
///
/// The signatures come in the order of the records.
///
/// # Errors
/// [`BatchError`] if a key is not among `signers` or cannot be used; then the batch is not to be written.
pub fn sign_batch(
    batch: &[Chained],
    signers: &[&dyn Signer],
) -> Result<Vec<(KeyId, Signature)>, BatchError> {
    if batch.len() < WORTH_THREADS {
        return sign_all(batch, signers);
    }
    // Asking the system opens files; the answer hardly changes.
    let cores = *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
    if cores < 2 {
        return sign_all(batch, signers);
    }
    let share = batch.len().div_ceil(cores);
    let shares = thread::scope(|scope| {
        let (mine, others) = batch.split_at(share);
        let others: Vec<_> = others
            .chunks(share)
            .map(|part| scope.spawn(move || sign_all(part, signers)))
            .collect();
        let mut shares = vec![sign_all(mine, signers)];
        for other in others {
            shares.push(other.join().unwrap_or(Err(BatchError::Panicked)));
        }
        shares
    });
    let mut signatures = Vec::with_capacity(batch.len());
    for share in shares {
        signatures.append(&mut share?);
    }
    Ok(signatures)
}

fn sign_all(
    batch: &[Chained],
    signers: &[&dyn Signer],
) -> Result<Vec<(KeyId, Signature)>, BatchError> {
    batch
        .iter()
        .map(|Chained { key, statement, .. }| {
            let signer = signers
                .iter()
                .find(|signer| signer.public().id() == *key)
                .ok_or(BatchError::NoSuchKey)?;
            Ok((*key, signer.sign(&pae(PAYLOAD_TYPE, statement))?))
        })
        .collect()
}

/// Why a batch was not signed.
#[derive(Debug, Error)]
pub enum BatchError {
    /// A record names a key that is not at hand.
    #[error("a record names a signing key that this process does not hold")]
    NoSuchKey,
    /// A key could not be used.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A signer panicked.
    #[error("a signer panicked")]
    Panicked,
}

use std::borrow::Borrow;

use thiserror::Error;

use super::{
    chain::Chained,
    envelope::{PAYLOAD_TYPE, write_pae},
    keys::{KeyId, Signature},
    signer::{SignError, Signer},
};

/// Signs records that have their places, each with the key that it names.
///
/// The signatures come in the order of the records.
///
/// # Errors
/// [`BatchError`] if a key is not among `signers` or cannot be used; then the batch is not to be written.
pub fn sign_batch(
    batch: &[Chained],
    signers: &[&dyn Signer],
) -> Result<Vec<(KeyId, Signature)>, BatchError> {
    let mut message = Vec::new();
    batch
        .iter()
        .map(|record| sign_record(record, signers, &mut message))
        .collect()
}

/// As [`sign_batch`], for one record; `message` is room that is used again.
pub(crate) fn sign_record(
    record: &Chained,
    signers: &[impl Borrow<dyn Signer>],
    message: &mut Vec<u8>,
) -> Result<(KeyId, Signature), BatchError> {
    let Chained { key, statement, .. } = record;
    let signer = signers
        .iter()
        .map(Borrow::borrow)
        .find(|signer| signer.public().id() == *key)
        .ok_or(BatchError::NoSuchKey)?;
    message.clear();
    write_pae(message, PAYLOAD_TYPE, statement);
    Ok((*key, signer.sign(message)?))
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

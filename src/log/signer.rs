use std::{fmt, sync::Arc};

use ed25519_dalek::{Signer as _, SigningKey};
use thiserror::Error;
use zeroize::Zeroizing;

use super::keys::{PublicKey, Signature};

/// What signs records and checkpoints: a key in memory, or one that another program or device holds.
///
/// # Contract
/// - A signature verifies under [`public`](Signer::public) by [`PublicKey::verify`], or an error is
///   returned. Signatures are checked before anything relies on them only where that is cheap, so a
///   signer that returns wrong ones makes a log that no verifier accepts.
/// - `public` never changes.
/// - `sign` may block, and is called from several threads at once.
///
/// # Implementing
/// ```
/// use countersign::log::{PublicKey, SecretKey, SignError, Signature, Signer};
///
/// #[derive(Debug)]
/// struct Counting {
///     key: SecretKey,
///     signed: std::sync::atomic::AtomicU64,
/// }
///
/// impl Signer for Counting {
///     fn public(&self) -> &PublicKey {
///         self.key.public()
///     }
///     fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
///         self.signed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         self.key.sign(message)
///     }
/// }
/// ```
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// The key under which the signatures verify.
    fn public(&self) -> &PublicKey;

    /// Signs the message as it stands (pure Ed25519, RFC 8032, section 5.1.6).
    ///
    /// # Errors
    /// [`SignError`] if the key could not be used now.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError>;
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn public(&self) -> &PublicKey {
        (**self).public()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        (**self).sign(message)
    }
}

/// The key could not be used.
#[derive(Debug, Error)]
#[error("the signing key could not be used")]
pub struct SignError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl SignError {
    /// An error with its cause, which must not quote the key.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// An Ed25519 secret key in memory, wiped when it is dropped.
pub struct SecretKey {
    key: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`NoRandomness`] if there is none.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(NoRandomness::new)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of this seed, the 32 secret bytes of RFC 8032, section 5.1.5.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::of(key.verifying_key());
        Self { key, public }
    }

    /// The seed, to be kept where nobody else reads it.
    #[must_use]
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }
}

impl Signer for SecretKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(Signature::from_bytes(self.key.sign(message).to_bytes()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("id", &self.public.id())
            .finish_non_exhaustive()
    }
}

/// The operating system gave no random bytes.
#[derive(Debug, Error)]
#[error("the operating system gave no random bytes for a key")]
pub struct NoRandomness(#[source] getrandom::Error);

impl NoRandomness {
    pub(super) const fn new(cause: getrandom::Error) -> Self {
        Self(cause)
    }
}

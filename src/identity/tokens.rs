//! An authenticator for tokens that the host handed out.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    action::Principal,
    canonical::Digest,
    clock::{Clock, SystemClock},
};

use super::{AuthMethod, Authenticator, NotProven, Presented, Proven};

/// Knows the holders of random tokens, such as API keys, by the digests of the tokens.
///
/// It reads the field `token` of what is presented. A token is found by its digest, so that the time of the search tells
/// nothing about the tokens; it needs enough randomness that nobody guesses it (128 bits or more), since a digest is quick.
pub struct Tokens {
    method: AuthMethod,
    holders: BTreeMap<Digest, Principal>,
    clock: Arc<dyn Clock>,
}

/// Separates these digests from every other use of the same bytes.
const DOMAIN: &str = "countersign/token/v1";

impl Tokens {
    /// Nobody's tokens; `method` is what records say of those who use one.
    #[must_use]
    pub fn new(method: AuthMethod) -> Self {
        Self {
            method,
            holders: BTreeMap::new(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The same, and this token proves its holder.
    #[must_use]
    pub fn held_by(mut self, token: &[u8], holder: Principal) -> Self {
        self.holders.insert(Digest::of(DOMAIN, token), holder);
        self
    }

    /// The same, with the time of proofs taken from this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            holders,
            clock: _,
        } = self;
        f.debug_struct("Tokens")
            .field("method", method)
            .field("holders", &holders.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Authenticator for Tokens {
    fn method(&self) -> &AuthMethod {
        &self.method
    }

    async fn verify(&self, presented: &Presented) -> Result<Proven, NotProven> {
        let token = presented.field("token").ok_or(NotProven::NoSuchMethod)?;
        let holder = self
            .holders
            .get(&Digest::of(DOMAIN, token))
            .ok_or(NotProven::Invalid)?;
        Ok(Proven {
            who: holder.id().clone(),
            kind: holder.kind(),
            at: self.clock.now(),
            assurance: None,
            session: None,
            adapter: presented.adapter().clone(),
            expires: None,
        })
    }
}

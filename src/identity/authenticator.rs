//! The plug that checks who a reviewer is.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;

use super::{AuthMethod, NotProven, Presented, Proven};

/// Checks what a reviewer presents.
///
/// # Contract
///
/// - The answer rests on the credential alone. An id, a name or a role that stands beside it unproven is ignored.
/// - [`Proven::kind`] says what the credential was issued to: a token that was issued to an agent proves an agent, also
///   where it names the person it acts for. A token of an impersonated session proves nobody.
/// - What this method does not understand is [`NotProven::NoSuchMethod`]; then the desk asks the next authenticator.
///   Any other error ends the attempt.
/// - A failure to check is [`NotProven::Unavailable`], never a success.
/// - Messages and `Debug` hold no part of the credential.
/// - Methods are called from many threads at once and may be dropped at any await; a panic is taken for an error.
///
/// An authenticator that is wrong lets whoever finds that out vote as any reviewer.
///
/// # Implementing
///
/// ```
/// use async_trait::async_trait;
/// use countersign::action::{PrincipalId, PrincipalKind};
/// use countersign::clock::{Clock, SystemClock};
/// use countersign::identity::{AuthMethod, Authenticator, NotProven, Presented, Proven};
///
/// /// Believes whatever name is presented: for demonstrations only, and records say so.
/// #[derive(Debug)]
/// struct Asserted {
///     method: AuthMethod,
/// }
///
/// #[async_trait]
/// impl Authenticator for Asserted {
///     fn method(&self) -> &AuthMethod {
///         &self.method
///     }
///
///     async fn verify(&self, presented: &Presented) -> Result<Proven, NotProven> {
///         let name = presented.field("name").ok_or(NotProven::NoSuchMethod)?;
///         let name = std::str::from_utf8(name).map_err(|_| NotProven::Malformed)?;
///         Ok(Proven {
///             who: PrincipalId::new("demo", name).map_err(|_| NotProven::Malformed)?,
///             kind: PrincipalKind::Human,
///             at: SystemClock.now(),
///             assurance: None,
///             session: None,
///             adapter: presented.adapter().clone(),
///             expires: None,
///         })
///     }
/// }
///
/// let asserted = Asserted { method: AuthMethod::new("asserted-demo")? };
/// # Ok::<(), countersign::identity::NotAName>(())
/// ```
#[async_trait]
pub trait Authenticator: Debug + Send + Sync + 'static {
    /// How this proves who somebody is; it stands in the record of every vote.
    fn method(&self) -> &AuthMethod;

    /// Checks a proof.
    ///
    /// # Errors
    /// Why the proof is not accepted; [`NotProven::NoSuchMethod`] where another authenticator may know better.
    async fn verify(&self, presented: &Presented) -> Result<Proven, NotProven>;
}

#[async_trait]
impl<T: Authenticator + ?Sized> Authenticator for Arc<T> {
    fn method(&self) -> &AuthMethod {
        (**self).method()
    }

    async fn verify(&self, presented: &Presented) -> Result<Proven, NotProven> {
        (**self).verify(presented).await
    }
}

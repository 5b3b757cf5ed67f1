//! The handle that reviewers' channels hold.

use std::sync::Arc;
use std::time::Duration;

use crate::identity::{self, Approver, Authenticator, Freshness, NotProven, Presented};
use crate::ledger::Parts;

/// How long an admission lasts if the proof itself sets no earlier end.
const SIGN_IN: Duration = Duration::from_secs(60 * 60);

/// Where people see requests and settle them.
///
/// Every method names the person who acts; the only maker of an [`Approver`] is [`admit`](Self::admit).
#[derive(Debug, Clone)]
pub struct ReviewDesk {
    pub(super) parts: Arc<Parts>,
    authenticators: Arc<[Arc<dyn Authenticator>]>,
}

impl ReviewDesk {
    pub(crate) fn new(
        parts: Arc<Parts>,
        authenticators: impl IntoIterator<Item = Arc<dyn Authenticator>>,
    ) -> Self {
        Self {
            parts,
            authenticators: authenticators.into_iter().collect(),
        }
    }

    /// Lets a person in who proves who they are, until the proof expires, for an hour at most.
    ///
    /// # Errors
    /// [`NotProven`]: nobody was let in.
    pub async fn admit(&self, presented: Presented) -> Result<Approver, NotProven> {
        let ledger = &self.parts.ledger;
        for authenticator in self.authenticators.iter() {
            // The call itself may panic as well, not only its future.
            let proven = async { authenticator.verify(&presented).await };
            let proven = match ledger.bounded(proven).await {
                Ok(Ok(proven)) => proven,
                Ok(Err(NotProven::NoSuchMethod)) => continue,
                Ok(Err(refused)) => return Err(refused),
                Err(_) => return Err(NotProven::Unavailable(None)),
            };
            let now = ledger.now();
            if proven.expires.is_some_and(|expires| now >= expires) {
                return Err(NotProven::Expired);
            }
            let person = ledger
                .bounded(identity::recognise(
                    &proven,
                    self.parts.directory.as_ref(),
                    Freshness::Any,
                ))
                .await
                .map_err(|_| NotProven::Unavailable(None))??;
            return Ok(Approver::admitted(
                person.id,
                authenticator.method().clone(),
                proven,
                now.saturating_add(SIGN_IN),
            ));
        }
        Err(NotProven::NoSuchMethod)
    }
}

//! What the gate and the desk of one process share: the ledger, the rules and the people.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::approval::{Event, PolicyAdopted};
use crate::identity::Directory;
use crate::log::Role;
use crate::policy::{PolicyEvaluator, PolicyRevision};

use super::{Drafts, LedgerError, Shared};

/// What every handle shares.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) ledger: Arc<Shared>,
    pub(crate) policy: Arc<dyn PolicyEvaluator>,
    pub(crate) directory: Arc<dyn Directory>,
    adopted: Mutex<HashSet<PolicyRevision>>,
}

impl Parts {
    pub(crate) fn new(
        ledger: Arc<Shared>,
        policy: Arc<dyn PolicyEvaluator>,
        directory: Arc<dyn Directory>,
    ) -> Self {
        Self {
            ledger,
            policy,
            directory,
            adopted: Mutex::default(),
        }
    }

    /// Names the revision that this process decides by.
    pub(crate) async fn adopt_at_open(&self) -> Result<(), LedgerError> {
        let revision = self.policy.revision().clone();
        let role = if self.ledger.has_role(Role::Gate) {
            Role::Gate
        } else {
            Role::Desk
        };
        if !self.ledger.has_role(role) {
            return Ok(());
        }
        Drafts::log(&self.ledger, role, self.adoption(&revision))?
            .append()
            .await?;
        self.adopted(&revision);
        Ok(())
    }

    fn adoption(&self, revision: &PolicyRevision) -> Event {
        Event::PolicyAdopted(PolicyAdopted {
            revision: revision.clone(),
            instance: self.ledger.instance,
        })
    }

    /// The event that has to precede a decision under a revision that this process has not named yet.
    pub(crate) fn adopting(&self, revision: &PolicyRevision) -> Option<Event> {
        let known = self
            .adopted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(revision);
        (!known).then(|| self.adoption(revision))
    }

    pub(crate) fn adopted(&self, revision: &PolicyRevision) {
        self.adopted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(revision.clone());
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if self.ledger.is_closed() {
            return;
        }
        let ended = apart(Arc::clone(&self.ledger), || {});
        // The last handle is gone. A thread of the library cannot wait for itself, so there the others end on their own.
        if let Some(ended) = ended
            && !super::on_own_thread()
            && ended.join().is_err()
        {
            tracing::error!("the ledger could not be closed in order");
        }
    }
}

/// Closes the ledger on a thread of its own, since the caller's may be inside of an executor, where it could not wait for the
/// store. `None` if there is no such thread; then it was closed on the caller's.
pub(crate) fn apart(
    ledger: Arc<Shared>,
    then: impl FnOnce() + Send + 'static,
) -> Option<JoinHandle<()>> {
    let here = Arc::clone(&ledger);
    let closer = std::thread::Builder::new()
        .name("countersign-close".to_owned())
        .spawn(move || {
            ledger.close();
            // Whoever waits for the end may take the store's files away after it.
            drop(ledger);
            then();
        });
    if closer.is_err() {
        here.close();
    }
    closer.ok()
}

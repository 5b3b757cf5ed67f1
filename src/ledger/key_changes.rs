//! Which keys are in force, as the log says it, and the records that change that.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use crate::journal::Scope;
use crate::log::{KeyChange, Role, Seq, Signer, Trust, TrustedKeys};
use crate::store::ScopeKey;

use super::sequencer::{Admission, Appended, Changing, Plan};
use super::{LedgerError, Shared, lock};

impl Shared {
    /// What records are checked against.
    pub(crate) fn trust(&self) -> Arc<Trust> {
        Arc::clone(&self.trust.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The signer of the process's own keys for a role.
    pub(super) fn own_signer(&self, role: Role) -> Option<Arc<dyn Signer>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.signer(role).cloned()
    }

    /// Every public key that this process knows of.
    pub(crate) fn trusted(&self) -> TrustedKeys {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.trusted()
    }

    /// Signs as operator with this key from now on, if the log names it for that.
    pub(crate) fn operate_with(&self, key: Arc<dyn Signer>) -> bool {
        let next = Seq::new(self.known_size());
        let named = self
            .trust()
            .has_role(&key.public().id(), Role::Operator, next);
        if named {
            *lock(&self.operator) = Some(key);
        }
        named
    }

    /// Has later records checked against these keys, which the log has come to name.
    pub(super) fn rely_on(&self, trust: &Arc<Trust>) {
        let mut current = self.trust.write().unwrap_or_else(PoisonError::into_inner);
        if trust.ring().changes() <= current.ring().changes() {
            return;
        }
        *current = Arc::clone(trust);
        drop(current);
        self.succeed(trust);
    }

    /// The signer for a role that is in force for the record `at`, by what `trust` knows; one that is to succeed another may be.
    pub(super) fn signer_at(&self, trust: &Trust, role: Role, at: Seq) -> Option<Arc<dyn Signer>> {
        let in_force = |key: &Arc<dyn Signer>| trust.has_role(&key.public().id(), role, at);
        self.signer(role).filter(in_force).or_else(|| {
            lock(&self.successors)
                .iter()
                .find(|key| in_force(key))
                .cloned()
        })
    }

    /// Everybody whose signature this process can make.
    pub(super) fn all_signers(&self) -> Vec<Arc<dyn Signer>> {
        let own = Role::ALL.into_iter().filter_map(|role| self.signer(role));
        own.chain(lock(&self.successors).iter().cloned()).collect()
    }

    /// Takes up the successors that the log names now for the keys that it names no longer.
    fn succeed(&self, trust: &Trust) {
        let at = Seq::new(u64::MAX);
        let mut successors = lock(&self.successors);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        for role in Role::ALL {
            let gone = keys
                .signer(role)
                .is_some_and(|own| !trust.has_role(&own.public().id(), role, at));
            let next = successors
                .iter()
                .find(|next| trust.has_role(&next.public().id(), role, at));
            if let (true, Some(next)) = (gone, next) {
                *keys = keys.clone().with_signer(role, Arc::clone(next));
            }
        }
        let mut operator = lock(&self.operator);
        let gone = operator
            .as_ref()
            .is_some_and(|key| !trust.has_role(&key.public().id(), Role::Operator, at));
        if gone {
            *operator = successors
                .iter()
                .find(|next| trust.has_role(&next.public().id(), Role::Operator, at))
                .cloned();
        }
        successors.retain(|next| trust.ring().all_at(at).all(|(key, _)| key != next.public()));
    }

    /// Writes a change of keys, signed by the operator and by these keys beside.
    pub(crate) async fn change_keys(
        self: &Arc<Self>,
        change: KeyChange,
        beside: Vec<Arc<dyn Signer>>,
    ) -> Result<u64, LedgerError> {
        if !self.can_sign(Role::Operator) {
            return Err(LedgerError::NoSuchRole(Role::Operator));
        }
        let coming = change.new_key().cloned();
        let next = beside
            .iter()
            .filter(|key| Some(key.public()) == coming.as_ref());
        lock(&self.successors).extend(next.cloned());
        let scope = ScopeKey::new(Scope::Keys.key());
        let shared = Arc::clone(self);
        let build = move |moment: &super::sequencer::Moment<'_>| {
            let operator = shared.signer(Role::Operator);
            let signers: Vec<_> = operator
                .iter()
                .chain(&beside)
                .map(|signer| signer.public().id())
                .collect();
            // What no verifier would take is not written.
            let mut ring = shared.trust().ring().clone();
            ring.change(moment.seq, &change, &signers)
                .map_err(|error| LedgerError::Illegal(error.to_string()))?;
            let plan = Plan {
                entries: vec![change.to_entry(shared.enforcement)],
                moved: vec![scope],
                rows: Vec::new(),
                touched: Vec::new(),
                keys: Some(Changing { change, beside }),
                retired: None,
            };
            Ok((plan, ()))
        };
        match self
            .append(Admission::Ordinary, BTreeSet::new(), build, |()| ())
            .await
        {
            Appended::Committed(written, ()) => written.first().ok_or(LedgerError::Panicked),
            Appended::Aborted(error) | Appended::Failed(error) => {
                lock(&self.successors)
                    .retain(|next| coming.as_ref().is_none_or(|coming| next.public() != coming));
                Err(error)
            }
        }
    }
}

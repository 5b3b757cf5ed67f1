use std::collections::BTreeSet;

use thiserror::Error;

use crate::clock::Timestamp;

use super::{
    genesis::Genesis,
    id::Seq,
    key_change::{KeyChange, Revocation},
    keys::{KeyId, PublicKey, Role},
};

/// The public keys of a log: what they may sign, and from which record to which they are in force.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    // INVARIANT: no key stands twice; one that went never comes back.
    keys: Vec<RingKey>,
    /// How many records have changed it.
    changes: usize,
    /// The last of them.
    latest: Option<Seq>,
}

#[derive(Clone, Debug)]
struct RingKey {
    key: PublicKey,
    roles: BTreeSet<Role>,
    from: Seq,
    /// The first record for which it is no longer in force.
    until: Option<Seq>,
    /// Since when somebody else may have signed with it.
    compromised_since: Option<Timestamp>,
}

impl KeyRing {
    /// The keys that a genesis names, in force from it on.
    #[must_use]
    pub fn from_genesis(genesis: &Genesis) -> Self {
        Self::in_force_throughout(
            genesis
                .keys()
                .iter()
                .map(|(key, roles)| (key.clone(), roles.clone())),
        )
    }

    /// Keys that are in force for every record.
    pub(super) fn in_force_throughout(
        keys: impl IntoIterator<Item = (PublicKey, BTreeSet<Role>)>,
    ) -> Self {
        let keys = keys
            .into_iter()
            .map(|(key, roles)| RingKey {
                key,
                roles,
                from: Seq::GENESIS,
                until: None,
                compromised_since: None,
            })
            .collect();
        Self {
            keys,
            changes: 0,
            latest: None,
        }
    }

    /// The key with this id, if it is in force for the record `at`, and its roles.
    #[must_use]
    pub fn in_force(&self, id: &KeyId, at: Seq) -> Option<(&PublicKey, &BTreeSet<Role>)> {
        self.keys
            .iter()
            .find(|ring| ring.key.id() == *id && ring.covers(at))
            .map(|ring| (&ring.key, &ring.roles))
    }

    /// What the key with this id may sign as the record `at`.
    #[must_use]
    pub fn roles_at(&self, id: &KeyId, at: Seq) -> Option<&BTreeSet<Role>> {
        self.in_force(id, at).map(|(_, roles)| roles)
    }

    /// Every key that is in force for the record `at`, with its roles.
    pub fn all_at(&self, at: Seq) -> impl Iterator<Item = (&PublicKey, &BTreeSet<Role>)> {
        self.keys
            .iter()
            .filter(move |ring| ring.covers(at))
            .map(|ring| (&ring.key, &ring.roles))
    }

    /// Every key that is or was named.
    pub fn all(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().map(|ring| &ring.key)
    }

    /// Every key that is or was named, in the order in which the log names them, with its roles, the first record for which it is
    /// in force, and the first one for which it no longer is.
    pub fn spans(&self) -> impl Iterator<Item = (&PublicKey, &BTreeSet<Role>, Seq, Option<Seq>)> {
        self.keys
            .iter()
            .map(|ring| (&ring.key, &ring.roles, ring.from, ring.until))
    }

    /// Every key that has the role at some time.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &PublicKey> {
        self.keys
            .iter()
            .filter(move |ring| ring.roles.contains(&role))
            .map(|ring| &ring.key)
    }

    /// How many records have changed it.
    #[must_use]
    pub const fn changes(&self) -> usize {
        self.changes
    }

    /// The last record that has changed it.
    #[must_use]
    pub const fn latest_change(&self) -> Option<Seq> {
        self.latest
    }

    /// Has the record `at`, which these keys signed, change what is in force from the next one on (rule S11).
    ///
    /// # Errors
    /// [`KeyChangeError`] says what the record lacks; nothing is changed then.
    pub fn change(
        &mut self,
        at: Seq,
        change: &KeyChange,
        signers: &[KeyId],
    ) -> Result<(), KeyChangeError> {
        if let Some(key) = change.new_key() {
            if self.keys.iter().any(|ring| ring.key == *key) {
                return Err(KeyChangeError::Known);
            }
            if !signers.contains(&key.id()) {
                return Err(KeyChangeError::NotSignedByNew);
            }
        }
        if let KeyChange::Added { roles, .. } = change
            && roles.is_empty()
        {
            return Err(KeyChangeError::NoRole);
        }
        if let KeyChange::Rotated { old, .. } = change
            && !signers.contains(old)
        {
            return Err(KeyChangeError::NotSignedByOld);
        }
        let next = at.next();
        let mut after = self.clone();
        let gone = match change.old_key() {
            Some(old) => {
                let ended = after.end(old, at).ok_or(KeyChangeError::NotInForce)?;
                if let KeyChange::Revoked {
                    why: Revocation::Compromised { since },
                    ..
                } = change
                {
                    ended.compromised_since = Some(*since);
                }
                Some(ended.roles.clone())
            }
            None => None,
        };
        let coming = match change {
            KeyChange::Added { key, roles } => Some((key, roles.clone())),
            KeyChange::Rotated { key, .. } => gone.map(|roles| (key, roles)),
            KeyChange::Revoked { .. } => None,
        };
        if let Some((key, roles)) = coming {
            after.keys.push(RingKey {
                key: key.clone(),
                roles,
                from: next,
                until: None,
                compromised_since: None,
            });
        }
        if !after
            .all_at(next)
            .any(|(_, roles)| roles.contains(&Role::Checkpoint))
        {
            return Err(KeyChangeError::NobodySigns(Role::Checkpoint));
        }
        after.changes += 1;
        after.latest = Some(at);
        *self = after;
        Ok(())
    }

    /// Whether somebody else may have signed with this key at this time, as a later record says.
    #[must_use]
    pub fn doubts(&self, id: &KeyId, ts: Timestamp) -> bool {
        let since = |ring: &RingKey| ring.compromised_since;
        let mut doubted = self.keys.iter().filter(|ring| since(ring).is_some());
        doubted.any(|ring| ring.key.id() == *id && since(ring).is_some_and(|since| since <= ts))
    }

    /// Whether any key was compromised.
    #[must_use]
    pub fn has_doubts(&self) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|ring| ring.compromised_since.is_some())
    }

    /// Ends a key with the record `at`, and returns it; `None` if it is not in force there.
    fn end(&mut self, id: &KeyId, at: Seq) -> Option<&mut RingKey> {
        let ring = self
            .keys
            .iter_mut()
            .find(|ring| ring.key.id() == *id && ring.covers(at))?;
        ring.until = Some(at.next());
        Some(ring)
    }
}

impl RingKey {
    fn covers(&self, at: Seq) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Why a record cannot change the keys of a log so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyChangeError {
    /// The new key is named by an earlier record.
    #[error("the new key stood in the log before: a key that was in it never comes back")]
    Known,
    /// The new key could sign nothing.
    #[error("the new key has no role")]
    NoRole,
    /// The new key did not sign.
    #[error("the new key has not signed the record")]
    NotSignedByNew,
    /// The key that goes did not sign.
    #[error("the key that is rotated has not signed the record")]
    NotSignedByOld,
    /// The key that goes is not in force.
    #[error("the key that goes is not in force")]
    NotInForce,
    /// The log could not go on.
    #[error("no key with the role {0} would be left")]
    NobodySigns(Role),
}

use std::collections::BTreeSet;

use super::{
    genesis::Genesis,
    id::Seq,
    keys::{KeyId, PublicKey, Role},
};

/// The public keys of a log: what they may sign, and from which record to which they are in force.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: Vec<RingKey>,
}

#[derive(Clone, Debug)]
struct RingKey {
    key: PublicKey,
    roles: BTreeSet<Role>,
    from: Seq,
    /// The first record for which it is no longer in force.
    until: Option<Seq>,
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
            })
            .collect();
        Self { keys }
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

    /// Every key that has the role at some time.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &PublicKey> {
        self.keys
            .iter()
            .filter(move |ring| ring.roles.contains(&role))
            .map(|ring| &ring.key)
    }
}

impl RingKey {
    fn covers(&self, at: Seq) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

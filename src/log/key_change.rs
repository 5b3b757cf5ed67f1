use std::collections::BTreeSet;

use thiserror::Error;

use super::{
    base64,
    entry::{Enforcement, Entry},
    keys::{KeyId, PublicKey, Role},
    kind::Kind,
    statement::{KnownOr, Statement},
};
use crate::{
    canonical::{Json, Object},
    clock::Timestamp,
};

/// What a record says that changes which keys are in force after it (record format, rules S11 to S13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// A key that the log did not name before.
    Added {
        /// The key, which signs the record too.
        key: PublicKey,
        /// What it may sign from the next record on.
        roles: BTreeSet<Role>,
    },
    /// A key takes the place of another, with its roles.
    Rotated {
        /// The key that goes, which signs the record too.
        old: KeyId,
        /// The key that comes, which signs the record too.
        key: PublicKey,
    },
    /// A key is no longer in force.
    Revoked {
        /// The key that goes.
        old: KeyId,
        /// Why.
        why: Revocation,
    },
}

/// Why a key is no longer in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It is not needed any more.
    Retired,
    /// Nobody can sign with it any more.
    Lost,
    /// Since this time somebody else may have signed with it (RFC 5280, section 5.3.2, calls it the
    /// invalidity date).
    Compromised {
        /// The earliest time at which that may have been.
        since: Timestamp,
    },
}

impl Revocation {
    /// The text in records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Retired => "retired",
            Self::Lost => "lost",
            Self::Compromised { .. } => "compromised",
        }
    }
}

impl KeyChange {
    /// The kind of its record.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Added { .. } => Kind::KeyAdded,
            Self::Rotated { .. } => Kind::KeyRotated,
            Self::Revoked { .. } => Kind::KeyRevoked,
        }
    }

    /// The key that comes into force.
    #[must_use]
    pub const fn new_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Added { key, .. } | Self::Rotated { key, .. } => Some(key),
            Self::Revoked { .. } => None,
        }
    }

    /// The key that goes.
    #[must_use]
    pub const fn old_key(&self) -> Option<&KeyId> {
        match self {
            Self::Rotated { old, .. } | Self::Revoked { old, .. } => Some(old),
            Self::Added { .. } => None,
        }
    }

    /// The entry, which an `operator` key signs first and the keys that it names beside it.
    #[must_use]
    pub fn to_entry(&self, enforced: Enforcement) -> Entry {
        let body = match self {
            Self::Added { key, roles } => {
                let roles: Vec<Json> = roles.iter().map(|role| role.as_str().into()).collect();
                Object::new().with("key", text_of(key)).with("roles", roles)
            }
            Self::Rotated { old, key } => Object::new()
                .with("key", text_of(key))
                .with("old", old.to_string()),
            Self::Revoked { old, why } => {
                let body = Object::new()
                    .with("old", old.to_string())
                    .with("why", why.as_str());
                match why {
                    Revocation::Compromised { since } => {
                        body.with("compromised_since", since.to_string())
                    }
                    Revocation::Retired | Revocation::Lost => body,
                }
            }
        };
        Entry {
            kind: self.kind(),
            request: None,
            body: body.to_canonical(),
            disclosures: Vec::new(),
            role: Role::Operator,
            enforced,
            crit: Vec::new(),
        }
    }

    /// Reads the body of a record of one of the three kinds (rule F6); `None` for other kinds.
    ///
    /// # Errors
    /// [`MalformedKeyChange`] if the body is not one of its kind.
    pub fn parse(statement: &Statement) -> Result<Option<Self>, MalformedKeyChange> {
        let KnownOr::Known(kind) = &statement.kind else {
            return Ok(None);
        };
        let body = &statement.body;
        let read = match kind {
            Kind::KeyAdded => read_added(body),
            Kind::KeyRotated => read_rotated(body),
            Kind::KeyRevoked => read_revoked(body),
            _ => return Ok(None),
        };
        read.map(Some).ok_or(MalformedKeyChange)
    }
}

fn read_added(body: &Object) -> Option<KeyChange> {
    let (key, roles) = read_key_with_roles(body)?;
    (!roles.is_empty()).then_some(KeyChange::Added { key, roles })
}

fn read_rotated(body: &Object) -> Option<KeyChange> {
    let change = KeyChange::Rotated {
        old: KeyId::parse(body.get("old")?.as_str()?).ok()?,
        key: read_key(body.get("key")?)?,
    };
    (body.len() == 2).then_some(change)
}

fn read_revoked(body: &Object) -> Option<KeyChange> {
    let old = KeyId::parse(body.get("old")?.as_str()?).ok()?;
    let since = match body.get("compromised_since") {
        Some(since) => Some(Timestamp::parse(since.as_str()?).ok()?),
        None => None,
    };
    let why = match (body.get("why")?.as_str()?, since) {
        ("retired", None) => Revocation::Retired,
        ("lost", None) => Revocation::Lost,
        ("compromised", Some(since)) => Revocation::Compromised { since },
        _ => return None,
    };
    let members = 2 + usize::from(since.is_some());
    (body.len() == members).then_some(KeyChange::Revoked { old, why })
}

/// A key as records spell it.
pub(super) fn text_of(key: &PublicKey) -> String {
    base64::encode(key.as_bytes())
}

fn read_key(json: &Json) -> Option<PublicKey> {
    let bytes = base64::decode(json.as_str()?)?;
    PublicKey::from_bytes(&bytes.try_into().ok()?).ok()
}

/// An object of the members `key` and `roles`, which ascend.
pub(super) fn read_key_with_roles(members: &Object) -> Option<(PublicKey, BTreeSet<Role>)> {
    let key = read_key(members.get("key")?)?;
    let roles: Vec<Role> = members
        .get("roles")?
        .as_array()?
        .iter()
        .map(|role| Role::parse(role.as_str()?))
        .collect::<Option<_>>()?;
    let ascending = roles.is_sorted_by(|a, b| a < b);
    (members.len() == 2 && ascending).then(|| (key, roles.into_iter().collect()))
}

/// The body is not one of a record that changes keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("its body is not one of its kind, or a key in it is none")]
pub struct MalformedKeyChange;

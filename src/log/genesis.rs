use std::collections::BTreeSet;

use thiserror::Error;

use super::{
    checkpoint::Origin,
    entry::{Enforcement, Entry},
    id::LogId,
    key_change::{read_key_with_roles, text_of},
    keys::{PublicKey, Role},
    kind::Kind,
    statement::Statement,
};
use crate::canonical::{Digest, Json, Object};

/// What record 0 says: where the log is published, which keys may sign what, and which log it continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    log: LogId,
    origin: Origin,
    // INVARIANT: not empty, ascending by the base64 text of the key, each key once and with a role.
    keys: Vec<(PublicKey, BTreeSet<Role>)>,
    predecessor: Option<Predecessor>,
}

/// The log that another one continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Its id.
    pub log: LogId,
    /// Its origin.
    pub origin: Origin,
    /// How many of its records are vouched for.
    pub size: u64,
    /// The tree head over them.
    pub root: Digest,
}

impl Genesis {
    /// The beginning of a log.
    ///
    /// # Errors
    /// [`GenesisError`] unless each key stands once and has a role, one signs checkpoints, and one may sign
    /// the genesis itself (`operator` or `gate`).
    pub fn new(
        log: LogId,
        origin: Origin,
        keys: impl IntoIterator<Item = (PublicKey, BTreeSet<Role>)>,
        predecessor: Option<Predecessor>,
    ) -> Result<Self, GenesisError> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by_cached_key(|(key, _)| text_of(key));
        let genesis = Self {
            log,
            origin,
            keys,
            predecessor,
        };
        genesis.check_keys()?;
        Ok(genesis)
    }

    fn check_keys(&self) -> Result<(), GenesisError> {
        let ascending =
            |pair: &(PublicKey, _), next: &(PublicKey, _)| text_of(&pair.0) < text_of(&next.0);
        if !self.keys.is_sorted_by(ascending) {
            return Err(GenesisError::RepeatedKey);
        }
        if self.keys.iter().any(|(_, roles)| roles.is_empty()) {
            return Err(GenesisError::KeyWithoutRole);
        }
        let has = |wanted: &[Role]| {
            self.keys
                .iter()
                .any(|(_, roles)| wanted.iter().any(|role| roles.contains(role)))
        };
        if !has(&[Role::Checkpoint]) {
            return Err(GenesisError::NobodySigns("checkpoint"));
        }
        if !has(Kind::Genesis.roles()) {
            return Err(GenesisError::NobodySigns("operator or gate"));
        }
        Ok(())
    }

    /// The log's id.
    #[must_use]
    pub const fn log(&self) -> &LogId {
        &self.log
    }

    /// The log's name in its checkpoints.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The keys and what they may sign.
    #[must_use]
    pub fn keys(&self) -> &[(PublicKey, BTreeSet<Role>)] {
        &self.keys
    }

    /// The log that this one continues.
    #[must_use]
    pub const fn predecessor(&self) -> Option<&Predecessor> {
        self.predecessor.as_ref()
    }

    /// What every record of the log says of itself (rule M9).
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        Enforcement::from_bool(!self.origin.is_testing())
    }

    /// The entry of record 0, to be signed by an `operator` key where there is one, else by a `gate` key.
    #[must_use]
    pub fn to_entry(&self) -> Entry {
        let Self {
            log: _,
            origin,
            keys,
            predecessor,
        } = self;
        let operated = keys
            .iter()
            .any(|(_, roles)| roles.contains(&Role::Operator));
        let keys: Vec<Json> = keys
            .iter()
            .map(|(key, roles)| {
                let roles: Vec<Json> = roles.iter().map(|role| role.as_str().into()).collect();
                Object::new()
                    .with("key", text_of(key))
                    .with("roles", roles)
                    .into()
            })
            .collect();
        let predecessor = predecessor
            .as_ref()
            .map_or(Json::Null, Predecessor::to_json);
        Entry {
            kind: Kind::Genesis,
            request: None,
            body: Object::new()
                .with("keys", keys)
                .with("origin", origin.as_str())
                .with("predecessor", predecessor)
                .to_canonical(),
            disclosures: Vec::new(),
            role: if operated { Role::Operator } else { Role::Gate },
            enforced: self.enforcement(),
            crit: Vec::new(),
        }
    }

    /// Reads the body of record 0 (rule F6).
    ///
    /// # Errors
    /// [`GenesisError`] says what is wrong.
    pub fn parse(statement: &Statement) -> Result<Self, GenesisError> {
        let body = &statement.body;
        if body.len() != 3 {
            return Err(GenesisError::Malformed);
        }
        Self::read(statement.log, body)
            .ok_or(GenesisError::Malformed)
            .and_then(|genesis| {
                genesis.check_keys()?;
                Ok(genesis)
            })
    }

    fn read(log: LogId, body: &Object) -> Option<Self> {
        let keys = body
            .get("keys")?
            .as_array()?
            .iter()
            .map(|key| read_key_with_roles(key.as_object()?))
            .collect::<Option<_>>()?;
        let predecessor = match body.get("predecessor")? {
            Json::Null => None,
            json => Some(Predecessor::read(json)?),
        };
        Some(Self {
            log,
            origin: read_origin(body)?,
            keys,
            predecessor,
        })
    }
}

impl Predecessor {
    fn to_json(&self) -> Json {
        let Self {
            log,
            origin,
            size,
            root,
        } = self;
        Object::new()
            .with("log", log.to_string())
            .with("origin", origin.as_str())
            .with("root", root.to_hex())
            // A log has no more records than JSON can count.
            .with("size", Json::try_from(*size).unwrap_or(Json::Null))
            .into()
    }

    fn read(json: &Json) -> Option<Self> {
        let members = json.as_object()?;
        let predecessor = Self {
            log: LogId::parse(members.get("log")?.as_str()?).ok()?,
            origin: read_origin(members)?,
            size: u64::try_from(members.get("size")?.as_i64()?).ok()?,
            root: Digest::parse_hex(members.get("root")?.as_str()?).ok()?,
        };
        (members.len() == 4).then_some(predecessor)
    }
}

fn read_origin(members: &Object) -> Option<Origin> {
    Origin::new(members.get("origin")?.as_str()?).ok()
}

/// Why a log cannot begin so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// Not the members of a genesis body.
    #[error("the body of the genesis is malformed")]
    Malformed,
    /// A key stands twice, or they do not ascend.
    #[error("the keys of the genesis are not ascending and distinct")]
    RepeatedKey,
    /// A key that may sign nothing.
    #[error("a key of the genesis has no role")]
    KeyWithoutRole,
    /// A role that a log cannot do without.
    #[error("no key of the genesis has the role {0}")]
    NobodySigns(&'static str),
}

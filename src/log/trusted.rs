use std::{collections::BTreeSet, fmt, str::FromStr};

use thiserror::Error;

use super::{
    checkpoint::Origin,
    genesis::Genesis,
    id::LogId,
    keyring::KeyRing,
    keys::{PublicKey, Role},
    trust::{Trust, VerifiedGenesis},
    vkey::{NotAVerifierKey, VerifierKey},
};

/// The keys that an auditor brings from outside: which keys a log may name, and for what.
///
/// A key inside of a log never vouches for itself. As text, one key a line:
///
/// ```text
/// # keys of the export gate, handed over by the operator on paper
/// gate,desk example.com/log+<8 hex digits>+<base64>
/// checkpoint example.com/log+<8 hex digits>+<base64>
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedKeys {
    // INVARIANT: no public key stands twice, none is without a role.
    keys: Vec<(VerifierKey, BTreeSet<Role>)>,
}

impl TrustedKeys {
    /// No keys.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: Vec::new() }
    }

    /// The keys of a genesis that was received from outside and is trusted.
    #[must_use]
    pub fn of_genesis(genesis: &Genesis) -> Self {
        let name = genesis.origin().key_name();
        let keys = genesis
            .keys()
            .iter()
            .map(|(key, roles)| (VerifierKey::new(name.clone(), key.clone()), roles.clone()))
            .collect();
        Self { keys }
    }

    /// Adds a key and what it may sign.
    ///
    /// # Errors
    /// [`TrustedKeysError::Repeated`] if the key is there already, under whatever name;
    /// [`TrustedKeysError::NoRole`] if it may sign nothing.
    pub fn add(&mut self, key: VerifierKey, roles: BTreeSet<Role>) -> Result<(), TrustedKeysError> {
        if roles.is_empty() {
            return Err(TrustedKeysError::NoRole);
        }
        if self.roles_of(key.key()).is_some() {
            return Err(TrustedKeysError::Repeated);
        }
        self.keys.push((key, roles));
        Ok(())
    }

    /// The keys, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&VerifierKey, &BTreeSet<Role>)> {
        self.keys.iter().map(|(key, roles)| (key, roles))
    }

    /// What a key may sign.
    #[must_use]
    pub fn roles_of(&self, key: &PublicKey) -> Option<&BTreeSet<Role>> {
        self.keys
            .iter()
            .find(|(trusted, _)| trusted.key() == key)
            .map(|(_, roles)| roles)
    }

    /// The log of this genesis, if every key in it is here, with no role that it does not have here
    /// (rule S10).
    ///
    /// # Errors
    /// [`Unvouched`] otherwise: the log may agree with itself, but who signed it is not known.
    pub fn vouch_for(&self, genesis: &VerifiedGenesis) -> Result<Trust, Unvouched> {
        let vouched = |(key, roles): &(PublicKey, BTreeSet<Role>)| {
            self.roles_of(key)
                .is_some_and(|given| given.is_superset(roles))
        };
        if genesis.genesis().keys().iter().all(vouched) {
            Ok(Trust::on_genesis(genesis))
        } else {
            Err(Unvouched)
        }
    }

    /// What a record of that log, met without its genesis, is checked against.
    #[must_use]
    pub fn trust_for(&self, log: LogId, origin: Origin) -> Trust {
        let keys = self
            .keys
            .iter()
            .map(|(key, roles)| (key.key().clone(), roles.clone()));
        Trust::new(log, origin, KeyRing::in_force_throughout(keys))
    }
}

/// A genesis names a key, or gives it a role, that the auditor does not know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the genesis names a key or a role that is not among the trusted keys")]
pub struct Unvouched;

impl fmt::Display for TrustedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, roles) in &self.keys {
            let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            writeln!(f, "{} {key}", roles.join(","))?;
        }
        Ok(())
    }
}

impl FromStr for TrustedKeys {
    type Err = TrustedKeysLineError;

    /// Reads what `Display` writes, with empty lines and lines that start with `#` between.
    fn from_str(text: &str) -> Result<Self, TrustedKeysLineError> {
        let mut keys = Self::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at_line = |why| TrustedKeysLineError {
                line: index + 1,
                why,
            };
            let (key, roles) = read_line(line).map_err(at_line)?;
            keys.add(key, roles).map_err(at_line)?;
        }
        Ok(keys)
    }
}

fn read_line(line: &str) -> Result<(VerifierKey, BTreeSet<Role>), TrustedKeysError> {
    let (roles, key) = line
        .split_once(char::is_whitespace)
        .ok_or(TrustedKeysError::NotALine)?;
    let roles = roles
        .split(',')
        .map(|role| Role::parse(role).ok_or(TrustedKeysError::NoSuchRole))
        .collect::<Result<_, _>>()?;
    Ok((key.trim_start().parse()?, roles))
}

/// Which line of a file of trusted keys is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the trusted keys: {why}")]
pub struct TrustedKeysLineError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub why: TrustedKeysError,
}

/// Why a key cannot be trusted so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TrustedKeysError {
    /// Not roles and a key.
    #[error("expected roles, a space and a verifier key")]
    NotALine,
    /// A role of another name.
    #[error("a role is `checkpoint`, `desk`, `gate` or `operator`")]
    NoSuchRole,
    /// No role.
    #[error("a key without a role vouches for nothing")]
    NoRole,
    /// The key is there already.
    #[error("this key stands here twice; name all of its roles in one line")]
    Repeated,
    /// Not a key.
    #[error(transparent)]
    Key(#[from] NotAVerifierKey),
}

//! The keys that sign a log, each for the roles it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use crate::log::{
    KeyId, KeyName, LogId, PublicKey, Role, SecretKey, Signer, TrustedKeys, VerifierKey,
};
use crate::values::{ValueKeys, ValueKeysError, path_in};

const HEADER: &str = "countersign-secret-key v1 ed25519 ";
const ALL: [Role; 4] = [Role::Gate, Role::Desk, Role::Checkpoint, Role::Operator];

/// The signers of one process, and the public keys of others that a new log shall name.
///
/// Keys are made by [`Keys::create`], and by [`Keys::ephemeral`] where they are to be forgotten: neither opening a log nor verifying one ever makes a key.
/// A process holds only the roles it needs; a desk that runs as another operating-system user holds its own
/// directory with the role `desk`, and then no code in the agent's process can approve.
///
/// Beside its keys a directory keeps the file `logs`: which log lies in which database. It is written when a database is
/// first opened with these keys; from then on another log in its place, or none, is refused. The directory must lie where
/// whoever can write the store's files cannot write.
///
/// A process that begins a log in a file also keeps there the keys of its hidden values ([`ValueKeys`](crate::values::ValueKeys)).
#[derive(Clone)]
pub struct Keys {
    signers: BTreeMap<Role, Arc<dyn Signer>>,
    others: Vec<(PublicKey, BTreeSet<Role>)>,
    /// Keys of others, which may begin the logs that this process goes on with.
    beginners: Vec<KeyId>,
    directory: Option<PathBuf>,
    /// Where the keys of hidden values lie, if elsewhere.
    values: Option<PathBuf>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("roles", &self.signers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Makes a key for every role in a new directory (mode 0700, files 0600), and opens it.
    ///
    /// # Errors
    /// [`KeysError::Exists`] if a key file is there already: nothing is ever overwritten.
    pub fn create(directory: impl AsRef<Path>) -> Result<Self, KeysError> {
        Self::create_for(directory, ALL)
    }

    /// Makes keys for some roles only, for a process that shall hold no others.
    ///
    /// # Errors
    /// As [`Keys::create`].
    pub fn create_for(
        directory: impl AsRef<Path>,
        roles: impl IntoIterator<Item = Role>,
    ) -> Result<Self, KeysError> {
        let directory = directory.as_ref();
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        if directory.exists() {
            check_directory(directory)?;
            for role in &roles {
                let path = file_of(directory, *role);
                if path.exists() {
                    return Err(KeysError::Exists { path });
                }
            }
            write_secrets(directory, &roles)?;
        } else {
            create_whole(directory, &roles)?;
        }
        Self::open(directory)
    }

    /// Reads the keys of a directory; the roles are those whose files are there.
    ///
    /// ```
    /// use countersign::Keys;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let directory = folder.path().join("audit.keys");
    /// let hint = Keys::open(&directory).unwrap_err().to_string();
    /// assert!(hint.ends_with("is missing, so it holds no key: make some with `Keys::create`"));
    ///
    /// Keys::create(&directory)?; // once
    /// Keys::open(&directory)?; // at every later start
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`KeysError::Mode`] if others could read a key or replace one, [`KeysError::Malformed`] for a damaged file,
    /// [`KeysError::None`] if there is no key at all, [`KeysError::Missing`] if there is no directory either.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, KeysError> {
        let directory = directory.as_ref();
        check_directory(directory).map_err(|error| match error {
            KeysError::Io { path, source } if source.kind() == ErrorKind::NotFound => {
                KeysError::Missing { path }
            }
            other => other,
        })?;
        let mut signers: BTreeMap<Role, Arc<dyn Signer>> = BTreeMap::new();
        for role in ALL {
            let path = file_of(directory, role);
            match read_secret(&path) {
                Ok(secret) => {
                    signers.insert(role, Arc::new(secret));
                }
                Err(KeysError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Err(other) => return Err(other),
            }
        }
        if signers.is_empty() {
            return Err(KeysError::None {
                path: directory.to_path_buf(),
            });
        }
        Ok(Self {
            signers,
            others: Vec::new(),
            beginners: Vec::new(),
            directory: Some(directory.to_path_buf()),
            values: None,
        })
    }

    /// Makes a key for every role that is written nowhere, for a log in memory that nobody is to rely on.
    ///
    /// They are gone with the process. A log in a file that they begin cannot be gone on with: the next process has other keys, and
    /// is refused.
    ///
    /// ```
    /// use countersign::{Countersign, Keys, MemoryStore, RuleSet, StaticDirectory};
    ///
    /// # futures::executor::block_on(async {
    /// let rules = RuleSet::from_toml("version = 1\nrules = []")?;
    /// let people = StaticDirectory::builder().build()?;
    /// let tried = Countersign::open(MemoryStore::new(), Keys::ephemeral()?, rules, people).await?;
    /// tried.close().await;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`KeysError::NoEntropy`] if the system gives no random bytes.
    pub fn ephemeral() -> Result<Self, KeysError> {
        let mut signers: BTreeMap<Role, Arc<dyn Signer>> = BTreeMap::new();
        for role in ALL {
            let secret = SecretKey::generate().map_err(|_| KeysError::NoEntropy)?;
            signers.insert(role, Arc::new(secret));
        }
        Ok(Self {
            signers,
            others: Vec::new(),
            beginners: Vec::new(),
            directory: None,
            values: None,
        })
    }

    /// Signs for `role` with a signer of the host's own (a hardware module, another implementation of Ed25519).
    #[must_use]
    pub fn with_signer(mut self, role: Role, signer: Arc<dyn Signer>) -> Self {
        self.signers.insert(role, signer);
        self
    }

    /// Leaves out a role, so that this process cannot sign for it.
    #[must_use]
    pub fn without(mut self, role: Role) -> Self {
        self.signers.remove(&role);
        self
    }

    /// Names a public key of another process in the genesis of a log that these keys begin.
    ///
    /// Such a key may sign in the log what its roles allow; it may not begin one in our name, see [`Keys::begun_by`].
    #[must_use]
    pub fn naming(mut self, key: PublicKey, roles: impl IntoIterator<Item = Role>) -> Self {
        self.others.push((key, roles.into_iter().collect()));
        self
    }

    /// Takes the logs that this key of another process began for ours, besides those that our own keys began.
    ///
    /// Whoever can write the store's files can write a genesis that names our public keys, and keys of his own beside
    /// them, so a log is opened only if one of our keys, or one that is named here, signed its genesis. A desk that runs
    /// apart names a key of the process that begins the log:
    ///
    /// ```
    /// # use countersign::{Keys, log::Role};
    /// # let folder = tempfile::tempdir()?;
    /// # let (gate, desk) = (folder.path().join("gate.keys"), folder.path().join("desk.keys"));
    /// let desk = Keys::create_for(desk, [Role::Desk, Role::Checkpoint])?;
    /// let mut gate = Keys::create_for(gate, [Role::Gate, Role::Checkpoint])?;
    /// for (key, roles) in desk.public() {
    ///     gate = gate.naming(key, roles); // what the genesis says
    /// }
    /// let began = gate.signer(Role::Gate).expect("made above").public().clone();
    /// let desk = desk.begun_by(began); // whose genesis counts
    /// let desk = desk.with_value_keys_in(folder.path().join("gate.keys")); // and whose hidden values it reads
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn begun_by(mut self, key: PublicKey) -> Self {
        self.beginners.push(key.id());
        self
    }

    /// Whether a genesis with a signature by this key begins a log of ours.
    pub(super) fn may_begin(&self, key: &KeyId) -> bool {
        let own = self.signers.values().map(|signer| signer.public().id());
        own.chain(self.beginners.iter().copied())
            .any(|id| id == *key)
    }

    /// Keeps the keys of hidden values in another directory than the signing keys, which is there already.
    ///
    /// All processes of one log need the same. A desk that holds its own signing keys names the directory of the process that began the
    /// log; where the two are different users of one group, one that the group may write (mode 0770 or 2770). It must not lie where
    /// copies of the store are kept: whoever has both has the values.
    #[must_use]
    pub fn with_value_keys_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.values = Some(directory.into());
        self
    }

    /// Where the keys of hidden values lie; nowhere if the signing keys lie nowhere either.
    pub(super) fn value_keys(&self) -> Option<&Path> {
        self.values.as_deref().or(self.directory())
    }

    /// The keys of the hidden values of a log, for whoever reads it with [`Unsealed`](crate::values::Unsealed); `None` if it keeps
    /// them in clear.
    ///
    /// # Errors
    /// [`ValueKeysError`] if the file is there and cannot be used.
    pub fn values_of(&self, log: LogId) -> Result<Option<ValueKeys>, ValueKeysError> {
        let Some(directory) = self.value_keys() else {
            return Ok(None);
        };
        match ValueKeys::read(path_in(directory, log)) {
            Err(ValueKeysError::Missing { .. }) => Ok(None),
            read => read.map(Some),
        }
    }

    /// Where the keys lie.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The signer for a role, where this process holds one.
    #[must_use]
    pub fn signer(&self, role: Role) -> Option<&Arc<dyn Signer>> {
        self.signers.get(&role)
    }

    /// Every public key with its roles, own and named, as a genesis lists them.
    #[must_use]
    pub fn public(&self) -> Vec<(PublicKey, BTreeSet<Role>)> {
        let mut all: Vec<(PublicKey, BTreeSet<Role>)> = Vec::new();
        let own = self
            .signers
            .iter()
            .map(|(role, signer)| (signer.public().clone(), BTreeSet::from([*role])));
        for (key, roles) in own.chain(self.others.iter().cloned()) {
            match all.iter_mut().find(|(known, _)| *known == key) {
                Some((_, held)) => held.extend(roles),
                None => all.push((key, roles)),
            }
        }
        all
    }

    /// What an auditor has to be given, by a way that does not lead through the log.
    #[must_use]
    pub fn trusted(&self) -> TrustedKeys {
        let mut trusted = TrustedKeys::new();
        for (key, roles) in self.public() {
            let name = roles
                .iter()
                .map(|role| role.as_str())
                .collect::<Vec<_>>()
                .join("-");
            let named = KeyName::new(name).map(|name| VerifierKey::new(name, key));
            // Role names make good key names, and `public` lists no key twice.
            let added = named.map(|key| trusted.add(key, roles));
            debug_assert!(matches!(added, Ok(Ok(()))));
        }
        trusted
    }
}

/// Makes a directory with keys that has its name once all are in it: nobody opens half of it, whenever this ends.
fn create_whole(directory: &Path, roles: &BTreeSet<Role>) -> Result<(), KeysError> {
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut mark = [0_u8; 8];
    getrandom::fill(&mut mark).map_err(|_| KeysError::NoEntropy)?;
    let mut name = directory.as_os_str().to_owned();
    name.push(format!(".{:016x}", u64::from_be_bytes(mark)));
    let unnamed = PathBuf::from(name);
    let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    make(&unnamed).map_err(|source| KeysError::io(directory, source))?;
    let made = write_secrets(&unnamed, roles).and_then(|()| {
        fs::rename(&unnamed, directory).map_err(|source| match source.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => KeysError::Exists {
                path: directory.to_path_buf(),
            },
            _ => KeysError::io(directory, source),
        })
    });
    if made.is_err() {
        // It holds keys that nobody has used yet.
        let _ = fs::remove_dir_all(&unnamed);
    }
    made?;
    sync_directory(parent)
}

fn write_secrets(directory: &Path, roles: &BTreeSet<Role>) -> Result<(), KeysError> {
    for role in roles {
        let secret = SecretKey::generate().map_err(|_| KeysError::NoEntropy)?;
        write_secret(&file_of(directory, *role), &secret)?;
    }
    sync_directory(directory)
}

/// Writes a secret into a new file, onto the disk; its name is on the disk once the directory is.
pub(super) fn write_secret(path: &Path, secret: &SecretKey) -> Result<(), KeysError> {
    let seed = secret.to_seed();
    let line = Zeroizing::new(format!(
        "{HEADER}{}\n",
        &*Zeroizing::new(Base64::encode_string(&*seed))
    ));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => KeysError::Exists {
                path: path.to_path_buf(),
            },
            _ => KeysError::io(path, source),
        })?;
    file.write_all(line.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|source| KeysError::io(path, source))
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), KeysError> {
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(|source| KeysError::io(directory, source))
}

pub(super) fn file_of(directory: &Path, role: Role) -> PathBuf {
    directory.join(format!("{role}.key"))
}

pub(super) fn check_directory(directory: &Path) -> Result<(), KeysError> {
    let metadata = fs::metadata(directory).map_err(|source| KeysError::io(directory, source))?;
    if !metadata.is_dir() {
        return Err(KeysError::NotADirectory {
            path: directory.to_path_buf(),
        });
    }
    // Whoever may write here may replace a key by one of his own.
    refuse_mode(directory, metadata.mode(), 0o022)
}

fn refuse_mode(path: &Path, mode: u32, forbidden: u32) -> Result<(), KeysError> {
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(KeysError::Mode {
        path: path.to_path_buf(),
        mode: mode & 0o7777,
    })
}

pub(super) fn read_secret(path: &Path) -> Result<SecretKey, KeysError> {
    let mut file = File::open(path).map_err(|source| KeysError::io(path, source))?;
    let metadata = file
        .metadata()
        .map_err(|source| KeysError::io(path, source))?;
    refuse_mode(path, metadata.mode(), 0o077)?;
    let malformed = || KeysError::Malformed {
        path: path.to_path_buf(),
    };
    let mut text = Zeroizing::new(String::with_capacity(128));
    Read::by_ref(&mut file)
        .take(256)
        .read_to_string(&mut text)
        .map_err(|source| KeysError::io(path, source))?;
    let encoded = text
        .strip_prefix(HEADER)
        .and_then(|rest| rest.strip_suffix('\n'))
        .ok_or_else(malformed)?;
    let mut seed = Zeroizing::new([0_u8; 32]);
    let decoded = Base64::decode(encoded, &mut *seed).map_err(|_| malformed())?;
    if decoded.len() != 32 {
        return Err(malformed());
    }
    Ok(SecretKey::from_seed(&seed))
}

/// Why keys could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// A key file is there already.
    #[error("`{}` exists: keys are never overwritten; choose another directory or open this one", path.display())]
    Exists {
        /// The file that is in the way.
        path: PathBuf,
    },
    /// The directory holds no key.
    #[error("`{}` holds no key: make some with `Keys::create`", path.display())]
    None {
        /// The directory.
        path: PathBuf,
    },
    /// There is no such directory.
    #[error("`{}` is missing, so it holds no key: make some with `Keys::create`", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// The path is not a directory.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else could read a key, or put another in its place.
    #[error("`{}` has mode {mode:04o}: make it 0700 (the directory) or 0600 (a key)", path.display())]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file is damaged.
    #[error("`{}` is not a key file of this library: restore it from its backup", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("the system's random source failed")]
    NoEntropy,
    /// A file could not be read or written.
    #[error("`{}` could not be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl KeysError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

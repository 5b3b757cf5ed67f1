//! The file of the keys of one log's hidden values.
//!
//! It is written when the log is begun, and again at each erasure: whole, under another name, on the disk, and then renamed. What was
//! there before is overwritten with zeros. An erasure has the name `<file>.next` from before its record is committed until after, so
//! that whoever finds it knows what was on its way.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use crate::action::{Disclosure, DisclosureDigest};
use crate::canonical::Digest;
use crate::log::{LogId, Sealed, Seq};

use super::tree::{HEIGHT, Node, NotOpened, Secret, Tree};

const HEADER: &str = "countersign-value-keys v1 ";
/// How often a file that is being replaced is read again.
const ROUNDS: usize = 16;

/// The keys of the hidden values of one log.
///
/// The file `<log id>.values` lies in the key directory of the process that began the log
/// ([`Keys::with_value_keys_in`](crate::ledger::Keys::with_value_keys_in) names another). Whoever has it, and the store, reads the values
/// that were not erased. Without it the log verifies as before and its hidden values are lost, so keep a copy, elsewhere than
/// those of the store, and **replace the copy after each erasure**: an older one still has the keys that were destroyed.
pub struct ValueKeys {
    log: LogId,
    tree: Mutex<Tree>,
}

/// An erasure whose record may or may not have been committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The record that says so has at least this number.
    pub(crate) since: u64,
    /// A digest that it names.
    pub(crate) digest: DisclosureDigest,
}

/// Where the keys of a log lie in a directory.
pub(crate) fn path_in(directory: &Path, log: LogId) -> PathBuf {
    directory.join(format!("{log}.values"))
}

impl std::fmt::Debug for ValueKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueKeys")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

impl ValueKeys {
    /// Reads a file of keys, and changes nothing.
    ///
    /// # Errors
    /// [`ValueKeysError`] if there is none, if others may read it, or if it is damaged.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ValueKeysError> {
        read(path.as_ref()).map(|read| read.keys)
    }

    /// Makes the keys of a log that is about to begin, unless somebody has made them already.
    pub(crate) fn begin(path: &Path, log: LogId) -> Result<(), ValueKeysError> {
        let mode = mode_beside(path)?;
        let lock = open_lock(path, mode)?;
        lock.lock()
            .map_err(|source| ValueKeysError::io(path, source))?;
        if path
            .try_exists()
            .map_err(|source| ValueKeysError::io(path, source))?
        {
            return Ok(());
        }
        let mut secret = Secret([0; 32]);
        getrandom::fill(&mut secret.0).map_err(|_| ValueKeysError::NoEntropy)?;
        write(&part(path), mode, log, &Tree::whole(secret), None)?;
        rename(&part(path), path)
    }

    /// Whose values these are the keys of.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.log
    }

    /// Opens what the store keeps under a record.
    ///
    /// # Errors
    /// [`NotOpened`] says whether its key was destroyed or it is not what was sealed.
    pub fn open(&self, seq: Seq, sealed: &Sealed) -> Result<Disclosure, NotOpened> {
        self.tree().open(self.log, seq, sealed)
    }

    /// Seals a disclosure of a record; `None` if its key was destroyed.
    pub(crate) fn seal(&self, seq: Seq, disclosure: &Disclosure) -> Option<Sealed> {
        self.tree().seal(self.log, seq, disclosure)
    }

    fn tree(&self) -> std::sync::MutexGuard<'_, Tree> {
        // Every step on it is whole, whatever panicked elsewhere.
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one erasure that may be under way; while it lives, no other process begins one.
pub(crate) struct Erasing {
    path: PathBuf,
    mode: u32,
    log: LogId,
    tree: Tree,
    _lock: File,
}

impl Erasing {
    /// Takes the turn; `None` if somebody else has it.
    pub(crate) fn begin(path: &Path) -> Result<Option<Self>, ValueKeysError> {
        let mode = mode_beside(path)?;
        let lock = open_lock(path, mode)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(ValueKeysError::io(path, source)),
        }
        // Keys that are destroyed later may stand in what a run left behind that was cut short.
        wipe(&part(path))?;
        let ValueKeys { log, tree } = ValueKeys::read(path)?;
        Ok(Some(Self {
            path: path.to_path_buf(),
            mode,
            log,
            tree: tree.into_inner().unwrap_or_else(PoisonError::into_inner),
            _lock: lock,
        }))
    }

    /// Whether something of an erasure lies here, of one that was cut short or is under way.
    pub(crate) fn is_left(path: &Path) -> Result<bool, ValueKeysError> {
        let there = |path: PathBuf| {
            path.try_exists()
                .map_err(|source| ValueKeysError::io(&path, source))
        };
        Ok(there(next(path))? || there(part(path))?)
    }

    /// An erasure that was cut short before.
    pub(crate) fn pending(&self) -> Result<Option<Pending>, ValueKeysError> {
        match read(&next(&self.path)) {
            Ok(read) => Ok(read.last),
            Err(ValueKeysError::Missing { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Writes down what will be left without the keys of some values, so that the rest can be done whatever happens.
    ///
    /// Of each record that loses some: these, and all that it hides.
    pub(crate) fn prepare<'d>(
        &self,
        values: impl IntoIterator<Item = (Seq, &'d [DisclosureDigest], &'d [DisclosureDigest])>,
        pending: Pending,
    ) -> Result<(), ValueKeysError> {
        let mut left = self.tree.clone();
        for (seq, gone, kept) in values {
            left.destroy(seq.get(), gone, kept);
        }
        let part = part(&self.path);
        write(&part, self.mode, self.log, &left, Some(pending))?;
        rename(&part, &next(&self.path))
    }

    /// Destroys the keys: its record is committed.
    pub(crate) fn finish(&self) -> Result<(), ValueKeysError> {
        rename(&next(&self.path), &self.path)
    }

    /// Forgets the erasure: its record was not committed.
    pub(crate) fn abandon(&self) -> Result<(), ValueKeysError> {
        wipe(&next(&self.path))
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn next(path: &Path) -> PathBuf {
    beside(path, ".next")
}

fn part(path: &Path) -> PathBuf {
    beside(path, ".part")
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// The permission bits of a file here: the group's as well, if the directory is one for the group.
fn mode_beside(path: &Path) -> Result<u32, ValueKeysError> {
    let directory = directory_of(path);
    let metadata =
        fs::metadata(directory).map_err(|source| ValueKeysError::io(directory, source))?;
    refuse_mode(directory, metadata.mode(), 0o002)?;
    let shared = metadata.mode() & 0o070 == 0o070;
    Ok(if shared { 0o660 } else { 0o600 })
}

fn refuse_mode(path: &Path, mode: u32, forbidden: u32) -> Result<(), ValueKeysError> {
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(ValueKeysError::Mode {
        path: path.to_path_buf(),
        mode: mode & 0o7777,
    })
}

fn open_lock(path: &Path, mode: u32) -> Result<File, ValueKeysError> {
    let lock = beside(path, ".lock");
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .open(&lock)
        .map_err(|source| ValueKeysError::io(&lock, source))
}

/// Writes keys into a new file, onto the disk.
fn write(
    path: &Path,
    mode: u32,
    log: LogId,
    tree: &Tree,
    last: Option<Pending>,
) -> Result<(), ValueKeysError> {
    wipe(path)?;
    let text = encode(log, tree, last);
    let io = |source| ValueKeysError::io(path, source);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io)?;
    file.set_permissions(fs::Permissions::from_mode(mode))
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .map_err(io)
}

/// Puts a file in the place of another, durably, and overwrites that one.
fn rename(from: &Path, to: &Path) -> Result<(), ValueKeysError> {
    let io = |source| ValueKeysError::io(to, source);
    let before = match OpenOptions::new().write(true).open(to) {
        Ok(file) => Some(file),
        Err(source) if source.kind() == ErrorKind::NotFound => None,
        Err(source) => return Err(io(source)),
    };
    fs::rename(from, to).map_err(io)?;
    sync_directory(to)?;
    before.map_or(Ok(()), |file| overwrite(file).map_err(io))
}

/// Overwrites and removes a file that may be there, durably.
fn wipe(path: &Path) -> Result<(), ValueKeysError> {
    let io = |source| ValueKeysError::io(path, source);
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => overwrite(file).map_err(io)?,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(io(source)),
    }
    fs::remove_file(path).map_err(io)?;
    sync_directory(path)
}

fn overwrite(mut file: File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> Result<(), ValueKeysError> {
    let directory = directory_of(path);
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(|source| ValueKeysError::io(directory, source))
}

struct Contents {
    keys: ValueKeys,
    last: Option<Pending>,
}

/// Reads the file that has the name now: while one is replaced, the one before turns to zeros.
fn read(path: &Path) -> Result<Contents, ValueKeysError> {
    let io = |source| ValueKeysError::io(path, source);
    for _ in 0..ROUNDS {
        let mut file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        refuse_mode(path, metadata.mode(), !mode_beside(path)? & 0o777)?;
        let mut text = Zeroizing::new(String::with_capacity(
            usize::try_from(metadata.len()).unwrap_or(0) + 1,
        ));
        file.read_to_string(&mut text).map_err(io)?;
        if let Some(read) = decode(&text) {
            return Ok(read);
        }
        let now = fs::metadata(path).map_err(io)?;
        if (now.dev(), now.ino()) == (metadata.dev(), metadata.ino()) {
            break;
        }
    }
    Err(ValueKeysError::Damaged {
        path: path.to_path_buf(),
    })
}

fn encode(log: LogId, tree: &Tree, last: Option<Pending>) -> Zeroizing<String> {
    // Room for all of it, so that no part stays behind in memory as it grows.
    let many = tree.nodes.len() + tree.single.len() + 1;
    let mut rest = Zeroizing::new(String::with_capacity(many * 128));
    match last {
        Some(Pending { since, digest }) => rest.push_str(&format!("last {since} {digest}\n")),
        None => rest.push_str("last none\n"),
    }
    let mut push = |words: String, secret: &Secret| {
        rest.push_str(&words);
        rest.push_str(&Zeroizing::new(Base64::encode_string(&secret.0)));
        rest.push('\n');
    };
    for node in tree.nodes.values() {
        let Node {
            first,
            height,
            secret,
        } = node;
        push(format!("node {first} {height} "), secret);
    }
    for ((seq, digest), secret) in &tree.single {
        let digest = DisclosureDigest::from_digest(Digest::from_bytes(*digest));
        push(format!("value {seq} {digest} "), secret);
    }
    let digest = Digest::sha256(rest.as_bytes()).to_hex();
    let mut text = Zeroizing::new(String::with_capacity(rest.len() + 256));
    text.push_str(&format!("{HEADER}{log}\nsha256 {digest}\n"));
    text.push_str(&rest);
    text
}

fn decode(text: &str) -> Option<Contents> {
    let (header, after) = text.split_once('\n')?;
    let log = LogId::parse(header.strip_prefix(HEADER)?).ok()?;
    let (digest, rest) = after.split_once('\n')?;
    if digest.strip_prefix("sha256 ")? != Digest::sha256(rest.as_bytes()).to_hex() {
        return None;
    }
    let (last, lines) = rest.split_once('\n')?;
    let last = match last.strip_prefix("last ")? {
        "none" => None,
        pending => {
            let (since, digest) = pending.split_once(' ')?;
            Some(Pending {
                since: since.parse().ok()?,
                digest: DisclosureDigest::parse(digest).ok()?,
            })
        }
    };
    let (mut nodes, mut single) = (BTreeMap::new(), BTreeMap::new());
    for line in lines.lines() {
        let mut words = line.split(' ');
        let (what, seq, which) = (words.next()?, words.next()?, words.next()?);
        let seq: u64 = seq.parse().ok()?;
        let secret = secret(words.next()?)?;
        match what {
            "node" => {
                let height = which.parse().ok().filter(|height| *height <= HEIGHT)?;
                let node = Node {
                    first: seq,
                    height,
                    secret,
                };
                nodes.insert(seq, node);
            }
            "value" => {
                let digest = DisclosureDigest::parse(which).ok()?;
                single.insert((seq, *digest.as_digest().as_bytes()), secret);
            }
            _ => return None,
        }
    }
    let tree = Mutex::new(Tree::of(nodes, single));
    Some(Contents {
        keys: ValueKeys { log, tree },
        last,
    })
}

fn secret(text: &str) -> Option<Secret> {
    let mut secret = Secret([0; 32]);
    let decoded = Base64::decode(text, &mut secret.0).ok()?;
    (decoded.len() == 32).then_some(())?;
    Some(secret)
}

/// Why the keys of hidden values could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueKeysError {
    /// There is no such file.
    #[error("`{}` is missing: without it the hidden values of the log cannot be read; put it back from its copy", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Somebody else could read it, or put another in its place.
    #[error("`{}` has mode {mode:04o}: make it 0700 (the directory) or 0600 (the file)", path.display())]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no file of keys.
    #[error("`{}` is damaged: put it back from its copy", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It is that of another log.
    #[error("`{}` has the keys of the log {found}, and this is the log {log}", path.display())]
    AnotherLog {
        /// The file.
        path: PathBuf,
        /// Whose keys it has.
        found: LogId,
        /// The log.
        log: LogId,
    },
    /// The system gave no random bytes.
    #[error("the system's random source failed")]
    NoEntropy,
    /// A file could not be read or written.
    #[error("`{}` could not be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl ValueKeysError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io { path, source },
        }
    }
}

//! Putting a new key in the place of one in a key directory, so that another run goes on wherever one is cut short.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::log::{Role, SecretKey, Signer};

use super::KeysError;
use super::keys::{check_directory, file_of, read_secret, sync_directory, write_secret};

/// A key of a directory that is to go, and the one that takes its place.
///
/// The new secret lies in `<role>.key.next`, whole and on the disk, before anything is told of it; [`Rotation::finish`] renames it over the old one.
/// In between the log has to name it ([`Operator::rotate_key`](crate::host::Operator::rotate_key)). A run that was cut short leaves
/// `<role>.key.next` behind, and the next one takes it up: whether the log names that key already says what is left to do.
///
/// While it lives no other process rotates a key of this directory.
#[derive(Debug)]
pub struct Rotation {
    directory: PathBuf,
    role: Role,
    old: Arc<SecretKey>,
    next: Arc<SecretKey>,
    taken_up: bool,
    /// Locked until it is closed.
    _lock: File,
}

impl Rotation {
    /// Makes the key that is to come, or takes up the one that an earlier run left behind.
    ///
    /// # Errors
    /// [`KeysError`] as [`Keys::open`](super::Keys::open) has it, and [`KeysError::None`] if the directory has no key for this role.
    pub fn begin(directory: impl AsRef<Path>, role: Role) -> Result<Self, KeysError> {
        let directory = directory.as_ref().to_path_buf();
        check_directory(&directory)?;
        let lock = File::open(&directory)
            .and_then(|handle| handle.lock().map(|()| handle))
            .map_err(|source| KeysError::io(&directory, source))?;
        let old = read_secret(&file_of(&directory, role)).map_err(|error| match error {
            KeysError::Io { path, source } if source.kind() == ErrorKind::NotFound => {
                KeysError::None { path }
            }
            other => other,
        })?;
        let waiting = next_of(&directory, role);
        let (next, taken_up) = match read_secret(&waiting) {
            Ok(next) => (next, true),
            Err(KeysError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                (make(&waiting)?, false)
            }
            Err(other) => return Err(other),
        };
        // An earlier run may have been cut off before its name was on the disk.
        sync_directory(&directory)?;
        Ok(Self {
            directory,
            role,
            old: Arc::new(old),
            next: Arc::new(next),
            taken_up,
            _lock: lock,
        })
    }

    /// The key that goes.
    #[must_use]
    pub fn old(&self) -> Arc<dyn Signer> {
        Arc::clone(&self.old) as Arc<dyn Signer>
    }

    /// The key that comes.
    #[must_use]
    pub fn next(&self) -> Arc<dyn Signer> {
        Arc::clone(&self.next) as Arc<dyn Signer>
    }

    /// Whether an earlier run made the key that comes.
    #[must_use]
    pub const fn is_taken_up(&self) -> bool {
        self.taken_up
    }

    /// Puts the new key in the place of the old one, which is gone then.
    ///
    /// To be called once the log names the new key, and not before: the old one is all that the log knows until then.
    ///
    /// # Errors
    /// [`KeysError::Io`]; another run finishes it.
    pub fn finish(self) -> Result<(), KeysError> {
        let file = file_of(&self.directory, self.role);
        fs::rename(next_of(&self.directory, self.role), &file)
            .map_err(|source| KeysError::io(&file, source))?;
        sync_directory(&self.directory)
    }
}

fn next_of(directory: &Path, role: Role) -> PathBuf {
    directory.join(format!("{role}.key.next"))
}

/// Makes a secret whose file has its name once it is whole: half a one under that name would be a key that was lost.
fn make(path: &Path) -> Result<SecretKey, KeysError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    // Nobody has been told of what an earlier run left in it.
    match fs::remove_file(&unfinished) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            return Err(KeysError::io(&unfinished, source));
        }
        _ => {}
    }
    let secret = SecretKey::generate().map_err(|_| KeysError::NoEntropy)?;
    write_secret(&unfinished, &secret)?;
    fs::rename(&unfinished, path).map_err(|source| KeysError::io(path, source))?;
    Ok(secret)
}

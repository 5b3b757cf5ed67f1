//! Files of an open log that others than whoever runs it may write.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Shared, lock};

/// Anybody on the machine may write it.
const EVERYBODY: u32 = 0o002;
/// The members of its group may write it.
const GROUP: u32 = 0o020;
/// In a directory with this bit nobody renames or removes what belongs to others.
const STICKY: u32 = 0o1000;

/// A file or directory of a log that others may write, or that is somebody else's.
///
/// Whoever may write the store cannot forge a record, and can destroy all of them; whoever may write the head file can hide that the
/// log was set back; whoever may write a directory can put other files in place of those in it. So the agent, and what it starts, must
/// run as a user who may do neither. Keys that others can write are not opened at all, see
/// [`KeysError::Mode`](super::KeysError::Mode).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The file or directory, without symbolic links.
    pub path: PathBuf,
    /// What lies there.
    pub what: ExposedPart,
    /// Who may write it.
    pub to: ExposedTo,
}

/// What of a log others may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExposedPart {
    /// The database.
    Store,
    /// The directory of the database.
    StoreDirectory,
    /// The head file, which notices a rollback.
    HeadFile,
    /// The directory of the head file.
    HeadFileDirectory,
    /// The directory that the key directory lies in.
    AboveKeys,
}

/// Who else may write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExposedTo {
    /// Any user of the machine.
    Everybody,
    /// The members of the group with this number. A store that several users share on purpose is such a one.
    Group(u32),
    /// The user with this number, whose it is, and who is not the one who has the keys.
    Owner(u32),
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            ExposedPart::Store => "the store",
            ExposedPart::StoreDirectory => "the directory of the store",
            ExposedPart::HeadFile => "the head file",
            ExposedPart::HeadFileDirectory => "the directory of the head file",
            ExposedPart::AboveKeys => "the directory above the keys",
        };
        let path = self.path.display();
        match self.to {
            ExposedTo::Everybody => {
                write!(f, "everybody on this machine may write {what}, `{path}`")
            }
            ExposedTo::Group(group) => {
                write!(f, "the group {group} may write {what}, `{path}`")
            }
            ExposedTo::Owner(owner) => write!(
                f,
                "{what}, `{path}`, belongs to the user {owner}, who is not the one who has the keys"
            ),
        }
    }
}

impl Shared {
    /// What others may write, as it is now.
    pub(crate) fn exposed(&self) -> Vec<Exposed> {
        let database = self.store.guarantees().database;
        let keys = self
            .keys
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .directory()
            .map(Path::to_path_buf);
        let head = self.head_file.as_ref();
        let head = head.map(|file| lock(file).path().to_path_buf());
        let found = |path: Option<PathBuf>| path.and_then(|path| fs::canonicalize(path).ok());
        let (database, keys, head) = (found(database), found(keys), found(head));
        let above = |path: &Option<PathBuf>| {
            path.as_deref()
                .and_then(Path::parent)
                .map(Path::to_path_buf)
        };
        let owner = keys.as_deref().and_then(owner_of);
        let places = [
            (ExposedPart::StoreDirectory, above(&database)),
            (ExposedPart::Store, database),
            (ExposedPart::HeadFileDirectory, above(&head)),
            (ExposedPart::HeadFile, head),
            (ExposedPart::AboveKeys, above(&keys)),
        ];
        let mut exposed: Vec<Exposed> = Vec::new();
        for (what, path) in places {
            let Some(path) = path else { continue };
            // Store and head file mostly lie in one directory.
            if exposed.iter().any(|one| one.path == path) {
                continue;
            }
            if let Some(to) = exposed_to(&path, owner) {
                exposed.push(Exposed { path, what, to });
            }
        }
        exposed
    }

    /// Says so where nobody can have meant it.
    pub(super) fn warn_of_exposed(&self) {
        for exposed in self.exposed() {
            if exposed.to == ExposedTo::Everybody || exposed.what == ExposedPart::HeadFile {
                tracing::warn!("{exposed}");
            }
        }
    }
}

fn owner_of(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.uid())
}

fn exposed_to(path: &Path, keys: Option<u32>) -> Option<ExposedTo> {
    let found = fs::metadata(path).ok()?;
    let mode = found.mode();
    // What one may not rename or remove, one may not replace.
    let guarded = found.is_dir() && mode & STICKY != 0;
    if mode & EVERYBODY != 0 && !guarded {
        return Some(ExposedTo::Everybody);
    }
    if mode & GROUP != 0 && !guarded {
        return Some(ExposedTo::Group(found.gid()));
    }
    // The system's own user may do anything anyhow.
    let owner = found.uid();
    (owner != 0 && keys.is_some_and(|keys| keys != owner)).then_some(ExposedTo::Owner(owner))
}

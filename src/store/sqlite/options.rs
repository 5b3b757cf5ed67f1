use std::path::Path;
use std::time::Duration;

use super::super::error::StoreError;
use super::{SqliteStore, open};

/// How an SQLite store is made and opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    pub(super) shared_group: Sharing,
    pub(super) busy_timeout: Duration,
}

/// Which users may open a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sharing {
    /// The user who made it: files 0600, directories 0700.
    #[default]
    Private,
    /// The group as well: files 0660, directories 2770. The directory that the store stands in should be owned by that
    /// group and have its set-group-id bit set.
    Group,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            shared_group: Sharing::default(),
            busy_timeout: Duration::from_secs(10),
        }
    }
}

impl SqliteOptions {
    /// Who may open a store that is made with these options; an existing one stays as it was made.
    #[must_use]
    pub const fn with_shared_group(mut self, sharing: Sharing) -> Self {
        self.shared_group = sharing;
        self
    }

    /// How long to wait while a program other than this library keeps the file locked; 10 s unless said otherwise.
    #[must_use]
    pub const fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Makes a store in a file that must not be there yet.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] if something is there, or if the file system is a network one;
    /// [`StoreError::Unavailable`] if the file cannot be made.
    pub fn create(&self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        open::create(path.as_ref(), self, open::IfThere::Refuse)
    }

    /// Opens a store that is there.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] if the file is another program's, which is left as it was, or of a later version;
    /// [`StoreError::Corrupt`] if a table or one of the guards against forks is missing;
    /// [`StoreError::Unavailable`] if there is no such file or it cannot be opened.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        open::open(path.as_ref(), self)
    }

    /// Opens a store, or makes it where nothing is.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`create`](Self::create).
    pub fn open_or_create(&self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        open::create(path.as_ref(), self, open::IfThere::Open)
    }

    /// Opens a store for reading only, and makes no file, not even beside it.
    ///
    /// # Errors
    /// As [`open`](Self::open); and [`StoreError::NotAStore`] if the store was not closed and the file with SQLite's index of
    /// its unfinished work (`-shm`) is not beside it.
    pub fn open_read_only(&self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        open::open_read_only(path.as_ref(), self)
    }
}

//! Writers take turns: a lock on a file beside the database.
//!
//! SQLite lets a writer that finds the file locked sleep and try again, and of several busy processes some then never get
//! their turn. The kernel queues those who wait for a lock on a file.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use super::super::error::StoreError;

/// The lock file, opened.
#[derive(Debug)]
pub(super) struct Turns(File);

/// The right to write, until it is dropped.
pub(super) struct Turn<'t>(&'t File);

impl Turns {
    pub(super) const fn new(file: File) -> Self {
        Self(file)
    }

    /// Waits until nobody else writes.
    pub(super) fn take(&self) -> Result<Turn<'_>, StoreError> {
        retry_on_intr(|| flock(&self.0, FlockOperation::LockExclusive))
            .map_err(|error| StoreError::unavailable(std::io::Error::from(error)))?;
        Ok(Turn(&self.0))
    }

    /// `None` if somebody writes now, in this process or in another.
    pub(super) fn take_if_free(&self) -> Result<Option<Turn<'_>>, StoreError> {
        match flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Turn(&self.0))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StoreError::unavailable(std::io::Error::from(error))),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Err(error) = flock(self.0, FlockOperation::Unlock) {
            tracing::error!(%error, "the lock beside the store could not be released");
        }
    }
}

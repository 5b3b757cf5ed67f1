//! Connections for reading: each answer is read from one snapshot, and readers never hold up the writer.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::super::error::StoreError;
use super::codec::store_error;
use super::open::{ReadOnly, Site};

/// The most connections that are kept while nobody reads.
const KEPT: usize = 4;

/// Connections for reading, opened as they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    site: Site,
    /// How, if the whole store is read-only.
    read_only: Option<ReadOnly>,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) const fn new(site: Site, read_only: Option<ReadOnly>) -> Self {
        Self {
            site,
            read_only,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// A connection that is not in the pool.
    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        match &self.read_only {
            None => self.site.connect_to_read(),
            Some(how) => self.site.connect_read_only(how),
        }
    }

    /// The file of a read-only store, and what it must still look like.
    pub(super) fn file(&self) -> Option<(ReadOnly, PathBuf)> {
        let how = self.read_only.clone()?;
        Some((how, self.site.path.clone()))
    }

    /// Fails if what was read may be of two states, which only a read-only store can meet.
    pub(super) fn still(&self) -> Result<(), StoreError> {
        match &self.read_only {
            None => Ok(()),
            Some(how) => how.still(&self.site.path),
        }
    }

    /// Calls `read` in one snapshot.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let conn = self.take()?;
        begin_read(&conn)?;
        let answer = read(&conn);
        // A connection that cannot leave its snapshot is not kept.
        if end_read(&conn).is_ok() {
            self.keep(conn);
        }
        self.still()?;
        answer
    }

    /// Calls `read`, which runs one statement: that is a snapshot of its own.
    pub(super) fn read_once<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let conn = self.take()?;
        let answer = read(&conn);
        if answer.is_ok() {
            self.keep(conn);
        }
        self.still()?;
        answer
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.lock().pop();
        idle.map_or_else(|| self.connect(), Ok)
    }

    fn keep(&self, conn: Connection) {
        let mut idle = self.lock();
        if idle.len() < KEPT {
            idle.push(conn);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn begin_read(conn: &Connection) -> Result<(), StoreError> {
    conn.prepare_cached("BEGIN")
        .and_then(|mut begin| begin.execute([]))
        .map_err(store_error)?;
    Ok(())
}

fn end_read(conn: &Connection) -> rusqlite::Result<usize> {
    conn.prepare_cached("COMMIT")?.execute([])
}

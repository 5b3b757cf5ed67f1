use rusqlite::{Connection, ErrorCode};

use super::super::error::StoreError;
use super::codec::store_error;

/// A writing transaction that is rolled back unless it is committed.
pub(super) struct Transaction<'c> {
    conn: &'c Connection,
    open: bool,
}

impl<'c> Transaction<'c> {
    pub(super) fn begin(conn: &'c Connection) -> Result<Self, StoreError> {
        if !conn.is_autocommit() {
            // A roll-back that failed before; nothing can be written before it succeeds.
            conn.execute_batch("ROLLBACK").map_err(store_error)?;
        }
        conn.prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut begin| begin.execute([]))
            .map_err(store_error)?;
        Ok(Self { conn, open: true })
    }

    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        match self
            .conn
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]))
        {
            Ok(_) => {
                self.open = false;
                Ok(())
            }
            // No room for a frame of the write-ahead log: the one that says "committed" is the last of them and was not written whole.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                Err(StoreError::Full)
            }
            // The frame may be on the disk although its sync failed.
            Err(error) => Err(StoreError::indeterminate(error)),
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open
            && !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction of the store could not be rolled back");
        }
    }
}

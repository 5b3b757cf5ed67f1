//! A store in one SQLite file, for any number of processes on one machine.
//!
//! Beside the file `<database>` stand `<database>-wal` and `<database>-shm` (SQLite's), `<database>.lock` (writers take
//! turns by it) and the directory `<database>.run` (sockets and locks of the processes that have the store open).

mod append;
mod checkpointer;
mod codec;
mod find;
mod inodes;
mod instances;
mod listener;
mod open;
mod options;
mod outbox;
mod pool;
mod reader;
mod runtime;
mod schema;
mod tend;
mod transaction;
mod turns;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Poll;

use async_trait::async_trait;
use rusqlite::Connection;

use crate::clock::Bell;
use crate::log::{Head, Seq, StoredRecord};

use super::chore::{Chore, Tended};
use super::contract::{Durability, Guarantees, Reach, Store};
use super::error::StoreError;
use super::query::{Found, Query};
use super::step::{Committed, Step};
use checkpointer::Checkpointer;
use inodes::Inodes;
use instances::Instances;
use listener::{Bells, Listener};
use open::{ReadOnly, Site};
use pool::Pool;
use runtime::Runtime;
use transaction::Transaction;
use turns::{Turn, Turns};

pub use options::{Sharing, SqliteOptions};
pub use reader::SqliteReader;

/// A store in an SQLite file.
///
/// Every commit is synced to the disk before it is answered (write-ahead log, `synchronous=FULL`). Its futures do their work
/// when first polled. Reading never waits for writing.
pub struct SqliteStore {
    // Connections are closed in this order: the writer's last, since only it can leave one file behind instead of three.
    listener: Mutex<Option<Listener>>,
    pool: Pool,
    /// `None` for a store that is only read.
    writing: Option<Writing>,
    bells: Arc<Bells>,
    runtime: Arc<Runtime>,
    instances: Instances,
    site: Site,
}

struct Writing {
    checkpointer: Checkpointer,
    conn: Mutex<Connection>,
    turns: Turns,
    inodes: Inodes,
}

impl SqliteStore {
    /// Opens a store that is there; see [`SqliteOptions::open`].
    ///
    /// # Errors
    /// As [`SqliteOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::default().open(path)
    }

    /// Makes a store in a new file; see [`SqliteOptions::create`].
    ///
    /// # Errors
    /// As [`SqliteOptions::create`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::default().create(path)
    }

    /// Opens a store, or makes it where nothing is; see [`SqliteOptions::open_or_create`].
    ///
    /// # Errors
    /// As [`SqliteOptions::open_or_create`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::default().open_or_create(path)
    }

    /// Opens a store for reading only; see [`SqliteOptions::open_read_only`].
    ///
    /// # Errors
    /// As [`SqliteOptions::open_read_only`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::default().open_read_only(path)
    }

    /// The file, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.site.path
    }

    /// A snapshot of the log, to verify it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be read.
    pub fn log_reader(&self) -> Result<SqliteReader, StoreError> {
        SqliteReader::new(&self.pool)
    }

    fn assemble(site: Site, turns: Turns) -> Result<Self, StoreError> {
        let conn = site.connect()?;
        schema::check(&conn)?;
        let checkpointer = Checkpointer::start(site.connect()?).map_err(StoreError::unavailable)?;
        let pool = Pool::new(site.clone(), None);
        let inodes = Inodes::of(&site)?;
        Ok(Self::with(
            site,
            pool,
            Some(Writing {
                checkpointer,
                conn: Mutex::new(conn),
                turns,
                inodes,
            }),
        ))
    }

    fn assemble_read_only(site: Site, how: ReadOnly) -> Result<Self, StoreError> {
        let pool = Pool::new(site.clone(), Some(how));
        pool.read(schema::check)?;
        Ok(Self::with(site, pool, None))
    }

    fn with(site: Site, pool: Pool, writing: Option<Writing>) -> Self {
        Self {
            runtime: Arc::new(Runtime::new(&site)),
            site,
            writing,
            pool,
            bells: Arc::default(),
            instances: Instances::default(),
            listener: Mutex::new(None),
        }
    }

    fn writing(&self) -> Result<&Writing, StoreError> {
        self.writing
            .as_ref()
            .ok_or(StoreError::Unsupported("it was opened for reading only"))
    }

    fn append_in(&self, held: Held<'_>, step: Step) -> Result<Committed, StoreError> {
        let checkpointer = &held.writing.checkpointer;
        checkpointer.help(&held.conn);
        let batch = append::append(&held.conn, step)?;
        drop(held);
        checkpointer.wrote(&batch);
        self.bells.ring();
        self.runtime.ring_others();
        Ok(Committed { head: batch.head })
    }

    fn tend_now(&self, chore: Chore) -> Result<Tended, StoreError> {
        let writing = self.writing()?;
        if !self.pool.read(|conn| tend::worthwhile(conn, &chore))? {
            return Ok(Tended::Claimed(Vec::new()));
        }
        if let Chore::Scrub = chore {
            return tend::scrub(&writing.hold()?.conn);
        }
        if let Chore::PutInstance { instance, .. } = &chore {
            self.instances.hold(*instance, &self.runtime)?;
        }
        let dropped = match &chore {
            Chore::DropInstance(instance) => Some(*instance),
            _ => None,
        };
        let tended = {
            let held = writing.hold()?;
            let transaction = Transaction::begin(&held.conn)?;
            append::head_in_turn(&held.conn)?;
            let tended = tend::tend(&held.conn, chore)?;
            transaction.commit()?;
            tended
        };
        if let Some(instance) = dropped {
            self.instances.release(instance, &self.runtime);
        }
        Ok(tended)
    }

    /// Starts to listen; a store that cannot bind its socket looks once a second instead.
    fn listen(&self) -> Result<Listener, StoreError> {
        let socket = match &self.writing {
            None => None,
            Some(_) => self
                .runtime
                .bind()
                .inspect_err(|error| {
                    tracing::warn!(%error, "no socket for wake-ups; commits of other processes are noticed within a second");
                })
                .ok(),
        };
        let conn = self.pool.connect()?;
        Listener::start(socket, conn, &self.bells, &self.runtime).map_err(StoreError::unavailable)
    }
}

/// The connection and the turn of who writes now.
///
/// INVARIANT: the turn is given back before the connection. Locks on a file are not counted, so that whoever got the connection first
/// would have the turn taken away.
struct Held<'w> {
    writing: &'w Writing,
    _turn: Turn<'w>,
    conn: MutexGuard<'w, Connection>,
}

impl Writing {
    /// Waits for everybody who writes.
    fn hold(&self) -> Result<Held<'_>, StoreError> {
        // A panic leaves at most an open transaction, which the next one to begin rolls back.
        let conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.turns.take()?;
        self.held(turn, conn)
    }

    /// `None` if another writer would have to be waited for.
    fn hold_if_free(&self) -> Result<Option<Held<'_>>, StoreError> {
        let Some(conn) = self.conn_if_free() else {
            return Ok(None);
        };
        let turn = self.turns.take_if_free()?;
        turn.map(|turn| self.held(turn, conn)).transpose()
    }

    fn held<'w>(
        &'w self,
        turn: Turn<'w>,
        conn: MutexGuard<'w, Connection>,
    ) -> Result<Held<'w>, StoreError> {
        let held = Held {
            writing: self,
            _turn: turn,
            conn,
        };
        self.inodes.check()?;
        Ok(held)
    }

    fn conn_if_free(&self) -> Option<MutexGuard<'_, Connection>> {
        match self.conn.try_lock() {
            Ok(conn) => Some(conn),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn guarantees(&self) -> Guarantees {
        Guarantees {
            durability: Durability::Fsync,
            reach: Reach::Machine,
            database: Some(self.site.named.clone()),
        }
    }

    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.pool.read_once(append::head)
    }

    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        let writing = self.writing()?;
        if let Some(held) = writing.hold_if_free()? {
            return self.append_in(held, step);
        }
        // Whoever cannot have his thread held up by another writer polls once and sees that it is not ready.
        let mut seen = false;
        poll_fn(|context| {
            if std::mem::replace(&mut seen, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.append_in(writing.hold()?, step)
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        self.pool.read(|conn| find::read(conn, from, limit.get()))
    }

    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        if let Query::Versions(scopes) = &query
            && scopes.len() <= find::SCOPES
        {
            // Who wrote last has the pages at hand, which another connection would have to read again after each commit.
            let writer = self.writing.as_ref().map(|writing| writing.conn.try_lock());
            let versions = match writer {
                // A writer that panicked, or could not roll back, has left a transaction open.
                Some(Ok(conn)) if conn.is_autocommit() => find::versions(&conn, scopes),
                _ => self.pool.read_once(|conn| find::versions(conn, scopes)),
            };
            return versions.map(Found::Versions);
        }
        self.pool.read(|conn| match query {
            Query::Instances => self
                .instances
                .list(conn, &self.runtime)
                .map(Found::Instances),
            query => find::find(conn, query),
        })
    }

    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        self.tend_now(chore)
    }

    fn on_commit(&self, bell: Bell) {
        self.bells.add(bell);
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.is_none() {
            match self.listen() {
                Ok(started) => *listener = Some(started),
                Err(error) => {
                    tracing::error!(%error, "commits of other processes will not be noticed");
                }
            }
        }
        // What was committed before the listener was there.
        self.bells.ring();
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.site.path)
            .field("read_only", &self.writing.is_none())
            .finish_non_exhaustive()
    }
}

//! Moves committed pages from the write-ahead log into the database, off the path of a commit.
//!
//! A short log that is used again from its start makes for the quickest commits: a growing file needs more of the file
//! system at each sync. So the log is emptied often, by a thread of its own, while writers go on. Where they never pause,
//! the log has no moment at which all of it is moved; then the next writer moves the little that is left.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::super::step::Batch;

/// Pages that are written before the log is moved: 4 MiB.
const PAGES: u64 = 512;

/// Pages of the log from which on a writer helps: 8 MiB. A longer log makes each commit slower, a shorter one has the writer help
/// more often than once in a hundred commits.
const MANY_PAGES: i64 = 1024;

/// The thread, until it is dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// The log is long, and a writer should finish the work.
    help: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    written: u64,
    stop: bool,
}

impl Checkpointer {
    pub(super) fn start(conn: Connection) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("countersign-pages".to_owned())
            .spawn(move || {
                while theirs.wait() {
                    // What was written meanwhile is not counted, and only a log that is moved whole is used again.
                    if checkpoint(&conn).is_some_and(|log| log > MANY_PAGES) {
                        theirs.help.store(true, Ordering::Release);
                    }
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Tells of a commit.
    pub(super) fn wrote(&self, batch: &Batch) {
        let mut state = self.shared.lock();
        let before = state.written;
        state.written = before.saturating_add(pages(batch));
        if before < PAGES && state.written >= PAGES {
            self.shared.wake.notify_one();
        }
    }

    /// Finishes what the thread could not, for a writer that has its turn and has not begun.
    pub(super) fn help(&self, conn: &Connection) {
        if self.shared.help.swap(false, Ordering::AcqRel) {
            checkpoint(conn);
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that moves pages has panicked");
        }
    }
}

impl Shared {
    /// Waits for work; `false` at the end.
    fn wait(&self) -> bool {
        let idle = |state: &mut State| state.written < PAGES && !state.stop;
        let mut state = self
            .wake
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        state.written = 0;
        !state.stop
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many pages the log has; `None` if it did not work, which the next time mends.
fn checkpoint(conn: &Connection) -> Option<i64> {
    let done = conn
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")
        .and_then(|mut pragma| pragma.query_row([], |row| row.get(1)));
    match done {
        Ok(pages) => Some(pages),
        Err(error) => {
            tracing::warn!(%error, "pages of the write-ahead log could not be moved");
            None
        }
    }
}

/// About how many pages a commit writes.
fn pages(batch: &Batch) -> u64 {
    let bytes: usize = batch
        .records
        .iter()
        .map(|new| new.record.statement.len())
        .chain(batch.disclosures.iter().map(|(_, one)| one.size()))
        .sum();
    let rows = batch.records.len() + batch.rows.len() / 2;
    8 + rows as u64 + bytes as u64 / 8192
}

//! Hears of commits by other processes and rings this process's bells.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use crate::clock::Bell;

use super::runtime::Runtime;

/// How often the listener looks by itself, in case that nobody rang: a process of another user may be unable to.
const LOOK: Duration = Duration::from_secs(1);

/// Whom a commit wakes in this process.
#[derive(Debug, Default)]
pub(super) struct Bells(Mutex<Vec<Bell>>);

impl Bells {
    pub(super) fn add(&self, bell: Bell) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(bell);
    }

    pub(super) fn ring(&self) {
        for bell in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            bell.ring();
        }
    }
}

/// The thread that listens, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    stop: Arc<Stop>,
    runtime: Arc<Runtime>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    stopped: AtomicBool,
    bell: Bell,
}

impl Listener {
    /// Starts listening; commits from here on are heard.
    ///
    /// Without a socket, such as in a read-only store, the listener only looks.
    pub(super) fn start(
        socket: Option<UnixDatagram>,
        conn: Connection,
        bells: &Arc<Bells>,
        runtime: &Arc<Runtime>,
    ) -> io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let (bells, stopping) = (Arc::clone(bells), Arc::clone(&stop));
        if let Some(socket) = &socket {
            socket.set_read_timeout(Some(LOOK))?;
        }
        let mut seen = version(&conn);
        let thread = thread::Builder::new()
            .name("countersign-wake".to_owned())
            .spawn(move || {
                while !stopping.stopped.load(Ordering::Acquire) {
                    let rung = match &socket {
                        Some(socket) => rung(socket),
                        None => {
                            stopping.bell.wait(Some(LOOK));
                            false
                        }
                    };
                    let now = if rung { seen } else { version(&conn) };
                    if rung || now != seen || now.is_none() {
                        seen = now;
                        bells.ring();
                    }
                }
            })?;
        Ok(Self {
            stop,
            runtime: Arc::clone(runtime),
            thread: Some(thread),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.stopped.store(true, Ordering::Release);
        self.stop.bell.ring();
        self.runtime.ring_self();
        self.runtime.unbind();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that listens for commits has panicked");
        }
    }
}

fn rung(socket: &UnixDatagram) -> bool {
    match socket.recv(&mut [0; 8]) {
        Ok(_) => true,
        Err(error) => {
            let quiet = matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
            );
            if !quiet {
                // Do not spin on a socket that has broken.
                thread::park_timeout(LOOK);
            }
            false
        }
    }
}

/// A number that changes with every commit of another connection; `None` if it cannot be read, which counts as a change.
fn version(conn: &Connection) -> Option<i64> {
    conn.prepare_cached("PRAGMA data_version")
        .and_then(|mut select| select.query_row([], |row| row.get(0)))
        .ok()
}

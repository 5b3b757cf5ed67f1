//! How far long work is, for whoever sits at a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use countersign::clock::{Clock, SystemClock};

/// Work that takes less is not spoken of.
const QUIET: Duration = Duration::from_secs(1);
/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// A line on the standard error, if that is a terminal.
pub struct Progress {
    next: Option<Duration>,
    shown: bool,
}

impl Progress {
    pub fn new() -> Self {
        let there = io::stderr().is_terminal();
        Self {
            next: there.then(|| SystemClock.monotonic().saturating_add(QUIET)),
            shown: false,
        }
    }

    pub fn hear(&mut self, what: &str, records: u64) {
        let Some(next) = self.next else {
            return;
        };
        let now = SystemClock.monotonic();
        if now < next {
            return;
        }
        self.next = Some(now.saturating_add(EVERY));
        self.shown = true;
        let mut stderr = io::stderr();
        let _ = write!(stderr, "\r\x1b[K{what} {records} records").and_then(|()| stderr.flush());
    }
}

impl Drop for Progress {
    /// Takes the line away.
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

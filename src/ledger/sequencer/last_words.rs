//! What is still to be written for those who are gone, and what the close waits for.

use std::fmt;
use std::sync::Arc;

use super::super::Shared;

/// The right to have something written while the library closes; the close waits until it is given back.
pub(crate) struct LastWords(Arc<Shared>);

impl fmt::Debug for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastWords")
    }
}

impl LastWords {
    /// From here on the close waits, if it has not ended yet.
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        shared.sequencer.lock().speakers += 1;
        Self(Arc::clone(shared))
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let sequencer = &self.0.sequencer;
        sequencer.lock().speakers -= 1;
        sequencer.waiting.notify_one();
    }
}

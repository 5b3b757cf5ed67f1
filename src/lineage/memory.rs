//! A recorder that keeps everything in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::approval::At;

use super::graph::Graph;
use super::recorder::{LineageEvent, LineageRecorder, RecorderError, RecorderName};

/// Keeps every event in memory, for tests and for programs that look at their own lineage.
#[derive(Debug)]
pub struct MemoryRecorder {
    name: RecorderName,
    events: Mutex<BTreeMap<At, LineageEvent>>,
}

impl MemoryRecorder {
    /// A recorder that has seen nothing.
    #[must_use]
    pub const fn new(name: RecorderName) -> Self {
        Self {
            name,
            events: Mutex::new(BTreeMap::new()),
        }
    }

    /// Every event so far, in order, each once.
    #[must_use]
    pub fn events(&self) -> Vec<LineageEvent> {
        self.lock().values().cloned().collect()
    }

    /// The graph of all events so far.
    #[must_use]
    pub fn graph(&self) -> Graph {
        self.lock()
            .values()
            .flat_map(|event| event.edges.clone())
            .collect()
    }

    /// The map is whole after every insertion, so a panic elsewhere has not left it half changed.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<At, LineageEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LineageRecorder for MemoryRecorder {
    fn name(&self) -> &RecorderName {
        &self.name
    }

    async fn record(&self, events: &[LineageEvent]) -> Result<(), RecorderError> {
        let mut known = self.lock();
        for event in events {
            let seq = event.recorded.seq;
            match known.get(&seq) {
                Some(earlier) if earlier.record != event.record => {
                    let why = format!(
                        "record {seq} came again as another one: the log was rewritten, or is another log"
                    );
                    return Err(RecorderError::Parked { why });
                }
                Some(_) => {}
                None => {
                    known.insert(seq, event.clone());
                }
            }
        }
        Ok(())
    }
}

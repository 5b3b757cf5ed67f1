//! The plug for outside sinks of lineage.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::approval::Recorded;
use crate::canonical::Digest;
use crate::log::LogId;

use super::edge::Edge;

/// Where an event stands, for whoever wants to look it up or prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef {
    /// The log.
    pub log: LogId,
    /// The leaf of the record in the log's tree, of which a receipt proves that it is there.
    pub leaf: Digest,
}

/// A committed and checked event with the edges that it adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageEvent {
    /// The record that it comes from.
    pub record: RecordRef,
    /// The event, with its number and time.
    pub recorded: Recorded,
    /// The edges that it adds.
    pub edges: Vec<Edge>,
}

/// A sink for lineage outside of this library: a catalogue, a message queue, a file.
///
/// # Contract
///
/// - Events come in order of their numbers, from records that are committed and whose signatures were checked. Records that are no
///   events (the genesis, and kinds that this edition does not judge) are not among them.
/// - They come at least once. After a crash, or after `Later`, the same events come again, perhaps cut into other batches: a sink
///   recognises them by log and number, and takes them again without harm.
/// - `Ok` means that every event of the batch is safe with the sink; the cursor then moves behind it and they are not sent again.
/// - Calls do not overlap. A call may be dropped at any await, and then counts as not made.
/// - Nothing waits for a recorder: the gate neither slows down nor refuses because of it. So it is no place to stop an action.
///
/// - Events hold hidden values where their disclosures are there, and edges the names of sensitive datasets
///   ([`sensitive_datasets`](super::sensitive_datasets) says which). What a sink keeps of them, erasing them in the log does not reach.
///
/// A recorder that says `Ok` too early loses lineage for good; one that writes events twice counts data flows twice. Neither
/// touches the log, from which both can be found out.
///
/// # Implementing
///
/// ```
/// use std::{sync::Mutex, time::Duration};
/// use async_trait::async_trait;
/// use countersign::lineage::{LineageEvent, LineageRecorder, RecorderError, RecorderName};
///
/// /// Counts edges by relation.
/// #[derive(Debug)]
/// struct Counter {
///     name: RecorderName,
///     state: Mutex<(Option<u64>, usize)>,
/// }
///
/// #[async_trait]
/// impl LineageRecorder for Counter {
///     fn name(&self) -> &RecorderName {
///         &self.name
///     }
///     async fn record(&self, events: &[LineageEvent]) -> Result<(), RecorderError> {
///         let Ok(mut state) = self.state.lock() else {
///             return Err(RecorderError::Later { after: Duration::from_secs(1) });
///         };
///         for event in events {
///             let seq = event.recorded.seq.0;
///             if state.0.is_none_or(|last| last < seq) {
///                 *state = (Some(seq), state.1 + event.edges.len());
///             }
///         }
///         Ok(())
///     }
/// }
///
/// let counter = Counter { name: RecorderName::new("counter")?, state: Mutex::default() };
/// let complaints = futures::executor::block_on(countersign::lineage::conformance::check(&counter));
/// assert!(complaints.is_empty(), "{complaints:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait LineageRecorder: Debug + Send + Sync + 'static {
    /// The name of its cursor in the store; it stays the same for ever.
    fn name(&self) -> &RecorderName;

    /// Takes the next events, which are one or more.
    ///
    /// # Errors
    ///
    /// [`RecorderError`]; the events then come again.
    async fn record(&self, events: &[LineageEvent]) -> Result<(), RecorderError>;
}

#[async_trait]
impl<T: LineageRecorder + ?Sized> LineageRecorder for Arc<T> {
    fn name(&self) -> &RecorderName {
        (**self).name()
    }

    async fn record(&self, events: &[LineageEvent]) -> Result<(), RecorderError> {
        (**self).record(events).await
    }
}

/// Why a recorder did not take events.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecorderError {
    /// It cannot now; the same events come again.
    #[error("the recorder asks for the events again in {after:?}")]
    Later {
        /// After this span at the earliest.
        after: Duration,
    },
    /// It never will, until somebody looks at it. Nothing is skipped: its cursor stands still.
    #[error("the recorder is parked: {why}")]
    Parked {
        /// What to look at.
        why: String,
    },
}

/// The name of a recorder: 1 to 32 of `[a-z0-9_-]`, a letter first, since it is a key in stores.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecorderName(String);

/// A text is no name of a recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the name of a recorder is 1 to 32 of the characters a-z, 0-9, `_` and `-`, a letter first"
)]
pub struct InvalidRecorderName;

impl RecorderName {
    /// The name that `text` spells.
    ///
    /// # Errors
    ///
    /// [`InvalidRecorderName`] outside the grammar above.
    pub fn new(text: &str) -> Result<Self, InvalidRecorderName> {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        if first && rest && text.len() <= 32 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRecorderName)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecorderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

use thiserror::Error;

use super::{
    checkpoint::Checkpoint,
    id::{LogId, Seq},
    rule::{Broken, Rule},
    tree::Frontier,
    trust::Trust,
};
use crate::{canonical::Digest, clock::Timestamp};

/// The version of the bytes of a head row.
const VERSION: u8 = 1;

/// The end of a log: all that its writer needs in order to go on.
///
/// A store keeps it in one row. It is derived, so it proves nothing until its checkpoint was verified
/// .
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which log.
    pub log: LogId,
    /// How many records it has.
    pub size: u64,
    /// The right edge of the tree over them.
    pub frontier: Frontier,
    /// The leaf of the last record.
    pub prev: Digest,
    /// The time of the last record.
    pub ts: Timestamp,
    /// The signed checkpoint of all of it.
    pub checkpoint: Vec<u8>,
}

impl Head {
    /// The bytes that [`Head::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            log,
            size,
            frontier,
            prev,
            ts,
            checkpoint,
        } = self;
        let edge = frontier.encode();
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(log.as_bytes());
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(prev.as_bytes());
        bytes.extend_from_slice(&ts.unix_micros().to_be_bytes());
        // A tree has at most 64 hashes at its edge.
        bytes.extend_from_slice(&u16::try_from(edge.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(&edge);
        bytes.extend_from_slice(checkpoint);
        bytes
    }

    /// Reads a head row.
    ///
    /// # Errors
    /// [`NotAHead`] if the bytes are of another form, or size and right edge disagree.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAHead> {
        Self::read(bytes).ok_or(NotAHead)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let ([VERSION], rest) = bytes.split_first_chunk::<1>()? else {
            return None;
        };
        let (log, rest) = rest.split_first_chunk::<16>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (prev, rest) = rest.split_first_chunk::<32>()?;
        let (ts, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (edge, checkpoint) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let head = Self {
            log: LogId::from_bytes(*log).ok()?,
            size: u64::from_be_bytes(*size),
            frontier: Frontier::decode(edge).ok()?,
            prev: Digest::from_bytes(*prev),
            ts: Timestamp::from_unix_micros(i64::from_be_bytes(*ts))?,
            checkpoint: checkpoint.to_vec(),
        };
        (head.frontier.size() == head.size).then_some(head)
    }

    /// Checks the row against its own signed checkpoint, so that a writer may go on from it.
    ///
    /// # Errors
    /// [`Broken`] at the last record: the checkpoint is not by this log's key (S7), or the row is about
    /// another size, tree or log than the checkpoint (S8).
    pub fn check(&self, trust: &Trust) -> Result<Checkpoint, Broken> {
        let last = Seq::new(self.size.saturating_sub(1));
        if self.log != *trust.log() {
            return Err(Broken::new(
                last,
                Rule::S8,
                "the head row names another log",
            ));
        }
        let checkpoint = trust
            .check_checkpoint(&self.checkpoint)
            .map_err(|error| Broken::new(last, Rule::S7, error.to_string()))?;
        if checkpoint.size != self.size || checkpoint.root != self.frontier.root() {
            let why = "the head row is about another tree than its checkpoint";
            return Err(Broken::new(last, Rule::S8, why));
        }
        Ok(checkpoint)
    }
}

/// The bytes are no head row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the head row of the log is malformed; verify the log")]
pub struct NotAHead;

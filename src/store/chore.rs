use std::num::NonZeroU32;

use crate::action::{InstanceId, RequestId};
use crate::clock::Timestamp;
use crate::log::{NoteSignature, Seq};

use super::error::StoreError;
use super::rows::{ChannelKey, MessageRow, NoticeId, Reference, TimerRow};

/// Housekeeping beside the log: changes that no record tells of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Chore {
    /// Takes notices that are due, each under a lease, earliest first: [`Tended::Claimed`].
    ///
    /// A notice under somebody's lease is not given out before the lease ends, and of the notices about one request on
    /// one channel at most one is out at a time, so that what settles a message never overtakes the message.
    ClaimOutbox {
        /// On these channels only.
        channels: Vec<ChannelKey>,
        /// Who takes them.
        by: InstanceId,
        /// Gate time.
        now: Timestamp,
        /// Until when nobody else gets them.
        lease_until: Timestamp,
        /// At most so many.
        limit: NonZeroU32,
    },
    /// Says how a delivery ended: [`Tended::Done`], or [`Tended::Stale`] if the notice is not there or has ended already.
    SettleOutbox {
        /// The notice.
        notice: NoticeId,
        /// How it ended.
        result: DeliveryResult,
    },
    /// Moves the cursor of a reader of the log: [`Tended::Done`], or [`Tended::Stale`] if it does not stand where expected.
    MoveCursor {
        /// Whose.
        name: String,
        /// The record that is next for this reader.
        to: Seq,
        /// Where it must stand; `None` if it must never have been moved.
        expected: Option<Seq>,
    },
    /// Adds signature lines below the others of a checkpoint, such as cosignatures of witnesses: [`Tended::Done`], or
    /// [`Tended::Stale`] if the checkpoint of that size is not, byte for byte, the expected one.
    ///
    /// It never takes a byte away, and leaves the checkpoint in the head row as it is.
    AddSignatures {
        /// The size under which the checkpoint is filed.
        size: u64,
        /// The signed note as it must stand there.
        expected: Vec<u8>,
        /// The lines.
        lines: Vec<NoteSignature>,
    },
    /// Registers this process and takes its lock, which it holds until it is dropped: [`Tended::Done`].
    PutInstance {
        /// Its id.
        instance: InstanceId,
        /// Gate time.
        at: Timestamp,
    },
    /// Forgets a process, and lets go of its lock if it is this one: [`Tended::Done`], or [`Tended::Stale`] if it was not there.
    DropInstance(InstanceId),
    /// Removes this timer: [`Tended::Done`], or [`Tended::Stale`] if it is gone or was set to another time since.
    DropTimer(TimerRow),
    /// Makes sure that no byte of what was erased is left in the store's files: [`Tended::Done`], or [`Tended::Stale`] if somebody
    /// who reads an older state keeps it from that; it is to be tried again then.
    Scrub,
    /// Removes the timers of a request: [`Tended::Done`], or [`Tended::Stale`] if there was none.
    DropTimers(RequestId),
}

/// How one attempt to deliver ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryResult {
    /// It was delivered, and the channel calls it so.
    Delivered(Reference),
    /// It is to be tried again.
    Later {
        /// Not before.
        due: Timestamp,
    },
    /// It will not be tried again.
    Dead {
        /// The channel's code.
        code: String,
    },
}

/// The answer to a [`Chore`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tended {
    /// The notices that are now the caller's to deliver.
    Claimed(Vec<MessageRow>),
    /// Done.
    Done,
    /// Not done: things have moved on.
    Stale,
}

/// A note with more signature lines.
pub(super) fn with_lines(mut note: Vec<u8>, lines: &[NoteSignature]) -> Vec<u8> {
    for line in lines {
        note.extend_from_slice(format!("{line}\n").as_bytes());
    }
    note
}

impl Tended {
    /// The notices of the answer.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] if the store did another chore.
    pub fn claimed(self) -> Result<Vec<MessageRow>, StoreError> {
        match self {
            Self::Claimed(rows) => Ok(rows),
            Self::Done | Self::Stale => Err(StoreError::Unsupported(
                "it did another chore than it was given",
            )),
        }
    }
}

use std::fmt;

use uuid::Uuid;

use crate::action::{DisclosureDigest, InstanceId, Pseudonym, RequestId};
use crate::clock::Timestamp;
use crate::log::Seq;

/// A change of a projection: what a store keeps beside the log so that questions are cheap.
///
/// Projections prove nothing. They are written in the commit of the records that they follow from, and can be made again from
/// the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Puts the row of a request, in place of the one that is there.
    Request(RequestRow),
    /// Puts a timer, in place of the one with the same request and meaning.
    Timer(TimerRow),
    /// Removes this timer, unless it was set to another time since.
    TimerDone(TimerRow),
    /// Removes every timer of a request.
    TimerGone(RequestId),
    /// Adds an edge, unless it is there.
    Edge(EdgeRow),
    /// Adds a node, unless its key is there.
    Node(NodeRow),
    /// Adds a notice; its id must be new.
    Outbox(OutboxRow),
    /// Ties a person's tag to a pseudonym; either being tied to another one is a [`Conflict`](super::StoreError::Conflict).
    Pseudonym {
        /// The person.
        tag: Tag,
        /// What stands for them in records.
        pseudonym: Pseudonym,
    },
    /// Ties a person's tag to a pseudonym that nobody had, in place of the one before; nothing if it was tied to none.
    Renamed {
        /// The person.
        tag: Tag,
        /// What stands for them in records from now on.
        pseudonym: Pseudonym,
    },
    /// Removes a disclosure for good; that it is not there is a [`Conflict`](super::StoreError::Conflict).
    ///
    /// Where it was, no byte of it must be left in what the store itself can overwrite; see
    /// [`Chore::Scrub`](super::Chore::Scrub).
    Erased {
        /// The record that it is filed under.
        seq: Seq,
        /// Its digest.
        digest: DisclosureDigest,
    },
}

/// A keyed digest of something that must not be guessable from the store's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag([u8; 32]);

impl Tag {
    /// The tag with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Where a request stands, as far as an inbox needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It waits for people.
    Pending,
    /// It may run.
    Approved,
    /// Its effect was started.
    Running,
    /// Its outcome is not known and nobody has reconciled it.
    Unresolved,
    /// Nothing more will come of it.
    Closed,
}

impl Phase {
    /// Every phase but [`Closed`](Self::Closed).
    pub const OPEN: [Self; 4] = [
        Self::Pending,
        Self::Approved,
        Self::Running,
        Self::Unresolved,
    ];
}

/// The row of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// The request.
    pub request: RequestId,
    /// Where it stands.
    pub phase: Phase,
    /// Whose it is.
    pub actor: Tag,
    /// What an equal action would have, if it may be joined.
    pub join: Option<Tag>,
    /// The tenant.
    pub tenant: Option<Tag>,
    /// When it was filed.
    pub filed: Timestamp,
    /// Its first record.
    pub seq: Seq,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimerKind {
    /// A pending request expires.
    Expires,
    /// An approval that was not used ends.
    UseBy,
    /// A running effect's lease ends.
    Lease,
    /// Whatever the ledger wants to be reminded of.
    Custom,
}

/// A moment at which a request wants to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerRow {
    /// When.
    pub due: Timestamp,
    /// The request.
    pub request: RequestId,
    /// What for.
    pub what: TimerKind,
}

/// The key of a node of the lineage graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeKey([u8; 16]);

impl NodeKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Uuid::from_bytes(self.0).simple())
    }
}

/// An edge of the lineage graph, and the record that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EdgeRow {
    /// Where it starts.
    pub from: NodeKey,
    /// What it says; a number of the lineage layer.
    pub relation: u8,
    /// Where it ends.
    pub to: NodeKey,
    /// The record that it follows from.
    pub seq: Seq,
}

/// A node of the lineage graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeRow {
    /// Its key.
    pub key: NodeKey,
    /// What it is; a number of the lineage layer.
    pub kind: u8,
    /// Its name, if that is clear.
    pub clear: Option<String>,
}

/// The id of a notice: stable over every attempt to deliver it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoticeId(pub Uuid);

impl NoticeId {
    /// A fresh id.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }

    /// The UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

/// The name of a channel, as the outbox knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelKey(pub String);

/// What a channel calls a message that it delivered; opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(pub String);

/// What a notice wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoticeKind {
    /// An answer.
    Ask,
    /// An answer, again.
    Remind,
    /// Earlier copies brought up to date.
    Settle,
}

/// A notice that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its id.
    pub notice: NoticeId,
    /// The channel that carries it.
    pub channel: ChannelKey,
    /// The request that it is about.
    pub request: RequestId,
    /// What it wants.
    pub what: NoticeKind,
    /// Not before.
    pub due: Timestamp,
    /// By what the ledger knows that it has queued it itself.
    pub seal: Seal,
}

/// The ledger's signature for a notice; opaque, and kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal(pub Vec<u8>);

/// What has become of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It waits for its time, or for its next attempt.
    Waiting,
    /// It was delivered.
    Delivered(Reference),
    /// It was given up, with the channel's code.
    Dead(String),
}

/// A notice with what has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// The notice.
    pub row: OutboxRow,
    /// How often its delivery was begun.
    pub attempts: u32,
    /// What has become of it.
    pub delivery: Delivery,
}

/// Whether a process still is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It holds its lock.
    Alive,
    /// Nobody holds its lock any more, and nobody can again.
    Gone,
}

/// A process that has registered itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceRow {
    /// Its id.
    pub instance: InstanceId,
    /// When it registered.
    pub at: Timestamp,
    /// Whether it still is there.
    pub liveness: Liveness,
}

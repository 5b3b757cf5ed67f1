use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::Range;

use crate::action::{Pseudonym, RequestId};
use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::{Kept, Seq, StoredRecord};

use super::error::StoreError;
use super::rows::{
    ChannelKey, EdgeRow, InstanceRow, MessageRow, NodeKey, NodeRow, Phase, RequestRow, Tag,
    TimerRow,
};
use super::step::{ScopeKey, StoreSecret};

/// A question to a store; each is answered from one committed state.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Query {
    /// The records of a request, in order: [`Found::Records`].
    Request(RequestId),
    /// The records that change which keys are in force, in order: [`Found::Records`].
    KeyChanges,
    /// How often each of these scopes has moved, 0 if never: [`Found::Versions`].
    Versions(BTreeSet<ScopeKey>),
    /// The store's secret: [`Found::Secret`].
    Secret,
    /// The disclosures filed under these records, in the order of the log: [`Found::Disclosures`].
    Disclosures(Vec<Seq>),
    /// The disclosures filed under the records `from..to`, in the order of the log: [`Found::Disclosures`].
    DisclosuresFrom {
        /// The first record.
        from: Seq,
        /// The record after the last one.
        to: Seq,
    },
    /// The row of a request: [`Found::Rows`], with at most one.
    Row(RequestId),
    /// Requests in these phases, ascending by id: [`Found::Rows`].
    Inbox(PageOf),
    /// Requests of an actor that are not closed, ascending by id: [`Found::Rows`].
    Actor {
        /// Whose.
        tag: Tag,
        /// Those after this one.
        after: Option<RequestId>,
        /// At most so many.
        limit: NonZeroU32,
    },
    /// Pending requests with this join tag, ascending by id: [`Found::Rows`].
    Join(Tag),
    /// Timers that are due at `until` or before, earliest first: [`Found::Timers`].
    Due {
        /// The last moment.
        until: Timestamp,
        /// At most so many.
        limit: NonZeroU32,
    },
    /// The next timers, earliest first, whenever they are due: [`Found::Timers`].
    NextDue {
        /// Those after this one in the order of [`TimerRow`].
        after: Option<TimerRow>,
        /// At most so many.
        limit: NonZeroU32,
    },
    /// Edges that start at a node, ascending: [`Found::Edges`].
    EdgesFrom(EdgesOf),
    /// Edges that end at a node, ascending by relation, start and record: [`Found::Edges`].
    EdgesTo(EdgesOf),
    /// Every edge, ascending: [`Found::Edges`]. For an audit.
    Edges {
        /// Those after this one.
        after: Option<EdgeRow>,
        /// At most so many.
        limit: NonZeroU32,
    },
    /// The rows of these nodes, those that are there, ascending by key: [`Found::Nodes`].
    Nodes(Vec<NodeKey>),
    /// The first checkpoint of at least this size: [`Found::Checkpoints`], with at most one.
    Checkpoint {
        /// The size.
        at_least: u64,
    },
    /// Checkpoints of at least this size, ascending: [`Found::Checkpoints`].
    CheckpointsFrom {
        /// The size.
        at_least: u64,
        /// At most so many.
        limit: NonZeroU32,
    },
    /// The leaves of these records: [`Found::Digests`], all of them or an error.
    Leaves(Range<u64>),
    /// The hashes of full subtrees: [`Found::Digests`], all of them or an error.
    Subtrees {
        /// 1 for 256 leaves, 2 for 65,536, and so on.
        level: u8,
        /// Their numbers.
        range: Range<u64>,
    },
    /// The pseudonym tied to a tag: [`Found::Pseudonym`].
    Pseudonym(Tag),
    /// How many notices there are of each sort: [`Found::Outbox`].
    Outbox,
    /// From when on a claim for these channels may give something: [`Found::Moment`]. Not after `now` if it would at once.
    NextNotice {
        /// The channels.
        channels: Vec<ChannelKey>,
        /// Gate time.
        now: Timestamp,
    },
    /// Where a reader of the log has got to: [`Found::Cursor`].
    Cursor(String),
    /// The registered processes: [`Found::Instances`].
    Instances,
    /// The notices about a request, in the order in which they were filed: [`Found::Messages`].
    Messages(RequestId),
}

/// A page of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageOf {
    /// In which phases.
    pub phases: BTreeSet<Phase>,
    /// Those after this one.
    pub after: Option<RequestId>,
    /// At most so many.
    pub limit: NonZeroU32,
}

/// A page of the edges at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgesOf {
    /// The node.
    pub node: NodeKey,
    /// Those after this one.
    pub after: Option<EdgeRow>,
    /// At most so many.
    pub limit: NonZeroU32,
}

/// How many notices there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Not yet delivered.
    pub waiting: u64,
    /// Delivered.
    pub delivered: u64,
    /// Given up.
    pub dead: u64,
}

/// The answer to a [`Query`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Found {
    /// Records.
    Records(Vec<StoredRecord>),
    /// Versions of scopes, one for each scope that was asked for.
    Versions(BTreeMap<ScopeKey, u64>),
    /// The store's secret, if there is a genesis.
    Secret(Option<StoreSecret>),
    /// Disclosures, as they are kept, and the records that they are filed under.
    Disclosures(Vec<(Seq, Kept)>),
    /// Rows of requests.
    Rows(Vec<RequestRow>),
    /// Timers.
    Timers(Vec<TimerRow>),
    /// Edges.
    Edges(Vec<EdgeRow>),
    /// Nodes.
    Nodes(Vec<NodeRow>),
    /// Sizes and signed notes of checkpoints.
    Checkpoints(Vec<(u64, Vec<u8>)>),
    /// Hashes of leaves or subtrees.
    Digests(Vec<Digest>),
    /// A pseudonym.
    Pseudonym(Option<Pseudonym>),
    /// Numbers of notices.
    Outbox(OutboxCounts),
    /// A moment; `None` if there is none.
    Moment(Option<Timestamp>),
    /// A cursor; `None` if it was never moved.
    Cursor(Option<Seq>),
    /// Processes.
    Instances(Vec<InstanceRow>),
    /// Notices and what has become of them.
    Messages(Vec<MessageRow>),
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $answer:ty;)*) => {
        impl Found {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`StoreError::Unsupported`] if the store answered another question.
                pub fn $name(self) -> Result<$answer, StoreError> {
                    match self {
                        Self::$variant(answer) => Ok(answer),
                        _ => Err(OTHER_ANSWER),
                    }
                }
            )*
        }
    };
}

const OTHER_ANSWER: StoreError =
    StoreError::Unsupported("it answered another question than was asked");

typed! {
    /// The records of the answer.
    records: Records -> Vec<StoredRecord>;
    /// The versions of the answer.
    versions: Versions -> BTreeMap<ScopeKey, u64>;
    /// The secret of the answer.
    secret: Secret -> Option<StoreSecret>;
    /// The disclosures of the answer.
    disclosures: Disclosures -> Vec<(Seq, Kept)>;
    /// The requests' rows of the answer.
    rows: Rows -> Vec<RequestRow>;
    /// The timers of the answer.
    timers: Timers -> Vec<TimerRow>;
    /// The edges of the answer.
    edges: Edges -> Vec<EdgeRow>;
    /// The nodes of the answer.
    nodes: Nodes -> Vec<NodeRow>;
    /// The checkpoints of the answer.
    checkpoints: Checkpoints -> Vec<(u64, Vec<u8>)>;
    /// The hashes of the answer.
    digests: Digests -> Vec<Digest>;
    /// The pseudonym of the answer.
    pseudonym: Pseudonym -> Option<Pseudonym>;
    /// The numbers of the answer.
    outbox: Outbox -> OutboxCounts;
    /// The moment of the answer.
    moment: Moment -> Option<Timestamp>;
    /// The cursor of the answer.
    cursor: Cursor -> Option<Seq>;
    /// The processes of the answer.
    instances: Instances -> Vec<InstanceRow>;
    /// The notices of the answer.
    messages: Messages -> Vec<MessageRow>;
}

impl Found {
    /// The only row of the answer, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] if the store answered another question.
    pub fn row(self) -> Result<Option<RequestRow>, StoreError> {
        Ok(self.rows()?.into_iter().next())
    }

    /// The only checkpoint of the answer, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] if the store answered another question.
    pub fn checkpoint(self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        Ok(self.checkpoints()?.into_iter().next())
    }
}

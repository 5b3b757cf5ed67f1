//! Where the log is kept: one small trait, a store in memory and one in an SQLite file.
//!
//! A store locks, writes and finds; it does not batch, sign or judge. Everything beside the records
//! and their disclosures is a cache of the log.

mod chore;
pub mod conformance;
mod contract;
mod error;
#[cfg(any(test, feature = "testing"))]
mod faulty;
mod memory;
mod nodes;
mod query;
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;
mod step;
#[cfg(test)]
mod tests;

pub use self::{
    chore::{Chore, DeliveryResult, Tended},
    contract::{Durability, Guarantees, Reach, Store},
    error::{Abort, Source, StoreError},
    memory::{MemoryReader, MemoryStore},
    query::{EdgesOf, Found, OutboxCounts, PageOf, Query},
    rows::{
        ChannelKey, Delivery, EdgeRow, InstanceRow, Liveness, MessageRow, NodeKey, NodeRow,
        NoticeId, NoticeKind, OutboxRow, Phase, Reference, RequestRow, Row, Seal, Tag, TimerKind,
        TimerRow,
    },
    step::{Batch, Committed, MOST_DISCLOSURES, NewRecord, ScopeKey, Step, StoreSecret, View},
};

pub(crate) use self::nodes::prove;

#[cfg(feature = "sqlite")]
pub use self::sqlite::{Sharing, SqliteOptions, SqliteReader, SqliteStore};

#[cfg(any(test, feature = "testing"))]
pub use self::faulty::{Fault, FaultyStore};

//! Who authorised what, and where data came from and went.
//!
//! [`edges_of`] turns one recorded event into edges between requests, executions, votes, people, agents, policies and datasets, in
//! the terms of W3C PROV. It is pure, and its edges are written in the commit of the record, so the graph is a cache of the log.
//! A [`Search`] answers a [`Question`] over any [`EdgeSource`], within limits and without ever leaving something out in silence.
//! [`LineageRecorder`] is the plug for outside sinks.
//!
//! Datasets come from what effects say they did, never from what was asked for: a denied export has moved nothing. They are not
//! versioned, so an answer may hold more than flowed, and never less than effects named.

pub mod conformance;
mod edge;
mod edges_of;
mod follow;
mod graph;
mod memory;
mod node;
mod recorder;
mod search;

#[cfg(test)]
mod tests;

pub use edge::{Edge, Relation};
pub(crate) use edges_of::{Link, links_of};
pub use edges_of::{edges_of, sensitive_datasets};
pub use follow::{Direction, Question};
pub use graph::Graph;
pub use memory::MemoryRecorder;
pub use node::{Node, NodeKind, NotANode, Unnamed};
pub use recorder::{
    InvalidRecorderName, LineageEvent, LineageRecorder, RecordRef, RecorderError, RecorderName,
};
pub use search::{Answer, Authorisation, EdgeSource, Found, Limits, Search, Step, StoppedBy};

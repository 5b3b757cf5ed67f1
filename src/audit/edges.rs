//! Comparing all edges of the lineage graph without holding them.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use crate::action::Bound;
use crate::approval::{DatasetName, Event, Hidden, Recorded};
use crate::lineage::{Edge, Node, edges_of};
use crate::log::Seq;
use crate::store::{EdgeRow, NodeKey, StoreSecret};

/// The key of a node in a store.
///
/// What has an id of its own keeps it as its key, so that rows of one time lie together. Every other key is 16 bytes of
/// HMAC-SHA-256 over the node's text, under the store's secret: the same wherever the node comes up, and whoever sees the graph
/// without the secret cannot try out names.
#[must_use]
pub fn node_key(secret: &StoreSecret, node: &Node) -> NodeKey {
    named_key(secret, node, &node.to_text())
}

/// As [`node_key`], where the node's text is at hand.
pub(crate) fn named_key(secret: &StoreSecret, node: &Node, text: &str) -> NodeKey {
    NodeKey::from_bytes(match node {
        Node::Request(request) => request.as_uuid().into_bytes(),
        Node::Execution(execution) => execution.as_uuid().into_bytes(),
        Node::Vote(at) => u128::from(at.0).to_be_bytes(),
        Node::Person(_)
        | Node::Agent(_)
        | Node::Dataset(_)
        | Node::Policy(_)
        | Node::Unnamed(_) => keyed(secret, text),
    })
}

fn keyed(secret: &StoreSecret, text: &str) -> [u8; 16] {
    let tag = secret.tag("countersign/node/v1", text.as_bytes());
    tag.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// The row of an edge in a store.
#[must_use]
pub fn edge_row(secret: &StoreSecret, edge: &Edge) -> EdgeRow {
    let Edge {
        from,
        relation,
        to,
        seq,
        ts: _,
    } = edge;
    EdgeRow {
        from: node_key(secret, from),
        relation: relation.code(),
        to: node_key(secret, to),
        seq: Seq::new(seq.0),
    }
}

/// For each record a sum over the edges that follow from it, 8 bytes.
///
/// A store gives its edges in the order of the graph and a replay in that of the log. Sums do not care. The hash is keyed at random
/// for each audit, so that nobody can choose edges whose sum is that of others.
#[derive(Debug)]
pub(super) struct EdgeSums {
    secret: StoreSecret,
    key: RandomState,
    sums: Vec<u64>,
    /// Records with edges that can no longer be told, since the name of a dataset was erased.
    untold: BTreeSet<u64>,
    /// Edges of records beyond the log.
    beyond: BTreeSet<u64>,
}

impl EdgeSums {
    /// The most records beyond the log that are named.
    const MOST_BEYOND: usize = 1000;

    pub(super) fn new(secret: StoreSecret) -> Self {
        Self {
            secret,
            key: RandomState::new(),
            sums: Vec::new(),
            untold: BTreeSet::new(),
            beyond: BTreeSet::new(),
        }
    }

    /// The edges that a record implies; `bound` makes again what its request is bound to.
    pub(super) fn expect(&mut self, recorded: &Recorded, bound: &dyn Fn() -> Option<Bound>) {
        self.reach(recorded.seq.0);
        if names_erased(&recorded.event) {
            self.untold.insert(recorded.seq.0);
            return;
        }
        let bound = match &recorded.event {
            Event::Started(_) => bound(),
            _ => None,
        };
        for edge in edges_of(recorded, bound.as_ref()) {
            let edge = edge_row(&self.secret, &edge);
            let hash = self.key.hash_one(edge);
            if let Some(sum) = self.sum(&edge) {
                *sum = sum.wrapping_add(hash);
            }
        }
    }

    /// An edge that the store has.
    pub(super) fn take(&mut self, edge: &EdgeRow) {
        let hash = self.key.hash_one(edge);
        if let Some(sum) = self.sum(edge) {
            *sum = sum.wrapping_sub(hash);
        } else if self.beyond.len() < Self::MOST_BEYOND {
            self.beyond.insert(edge.seq.get());
        }
    }

    /// Makes room for the edges of records up to `seq`.
    pub(super) fn reach(&mut self, seq: u64) {
        let length = usize::try_from(seq).unwrap_or(usize::MAX).saturating_add(1);
        if self.sums.len() < length {
            self.sums.resize(length, 0);
        }
    }

    fn sum(&mut self, edge: &EdgeRow) -> Option<&mut u64> {
        let seq = usize::try_from(edge.seq.get()).ok()?;
        self.sums.get_mut(seq)
    }

    /// The records whose edges are not the same on both sides.
    pub(super) fn unequal(self) -> impl Iterator<Item = u64> {
        let Self {
            secret: _,
            key: _,
            sums,
            untold,
            beyond,
        } = self;
        let within = (0..)
            .zip(sums)
            .filter(|(_, sum)| *sum != 0)
            .map(|(seq, _)| seq);
        within
            .filter(move |seq| !untold.contains(seq))
            .chain(beyond)
    }
}

/// Whether a dataset that a record names was erased from it: the store's edges are of the name, and the record's no longer.
fn names_erased(event: &Event) -> bool {
    let Event::Finished(finished) = event else {
        return false;
    };
    let mut touched = finished.used.iter().chain(&finished.generated);
    touched.any(|touched| matches!(touched.name, DatasetName::Sensitive(Hidden::Missing(_))))
}

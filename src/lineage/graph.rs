//! The graph in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use super::edge::Edge;
use super::follow::Direction;
use super::node::Node;
use super::search::{EdgeSource, Found, Step};

/// A graph in memory, for tests and for logs that fit.
///
/// Adding an edge again changes nothing, so it may be fed at least once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    from: BTreeMap<Node, BTreeSet<Edge>>,
    to: BTreeMap<Node, BTreeSet<Edge>>,
    as_of: u64,
}

impl Graph {
    /// A graph without edges.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            from: BTreeMap::new(),
            to: BTreeMap::new(),
            as_of: 0,
        }
    }

    /// Every edge, in order of the nodes that they leave.
    pub fn iter(&self) -> impl Iterator<Item = &Edge> {
        self.from.values().flatten()
    }
}

impl Extend<Edge> for Graph {
    fn extend<I: IntoIterator<Item = Edge>>(&mut self, edges: I) {
        for edge in edges {
            self.as_of = self.as_of.max(edge.seq.0.saturating_add(1));
            self.to
                .entry(edge.to.clone())
                .or_default()
                .insert(edge.clone());
            self.from.entry(edge.from.clone()).or_default().insert(edge);
        }
    }
}

impl FromIterator<Edge> for Graph {
    fn from_iter<I: IntoIterator<Item = Edge>>(edges: I) -> Self {
        let mut graph = Self::new();
        graph.extend(edges);
        graph
    }
}

impl EdgeSource for Graph {
    type Error = Infallible;

    /// Up to the last record that added an edge.
    fn as_of(&self) -> u64 {
        self.as_of
    }

    fn edges(&self, step: &Step) -> Result<Found, Infallible> {
        let ends = match step.direction {
            Direction::From => &self.from,
            Direction::To => &self.to,
        };
        let mut matching = ends
            .get(&step.node)
            .into_iter()
            .flatten()
            .filter(|edge| step.matches(edge))
            .cloned();
        let edges = matching.by_ref().take(step.at_most).collect();
        Ok(Found {
            edges,
            more: matching.next().is_some(),
        })
    }
}

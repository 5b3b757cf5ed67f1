//! Answering a question: a walk over the graph that asks for edges and is told them.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use crate::action::{ExecutionId, Pseudonym, RequestId};
use crate::approval::At;
use crate::policy::PolicyRevision;

use super::edge::{Edge, Relation};
use super::follow::{Direction, Question};
use super::node::Node;

/// How much an answer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most nodes; 10,000 by default.
    pub nodes: usize,
    /// The most edges; 50,000 by default.
    pub edges: usize,
    /// The most edges between the node asked about and any other; no limit by default.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nodes: 10_000,
            edges: 50_000,
            depth: usize::MAX,
        }
    }
}

/// Which limit cut an answer short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoppedBy {
    /// The most nodes.
    Nodes,
    /// The most edges.
    Edges,
    /// The greatest depth.
    Depth,
}

/// What a search wants to know next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The edges of which node.
    pub node: Node,
    /// From which end.
    pub direction: Direction,
    /// Of which relations.
    pub relations: &'static [Relation],
    /// The search takes no more than so many of them.
    pub at_most: usize,
}

/// The answer to a [`Step`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The edges, in any order. A search ignores edges that it did not ask for.
    pub edges: Vec<Edge>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// Where edges come from.
///
/// # Contract
///
/// Edges of one answer come from one state of the graph, and `as_of` says of which. What is left out is said in [`Found::more`]:
/// a source that leaves edges out in silence makes people trust an answer that is not whole.
///
/// A source that must wait, such as a store, is not made to fit this trait: whoever asks drives the [`Search`] by hand.
///
/// # Implementing
///
/// ```
/// use countersign::lineage::{Edge, EdgeSource, Found, Step};
///
/// struct Recent<'a>(&'a [Edge]);
///
/// impl EdgeSource for Recent<'_> {
///     type Error = std::convert::Infallible;
///
///     fn as_of(&self) -> u64 {
///         self.0.last().map_or(0, |edge| edge.seq.0 + 1)
///     }
///     fn edges(&self, step: &Step) -> Result<Found, Self::Error> {
///         let mut matching = self.0.iter().filter(|edge| step.matches(edge)).cloned();
///         let edges = matching.by_ref().take(step.at_most).collect();
///         Ok(Found { edges, more: matching.next().is_some() })
///     }
/// }
/// ```
pub trait EdgeSource {
    /// Why edges could not be had.
    type Error;

    /// How many records of the log the source covers.
    fn as_of(&self) -> u64;

    /// The edges that a step asks for.
    ///
    /// # Errors
    ///
    /// If they cannot be had; the search is then over without an answer.
    fn edges(&self, step: &Step) -> Result<Found, Self::Error>;
}

impl Step {
    /// Whether `edge` is one that this step asks for.
    #[must_use]
    pub fn matches(&self, edge: &Edge) -> bool {
        let near = match self.direction {
            Direction::From => &edge.from,
            Direction::To => &edge.to,
        };
        *near == self.node && self.relations.contains(&edge.relation)
    }
}

/// A walk over the graph in search of an answer: bounded, and without going anywhere twice.
///
/// ```
/// use countersign::lineage::{Found, Limits, Question, Search};
/// # use countersign::lineage::{Answer, EdgeSource, Graph, Node};
/// # async fn fetch(step: &countersign::lineage::Step) -> Result<Found, std::convert::Infallible> { Graph::new().edges(step) }
/// # async fn ask(node: Node) -> Result<Answer, std::convert::Infallible> {
/// let mut search = Search::new(Question::Upstream(node), Limits::default());
/// while let Some(step) = search.wants() {
///     let found = fetch(&step).await?;
///     search.learn(&step, found);
/// }
/// let answer = search.answer(17);
/// # Ok(answer) }
/// ```
#[derive(Debug)]
pub struct Search {
    question: Question,
    limits: Limits,
    /// Steps to take, nearest first, with the depth of the nodes that they lead to.
    queue: VecDeque<(Node, Direction, &'static [Relation], usize)>,
    seen: HashSet<Node>,
    nodes: Vec<Node>,
    known: HashSet<Edge>,
    edges: Vec<Edge>,
    stopped_by: Option<StoppedBy>,
}

impl Search {
    /// A search that has learnt nothing yet.
    #[must_use]
    pub fn new(question: Question, limits: Limits) -> Self {
        let about = question.about().clone();
        let mut search = Self {
            question,
            limits,
            queue: VecDeque::new(),
            seen: HashSet::new(),
            nodes: Vec::new(),
            known: HashSet::new(),
            edges: Vec::new(),
            stopped_by: None,
        };
        search.reach(about, 0);
        search
    }

    /// What it wants to know next; `None` when it has its answer.
    #[must_use]
    pub fn wants(&self) -> Option<Step> {
        let (node, direction, relations, _) = self.queue.front()?;
        Some(Step {
            node: node.clone(),
            direction: *direction,
            relations,
            at_most: self.limits.edges.saturating_sub(self.edges.len()),
        })
    }

    /// Takes the answer to `step`, which must be what it wanted last; anything else is ignored.
    pub fn learn(&mut self, step: &Step, found: Found) {
        let Some((node, direction, relations, depth)) = self.queue.pop_front() else {
            return;
        };
        if (&node, direction) != (&step.node, step.direction) {
            self.queue.push_front((node, direction, relations, depth));
            return;
        }
        let Found { edges, more } = found;
        for edge in edges {
            if !step.matches(&edge) || self.known.contains(&edge) {
                continue;
            }
            if self.edges.len() >= self.limits.edges {
                self.stop(StoppedBy::Edges);
                return;
            }
            let far = match direction {
                Direction::From => edge.to.clone(),
                Direction::To => edge.from.clone(),
            };
            if !self.seen.contains(&far) && self.nodes.len() >= self.limits.nodes {
                self.stop(StoppedBy::Nodes);
                return;
            }
            self.known.insert(edge.clone());
            self.edges.push(edge);
            self.reach(far, depth);
        }
        if more {
            self.stop(StoppedBy::Edges);
        }
    }

    /// Ends the search, with what it has learnt from a source that covers `as_of` records.
    #[must_use]
    pub fn answer(self, as_of: u64) -> Answer {
        Answer {
            as_of,
            // A search that was not driven to its end has not seen everything either.
            stopped_by: match (self.stopped_by, self.queue.is_empty()) {
                (None, false) => Some(StoppedBy::Edges),
                (stopped_by, _) => stopped_by,
            },
            nodes: self.nodes,
            edges: self.edges,
        }
    }

    /// Asks a source until there is an answer.
    ///
    /// # Errors
    ///
    /// The source's own.
    pub fn run<S: EdgeSource + ?Sized>(mut self, source: &S) -> Result<Answer, S::Error> {
        while let Some(step) = self.wants() {
            let found = source.edges(&step)?;
            self.learn(&step, found);
        }
        Ok(self.answer(source.as_of()))
    }

    fn reach(&mut self, node: Node, depth: usize) {
        if !self.seen.insert(node.clone()) {
            return;
        }
        let follows = self.question.follows(node.kind());
        if depth >= self.limits.depth {
            // Whether there is anything beyond is not known, so the answer does not claim to be whole.
            if !follows.is_empty() {
                self.stopped_by = self.stopped_by.or(Some(StoppedBy::Depth));
            }
        } else {
            for (direction, relations) in follows {
                self.queue.push_back((
                    node.clone(),
                    *direction,
                    relations,
                    depth.saturating_add(1),
                ));
            }
        }
        self.nodes.push(node);
    }

    fn stop(&mut self, by: StoppedBy) {
        self.stopped_by = Some(by);
        self.queue.clear();
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// It holds for the log's first so many records.
    pub as_of: u64,
    /// Which limit cut it short; `None` if it is complete.
    pub stopped_by: Option<StoppedBy>,
    /// The node asked about and everything that was found, nearest first, each once.
    pub nodes: Vec<Node>,
    /// The edges that led there, each once.
    pub edges: Vec<Edge>,
}

/// Who stands behind one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorisation {
    /// The request.
    pub request: RequestId,
    /// Its runs.
    pub executions: BTreeSet<ExecutionId>,
    /// The votes that were counted at its start, and whose they are. None where policy alone allowed it.
    pub votes: BTreeSet<(At, Pseudonym)>,
    /// The policies that decided.
    pub policies: BTreeSet<PolicyRevision>,
    /// Everybody in its actor chain: agents, services and people.
    pub asked_by: BTreeSet<Node>,
}

impl Answer {
    /// Whether nothing was left out.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.stopped_by.is_none()
    }

    /// The authorisations among what was found, by request.
    #[must_use]
    pub fn authorisations(&self) -> Vec<Authorisation> {
        let mut by_request: BTreeMap<RequestId, Authorisation> = BTreeMap::new();
        for node in &self.nodes {
            if let Node::Request(request) = node {
                by_request.insert(*request, Authorisation::of(*request));
            }
        }
        let voters: BTreeMap<At, Pseudonym> = self.edges.iter().filter_map(voter).collect();
        for Edge {
            from, relation, to, ..
        } in &self.edges
        {
            let (Node::Request(request), other) = (match relation {
                Relation::WasInformedBy | Relation::Authorised => (to, from),
                _ => (from, to),
            }) else {
                continue;
            };
            let Some(found) = by_request.get_mut(request) else {
                continue;
            };
            match (relation, other) {
                (Relation::WasInformedBy, Node::Execution(execution)) => {
                    found.executions.insert(*execution);
                }
                (Relation::Authorised, Node::Vote(vote)) => {
                    found
                        .votes
                        .extend(voters.get(vote).map(|person| (*vote, *person)));
                }
                (Relation::HadPlan, Node::Policy(revision)) => {
                    found.policies.insert(revision.clone());
                }
                (Relation::WasAttributedTo, principal) => {
                    found.asked_by.insert(principal.clone());
                }
                _ => {}
            }
        }
        by_request.into_values().collect()
    }
}

impl Authorisation {
    fn of(request: RequestId) -> Self {
        Self {
            request,
            executions: BTreeSet::new(),
            votes: BTreeSet::new(),
            policies: BTreeSet::new(),
            asked_by: BTreeSet::new(),
        }
    }
}

/// Whose vote it is, if that is what the edge says.
fn voter(edge: &Edge) -> Option<(At, Pseudonym)> {
    match (&edge.from, edge.relation, &edge.to) {
        (Node::Vote(vote), Relation::WasAttributedTo, Node::Person(person)) => {
            Some((*vote, *person))
        }
        _ => None,
    }
}

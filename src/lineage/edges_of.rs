//! The edges that one event adds.

use crate::action::{Bound, BoundHop, DatasetRef, RequestId};
use crate::approval::{
    At, Basis, DatasetName, Decision, Derivation, Event, Finished, Hidden, Recorded, Started,
    Touched,
};

use super::edge::{Edge, Relation};
use super::node::{Node, Unnamed};

/// The edges that `recorded` adds to the graph; `bound` is what its request is bound to.
///
/// - `requested`: the request is attributed to everybody in its actor chain, each of whom acted for the next, and had its policy.
/// - `voted`: the vote is attributed to its person. A vote authorises nothing by itself.
/// - `started`: the execution is informed by the request and associated with who acts; the request had the policy of the start;
///   the counted votes authorised it.
/// - `finished`, also a late one: what the effect says it used, generated and derived, whatever its outcome.
///
/// Everything else adds none. The same record always adds the same edges, each once, so adding them again changes nothing.
#[must_use]
pub fn edges_of(recorded: &Recorded, bound: Option<&Bound>) -> Vec<Edge> {
    let Recorded {
        seq,
        ts,
        request: _,
        action: _,
        event,
    } = recorded;
    let links = links_of(event, *seq, bound).into_iter();
    let edge = |Link { from, relation, to }| Edge {
        from,
        relation,
        to,
        seq: *seq,
        ts: *ts,
    };
    links.map(edge).collect()
}

/// An edge without the record that adds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub(crate) from: Node,
    pub(crate) relation: Relation,
    pub(crate) to: Node,
}

/// The edges that an event adds when it is recorded as `at`.
pub(crate) fn links_of(event: &Event, at: At, bound: Option<&Bound>) -> Vec<Link> {
    let mut links = Links(Vec::new());
    match event {
        Event::Requested(requested) => links.requested(&requested.bound, &requested.decision),
        Event::Voted(voted) => links.add(
            Node::Vote(at),
            Relation::WasAttributedTo,
            Node::Person(voted.person),
        ),
        Event::Started(started) => links.started(started, bound),
        Event::Finished(finished) => links.finished(finished),
        Event::PolicyAdopted(_)
        | Event::Reassessed(_)
        | Event::LeaseRenewed(_)
        | Event::Lost(_)
        | Event::Withdrawn(_)
        | Event::Superseded(_)
        | Event::Cancelled(_)
        | Event::Revoked(_)
        | Event::Expired(_)
        | Event::Reconciled(_)
        | Event::Clock(_)
        | Event::ClockAcknowledged(_)
        | Event::Erased(_)
        | Event::Recovered(_) => {}
    }
    let Links(mut found) = links;
    found.sort();
    found.dedup();
    found
}

/// The datasets whose names an event hides: a store keeps none of their texts in the clear.
#[must_use]
pub fn sensitive_datasets(event: &Event) -> Vec<DatasetRef> {
    let Event::Finished(finished) = event else {
        return Vec::new();
    };
    let all = finished.used.iter().chain(&finished.generated);
    let sensitive = all.filter(|touched| matches!(touched.name, DatasetName::Sensitive(_)));
    sensitive.filter_map(Touched::reference).collect()
}

struct Links(Vec<Link>);

impl Links {
    fn add(&mut self, from: Node, relation: Relation, to: Node) {
        self.0.push(Link { from, relation, to });
    }

    fn requested(&mut self, bound: &Bound, decision: &Decision) {
        let Some((request, chain)) = chain(bound) else {
            return;
        };
        let request = Node::Request(request);
        self.add(
            request.clone(),
            Relation::HadPlan,
            Node::Policy(decision.revision.clone()),
        );
        for principal in &chain {
            self.add(
                request.clone(),
                Relation::WasAttributedTo,
                principal.clone(),
            );
        }
        for (inner, outer) in chain.iter().zip(chain.iter().skip(1)) {
            self.add(inner.clone(), Relation::ActedOnBehalfOf, outer.clone());
        }
    }

    fn started(&mut self, started: &Started, bound: Option<&Bound>) {
        let Some((request, chain)) = bound.and_then(chain) else {
            return;
        };
        let request = Node::Request(request);
        let execution = Node::Execution(started.execution);
        self.add(execution.clone(), Relation::WasInformedBy, request.clone());
        if let Some(acting) = chain.first() {
            self.add(execution, Relation::WasAssociatedWith, acting.clone());
        }
        let policy = Node::Policy(started.decision.revision.clone());
        self.add(request.clone(), Relation::HadPlan, policy);
        if let Basis::RequireApproval { counted, .. } = &started.basis {
            for vote in counted {
                self.add(Node::Vote(vote.vote), Relation::Authorised, request.clone());
            }
        }
    }

    fn finished(&mut self, finished: &Finished) {
        let execution = Node::Execution(finished.execution);
        for dataset in &finished.used {
            self.add(execution.clone(), Relation::Used, node(dataset));
        }
        for dataset in &finished.generated {
            self.add(node(dataset), Relation::WasGeneratedBy, execution.clone());
        }
        for Derivation { generated, used } in &finished.derived {
            let at = |list: &[Touched], index: &u32| {
                let index = usize::try_from(*index).ok()?;
                list.get(index).map(node)
            };
            if let (Some(generated), Some(used)) =
                (at(&finished.generated, generated), at(&finished.used, used))
            {
                self.add(generated, Relation::WasDerivedFrom, used);
            }
        }
    }
}

fn node(touched: &Touched) -> Node {
    match (touched.reference(), &touched.name) {
        (Some(reference), _) => Node::Dataset(reference),
        (None, DatasetName::Sensitive(Hidden::Missing(digest))) => {
            Node::Unnamed(Unnamed::Erased(*digest))
        }
        // A known name has a reference.
        (None, DatasetName::Clear(name) | DatasetName::Sensitive(Hidden::Known(name))) => {
            Node::Dataset(DatasetRef::new(
                touched.kind,
                touched.namespace.as_str(),
                name.as_str(),
            ))
        }
    }
}

/// The request of a bound form and its actor chain, who acts first. Neither needs a disclosure.
fn chain(bound: &Bound) -> Option<(RequestId, Vec<Node>)> {
    let stamped = bound.stamped()?;
    let hops = stamped.actor.hops.iter().map(|hop| match hop {
        BoundHop::Human { person, id: _ } => Node::Person(*person),
        BoundHop::Agent(id) | BoundHop::Service(id) => Node::Agent(id.clone()),
    });
    Some((stamped.request, hops.collect()))
}

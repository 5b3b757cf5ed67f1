//! What an event does to the projections, as far as that does not depend on where in the log it will stand.
//!
//! Keys of nodes and tags of actors take digests, which are no work for the inside of the store's lock.

use std::collections::BTreeMap;

use crate::action::{
    Bound, BoundActor, BoundHop, DatasetRef, PrincipalId, PrincipalKind, Rebuilt, join_input,
};
use crate::approval::{At, Disposition, Event};
use crate::audit::named_key;
use crate::canonical::write_string;
use crate::lineage::{Link, Node, links_of, sensitive_datasets};
use crate::store::{NodeKey, NodeRow, Tag};

use super::{Shared, rebuild};

/// Where an event stands, as long as that is open: at the genesis, which is no event of a request.
const HERE: At = At(0);

/// Prepared for one event.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    /// `None` for an event of the log itself.
    pub(super) asked: Option<Asked>,
    edges: Vec<(End, u8, End)>,
    nodes: Vec<NodeRow>,
    /// The event's own record is a node.
    own: bool,
}

/// What a request is bound to, and by what the index of requests finds it.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    bound: Bound,
    actor: Tag,
    tenant: Option<Tag>,
}

/// What the row of a request takes from its subject.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) actor: Tag,
    pub(super) tenant: Option<Tag>,
    /// Of what an equal action joins; prepared where the request may wait after the event.
    pub(super) join: Option<Tag>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Key(NodeKey),
    /// The record of the event.
    Here,
}

/// The lines of the graph, once the record has its number.
pub(super) struct Drawn {
    pub(super) edges: Vec<(NodeKey, u8, NodeKey)>,
    pub(super) nodes: Vec<NodeRow>,
}

impl Shared {
    pub(super) fn subject(&self, bound: Bound) -> Subject {
        let actor = bound.stamped().map(|stamped| &stamped.actor);
        Subject {
            actor: actor.map_or(Tag::from_bytes([0; 32]), |actor| self.actor_tag(actor)),
            tenant: actor.and_then(|actor| self.tenant_tag(actor)),
            bound,
        }
    }

    /// Prepares the rows of an event; `subject` is that of its request, and `None` for an event of the log itself.
    pub(super) fn sketch(&self, event: &Event, subject: Option<&Subject>) -> Sketch {
        let sensitive = sensitive_datasets(event);
        let mut nodes: BTreeMap<Node, NodeRow> = BTreeMap::new();
        let mut own = false;
        let mut end = |node: Node| {
            if node == Node::Vote(HERE) {
                own = true;
                return End::Here;
            }
            let row = nodes.entry(node);
            End::Key(
                row.or_insert_with_key(|node| self.node(node, &sensitive))
                    .key,
            )
        };
        let links = links_of(event, HERE, subject.map(|subject| &subject.bound)).into_iter();
        let edges = links
            .map(|Link { from, relation, to }| (end(from), relation.code(), end(to)))
            .collect();
        Sketch {
            asked: subject.map(|subject| self.asked(event, subject)),
            edges,
            nodes: nodes.into_values().collect(),
            own,
        }
    }

    /// The prepared lines for a record with this number.
    pub(super) fn draw(&self, sketch: Sketch, at: At) -> (Option<Asked>, Drawn) {
        let Sketch {
            asked,
            edges,
            mut nodes,
            own,
        } = sketch;
        // A vote's key is its number and takes no digest.
        let here = self.node(&Node::Vote(at), &[]);
        let key = |end| match end {
            End::Key(key) => key,
            End::Here => here.key,
        };
        let edges = edges
            .into_iter()
            .map(|(from, relation, to)| (key(from), relation, key(to)))
            .collect();
        nodes.extend(own.then(|| here.clone()));
        (asked, Drawn { edges, nodes })
    }

    fn asked(&self, event: &Event, subject: &Subject) -> Asked {
        let Subject {
            bound,
            actor,
            tenant,
        } = subject;
        Asked {
            actor: *actor,
            tenant: *tenant,
            join: may_wait(event).then(|| self.join_of(bound)).flatten(),
        }
    }

    fn join_of(&self, bound: &Bound) -> Option<Tag> {
        let unbound = rebuild(bound)?;
        let chain = unbound.chain()?;
        let Rebuilt::Action(action) = &unbound.action else {
            return None;
        };
        Some(self.join_tag(&join_input(action, &chain, &unbound.session)))
    }

    pub(crate) fn join_tag(&self, input: &[u8]) -> Tag {
        self.tag("countersign/join/v1", input)
    }

    /// The tag of an actor, tenant and session; pseudonyms make it the same for every request.
    pub(super) fn actor_tag(&self, actor: &BoundActor) -> Tag {
        let BoundActor {
            hops,
            session,
            tenant,
        } = actor;
        // Canonical JSON, so that no two actors have the same bytes.
        let mut out = br#"{"actor":["#.to_vec();
        let named = |out: &mut Vec<u8>, kind: PrincipalKind, id: &PrincipalId| {
            out.extend_from_slice(br#"{"issuer":"#);
            write_string(out, id.issuer());
            out.extend_from_slice(br#","kind":"#);
            write_string(out, kind.as_str());
            out.extend_from_slice(br#","subject":"#);
            write_string(out, id.subject());
            out.push(b'}');
        };
        for (index, hop) in hops.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match hop {
                BoundHop::Human { person, id: _ } => write_string(&mut out, &person.to_string()),
                BoundHop::Agent(id) => named(&mut out, PrincipalKind::Agent, id),
                BoundHop::Service(id) => named(&mut out, PrincipalKind::Service, id),
            }
        }
        out.extend_from_slice(br#"],"session":"#);
        write_string(&mut out, session.as_str());
        out.extend_from_slice(br#","tenant":"#);
        match tenant {
            Some(tenant) => write_string(&mut out, tenant.as_str()),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
        self.tag("countersign/actor/v1", &out)
    }

    fn tenant_tag(&self, actor: &BoundActor) -> Option<Tag> {
        let tenant = actor.tenant.as_ref()?;
        Some(
            self.secret
                .tag("countersign/tenant/v1", tenant.as_str().as_bytes()),
        )
    }

    /// A node's row; its text is kept unless it names a dataset that is marked sensitive.
    pub(super) fn node(&self, node: &Node, sensitive: &[DatasetRef]) -> NodeRow {
        let text = node.to_text();
        NodeRow {
            key: named_key(&self.secret, node, &text),
            kind: node.kind().code(),
            clear: match node {
                Node::Dataset(dataset) if sensitive.contains(dataset) => None,
                _ => Some(text),
            },
        }
    }
}

/// Whether a request can be pending after such an event.
fn may_wait(event: &Event) -> bool {
    match event {
        Event::Requested(requested) => {
            matches!(requested.disposition, Disposition::RequireApproval { .. })
        }
        Event::Started(_) | Event::LeaseRenewed(_) | Event::Finished(_) | Event::Lost(_) => false,
        _ => true,
    }
}

//! What an event does to the store's projections: the inbox, timers, the outbox and the graph.

use std::collections::BTreeMap;

use crate::action::{
    ActorChain, BoundActor, BoundHop, DatasetRef, PrincipalId, PrincipalKind, Rebuilt, RequestId,
    SessionId, join_input,
};
use crate::approval::{Event, Recorded, RequestState};
use crate::audit::{node_key, phase_of, timer_of};
use crate::canonical::write_string;
use crate::clock::Timestamp;
use crate::identity::Directory;
use crate::lineage::{self, Node};
use crate::log::Seq;
use crate::notify::ChannelName;
use crate::store::{
    ChannelKey, EdgeRow, NodeRow, NoticeId, NoticeKind, OutboxRow, Phase, Query, RequestRow, Row,
    Tag,
};

use super::{LedgerError, Shared, lock, rebuild};

impl Shared {
    /// The rows that follow from an event, given the state after it.
    pub(super) fn project(
        &self,
        recorded: &Recorded,
        state: Option<&RequestState>,
        channels: &[ChannelKey],
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Some(state) = state
            && recorded.request.is_some()
        {
            self.project_request(recorded, state, channels, &mut rows);
        }
        let sensitive = lineage::sensitive_datasets(recorded);
        let mut nodes: BTreeMap<Node, NodeRow> = BTreeMap::new();
        let mut key_of = |node: Node| {
            nodes
                .entry(node)
                .or_insert_with_key(|node| self.node(node, &sensitive))
                .key
        };
        for edge in lineage::edges_of(recorded, state.map(RequestState::bound)) {
            rows.push(Row::Edge(EdgeRow {
                from: key_of(edge.from),
                relation: edge.relation.code(),
                to: key_of(edge.to),
                seq: Seq::new(recorded.seq.0),
            }));
        }
        rows.extend(nodes.into_values().map(Row::Node));
        rows
    }

    /// Has the keeper wake up in time for a timer that is about to be written.
    fn note_timer(&self, due: Timestamp) {
        {
            let mut new = lock(&self.new_timer);
            *new = Some(new.map_or(due, |known| known.min(due)));
        }
        // INVARIANT: noted before the comparison, as the keeper says what is next before it looks at the note: one of the two
        // sees the other.
        let earlier = lock(&self.next_due).is_none_or(|next| due < next);
        if earlier {
            self.alarms.bell.ring();
        }
    }

    fn project_request(
        &self,
        recorded: &Recorded,
        state: &RequestState,
        channels: &[ChannelKey],
        rows: &mut Vec<Row>,
    ) {
        let request = state.request();
        // As the records tell it: whether time has made it something else is the keeper's business.
        let phase = phase_of(state);
        let actor = state.bound().stamped().map(|stamped| &stamped.actor);
        rows.push(Row::Request(RequestRow {
            request,
            phase,
            actor: actor.map_or(Tag::from_bytes([0; 32]), |actor| self.actor_tag(actor)),
            join: self.join_of(state, phase),
            tenant: actor.and_then(|actor| self.tenant_tag(actor)),
            filed: state.filed(),
            seq: Seq::new(state.first().0),
        }));
        let first = matches!(recorded.event, Event::Requested(_));
        if !first {
            rows.push(Row::TimerGone(request));
        }
        if let Some(timer) = timer_of(state) {
            rows.push(Row::Timer(timer));
            self.note_timer(timer.due);
        }
        if settles(&recorded.event, phase) {
            rows.extend(channels.iter().map(|channel| {
                Row::Outbox(OutboxRow {
                    notice: NoticeId::new(),
                    channel: channel.clone(),
                    request,
                    what: NoticeKind::Settle,
                    due: recorded.ts,
                })
            }));
        }
    }

    /// The channels that have been told of a request.
    pub(crate) async fn channels_of(
        &self,
        state: &RequestState,
    ) -> Result<Vec<ChannelKey>, LedgerError> {
        if state.requirement().is_none() {
            return Ok(Vec::new());
        }
        let messages = self
            .store
            .find(Query::Messages(state.request()))
            .await?
            .messages()?;
        let mut channels: Vec<ChannelKey> = messages
            .into_iter()
            .map(|message| message.row.channel)
            .collect();
        channels.sort();
        channels.dedup();
        Ok(channels)
    }

    /// The open requests of an actor, tenant and session, as the index has them; oldest first.
    pub(crate) async fn requests_of(
        &self,
        chain: &ActorChain,
        session: &SessionId,
        directory: &dyn Directory,
    ) -> Result<Vec<RequestId>, LedgerError> {
        let interested = match self.interested(chain, directory).await {
            Ok(interested) => interested,
            Err(LedgerError::Directory) => self.interested_unasked(chain).await?,
            Err(error) => return Err(error),
        };
        let actor = BoundActor::new(chain, session, &interested.hops);
        let tag = self.actor_tag(&actor);
        let (mut requests, mut after) = (Vec::new(), None);
        let limit = std::num::NonZeroU32::new(256).unwrap_or(std::num::NonZeroU32::MIN);
        loop {
            let rows = self
                .store
                .find(Query::Actor { tag, after, limit })
                .await?
                .rows()?;
            let Some(last) = rows.last() else {
                return Ok(requests);
            };
            after = Some(last.request);
            requests.extend(
                rows.iter()
                    .filter(|row| row.phase != Phase::Closed)
                    .map(|row| row.request),
            );
        }
    }

    /// The tag of an actor, tenant and session; pseudonyms make it the same for every request.
    fn actor_tag(&self, actor: &BoundActor) -> Tag {
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

    /// The index by which an equal action joins: only while the request is pending.
    fn join_of(&self, state: &RequestState, phase: Phase) -> Option<Tag> {
        if phase != Phase::Pending {
            return None;
        }
        let unbound = rebuild(state)?;
        let chain = unbound.chain()?;
        let Rebuilt::Action(action) = &unbound.action else {
            return None;
        };
        Some(self.join_tag(&join_input(action, &chain, &unbound.session)))
    }

    pub(crate) fn join_tag(&self, input: &[u8]) -> Tag {
        self.tag("countersign/join/v1", input)
    }

    fn tenant_tag(&self, actor: &BoundActor) -> Option<Tag> {
        let tenant = actor.tenant.as_ref()?;
        Some(self.tag("countersign/tenant/v1", tenant.as_str().as_bytes()))
    }

    /// A node's row; its text is kept unless it names a dataset that is marked sensitive.
    pub(super) fn node(&self, node: &Node, sensitive: &[DatasetRef]) -> NodeRow {
        NodeRow {
            key: node_key(&self.secret, node),
            kind: node.kind().code(),
            clear: match node {
                Node::Dataset(dataset) if sensitive.contains(dataset) => None,
                _ => Some(node.to_text()),
            },
        }
    }
}

/// Whether the people who were asked shall hear of an event.
fn settles(event: &Event, phase: Phase) -> bool {
    match event {
        Event::Voted(_) => phase != Phase::Pending,
        Event::Reassessed(_)
        | Event::Started(_)
        | Event::Finished(_)
        | Event::Lost(_)
        | Event::Withdrawn(_)
        | Event::Superseded(_)
        | Event::Cancelled(_)
        | Event::Revoked(_)
        | Event::Expired(_)
        | Event::Reconciled(_) => true,
        Event::Requested(_)
        | Event::LeaseRenewed(_)
        | Event::PolicyAdopted(_)
        | Event::Clock(_)
        | Event::ClockAcknowledged(_) => false,
    }
}

/// The outbox's key of a channel.
pub(crate) fn channel_key(name: &ChannelName) -> ChannelKey {
    ChannelKey(name.as_str().to_owned())
}

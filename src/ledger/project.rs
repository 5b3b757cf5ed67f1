//! What an event does to the store's projections: the inbox, timers, the outbox and the graph.

use crate::action::{ActorChain, BoundActor, RequestId, SessionId};
use crate::approval::{Event, Recorded, RequestState};
use crate::audit::{phase_of, timer_of};
use crate::clock::Timestamp;
use crate::identity::Directory;
use crate::log::Seq;
use crate::notify::ChannelName;
use crate::store::{ChannelKey, EdgeRow, NoticeKind, Phase, Query, RequestRow, Row};

use super::sketch::{Asked, Drawn, Sketch};
use super::{LedgerError, Shared, lock};

impl Shared {
    /// The rows that follow from a record, given the state after it.
    pub(super) fn project(
        &self,
        recorded: &Recorded,
        sketch: Sketch,
        state: Option<&RequestState>,
        channels: &[ChannelKey],
    ) -> Result<Vec<Row>, LedgerError> {
        let (asked, Drawn { edges, nodes }) = self.draw(sketch, recorded.seq);
        let mut rows = Vec::with_capacity(edges.len() + nodes.len() + 4);
        if let (Some(asked), Some(state)) = (asked, state) {
            self.project_request(recorded, asked, state, channels, &mut rows)?;
        }
        let seq = Seq::new(recorded.seq.0);
        let edge = |(from, relation, to)| EdgeRow {
            from,
            relation,
            to,
            seq,
        };
        rows.extend(edges.into_iter().map(edge).map(Row::Edge));
        rows.extend(nodes.into_iter().map(Row::Node));
        Ok(rows)
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
        asked: Asked,
        state: &RequestState,
        channels: &[ChannelKey],
        rows: &mut Vec<Row>,
    ) -> Result<(), LedgerError> {
        let Asked {
            actor,
            tenant,
            join,
        } = asked;
        let request = state.request();
        // As the records tell it: whether time has made it something else is the keeper's business.
        let phase = phase_of(state);
        rows.push(Row::Request(RequestRow {
            request,
            phase,
            actor,
            join: join.filter(|_| phase == Phase::Pending),
            tenant,
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
            let channels = channels.iter().cloned();
            rows.extend(self.notices(channels, request, NoticeKind::Settle, recorded.ts)?);
        }
        Ok(())
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
        Ok(self.told(messages))
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
        | Event::ClockAcknowledged(_)
        | Event::Erased(_)
        | Event::Recovered(_) => false,
    }
}

/// The outbox's key of a channel.
pub(crate) fn channel_key(name: &ChannelName) -> ChannelKey {
    ChannelKey(name.as_str().to_owned())
}

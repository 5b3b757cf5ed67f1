use std::collections::BTreeSet;
use std::ops::{Bound, Range};

use crate::action::RequestId;
use crate::canonical::Digest;
use crate::log::{Kept, Seq};

use uuid::Uuid;

use super::super::error::StoreError;
use super::super::query::{EdgesOf, Found, PageOf, Query};
use super::super::rows::{EdgeRow, NodeKey, RequestRow, Tag};
use super::state::State;

impl State {
    pub(super) fn find(&self, query: Query) -> Result<Found, StoreError> {
        Ok(match query {
            Query::Request(request) => {
                let places = self.of_request.get(&request).into_iter().flatten();
                Found::Records(
                    places
                        .filter_map(|place| self.records.get(*place))
                        .map(|new| new.record.clone())
                        .collect(),
                )
            }
            Query::KeyChanges => Found::Records(
                self.records
                    .iter()
                    .filter(|new| new.kind.changes_keys())
                    .map(|new| new.record.clone())
                    .collect(),
            ),
            Query::Versions(scopes) => Found::Versions(self.versions(&scopes)),
            Query::Secret => Found::Secret(self.secret.clone()),
            Query::Disclosures(mut seqs) => {
                seqs.sort_unstable();
                seqs.dedup();
                Found::Disclosures(
                    seqs.into_iter()
                        .flat_map(|seq| self.disclosures_in(seq..Seq::new(seq.get() + 1)))
                        .collect(),
                )
            }
            Query::DisclosuresFrom { from, to } => {
                Found::Disclosures(self.disclosures_in(from..to).collect())
            }
            Query::Row(request) => {
                Found::Rows(self.requests.get(&request).cloned().into_iter().collect())
            }
            Query::Inbox(PageOf {
                phases,
                after,
                limit,
            }) => Found::Rows(
                self.requests_after(after)
                    .filter(|row| phases.contains(&row.phase))
                    .take(limit.get() as usize)
                    .cloned()
                    .collect(),
            ),
            Query::Actor { tag, after, limit } => {
                let start = after.map_or(Bound::Included((tag, least())), |after| {
                    Bound::Excluded((tag, after))
                });
                Found::Rows(
                    self.tagged(&self.of_actor, tag, start)
                        .take(limit.get() as usize)
                        .collect(),
                )
            }
            Query::Join(tag) => Found::Rows(
                self.tagged(&self.to_join, tag, Bound::Included((tag, least())))
                    .collect(),
            ),
            Query::Due { until, limit } => Found::Timers(
                self.timers
                    .after(None)
                    .take_while(|row| row.due <= until)
                    .take(limit.get() as usize)
                    .collect(),
            ),
            Query::NextDue { after, limit } => Found::Timers(
                self.timers
                    .after(after)
                    .take(limit.get() as usize)
                    .collect(),
            ),
            Query::EdgesFrom(EdgesOf { node, after, limit }) => {
                let start = after.map_or(
                    Bound::Included(EdgeRow {
                        from: node,
                        relation: 0,
                        to: NodeKey::from_bytes([0; 16]),
                        seq: Seq::new(0),
                    }),
                    Bound::Excluded,
                );
                Found::Edges(
                    self.edges
                        .range((start, Bound::Unbounded))
                        .take_while(|edge| edge.from == node)
                        .take(limit.get() as usize)
                        .copied()
                        .collect(),
                )
            }
            Query::EdgesTo(EdgesOf { node, after, limit }) => {
                let order = |edge: &EdgeRow| (edge.relation, edge.from, edge.seq);
                let mut edges: Vec<EdgeRow> = self
                    .edges
                    .iter()
                    .filter(|edge| edge.to == node)
                    .filter(|edge| after.is_none_or(|after| order(edge) > order(&after)))
                    .copied()
                    .collect();
                edges.sort_unstable_by_key(order);
                edges.truncate(limit.get() as usize);
                Found::Edges(edges)
            }
            Query::Edges { after, limit } => Found::Edges(
                self.edges
                    .range((exclusive(after), Bound::Unbounded))
                    .take(limit.get() as usize)
                    .copied()
                    .collect(),
            ),
            Query::Nodes(mut keys) => {
                keys.sort_unstable();
                keys.dedup();
                Found::Nodes(
                    keys.iter()
                        .filter_map(|key| self.nodes.get(key))
                        .cloned()
                        .collect(),
                )
            }
            Query::Checkpoint { at_least } => {
                Found::Checkpoints(self.checkpoints_from(at_least).take(1).collect())
            }
            Query::CheckpointsFrom { at_least, limit } => Found::Checkpoints(
                self.checkpoints_from(at_least)
                    .take(limit.get() as usize)
                    .collect(),
            ),
            Query::Leaves(range) => Found::Digests(all(range, |index| {
                let index = usize::try_from(index).ok()?;
                self.records.get(index).map(|new| new.record.leaf)
            })?),
            Query::Subtrees { level, range } => Found::Digests(all(range, |index| {
                self.subtrees.get(&(level, index)).copied()
            })?),
            Query::Pseudonym(tag) => Found::Pseudonym(self.pseudonyms.get(&tag).copied()),
            Query::Outbox => Found::Outbox(self.outbox.counts()),
            Query::NextNotice { channels, now } => Found::Moment(self.outbox.next(&channels, now)),
            Query::Cursor(name) => Found::Cursor(self.cursors.get(&name).copied()),
            Query::Instances => Found::Instances(self.instances.values().copied().collect()),
            Query::Messages(request) => Found::Messages(self.outbox.about(request)),
        })
    }

    fn disclosures_in(&self, range: Range<Seq>) -> impl Iterator<Item = (Seq, Kept)> {
        // An empty or reversed range finds nothing; `BTreeMap::range` would panic on the latter.
        let range = if range.start < range.end {
            range
        } else {
            range.start..range.start
        };
        self.disclosures
            .range(range)
            .flat_map(|(seq, ones)| ones.iter().map(|one| (*seq, one.clone())))
    }

    fn requests_after(&self, after: Option<RequestId>) -> impl Iterator<Item = &RequestRow> {
        self.requests
            .range((exclusive(after), Bound::Unbounded))
            .map(|(_, row)| row)
    }

    fn tagged(
        &self,
        index: &BTreeSet<(Tag, RequestId)>,
        tag: Tag,
        start: Bound<(Tag, RequestId)>,
    ) -> impl Iterator<Item = RequestRow> {
        index
            .range((start, Bound::Unbounded))
            .take_while(move |(one, _)| *one == tag)
            .filter_map(|(_, request)| self.requests.get(request).cloned())
    }

    fn checkpoints_from(&self, size: u64) -> impl Iterator<Item = (u64, Vec<u8>)> {
        self.checkpoints
            .range(size..)
            .map(|(size, note)| (*size, note.clone()))
    }
}

fn exclusive<T>(after: Option<T>) -> Bound<T> {
    after.map_or(Bound::Unbounded, Bound::Excluded)
}

fn all(range: Range<u64>, one: impl Fn(u64) -> Option<Digest>) -> Result<Vec<Digest>, StoreError> {
    range
        .map(|index| one(index).ok_or_else(|| StoreError::corrupt("a hash of the tree is missing")))
        .collect()
}

fn least() -> RequestId {
    RequestId::from_uuid(Uuid::nil())
}

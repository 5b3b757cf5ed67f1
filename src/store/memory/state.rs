use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::action::{InstanceId, Pseudonym, RequestId};
use crate::canonical::Digest;
use crate::log::{Head, Kept, Seq, StoredRecord, leaf_hash};

use super::super::error::StoreError;
use super::super::rows::{
    EdgeRow, InstanceRow, NodeKey, NodeRow, NoticeId, Phase, RequestRow, Row, Tag,
};
use super::super::step::{Batch, NewRecord, ScopeKey, StoreSecret};
use super::outbox::Outbox;
use super::timers::Timers;

/// Everything that the store holds.
#[derive(Default)]
pub(super) struct State {
    pub(super) head: Option<Head>,
    pub(super) secret: Option<StoreSecret>,
    pub(super) records: Vec<NewRecord>,
    pub(super) of_request: HashMap<RequestId, Vec<usize>>,
    pub(super) subtrees: BTreeMap<(u8, u64), Digest>,
    pub(super) checkpoints: BTreeMap<u64, Vec<u8>>,
    pub(super) disclosures: BTreeMap<Seq, Vec<Kept>>,
    versions: HashMap<ScopeKey, u64>,
    pub(super) requests: BTreeMap<RequestId, RequestRow>,
    /// Actors' requests that are not closed.
    pub(super) of_actor: BTreeSet<(Tag, RequestId)>,
    /// Pending requests that may be joined.
    pub(super) to_join: BTreeSet<(Tag, RequestId)>,
    pub(super) timers: Timers,
    pub(super) edges: BTreeSet<EdgeRow>,
    pub(super) nodes: BTreeMap<NodeKey, NodeRow>,
    pub(super) outbox: Outbox,
    pub(super) pseudonyms: HashMap<Tag, Pseudonym>,
    persons: HashMap<Pseudonym, Tag>,
    pub(super) cursors: HashMap<String, Seq>,
    pub(super) instances: BTreeMap<InstanceId, InstanceRow>,
}

impl State {
    pub(super) fn versions(&self, scopes: &BTreeSet<ScopeKey>) -> BTreeMap<ScopeKey, u64> {
        scopes
            .iter()
            .map(|scope| {
                (
                    scope.clone(),
                    self.versions.get(scope).copied().unwrap_or(0),
                )
            })
            .collect()
    }

    pub(super) fn read(&self, from: Seq, many: u32) -> Vec<StoredRecord> {
        let from = usize::try_from(from.get()).unwrap_or(usize::MAX);
        let some = self.records.iter().skip(from).take(many as usize);
        some.map(|new| new.record.clone()).collect()
    }

    /// Finds everything that could keep the batch from being applied.
    pub(super) fn check(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check(self.head.as_ref())?;
        for new in &batch.records {
            if leaf_hash(&new.record.statement) != new.record.leaf {
                return Err(StoreError::corrupt("a leaf is not that of its statement"));
            }
        }
        let mut notices: HashSet<NoticeId> = HashSet::new();
        let mut tags: HashMap<Tag, Pseudonym> = HashMap::new();
        let mut persons: HashMap<Pseudonym, Tag> = HashMap::new();
        let mut erased = HashSet::new();
        for row in &batch.rows {
            match row {
                Row::Outbox(new) => {
                    if self.outbox.contains(new.notice) || !notices.insert(new.notice) {
                        return Err(StoreError::Conflict("a notice with an id that another has"));
                    }
                }
                Row::Pseudonym { tag, pseudonym } => {
                    let named = tags
                        .insert(*tag, *pseudonym)
                        .or(self.pseudonyms.get(tag).copied());
                    let person = persons
                        .insert(*pseudonym, *tag)
                        .or(self.persons.get(pseudonym).copied());
                    if named.is_some_and(|one| one != *pseudonym)
                        || person.is_some_and(|one| one != *tag)
                    {
                        return Err(StoreError::Conflict("a pseudonym of another person"));
                    }
                }
                Row::Renamed { tag, pseudonym } => {
                    let taken = self.persons.get(pseudonym).is_some_and(|one| one != tag);
                    if taken || persons.contains_key(pseudonym) {
                        return Err(StoreError::Conflict("a pseudonym of another person"));
                    }
                }
                Row::Erased { seq, digest } => {
                    let filed = self.disclosures.get(seq);
                    let there =
                        filed.is_some_and(|filed| filed.iter().any(|one| one.digest() == *digest));
                    if !there || !erased.insert((*seq, *digest)) {
                        return Err(StoreError::Conflict(
                            "a disclosure to be erased is not there",
                        ));
                    }
                }
                Row::Request(_)
                | Row::Timer(_)
                | Row::TimerDone(_)
                | Row::TimerGone(_)
                | Row::Edge(_)
                | Row::Node(_) => {}
            }
        }
        Ok(())
    }

    /// Applies a batch that was checked.
    pub(super) fn apply(&mut self, batch: Batch) {
        let Batch {
            records,
            subtrees,
            checkpoint: (size, note),
            head,
            disclosures,
            moved,
            rows,
            secret,
        } = batch;
        for new in records {
            if let Some(request) = new.request {
                let place = self.records.len();
                self.of_request.entry(request).or_default().push(place);
            }
            self.records.push(new);
        }
        for one in subtrees {
            self.subtrees.insert((one.level, one.index), one.hash);
        }
        self.checkpoints.insert(size, note);
        for (seq, one) in disclosures {
            self.disclosures.entry(seq).or_default().push(one);
        }
        for scope in moved {
            *self.versions.entry(scope).or_insert(0) += 1;
        }
        for row in rows {
            self.put(row);
        }
        if secret.is_some() {
            self.secret = secret;
        }
        self.head = Some(head);
    }

    fn put(&mut self, row: Row) {
        match row {
            Row::Request(row) => self.put_request(row),
            Row::Timer(row) => self.timers.put(row),
            Row::TimerDone(row) => {
                self.timers.done(row);
            }
            Row::TimerGone(request) => {
                self.timers.drop_all(request);
            }
            Row::Edge(row) => {
                self.edges.insert(row);
            }
            Row::Node(row) => {
                self.nodes.entry(row.key).or_insert(row);
            }
            Row::Outbox(row) => self.outbox.file(row),
            Row::Pseudonym { tag, pseudonym } => {
                self.pseudonyms.insert(tag, pseudonym);
                self.persons.insert(pseudonym, tag);
            }
            Row::Renamed { tag, pseudonym } => {
                if let Some(before) = self.pseudonyms.get_mut(&tag) {
                    self.persons.remove(before);
                    *before = pseudonym;
                    self.persons.insert(pseudonym, tag);
                }
            }
            Row::Erased { seq, digest } => {
                if let Some(filed) = self.disclosures.get_mut(&seq) {
                    filed.retain(|one| one.digest() != digest);
                }
            }
        }
    }

    fn put_request(&mut self, row: RequestRow) {
        if let Some(old) = self.requests.get(&row.request) {
            self.of_actor.remove(&(old.actor, old.request));
            if let Some(join) = old.join {
                self.to_join.remove(&(join, old.request));
            }
        }
        if row.phase != Phase::Closed {
            self.of_actor.insert((row.actor, row.request));
        }
        if let Some(join) = row.join
            && row.phase == Phase::Pending
        {
            self.to_join.insert((join, row.request));
        }
        self.requests.insert(row.request, row);
    }
}

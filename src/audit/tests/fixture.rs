//! A log that says whatever it is told to say, with real signatures.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use futures::executor::block_on;
use uuid::Uuid;

use crate::action::{RequestId, SeededSalts};
use crate::approval::{At, Event, Hidden, Recorded, RequestState};
use crate::canonical::Object;
use crate::clock::Timestamp;
use crate::journal::{Writer, encode};
use crate::lineage::edges_of;
use crate::log::{
    Chain, Columns, Enforcement, Entry, Genesis, HeadRow, KeyChange, Kind, LogId, LogReader,
    Origin, ReadError, RequestRef, Revocation, Role, Row, RowRecord, SecretKey, Seq, Signer,
    StatementLimit, StoredRecord, Subtree, TrustedKeys, sign_batch,
};
use crate::store::{
    self, Batch, MemoryStore, NewRecord, RequestRow, Step, Store, StoreSecret, Tag,
};

use super::super::persons::reviewer;
use super::super::{Audit, AuditReport, edge_row, person_tag, phase_of, timer_of};

pub(super) const GATE: u128 = 1;

/// A log in the making, and a store beside it that holds the same with projections.
pub(super) struct Fixture {
    origin: Origin,
    genesis: Genesis,
    gate: SecretKey,
    desk: SecretKey,
    operator: SecretKey,
    checkpoints_by: SecretKey,
    chain: Chain,
    pub(super) now: Timestamp,
    pub(super) salts: SeededSalts,
    next: u128,
    rows: Vec<Row>,
    disclosures: Vec<(Seq, String)>,
    subtrees: Vec<Subtree>,
    checkpoints: Vec<(u64, Vec<u8>)>,
    states: BTreeMap<RequestId, RequestState>,
    pub(super) store: MemoryStore,
    batches: Vec<Batch>,
    /// Changes of the projections that go along with the next record, instead of the right ones.
    pub(super) meddle: Option<Vec<store::Row>>,
}

impl Fixture {
    /// A log with its genesis, and the policy adopted by the gate.
    pub(super) fn new() -> Self {
        let mut fixture = Self::empty("example.com/audit");
        fixture.adopt(GATE);
        fixture
    }

    pub(super) fn empty(origin: &str) -> Self {
        let [gate, desk, operator, checkpoints_by] =
            [1, 2, 3, 4].map(|seed| SecretKey::from_seed(&[seed; 32]));
        let origin = Origin::new(origin).unwrap();
        let log = LogId::from_random([9; 16]);
        let keys = [
            (gate.public().clone(), BTreeSet::from([Role::Gate])),
            (desk.public().clone(), BTreeSet::from([Role::Desk])),
            (operator.public().clone(), BTreeSet::from([Role::Operator])),
            (
                checkpoints_by.public().clone(),
                BTreeSet::from([Role::Checkpoint]),
            ),
        ];
        let genesis = Genesis::new(log, origin.clone(), keys, None).unwrap();
        let mut fixture = Self {
            origin,
            genesis: genesis.clone(),
            gate,
            desk,
            operator,
            checkpoints_by,
            chain: Chain::begin(log, StatementLimit::LARGEST),
            now: Timestamp::parse("2026-03-01T09:00:00.000000Z").unwrap(),
            salts: SeededSalts::new(7),
            next: 1000,
            rows: Vec::new(),
            disclosures: Vec::new(),
            subtrees: Vec::new(),
            checkpoints: Vec::new(),
            states: BTreeMap::new(),
            store: MemoryStore::new(),
            batches: Vec::new(),
            meddle: None,
        };
        fixture.entry(&genesis.to_entry());
        fixture
    }

    pub(super) fn enforcement(&self) -> Enforcement {
        self.genesis.enforcement()
    }

    pub(super) fn size(&self) -> u64 {
        self.chain.size()
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
    }

    pub(super) fn later(&self, seconds: u64) -> Timestamp {
        self.now.saturating_add(Duration::from_secs(seconds))
    }

    pub(super) fn id(&mut self) -> Uuid {
        self.next += 1;
        Uuid::from_u128(self.next)
    }

    pub(super) fn entry_of(&mut self, event: &Event, request: Option<RequestRef>) -> Entry {
        encode(
            event,
            request,
            Writer::gate(self.enforcement()),
            &mut self.salts,
        )
        .unwrap()
    }

    /// Records an event, legal or not, and returns its number.
    pub(super) fn record(&mut self, event: &Event, request: Option<RequestRef>) -> u64 {
        let entry = self.entry_of(event, request);
        let recorded = Recorded {
            seq: At(self.size()),
            ts: self.now,
            request: request.map(|request| request.id),
            action: request.map(|request| request.digest),
            event: event.clone(),
        };
        let rows = self
            .meddle
            .take()
            .unwrap_or_else(|| self.project(&recorded));
        self.append(&entry, rows)
    }

    /// Records that somebody else may have had the key of the desk since a time.
    pub(super) fn compromise_desk(&mut self, since: Timestamp) {
        let change = KeyChange::Revoked {
            old: self.desk.public().id(),
            why: Revocation::Compromised { since },
        };
        let entry = change.to_entry(self.enforcement());
        let _ = self.entry(&entry);
    }

    /// Records an entry as it stands, without projections.
    pub(super) fn entry(&mut self, entry: &Entry) -> u64 {
        self.append(entry, Vec::new())
    }

    /// A record of any kind with any body.
    pub(super) fn raw(&mut self, kind: Kind, request: Option<RequestRef>, body: Object) -> u64 {
        let entry = Entry {
            kind,
            request,
            body: body.to_canonical(),
            disclosures: Vec::new(),
            role: kind.roles()[0],
            enforced: self.enforcement(),
            crit: Vec::new(),
        };
        self.entry(&entry)
    }

    fn append(&mut self, entry: &Entry, rows: Vec<store::Row>) -> u64 {
        let signer = match entry.role {
            Role::Gate => &self.gate,
            Role::Desk => &self.desk,
            Role::Operator => &self.operator,
            Role::Checkpoint => panic!("signs no records"),
        };
        let before = self.chain.size();
        let chained = self
            .chain
            .extend(entry, self.now, &signer.public().id())
            .unwrap();
        let signatures = sign_batch(std::slice::from_ref(&chained), &[signer]).unwrap();
        let size = self.chain.size();
        let note = self
            .chain
            .checkpoint(&self.origin)
            .sign(&self.checkpoints_by)
            .unwrap();
        let record = StoredRecord {
            seq: chained.seq,
            statement: chained.statement,
            signatures,
            leaf: chained.leaf,
        };
        let request = entry.request.map(|request| request.id);
        self.rows.push(Row::Record(Box::new(RowRecord {
            record: record.clone(),
            columns: Columns {
                prev: chained.prev,
                kind: entry.kind.as_str().to_owned(),
                request,
                ts: chained.ts,
            },
        })));
        let beside = entry
            .disclosures
            .iter()
            .map(|one| (chained.seq, one.as_str().to_owned()));
        self.disclosures.extend(beside);
        self.subtrees.extend(chained.subtrees.iter().copied());
        self.checkpoints.push((size, note.clone()));
        let batch = Batch {
            records: vec![NewRecord {
                record,
                kind: entry.kind,
                request,
                ts: chained.ts,
                prev: chained.prev,
            }],
            subtrees: chained.subtrees,
            checkpoint: (size, note.clone()),
            head: self.chain.head(note),
            disclosures: entry
                .disclosures
                .iter()
                .map(|one| (chained.seq, one.clone().into()))
                .collect(),
            moved: Vec::new(),
            rows,
            secret: (before == 0).then(secret),
        };
        append(&self.store, batch.clone());
        self.batches.push(batch);
        before
    }

    /// Writes the same to another store.
    #[cfg(feature = "sqlite")]
    pub(super) fn copy_to(&self, store: &dyn Store) {
        for batch in self.batches.iter().cloned() {
            append(store, batch);
        }
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The checkpoint of all of it.
    pub(super) fn checkpoint(&self) -> Vec<u8> {
        self.checkpoints.last().unwrap().1.clone()
    }

    /// The projections that a ledger would write.
    fn project(&mut self, recorded: &Recorded) -> Vec<store::Row> {
        let Some(request) = recorded.request else {
            return Vec::new();
        };
        let state = match self.states.get_mut(&request) {
            Some(state) => state.apply(recorded).map(|()| state),
            None => RequestState::begin(recorded)
                .map(|state| self.states.entry(request).or_insert(state)),
        };
        let Ok(state) = state else { return Vec::new() };
        let mut rows = vec![
            store::Row::Request(row(state)),
            store::Row::TimerGone(request),
        ];
        rows.extend(timer_of(state).map(store::Row::Timer));
        let edges = edges_of(recorded, Some(state.bound()));
        rows.extend(
            edges
                .iter()
                .map(|edge| store::Row::Edge(edge_row(&secret(), edge))),
        );
        if let Some((pseudonym, Hidden::Known(id))) = reviewer(&recorded.event) {
            rows.push(store::Row::Pseudonym {
                tag: person_tag(&secret(), id),
                pseudonym,
            });
        }
        rows
    }

    pub(super) fn state(&self, request: RequestRef) -> &RequestState {
        &self.states[&request.id]
    }

    pub(super) fn audit(&mut self) -> AuditReport {
        Audit::of(&mut self.store.log_reader())
            .trusting(TrustedKeys::of_genesis(&self.genesis))
            .anchored_by(self.checkpoint())
            .comparing(&self.store)
            .run()
    }

    pub(super) fn reader(&self) -> Reader {
        let head = self.chain.head(self.checkpoints.last().unwrap().1.clone());
        Reader {
            head: head.encode(),
            rows: self.rows.clone(),
            disclosures: self.disclosures.clone(),
            subtrees: self.subtrees.clone(),
            checkpoints: self.checkpoints.clone(),
        }
    }
}

fn append(store: &dyn Store, batch: Batch) {
    block_on(store.append(Step::new(BTreeSet::new(), |_| Ok(batch)))).unwrap();
}

pub(super) fn secret() -> StoreSecret {
    StoreSecret::from_bytes([5; 32])
}

pub(super) fn row(state: &RequestState) -> RequestRow {
    RequestRow {
        request: state.request(),
        phase: phase_of(state),
        actor: Tag::from_bytes([1; 32]),
        join: None,
        tenant: None,
        filed: state.filed(),
        seq: Seq::new(state.first().0),
    }
}

/// What is stored, for a verifier.
pub(super) struct Reader {
    head: Vec<u8>,
    pub(super) rows: Vec<Row>,
    pub(super) disclosures: Vec<(Seq, String)>,
    subtrees: Vec<Subtree>,
    checkpoints: Vec<(u64, Vec<u8>)>,
}

impl LogReader for Reader {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        Ok(HeadRow::Stored(self.head.clone()))
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let rows = self.rows.iter().filter(|row| row.seq() >= from);
        Ok(rows.take(limit.get() as usize).cloned().collect())
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        Ok(self
            .checkpoints
            .iter()
            .filter(|(size, _)| sizes.contains(size))
            .cloned()
            .collect())
    }

    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        let here = |one: &&Subtree| one.level == level && places.contains(&one.index);
        Ok(self.subtrees.iter().filter(here).copied().collect())
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        let from = self
            .disclosures
            .partition_point(|(seq, _)| seq.get() < records.start);
        let to = self
            .disclosures
            .partition_point(|(seq, _)| seq.get() < records.end);
        Ok(self.disclosures[from..to.max(from)].to_vec())
    }
}

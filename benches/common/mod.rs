//! What the benches share: the same rows written bare, and medians.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use countersign::clock::Bell;
use countersign::log::{Head, Seq, StoredRecord, encode_signatures};
use countersign::store::{
    Batch, Chore, Committed, Found, Guarantees, Query, Row, SqliteStore, Step, Store, StoreError,
    Tended,
};
use rusqlite::{Connection, params};

/// Keeps a copy of every batch that is written through it while that is switched on.
#[derive(Debug)]
pub struct Recording {
    pub inner: SqliteStore,
    pub batches: Arc<Mutex<Vec<Batch>>>,
    pub on: Arc<AtomicBool>,
}

#[async_trait]
impl Store for Recording {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.inner.head().await
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        if !self.on.load(Ordering::Relaxed) {
            return self.inner.append(step).await;
        }
        let batches = Arc::clone(&self.batches);
        let recorded = step.inspected(move |batch| batches.lock().unwrap().push(batch.clone()));
        self.inner.append(recorded).await
    }
    async fn read(
        &self,
        from: Seq,
        limit: std::num::NonZeroU32,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        self.inner.read(from, limit).await
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.inner.find(query).await
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        self.inner.tend(chore).await
    }
    fn on_commit(&self, bell: Bell) {
        self.inner.on_commit(bell);
    }
}

/// The bare baseline: one transaction that writes the same rows to the same tables, prepared, unhashed, unsigned.
pub struct Bare {
    conn: Connection,
    place: i64,
}

impl Bare {
    /// On a file that the store itself made, so that tables, pages and pragmas are the same.
    pub fn on(path: &std::path::Path) -> Self {
        drop(SqliteStore::create(path).unwrap());
        let conn = Connection::open(path).unwrap();
        conn.set_prepared_statement_cache_capacity(64);
        conn.pragma_update(None, "journal_mode", "WAL").unwrap();
        conn.pragma_update(None, "synchronous", "FULL").unwrap();
        conn.pragma_update(None, "wal_autocheckpoint", 1000)
            .unwrap();
        Self { conn, place: 0 }
    }

    pub fn write(&mut self, batch: &Batch) {
        let conn = &self.conn;
        conn.prepare_cached("BEGIN IMMEDIATE")
            .unwrap()
            .execute([])
            .unwrap();
        conn.prepare_cached("INSERT INTO head(one, size, state) VALUES (1, ?1, ?2) ON CONFLICT DO UPDATE SET size = ?1, state = ?2")
            .unwrap().execute(params![batch.head.size as i64, batch.head.encode()]).unwrap();
        let mut insert = conn.prepare_cached(
            "INSERT INTO record(seq, prev, leaf, kind, request, ts, signatures, statement) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)").unwrap();
        for new in &batch.records {
            insert
                .execute(params![
                    new.record.seq.get() as i64,
                    new.prev.as_bytes().as_slice(),
                    new.record.leaf.as_bytes().as_slice(),
                    new.kind.as_str(),
                    new.request.map(|request| request.as_uuid().into_bytes()),
                    new.ts.unix_micros(),
                    encode_signatures(&new.record.signatures),
                    new.record.statement
                ])
                .unwrap();
        }
        for one in &batch.subtrees {
            conn.prepare_cached("INSERT INTO subtree(level, number, hash) VALUES (?1, ?2, ?3)")
                .unwrap()
                .execute(params![
                    one.level,
                    one.index as i64,
                    one.hash.as_bytes().as_slice()
                ])
                .unwrap();
        }
        conn.prepare_cached("INSERT INTO checkpoint(size, note) VALUES (?1, ?2)")
            .unwrap()
            .execute(params![batch.checkpoint.0 as i64, batch.checkpoint.1])
            .unwrap();
        for (_, one) in &batch.disclosures {
            self.place += 1;
            conn.prepare_cached("INSERT INTO disclosure(place, text) VALUES (?1, ?2)")
                .unwrap()
                .execute(params![self.place, one.to_text()])
                .unwrap();
        }
        for scope in &batch.moved {
            conn.prepare_cached("INSERT INTO scope(name, version) VALUES (?1, 1) ON CONFLICT(name) DO UPDATE SET version = version + 1").unwrap()
                .execute([scope.as_bytes()]).unwrap();
        }
        for row in &batch.rows {
            self.row(row);
        }
        conn.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
    }

    fn row(&self, row: &Row) {
        let conn = &self.conn;
        match row {
            Row::Request(row) => {
                conn.prepare_cached("INSERT INTO request(request, phase, actor, joinable, tenant, filed, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(request) DO UPDATE SET phase = excluded.phase, actor = excluded.actor, joinable = excluded.joinable, tenant = excluded.tenant, filed = excluded.filed, seq = excluded.seq").unwrap()
                    .execute(params![row.request.as_uuid().into_bytes(), row.phase as i64, row.actor.as_bytes().as_slice(), row.join.map(|tag| *tag.as_bytes()), row.tenant.map(|tag| *tag.as_bytes()), row.filed.unix_micros(), row.seq.get() as i64]).unwrap();
            }
            Row::Timer(row) => {
                conn.prepare_cached("INSERT INTO timer(request, what, due) VALUES (?1, ?2, ?3) ON CONFLICT(request, what) DO UPDATE SET due = excluded.due").unwrap()
                    .execute(params![row.request.as_uuid().into_bytes(), row.what as i64, row.due.unix_micros()]).unwrap();
            }
            Row::TimerGone(request) => {
                conn.prepare_cached("DELETE FROM timer WHERE request = ?1")
                    .unwrap()
                    .execute([request.as_uuid().into_bytes()])
                    .unwrap();
            }
            Row::Edge(row) => {
                conn.prepare_cached("INSERT INTO edge(source, relation, target, seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING").unwrap()
                    .execute(params![row.from.as_bytes().as_slice(), row.relation, row.to.as_bytes().as_slice(), row.seq.get() as i64]).unwrap();
            }
            Row::Node(row) => {
                conn.prepare_cached("INSERT INTO node(name, kind, clear) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING").unwrap()
                    .execute(params![row.key.as_bytes().as_slice(), row.kind, row.clear]).unwrap();
            }
            Row::Outbox(row) => {
                conn.prepare_cached("INSERT INTO outbox(notice, channel, request, what, due, state, attempts) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)").unwrap()
                    .execute(params![row.notice.as_uuid().into_bytes(), row.channel.0, row.request.as_uuid().into_bytes(), row.what as i64, row.due.unix_micros()]).unwrap();
            }
            Row::Pseudonym { tag, pseudonym } => {
                conn.prepare_cached(
                    "INSERT INTO person(tag, pseudonym) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )
                .unwrap()
                .execute(params![
                    tag.as_bytes().as_slice(),
                    pseudonym.as_bytes().as_slice()
                ])
                .unwrap();
            }
            _ => {}
        }
    }
}

pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

pub fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

pub fn micros(all: &[Duration]) -> f64 {
    median(all.iter().map(|one| one.as_secs_f64() * 1e6).collect())
}

/// Appends 4 KiB and syncs.
pub fn synced(mut file: &std::fs::File) -> Duration {
    timed(|| {
        use std::io::Write as _;
        file.write_all(&[0; 4096]).unwrap();
        file.sync_data().unwrap();
    })
    .1
}

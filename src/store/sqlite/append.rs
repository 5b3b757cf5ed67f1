//! The one way into the log: everything inside one transaction, under the lock beside the file.

use std::collections::BTreeMap;

use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Statement, StatementStatus, params,
};

use crate::action::DisclosureDigest;
use crate::canonical::Digest;
use crate::log::{Head, Kept, Seq, encode_signatures, leaf_hash};

use super::super::error::StoreError;
use super::super::rows::{EdgeRow, NodeRow, OutboxRow, RequestRow, Row, TimerRow};
use super::super::step::{Batch, NewRecord, Step, StoreSecret, View};
use super::codec::{first_place, integer, store_error, taken};
use super::find;
use super::schema;
use super::transaction::Transaction;

/// Runs the step and commits what it makes.
pub(super) fn append(conn: &Connection, step: Step) -> Result<Batch, StoreError> {
    let transaction = Transaction::begin(conn)?;
    let first = head_in_turn(conn)?;
    let news = View::news(step.news_since(), first.as_ref());
    let view = View {
        versions: find::versions(conn, step.scopes())?,
        news: match news {
            Some((from, many)) => find::read(conn, from, many)?,
            None => Vec::new(),
        },
        head: first.clone(),
    };
    let before = first.as_ref().map(|head| head.size);
    let batch = step.build(view)?;
    batch.check(first.as_ref())?;
    write(conn, &batch, before)?;
    read_again(conn, &batch)?;
    transaction.commit()?;
    Ok(batch)
}

pub(super) fn head(conn: &Connection) -> Result<Option<Head>, StoreError> {
    let state = select_head(conn)
        .and_then(|mut select| state(&mut select))
        .map_err(store_error)?;
    decoded(state)
}

/// The head, for who has begun to write; an error if the tables are no longer those that were opened.
///
/// A trigger or an index that is made while the store is open takes part in every write from then on. SQLite prepares a statement
/// again where the schema has changed, and counts that.
pub(super) fn head_in_turn(conn: &Connection) -> Result<Option<Head>, StoreError> {
    let mut select = select_head(conn).map_err(store_error)?;
    let state = state(&mut select).map_err(store_error)?;
    if select.get_status(StatementStatus::RePrepare) > 0 {
        // What does not belong there stays an error: only a check that passed sets the count back.
        schema::check(conn)?;
        select.reset_status(StatementStatus::RePrepare);
    }
    decoded(state)
}

fn select_head(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached("SELECT state FROM head WHERE one = 1")
}

fn state(select: &mut Statement<'_>) -> rusqlite::Result<Option<Vec<u8>>> {
    select.query_row([], |row| row.get(0)).optional()
}

fn decoded(state: Option<Vec<u8>>) -> Result<Option<Head>, StoreError> {
    state
        .map(|state| Head::decode(&state))
        .transpose()
        .map_err(|_| StoreError::corrupt("the head row cannot be read"))
}

pub(super) fn secret(conn: &Connection) -> Result<Option<StoreSecret>, StoreError> {
    conn.prepare_cached("SELECT bytes FROM secret WHERE one = 1")
        .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
        .map(|bytes| bytes.map(StoreSecret::from_bytes))
        .map_err(store_error)
}

fn write(conn: &Connection, batch: &Batch, before: Option<u64>) -> Result<(), StoreError> {
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
    write_head(conn, head, before)?;
    if let Some(secret) = secret {
        conn.prepare_cached("INSERT INTO secret(one, bytes) VALUES (1, ?1)")
            .and_then(|mut insert| insert.execute([secret.as_bytes().as_slice()]))
            .map_err(taken("a secret is there already"))?;
    }
    let mut insert = conn
        .prepare_cached(
            "INSERT INTO record(seq, prev, leaf, kind, request, ts, signatures, statement) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .map_err(store_error)?;
    for NewRecord {
        record,
        kind,
        request,
        ts,
        prev,
    } in records
    {
        insert
            .execute(params![
                record.seq,
                prev,
                record.leaf,
                kind.as_str(),
                request,
                ts,
                encode_signatures(&record.signatures),
                record.statement
            ])
            .map_err(taken(
                "a row that no signed head covers stands where the next record belongs: somebody else wrote to the file. \
                 Audit it, then put a good copy back or remove that row",
            ))?;
    }
    for one in subtrees {
        conn.prepare_cached("INSERT INTO subtree(level, number, hash) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![one.level, integer(one.index), one.hash]))
            .map_err(taken("a subtree that is there already"))?;
    }
    conn.prepare_cached("INSERT INTO checkpoint(size, note) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![integer(*size), note]))
        .map_err(taken("a checkpoint that is there already"))?;
    let (mut record, mut place) = (None, 0);
    for (seq, one) in disclosures {
        place = if record == Some(*seq) { place + 1 } else { 0 };
        record = Some(*seq);
        conn.prepare_cached("INSERT INTO disclosure(place, text) VALUES (?1, ?2)")
            .and_then(|mut insert| {
                insert.execute(params![first_place(seq.get()) + place, one.to_text()])
            })
            .map_err(taken("a disclosure that is there already"))?;
    }
    for scope in moved {
        conn.prepare_cached(
            "INSERT INTO scope(name, version) VALUES (?1, 1) \
             ON CONFLICT(name) DO UPDATE SET version = version + 1",
        )
        .and_then(|mut upsert| upsert.execute([scope.as_bytes()]))
        .map_err(store_error)?;
    }
    rows.iter().try_for_each(|row| put(conn, row))
}

/// Puts the head in place of the one that the builder saw, and of no other.
fn write_head(conn: &Connection, head: &Head, before: Option<u64>) -> Result<(), StoreError> {
    let size = integer(head.size);
    let changed = match before {
        None => conn
            .prepare_cached("INSERT INTO head(one, size, state) VALUES (1, ?1, ?2)")
            .and_then(|mut insert| insert.execute(params![size, head.encode()])),
        Some(before) => conn
            .prepare_cached("UPDATE head SET size = ?1, state = ?2 WHERE one = 1 AND size = ?3")
            .and_then(|mut update| update.execute(params![size, head.encode(), integer(before)])),
    };
    match changed.map_err(taken("the head is another than the builder saw"))? {
        1 => Ok(()),
        _ => Err(StoreError::Conflict(
            "the head is another than the builder saw",
        )),
    }
}

fn put(conn: &Connection, row: &Row) -> Result<(), StoreError> {
    match row {
        Row::Request(RequestRow {
            request,
            phase,
            actor,
            join,
            tenant,
            filed,
            seq,
        }) => conn
            .prepare_cached(
                "INSERT INTO request(request, phase, actor, joinable, tenant, filed, seq) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(request) DO UPDATE SET \
                 phase = excluded.phase, actor = excluded.actor, joinable = excluded.joinable, \
                 tenant = excluded.tenant, filed = excluded.filed, seq = excluded.seq",
            )
            .and_then(|mut upsert| {
                upsert.execute(params![request, phase, actor, join, tenant, filed, seq])
            }),
        Row::Timer(TimerRow { due, request, what }) => conn
            .prepare_cached(
                "INSERT INTO timer(request, what, due) VALUES (?1, ?2, ?3) \
                 ON CONFLICT(request, what) DO UPDATE SET due = excluded.due",
            )
            .and_then(|mut upsert| upsert.execute(params![request, what, due])),
        Row::TimerDone(TimerRow { due, request, what }) => conn
            .prepare_cached("DELETE FROM timer WHERE request = ?1 AND what = ?2 AND due = ?3")
            .and_then(|mut delete| delete.execute(params![request, what, due])),
        Row::TimerGone(request) => conn
            .prepare_cached("DELETE FROM timer WHERE request = ?1")
            .and_then(|mut delete| delete.execute([request])),
        Row::Edge(EdgeRow {
            from,
            relation,
            to,
            seq,
        }) => conn
            .prepare_cached(
                "INSERT INTO edge(source, relation, target, seq) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO NOTHING",
            )
            .and_then(|mut insert| insert.execute(params![from, relation, to, seq])),
        Row::Node(NodeRow { key, kind, clear }) => conn
            .prepare_cached(
                "INSERT INTO node(name, kind, clear) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )
            .and_then(|mut insert| insert.execute(params![key, kind, clear])),
        Row::Outbox(OutboxRow {
            notice,
            channel,
            request,
            what,
            due,
            seal,
        }) => {
            return conn
                .prepare_cached(
                    "INSERT INTO outbox(notice, channel, request, what, due, state, attempts, seal) \
                     VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6)",
                )
                .and_then(|mut insert| {
                    insert.execute(params![notice, channel.0, request, what, due, seal.0])
                })
                .map_err(taken("a notice with an id that another has"))
                .map(drop);
        }
        Row::Pseudonym { tag, pseudonym } => {
            let known = find::pseudonym(conn, *tag)?;
            if known == Some(*pseudonym) {
                return Ok(());
            }
            return conn
                .prepare_cached("INSERT INTO person(tag, pseudonym) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute(params![tag, pseudonym]))
                .map_err(taken("a pseudonym of another person"))
                .map(drop);
        }
        Row::Renamed { tag, pseudonym } => {
            return conn
                .prepare_cached("UPDATE person SET pseudonym = ?2 WHERE tag = ?1")
                .and_then(|mut update| update.execute(params![tag, pseudonym]))
                .map_err(taken("a pseudonym of another person"))
                .map(drop);
        }
        Row::Erased { seq, digest } => return erase(conn, *seq, digest),
    }
    .map_err(store_error)
    .map(drop)
}

/// Overwrites a disclosure with zeros.
fn erase(conn: &Connection, seq: Seq, digest: &DisclosureDigest) -> Result<(), StoreError> {
    let filed = conn
        .prepare_cached("SELECT place, text FROM disclosure WHERE place >= ?1 AND place < ?2")
        .and_then(|mut select| {
            let range = params![first_place(seq.get()), first_place(seq.next().get())];
            select
                .query_map(range, |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
                })?
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(store_error)?;
    let found = filed
        .into_iter()
        .find(|(_, text)| Kept::parse(text).is_ok_and(|one| one.digest() == *digest));
    let Some((place, _)) = found else {
        return Err(StoreError::Conflict(
            "a disclosure to be erased is not there",
        ));
    };
    conn.pragma_update(None, "secure_delete", true)
        .and_then(|()| conn.execute("DELETE FROM disclosure WHERE place = ?1", [place]))
        .and_then(|_| conn.pragma_update(None, "secure_delete", false))
        .map_err(store_error)
}

/// Hashes the statements once more as they now stand in the file's pages.
///
/// A bit that flipped on the way would be signed, chained and never mended; here it still costs nothing but this batch.
fn read_again(conn: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let damaged = || {
        StoreError::corrupt(
            "a statement that was just written reads differently; nothing was committed",
        )
    };
    let mut select = conn
        .prepare_cached("SELECT leaf, statement FROM record WHERE seq = ?1")
        .map_err(store_error)?;
    for new in &batch.records {
        let same = select
            .query_row([new.record.seq], |row| {
                let leaf: Digest = row.get(0)?;
                let statement = row.get_ref(1)?.as_blob()?;
                Ok(leaf == new.record.leaf && leaf_hash(statement) == leaf)
            })
            .map_err(store_error)?;
        if !same {
            return Err(damaged());
        }
    }
    Ok(())
}

/// The versions of `View`, as a map with an entry for each scope that was asked for.
pub(super) type Versions = BTreeMap<super::super::step::ScopeKey, u64>;

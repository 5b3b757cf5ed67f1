//! Answers to questions, each within one snapshot.

use std::collections::BTreeSet;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Params, Row as SqlRow, params};

use crate::action::{Pseudonym, RequestId};
use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::{Kept, Seq, StoredRecord, decode_signatures};

use super::super::error::StoreError;
use super::super::query::{EdgesOf, Found, PageOf, Query};
use super::super::rows::{EdgeRow, NodeRow, Phase, RequestRow, Tag, TimerRow};
use super::super::step::ScopeKey;
use super::append::{Versions, secret};
use super::codec::{first_place, integer, natural, seq_of_place, store_error};
use super::outbox;

const RECORD: &str = "seq, statement, signatures, leaf";
const REQUEST: &str = "request, phase, actor, joinable, tenant, filed, seq";

/// Answers everything but [`Query::Instances`], which needs the locks beside the file.
pub(super) fn find(conn: &Connection, query: Query) -> Result<Found, StoreError> {
    Ok(match query {
        Query::Request(request) => Found::Records(many(
            conn,
            &format!("SELECT {RECORD} FROM record WHERE request = ?1 ORDER BY seq"),
            [request],
            record,
        )?),
        Query::KeyChanges => Found::Records(many(
            conn,
            // In the words of the index.
            &format!(
                "SELECT {RECORD} FROM record \
                 WHERE kind > 'key_' AND kind < 'key`' ORDER BY seq"
            ),
            [],
            record,
        )?),
        Query::Versions(scopes) => Found::Versions(versions(conn, &scopes)?),
        Query::Secret => Found::Secret(secret(conn)?),
        Query::Disclosures(mut seqs) => {
            seqs.sort_unstable();
            seqs.dedup();
            let mut all = Vec::new();
            for seq in seqs {
                all.extend(disclosures(conn, seq.get()..seq.get().saturating_add(1))?);
            }
            Found::Disclosures(all)
        }
        Query::DisclosuresFrom { from, to } => {
            Found::Disclosures(disclosures(conn, from.get()..to.get())?)
        }
        Query::Row(id) => Found::Rows(many(
            conn,
            &format!("SELECT {REQUEST} FROM request WHERE request = ?1"),
            [id],
            request,
        )?),
        Query::Inbox(page) => Found::Rows(inbox(conn, &page)?),
        Query::Actor { tag, after, limit } => {
            let rows = many(
                conn,
                &format!(
                    "SELECT {REQUEST} FROM request WHERE phase <> 4 AND actor = ?1 AND request > ?2 \
                     ORDER BY request LIMIT ?3"
                ),
                params![tag, after_id(after), limit],
                request,
            )?;
            Found::Rows(ascending(rows, after, |row| row.request)?)
        }
        Query::Join(tag) => Found::Rows(many(
            conn,
            &format!(
                "SELECT {REQUEST} FROM request WHERE phase = 0 AND joinable = ?1 ORDER BY request"
            ),
            [tag],
            request,
        )?),
        Query::Due { until, limit } => Found::Timers(many(
            conn,
            "SELECT due, request, what FROM timer WHERE due <= ?1 \
             ORDER BY due, request, what LIMIT ?2",
            params![until, limit],
            timer,
        )?),
        Query::NextDue { after, limit } => {
            let rows = match after {
                None => many(
                    conn,
                    "SELECT due, request, what FROM timer ORDER BY due, request, what LIMIT ?1",
                    params![limit],
                    timer,
                )?,
                Some(after) => many(
                    conn,
                    "SELECT due, request, what FROM timer WHERE (due, request, what) > (?1, ?2, ?3) \
                     ORDER BY due, request, what LIMIT ?4",
                    params![after.due, after.request, after.what, limit],
                    timer,
                )?,
            };
            Found::Timers(ascending(rows, after, |row| *row)?)
        }
        Query::EdgesFrom(page) => {
            let rows = edges_from(conn, &page)?;
            Found::Edges(ascending(rows, page.after, |row| *row)?)
        }
        Query::EdgesTo(page) => {
            let rows = edges_to(conn, &page)?;
            let key = |row: &EdgeRow| (row.relation, row.from, row.seq);
            Found::Edges(ascending(rows, page.after.as_ref().map(key), key)?)
        }
        Query::Edges { after, limit } => {
            let rows = match after {
                None => many(
                    conn,
                    "SELECT source, relation, target, seq FROM edge \
                     ORDER BY source, relation, target, seq LIMIT ?1",
                    params![limit],
                    edge,
                )?,
                Some(after) => many(
                    conn,
                    "SELECT source, relation, target, seq FROM edge \
                     WHERE (source, relation, target, seq) > (?1, ?2, ?3, ?4) \
                     ORDER BY source, relation, target, seq LIMIT ?5",
                    params![after.from, after.relation, after.to, after.seq, limit],
                    edge,
                )?,
            };
            Found::Edges(ascending(rows, after, |row| *row)?)
        }
        Query::Nodes(mut keys) => {
            keys.sort_unstable();
            keys.dedup();
            let mut nodes = Vec::with_capacity(keys.len());
            for key in keys {
                nodes.extend(many(
                    conn,
                    "SELECT name, kind, clear FROM node WHERE name = ?1",
                    [key],
                    |row| {
                        Ok(NodeRow {
                            key: row.get(0)?,
                            kind: row.get(1)?,
                            clear: row.get(2)?,
                        })
                    },
                )?);
            }
            Found::Nodes(nodes)
        }
        Query::Checkpoint { at_least } => Found::Checkpoints(checkpoints(conn, at_least, 1)?),
        Query::CheckpointsFrom { at_least, limit } => {
            Found::Checkpoints(checkpoints(conn, at_least, limit.get())?)
        }
        Query::Leaves(range) => Found::Digests(leaves(conn, range)?),
        Query::Subtrees { level, range } => Found::Digests(subtrees(conn, level, range)?),
        Query::Pseudonym(tag) => Found::Pseudonym(pseudonym(conn, tag)?),
        Query::Outbox => Found::Outbox(outbox::counts(conn)?),
        Query::Cursor(name) => Found::Cursor(
            conn.prepare_cached("SELECT seq FROM cursor WHERE name = ?1")
                .and_then(|mut select| select.query_row([name], |row| row.get(0)).optional())
                .map_err(store_error)?,
        ),
        Query::NextNotice { channels, now } => Found::Moment(outbox::next(conn, &channels, now)?),
        Query::Messages(request) => Found::Messages(outbox::about(conn, request)?),
        Query::Instances => {
            return Err(StoreError::Unsupported("a question that needs the locks"));
        }
    })
}

/// The rows of a page, which ascend from where the page before ended; a damaged index may say otherwise, and whoever turns pages
/// by it would never come to the end.
fn ascending<T, K: PartialOrd>(
    rows: Vec<T>,
    after: Option<K>,
    key: impl Fn(&T) -> K,
) -> Result<Vec<T>, StoreError> {
    let mut last = after;
    for row in &rows {
        let key = key(row);
        if last.is_some_and(|last| key <= last) {
            return Err(StoreError::corrupt(
                "an index of the file is damaged; keep a copy of the file, then rebuild it with SQLite's REINDEX",
            ));
        }
        last = Some(key);
    }
    Ok(rows)
}

/// Every row of a statement, which is kept prepared.
pub(super) fn many<T>(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    each: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    conn.prepare_cached(sql)
        .and_then(|mut select| select.query_map(values, each)?.collect())
        .map_err(store_error)
}

pub(super) fn read(
    conn: &Connection,
    from: Seq,
    limit: u32,
) -> Result<Vec<StoredRecord>, StoreError> {
    let records = many(
        conn,
        &format!("SELECT {RECORD} FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2"),
        params![from, limit],
        record,
    )?;
    let gap = |(at, record): (u64, &StoredRecord)| record.seq.get() != from.get() + at;
    if (0..).zip(&records).any(gap) {
        return Err(StoreError::corrupt("a record is missing"));
    }
    Ok(records)
}

/// How many scopes one statement looks up.
pub(super) const SCOPES: usize = 6;

/// One statement for several look-ups costs little more than one of them.
const VERSIONS: &str = "SELECT 0, version FROM scope WHERE name = ?1 \
    UNION ALL SELECT 1, version FROM scope WHERE name = ?2 \
    UNION ALL SELECT 2, version FROM scope WHERE name = ?3 \
    UNION ALL SELECT 3, version FROM scope WHERE name = ?4 \
    UNION ALL SELECT 4, version FROM scope WHERE name = ?5 \
    UNION ALL SELECT 5, version FROM scope WHERE name = ?6";

pub(super) fn versions(
    conn: &Connection,
    scopes: &BTreeSet<ScopeKey>,
) -> Result<Versions, StoreError> {
    let mut select = conn.prepare_cached(VERSIONS).map_err(store_error)?;
    let mut versions: Versions = scopes.iter().map(|scope| (scope.clone(), 0)).collect();
    let scopes: Vec<&ScopeKey> = scopes.iter().collect();
    for some in scopes.chunks(SCOPES) {
        // Places that are left over are null, which equals no name.
        select.clear_bindings();
        for (place, scope) in (1..).zip(some) {
            select
                .raw_bind_parameter(place, scope.as_bytes())
                .map_err(store_error)?;
        }
        let mut rows = select.raw_query();
        while let Some(row) = rows.next().map_err(store_error)? {
            let place: u8 = row.get(0).map_err(store_error)?;
            let version = row.get_ref(1).and_then(|version| Ok(natural(version)?));
            if let Some(known) = some
                .get(usize::from(place))
                .and_then(|scope| versions.get_mut(*scope))
            {
                *known = version.map_err(store_error)?;
            }
        }
    }
    Ok(versions)
}

pub(super) fn pseudonym(conn: &Connection, tag: Tag) -> Result<Option<Pseudonym>, StoreError> {
    conn.prepare_cached("SELECT pseudonym FROM person WHERE tag = ?1")
        .and_then(|mut select| select.query_row([tag], |row| row.get(0)).optional())
        .map_err(store_error)
}

pub(super) fn disclosures(
    conn: &Connection,
    range: Range<u64>,
) -> Result<Vec<(Seq, Kept)>, StoreError> {
    let texts = many(
        conn,
        "SELECT place, text FROM disclosure WHERE place >= ?1 AND place < ?2 ORDER BY place",
        params![first_place(range.start), first_place(range.end)],
        |row| Ok((row.get(0)?, row.get::<_, String>(1)?)),
    )?;
    texts
        .into_iter()
        .map(|(place, text)| {
            let kept = Kept::parse(&text)
                .map_err(|_| StoreError::corrupt("a disclosure cannot be read"))?;
            Ok((seq_of_place(place), kept))
        })
        .collect()
}

pub(super) fn checkpoints(
    conn: &Connection,
    at_least: u64,
    limit: u32,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    many(
        conn,
        "SELECT size, note FROM checkpoint WHERE size >= ?1 ORDER BY size LIMIT ?2",
        params![integer(at_least), limit],
        |row| Ok((natural(row.get_ref(0)?)?, row.get(1)?)),
    )
}

fn leaves(conn: &Connection, range: Range<u64>) -> Result<Vec<Digest>, StoreError> {
    let found = many(
        conn,
        "SELECT leaf FROM record WHERE seq >= ?1 AND seq < ?2 ORDER BY seq",
        params![integer(range.start), integer(range.end)],
        |row| row.get(0),
    )?;
    all(found, &range)
}

fn subtrees(conn: &Connection, level: u8, range: Range<u64>) -> Result<Vec<Digest>, StoreError> {
    let found = many(
        conn,
        "SELECT hash FROM subtree WHERE level = ?1 AND number >= ?2 AND number < ?3 ORDER BY number",
        params![level, integer(range.start), integer(range.end)],
        |row| row.get(0),
    )?;
    all(found, &range)
}

fn all(found: Vec<Digest>, range: &Range<u64>) -> Result<Vec<Digest>, StoreError> {
    if found.len() as u64 == range.end.saturating_sub(range.start) {
        Ok(found)
    } else {
        Err(StoreError::corrupt("a hash of the tree is missing"))
    }
}

fn inbox(conn: &Connection, page: &PageOf) -> Result<Vec<RequestRow>, StoreError> {
    let PageOf {
        phases,
        after,
        limit,
    } = page;
    let mut rows = Vec::new();
    for phase in phases {
        // The words of the partial index, where there is one for the phase.
        let indexed = if *phase == Phase::Closed {
            ""
        } else {
            "phase <> 4 AND"
        };
        rows.extend(many(
            conn,
            &format!(
                "SELECT {REQUEST} FROM request WHERE {indexed} phase = ?1 AND request > ?2 \
                 ORDER BY request LIMIT ?3"
            ),
            params![phase, after_id(*after), limit],
            request,
        )?);
    }
    rows.sort_unstable_by_key(|row| row.request);
    rows.truncate(limit.get() as usize);
    ascending(rows, *after, |row| row.request)
}

fn edges_from(conn: &Connection, page: &EdgesOf) -> Result<Vec<EdgeRow>, StoreError> {
    let EdgesOf { node, after, limit } = page;
    match after {
        None => many(
            conn,
            "SELECT source, relation, target, seq FROM edge WHERE source = ?1 \
             ORDER BY relation, target, seq LIMIT ?2",
            params![node, limit],
            edge,
        ),
        Some(after) => many(
            conn,
            "SELECT source, relation, target, seq FROM edge \
             WHERE source = ?1 AND (relation, target, seq) > (?2, ?3, ?4) \
             ORDER BY relation, target, seq LIMIT ?5",
            params![node, after.relation, after.to, after.seq, limit],
            edge,
        ),
    }
}

fn edges_to(conn: &Connection, page: &EdgesOf) -> Result<Vec<EdgeRow>, StoreError> {
    let EdgesOf { node, after, limit } = page;
    match after {
        None => many(
            conn,
            "SELECT source, relation, target, seq FROM edge WHERE target = ?1 \
             ORDER BY relation, source, seq LIMIT ?2",
            params![node, limit],
            edge,
        ),
        Some(after) => many(
            conn,
            "SELECT source, relation, target, seq FROM edge \
             WHERE target = ?1 AND (relation, source, seq) > (?2, ?3, ?4) \
             ORDER BY relation, source, seq LIMIT ?5",
            params![node, after.relation, after.from, after.seq, limit],
            edge,
        ),
    }
}

/// What an id is compared with: the empty value comes before every id.
fn after_id(after: Option<RequestId>) -> Vec<u8> {
    after.map_or_else(Vec::new, |id| id.as_uuid().as_bytes().to_vec())
}

pub(super) fn record(row: &SqlRow<'_>) -> rusqlite::Result<StoredRecord> {
    Ok(StoredRecord {
        seq: row.get(0)?,
        statement: row.get(1)?,
        // Cut signatures are none: the verifier then says which record is broken.
        signatures: decode_signatures(row.get_ref(2)?.as_blob()?).unwrap_or_default(),
        leaf: row.get(3)?,
    })
}

fn request(row: &SqlRow<'_>) -> rusqlite::Result<RequestRow> {
    Ok(RequestRow {
        request: row.get(0)?,
        phase: row.get(1)?,
        actor: row.get(2)?,
        join: row.get(3)?,
        tenant: row.get(4)?,
        filed: row.get::<_, Timestamp>(5)?,
        seq: row.get(6)?,
    })
}

fn timer(row: &SqlRow<'_>) -> rusqlite::Result<TimerRow> {
    Ok(TimerRow {
        due: row.get(0)?,
        request: row.get(1)?,
        what: row.get(2)?,
    })
}

fn edge(row: &SqlRow<'_>) -> rusqlite::Result<EdgeRow> {
    Ok(EdgeRow {
        from: row.get(0)?,
        relation: row.get(1)?,
        to: row.get(2)?,
        seq: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_page_ascends_from_where_the_one_before_ended() {
        let page = |rows: &[u8], after| ascending(rows.to_vec(), after, |row| *row);
        assert_eq!(page(&[2, 3, 5], Some(1)).unwrap(), [2, 3, 5]);
        assert!(page(&[], Some(1)).unwrap().is_empty());
        for (rows, after) in [
            (&[2, 3, 5][..], Some(2)),
            (&[2, 2], None),
            (&[3, 2], None),
            (&[1], Some(7)),
        ] {
            let error = page(rows, after).unwrap_err();
            assert!(error.to_string().contains("REINDEX"), "{error}");
        }
    }
}

//! Chores: what changes beside the log.

use rusqlite::{Connection, OptionalExtension, params};

use crate::log::Seq;

use super::super::chore::{Chore, Tended, with_lines};
use super::super::error::StoreError;
use super::super::rows::TimerRow;
use super::codec::{integer, store_error};
use super::outbox;

/// Whether there may be something to do, read without taking the writer's turn.
pub(super) fn worthwhile(conn: &Connection, chore: &Chore) -> Result<bool, StoreError> {
    let Chore::ClaimOutbox { channels, now, .. } = chore else {
        return Ok(true);
    };
    Ok(outbox::next(conn, channels, *now)?.is_some_and(|next| next <= *now))
}

/// Does a chore inside a transaction.
pub(super) fn tend(conn: &Connection, chore: Chore) -> Result<Tended, StoreError> {
    match chore {
        Chore::ClaimOutbox {
            channels,
            by,
            now,
            lease_until,
            limit,
        } => outbox::claim(conn, &channels, by, now, lease_until, limit.get() as usize)
            .map(Tended::Claimed),
        Chore::SettleOutbox { notice, result } => changed(outbox::settle(conn, notice, result)),
        Chore::MoveCursor { name, to, expected } => move_cursor(conn, &name, to, expected),
        Chore::AddSignatures {
            size,
            expected,
            lines,
        } => changed(
            conn.prepare_cached("UPDATE checkpoint SET note = ?1 WHERE size = ?2 AND note = ?3")
                .and_then(|mut update| {
                    let note = with_lines(expected.clone(), &lines);
                    update.execute(params![note, integer(size), expected])
                }),
        ),
        Chore::PutInstance { instance, at } => changed(
            conn.prepare_cached(
                "INSERT INTO instance(instance, at) VALUES (?1, ?2) \
                 ON CONFLICT(instance) DO UPDATE SET at = excluded.at",
            )
            .and_then(|mut upsert| upsert.execute(params![instance, at])),
        ),
        Chore::DropInstance(instance) => changed(
            conn.prepare_cached("DELETE FROM instance WHERE instance = ?1")
                .and_then(|mut delete| delete.execute([instance])),
        ),
        Chore::DropTimer(TimerRow { due, request, what }) => changed(
            conn.prepare_cached("DELETE FROM timer WHERE request = ?1 AND what = ?2 AND due = ?3")
                .and_then(|mut delete| delete.execute(params![request, what, due])),
        ),
        // Needs to be outside of a transaction; see `scrub`.
        Chore::Scrub => Ok(Tended::Stale),
        Chore::DropTimers(request) => changed(
            conn.prepare_cached("DELETE FROM timer WHERE request = ?1")
                .and_then(|mut delete| delete.execute([request])),
        ),
    }
}

/// Puts all that was written into the database and empties the write-ahead log, in which what was erased is still to be read.
pub(super) fn scrub(conn: &Connection) -> Result<Tended, StoreError> {
    let busy: i64 = conn
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(store_error)?;
    Ok(match busy {
        0 => Tended::Done,
        _ => Tended::Stale,
    })
}

fn changed(rows: rusqlite::Result<usize>) -> Result<Tended, StoreError> {
    match rows.map_err(store_error)? {
        0 => Ok(Tended::Stale),
        _ => Ok(Tended::Done),
    }
}

fn move_cursor(
    conn: &Connection,
    name: &str,
    to: Seq,
    expected: Option<Seq>,
) -> Result<Tended, StoreError> {
    let stands: Option<Seq> = conn
        .prepare_cached("SELECT seq FROM cursor WHERE name = ?1")
        .and_then(|mut select| select.query_row([name], |row| row.get(0)).optional())
        .map_err(store_error)?;
    if stands != expected {
        return Ok(Tended::Stale);
    }
    changed(
        conn.prepare_cached(
            "INSERT INTO cursor(name, seq) VALUES (?1, ?2) \
             ON CONFLICT(name) DO UPDATE SET seq = excluded.seq",
        )
        .and_then(|mut upsert| upsert.execute(params![name, to])),
    )
}

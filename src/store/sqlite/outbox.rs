//! Notices: who may deliver which, and when.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row as SqlRow, params};

use crate::action::{InstanceId, RequestId};
use crate::clock::Timestamp;

use super::super::chore::DeliveryResult;
use super::super::error::StoreError;
use super::super::query::OutboxCounts;
use super::super::rows::{ChannelKey, Delivery, MessageRow, NoticeId, OutboxRow, Reference, Seal};
use super::codec::{natural, store_error};
use super::find::many;

const NOTICE: &str = "notice, channel, request, what, due, attempts, state, outcome, place, seal";

pub(super) fn about(conn: &Connection, request: RequestId) -> Result<Vec<MessageRow>, StoreError> {
    many(
        conn,
        &format!("SELECT {NOTICE} FROM outbox WHERE request = ?1 ORDER BY place"),
        [request],
        message,
    )
}

pub(super) fn counts(conn: &Connection) -> Result<OutboxCounts, StoreError> {
    conn.prepare_cached(
        "SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1), \
         count(*) FILTER (WHERE state = 2) FROM outbox",
    )
    .and_then(|mut select| {
        select.query_row([], |row| {
            Ok(OutboxCounts {
                waiting: natural(row.get_ref(0)?)?,
                delivered: natural(row.get_ref(1)?)?,
                dead: natural(row.get_ref(2)?)?,
            })
        })
    })
    .map_err(store_error)
}

/// The requests about which something is out on a channel, and until when.
fn leased(
    conn: &Connection,
    channel: &ChannelKey,
    now: Timestamp,
) -> Result<BTreeMap<RequestId, Timestamp>, StoreError> {
    let rows: Vec<(RequestId, Timestamp)> = many(
        conn,
        "SELECT request, lease_until FROM outbox WHERE lease_until > ?1 AND channel = ?2",
        params![now, channel.0],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(rows.into_iter().collect())
}

/// From when on a claim may give something.
pub(super) fn next(
    conn: &Connection,
    channels: &[ChannelKey],
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let mut next: Option<Timestamp> = None;
    for channel in channels {
        let out = leased(conn, channel, now)?;
        let mut select = conn
            .prepare_cached(
                "SELECT due, request FROM outbox WHERE state = 0 AND channel = ?1 ORDER BY due",
            )
            .map_err(store_error)?;
        let mut rows = select.query([&channel.0]).map_err(store_error)?;
        let mut first = None;
        while first.is_none()
            && let Some(row) = rows.next().map_err(store_error)?
        {
            if !out.contains_key(&row.get(1).map_err(store_error)?) {
                first = Some(row.get(0).map_err(store_error)?);
            }
        }
        next = out.into_values().chain(first).chain(next).min();
    }
    Ok(next)
}

/// Takes what is due under a lease, earliest first.
pub(super) fn claim(
    conn: &Connection,
    channels: &[ChannelKey],
    by: InstanceId,
    now: Timestamp,
    lease_until: Timestamp,
    limit: usize,
) -> Result<Vec<MessageRow>, StoreError> {
    let mut claimed: Vec<(i64, MessageRow)> = Vec::new();
    // A channel that is named twice gives no notice twice.
    for channel in channels.iter().collect::<BTreeSet<_>>() {
        let mut out = leased(conn, channel, now)?;
        let mut select = conn
            .prepare_cached(&format!(
                "SELECT {NOTICE} FROM outbox WHERE state = 0 AND channel = ?1 AND due <= ?2 \
                 ORDER BY due, place"
            ))
            .map_err(store_error)?;
        let mut rows = select.query(params![channel.0, now]).map_err(store_error)?;
        let mut taken = 0;
        while taken < limit
            && let Some(row) = rows.next().map_err(store_error)?
        {
            let mut found = message(row).map_err(store_error)?;
            if out.insert(found.row.request, lease_until).is_none() {
                found.attempts = found.attempts.saturating_add(1);
                claimed.push((row.get(8).map_err(store_error)?, found));
                taken += 1;
            }
        }
    }
    claimed.sort_unstable_by_key(|(place, one)| (one.row.due, *place));
    claimed.truncate(limit);
    for (place, one) in &claimed {
        conn.prepare_cached(
            "UPDATE outbox SET attempts = ?2, lease_until = ?3, holder = ?4 WHERE place = ?1",
        )
        .and_then(|mut update| update.execute(params![place, one.attempts, lease_until, by]))
        .map_err(store_error)?;
    }
    Ok(claimed.into_iter().map(|(_, one)| one).collect())
}

/// How many notices it has ended or put off: one or none.
pub(super) fn settle(
    conn: &Connection,
    notice: NoticeId,
    result: DeliveryResult,
) -> rusqlite::Result<usize> {
    let (state, due, outcome) = match result {
        DeliveryResult::Delivered(reference) => (1, None, Some(reference.0)),
        DeliveryResult::Later { due } => (0, Some(due), None),
        DeliveryResult::Dead { code } => (2, None, Some(code)),
    };
    conn.prepare_cached(
        "UPDATE outbox SET state = ?2, due = coalesce(?3, due), outcome = ?4, \
         lease_until = NULL, holder = NULL WHERE notice = ?1 AND state = 0",
    )?
    .execute(params![notice, state, due, outcome])
}

/// A row of the columns in [`NOTICE`].
fn message(row: &SqlRow<'_>) -> rusqlite::Result<MessageRow> {
    let outcome: Option<String> = row.get(7)?;
    let outcome = outcome.unwrap_or_default();
    Ok(MessageRow {
        row: OutboxRow {
            notice: row.get(0)?,
            channel: ChannelKey(row.get(1)?),
            request: row.get(2)?,
            what: row.get(3)?,
            due: row.get(4)?,
            seal: Seal(row.get(9)?),
        },
        attempts: row.get(5)?,
        delivery: match row.get::<_, i64>(6)? {
            0 => Delivery::Waiting,
            1 => Delivery::Delivered(Reference(outcome)),
            2 => Delivery::Dead(outcome),
            other => return Err(rusqlite::Error::IntegralValueOutOfRange(6, other)),
        },
    })
}

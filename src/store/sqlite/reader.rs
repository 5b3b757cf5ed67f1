//! One snapshot of the log, row by row and however wrong, for whoever verifies it.

use std::num::NonZeroU32;
use std::ops::Range;
use std::path::PathBuf;

use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use crate::action::RequestId;
use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::{
    Columns, HeadRow, LogReader, ReadError, Row, RowRecord, Seq, StoredRecord, Subtree,
    decode_signatures,
};

use super::super::error::StoreError;
use super::codec::{first_place, integer, natural, seq_of_place, store_error};
use super::open::ReadOnly;
use super::pool::{Pool, begin_read};

/// How many bytes of statements one answer holds, about.
const PORTION: usize = 1 << 20;

/// A snapshot of a store's log.
///
/// It sees nothing that is committed after it was made, and while it is there the write-ahead log cannot be used again from its
/// start: drop it when done.
#[derive(Debug)]
pub struct SqliteReader {
    conn: Connection,
    /// The file of a read-only store, and what it must still look like.
    file: Option<(ReadOnly, PathBuf)>,
}

impl SqliteReader {
    pub(super) fn new(pool: &Pool) -> Result<Self, StoreError> {
        let conn = pool.connect()?;
        begin_read(&conn)?;
        // The snapshot is taken by the first read.
        conn.prepare_cached("SELECT 1 FROM head")
            .and_then(|mut select| select.exists([]))
            .map_err(store_error)?;
        let file = pool.file();
        Ok(Self { conn, file })
    }

    /// Every row of a statement that has the form it should have.
    fn each<T>(
        &self,
        sql: &str,
        range: &Range<u64>,
        places: fn(u64) -> i64,
        read: impl Fn(&SqlRow<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Result<Vec<T>, ReadError> {
        let found = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut select| {
                select
                    .query_map(params![places(range.start), places(range.end)], read)?
                    .filter_map(Result::transpose)
                    .collect()
            })
            .map_err(unreadable)?;
        self.still()?;
        Ok(found)
    }

    fn still(&self) -> Result<(), ReadError> {
        match &self.file {
            None => Ok(()),
            Some((how, path)) => how.still(path).map_err(ReadError::new),
        }
    }
}

impl LogReader for SqliteReader {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        let state = self
            .conn
            .prepare_cached("SELECT state FROM head WHERE one = 1")
            .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
            .map_err(unreadable)?;
        self.still()?;
        Ok(state.map_or(HeadRow::Missing, HeadRow::Stored))
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let mut found = Vec::new();
        {
            let mut select = self
                .conn
                .prepare_cached(
                    "SELECT seq, prev, leaf, kind, request, ts, signatures, statement \
                     FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
                )
                .map_err(unreadable)?;
            let mut rows = select.query(params![from, limit]).map_err(unreadable)?;
            let mut bytes = 0;
            while bytes < PORTION
                && let Some(row) = rows.next().map_err(unreadable)?
            {
                let seq = row.get(0).map_err(unreadable)?;
                let row = match record(seq, row).map_err(unreadable)? {
                    Ok(row) => {
                        bytes += row.record.statement.len();
                        Row::Record(Box::new(row))
                    }
                    Err(what) => Row::Malformed { seq, what },
                };
                found.push(row);
            }
        }
        self.still()?;
        Ok(found)
    }

    fn leaves(&mut self, records: Range<u64>) -> Result<Vec<Digest>, ReadError> {
        let found = self.each(
            "SELECT seq, leaf FROM record WHERE seq >= ?1 AND seq < ?2 ORDER BY seq",
            &records,
            integer,
            |row| {
                let leaf = value(row.get_ref(1)?);
                Ok(natural(row.get_ref(0)?).ok().zip(leaf))
            },
        )?;
        Ok(records
            .zip(found)
            .take_while(|(seq, (at, _))| seq == at)
            .map(|(_, (_, leaf))| leaf)
            .collect())
    }

    fn key_changes(&mut self, below: Seq) -> Result<Vec<Seq>, ReadError> {
        self.each(
            "SELECT seq FROM record WHERE kind > 'key_' AND kind < 'key`' AND seq >= ?1 AND seq < ?2 ORDER BY seq",
            &(0..below.get()),
            integer,
            |row| Ok(natural(row.get_ref(0)?).ok().map(Seq::new)),
        )
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        self.each(
            "SELECT size, note FROM checkpoint WHERE size >= ?1 AND size < ?2 ORDER BY size",
            &sizes,
            integer,
            |row| {
                let note = value(row.get_ref(1)?);
                Ok(natural(row.get_ref(0)?).ok().zip(note))
            },
        )
    }

    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT number, hash FROM subtree \
                 WHERE level = ?1 AND number >= ?2 AND number < ?3 ORDER BY number",
            )
            .and_then(|mut select| {
                select
                    .query_map(
                        params![level, integer(places.start), integer(places.end)],
                        |row| {
                            let hash = value(row.get_ref(1)?);
                            let found = natural(row.get_ref(0)?).ok().zip(hash);
                            Ok(found.map(|(index, hash)| Subtree { level, index, hash }))
                        },
                    )?
                    .filter_map(Result::transpose)
                    .collect()
            })
            .map_err(unreadable)?;
        self.still()?;
        Ok(found)
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        self.each(
            "SELECT place, text FROM disclosure WHERE place >= ?1 AND place < ?2 ORDER BY place",
            &records,
            first_place,
            |row| {
                let seq = seq_of_place(row.get(0)?);
                Ok(value(row.get_ref(1)?).map(|text| (seq, text)))
            },
        )
    }
}

/// A record, or which column is none.
fn record(seq: Seq, row: &SqlRow<'_>) -> rusqlite::Result<Result<RowRecord, &'static str>> {
    let column = |number| row.get_ref(number);
    let (prev, leaf) = (value::<Digest>(column(1)?), value::<Digest>(column(2)?));
    let kind = value::<String>(column(3)?);
    let request = value::<Option<RequestId>>(column(4)?);
    let ts = value::<Timestamp>(column(5)?);
    let signatures = column(6)?.as_blob().ok().and_then(decode_signatures);
    let statement = value::<Vec<u8>>(column(7)?);
    let whole = || {
        let columns = Columns {
            prev: prev.ok_or("`prev` is 32 bytes")?,
            kind: kind.ok_or("`kind` is text")?,
            request: request.ok_or("`request` is 16 bytes or null")?,
            ts: ts.ok_or("`ts` is microseconds of the years 1970 to 9999")?,
        };
        let record = StoredRecord {
            seq,
            statement: statement.ok_or("`statement` is bytes")?,
            signatures: signatures.ok_or("`signatures` is 96 bytes for each")?,
            leaf: leaf.ok_or("`leaf` is 32 bytes")?,
        };
        Ok(RowRecord { record, columns })
    };
    Ok(whole())
}

fn value<T: FromSql>(value: ValueRef<'_>) -> Option<T> {
    T::column_result(value).ok()
}

fn unreadable(error: rusqlite::Error) -> ReadError {
    ReadError::new(error)
}

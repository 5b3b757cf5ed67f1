//! How values stand in columns, and what SQLite's errors mean here.

use rusqlite::ErrorCode;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use crate::action::{InstanceId, Pseudonym, RequestId};
use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::Seq;

use super::super::error::StoreError;
use super::super::rows::{NodeKey, NoticeId, NoticeKind, Phase, Tag, TimerKind};
use super::super::step::MOST_DISCLOSURES;

macro_rules! bytes {
    ($($kind:ident($length:literal))*) => {$(
        impl ToSql for $kind {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes().as_slice())))
            }
        }

        impl FromSql for $kind {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; $length]>::column_result(value).map(Self::from_bytes)
            }
        }
    )*};
}

macro_rules! ids {
    ($($kind:ident: $read:path, $make:path;)*) => {$(
        impl ToSql for $kind {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let bytes = $read(self).as_bytes().to_vec();
                Ok(ToSqlOutput::from(bytes))
            }
        }

        impl FromSql for $kind {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let bytes = <[u8; 16]>::column_result(value)?;
                Ok($make(Uuid::from_bytes(bytes)))
            }
        }
    )*};
}

macro_rules! numbers {
    ($($kind:ident { $($variant:ident = $number:literal),* })*) => {$(
        impl ToSql for $kind {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(match self { $(Self::$variant => $number),* }))
            }
        }

        impl FromSql for $kind {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_i64()? {
                    $($number => Ok(Self::$variant),)*
                    other => Err(FromSqlError::OutOfRange(other)),
                }
            }
        }
    )*};
}

bytes! { Digest(32) Tag(32) NodeKey(16) Pseudonym(16) }

ids! {
    RequestId: RequestId::as_uuid, RequestId::from_uuid;
    InstanceId: InstanceId::as_uuid, InstanceId::from_uuid;
    NoticeId: NoticeId::as_uuid, NoticeId;
}

// The numbers are part of the file's format; `schema` names 0 and 4 of `Phase`.
numbers! {
    Phase { Pending = 0, Approved = 1, Running = 2, Unresolved = 3, Closed = 4 }
    TimerKind { Expires = 0, UseBy = 1, Lease = 2, Custom = 3 }
    NoticeKind { Ask = 0, Remind = 1, Settle = 2 }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.unix_micros()))
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let micros = value.as_i64()?;
        Self::from_unix_micros(micros).ok_or(FromSqlError::OutOfRange(micros))
    }
}

impl ToSql for Seq {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(integer(self.get())))
    }
}

impl FromSql for Seq {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        natural(value).map(Self::new)
    }
}

/// Sizes and numbers stay far below 2^63; one beyond finds nothing.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A column that holds no negative number.
pub(super) fn natural(value: ValueRef<'_>) -> FromSqlResult<u64> {
    let number = value.as_i64()?;
    u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

/// Where the disclosures of a record begin: the table's key is `seq` × [`MOST_DISCLOSURES`] + the place in the record.
pub(super) fn first_place(seq: u64) -> i64 {
    integer(seq.saturating_mul(MOST_DISCLOSURES as u64))
}

/// The record that a disclosure is filed under.
pub(super) fn seq_of_place(place: i64) -> Seq {
    Seq::new(u64::try_from(place).unwrap_or(0) / MOST_DISCLOSURES as u64)
}

/// What an error of SQLite means to a caller, outside of COMMIT.
pub(super) fn store_error(error: rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(column, ..)
        | rusqlite::Error::IntegralValueOutOfRange(column, _)
        | rusqlite::Error::InvalidColumnType(column, ..) => StoreError::corrupt(format!(
            "column {column} of a row holds what it cannot hold"
        )),
        error => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::DatabaseCorrupt) => StoreError::corrupt("SQLite cannot read the file"),
            Some(ErrorCode::NotADatabase) => {
                StoreError::NotAStore("it is not an SQLite file".to_owned())
            }
            _ => StoreError::unavailable(error),
        },
    }
}

/// Like [`store_error`], with a name for a row that was there before.
pub(super) fn taken(what: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::Conflict(what),
        _ => store_error(error),
    }
}

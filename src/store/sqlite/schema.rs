//! The tables, and the check that a file has exactly these.

use rusqlite::Connection;

use super::super::error::StoreError;
use super::codec::store_error;

/// `application_id` of the file: the ASCII bytes `cSgn`.
pub(super) const APPLICATION_ID: i32 = 0x6353_676E;

/// `user_version` of the file.
pub(super) const VERSION: i32 = 1;

/// One log a file, so that a primary key over `seq` is unique for the log.
///
/// INVARIANT: the primary key of `record` is the guard against forks: two records after the same one would have the same `seq`.
/// Indexes over `request` leave closed requests out, so that their size follows what is open and not what ever was. Nothing is
/// indexed that lies at random, since each row would then touch a page of its own.
const OBJECTS: [(&str, &str); 25] = [
    (
        "record",
        "CREATE TABLE record(
  seq INTEGER PRIMARY KEY,
  prev BLOB NOT NULL,
  leaf BLOB NOT NULL,
  kind TEXT NOT NULL,
  request BLOB,
  ts INTEGER NOT NULL,
  signatures BLOB NOT NULL,
  statement BLOB NOT NULL
) STRICT",
    ),
    (
        "record_request",
        "CREATE INDEX record_request ON record(request) WHERE request IS NOT NULL",
    ),
    (
        "record_keys",
        // The kinds that begin with `key_`, as a range: a list would be made into a table for each record.
        "CREATE INDEX record_keys ON record(seq) WHERE kind > 'key_' AND kind < 'key`'",
    ),
    (
        "subtree",
        "CREATE TABLE subtree(
  level INTEGER NOT NULL,
  number INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY(level, number)
) STRICT, WITHOUT ROWID",
    ),
    (
        "checkpoint",
        "CREATE TABLE checkpoint(
  size INTEGER PRIMARY KEY,
  note BLOB NOT NULL
) STRICT",
    ),
    (
        "head",
        "CREATE TABLE head(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  size INTEGER NOT NULL,
  state BLOB NOT NULL
) STRICT",
    ),
    (
        "secret",
        "CREATE TABLE secret(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  bytes BLOB NOT NULL
) STRICT",
    ),
    (
        "disclosure",
        "CREATE TABLE disclosure(
  place INTEGER PRIMARY KEY,
  text TEXT NOT NULL
) STRICT",
    ),
    (
        "scope",
        "CREATE TABLE scope(
  name BLOB PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID",
    ),
    (
        "request",
        "CREATE TABLE request(
  request BLOB PRIMARY KEY,
  phase INTEGER NOT NULL,
  actor BLOB NOT NULL,
  joinable BLOB,
  tenant BLOB,
  filed INTEGER NOT NULL,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID",
    ),
    (
        "request_phase",
        "CREATE INDEX request_phase ON request(phase, request) WHERE phase <> 4",
    ),
    (
        "request_actor",
        "CREATE INDEX request_actor ON request(actor, request) WHERE phase <> 4",
    ),
    (
        "request_joinable",
        "CREATE INDEX request_joinable ON request(joinable, request) WHERE phase = 0",
    ),
    (
        "timer",
        "CREATE TABLE timer(
  request BLOB NOT NULL,
  what INTEGER NOT NULL,
  due INTEGER NOT NULL,
  PRIMARY KEY(request, what)
) STRICT, WITHOUT ROWID",
    ),
    (
        "timer_due",
        "CREATE INDEX timer_due ON timer(due, request, what)",
    ),
    (
        "edge",
        "CREATE TABLE edge(
  source BLOB NOT NULL,
  relation INTEGER NOT NULL,
  target BLOB NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY(source, relation, target, seq)
) STRICT, WITHOUT ROWID",
    ),
    (
        "edge_target",
        "CREATE INDEX edge_target ON edge(target, relation, source, seq)",
    ),
    (
        "node",
        "CREATE TABLE node(
  name BLOB PRIMARY KEY,
  kind INTEGER NOT NULL,
  clear TEXT
) STRICT, WITHOUT ROWID",
    ),
    (
        "outbox",
        "CREATE TABLE outbox(
  place INTEGER PRIMARY KEY,
  notice BLOB NOT NULL UNIQUE,
  channel TEXT NOT NULL,
  request BLOB NOT NULL,
  what INTEGER NOT NULL,
  due INTEGER NOT NULL,
  state INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  lease_until INTEGER,
  holder BLOB,
  outcome TEXT,
  seal BLOB NOT NULL
) STRICT",
    ),
    (
        "outbox_due",
        "CREATE INDEX outbox_due ON outbox(channel, due) WHERE state = 0",
    ),
    (
        "outbox_leased",
        "CREATE INDEX outbox_leased ON outbox(lease_until) WHERE lease_until IS NOT NULL",
    ),
    (
        "outbox_request",
        "CREATE INDEX outbox_request ON outbox(request)",
    ),
    (
        "person",
        "CREATE TABLE person(
  tag BLOB PRIMARY KEY,
  pseudonym BLOB NOT NULL UNIQUE
) STRICT, WITHOUT ROWID",
    ),
    (
        "cursor",
        "CREATE TABLE cursor(
  name TEXT PRIMARY KEY,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID",
    ),
    (
        "instance",
        "CREATE TABLE instance(
  instance BLOB PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID",
    ),
];

/// Makes the tables in an empty file.
pub(super) fn create(conn: &Connection) -> rusqlite::Result<()> {
    for (_, sql) in OBJECTS {
        conn.execute_batch(sql)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", VERSION)
}

/// Checks that the file has these tables and indexes, word for word, and nothing that could act by itself.
///
/// # Errors
/// [`StoreError::Corrupt`] names what is missing, changed or there beside.
pub(super) fn check(conn: &Connection) -> Result<(), StoreError> {
    let mut statement = conn
        .prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        .map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut found = 0;
    while let Some(row) = rows.next().map_err(store_error)? {
        let kind: String = row.get(0).map_err(store_error)?;
        let name: String = row.get(1).map_err(store_error)?;
        let sql: String = row.get(2).map_err(store_error)?;
        match OBJECTS.iter().find(|(object, _)| *object == name) {
            Some((_, expected)) if *expected == sql => found += 1,
            Some(_) => return Err(StoreError::corrupt(format!("`{name}` was changed"))),
            // The statistics of ANALYZE do no harm. They are tables; an index can be given such a name as well.
            None if kind == "table" && name.starts_with("sqlite_stat") => {}
            None => {
                return Err(StoreError::corrupt(format!(
                    "a {kind} `{name}` does not belong there"
                )));
            }
        }
    }
    if found == OBJECTS.len() {
        return Ok(());
    }
    Err(StoreError::corrupt(
        "a table or an index is missing, and with it a guard against forks",
    ))
}

//! Which keys a log names at one of its records.

use std::num::NonZeroU32;

use countersign::log::{Kind, Row, Seq, StoredRecord, Trust};
use countersign::store::{Found, Query, SqliteStore, Store};
use futures::executor::block_on;

use crate::ending::Failure;
use crate::store::{self, Log};

/// How many records are read at a time.
const PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// What the records before this one say of keys, beginning with the genesis. Why there is none, if there is none.
pub fn before(log: &mut Log, seq: Seq) -> Result<Result<Trust, String>, Failure> {
    let trust = match store::genesis(log.reader.as_mut())? {
        Some(Ok(genesis)) => Trust::on_genesis(&genesis),
        Some(Err(why)) => return Ok(Err(why)),
        None => return Ok(Err("the log has no genesis".to_owned())),
    };
    let changes = match &log.store {
        Some(store) => changes(store)?,
        None => sought(log, seq)?,
    };
    Ok(Ok(followed(trust, &changes, seq)))
}

/// What the log of a store says of keys by now.
pub fn now(store: &SqliteStore) -> Result<Trust, Failure> {
    let genesis = store::genesis(&mut store.log_reader()?)?
        .ok_or_else(|| Failure::cannot("there is no log in the store"))?;
    let genesis = genesis.map_err(|why| Failure::broken(format!("record 0: {why}")))?;
    let trust = Trust::on_genesis(&genesis);
    Ok(followed(trust, &changes(store)?, Seq::new(u64::MAX)))
}

fn followed(mut trust: Trust, changes: &[StoredRecord], until: Seq) -> Trust {
    for record in changes.iter().filter(|record| record.seq < until) {
        if let Ok(verified) = trust.check(record) {
            // One that may not change them changes nothing.
            let _ = trust.follow(&verified);
        }
    }
    trust
}

/// The records that change keys, by the store's index.
fn changes(store: &SqliteStore) -> Result<Vec<StoredRecord>, Failure> {
    match block_on(store.find(Query::KeyChanges))? {
        Found::Records(records) => Ok(records),
        _ => Err(Failure::cannot(
            "the store gave another answer than records",
        )),
    }
}

/// The same in files, which have no index.
fn sought(log: &mut Log, until: Seq) -> Result<Vec<StoredRecord>, Failure> {
    let mut found = Vec::new();
    let mut next = Seq::GENESIS.next();
    while next < until {
        let rows = log.reader.records(next, PAGE)?;
        let Some(last) = rows.last() else {
            break;
        };
        next = last.seq().next();
        found.extend(rows.into_iter().filter_map(|row| match row {
            Row::Record(row) => {
                let changes = Kind::parse(&row.columns.kind).is_some_and(Kind::changes_keys);
                changes.then_some(row.record)
            }
            Row::Malformed { .. } => None,
        }));
    }
    Ok(found)
}

//! What stands in a store's log, as its verifier and a plain reader see it.

use std::num::NonZeroU32;
use std::ops::Range;

use countersign::action::{ActionDigest, RequestId};
use countersign::audit::{Audit, AuditReport};
use countersign::log::{
    Columns, HeadRow, Kept, Kind, KnownOr, LogReader, ReadError, Row, RowRecord, Seq, Statement,
    Subtree, TrustedKeys,
};
use countersign::store::{Query, Store};
use futures::FutureExt;

/// The stores of this library do their work when first polled, so this needs no executor and works inside one.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future
        .now_or_never()
        .expect("the store answers when polled")
}

/// Reads a log through the store's own trait.
pub struct Through<'s>(pub &'s dyn Store);

const ALL: NonZeroU32 = NonZeroU32::MAX;

impl LogReader for Through<'_> {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        Ok(match at_once(self.0.head()).map_err(ReadError::new)? {
            Some(head) => HeadRow::Stored(head.encode()),
            None => HeadRow::Missing,
        })
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let records = at_once(self.0.read(from, limit)).map_err(ReadError::new)?;
        Ok(records
            .into_iter()
            .map(|record| {
                let statement = Statement::parse(&record.statement).unwrap();
                Row::Record(Box::new(RowRecord {
                    columns: Columns {
                        prev: statement.prev,
                        kind: match statement.kind {
                            KnownOr::Known(kind) => kind.as_str().to_owned(),
                            KnownOr::Unknown(kind) => kind,
                        },
                        request: statement.request,
                        ts: statement.ts,
                    },
                    record,
                }))
            })
            .collect())
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let query = Query::CheckpointsFrom {
            at_least: sizes.start,
            limit: ALL,
        };
        let found = at_once(self.0.find(query)).map_err(ReadError::new)?;
        let mut checkpoints = found.checkpoints().map_err(ReadError::new)?;
        checkpoints.retain(|(size, _)| sizes.contains(size));
        Ok(checkpoints)
    }

    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        let size = at_once(self.0.head())
            .map_err(ReadError::new)?
            .map_or(0, |head| head.size);
        let full = size >> (8 * u32::from(level));
        let range = places.start.min(full)..places.end.min(full);
        let query = Query::Subtrees {
            level,
            range: range.clone(),
        };
        let found = at_once(self.0.find(query)).map_err(ReadError::new)?;
        let hashes = found.digests().map_err(ReadError::new)?;
        Ok(range
            .zip(hashes)
            .map(|(index, hash)| Subtree { level, index, hash })
            .collect())
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        let query = Query::DisclosuresFrom {
            from: Seq::new(records.start),
            to: Seq::new(records.end),
        };
        let found = at_once(self.0.find(query)).map_err(ReadError::new)?;
        let found = found.disclosures().map_err(ReadError::new)?;
        let text = |(seq, one): (Seq, Kept)| (seq, one.to_text().into_owned());
        Ok(found.into_iter().map(text).collect())
    }
}

/// What an auditor with these keys, and nothing else from outside, makes of a log and of the rows that its store keeps beside it.
pub fn audit(
    reader: &mut (dyn LogReader + Send),
    store: &dyn Store,
    keys: &TrustedKeys,
) -> AuditReport {
    Audit::of(reader)
        .trusting(keys.clone())
        .comparing(store)
        .run()
}

/// Fails unless every record means what it should, and every row beside the log is what follows from it.
pub fn assert_sound(store: &dyn Store, keys: &TrustedKeys) {
    let report = audit(&mut Through(store), store, keys);
    // Intact, and unanchored since nothing from outside was given.
    assert_eq!(report.exit_code(), 3, "{report}");
}

/// Every record's kind, with its request, in order.
pub fn kinds(store: &dyn Store) -> Vec<(Kind, Option<RequestId>)> {
    at_once(store.read(Seq::GENESIS, ALL))
        .unwrap()
        .iter()
        .map(|record| {
            let statement = Statement::parse(&record.statement).unwrap();
            (*statement.kind.known().unwrap(), statement.request)
        })
        .collect()
}

/// How many records of a kind a request has.
pub fn count(store: &dyn Store, request: RequestId, kind: Kind) -> usize {
    kinds(store)
        .iter()
        .filter(|one| **one == (kind, Some(request)))
        .count()
}

/// The action digest in the subject of each record of a request, in order.
pub fn subjects(store: &dyn Store, request: RequestId) -> Vec<ActionDigest> {
    at_once(store.read(Seq::GENESIS, ALL))
        .unwrap()
        .iter()
        .map(|record| Statement::parse(&record.statement).unwrap())
        .filter(|statement| statement.request == Some(request))
        .map(|statement| ActionDigest::from_digest(statement.subject))
        .collect()
}

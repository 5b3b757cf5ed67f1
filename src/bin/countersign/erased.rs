//! Which record says that a value was erased.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use countersign::canonical::{Admission, admit};
use countersign::log::{Kind, Row, RowRecord, Seq};

use crate::ending::Failure;
use crate::progress::Progress;
use crate::store::Log;
use crate::trust;

/// How many records are read at a time.
const PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// That a value was erased, by the word of a record.
#[derive(Clone)]
pub struct Erased {
    pub by: Seq,
    /// The ground that it names.
    pub basis: String,
    /// Why that record cannot be relied upon.
    pub fault: Option<String>,
}

/// The records after `seq` that say to have erased these digests; only the first one that names a digest counts.
pub fn after(
    log: &mut Log,
    seq: Seq,
    digests: &BTreeSet<String>,
) -> Result<BTreeMap<String, Erased>, Failure> {
    let mut found = BTreeMap::new();
    let mut next = seq.next();
    let mut progress = Progress::new();
    // Stores have no index of erasures.
    while found.len() < digests.len() {
        let rows = log.reader.records(next, PAGE)?;
        let Some(last) = rows.last() else {
            break;
        };
        next = last.seq().next();
        progress.hear("looked through", next.get());
        for row in rows {
            let Row::Record(row) = row else {
                continue;
            };
            let Some((basis, named)) = erasure(&row) else {
                continue;
            };
            let named: Vec<String> = named
                .into_iter()
                .filter(|digest| digests.contains(digest) && !found.contains_key(digest))
                .collect();
            if named.is_empty() {
                continue;
            }
            let by = row.record.seq;
            let fault = match trust::before(log, by)? {
                Ok(trust) => trust.check(&row.record).err().map(|why| why.to_string()),
                Err(why) => Some(why),
            };
            for digest in named {
                let (basis, fault) = (basis.clone(), fault.clone());
                found.insert(digest, Erased { by, basis, fault });
            }
        }
    }
    Ok(found)
}

/// The ground and the digests that a record names, if it is an erasure.
fn erasure(row: &RowRecord) -> Option<(String, Vec<String>)> {
    if Kind::parse(&row.columns.kind) != Some(Kind::Erased) {
        return None;
    }
    let statement = admit(&row.record.statement, &Admission::default()).ok()?;
    let predicate = statement.as_object()?.get("predicate")?.as_object()?;
    let body = predicate.get("body")?.as_object()?;
    let digests = body.get("digests")?.as_array()?;
    let digests = digests.iter().map(|one| one.as_str().map(str::to_owned));
    let basis = body.get("basis")?.as_str()?.to_owned();
    Some((basis, digests.collect::<Option<_>>()?))
}

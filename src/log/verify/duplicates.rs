//! Finding a digest of a hidden member that stands twice in a log (rule F7).

use std::{collections::HashSet, num::NonZeroU32};

use super::{
    examine::fingerprint,
    reader::{LogReader, ReadError, Row},
    walk::Walk,
};
use crate::log::{
    id::Seq,
    rule::{Broken, Rule},
    sd,
    statement::Statement,
};

/// Looks for beginnings of digests that stand twice, and only if there are any reads the log again, to see
/// whether whole digests do.
pub(super) fn find(reader: &mut dyn LogReader, walk: &mut Walk<'_>) -> Result<(), ReadError> {
    let mut all = std::mem::take(&mut walk.fingerprints);
    all.sort_unstable();
    let suspects: HashSet<u64> = all
        .windows(2)
        .filter_map(|pair| match pair {
            [one, other] if one == other => Some(*one),
            _ => None,
        })
        .collect();
    walk.fingerprints = all;
    if suspects.is_empty() {
        return Ok(());
    }
    let mut seen = HashSet::new();
    let mut from = Seq::GENESIS;
    loop {
        let rows = reader.records(from, NonZeroU32::MIN.saturating_add(255))?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        if last.seq() < from {
            return Err(ReadError::new("its records were not handed out in order"));
        }
        from = last.seq().next();
        for row in rows {
            let Row::Record(row) = row else {
                continue;
            };
            let Ok(statement) = Statement::parse(&row.record.statement) else {
                continue;
            };
            let covers = sd::covers(&statement.body).unwrap_or_default();
            for digest in covers.iter().flat_map(|cover| &cover.digests) {
                let suspect = suspects.contains(&fingerprint(digest.as_digest()));
                let again = suspect && !seen.insert(*digest);
                // Of a record that was copied whole, it says more that it does not belong there.
                if again && !walk.report.is_broken_by(row.record.seq) {
                    let why = "the digest of a hidden member of it stood in the log before";
                    let broken = Broken::new(row.record.seq, Rule::F7, why);
                    walk.report.add_broken(broken);
                }
            }
        }
    }
}

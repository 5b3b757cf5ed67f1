use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use crate::action::RequestId;

use super::super::rows::TimerRow;

/// The timers, by time and by request.
#[derive(Default)]
pub(super) struct Timers {
    by_time: BTreeSet<TimerRow>,
    by_request: HashMap<RequestId, Vec<TimerRow>>,
}

impl Timers {
    pub(super) fn put(&mut self, row: TimerRow) {
        let rows = self.by_request.entry(row.request).or_default();
        if let Some(old) = rows.iter_mut().find(|old| old.what == row.what) {
            self.by_time.remove(old);
            *old = row;
        } else {
            rows.push(row);
        }
        self.by_time.insert(row);
    }

    /// Whether there was one.
    pub(super) fn drop_all(&mut self, request: RequestId) -> bool {
        let rows = self.by_request.remove(&request).unwrap_or_default();
        for row in &rows {
            self.by_time.remove(row);
        }
        !rows.is_empty()
    }

    /// Whether it was there.
    pub(super) fn done(&mut self, row: TimerRow) -> bool {
        if !self.by_time.remove(&row) {
            return false;
        }
        if let Some(rows) = self.by_request.get_mut(&row.request) {
            rows.retain(|one| *one != row);
            if rows.is_empty() {
                self.by_request.remove(&row.request);
            }
        }
        true
    }

    /// Those after this one, earliest first.
    pub(super) fn after(&self, after: Option<TimerRow>) -> impl Iterator<Item = TimerRow> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_time.range((start, Bound::Unbounded)).copied()
    }
}

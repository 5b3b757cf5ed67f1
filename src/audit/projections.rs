//! What a store's projections should say, and whether they do.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use crate::action::RequestId;
use crate::approval::{RequestState, Status};
use crate::clock::Timestamp;
use crate::log::Seq;
use crate::store::{PageOf, Phase, Query, RequestRow, Store, StoreError, TimerKind, TimerRow};

use super::edges::EdgeSums;
use super::ended::Mark;
use super::listed::Listed;
use super::persons::Persons;
use super::replay::by_records;

/// How many rows are asked for at a time.
const PAGE: NonZeroU32 = match NonZeroU32::new(1024) {
    Some(page) => page,
    None => NonZeroU32::MIN,
};

/// How a store's projections compare with what its log says.
///
/// Compared are the row of each request (phase, first record, and for open ones the time of filing), the timers that follow from the
/// clocks of open requests, the edges of the lineage graph, and the pseudonym of each person who did something at a desk, as long as
/// the record's hidden value says who it was.
///
/// Not compared are the pseudonyms of those whom the log knows as requesters, delegators or controllers alone: a chain names its
/// humans as the host did, and whom the directory took them for is not recorded. Rows of persons whom no record names, and those
/// whose values were erased, are not compared either. A changed one of these takes nobody's interest away, since desk and start
/// find the interests anew, but somebody may go on under another pseudonym. The other tags of requests are not compared; nor are
/// outbox, cursors and instances, which do not follow from the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProjectionReport {
    /// Only the log was audited.
    #[default]
    NotAsked,
    /// They could not be compared.
    NotCompared {
        /// Why.
        why: String,
    },
    /// They were compared.
    Compared {
        /// How many rows of the store were looked at.
        rows: u64,
        /// Where store and log differ.
        differences: Listed<Difference>,
    },
}

impl ProjectionReport {
    /// Whether a difference was found.
    #[must_use]
    pub const fn differs(&self) -> bool {
        match self {
            Self::Compared { differences, .. } => !differences.is_empty(),
            Self::NotAsked | Self::NotCompared { .. } => false,
        }
    }
}

impl fmt::Display for ProjectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("not asked for"),
            Self::NotCompared { why } => write!(f, "not compared: {why}"),
            Self::Compared { rows, differences } if differences.is_empty() => {
                write!(f, "{rows} rows say what the log says")
            }
            Self::Compared { rows, differences } => {
                write!(
                    f,
                    "{} of {rows} rows differ from the log, which alone counts",
                    differences.total()
                )
            }
        }
    }
}

/// A row of the store that is not what its log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The record that the row follows from, where it is known.
    pub seq: Option<Seq>,
    /// The request, where the row is of one.
    pub request: Option<RequestId>,
    /// Which projection.
    pub what: Projection,
    /// How it differs.
    pub why: String,
}

/// A projection that can be made again from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Projection {
    /// The rows of requests.
    Request,
    /// Timers.
    Timer,
    /// The lineage graph.
    Edge,
    /// Who stands behind a pseudonym.
    Person,
}

impl Projection {
    /// The word for it in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Timer => "timer",
            Self::Edge => "edge",
            Self::Person => "person",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq,
            request,
            what,
            why,
        } = self;
        write!(f, "{}", what.as_str())?;
        if let Some(request) = request {
            write!(f, " of {request}")?;
        }
        if let Some(seq) = seq {
            write!(f, " from record {seq}")?;
        }
        write!(f, ": {why}")
    }
}

/// The phase that the row of a request has after its last record, whatever the clock says since.
#[must_use]
pub fn phase_of(state: &RequestState) -> Phase {
    match by_records(state) {
        Status::Pending { .. } => Phase::Pending,
        Status::Approved { .. } => Phase::Approved,
        Status::Running { .. } => Phase::Running,
        Status::Unresolved { .. } => Phase::Unresolved,
        Status::Denied
        | Status::Finished { .. }
        | Status::Rejected { .. }
        | Status::Withdrawn
        | Status::Superseded { .. }
        | Status::Cancelled
        | Status::Revoked
        | Status::Expired { .. }
        | Status::Reconciled { .. } => Phase::Closed,
    }
}

/// The timer that a request has after its last record, if it has one: when it expires, or its approval, or its lease.
#[must_use]
pub fn timer_of(state: &RequestState) -> Option<TimerRow> {
    let (what, due) = match by_records(state) {
        Status::Pending { expires } => (TimerKind::Expires, expires),
        Status::Approved { use_by, .. } => (TimerKind::UseBy, use_by),
        Status::Running { lease_until, .. } => (TimerKind::Lease, lease_until),
        _ => return None,
    };
    Some(TimerRow {
        due,
        request: state.request(),
        what,
    })
}

/// What the log says, against which a store is held.
pub(super) struct Expected<'a> {
    pub size: u64,
    pub open: &'a BTreeMap<RequestId, RequestState>,
    /// Ascending.
    pub ended: &'a [Mark],
    pub edges: EdgeSums,
    pub persons: &'a Persons,
}

/// Compares the projections of `store` with what its log says.
pub(super) async fn compare(store: &dyn Store, expected: Expected<'_>) -> ProjectionReport {
    let Expected {
        size,
        open,
        ended,
        edges,
        persons,
    } = expected;
    let mut comparison = Comparison {
        rows: 0,
        differences: Listed::default(),
    };
    let result = async {
        stands_at(store, size).await?;
        let read = comparison.requests(store, open, ended).await;
        comparison.note(Projection::Request, read)?;
        let read = comparison.timers(store, open).await;
        comparison.note(Projection::Timer, read)?;
        let read = comparison.edges(store, edges).await;
        comparison.note(Projection::Edge, read)?;
        let read = comparison.persons(store, persons).await;
        comparison.note(Projection::Person, read)?;
        stands_at(store, size).await
    };
    match result.await {
        Ok(()) => ProjectionReport::Compared {
            rows: comparison.rows,
            differences: comparison.differences,
        },
        Err(NotCompared(why)) => ProjectionReport::NotCompared { why },
    }
}

/// Why there is nothing to compare.
struct NotCompared(String);

impl From<StoreError> for NotCompared {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// Rows that are written while they are compared would differ for no reason.
async fn stands_at(store: &dyn Store, size: u64) -> Result<(), NotCompared> {
    let now = store.head().await?.map_or(0, |head| head.size);
    // The log was read before, so a store that only grew has a head beyond what was read.
    match now.cmp(&size) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(NotCompared(
            "the log grew meanwhile; audit again, or stop what writes to it".to_owned(),
        )),
        Ordering::Less => Err(NotCompared(format!(
            "somebody wrote into the file: its head ends before record {now}, and there are records from there on; \
             keep a copy of it, remove those rows and audit again"
        ))),
    }
}

struct Comparison {
    rows: u64,
    differences: Listed<Difference>,
}

impl Comparison {
    fn differ(
        &mut self,
        what: Projection,
        seq: Option<Seq>,
        request: Option<RequestId>,
        why: impl Into<String>,
    ) {
        let difference = Difference {
            seq,
            request,
            what,
            why: why.into(),
        };
        self.differences
            .add(seq.map_or(u64::MAX, Seq::get), difference);
    }

    /// A row that is there and cannot be read differs too; a store that could not be reached is not compared.
    fn note(&mut self, what: Projection, read: Result<(), StoreError>) -> Result<(), NotCompared> {
        match read {
            Err(StoreError::Corrupt { what: why }) => {
                let why = format!("the store has rows that cannot be read: {why}");
                self.differ(what, None, None, why);
                Ok(())
            }
            read => Ok(read?),
        }
    }

    /// Walks both lists in step; both ascend by request.
    async fn requests(
        &mut self,
        store: &dyn Store,
        open: &BTreeMap<RequestId, RequestState>,
        ended: &[Mark],
    ) -> Result<(), StoreError> {
        let mut expected = filed(open, ended).peekable();
        let mut after = None;
        loop {
            let page = PageOf {
                phases: Phase::OPEN.into_iter().chain([Phase::Closed]).collect(),
                after,
                limit: PAGE,
            };
            let rows = store.find(Query::Inbox(page)).await?.rows()?;
            let Some(last) = rows.last() else { break };
            after = Some(last.request);
            for row in &rows {
                self.rows += 1;
                while let Some(missing) = expected.next_if(|filed| filed.request < row.request) {
                    self.no_row(&missing);
                }
                match expected.next_if(|filed| filed.request == row.request) {
                    Some(filed) => self.row(row, &filed),
                    None => {
                        let why = "the log has no such request";
                        self.differ(Projection::Request, Some(row.seq), Some(row.request), why);
                    }
                }
            }
        }
        for missing in expected {
            self.no_row(&missing);
        }
        Ok(())
    }

    fn no_row(&mut self, filed: &Filed) {
        let seq = Some(Seq::new(filed.first));
        self.differ(
            Projection::Request,
            seq,
            Some(filed.request),
            "the store has no row of it",
        );
    }

    fn row(&mut self, row: &RequestRow, filed: &Filed) {
        let Filed {
            request,
            first,
            phase,
            at,
        } = *filed;
        let mut wrong = Vec::new();
        if row.phase != phase {
            wrong.push(format!("the phase is {:?} and not {phase:?}", row.phase));
        }
        if row.seq.get() != first {
            wrong.push(format!("record {} is named as its first", row.seq));
        }
        if at.is_some_and(|at| row.filed != at) {
            wrong.push(format!("{} is named as the time of filing", row.filed));
        }
        if !wrong.is_empty() {
            self.differ(
                Projection::Request,
                Some(Seq::new(first)),
                Some(request),
                wrong.join(", "),
            );
        }
    }

    async fn timers(
        &mut self,
        store: &dyn Store,
        open: &BTreeMap<RequestId, RequestState>,
    ) -> Result<(), StoreError> {
        let mut expected: BTreeMap<(RequestId, TimerKind), TimerRow> = open
            .values()
            .filter_map(timer_of)
            .map(|timer| ((timer.request, timer.what), timer))
            .collect();
        let mut after = None;
        loop {
            let timers = store
                .find(Query::NextDue { after, limit: PAGE })
                .await?
                .timers()?;
            let Some(last) = timers.last() else { break };
            after = Some(*last);
            for timer in &timers {
                self.rows += 1;
                if timer.what == TimerKind::Custom {
                    continue;
                }
                let why = match expected.remove(&(timer.request, timer.what)) {
                    Some(right) if right == *timer => continue,
                    Some(right) => format!("it is due at {} and not at {}", timer.due, right.due),
                    None => format!("the log knows of no timer {:?} of this request", timer.what),
                };
                self.differ(Projection::Timer, None, Some(timer.request), why);
            }
        }
        for missing in expected.values() {
            let why = format!(
                "the store has no timer {:?} at {}",
                missing.what, missing.due
            );
            self.differ(Projection::Timer, None, Some(missing.request), why);
        }
        Ok(())
    }

    async fn edges(&mut self, store: &dyn Store, mut sums: EdgeSums) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let edges = store
                .find(Query::Edges { after, limit: PAGE })
                .await?
                .edges()?;
            let Some(last) = edges.last() else { break };
            after = Some(*last);
            for edge in &edges {
                self.rows += 1;
                sums.take(edge);
            }
        }
        for seq in sums.unequal() {
            let why = "the edges that follow from this record are not those of the store";
            self.differ(Projection::Edge, Some(Seq::new(seq)), None, why);
        }
        Ok(())
    }

    async fn persons(&mut self, store: &dyn Store, persons: &Persons) -> Result<(), StoreError> {
        for (tag, pseudonym, seq) in persons.told() {
            let row = store.find(Query::Pseudonym(tag)).await?.pseudonym()?;
            self.rows += u64::from(row.is_some());
            let why = match row {
                Some(row) if row == pseudonym => continue,
                Some(row) => {
                    format!("the store calls {row} whom the record calls {pseudonym}")
                }
                None => format!("the store has lost who {pseudonym} is"),
            };
            self.differ(Projection::Person, Some(Seq::new(seq.0)), None, why);
        }
        Ok(())
    }
}

/// What the row of a request should say.
struct Filed {
    request: RequestId,
    first: u64,
    phase: Phase,
    /// Known for open requests.
    at: Option<Timestamp>,
}

/// Every request of the log, ascending.
fn filed<'a>(
    open: &'a BTreeMap<RequestId, RequestState>,
    ended: &'a [Mark],
) -> impl Iterator<Item = Filed> + use<'a> {
    let mut open = open.values().peekable();
    let mut ended = ended.iter().peekable();
    std::iter::from_fn(move || {
        let of_open = |state: &RequestState| Filed {
            request: state.request(),
            first: state.first().0,
            phase: phase_of(state),
            at: Some(state.filed()),
        };
        let of_ended = |mark: &Mark| Filed {
            request: mark.request,
            first: mark.first.0,
            phase: Phase::Closed,
            at: None,
        };
        let open_first = match (open.peek(), ended.peek()) {
            (Some(state), Some(mark)) => state.request() < mark.request,
            (state, _) => state.is_some(),
        };
        if open_first {
            open.next().map(of_open)
        } else {
            ended.next().map(of_ended)
        }
    })
}

//! Whether a log means what it should: every record against the life of its request, from signed bytes alone.
//!
//! [`Audit`] checks structure and meaning in one pass, recounts quorums and separation of duties, and, where it is given the store,
//! compares the store's projections with what the log says. [`timeline`] tells a log in plain words, one line for each record.
//!
//! Memory grows with the requests that are open at one time, by 32 bytes for each that has ended, and, where projections are
//! compared, by 8 bytes for each record and some for each person who reviewed. An allowed request that never ran is open until a record says that it expired.

mod bookmark;
mod edges;
mod ended;
mod listed;
mod page;
mod persons;
mod projections;
mod replay;
mod report;
mod run;
mod timeline;
mod words;

#[cfg(test)]
mod tests;

pub use bookmark::{Bookmark, NotABookmark};
pub(crate) use edges::named_key;
pub use edges::{edge_row, node_key};
pub use listed::Listed;
pub use persons::person_tag;
pub use projections::{Difference, Projection, ProjectionReport, phase_of, timer_of};
pub use report::{AuditReport, Excused, NotJudged, Problem, Requests, WitnessReport};
pub use run::Audit;
pub use timeline::{Filter, Timeline, TimelineEntry, timeline};

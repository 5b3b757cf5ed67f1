//! What every store and every wrapper of one must do, as tests that anyone can run.
//!
//! Give [`run`] a way to make an empty store; it answers with the first rule that is broken. [`race`] needs threads, and a store
//! whose futures need no particular runtime.
//!
//! ```
//! use countersign::store::{MemoryStore, conformance};
//!
//! futures::executor::block_on(conformance::run(async || MemoryStore::new()))?;
//! conformance::race(&MemoryStore::new())?;
//! # Ok::<(), conformance::Nonconformity>(())
//! ```

mod atomic;
mod author;
mod chores;
mod log;
mod projections;
mod race;

use thiserror::Error;

use super::{Store, StoreError};

pub use race::{append_from, race};

/// Runs every test, each on a store of its own that `make` gives it: empty, and nobody else's.
///
/// # Errors
/// The first rule of the [contract](Store) that the store breaks.
pub async fn run<S, F>(make: F) -> Result<(), Nonconformity>
where
    S: Store,
    F: AsyncFn() -> S,
{
    log::an_empty_store_has_nothing(&make().await).await?;
    log::what_was_appended_is_read(&make().await).await?;
    log::pages_of_records_end_at_the_head(&make().await).await?;
    log::disclosures_are_found_by_their_records(&make().await).await?;
    log::checkpoints_and_hashes_of_the_tree_are_found(&make().await).await?;
    log::appends_at_once_make_one_line(&make().await).await?;
    log::bells_ring_after_commits(&make().await).await?;
    atomic::a_refused_batch_leaves_nothing(&make().await).await?;
    atomic::a_batch_continues_the_head(&make().await).await?;
    atomic::a_leaf_is_that_of_its_statement(&make().await).await?;
    atomic::versions_are_counted_inside_the_lock(&make().await).await?;
    atomic::a_taken_row_refuses_the_batch(&make().await).await?;
    projections::requests_are_found_in_pages(&make().await).await?;
    projections::only_pending_requests_are_joined(&make().await).await?;
    projections::timers_are_found_by_time(&make().await).await?;
    projections::the_graph_is_walked_both_ways(&make().await).await?;
    projections::persons_have_one_pseudonym(&make().await).await?;
    projections::persons_are_renamed(&make().await).await?;
    log::what_is_erased_is_gone(&make().await).await?;
    chores::notices_are_claimed_by_lease(&make().await).await?;
    chores::one_notice_of_a_request_is_out_at_a_time(&make().await).await?;
    chores::the_next_notice_is_foretold(&make().await).await?;
    chores::notices_end_once(&make().await).await?;
    chores::cursors_move_from_where_they_stand(&make().await).await?;
    chores::checkpoints_gain_signatures(&make().await).await?;
    chores::timers_are_dropped(&make().await).await?;
    chores::processes_are_registered(&make().await).await
}

/// A rule of the contract that a store breaks.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Nonconformity {
    /// It did something else.
    #[error("the store breaks a rule: {0}")]
    Broken(&'static str),
    /// It failed where it must not.
    #[error("the store failed where it must not")]
    Failed(#[from] StoreError),
    /// The test itself could not be run.
    #[error("the test could not be run: {0}")]
    Unusable(&'static str),
}

fn must(holds: bool, rule: &'static str) -> Result<(), Nonconformity> {
    if holds {
        Ok(())
    } else {
        Err(Nonconformity::Broken(rule))
    }
}

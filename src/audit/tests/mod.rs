#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod duties;
mod fixture;
mod legal;
mod projections;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;
mod story;
mod timeline;

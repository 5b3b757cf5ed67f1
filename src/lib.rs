//! Countersign stands between an autonomous agent and a privileged operation.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable
)]
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

pub mod canonical;
pub mod clock;
pub mod action;
pub mod policy;
pub mod log;
pub mod approval;
pub mod journal;
pub mod lineage;
pub mod store;
pub mod audit;
pub mod identity;
pub mod notify;
pub mod ledger;
pub mod gate;
pub mod desk;
pub mod host;
#[cfg(feature = "testing")]
pub mod testing;

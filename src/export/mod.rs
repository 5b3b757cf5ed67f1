//! A log in files that others read: C2SP tiles for any web server, and JSON Lines.
//!
//! ```no_run
//! # fn example(reader: &mut (dyn countersign::log::LogReader + Send)) -> Result<(), Box<dyn std::error::Error>> {
//! use countersign::export::{Export, TilesReader};
//! use countersign::log::{Terms, verify_structure_alone};
//!
//! let exported = Export::of(reader).to_tiles("public")?; // again later: adds what is new
//! println!("{} records, {} of them new", exported.size, exported.size - exported.from);
//!
//! let mut copy = TilesReader::open("public")?;
//! println!("{}", verify_structure_alone(&mut copy, &Terms::default(), &mut |_| {}).verdict());
//! # Ok(()) }
//! ```
//!
//! An export is a copy that proves itself: whoever has it and the public keys needs nothing else. The formats are
//! normative (sections 11 and 12 of the record format document).
//!
//! The values behind hidden members are handed over only where the operator says so ([`Disclosing`]). The export names each
//! disclosure that it keeps back; one that the store had lost is neither handed over nor named, so that the copy is broken
//! where the store is.

mod disclosing;
mod disk;
mod error;
mod jsonl;
mod named;
mod run;
mod survey;
mod tiles;

#[cfg(test)]
mod tests;

pub use self::{
    disclosing::Disclosing,
    error::ExportError,
    jsonl::JsonlReader,
    run::{Export, Exported, Progress},
    tiles::TilesReader,
};

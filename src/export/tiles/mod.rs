//! The C2SP tlog-tiles directory, and what stands in it beside the tiles.

mod bundle;
mod handed;
mod paths;
mod published;
mod read;
mod words;
mod write;

pub use self::read::TilesReader;
pub(super) use self::write::export;

/// How many entries a full tile or bundle has.
const WIDTH: u64 = 256;

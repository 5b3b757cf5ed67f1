//! JSON Lines: a header, the records with what is filed under them, and the checkpoints between them.

mod line;
mod read;
mod write;

pub(in crate::export) use self::line::{Line, read_line};
pub use self::read::JsonlReader;
pub(super) use self::write::{export, write};

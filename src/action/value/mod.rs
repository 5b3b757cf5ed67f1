//! Between Rust values and [`Json`], without passing through a float or another crate's JSON value.

mod de;
mod error;
mod into;
mod number;
mod ser;

#[cfg(test)]
mod tests;

pub use self::{
    de::from_json,
    error::{FromJsonError, IntoJsonError, Mismatch, Unrepresentable},
    into::IntoJson,
    ser::to_json,
};

/// How many arrays and objects a value may hold inside each other.
pub(super) const MAX_DEPTH: usize = 64;

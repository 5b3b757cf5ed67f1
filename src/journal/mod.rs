//! Between events and log entries: the only module that knows both sides.
//!
//! [`encode`] turns an event into the body of a record, some members in the clear and the others as disclosures, as section 5 of
//! the record format says; [`decode`] turns a checked record back into the event, and refuses every body that says anything else
//! than an event does. [`scopes`] names what an event moves on, for writers that must know that nothing moved meanwhile.

mod around;
mod body;
mod decode;
mod encode;
mod ended;
mod execution;
mod parts;
mod read;
mod reassessed;
mod requested;
mod scope;
mod voted;
mod words;

#[cfg(test)]
mod tests;

pub use decode::{DecodeError, Decoded, decode};
pub use encode::{EncodeError, Writer, encode};
pub use scope::{Scope, scopes};

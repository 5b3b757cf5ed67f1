//! Values that have exactly one byte form, and digests over those bytes.
//!
//! An approval binds to a digest, and a digest to bytes, so two readers must never see two values in
//! the same bytes, nor two byte forms of one value. This module therefore has its own value type
//! ([`Json`]), a strict reader for bytes that came from elsewhere ([`admit`]), the one writer
//! (RFC 8785, [`Json::to_canonical`]), and [`Digest`]. None of them passes through another crate's
//! JSON value, whose meaning other crates' features can change.
//!
//! ```
//! use countersign::canonical::{Admission, admit};
//!
//! let json = admit(br#"{"to": "rita", "amount": 4.50}"#, &Admission::default())?;
//! assert_eq!(json.to_canonical(), br#"{"amount":4.5,"to":"rita"}"#);
//!
//! let refused = admit(br#"{"amount": [1, 9007199254740993]}"#, &Admission::default());
//! assert!(refused.is_err_and(|error| error.path().to_string() == "amount[1]"));
//! # Ok::<(), countersign::canonical::AdmitError>(())
//! ```
//!
//! What is *not* done: no Unicode normalisation (two spellings of a name are two names), no numbers
//! beyond what a double prints exactly (use a string), no comments, no trailing commas.

mod admit;
mod digest;
mod json;
mod number;
mod object;
mod parser;
mod path;
mod scan;
mod write;

#[cfg(test)]
mod tests;

pub use self::{
    admit::{Admission, AdmitError, Inadmissible, admit},
    digest::{Digest, NotADigest},
    json::Json,
    number::{Number, NumberError},
    object::{Iter, Object},
    path::JsonPath,
    write::write_string,
};

pub(crate) use self::scan::Scan;

//! The desk: where people see what is asked and settle it.
//!
//! A desk and a gate are separate handles with separate keys; nothing that an agent holds leads here. Who votes is proven by an
//! [`Authenticator`](crate::identity::Authenticator), never by a name in a message, and whether the vote counts is looked up when it
//! arrives and again when the action starts.

mod ballot;
mod closing;
mod error;
mod listing;
mod review;
mod review_desk;
mod voting;

pub use ballot::{Ballot, BallotError};
pub use error::{DeskError, VoteRefused};
pub use listing::{Filter, Listed, Listing, Page, Unresolved};
pub use review::Review;
pub use review_desk::ReviewDesk;
pub use voting::Voted;

pub use crate::approval::{Choice, Finding, VoteCode};

/// Why something was closed: text for the record, where it is hidden and can be erased; 1 to 2,000 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason(String);

/// A reason is 1 to 2,000 characters, not only white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason is 1 to 2000 characters: say why, for whoever reads the record")]
pub struct NoReason;

impl Reason {
    /// Takes the text as a reason.
    ///
    /// # Errors
    /// [`NoReason`] if it says nothing or is too long for a record.
    pub fn new(text: impl Into<String>) -> Result<Self, NoReason> {
        let text = text.into();
        if text.trim().is_empty() || text.chars().count() > 2000 {
            return Err(NoReason);
        }
        Ok(Self(text))
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl std::fmt::Debug for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reason(«hidden»)")
    }
}

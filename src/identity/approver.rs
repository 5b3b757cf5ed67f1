//! A person who was let in to review.

use crate::{action::PersonId, clock::Timestamp};

use super::{AuthMethod, Proven};

/// A person who proved who they are and whom the directory knows.
///
/// Only `ReviewDesk::admit` makes one, so holding it shows that both checks were made. It gives no right to approve
/// anything: that is decided for each vote, from what the directory says then. It ends; after that the person signs in
/// again.
#[derive(Clone, Debug)]
pub struct Approver {
    person: PersonId,
    method: AuthMethod,
    proven: Proven,
    expires: Timestamp,
}

impl Approver {
    /// INVARIANT: called by the desk alone, after an authenticator accepted the proof and the directory named the person.
    pub(crate) fn admitted(
        person: PersonId,
        method: AuthMethod,
        proven: Proven,
        expires: Timestamp,
    ) -> Self {
        let expires = proven.expires.map_or(expires, |proof| proof.min(expires));
        Self {
            person,
            method,
            proven,
            expires,
        }
    }

    /// The person, by the one id that stands for all of theirs.
    #[must_use]
    pub fn person(&self) -> &PersonId {
        &self.person
    }

    /// How they proved it.
    #[must_use]
    pub fn method(&self) -> &AuthMethod {
        &self.method
    }

    /// What was proven.
    #[must_use]
    pub fn proven(&self) -> &Proven {
        &self.proven
    }

    /// From when on this is worth nothing any more: the end of the proof or the desk's own limit, whichever is earlier.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Whether it has ended by `now`; the instant of expiry itself has.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }
}

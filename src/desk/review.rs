//! What one reviewer is shown of one request, and the ballots that can come of it.

use crate::action::{ActionDigest, RequestId, Salt};
use crate::approval::{Choice, RequestState, ShownDigest};
use crate::identity::Approver;
use crate::ledger::{Folded, Named, card_of};
use crate::notify::{Card, Sensitive};
use crate::store::Tag;

use super::{Ballot, DeskError, ReviewDesk};

/// One showing of a request to one person, with every value visible.
#[derive(Debug, Clone)]
pub struct Review {
    request: RequestId,
    action: ActionDigest,
    shown: ShownDigest,
    card: Card,
}

impl Review {
    /// The request.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// The digest of the action, of which a reviewer may be asked to type the first six characters.
    pub fn action(&self) -> ActionDigest {
        self.action
    }

    /// The digest of what this person is shown.
    pub fn shown(&self) -> ShownDigest {
        self.shown
    }

    /// The card: the facts first, the agent's own words last.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// A ballot that approves.
    #[must_use]
    pub fn approve(&self) -> Ballot {
        Ballot::new(self.request, self.action, self.shown, Choice::Approve)
    }

    /// A ballot that denies.
    #[must_use]
    pub fn deny(&self) -> Ballot {
        Ballot::new(self.request, self.action, self.shown, Choice::Deny)
    }
}

impl ReviewDesk {
    /// Shows a request in full to somebody who may see it.
    ///
    /// # Errors
    /// [`DeskError::NotFound`] if there is none or `by` may not see it.
    pub async fn open(&self, by: &Approver, request: RequestId) -> Result<Review, DeskError> {
        self.signed_in(by)?;
        let folded = self
            .parts
            .ledger
            .request(request)
            .await?
            .ok_or(DeskError::NotFound)?;
        self.may_see(by, &folded.state).await?;
        let named = self.parts.ledger.name(by.person()).await?;
        let (review, _) = self.show(&folded, &named)?;
        Ok(review)
    }

    pub(super) fn signed_in(&self, by: &Approver) -> Result<(), DeskError> {
        if by.has_expired(self.parts.ledger.now()) {
            return Err(DeskError::SignInExpired);
        }
        Ok(())
    }

    /// Renders the showing; the same person is shown the same thing until the request itself changes.
    pub(super) fn show(&self, folded: &Folded, to: &Named) -> Result<(Review, Salt), DeskError> {
        let state = &folded.state;
        let card = self.card(state)?;
        let salt = self.shown_salt(state, to);
        let review = Review {
            request: state.request(),
            action: state.digest(),
            shown: ShownDigest::of(&salt, &card.facts_json()),
            card,
        };
        Ok((review, salt))
    }

    fn card(&self, state: &RequestState) -> Result<Card, DeskError> {
        if state.requirement().is_none() {
            return Err(DeskError::NotFound);
        }
        let waiting = self.parts.ledger.waiting_for(&state.request());
        card_of(state, Sensitive::Shown, waiting).ok_or(DeskError::Erased)
    }

    /// The salt of a showing: keyed by the store's secret and by the values themselves, so that it goes with them when they
    /// are erased.
    fn shown_salt(&self, state: &RequestState, to: &Named) -> Salt {
        let mut bytes = state.request().to_string().into_bytes();
        bytes.extend_from_slice(to.tag.as_bytes());
        for disclosure in state.bound().disclosures() {
            bytes.extend_from_slice(disclosure.as_str().as_bytes());
            bytes.push(b'~');
        }
        let tag: Tag = self.parts.ledger.tag("countersign/shown-salt/v1", &bytes);
        let mut salt = [0_u8; 16];
        for (to, from) in salt.iter_mut().zip(tag.as_bytes()) {
            *to = *from;
        }
        Salt::from_bytes(salt)
    }
}

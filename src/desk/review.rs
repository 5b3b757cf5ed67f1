//! What one reviewer is shown of one request, and the ballots that can come of it.

use crate::action::{ActionDigest, RequestId, Salt};
use crate::approval::{Choice, RequestState, ShownDigest};
use crate::identity::Approver;
use crate::ledger::{Folded, Named, card_of};
use crate::notify::{Card, Denial, Sensitive};
use crate::store::Tag;

use super::voting::{Tied, standing};
use super::{Ballot, DeskError, ReviewDesk};

/// One showing of a request to one person, with every value visible.
#[derive(Debug, Clone)]
pub struct Review {
    showing: Showing,
    denial: Denial,
}

/// What a person is shown of a request, whatever they are to it.
#[derive(Debug, Clone)]
pub(super) struct Showing {
    request: RequestId,
    action: ActionDigest,
    pub(super) shown: ShownDigest,
    card: Card,
}

impl Review {
    /// The request.
    pub fn request(&self) -> RequestId {
        self.showing.request
    }

    /// The digest of the action, of which a reviewer may be asked to type the first six characters.
    pub fn action(&self) -> ActionDigest {
        self.showing.action
    }

    /// The digest of what this person is shown.
    pub fn shown(&self) -> ShownDigest {
        self.showing.shown
    }

    /// The card: the facts first, the agent's own words last.
    pub fn card(&self) -> &Card {
        &self.showing.card
    }

    /// What a denial of this person does, as far as the directory and the records know their interest now.
    pub fn denial(&self) -> Denial {
        self.denial
    }

    /// A ballot that approves.
    #[must_use]
    pub fn approve(&self) -> Ballot {
        self.showing.ballot(Choice::Approve)
    }

    /// A ballot that denies.
    #[must_use]
    pub fn deny(&self) -> Ballot {
        self.showing.ballot(Choice::Deny)
    }
}

impl Showing {
    fn ballot(&self, decision: Choice) -> Ballot {
        Ballot::new(self.request, self.action, self.shown, decision)
    }
}

impl ReviewDesk {
    /// Shows a request in full to somebody who may see it.
    ///
    /// # Errors
    /// [`DeskError::NotFound`] if there is none or `by` may not see it; [`DeskError::DirectoryUnavailable`] if it cannot be asked who
    /// may, and who has an interest.
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
        let (showing, _) = self.show(&folded, &named)?;
        let interested = self.interested(&folded.state).await?;
        let tied = standing(&folded.state, &interested, &named.pseudonym);
        Ok(Review {
            showing,
            denial: match tied {
                Tied::To(_) => Denial::CallsOff,
                Tied::Free | Tied::Unknowable => Denial::Denies,
            },
        })
    }

    pub(super) fn signed_in(&self, by: &Approver) -> Result<(), DeskError> {
        if by.has_expired(self.parts.ledger.now()) {
            return Err(DeskError::SignInExpired);
        }
        Ok(())
    }

    /// Renders the showing; the same person is shown the same thing until the request itself changes.
    pub(super) fn show(&self, folded: &Folded, to: &Named) -> Result<(Showing, Salt), DeskError> {
        let state = &folded.state;
        let card = self.card(state)?;
        let salt = self.shown_salt(state, to);
        let showing = Showing {
            request: state.request(),
            action: state.digest(),
            shown: ShownDigest::of(&salt, &card.facts_json()),
            card,
        };
        Ok((showing, salt))
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

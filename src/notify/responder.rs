//! Handing a person's answers from a channel to whoever may decide.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::action::RequestId;

use super::Card;

/// Takes the answers that a channel collected, for a channel that knows nothing of desks.
///
/// # Contract
///
/// - The responder knows whose answers these are, and proves it to the desk; an answer names nobody.
/// - [`review`](Responder::review) is asked anew before every prompt, and gives nothing once the request needs no answer from
///   anybody here.
/// - [`answer`](Responder::answer) gets back the card that was on the screen, and must compare it with what is true then:
///   an answer to another digest, or to other facts, is refused.
/// - Its texts are for the same people; the channel makes them visible.
#[async_trait]
pub trait Responder: fmt::Debug + Send + Sync + 'static {
    /// What the next reviewer here is to be shown of this request; nothing if nobody here is to answer it.
    async fn review(&self, request: RequestId) -> Option<ToReview>;

    /// Takes an answer, and gives back a sentence that says what became of it.
    ///
    /// # Errors
    /// A sentence that says why it does not count.
    async fn answer(&self, answer: Answer) -> Result<String, String>;
}

#[async_trait]
impl<T: Responder + ?Sized> Responder for Arc<T> {
    async fn review(&self, request: RequestId) -> Option<ToReview> {
        (**self).review(request).await
    }

    async fn answer(&self, answer: Answer) -> Result<String, String> {
        (**self).answer(answer).await
    }
}

/// A card, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToReview {
    /// Who is asked, in words that they know themselves by.
    pub reviewer: String,
    /// What they are shown.
    pub card: Card,
    /// What it does if they deny, as a desk says for its showing.
    pub denial: Denial,
}

/// What a person's denial does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// It is a vote against the action.
    Denies,
    /// It takes back what was asked for in their name, and is no vote: they asked, delegated, or control who asks.
    CallsOff,
}

/// A person's answer to what they were shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who was asked, as in [`ToReview::reviewer`].
    pub reviewer: String,
    /// What was on the screen.
    pub card: Card,
    /// What they decided.
    pub choice: Choice,
    /// How they said it.
    pub said: Said,
    /// Their own words; a comment, whatever they say.
    pub comment: Option<String>,
    /// The ticket that they named.
    pub ticket: Option<String>,
}

/// What a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// They approve exactly what they were shown.
    Approve,
    /// They do not.
    Deny,
}

/// How a person said what they decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    /// In words: the digest for an approval, `deny` for a denial.
    InWords,
    /// By an empty line, an end of input, or an interrupt: a denial.
    Nothing,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reviewer: _,
            card,
            choice,
            said,
            comment: _,
            ticket: _,
        } = self;
        f.debug_struct("Answer")
            .field("card", card)
            .field("choice", choice)
            .field("said", said)
            .finish_non_exhaustive()
    }
}

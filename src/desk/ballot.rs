//! A vote on its way to the desk.

use std::fmt;

use crate::action::{ActionDigest, RequestId};
use crate::approval::{Choice, ShownDigest, VoteCode};
use crate::canonical::{Admission, Json, Object, admit};

/// The longest comment or ticket, in characters.
const LONGEST: usize = 2000;

/// One person's decision on one showing of one request.
///
/// It names the request, the action digest and the digest of what was shown, and carries no field of an action: what is
/// approved is what the request asked for. It says nothing about who votes; that is the [`Approver`](crate::identity::Approver)'s.
#[derive(Clone, PartialEq, Eq)]
pub struct Ballot {
    pub(crate) request: RequestId,
    pub(crate) action: ActionDigest,
    pub(crate) shown: ShownDigest,
    pub(crate) decision: Choice,
    pub(crate) comment: Option<String>,
    pub(crate) ticket: Option<String>,
    pub(crate) code: Option<VoteCode>,
    pub(crate) attestation: Option<Object>,
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ballot")
            .field("request", &self.request)
            .field("action", &self.action)
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}

/// Why a ballot could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a ballot: {0}")]
pub struct BallotError(pub(crate) String);

impl Ballot {
    pub(crate) fn new(
        request: RequestId,
        action: ActionDigest,
        shown: ShownDigest,
        decision: Choice,
    ) -> Self {
        Self {
            request,
            action,
            shown,
            decision,
            comment: None,
            ticket: None,
            code: None,
            attestation: None,
        }
    }

    /// Adds the reviewer's words; they reach the record, hidden, and the requester as untrusted text.
    ///
    /// # Errors
    /// [`BallotError`] beyond 2,000 characters.
    pub fn because(mut self, comment: impl Into<String>) -> Result<Self, BallotError> {
        self.comment = text("comment", comment.into())?;
        Ok(self)
    }

    /// Adds the number of a ticket.
    ///
    /// # Errors
    /// [`BallotError`] beyond 2,000 characters.
    pub fn ticket(mut self, ticket: impl Into<String>) -> Result<Self, BallotError> {
        self.ticket = text("ticket", ticket.into())?;
        Ok(self)
    }

    /// Adds a reason code.
    #[must_use]
    pub fn code(mut self, code: VoteCode) -> Self {
        self.code = Some(code);
        self
    }

    /// The request.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// What was decided.
    pub fn decision(&self) -> Choice {
        self.decision
    }

    /// The ballot as JSON, for a channel that carries it to a reviewer and back.
    pub fn to_json(&self) -> Vec<u8> {
        let Self {
            request,
            action,
            shown,
            decision,
            comment,
            ticket,
            code,
            attestation,
        } = self;
        let decision = match decision {
            Choice::Approve => "approve",
            Choice::Deny => "deny",
        };
        let mut object = Object::new()
            .with("request", request.to_string())
            .with("action", action.to_string())
            .with("shown", shown.to_string())
            .with("decision", decision);
        if let Some(comment) = comment {
            object = object.with("comment", comment.as_str());
        }
        if let Some(ticket) = ticket {
            object = object.with("ticket", ticket.as_str());
        }
        if let Some(code) = code {
            object = object.with("code", code.as_str());
        }
        if let Some(attestation) = attestation {
            object = object.with("attestation", attestation.clone());
        }
        Json::Object(object).to_canonical()
    }

    /// Reads a ballot from the wire, strictly; the desk checks it again against the request.
    ///
    /// The decision is exactly `approve` or `deny`: free text decides nothing.
    ///
    /// # Errors
    /// [`BallotError`] for anything else than an object of exactly these members.
    pub fn parse(bytes: &[u8]) -> Result<Self, BallotError> {
        let json =
            admit(bytes, &Admission::default()).map_err(|error| BallotError(error.to_string()))?;
        let object = json
            .as_object()
            .ok_or_else(|| BallotError("an object is wanted".to_owned()))?;
        let known = [
            "request",
            "action",
            "shown",
            "decision",
            "comment",
            "ticket",
            "code",
            "attestation",
        ];
        if object.iter().any(|(name, _)| !known.contains(&name)) {
            return Err(BallotError("it has a member that no ballot has".to_owned()));
        }
        let wanted = |name: &str| {
            object
                .get(name)
                .and_then(Json::as_str)
                .ok_or_else(|| BallotError(format!("`{name}` is missing or no text")))
        };
        let optional = |name: &str| match object.get(name) {
            None => Ok(None),
            Some(Json::String(given)) => text(name, given.clone()),
            Some(_) => Err(BallotError(format!("`{name}` is no text"))),
        };
        let wrong = |name: &str| BallotError(format!("`{name}` does not have its form"));
        Ok(Self {
            request: RequestId::parse(wanted("request")?).map_err(|_| wrong("request"))?,
            action: ActionDigest::parse(wanted("action")?).map_err(|_| wrong("action"))?,
            shown: ShownDigest::parse(wanted("shown")?).map_err(|_| wrong("shown"))?,
            decision: match wanted("decision")? {
                "approve" => Choice::Approve,
                "deny" => Choice::Deny,
                _ => return Err(BallotError("`decision` is `approve` or `deny`".to_owned())),
            },
            comment: optional("comment")?,
            ticket: optional("ticket")?,
            code: match optional("code")? {
                Some(code) => Some(VoteCode::new(&code).map_err(|_| wrong("code"))?),
                None => None,
            },
            attestation: match object.get("attestation") {
                None => None,
                Some(Json::Object(attestation)) => Some(attestation.clone()),
                Some(_) => return Err(wrong("attestation")),
            },
        })
    }
}

fn text(name: &str, given: String) -> Result<Option<String>, BallotError> {
    if given.chars().count() > LONGEST {
        return Err(BallotError(format!(
            "`{name}` has more than {LONGEST} characters: shorten it"
        )));
    }
    let blank = given.trim().is_empty();
    Ok((!blank).then_some(given))
}

//! Why an action did not run.

use std::fmt;

use crate::action::RequestId;
use crate::clock::Timestamp;
use crate::policy::RuleId;

/// The typed answer to an action that was not permitted: the effect was not called.
///
/// The variants are distinct because their remedies are: a time-out is never a person's denial, and not being able to
/// decide is never a decision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Policy denies the action. The message names the rules, as an operator needs them; a model is told
    /// [`for_model`](Self::for_model) alone.
    #[error("policy denies the action{0}")]
    Denied(Box<PolicyDenial>),
    /// A person who may decide said no.
    #[error("a reviewer rejected the action")]
    Rejected(Box<Rejection>),
    /// Nobody decided in time, or the approval was not used in time.
    #[error("the request expired")]
    Expired,
    /// The requester took the request back.
    #[error("the request was withdrawn")]
    Withdrawn,
    /// Somebody at the desk closed the request without deciding it.
    #[error("the request was cancelled")]
    Cancelled,
    /// The approval was taken back before the start.
    #[error("the approval was revoked")]
    Revoked,
    /// Everything of this scope is frozen.
    #[error("actions are frozen")]
    Frozen,
    /// A newer request replaced this one.
    #[error("a newer request replaced this one")]
    Superseded,
    /// The approval is single-use and was used.
    #[error("the approval has been used")]
    AlreadyTaken,
    /// There is no such request, or it is not this actor's: which of the two is not told.
    #[error("no such request")]
    NotFound,
    /// No group of eligible people could ever approve this.
    #[error("nobody who may decide could satisfy the requirement: {0}")]
    Unsatisfiable(Box<Missing>),
    /// A wrapper around the gate refused.
    #[error("withheld: {0}")]
    Withheld(Cause),
    /// No decision could be reached, which is a refusal.
    #[error("no decision could be reached: {0}")]
    CouldNotDecide(Cause),
}

/// What policy said when it denied.
#[derive(Debug, Clone)]
pub struct PolicyDenial {
    /// The request whose record holds the denial.
    pub request: RequestId,
    /// The rules that decided; empty where nothing applied.
    pub rules: Vec<RuleId>,
    /// The rule's own words, for people.
    pub reason: Option<String>,
}

/// Continues the sentence that something is denied, with the rules that did; without the reason, which quotes a person.
impl fmt::Display for PolicyDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            let before = if index == 0 { ": rule " } else { ", " };
            write!(f, "{before}`{rule}`")?;
        }
        Ok(())
    }
}

/// What a reviewer said when rejecting.
#[derive(Clone)]
pub struct Rejection {
    /// The request.
    pub request: RequestId,
    pub(crate) comment: Option<String>,
    /// A reason code from the reviewer's form.
    pub code: Option<String>,
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("request", &self.request)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// Which selectors lack how many people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is lacking, in the words of the quorum: `1 of group:security`. Empty where the directory does not say who controls
    /// the agent, so that nobody can be told apart from them.
    pub lacking: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lacking.is_empty() {
            return f.write_str(
                "the directory does not say who controls the agent; name the agent there with its controllers, \
                 `controllers = []` if it has none",
            );
        }
        write!(f, "lacking {}", self.lacking.join(", "))
    }
}

/// Why no decision could be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The record could not be made durable.
    #[error("the record could not be written: {0}")]
    NotRecorded(String),
    /// The evaluator failed.
    #[error("the policy evaluator failed")]
    PolicyFailed,
    /// The evaluator took longer than its bound.
    #[error("the policy evaluator took too long")]
    PolicyTimedOut,
    /// The evaluator panicked.
    #[error("the policy evaluator panicked")]
    PolicyPanicked,
    /// The directory did not answer.
    #[error("the directory could not be asked")]
    DirectoryUnavailable,
    /// The log could not be read, or a record in it does not verify.
    #[error("the log could not be read: {0}")]
    LogUnreadable(String),
    /// A hidden value of the request was erased, so the approved action cannot be rebuilt.
    #[error("a value of the request was erased")]
    ValueErased,
    /// Something the decision rests on kept changing while the start was prepared.
    #[error("the facts kept changing; ask again")]
    Unsettled,
    /// The permit was not used within its lifetime; the approval stands, and `resume` gives a new permit.
    #[error("the permit was not used in time; resume the request")]
    PermitVoid,
    /// Votes no longer count; the request waits for its reviewers again.
    #[error("the request went back to its reviewers")]
    BackToReviewers,
    /// The machine's clock jumped and an operator has not acknowledged it yet.
    #[error("the clock jumped; an operator has to acknowledge it")]
    ClockUnsettled,
    /// A rule has witnesses know of the decision before the start, and this process asks none.
    #[error(
        "the rules want witnesses to know of the decision first, and this process asks none: open the log with `Opening::with_witnesses`"
    )]
    NoWitnesses,
    /// A rule has witnesses know of the decision before the start, and one of them knows another history of the log.
    #[error(
        "a witness knows another history of the log: an operator has to look at what `Countersign::witness_alarms` says"
    )]
    WitnessContradicts,
    /// The request is too large for a record.
    #[error("the action is too large: {0}")]
    TooLarge(String),
    /// The approved action is not the typed operation that the caller expects.
    #[error("the approved action does not decode as the operation: {0}")]
    NotThisOperation(String),
    /// The library is closing.
    #[error("the gate is closed")]
    Closed,
    /// A blocking call was made on one of the library's own threads, where it would wait for itself.
    #[error("blocking on one of the library's own threads")]
    WouldBlockItself,
    /// A wrapper's own reason, from a closed vocabulary of its own.
    #[error("{0}")]
    Wrapper(&'static str),
}

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same action will be refused again.
    Never,
    /// The same action may be tried again at once.
    SameAction,
    /// The same action may be tried again after this time.
    After(Timestamp),
}

/// Text that a person or an agent wrote: data to show, never an instruction to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untrusted<T>(T);

impl<T> Untrusted<T> {
    /// Takes the text out; whoever does so escapes it for where it goes.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl Refusal {
    /// What an agent's model may be told: a sentence from a closed vocabulary, without rules, names or comments.
    #[must_use]
    pub fn for_model(&self) -> &'static str {
        match self {
            Self::Denied(_) => "This action is not allowed here. Do not try it again.",
            Self::Rejected(_) => {
                "A person reviewed this action and rejected it. Do not try it again unchanged."
            }
            Self::Expired => {
                "Time ran out before the action could run. It did not run. This is not a rejection."
            }
            Self::Withdrawn => "The request was withdrawn. The action did not run.",
            Self::Cancelled => "The request was closed without a decision. The action did not run.",
            Self::Revoked => "The approval was taken back. The action did not run.",
            Self::Frozen => "Actions are suspended at the moment. The action did not run.",
            Self::Superseded => {
                "A newer request took the place of this one. The action did not run."
            }
            Self::AlreadyTaken => "This approval was used already. The action did not run again.",
            Self::NotFound => "There is no such request.",
            Self::Unsatisfiable(_) => "Nobody could approve this action. The action did not run.",
            Self::Withheld(_) => "The action was withheld. It did not run.",
            Self::CouldNotDecide(_) => "No decision could be reached. The action did not run.",
        }
    }

    /// The reviewer's words, where a person rejected and gave some.
    #[must_use]
    pub fn comment(&self) -> Option<Untrusted<&str>> {
        match self {
            Self::Rejected(rejection) => rejection.comment.as_deref().map(Untrusted),
            _ => None,
        }
    }

    /// Whether asking again can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Denied(_)
            | Self::Rejected(_)
            | Self::Withdrawn
            | Self::Superseded
            | Self::AlreadyTaken
            | Self::NotFound => Retry::Never,
            Self::Withheld(_) => Retry::Never,
            Self::Expired
            | Self::Cancelled
            | Self::Revoked
            | Self::Frozen
            | Self::Unsatisfiable(_) => Retry::SameAction,
            Self::CouldNotDecide(cause) => match cause {
                Cause::TooLarge(_)
                | Cause::NotThisOperation(_)
                | Cause::ValueErased
                | Cause::Closed
                | Cause::NoWitnesses
                | Cause::WitnessContradicts
                | Cause::WouldBlockItself
                | Cause::Wrapper(_) => Retry::Never,
                _ => Retry::SameAction,
            },
        }
    }
}

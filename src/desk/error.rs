//! Why the desk did not do what was asked.

use crate::approval::As;
use crate::ledger::LedgerError;

/// Why a request could not be shown or closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// There is no such request, or this reviewer may not see it: which of the two is not told.
    #[error("no such request, or not one that you may see")]
    NotFound,
    /// The sign-in has expired.
    #[error("your sign-in has expired: sign in again")]
    SignInExpired,
    /// The request is past the point where this is possible.
    #[error("the request {0} and cannot be changed so any more")]
    Settled(String),
    /// The reviewer has an interest in the request that excludes him from this.
    #[error("you have an interest in this request ({0}): somebody else has to do this")]
    Interested(&'static str),
    /// The directory did not answer.
    #[error("the directory cannot be asked now: try again later")]
    DirectoryUnavailable,
    /// A hidden value of the request was erased, so it cannot be shown in full.
    #[error("a value of the request was erased: it cannot be shown")]
    Erased,
    /// The log could not be read or written.
    #[error("the log could not be used: {0}")]
    Log(String),
}

impl From<LedgerError> for DeskError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Directory => Self::DirectoryUnavailable,
            error => Self::Log(error.to_string()),
        }
    }
}

/// Why a vote was not recorded; nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VoteRefused {
    /// There is no such request.
    #[error("no such request")]
    NotFound,
    /// The ballot is for another action than the request's.
    #[error("the ballot is for another action than this request asks for: open the request again")]
    OtherAction,
    /// The ballot was made on another showing than this reviewer's, or of another request.
    #[error("the ballot does not match what you were shown: open the request again")]
    OtherShowing,
    /// The sign-in has expired.
    #[error("your sign-in has expired: sign in again")]
    SignInExpired,
    /// The person was deactivated, or the id is no longer linked to that person.
    #[error("your account is not active in the directory any more")]
    NotActive,
    /// The person belongs to no group that the requirement names.
    #[error("you are in none of the groups that may decide this")]
    NotEligible,
    /// Nobody approves their own action, nor one of an agent that acts for them or that they control.
    #[error("you may not approve this: you are its {}", tie(*.0))]
    SelfApproval(As),
    /// Who controls the agent is not known, so it cannot be known who would approve their own action.
    #[error("nobody can approve this: who controls the agent is not known to the directory")]
    ControllersUnknown,
    /// The rule demands a reason.
    #[error("this rule wants a reason from whoever approves")]
    ReasonRequired,
    /// The rule demands a ticket.
    #[error("this rule wants a ticket number from whoever approves")]
    TicketRequired,
    /// A person may only tighten: a denial is never taken back.
    #[error("a denial is never taken back")]
    Tightened,
    /// The request was settled meanwhile.
    #[error("the request {0} meanwhile")]
    AlreadySettled(String),
    /// The machine's clock jumped; approvals wait for an operator, denials do not.
    #[error("the clock jumped: approvals wait until an operator has acknowledged it")]
    ClockUnsettled,
    /// The directory did not answer.
    #[error("the directory cannot be asked now: try again later")]
    DirectoryUnavailable,
    /// A hidden value of the request was erased, so nobody could see what is approved.
    #[error("a value of the request was erased: it cannot be approved")]
    Erased,
    /// The vote could not be made durable, or the log could not be read.
    #[error("the vote could not be recorded: {0}")]
    NotRecorded(String),
}

fn tie(tie: As) -> &'static str {
    match tie {
        As::Requester => "requester",
        As::Delegator => "delegator (it acts for you)",
        As::Controller => "agent's controller",
    }
}

impl From<LedgerError> for VoteRefused {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Directory => Self::DirectoryUnavailable,
            error => Self::NotRecorded(error.to_string()),
        }
    }
}

impl From<DeskError> for VoteRefused {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::NotFound => Self::NotFound,
            DeskError::SignInExpired => Self::SignInExpired,
            DeskError::DirectoryUnavailable => Self::DirectoryUnavailable,
            DeskError::Erased => Self::Erased,
            DeskError::Settled(how) => Self::AlreadySettled(how),
            DeskError::Interested(_) => Self::NotEligible,
            DeskError::Log(why) => Self::NotRecorded(why),
        }
    }
}

//! Who people are: the directory that knows them, and the proof that one of them is here.
//!
//! Two plugs. A [`Directory`] resolves the many ids of a person to one [`PersonId`](crate::action::PersonId), says what
//! they belong to, and who controls an agent; [`StaticDirectory`] is one from a file. An [`Authenticator`] checks what a
//! reviewer presents. Neither ever compares an e-mail address or a display name, and what they do not know helps
//! nobody. [`interests`], [`confirm`] and [`recognise`] gather from them what separation of duties needs.

mod approver;
mod authenticator;
pub mod conformance;
mod directory;
mod gather;
mod known;
mod names;
mod person;
mod proof;
mod static_directory;
mod tokens;

#[cfg(test)]
mod tests;

pub use self::{
    approver::Approver,
    authenticator::Authenticator,
    directory::{Directory, DirectoryError},
    gather::{Confirmed, Interest, InterestsFound, Part, Party, confirm, interests, recognise},
    known::{Freshness, Known, Why},
    names::{AdapterName, Assurance, AuthMethod, NotAName},
    person::{Activity, IsMember, Members, Membership, Person},
    proof::{NotProven, Presented, Proven},
    static_directory::{
        EditError, LoadError, LoadErrors, Problem, StaticDirectory, StaticDirectoryBuilder, Warning,
    },
    tokens::Tokens,
};

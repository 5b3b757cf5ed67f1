//! People as a directory knows them.

use crate::{
    action::{PersonId, PrincipalKind},
    clock::Timestamp,
};

/// What a directory knows of one person, or of one service that may vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The one id that stands for all ids of this person.
    pub id: PersonId,
    /// What this is. Only a human fills a slot that is not for services, whatever its groups.
    pub kind: PrincipalKind,
    /// A name for other people to read. It is never compared.
    pub display_name: Option<String>,
    /// Whether the person may act now.
    pub active: Activity,
}

/// Whether a person may act now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// The person may act.
    Active,
    /// The person has left or was blocked: known, and without any say.
    Deactivated,
}

/// Whether a person belongs to what a selector names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IsMember {
    /// The person belongs to it.
    Yes,
    /// The person does not.
    No,
}

/// One person's place in what a selector names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Whether the person belongs to it.
    pub is: IsMember,
    /// Since when, where the directory keeps that.
    pub since: Option<Timestamp>,
}

/// Those who belong to what a selector names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// All of them, each once.
    All(Vec<PersonId>),
    /// More than so many: the number that was asked for.
    MoreThan(std::num::NonZeroU32),
}

//! What every [`Directory`] must do, as a check that implementers run.

use std::num::NonZeroU32;

use crate::{
    action::{PersonId, PrincipalId, PrincipalKind},
    policy::Selector,
};

use super::{Directory, DirectoryError, Freshness, IsMember, Members, Why};

/// What the directory under test holds.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// Ids of one active human, all linked, one of them with a letter in its subject.
    pub ids: Vec<PrincipalId>,
    /// An id that is linked to nobody.
    pub stranger: PrincipalId,
    /// A set with at least two active members, the human among them.
    pub member_of: Selector,
    /// A set without the human.
    pub not_member_of: Selector,
    /// A set that does not exist.
    pub missing: Selector,
    /// An agent whom the human controls.
    pub agent: PrincipalId,
    /// An agent of which the directory does not know who controls it.
    pub stray_agent: PrincipalId,
}

/// A rule of the contract that a directory does not keep.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unmet {
    /// It gave no answer.
    #[error("the directory gave no answer")]
    NoAnswer(#[from] DirectoryError),
    /// It does not know what it holds.
    #[error("{rule}: the directory says that it does not know: {why}")]
    Unknown {
        /// The rule.
        rule: &'static str,
        /// What it said.
        why: Why,
    },
    /// It answered otherwise.
    #[error("{0}")]
    Broken(&'static str),
}

/// Asks a directory everything that its contract fixes the answer to.
///
/// # Errors
/// The first rule that it does not keep.
pub async fn check(directory: &dyn Directory, holdings: &Holdings) -> Result<(), Unmet> {
    let person = one_person(directory, holdings).await?;
    strangers(directory, holdings, &person).await?;
    membership(directory, holdings, &person).await?;
    controllers(directory, holdings, &person).await
}

/// A rule, or that it is broken.
fn rule(rule: &'static str, kept: impl FnOnce() -> bool) -> Result<(), Unmet> {
    if kept() {
        Ok(())
    } else {
        Err(Unmet::Broken(rule))
    }
}

fn unknown(rule: &'static str) -> impl FnOnce(Why) -> Unmet {
    move |why| Unmet::Unknown { rule, why }
}

async fn one_person(directory: &dyn Directory, holdings: &Holdings) -> Result<PersonId, Unmet> {
    const RULE: &str = "all ids of a person lead to one, and the one leads to itself";
    let mut found: Option<PersonId> = None;
    for id in &holdings.ids {
        let answer = Freshness::Any.take(directory.person(id).await?);
        let person = answer.map_err(unknown(RULE))?;
        rule("a human is known as one", || {
            person.kind == PrincipalKind::Human
        })?;
        rule(RULE, || {
            found.as_ref().is_none_or(|first| *first == person.id)
        })?;
        found = Some(person.id);
    }
    let person = found.ok_or(Unmet::Broken("the check needs the ids of a person"))?;
    let itself = Freshness::Any.take(directory.person(person.as_principal()).await?);
    let itself = itself.map_err(unknown(RULE))?;
    rule(RULE, || itself.id == person)?;
    Ok(person)
}

async fn strangers(
    directory: &dyn Directory,
    holdings: &Holdings,
    person: &PersonId,
) -> Result<(), Unmet> {
    const RULE: &str = "an id that is not linked is nobody";
    let stranger = Freshness::Any.take(directory.person(&holdings.stranger).await?);
    rule(RULE, || stranger.is_err())?;
    for id in &holdings.ids {
        for other in other_spellings(id) {
            if holdings.ids.contains(&other) {
                continue;
            }
            let answer = Freshness::Any.take(directory.person(&other).await?);
            rule("ids are compared byte for byte", || {
                answer.is_err() || answer.is_ok_and(|other| other.id != *person)
            })?;
        }
    }
    let agent = Freshness::Any.take(directory.person(&holdings.agent).await?);
    rule("an agent is no human", || {
        agent.is_err() || agent.is_ok_and(|agent| agent.kind != PrincipalKind::Human)
    })
}

fn other_spellings(id: &PrincipalId) -> impl Iterator<Item = PrincipalId> {
    let (issuer, subject) = (id.issuer(), id.subject());
    let spellings = [
        (issuer.to_owned(), subject.to_uppercase()),
        (issuer.to_owned(), subject.to_lowercase()),
        (issuer.to_owned(), format!("{subject}\u{200b}")),
        (format!("{issuer}/"), subject.to_owned()),
    ];
    let spelled = spellings
        .into_iter()
        .filter_map(|(issuer, subject)| PrincipalId::new(issuer, subject).ok());
    spelled.filter(move |other| other != id)
}

async fn membership(
    directory: &dyn Directory,
    holdings: &Holdings,
    person: &PersonId,
) -> Result<(), Unmet> {
    const MEMBER: &str = "a member is one";
    let member = Freshness::Any.take(directory.member(person, &holdings.member_of).await?);
    let member = member.map_err(unknown(MEMBER))?;
    rule(MEMBER, || member.is == IsMember::Yes)?;
    for set in [&holdings.not_member_of, &holdings.missing] {
        let member = Freshness::Any.take(directory.member(person, set).await?);
        rule("nobody belongs to what they are not in", || {
            member.is_err() || member.is_ok_and(|member| member.is == IsMember::No)
        })?;
    }
    const LISTED: &str = "all members are listed, each once";
    let all = directory
        .members(&holdings.member_of, NonZeroU32::MAX)
        .await?;
    match Freshness::Any.take(all).map_err(unknown(LISTED))? {
        Members::All(members) => {
            let times = members.iter().filter(|member| *member == person).count();
            rule(LISTED, || times == 1 && members.len() > 1)?;
        }
        Members::MoreThan(_) => return Err(Unmet::Broken(LISTED)),
    }
    const BOUNDED: &str = "no more members are listed than were asked for";
    let one = directory
        .members(&holdings.member_of, NonZeroU32::MIN)
        .await?;
    let one = Freshness::Any.take(one).map_err(unknown(BOUNDED))?;
    rule(BOUNDED, || one == Members::MoreThan(NonZeroU32::MIN))
}

async fn controllers(
    directory: &dyn Directory,
    holdings: &Holdings,
    person: &PersonId,
) -> Result<(), Unmet> {
    const RULE: &str = "the controllers of an agent are persons by the id that stands for them";
    let controllers = Freshness::Any.take(directory.controllers(&holdings.agent).await?);
    let controllers = controllers.map_err(unknown(RULE))?;
    rule(RULE, || controllers.contains(person))?;
    let stray = Freshness::Any.take(directory.controllers(&holdings.stray_agent).await?);
    rule("not to know the controllers is not to have none", || {
        stray.is_err()
    })
}

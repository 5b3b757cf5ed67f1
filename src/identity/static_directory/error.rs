//! What can be wrong with a directory's content.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{
    action::PrincipalId,
    policy::{Selector, SelectorError},
};

/// Everything that is wrong with a directory's content; none of it was used.
#[derive(Debug)]
pub struct LoadErrors(Vec<LoadError>);

impl LoadErrors {
    /// INVARIANT: never empty.
    pub(super) fn of(errors: Vec<LoadError>) -> Self {
        Self(errors)
    }

    pub(super) fn unreadable(path: &Path, error: std::io::Error) -> Self {
        let path = path.to_path_buf();
        Self(vec![LoadError {
            line: None,
            problem: Problem::Unreadable { path, error },
        }])
    }

    /// The errors, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &LoadError> {
        self.0.iter()
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            f.write_str(if number > 0 { "\n" } else { "" })?;
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadErrors {}

/// One thing that is wrong with a directory's content.
#[derive(Debug)]
pub struct LoadError {
    /// The line of the file, from 1; none if a program built the content.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        fmt::Display::fmt(&self.problem, f)
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

/// What is wrong at one place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("`{}` cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not the TOML that is expected.
    #[error("{0}")]
    Syntax(String),
    /// A text names no principal.
    #[error(
        "`{0}` is no id: write `issuer/subject`, or a table of `issuer` and `subject` where one of them holds a slash"
    )]
    NotAnId(String),
    /// A name is no name of a group or the like.
    #[error(transparent)]
    NotAName(SelectorError),
    /// One id is declared for two persons, or twice for one.
    #[error(
        "`{0}` is already the id of somebody: an id belongs to one person or agent, and stands once"
    )]
    AmbiguousIdentity(PrincipalId),
    /// Two ids of different parties would be taken for one by people.
    #[error(
        "`{id}` looks like `{other}`, which belongs to somebody else: link them if they are one person, or rename one"
    )]
    LooksAlike {
        /// The later one.
        id: PrincipalId,
        /// The one that was there.
        other: PrincipalId,
    },
    /// A member or controller is no person of this directory.
    #[error("`{0}` is the id of no person here: declare the person, or link the id")]
    NoSuchPerson(PrincipalId),
    /// A member of a `service:` set is no service of this directory.
    #[error("`{0}` is no service here: declare it under `agents` with `kind = \"service\"`")]
    NoSuchService(PrincipalId),
    /// A nested group is not declared.
    #[error("`{0}` is declared nowhere")]
    NoSuchSet(Selector),
    /// Two entries have one name.
    #[error("`{0}` is declared twice")]
    Twice(Selector),
    /// A group contains itself, through others or not.
    #[error("`{0}` contains itself")]
    Circle(Selector),
}

/// Something that is legal and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Nobody belongs to it, so nobody can approve for it.
    Empty(Selector),
    /// It is not said who controls the agent, so nobody can approve what it does where its owner is excluded.
    NoControllers(PrincipalId),
    /// Everybody who belongs to it was deactivated.
    AllDeactivated(Selector),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(set) => write!(f, "`{set}` has no members: nobody can approve for it"),
            Self::NoControllers(agent) => write!(
                f,
                "`{agent}` has no `controllers`: who controls it is unknown, and where they are excluded nobody can approve"
            ),
            Self::AllDeactivated(set) => {
                write!(
                    f,
                    "all members of `{set}` were deactivated: nobody can approve for it"
                )
            }
        }
    }
}

/// Why an edit was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The id is no person's.
    #[error("the id is linked to no person: declare the person first")]
    NoSuchPerson,
    /// The id is no agent's or service's.
    #[error("no agent or service has this id: declare it first")]
    NoSuchAgent,
    /// The id is an agent's or a service's.
    #[error("the id belongs to an agent or a service: people's ids are their own")]
    NotAHuman,
    /// The id looks like one of somebody else.
    #[error("the id looks like one that belongs to somebody else: rename one of them")]
    LooksAlike,
    /// The id stands for the person and cannot be taken away.
    #[error("the id stands for the person: deactivate the person instead")]
    Canonical,
    /// There is nothing of that name, or it has no members of its own.
    #[error("the directory has no such set of members")]
    NoSuchSet,
}

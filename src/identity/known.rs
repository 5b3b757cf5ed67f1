//! Answers of a directory that may not know.

use std::fmt;

use crate::clock::Timestamp;

/// What a directory says, or that it does not know.
///
/// Not knowing never helps anybody: an unknown membership is none, and where an unknown person is to
/// be kept out, nobody gets in. There is no default value and no conversion that forgets the
/// difference; whoever needs the value matches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Known<T> {
    /// The directory knows.
    Known {
        /// What it knows.
        value: T,
        /// When that was true; a directory that answers from a cache says when it filled it.
        as_of: Timestamp,
    },
    /// The directory does not know.
    Unknown(Why),
}

impl<T> Known<T> {
    /// The value with its time, or why there is none.
    ///
    /// # Errors
    /// The reason, if the directory does not know.
    pub fn known(self) -> Result<(T, Timestamp), Why> {
        match self {
            Self::Known { value, as_of } => Ok((value, as_of)),
            Self::Unknown(why) => Err(why),
        }
    }

    /// The same answer with its value changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Known { value, as_of } => Known::Known {
                value: change(value),
                as_of,
            },
            Self::Unknown(why) => Known::Unknown(why),
        }
    }
}

/// Why a directory does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// No person is linked to this id.
    Unlinked,
    /// More than one person could be meant.
    Ambiguous,
    /// The directory has nothing of this name.
    NoSuchName,
    /// Nothing is said about who controls this agent.
    Unlisted,
    /// Groups contain each other in a circle, or nest deeper than the directory follows.
    Cycle,
    /// The directory does not answer this kind of question.
    Unsupported,
    /// The directory's answer is older than is accepted.
    Stale,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unlinked => "no person is linked to this id",
            Self::Ambiguous => "more than one person could be meant",
            Self::NoSuchName => "the directory has nothing of this name",
            Self::Unlisted => "the directory does not say who controls this agent",
            Self::Cycle => "groups contain each other in a circle",
            Self::Unsupported => "the directory does not answer this kind of question",
            Self::Stale => "the directory's answer is too old",
        })
    }
}

/// How old an answer may be to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Any age: for what is only shown.
    Any,
    /// At most so old.
    Within {
        /// Gate time now.
        now: Timestamp,
        /// The greatest age that counts.
        at_most: std::time::Duration,
    },
}

impl Freshness {
    /// The value, unless it is not known or too old.
    pub(crate) fn take<T>(self, answer: Known<T>) -> Result<T, Why> {
        let (value, as_of) = answer.known()?;
        match self {
            Self::Within { now, at_most } if now.since(as_of) > at_most => Err(Why::Stale),
            Self::Any | Self::Within { .. } => Ok(value),
        }
    }
}

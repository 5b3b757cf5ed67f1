//! How a command ends.

use std::fmt;
use std::process::ExitCode;

use countersign::export::ExportError;
use countersign::ledger::{KeysError, OpenError, RecoveryError};
use countersign::log::{ProveRecordError, ReadError};
use countersign::store::StoreError;

/// An exit code. Those of a verdict are the record format's (section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u8);

impl Code {
    pub const GOOD: Self = Self(0);
    pub const BROKEN: Self = Self(1);
    pub const CANNOT: Self = Self(2);
    pub const UNANCHORED: Self = Self(3);
    /// That of `sysexits.h`: 2, which others use, is a verdict here.
    pub const USAGE: Self = Self(64);

    pub const fn of(code: u8) -> Self {
        Self(code)
    }

    pub const fn number(self) -> u8 {
        self.0
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.0)
    }
}

pub type Ended = Result<Code, Failure>;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    what: String,
}

impl Failure {
    /// It could not be done, which says nothing about a log.
    pub fn cannot(what: impl Into<String>) -> Self {
        let what = what.into();
        Self {
            code: Code::CANNOT,
            what,
        }
    }

    /// The log or receipt is not what it should be.
    pub fn broken(what: impl Into<String>) -> Self {
        let what = what.into();
        Self {
            code: Code::BROKEN,
            what,
        }
    }

    pub const fn code(&self) -> Code {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// An error with what caused it, on one line.
pub fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors tell their cause themselves.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

macro_rules! cannot_from {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::cannot(whole(&error))
            }
        }
    )*};
}

cannot_from!(ReadError, StoreError, OpenError, KeysError, RecoveryError);

impl From<ProveRecordError> for Failure {
    fn from(error: ProveRecordError) -> Self {
        match error {
            ProveRecordError::Damaged(_) => Self::broken(error.to_string()),
            other => Self::cannot(whole(&other)),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Broken(_)
            | ExportError::Rollback { .. }
            | ExportError::Fork { .. }
            | ExportError::Damaged { .. } => Self::broken(whole(&error)),
            other => Self::cannot(whole(&other)),
        }
    }
}

//! What is wrong with a rule file.

use std::fmt;

/// One thing that keeps a rule file from being loaded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadError {
    line: usize,
    place: Option<String>,
    message: String,
}

impl LoadError {
    pub(super) fn new(line: usize, place: Option<String>, message: String) -> Self {
        Self {
            line,
            place,
            message,
        }
    }

    /// The line, from 1; 0 if the file could not even be read.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The part of the file it is in: ``rule `big-payment` ``, ``approval `manager` ``, `test 2`.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// What is wrong, and what to do about it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that keeps a rule file from being loaded, by line; nothing of the file is in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct LoadErrors {
    errors: Vec<LoadError>,
}

impl LoadErrors {
    pub(super) fn new(mut errors: Vec<LoadError>) -> Self {
        errors.sort();
        errors.dedup();
        Self { errors }
    }

    /// The errors, by line.
    pub fn iter(&self) -> impl Iterator<Item = &LoadError> {
        self.errors.iter()
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rules were not loaded")?;
        for error in &self.errors {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

/// Something legal in a rule file that is hardly meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    line: usize,
    message: String,
}

impl Warning {
    pub(super) fn new(line: usize, message: String) -> Self {
        Self { line, message }
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What looks odd.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

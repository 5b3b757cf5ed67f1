//! The fields of a table, none of them overlooked.

use super::super::error::{LoadError, Warning};
use super::super::tree::{Entry, Node, Value};
use super::values;

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub errors: Vec<LoadError>,
    pub warnings: Vec<Warning>,
}

impl Report {
    pub fn error(&mut self, line: usize, place: Option<&str>, message: impl Into<String>) {
        self.errors.push(LoadError::new(
            line,
            place.map(str::to_owned),
            message.into(),
        ));
    }

    pub fn warn(&mut self, line: usize, message: String) {
        self.warnings.push(Warning::new(line, message));
    }
}

/// A table that is read field by field; what nobody asked for is an error.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    line: usize,
    place: Option<String>,
    entries: &'n [Entry],
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub fn of(node: &'n Node, place: Option<String>, report: &mut Report) -> Option<Self> {
        match &node.value {
            Value::Table(entries) => Some(Self {
                line: node.line,
                place,
                entries,
                known: Vec::new(),
            }),
            other => {
                report.error(
                    node.line,
                    place.as_deref(),
                    format!("a table belongs here, not {}", other.noun()),
                );
                None
            }
        }
    }

    pub fn line(&self) -> usize {
        self.line
    }

    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// Errors name this place from now on.
    pub fn rename(&mut self, place: String) {
        self.place = Some(place);
    }

    pub fn take(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub fn required(&mut self, key: &'static str, report: &mut Report) -> Option<&'n Entry> {
        let entry = self.take(key);
        if entry.is_none() {
            report.error(self.line, self.place(), format!("`{key}` is missing"));
        }
        entry
    }

    pub fn text(&mut self, key: &'static str, report: &mut Report) -> Option<&'n str> {
        let entry = self.take(key)?;
        values::text(entry, self.place(), report)
    }

    pub fn flag(&mut self, key: &'static str, report: &mut Report) -> Option<bool> {
        let entry = self.take(key)?;
        match &entry.node.value {
            Value::Bool(truth) => Some(*truth),
            other => {
                report.error(
                    entry.line,
                    self.place(),
                    format!("`{key}` is true or false, not {}", other.noun()),
                );
                None
            }
        }
    }

    /// The items of a list; none where the field is absent.
    pub fn list(&mut self, key: &'static str, report: &mut Report) -> &'n [Node] {
        let Some(entry) = self.take(key) else {
            return &[];
        };
        match &entry.node.value {
            Value::List(items) => items,
            other => {
                report.error(
                    entry.line,
                    self.place(),
                    format!("`{key}` is a list, not {}", other.noun()),
                );
                &[]
            }
        }
    }

    /// Refuses every field that was not asked for; gives the place back.
    pub fn finish(self, report: &mut Report) -> Option<String> {
        let Self {
            line: _,
            place,
            entries,
            known,
        } = self;
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let known = known.join("`, `");
                let key = values::shown(&entry.key);
                report.error(
                    entry.line,
                    place.as_deref(),
                    format!("unknown field `{key}`: the fields are `{known}`"),
                );
            }
        }
        place
    }
}

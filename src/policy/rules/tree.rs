//! A rule file as values that know their line, whichever syntax it is in.

use crate::canonical::Number;

use super::error::LoadError;

mod json;
mod toml;

pub(super) use json::from_json;
pub(super) use toml::from_toml;

/// The largest rule file, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// A value and the line where it begins, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub line: usize,
    pub value: Value,
}

/// A value of a rule file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    /// A date or time that TOML knows as such.
    Time(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A member of a table; no key stands twice in one table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub line: usize,
    pub node: Node,
}

impl Value {
    /// What an error message calls it.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Time(_) => "a time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Finds the line of a byte offset.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &[u8]) -> Self {
        let breaks = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self {
            starts: breaks.map(|(index, _)| index + 1).collect(),
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) + 1
    }
}

fn too_large() -> LoadError {
    LoadError::new(
        0,
        None,
        format!("the file is larger than {MAX_BYTES} bytes: split it"),
    )
}

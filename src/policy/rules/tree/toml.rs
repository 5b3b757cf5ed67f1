//! TOML to located values.

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::canonical::Number;

use super::super::error::LoadError;
use super::{Entry, Lines, MAX_BYTES, Node, Value, too_large};

/// The table that a TOML text spells.
pub(in super::super) fn from_toml(text: &str) -> Result<Node, Vec<LoadError>> {
    if text.len() > MAX_BYTES {
        return Err(vec![too_large()]);
    }
    let lines = Lines::of(text.as_bytes());
    let root = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(0, |span| lines.line(span.start));
        vec![LoadError::new(
            line,
            None,
            format!("this is no TOML: {}", error.message()),
        )]
    })?;
    let mut reader = Reader {
        lines,
        errors: Vec::new(),
    };
    let value = reader.table(root.get_ref());
    if reader.errors.is_empty() {
        Ok(Node { line: 1, value })
    } else {
        Err(reader.errors)
    }
}

struct Reader {
    lines: Lines,
    errors: Vec<LoadError>,
}

impl Reader {
    fn table(&mut self, table: &DeTable<'_>) -> Value {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            entries.push(Entry {
                key: key.get_ref().to_string(),
                line: self.lines.line(key.span().start),
                node: self.node(value),
            });
        }
        Value::Table(entries)
    }

    fn node(&mut self, spanned: &Spanned<DeValue<'_>>) -> Node {
        let line = self.lines.line(spanned.span().start);
        let value = match spanned.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => self.number(line, &decimal(integer)),
            DeValue::Float(float) => self.number(line, float.as_str()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Datetime(time) => Value::Time(time.to_string()),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item)).collect())
            }
            DeValue::Table(table) => self.table(table),
        };
        Node { line, value }
    }

    /// A number by its text, never by way of a float; TOML allows a plus sign that JSON does not.
    fn number(&mut self, line: usize, literal: &str) -> Value {
        let literal = literal.strip_prefix('+').unwrap_or(literal);
        match Number::parse(literal) {
            Ok(number) => Value::Number(number),
            Err(error) => {
                self.errors
                    .push(LoadError::new(line, None, format!("`{literal}`: {error}")));
                Value::Null
            }
        }
    }
}

/// An integer as a decimal literal; the text itself where it is too large, which is refused next.
fn decimal(integer: &DeInteger<'_>) -> String {
    match i64::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(value) if integer.radix() != 10 => value.to_string(),
        _ => integer.as_str().to_owned(),
    }
}

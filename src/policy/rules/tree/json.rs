//! JSON to located values.

use crate::canonical::{Admission, Json, admit};

use super::super::error::LoadError;
use super::{Entry, Lines, MAX_BYTES, Node, Value, too_large};

/// The value that a JSON text spells, after the strict admission that everything from outside passes.
pub(in super::super) fn from_json(text: &[u8]) -> Result<Node, Vec<LoadError>> {
    if text.len() > MAX_BYTES {
        return Err(vec![too_large()]);
    }
    let lines = Lines::of(text);
    let no_json = |offset, message| vec![LoadError::new(lines.line(offset), None, message)];
    let limits = Admission::default().with_max_bytes(MAX_BYTES);
    admit(text, &limits)
        .map_err(|error| no_json(error.offset(), format!("this JSON is refused: {error}")))?;
    let mut reader = Reader {
        text,
        at: 0,
        lines: &lines,
    };
    match reader.node() {
        Some(node) => Ok(node),
        None => Err(no_json(reader.at, "this JSON is refused".to_owned())),
    }
}

/// Walks text that was admitted, so that its shape is known to be right and its depth to be bounded; it only keeps the lines.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    lines: &'a Lines,
}

impl Reader<'_> {
    fn node(&mut self) -> Option<Node> {
        let first = self.peek()?;
        let line = self.lines.line(self.at);
        let value = match first {
            b'{' => Value::Table(self.members()?),
            b'[' => Value::List(self.elements()?),
            _ => self.scalar()?,
        };
        Some(Node { line, value })
    }

    fn members(&mut self) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        self.at += 1;
        while self.peek()? != b'}' {
            let line = self.lines.line(self.at);
            let Value::Text(key) = self.scalar()? else {
                return None;
            };
            self.skip(b':')?;
            let node = self.node()?;
            entries.push(Entry { key, line, node });
            self.skip_comma()?;
        }
        self.at += 1;
        Some(entries)
    }

    fn elements(&mut self) -> Option<Vec<Node>> {
        let mut elements = Vec::new();
        self.at += 1;
        while self.peek()? != b']' {
            elements.push(self.node()?);
            self.skip_comma()?;
        }
        self.at += 1;
        Some(elements)
    }

    /// A text, a number or a word, read by the same strict reader as the whole.
    fn scalar(&mut self) -> Option<Value> {
        let rest = self.text.get(self.at..)?;
        let length = match rest.first()? {
            b'"' => 1 + closing_quote(rest.get(1..)?)? + 1,
            _ => rest
                .iter()
                .position(|byte| b" \t\r\n,]}:".contains(byte))
                .unwrap_or(rest.len()),
        };
        let literal = rest.get(..length)?;
        self.at += length;
        let limits = Admission::default().with_max_bytes(MAX_BYTES);
        match admit(literal, &limits).ok()? {
            Json::Null => Some(Value::Null),
            Json::Bool(truth) => Some(Value::Bool(truth)),
            Json::Number(number) => Some(Value::Number(number)),
            Json::String(text) => Some(Value::Text(text)),
            Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// The next byte that is no white space, where the reader stands then.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        let blank = rest.iter().position(|byte| !b" \t\r\n".contains(byte))?;
        self.at += blank;
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn skip_comma(&mut self) -> Option<()> {
        if self.peek()? == b',' {
            self.at += 1;
        }
        Some(())
    }
}

/// Where a string ends, an escaped quote not counted.
fn closing_quote(inside: &[u8]) -> Option<usize> {
    let mut escaped = false;
    inside.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    })
}

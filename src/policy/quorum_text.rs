//! The reader of quorum expressions.

use std::num::NonZeroU32;

use super::quorum::{MAX_COUNT, Node, QuorumError};
use super::selector::Selector;

/// The expression that `text` spells, with at most `max_depth` parentheses inside each other.
pub(super) fn parse(text: &str, max_depth: usize) -> Result<Node, QuorumError> {
    let mut words = Words { rest: text };
    let node = expression(&mut words, max_depth)?;
    match words.next() {
        None => Ok(node),
        Some(found) => Err(unexpected(found, "`and`, `or` or the end")),
    }
}

/// The words of an expression: parentheses, and runs of what is neither a parenthesis nor white space.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let first = rest.chars().next()?;
        if matches!(first, '(' | ')') {
            return rest.get(..1);
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')'))
            .unwrap_or(rest.len());
        rest.get(..end)
    }

    fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.rest = self.rest.trim_start().get(word.len()..).unwrap_or("");
        Some(word)
    }

    fn take(&mut self, word: &str) -> Option<()> {
        (self.peek()? == word).then(|| self.next()).map(|_| ())
    }

    fn expect(&mut self, word: &str, expected: &'static str) -> Result<(), QuorumError> {
        match self.next() {
            Some(found) if found == word => Ok(()),
            Some(found) => Err(unexpected(found, expected)),
            None => Err(QuorumError::Ends { expected }),
        }
    }
}

fn expression(words: &mut Words<'_>, depth: usize) -> Result<Node, QuorumError> {
    let mut members = vec![conjunction(words, depth)?];
    while words.take("or").is_some() {
        members.push(conjunction(words, depth)?);
    }
    Ok(Node::any(members))
}

fn conjunction(words: &mut Words<'_>, depth: usize) -> Result<Node, QuorumError> {
    let mut members = vec![atom(words, depth)?];
    while words.take("and").is_some() {
        members.push(atom(words, depth)?);
    }
    Ok(Node::all(members))
}

fn atom(words: &mut Words<'_>, depth: usize) -> Result<Node, QuorumError> {
    if words.take("(").is_some() {
        let depth = depth.checked_sub(1).ok_or(QuorumError::Depth)?;
        let node = expression(words, depth)?;
        words.expect(")", "`)`")?;
        return Ok(node);
    }
    let expected = "a count such as `2` or `(`";
    let count = words.next().ok_or(QuorumError::Ends { expected })?;
    let count = number(count, expected)?;
    words.expect("of", "`of`")?;
    let expected = "a selector such as `group:security`";
    let from = words.next().ok_or(QuorumError::Ends { expected })?;
    Ok(Node::Of {
        count,
        from: Selector::parse(from)?,
    })
}

/// A count in its one spelling: no sign, no leading zero.
fn number(word: &str, expected: &'static str) -> Result<NonZeroU32, QuorumError> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(unexpected(word, expected));
    }
    let refused = || QuorumError::Count(word.chars().take(40).collect());
    let count: NonZeroU32 = word.parse().map_err(|_| refused())?;
    if count.get() > MAX_COUNT || count.to_string() != word {
        return Err(refused());
    }
    Ok(count)
}

fn unexpected(found: &str, expected: &'static str) -> QuorumError {
    QuorumError::Unexpected {
        found: found
            .chars()
            .take(128)
            .flat_map(char::escape_debug)
            .collect(),
        expected,
    }
}

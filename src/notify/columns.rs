//! How wide text is on a grid of characters, and breaking it into lines.

use super::visible::is_combining;

/// The columns that a character takes: 0, 1 or 2. Where terminals differ it is the larger number, so that a line never
/// runs over the edge.
fn columns(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        _ if is_combining(c) => 0,
        '\u{1100}'..='\u{11FF}'
        | '\u{231A}'..='\u{23FF}'
        | '\u{25FD}'..='\u{25FE}'
        | '\u{2600}'..='\u{27BF}'
        | '\u{2B00}'..='\u{2BFF}'
        | '\u{2E80}'..='\u{A4CF}'
        | '\u{A960}'..='\u{A97F}'
        | '\u{AC00}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FE10}'..='\u{FE6F}'
        | '\u{FF00}'..='\u{FF60}'
        | '\u{FFE0}'..='\u{FFE6}'
        | '\u{16FE0}'..='\u{1B2FF}'
        | '\u{1F000}'..='\u{1FAFF}'
        | '\u{20000}'..='\u{3FFFF}' => 2,
        _ => 1,
    }
}

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Breaks visible text into pieces of at most `wide` columns, the first of at most `first`.
///
/// An escape and a character with its marks stay in one piece, unless they alone are wider than a piece. Nothing is
/// added, lost or moved: the pieces one after the other are the text.
pub(super) fn wrap(text: &str, first: usize, wide: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut room = first;
    let mut rest = text;
    let mut taken = 0; // bytes of `rest` that fit the line so far
    while let Some(unit) = rest.get(taken..).and_then(next_unit) {
        let needs = width(unit);
        if needs <= room {
            taken += unit.len();
            room -= needs;
        } else if taken > 0 || room < wide {
            // The unit starts the next line.
            let (line, after) = rest.split_at(taken);
            lines.push(line);
            (rest, taken, room) = (after, 0, wide);
        } else {
            // Wider than a whole line: as much as fits, and at least one character.
            let mut end = 0;
            for c in unit.chars() {
                if end > 0 && columns(c) > room {
                    break;
                }
                end += c.len_utf8();
                room = room.saturating_sub(columns(c));
            }
            let (line, after) = rest.split_at(end);
            lines.push(line);
            (rest, taken, room) = (after, 0, wide);
        }
    }
    lines.push(rest);
    lines
}

/// As [`wrap`], with a break only after a space, if every word fits a line.
pub(super) fn wrap_words(text: &str, first: usize, wide: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let (mut rest, mut taken, mut used, mut room) = (text, 0, 0, first);
    for word in text.split_inclusive(' ') {
        let needs = width(word);
        if used + needs > room && (taken > 0 || room < wide) {
            let (line, after) = rest.split_at(taken);
            lines.push(line);
            (rest, taken, used, room) = (after, 0, 0, wide);
        }
        if needs > room {
            return wrap(text, first, wide);
        }
        taken += word.len();
        used += needs;
    }
    lines.push(rest);
    lines
}

/// The next escape, or the next character with the marks on it.
fn next_unit(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    let first = chars.next()?;
    let end = if first == '\\' {
        match chars.next() {
            Some('{') => text.find('}').map_or(text.len(), |at| at + 1),
            Some('u') if text.starts_with("\\u{") => text.find('}').map_or(text.len(), |at| at + 1),
            Some('u') => 6,
            Some(c) => 1 + c.len_utf8(),
            None => 1,
        }
    } else {
        let marks = chars.take_while(|c| is_combining(*c)).map(char::len_utf8);
        first.len_utf8() + marks.sum::<usize>()
    };
    Some(text.get(..end).unwrap_or(text))
}

//! Ids that people would take for each other.

use crate::action::PrincipalId;

/// What an id looks like: equal for ids that differ only in case, in width, or in characters that cannot be seen.
///
/// Ids are never compared by this; it is only for refusing two that would be confused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Look {
    issuer: String,
    subject: String,
}

impl Look {
    pub(super) fn of(id: &PrincipalId) -> Self {
        Self {
            issuer: look(id.issuer()),
            subject: look(id.subject()),
        }
    }
}

fn look(text: &str) -> String {
    text.chars()
        .map(narrow)
        .filter(|c| c.is_ascii() || (c.is_alphanumeric() && !is_filler(*c)))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The ASCII character of which this is the full-width form.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// Letters that nothing is drawn for.
fn is_filler(c: char) -> bool {
    matches!(c, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}')
}

//! JSON values as lines of a card.

use crate::canonical::Json;

use super::super::visible::{quoted, visible};

/// The most bytes that the paths of one value may take together. A long name over many elements would else make a card
/// many times as large as the action.
const LONGEST_PATHS: usize = 256 * 1024;

/// Calls `line` with the path and the text of every leaf of a value, or once with all of it as JSON where the paths
/// would be out of proportion.
///
/// Texts are in quotation marks, so that `"5"` and `5` differ; `{}` and `[]` are leaves.
pub(super) fn lines(path: &str, value: &Json, line: &mut dyn FnMut(String, String)) {
    if paths(path.len(), value) <= LONGEST_PATHS {
        leaves(path, value, line);
    } else {
        let json = String::from_utf8_lossy(&value.to_canonical()).into_owned();
        line(format!("{path}, as JSON"), quoted(&json));
    }
}

/// The bytes of all paths to the leaves of a value, or a little more.
fn paths(path: usize, value: &Json) -> usize {
    // The longest step of an array is `[1048576]`; a name takes up to nine bytes for one of its own when it is visible.
    let inside = match value {
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| paths(path + 4 + 9 * name.len(), value))
            .fold(0, usize::saturating_add),
        Json::Array(elements) => elements
            .iter()
            .map(|value| paths(path + 9, value))
            .fold(0, usize::saturating_add),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    };
    inside.max(path)
}

fn leaves(path: &str, value: &Json, line: &mut dyn FnMut(String, String)) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                leaves(&format!("{path}{}", member(name)), value, line);
            }
        }
        Json::Array(elements) if !elements.is_empty() => {
            for (index, value) in elements.iter().enumerate() {
                leaves(&format!("{path}[{index}]"), value, line);
            }
        }
        leaf => line(path.to_owned(), text(leaf)),
    }
}

/// A member's step in a path: `.name`, or `["any text"]`.
fn member(name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain {
        format!(".{name}")
    } else {
        format!("[{}]", quoted(name))
    }
}

fn text(leaf: &Json) -> String {
    match leaf {
        Json::Null => "null".to_owned(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => quoted(text),
        Json::Array(_) => "[]".to_owned(),
        Json::Object(_) => "{}".to_owned(),
    }
}

/// What stands for a value that is not shown. Without quotation marks, it cannot be somebody's text.
pub(super) fn mask(value: &Json) -> String {
    let characters = match value {
        Json::String(text) => text.chars().count(),
        other => String::from_utf8_lossy(&other.to_canonical())
            .chars()
            .count(),
    };
    mask_of(characters)
}

pub(super) fn mask_of(characters: usize) -> String {
    match characters {
        1 => "«sensitive, 1 character»".to_owned(),
        more => format!("«sensitive, {more} characters»"),
    }
}

/// A name whose grammar lets nothing hide, made visible all the same.
pub(super) fn name(name: impl ToString) -> String {
    visible(&name.to_string())
}

//! What an action may hold, whoever puts it together.

use super::{
    description::Action,
    error::{ActionError, Unfit},
    hidden::Clarity,
    names::is_plain,
    value::MAX_DEPTH,
};
use crate::canonical::Json;

pub(super) const PARAMETERS: usize = 64;
pub(super) const PARAMETER_BYTES: usize = 1 << 20;
pub(super) const CONTEXT: usize = 32;
pub(super) const CONTEXT_BYTES: usize = 64 << 10;
pub(super) const RESOURCES: usize = 32;
pub(super) const DATASETS: usize = 64;
/// In bytes.
pub(super) const JUSTIFICATION: usize = 4 << 10;
/// A clear value stands some levels deep in a statement, which holds 64.
pub(super) const CLEAR_DEPTH: usize = 32;

/// Checks what the parts of an action do not know by themselves.
pub(super) fn check(action: &Action) -> Result<(), ActionError> {
    let Action {
        name: _,
        operation: _,
        tool: _,
        resources,
        parameters,
        sensitive,
        context,
        reads,
        writes,
        occurrence: _,
        replaces: _,
        justification: _,
        trace: _,
    } = action;
    for (sort, count, limit) in [
        ("resources", resources.len(), RESOURCES),
        ("parameters", parameters.len(), PARAMETERS),
        ("context", context.len(), CONTEXT),
        ("reads", reads.len(), DATASETS),
        ("writes", writes.len(), DATASETS),
    ] {
        if count > limit {
            return Err(ActionError::new(sort, Unfit::TooMany { limit }));
        }
    }

    let mut bytes = 0;
    for (name, value) in parameters {
        check_value(value, MAX_DEPTH, Clarity::Hidden)
            .map_err(|reason| ActionError::named("parameter", name, reason))?;
        bytes += size(name, value);
    }
    if bytes > PARAMETER_BYTES {
        let limit = PARAMETER_BYTES;
        return Err(ActionError::new("parameters", Unfit::TooLarge { limit }));
    }
    // RFC 9901, section 7.1: a disclosed name must not stand in the clear beside it.
    if !sensitive.is_empty() && parameters.contains("sensitive") && !sensitive.contains("sensitive")
    {
        const WHY: &str = "this name is taken where other parameters are sensitive; mark it so too";
        let reason = Unfit::NameTaken(WHY);
        return Err(ActionError::named("parameter", "sensitive", reason));
    }

    let mut bytes = 0;
    for (name, (value, clarity)) in context {
        let unfit = |reason| ActionError::named("context", name.as_str(), reason);
        let depth = match clarity {
            Clarity::Clear => CLEAR_DEPTH,
            Clarity::Hidden => MAX_DEPTH,
        };
        check_value(value, depth, *clarity).map_err(unfit)?;
        if name.as_str() == "clear" && *clarity == Clarity::Hidden {
            const WHY: &str = "this name is taken; choose another one or show it in the clear";
            return Err(unfit(Unfit::NameTaken(WHY)));
        }
        bytes += size(name.as_str(), value);
    }
    if bytes > CONTEXT_BYTES {
        let limit = CONTEXT_BYTES;
        return Err(ActionError::new("context", Unfit::TooLarge { limit }));
    }
    Ok(())
}

/// Whether an occurrence is 1 to 256 characters without control characters.
pub(super) fn is_occurrence(text: &str) -> bool {
    is_plain(text, 256)
}

/// Checks the names, numbers and depth inside of a value; never deeper than `max_depth`.
fn check_value(value: &Json, max_depth: usize, clarity: Clarity) -> Result<(), Unfit> {
    check_inside(value, max_depth, clarity).map_err(|reason| match reason {
        Unfit::TooDeep { .. } => Unfit::TooDeep { limit: max_depth },
        other => other,
    })
}

fn check_inside(value: &Json, levels: usize, clarity: Clarity) -> Result<(), Unfit> {
    let deeper = || {
        let limit = 0;
        levels.checked_sub(1).ok_or(Unfit::TooDeep { limit })
    };
    match value {
        Json::Null | Json::Bool(_) | Json::String(_) => Ok(()),
        Json::Number(number) => match (clarity, number.as_i64()) {
            (Clarity::Clear, None) => Err(Unfit::NotAnInteger),
            (Clarity::Clear, Some(_)) | (Clarity::Hidden, _) => Ok(()),
        },
        Json::Array(elements) => {
            let levels = deeper()?;
            elements
                .iter()
                .try_for_each(|element| check_inside(element, levels, clarity))
        }
        Json::Object(members) => {
            let levels = deeper()?;
            members.iter().try_for_each(|(name, member)| {
                if matches!(name, "_sd" | "...") {
                    return Err(Unfit::ReservedName);
                }
                check_inside(member, levels, clarity)
            })
        }
    }
}

/// Roughly the canonical size of a member, never less than it; counted, not written.
fn size(name: &str, value: &Json) -> usize {
    name.len() + 4 + size_of_value(value)
}

fn size_of_value(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) => 5,
        Json::Number(number) => number.to_string().len(),
        Json::String(text) => size_of_text(text),
        Json::Array(elements) => 2 + elements.iter().map(|e| 1 + size_of_value(e)).sum::<usize>(),
        Json::Object(members) => {
            2 + members
                .iter()
                .map(|(name, member)| 2 + size_of_text(name) + size_of_value(member))
                .sum::<usize>()
        }
    }
}

fn size_of_text(text: &str) -> usize {
    let escapes: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' => 1,
            ..0x20 => 5,
            _ => 0,
        })
        .sum();
    2 + text.len() + escapes
}

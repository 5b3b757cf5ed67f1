//! Finding the hidden members of a body (RFC 9901; record format, rules F7, F9 and S9).

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    action::{Disclosure, DisclosureDigest},
    canonical::{Json, Object},
};

/// An object that hides members, and their digests in its order.
#[derive(Debug)]
pub(super) struct Cover<'b> {
    object: &'b Object,
    pub(super) digests: Vec<DisclosureDigest>,
}

/// Every object of a body that hides members.
///
/// # Errors
/// Which part of F7 is broken: an `_sd` that is no ascending array of digests, or a digest that stands
/// twice in the body.
pub(super) fn covers(body: &Object) -> Result<Vec<Cover<'_>>, &'static str> {
    let mut covers = Vec::new();
    // The parser bounds the depth, and siblings wait here instead of on the stack.
    let mut open = vec![body];
    while let Some(object) = open.pop() {
        for (name, value) in object {
            if name == "_sd" {
                let digests = digests(value).ok_or("an `_sd` is no ascending array of digests")?;
                covers.push(Cover { object, digests });
            } else {
                nested(value, &mut open);
            }
        }
    }
    let mut seen = HashSet::new();
    let mut all = covers.iter().flat_map(|cover| &cover.digests);
    if covers.len() > 1 && !all.all(|digest| seen.insert(digest)) {
        return Err("the digest of a hidden member stands twice");
    }
    Ok(covers)
}

fn nested<'b>(value: &'b Json, open: &mut Vec<&'b Object>) {
    match value {
        Json::Object(object) => open.push(object),
        Json::Array(elements) => {
            for element in elements {
                nested(element, open);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn digests(value: &Json) -> Option<Vec<DisclosureDigest>> {
    let texts: Vec<&str> = value
        .as_array()?
        .iter()
        .map(Json::as_str)
        .collect::<Option<_>>()?;
    if texts.is_empty() || !texts.is_sorted_by(|a, b| a < b) {
        return None;
    }
    texts
        .into_iter()
        .map(|text| DisclosureDigest::parse(text).ok())
        .collect()
}

/// What the hidden members of a body come to, once its disclosures are at hand.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Digests without a disclosure.
    pub(super) missing: usize,
    /// Disclosures that no object names.
    pub(super) stray: usize,
    /// Members that collide with another of their object.
    pub(super) colliding: usize,
}

/// Puts disclosures into their places.
pub(super) fn fill(covers: &[Cover<'_>], disclosures: &[Disclosure]) -> Hidden {
    let mut hidden = Hidden::default();
    if covers.is_empty() && disclosures.is_empty() {
        return hidden;
    }
    let mut used = vec![false; disclosures.len()];
    let mut places = HashMap::with_capacity(disclosures.len());
    for (place, disclosure) in disclosures.iter().enumerate() {
        places.entry(disclosure.digest()).or_insert(place);
    }
    for Cover { object, digests } in covers {
        let mut names = BTreeSet::new();
        for digest in digests {
            let found = places
                .get(digest)
                .and_then(|place| disclosures.get(*place).zip(used.get_mut(*place)));
            let Some((disclosure, used)) = found else {
                hidden.missing += 1;
                continue;
            };
            *used = true;
            // A disclosure opens, since it was parsed.
            let name = disclosure.open().map(|disclosed| disclosed.name);
            let free = name.is_ok_and(|name| !object.contains(&name) && names.insert(name));
            hidden.colliding += usize::from(!free);
        }
    }
    hidden.stray = used.iter().filter(|used| !**used).count();
    hidden
}

//! Finding the hidden members of a body (RFC 9901; record format, rules F7, F9 and S9).

use std::collections::HashSet;

use crate::{
    action::DisclosureDigest,
    canonical::{Json, Object},
};

/// An object that hides members, and their digests in its order.
#[derive(Debug)]
pub(super) struct Cover<'b> {
    pub(super) names: Names<'b>,
    pub(super) digests: Vec<DisclosureDigest>,
}

/// The names of members that an object does not hide.
#[derive(Debug)]
pub(super) enum Names<'b> {
    /// Those of this object.
    Of(&'b Object),
    /// These, in ascending order.
    Ascending(Vec<&'b str>),
}

impl Names<'_> {
    fn contains(&self, name: &str) -> bool {
        match self {
            Self::Of(object) => object.contains(name),
            Self::Ascending(names) => names.binary_search(&name).is_ok(),
        }
    }
}

/// The digests of all hidden members of a body; none where it is not as F7 says.
pub(crate) fn hidden_in(body: &Object) -> Vec<DisclosureDigest> {
    let covers = covers(body).unwrap_or_default();
    covers.into_iter().flat_map(|cover| cover.digests).collect()
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
                covers.push(Cover {
                    names: Names::Of(object),
                    digests,
                });
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

/// The digests of an `_sd`, if they are in their order.
pub(super) fn digests(value: &Json) -> Option<Vec<DisclosureDigest>> {
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
    pub(super) missing: Vec<DisclosureDigest>,
    /// Disclosures that no object names.
    pub(super) stray: usize,
    /// Members that collide with another of their object.
    pub(super) colliding: usize,
}

/// A hidden member whose disclosure is at hand.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) digest: DisclosureDigest,
    pub(super) name: String,
    /// Whether an object names it.
    pub(super) used: bool,
}

/// Puts disclosures into their places; they come out in another order.
pub(super) fn fill(covers: &[Cover<'_>], opened: &mut [Opened]) -> Hidden {
    let mut hidden = Hidden::default();
    // The sort is stable: of equal ones the first is used.
    opened.sort_by(|a, b| a.digest.as_digest().cmp(b.digest.as_digest()));
    for Cover { names, digests } in covers {
        let mut places = Vec::with_capacity(digests.len());
        for named in digests {
            let digest = named.as_digest();
            let place = opened.partition_point(|one| one.digest.as_digest() < digest);
            let found = opened.get_mut(place);
            let Some(one) = found.filter(|one| one.digest.as_digest() == digest) else {
                hidden.missing.push(*named);
                continue;
            };
            one.used = true;
            if names.contains(&one.name) {
                hidden.colliding += 1;
            } else {
                places.push(place);
            }
        }
        let name_at = |place: &usize| opened.get(*place).map(|one| one.name.as_str());
        places.sort_unstable_by_key(name_at);
        let distinct = places.chunk_by(|a, b| name_at(a) == name_at(b)).count();
        hidden.colliding += places.len() - distinct;
    }
    hidden.stray = opened.iter().filter(|one| !one.used).count();
    hidden
}

/// Takes the digests that are withheld away from those that [`fill`] found without a disclosure; `false` unless each of them is
/// that of another such member.
pub(super) fn withhold(
    missing: &mut Vec<DisclosureDigest>,
    mut withheld: Vec<DisclosureDigest>,
) -> bool {
    if withheld.is_empty() {
        return true;
    }
    let (before, many) = (missing.len(), withheld.len());
    withheld.sort_unstable_by(|a, b| a.as_digest().cmp(b.as_digest()));
    let among = |digest: &DisclosureDigest| {
        let found = withheld.binary_search_by(|one| one.as_digest().cmp(digest.as_digest()));
        found.is_ok()
    };
    // Within one body no digest stands twice, so each that is found is another one.
    missing.retain(|digest| !among(digest));
    before - missing.len() == many
}

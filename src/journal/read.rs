//! Reading a body, or an object inside one, strictly: every member is asked for once, and nothing else is there.

use std::collections::BTreeMap;

use crate::action::{Disclosed, Disclosure, DisclosureDigest};
use crate::approval::{Hidden, MeaningRule};
use crate::canonical::{Json, Object};
use crate::log::Rule;

use super::words::Word;

/// What is wrong with a body; never with a value in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub rule: Rule,
    pub why: String,
}

pub(super) type Read<T> = Result<T, Fault>;

/// Finds the disclosure of a digest, where it is still there.
pub(super) type Lookup<'a> = &'a dyn Fn(&DisclosureDigest) -> Option<Disclosure>;

impl Fault {
    pub(super) fn member(name: &str, expected: &str) -> Self {
        Self {
            rule: Rule::F6,
            why: format!("`{name}` is not {expected}"),
        }
    }

    pub(super) fn later(name: &str) -> Self {
        Self {
            rule: Rule::M1,
            why: format!("`{name}` names a record that is not before this one"),
        }
    }

    pub(super) fn meaning(rule: MeaningRule, why: impl Into<String>) -> Self {
        let rule = match rule {
            MeaningRule::M2 => Rule::M2,
            MeaningRule::M3 => Rule::M3,
            MeaningRule::M4 => Rule::M4,
            MeaningRule::M5 => Rule::M5,
            MeaningRule::M6 => Rule::M6,
            MeaningRule::M7 => Rule::M7,
            MeaningRule::M11 => Rule::M11,
        };
        Self {
            rule,
            why: why.into(),
        }
    }
}

/// The members of an object that were not asked for yet.
pub(super) struct Members<'a> {
    clear: BTreeMap<&'a str, &'a Json>,
    disclosed: BTreeMap<String, Json>,
    missing: Vec<DisclosureDigest>,
}

impl<'a> Members<'a> {
    pub(super) fn of(object: &'a Object, lookup: Lookup<'_>) -> Read<Self> {
        let mut clear: BTreeMap<&str, &Json> = object.iter().collect();
        let mut disclosed = BTreeMap::new();
        let mut missing = Vec::new();
        if let Some(digests) = clear.remove("_sd") {
            for digest in digests_of(digests)? {
                let Some(disclosure) = find(&digest, lookup)? else {
                    missing.push(digest);
                    continue;
                };
                let Disclosed {
                    salt: _,
                    name,
                    value,
                } = disclosure.open().map_err(|_| Fault {
                    rule: Rule::F9,
                    why: "a disclosure is not the canonical form of salt, name and value"
                        .to_owned(),
                })?;
                if object.contains(&name) || disclosed.insert(name, value).is_some() {
                    return Err(Fault {
                        rule: Rule::F9,
                        why: "a disclosed member collides with another member".to_owned(),
                    });
                }
            }
        }
        Ok(Self {
            clear,
            disclosed,
            missing,
        })
    }

    /// A member in the clear.
    pub(super) fn take(&mut self, name: &'static str) -> Read<&'a Json> {
        self.take_some(name)
            .ok_or_else(|| Fault::member(name, "there"))
    }

    pub(super) fn take_some(&mut self, name: &'static str) -> Option<&'a Json> {
        self.clear.remove(name)
    }

    /// Whether a member is in the clear and not asked for yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.clear.contains_key(name)
    }

    pub(super) fn text(&mut self, name: &'static str) -> Read<&'a str> {
        let text = self.take(name)?.as_str();
        text.ok_or_else(|| Fault::member(name, "text"))
    }

    /// A text in the clear with a grammar of its own.
    pub(super) fn parse<T, E>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Read<T> {
        parse(self.text(name)?).map_err(|_| Fault::member(name, expected))
    }

    pub(super) fn parse_some<T, E>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Read<Option<T>> {
        if self.has(name) {
            self.parse(name, expected, parse).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn word<W: Word>(&mut self, name: &'static str) -> Read<W> {
        W::of(self.text(name)?).ok_or_else(|| Fault::member(name, "one of the words for it"))
    }

    pub(super) fn word_some<W: Word>(&mut self, name: &'static str) -> Read<Option<W>> {
        if self.has(name) {
            self.word(name).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A hidden member that is always there. These are asked for before the optional ones.
    pub(super) fn hidden<T>(
        &mut self,
        name: &'static str,
        from_json: impl FnOnce(&Json) -> Option<T>,
    ) -> Read<Hidden<T>> {
        if let Some(value) = self.disclosed.remove(name) {
            return known(name, &value, from_json);
        }
        if self.missing.is_empty() {
            return Err(Fault::member(name, "among the hidden members"));
        }
        Ok(Hidden::Missing(self.missing.remove(0)))
    }

    /// All optional hidden members of the object at once.
    ///
    /// Digests do not say what they stand for. If fewer are left than members that they could be, each of these members reads as
    /// missing.
    pub(super) fn hidden_some<const N: usize>(
        &mut self,
        names: [&'static str; N],
    ) -> Read<[Option<Hidden<Json>>; N]> {
        let found = names.map(|name| self.disclosed.remove(name).map(Hidden::Known));
        let open = found.iter().filter(|member| member.is_none()).count();
        let mut missing = std::mem::take(&mut self.missing);
        if missing.len() > open {
            return Err(Fault {
                rule: Rule::F6,
                why: "it hides more members than it can have".to_owned(),
            });
        }
        let shared = missing.first().copied();
        Ok(found.map(|member| match (member, shared) {
            (Some(known), _) => Some(known),
            (None, None) => None,
            (None, Some(shared)) => Some(Hidden::Missing(missing.pop().unwrap_or(shared))),
        }))
    }

    /// Ends the reading.
    pub(super) fn finish(self) -> Read<()> {
        let Self {
            clear,
            disclosed,
            missing,
        } = self;
        if clear.is_empty() && disclosed.is_empty() && missing.is_empty() {
            Ok(())
        } else {
            Err(Fault {
                rule: Rule::F6,
                why: "it has a member that this kind does not have".to_owned(),
            })
        }
    }
}

/// The value of a hidden member, if it has the right type.
pub(super) fn known<T>(
    name: &str,
    value: &Json,
    from_json: impl FnOnce(&Json) -> Option<T>,
) -> Read<Hidden<T>> {
    let value = from_json(value).ok_or_else(|| Fault::member(name, "of its type"))?;
    Ok(Hidden::Known(value))
}

/// The value of an optional hidden member.
pub(super) fn optional<T>(
    name: &str,
    member: Option<Hidden<Json>>,
    from_json: impl FnOnce(&Json) -> Option<T>,
) -> Read<Option<Hidden<T>>> {
    match member {
        None => Ok(None),
        Some(Hidden::Missing(digest)) => Ok(Some(Hidden::Missing(digest))),
        Some(Hidden::Known(value)) => known(name, &value, from_json).map(Some),
    }
}

/// The disclosure of a digest, if it is there. What stands beside the log is not trusted to be what it is filed as.
pub(super) fn find(digest: &DisclosureDigest, lookup: Lookup<'_>) -> Read<Option<Disclosure>> {
    match lookup(digest) {
        Some(disclosure) if disclosure.digest() != *digest => Err(Fault {
            rule: Rule::F9,
            why: "a disclosure is not that of its digest".to_owned(),
        }),
        found => Ok(found),
    }
}

/// The digests of an `_sd`: at least one, strictly ascending as texts (F7).
pub(super) fn digests_of(json: &Json) -> Read<Vec<DisclosureDigest>> {
    let fault = || Fault {
        rule: Rule::F7,
        why: "`_sd` is not an ascending array of distinct disclosure digests".to_owned(),
    };
    let texts: Option<Vec<&str>> = json
        .as_array()
        .and_then(|items| items.iter().map(Json::as_str).collect());
    let texts = texts
        .filter(|texts| !texts.is_empty() && texts.is_sorted_by(|a, b| a < b))
        .ok_or_else(fault)?;
    texts
        .into_iter()
        .map(|text| DisclosureDigest::parse(text).map_err(|_| fault()))
        .collect()
}

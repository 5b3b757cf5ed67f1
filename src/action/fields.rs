//! Strict reading of a bound form: every member is expected, of its type, and read once.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{
    disclosure::{Disclosure, DisclosureDigest},
    error::ActionError,
    labels::Labels,
    names::InvalidText,
    sealer::SD,
};
use crate::canonical::{Json, Object};

/// A bound form that cannot be read, and where in it the reason is.
///
/// The message names members but no values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("bound form, `{place}`: {reason}")]
pub struct UnbindError {
    place: String,
    reason: Box<Unreadable>,
}

/// Why a bound form cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// Something is not there, or not what it must be.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A member that the format does not have.
    #[error("there is a member that the format does not have")]
    UnknownMember,
    /// A digest that stands twice.
    #[error("a digest stands here that stands elsewhere too")]
    DigestTwice,
    /// What was given for a digest has another one, or is no disclosure.
    #[error("what was given for a digest is not its disclosure")]
    WrongDisclosure,
    /// A disclosure of a member that is not hidden there, or that is there already.
    #[error("a disclosure is of a member that does not belong here")]
    Misplaced,
    /// A text that its type does not accept.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// What the form holds is beyond the limits of an action.
    #[error(transparent)]
    Action(#[from] ActionError),
}

impl UnbindError {
    pub(super) fn new(place: impl Into<String>, reason: impl Into<Unreadable>) -> Self {
        Self {
            place: place.into(),
            reason: Box::new(reason.into()),
        }
    }

    /// Where in the form.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What is wrong there.
    #[must_use]
    pub fn reason(&self) -> &Unreadable {
        &self.reason
    }
}

/// A hidden member whose disclosure is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The object that the member belonged to, such as `parameters` or `resources[0]`.
    pub place: String,
    /// What is left of it.
    pub digest: DisclosureDigest,
}

/// Finds the disclosures of a form.
pub(super) struct Lookup<'l> {
    find: &'l dyn Fn(&DisclosureDigest) -> Option<Disclosure>,
    seen: BTreeSet<DisclosureDigest>,
}

impl<'l> Lookup<'l> {
    pub(super) fn new(find: &'l dyn Fn(&DisclosureDigest) -> Option<Disclosure>) -> Self {
        Self {
            find,
            seen: BTreeSet::new(),
        }
    }
}

/// The hidden members of one object.
#[derive(Default)]
pub(super) struct HiddenMembers {
    pub(super) disclosed: Object,
    pub(super) erased: Vec<Erased>,
}

/// The one hidden member that an object may have.
pub(super) enum HiddenMember {
    None,
    Disclosed(Json),
    Erased(Erased),
}

/// The members of an object, to be taken one by one.
pub(super) struct Fields<'f> {
    place: String,
    object: &'f Object,
    // INVARIANT: no name is taken twice, so this is the number of members that were taken.
    taken: usize,
}

impl<'f> Fields<'f> {
    pub(super) fn of(json: &'f Json, place: impl Into<String>) -> Result<Self, UnbindError> {
        let place = place.into();
        match json.as_object() {
            Some(object) => Ok(Self {
                place,
                object,
                taken: 0,
            }),
            None => Err(UnbindError::new(place, Unreadable::Expected("an object"))),
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn fault(&self, reason: impl Into<Unreadable>) -> UnbindError {
        UnbindError::new(self.place.as_str(), reason)
    }

    pub(super) fn optional(&mut self, name: &str) -> Option<&'f Json> {
        let value = self.object.get(name)?;
        self.taken += 1;
        Some(value)
    }

    pub(super) fn required(&mut self, name: &'static str) -> Result<&'f Json, UnbindError> {
        self.optional(name)
            .ok_or_else(|| UnbindError::new(self.under(name), Unreadable::Expected("a member")))
    }

    /// A member that is a text.
    pub(super) fn text(&mut self, name: &'static str) -> Result<&'f str, UnbindError> {
        let expected = Unreadable::Expected("a text");
        self.required(name)?
            .as_str()
            .ok_or_else(|| UnbindError::new(self.under(name), expected))
    }

    /// A member that may be absent and else is a text.
    pub(super) fn optional_text(
        &mut self,
        name: &'static str,
    ) -> Result<Option<&'f str>, UnbindError> {
        match self.object.contains(name) {
            true => self.text(name).map(Some),
            false => Ok(None),
        }
    }

    /// A member that is a text which `parse` accepts.
    pub(super) fn parsed<T, E>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, UnbindError> {
        parse(self.text(name)?)
            .map_err(|_| UnbindError::new(self.under(name), Unreadable::Expected(expected)))
    }

    /// A member that may be absent and else is a text which `parse` accepts.
    pub(super) fn optional_parsed<T, E>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, UnbindError> {
        match self.object.contains(name) {
            true => self.parsed(name, expected, parse).map(Some),
            false => Ok(None),
        }
    }

    /// A member that is an object.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Fields<'f>, UnbindError> {
        Fields::of(self.required(name)?, self.under(name))
    }

    /// A member that is a list of objects.
    pub(super) fn objects(&mut self, name: &'static str) -> Result<Vec<Fields<'f>>, UnbindError> {
        let expected = Unreadable::Expected("a list");
        let place = self.under(name);
        self.required(name)?
            .as_array()
            .ok_or_else(|| UnbindError::new(place.as_str(), expected))?
            .iter()
            .enumerate()
            .map(|(index, element)| Fields::of(element, format!("{place}[{index}]")))
            .collect()
    }

    /// The member `labels`: a list of labels in ascending order.
    pub(super) fn labels(&mut self) -> Result<Labels, UnbindError> {
        let fault = |fields: &Self| {
            let expected = Unreadable::Expected("a list of at most 16 labels in ascending order");
            UnbindError::new(fields.under("labels"), expected)
        };
        let list = self.required("labels")?;
        let mut labels = Labels::default();
        let mut texts = Vec::new();
        for label in list.as_array().ok_or_else(|| fault(self))? {
            let text = label.as_str().ok_or_else(|| fault(self))?;
            labels.add(text);
            texts.push(text);
        }
        if labels.check().is_err() || !texts.is_sorted_by(|a, b| a < b) {
            return Err(fault(self));
        }
        Ok(labels)
    }

    /// The members that stand under `_sd`.
    pub(super) fn hidden(&mut self, lookup: &mut Lookup<'_>) -> Result<HiddenMembers, UnbindError> {
        let mut members = HiddenMembers::default();
        let Some(digests) = self.optional(SD) else {
            return Ok(members);
        };
        let expected = || {
            self.fault(Unreadable::Expected(
                "digests in ascending order under `_sd`",
            ))
        };
        let digests = digests
            .as_array()
            .filter(|digests| !digests.is_empty())
            .ok_or_else(expected)?
            .iter()
            .map(|digest| DisclosureDigest::parse(digest.as_str()?).ok())
            .collect::<Option<Vec<_>>>()
            .filter(|digests| digests.is_sorted_by(|a, b| a < b))
            .ok_or_else(expected)?;
        for digest in digests {
            if !lookup.seen.insert(digest) {
                return Err(self.fault(Unreadable::DigestTwice));
            }
            let Some(disclosure) = (lookup.find)(&digest) else {
                let place = self.place.clone();
                members.erased.push(Erased { place, digest });
                continue;
            };
            if disclosure.digest() != digest {
                return Err(self.fault(Unreadable::WrongDisclosure));
            }
            let disclosed = disclosure
                .open()
                .map_err(|_| self.fault(Unreadable::WrongDisclosure))?;
            let is_clear = self.object.contains(&disclosed.name);
            if is_clear || members.disclosed.contains(&disclosed.name) {
                return Err(self.fault(Unreadable::Misplaced));
            }
            members.disclosed.insert(disclosed.name, disclosed.value);
        }
        Ok(members)
    }

    /// The member that stands under `_sd`, which is this one if there is any.
    pub(super) fn hidden_member(
        &mut self,
        name: &str,
        lookup: &mut Lookup<'_>,
    ) -> Result<HiddenMember, UnbindError> {
        let HiddenMembers {
            mut disclosed,
            mut erased,
        } = self.hidden(lookup)?;
        let value = disclosed.remove(name);
        match (value, erased.pop(), disclosed.len() + erased.len()) {
            (Some(value), None, 0) => Ok(HiddenMember::Disclosed(value)),
            (None, Some(erased), 0) if !self.object.contains(name) => {
                Ok(HiddenMember::Erased(erased))
            }
            (None, None, 0) => Ok(HiddenMember::None),
            _ => Err(self.fault(Unreadable::Misplaced)),
        }
    }

    /// Ends the reading.
    pub(super) fn end(self) -> Result<(), UnbindError> {
        if self.taken == self.object.len() {
            Ok(())
        } else {
            Err(self.fault(Unreadable::UnknownMember))
        }
    }

    fn under(&self, name: &str) -> String {
        if self.place.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.place)
        }
    }
}

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use super::ReceiptError;
use crate::action::{Disclosed, Disclosure, DisclosureDigest};
use crate::canonical::{Json, Object};
use crate::log::{sd, statement::Statement};

/// A hidden member of a record, opened by a disclosure in a verified receipt.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedMember {
    object: String,
    name: String,
    value: Json,
}

impl OpenedMember {
    /// The object that the member belongs to, as a JSON pointer (RFC 6901) in the record's body: `/bound/parameters`.
    ///
    /// The empty one is the body itself.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &Json {
        &self.value
    }

    /// The member's own JSON pointer in the body: `/bound/parameters/to`.
    #[must_use]
    pub fn pointer(&self) -> String {
        below(&self.object, &self.name)
    }
}

/// Neither name nor value: both may say what nobody else should know.
impl fmt::Debug for OpenedMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedMember({:?}, «hidden»)", self.object)
    }
}

/// What disclosures make of a record's hidden members.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) members: Vec<(DisclosureDigest, OpenedMember)>,
    /// How many hidden members have no disclosure here.
    pub(super) withheld: usize,
}

/// The hidden members of a record whose disclosures are at hand, in the order of the body, with their digests.
///
/// # Errors
/// [`ReceiptError`] for disclosures that are not those of the record.
pub(crate) fn open_members(
    statement: &Statement,
    disclosures: &[Disclosure],
) -> Result<Vec<(DisclosureDigest, OpenedMember)>, ReceiptError> {
    open(statement, disclosures).map(|opened| opened.members)
}

/// Opens the members of a record that these disclosures are of, in the order of the body.
///
/// # Errors
/// [`ReceiptError`] for a disclosure that is there twice or that no object of the body names, and for a member that
/// collides with another.
pub(super) fn open(
    statement: &Statement,
    disclosures: &[Disclosure],
) -> Result<Opened, ReceiptError> {
    let mut left = HashMap::with_capacity(disclosures.len());
    for disclosure in disclosures {
        if left.insert(disclosure.digest(), disclosure).is_some() {
            return Err(ReceiptError::Repeated);
        }
    }
    let mut opening = Opening {
        left,
        opened: Opened::default(),
    };
    // What hides members in another version is not known here, so that none of its disclosures has a place.
    if statement.is_of_this_version() {
        opening.object(&statement.body, None)?;
    }
    if opening.left.is_empty() {
        Ok(opening.opened)
    } else {
        Err(ReceiptError::Stray)
    }
}

/// Where an object or array stands in the body; only of what hides something a pointer is made.
struct Place<'p> {
    above: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Member(&'p str),
    Element(usize),
}

impl Place<'_> {
    fn pointer(&self) -> String {
        let above = pointer(self.above);
        match self.step {
            Step::Member(name) => below(&above, name),
            Step::Element(index) => format!("{above}/{index}"),
        }
    }
}

fn pointer(place: Option<&Place<'_>>) -> String {
    place.map(Place::pointer).unwrap_or_default()
}

struct Opening<'d> {
    /// The disclosures whose places were not met yet.
    left: HashMap<DisclosureDigest, &'d Disclosure>,
    opened: Opened,
}

impl Opening<'_> {
    /// The parser of statements bounds how deep this goes.
    fn object(&mut self, object: &Object, place: Option<&Place<'_>>) -> Result<(), ReceiptError> {
        for (name, value) in object {
            if name == "_sd" {
                self.hidden(object, value, place)?;
            } else {
                let step = Step::Member(name);
                self.value(value, &Place { above: place, step })?;
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &Json, place: &Place<'_>) -> Result<(), ReceiptError> {
        match value {
            Json::Object(object) => self.object(object, Some(place)),
            Json::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    let above = Some(place);
                    let step = Step::Element(index);
                    self.value(element, &Place { above, step })?;
                }
                Ok(())
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Ok(()),
        }
    }

    fn hidden(
        &mut self,
        object: &Object,
        sd: &Json,
        place: Option<&Place<'_>>,
    ) -> Result<(), ReceiptError> {
        if self.left.is_empty() {
            self.opened.withheld += sd.as_array().map_or(0, <[Json]>::len);
            return Ok(());
        }
        let pointer = pointer(place);
        let mut names = HashSet::new();
        // The parser has seen that it is an array of digests, each of which stands once in the record.
        for digest in sd::digests(sd).unwrap_or_default() {
            let Some(disclosure) = self.left.remove(&digest) else {
                self.opened.withheld += 1;
                continue;
            };
            let Disclosed {
                salt: _,
                name,
                value,
            } = disclosure.open()?;
            if object.contains(&name) || !names.insert(name.clone()) {
                return Err(ReceiptError::Colliding);
            }
            let member = OpenedMember {
                object: pointer.clone(),
                name,
                value,
            };
            self.opened.members.push((digest, member));
        }
        Ok(())
    }
}

/// The JSON pointer of a member or element of what `pointer` points to.
fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

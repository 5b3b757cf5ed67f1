use super::{
    disclosure::{Disclosure, DisclosureDigest, is_reserved},
    salt::{NoEntropy, SaltSource},
};
use crate::canonical::{Json, Object};

/// Hides members of objects and collects their disclosures.
#[derive(Debug)]
pub struct Sealer<'s> {
    salts: Salts<'s>,
    disclosures: Vec<Disclosure>,
}

struct Salts<'s>(&'s mut dyn SaltSource);

impl std::fmt::Debug for Salts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dyn SaltSource")
    }
}

impl<'s> Sealer<'s> {
    /// A sealer that salts from this source.
    #[must_use]
    pub fn new(salts: &'s mut dyn SaltSource) -> Self {
        Self {
            salts: Salts(salts),
            disclosures: Vec::with_capacity(8),
        }
    }

    /// Hides a member of an object.
    ///
    /// # Errors
    /// [`NoEntropy`] if there is no salt to be had.
    pub fn hide(&mut self, into: &mut SdObject, name: &str, value: &Json) -> Result<(), NoEntropy> {
        let digest = self.seal(name, |out| value.write_canonical(out))?;
        into.digests.push(digest);
        Ok(())
    }

    /// Hides a value that is written canonically, and whose digest the caller puts where it belongs.
    pub(super) fn seal(
        &mut self,
        name: &str,
        value: impl FnOnce(&mut Vec<u8>),
    ) -> Result<DisclosureDigest, NoEntropy> {
        let disclosure = Disclosure::written(&self.salts.0.salt()?, name, value);
        let digest = disclosure.digest();
        self.disclosures.push(disclosure);
        Ok(digest)
    }

    /// The disclosures of everything that was hidden, in that order.
    #[must_use]
    pub fn into_disclosures(self) -> Vec<Disclosure> {
        self.disclosures
    }
}

/// An object in the making, some of whose members are hidden (RFC 9901, section 4.2.4.1).
#[derive(Clone, Debug, Default)]
pub struct SdObject {
    members: Object,
    digests: Vec<DisclosureDigest>,
}

impl SdObject {
    /// An object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: Object::new(),
            digests: Vec::new(),
        }
    }

    /// Sets a member in the clear.
    pub fn set(&mut self, name: &str, value: impl Into<Json>) {
        debug_assert!(!is_reserved(name), "RFC 9901, section 4.2.1");
        self.members.insert(name.to_owned(), value.into());
    }

    /// The object, with its digests under `_sd` in ascending order if there are any.
    #[must_use]
    pub fn into_object(self) -> Object {
        let Self {
            mut members,
            digests,
        } = self;
        if !digests.is_empty() {
            let mut texts: Vec<_> = digests.iter().map(ToString::to_string).collect();
            texts.sort_unstable();
            let texts = texts.into_iter().map(Json::String).collect();
            members.insert(SD.to_owned(), Json::Array(texts));
        }
        members
    }
}

impl From<SdObject> for Json {
    fn from(object: SdObject) -> Self {
        Self::Object(object.into_object())
    }
}

/// The member that holds the digests of hidden ones.
pub(super) const SD: &str = "_sd";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::action::salt::SeededSalts;

    #[test]
    fn an_object_shows_digests_in_place_of_hidden_members() {
        let mut salts = SeededSalts::new(1);
        let mut sealer = Sealer::new(&mut salts);
        let mut object = SdObject::new();
        object.set("person", "p-1");
        for name in ["comment", "id", "ticket"] {
            sealer
                .hide(&mut object, name, &Json::from("secret"))
                .unwrap();
        }
        let mut expected: Vec<_> = sealer
            .into_disclosures()
            .iter()
            .map(|disclosure| disclosure.digest().to_string())
            .collect();
        expected.sort();
        let object = object.into_object();
        let listed: Vec<_> = object
            .get("_sd")
            .and_then(Json::as_array)
            .unwrap()
            .iter()
            .map(|digest| digest.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(listed, expected);
        assert!(!format!("{object:?}").contains("secret"));
        assert!(SdObject::new().into_object().is_empty());
    }
}

use std::{cmp::Ordering, fmt};

use base64ct::{Base64UrlUnpadded, Encoding};
use thiserror::Error;

use super::{salt::Salt, value::MAX_DEPTH};
use crate::canonical::{Admission, Digest, Json, Scan, admit, write_string};

/// A hidden member of a record, as it stands beside the log (RFC 9901, section 4.2.1).
///
/// Its text is the base64url form of the canonical JSON array of a salt, the member's name and its
/// value. Records hold the [`DisclosureDigest`] of that text, so whoever has the text can show that
/// this is what was recorded, and without it nobody can tell or guess.
///
/// `Debug` hides all of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    // INVARIANT: `text` is in the one form that `parse` accepts, and `digest` is its digest.
    text: String,
    digest: DisclosureDigest,
}

/// What a [`Disclosure`] discloses.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// The salt of the value.
    pub salt: Salt,
    /// The member's name.
    pub name: String,
    /// The member's value.
    pub value: Json,
}

/// More than this library ever hides in one disclosure.
fn limits() -> Admission {
    Admission::default()
        .with_max_bytes(2 << 20)
        .with_max_depth(MAX_DEPTH + 8)
}

impl Disclosure {
    /// Hides a value under a name, which is neither `_sd` nor `...`.
    #[must_use]
    pub fn new(salt: &Salt, name: &str, value: &Json) -> Self {
        Self::written(salt, name, |out| value.write_canonical(out))
    }

    /// Hides a value that is written canonically.
    pub(super) fn written(salt: &Salt, name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Self {
        debug_assert!(!is_reserved(name), "RFC 9901, section 4.2.1");
        let mut array = Vec::with_capacity(128);
        array.extend_from_slice(b"[\"");
        salt.write_text(&mut array);
        array.extend_from_slice(b"\",");
        write_string(&mut array, name);
        array.push(b',');
        value(&mut array);
        array.push(b']');
        Self::of_text(Base64UrlUnpadded::encode_string(&array))
    }

    /// Reads the text of a disclosure, in its one spelling.
    ///
    /// # Errors
    /// [`NotADisclosure`] unless it is canonical base64url of the canonical JSON of an array of a
    /// salt of 16 bytes, a name that is neither `_sd` nor `...`, and a value (format rule F9).
    pub fn parse(text: &str) -> Result<Self, NotADisclosure> {
        read(text)?;
        Ok(Self::of_text(text.to_owned()))
    }

    /// As [`Disclosure::parse`], with the name of the member and without making values where the array is
    /// a plain one; `scratch` is room that is used again.
    pub(crate) fn named(
        text: String,
        scratch: &mut Vec<u8>,
    ) -> Result<(Self, String), NotADisclosure> {
        let name = match plain_name(&text, scratch) {
            Some(name) => name.to_owned(),
            None => read(&text)?.name,
        };
        Ok((Self::of_text(text), name))
    }

    /// The salt, the name and the value.
    ///
    /// # Errors
    /// Never for what [`Disclosure::new`] and [`Disclosure::parse`] made within the limits of an action.
    pub fn open(&self) -> Result<Disclosed, NotADisclosure> {
        read(&self.text)
    }

    /// The base64url text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The digest that stands in the record.
    #[must_use]
    pub const fn digest(&self) -> DisclosureDigest {
        self.digest
    }

    fn of_text(text: String) -> Self {
        let digest = DisclosureDigest(Digest::sha256(text.as_bytes()));
        Self { text, digest }
    }
}

/// The name in the text of a disclosure; `None` if it is for [`read`] to judge.
fn plain_name<'s>(text: &str, scratch: &'s mut Vec<u8>) -> Option<&'s str> {
    // Four characters for three bytes, the last of them unfilled.
    scratch.resize(text.len() / 4 * 3 + 3, 0);
    let bytes = Base64UrlUnpadded::decode(text, scratch).ok()?;
    // Only the last characters can have unused bits, and so a second spelling.
    let whole = bytes.len() / 3;
    let mut end = [0; 4];
    let end = Base64UrlUnpadded::encode(bytes.get(whole * 3..)?, &mut end).ok()?;
    if text.get(whole * 4..)? != end {
        return None;
    }
    let mut scan = Scan::of(bytes)?;
    scan.literal("[")?;
    Salt::parse(scan.plain_string()?)?;
    scan.literal(",")?;
    let name = scan.plain_string()?;
    scan.literal(",")?;
    scan.value(MAX_DEPTH)?;
    scan.literal("]")?;
    (scan.is_at_end() && !is_reserved(name)).then_some(name)
}

fn read(text: &str) -> Result<Disclosed, NotADisclosure> {
    let bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_| NotADisclosure)?;
    let json = admit(&bytes, &limits()).map_err(|_| NotADisclosure)?;
    // There is one spelling of the base64url, and one of the JSON in it.
    if json.to_canonical() != bytes || Base64UrlUnpadded::encode_string(&bytes) != text {
        return Err(NotADisclosure);
    }
    let Json::Array(elements) = json else {
        return Err(NotADisclosure);
    };
    let Ok([Json::String(salt), Json::String(name), value]) = <[Json; 3]>::try_from(elements)
    else {
        return Err(NotADisclosure);
    };
    if is_reserved(&name) {
        return Err(NotADisclosure);
    }
    let salt = Salt::parse(&salt).ok_or(NotADisclosure)?;
    Ok(Disclosed { salt, name, value })
}

/// Whether selective disclosure gives the name a meaning of its own.
pub(super) fn is_reserved(name: &str) -> bool {
    matches!(name, "_sd" | "...")
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disclosure({})", self.digest)
    }
}

impl fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disclosed(«hidden»)")
    }
}

/// The text is not a disclosure; the message does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a disclosure is the canonical base64url text of a canonical JSON array of salt, name and value"
)]
pub struct NotADisclosure;

/// What a record holds in place of a hidden member: `SHA-256` of the disclosure's text.
///
/// Written as base64url without padding, 43 characters; ordered as that text is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DisclosureDigest(Digest);

impl DisclosureDigest {
    /// Takes a digest for that of a disclosure.
    #[must_use]
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The bare digest.
    #[must_use]
    pub const fn as_digest(&self) -> &Digest {
        &self.0
    }

    /// Reads exactly what `Display` writes.
    ///
    /// # Errors
    /// [`NotADisclosureDigest`] for any other spelling.
    pub fn parse(text: &str) -> Result<Self, NotADisclosureDigest> {
        let mut bytes = [0; 32];
        let length = Base64UrlUnpadded::decode(text, &mut bytes).map_or(0, <[u8]>::len);
        let digest = Self(Digest::from_bytes(bytes));
        if length == bytes.len() && digest.text() == text.as_bytes() {
            Ok(digest)
        } else {
            Err(NotADisclosureDigest)
        }
    }

    /// What `Display` writes.
    pub(super) fn text(&self) -> [u8; 43] {
        let mut text = [0; 43];
        // 32 bytes are exactly 43 characters, so this cannot fail.
        let written = Base64UrlUnpadded::encode(self.0.as_bytes(), &mut text);
        debug_assert!(written.is_ok());
        text
    }
}

impl Ord for DisclosureDigest {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text().cmp(&other.text())
    }
}

impl PartialOrd for DisclosureDigest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for DisclosureDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for DisclosureDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not the digest of a disclosure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the digest of a disclosure is written as exactly 43 characters of base64url")]
pub struct NotADisclosureDigest;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    fn encoded(json: &str) -> String {
        Base64UrlUnpadded::encode_string(json.as_bytes())
    }

    #[test]
    fn a_disclosure_is_the_one_of_rfc_9901() {
        let salt = Salt::from_bytes([0xff; 16]);
        let disclosure = Disclosure::new(&salt, "to", &Json::from("rita"));
        let bytes = Base64UrlUnpadded::decode_vec(disclosure.as_str()).unwrap();
        assert_eq!(bytes, br#"["_____________________w","to","rita"]"#);
        let digest = Digest::sha256(disclosure.as_str().as_bytes());
        assert_eq!(disclosure.digest().as_digest(), &digest);
        assert_eq!(Disclosure::parse(disclosure.as_str()).unwrap(), disclosure);
        let Disclosed { name, value, .. } = disclosure.open().unwrap();
        assert_eq!((name.as_str(), value), ("to", Json::from("rita")));
        let debug = format!("{disclosure:?} {:?}", disclosure.open());
        assert!(!debug.contains("rita"), "{debug}");
    }

    proptest! {
        #[test]
        fn the_quick_reader_never_differs(
            text in r#"\["[A-Q_-]{21}[AQgwB]","(to|_sd|é|\\n|)",(1|-0|1\.50?|"x"|\{"a":[1 ]\}|\[\[\]\])\]"#,
            tail in "[A-Za-z_=-]{0,2}",
        ) {
            let text = encoded(&text);
            for text in [text.clone(), format!("{text}{tail}"), text[1..].to_owned(), text[..text.len() - 1].to_owned() + &tail] {
                let slow = Disclosure::parse(&text).map(|one| {
                    let name = one.open().unwrap().name;
                    (one, name)
                });
                let quick = Disclosure::named(text.clone(), &mut vec![7; 500]);
                prop_assert_eq!(quick, slow, "{}", text);
            }
        }
    }

    #[test]
    fn a_disclosure_has_one_spelling() {
        let good = encoded(r#"["AAAAAAAAAAAAAAAAAAAAAA","to",[1,{"a":2}]]"#);
        assert!(Disclosure::parse(&good).is_ok());
        for wrong in [
            r#"["AAAAAAAAAAAAAAAAAAAAAA","to",[1, {"a":2}]]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA","to",1.0]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA","_sd",1]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA","...",1]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAB","to",1]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAA","to",1]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA","to"]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA","to",1,2]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA",1,1]"#,
            r#"{"AAAAAAAAAAAAAAAAAAAAAA":1}"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA","to",{"a":1,"a":1}]"#,
            "",
        ] {
            assert!(Disclosure::parse(&encoded(wrong)).is_err(), "{wrong}");
        }
        for wrong in [
            format!("{good}="),
            format!("{good} "),
            good.replace('W', "+"),
        ] {
            assert!(Disclosure::parse(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn digests_are_ordered_as_their_text_is() {
        let digest = |first| {
            let mut bytes = [0; 32];
            bytes[0] = first;
            DisclosureDigest::from_digest(Digest::from_bytes(bytes))
        };
        // `-` stands for 62 and sorts before `A`, which stands for 0.
        let (zero, sixty_two) = (digest(0), digest(62 << 2));
        assert!(zero.to_string().starts_with('A') && sixty_two.to_string().starts_with('-'));
        assert!(sixty_two < zero);
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = DisclosureDigest::from_digest(Digest::sha256(b"x"));
        let text = digest.to_string();
        assert_eq!(text.len(), 43);
        assert_eq!(DisclosureDigest::parse(&text), Ok(digest));
        // The last character carries two unused bits.
        let zero = DisclosureDigest::from_digest(Digest::from_bytes([0; 32])).to_string();
        assert!(DisclosureDigest::parse(&zero).is_ok());
        assert!(DisclosureDigest::parse(&format!("{}B", &zero[..42])).is_err());
        assert!(DisclosureDigest::parse(&text[..42]).is_err());
        assert!(DisclosureDigest::parse(&format!("{text}=")).is_err());
        assert!(DisclosureDigest::parse("").is_err());
    }
}

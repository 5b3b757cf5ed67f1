use std::borrow::Cow;

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::action::{Disclosure, DisclosureDigest, NotADisclosure};

/// How the text of a sealed disclosure begins; no base64url text does.
const MARK: char = '~';
/// How long the text of a digest is.
const DIGEST: usize = 43;

/// A disclosure as a store keeps it: in clear, or sealed under a key that lies elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Whoever reads the store reads the value.
    Clear(Disclosure),
    /// Whoever reads the store learns the digest, which the record says as well, and about how long the value is.
    Sealed(Sealed),
}

/// A disclosure under a key that does not lie in the store; when the key is destroyed, no copy of the store has the value any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    digest: DisclosureDigest,
    bytes: Vec<u8>,
}

impl Kept {
    /// Reads what [`Kept::to_text`] writes, in its one spelling.
    ///
    /// # Errors
    /// [`NotADisclosure`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotADisclosure> {
        if Sealed::is_meant(text) {
            Sealed::parse(text).map(Self::Sealed)
        } else {
            Disclosure::parse(text).map(Self::Clear)
        }
    }

    /// As a store writes it down.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Clear(disclosure) => Cow::Borrowed(disclosure.as_str()),
            Self::Sealed(sealed) => Cow::Owned(sealed.to_text()),
        }
    }

    /// The digest that stands in the record.
    #[must_use]
    pub const fn digest(&self) -> DisclosureDigest {
        match self {
            Self::Clear(disclosure) => disclosure.digest(),
            Self::Sealed(sealed) => sealed.digest,
        }
    }

    /// The disclosure, unless it is sealed.
    #[must_use]
    pub const fn clear(&self) -> Option<&Disclosure> {
        match self {
            Self::Clear(disclosure) => Some(disclosure),
            Self::Sealed(_) => None,
        }
    }

    /// How many bytes its text has, about.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Clear(disclosure) => disclosure.as_str().len(),
            Self::Sealed(sealed) => 1 + DIGEST + sealed.bytes.len() / 3 * 4 + 3,
        }
    }
}

impl From<Disclosure> for Kept {
    fn from(disclosure: Disclosure) -> Self {
        Self::Clear(disclosure)
    }
}

impl Sealed {
    /// What was sealed, by its digest and as it came out of the cipher.
    #[must_use]
    pub const fn new(digest: DisclosureDigest, bytes: Vec<u8>) -> Self {
        Self { digest, bytes }
    }

    /// The digest that stands in the record.
    #[must_use]
    pub const fn digest(&self) -> DisclosureDigest {
        self.digest
    }

    /// What the cipher made of the disclosure.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a text is to be read as a sealed disclosure.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.starts_with(MARK)
    }

    /// Reads what [`Sealed::to_text`] writes, in its one spelling.
    ///
    /// # Errors
    /// [`NotADisclosure`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotADisclosure> {
        let rest = text.strip_prefix(MARK).ok_or(NotADisclosure)?;
        let (digest, bytes) = rest.split_at_checked(DIGEST).ok_or(NotADisclosure)?;
        let digest = DisclosureDigest::parse(digest).map_err(|_| NotADisclosure)?;
        let read = Base64UrlUnpadded::decode_vec(bytes).map_err(|_| NotADisclosure)?;
        // The last character can have unused bits, and so a second spelling.
        if Base64UrlUnpadded::encode_string(&read) != bytes {
            return Err(NotADisclosure);
        }
        Ok(Self::new(digest, read))
    }

    /// The mark, the digest, and the base64url of what the cipher made.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { digest, bytes } = self;
        let bytes = Base64UrlUnpadded::encode_string(bytes);
        format!("{MARK}{digest}{bytes}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::action::Salt;
    use crate::canonical::Json;

    #[test]
    fn what_is_kept_has_one_spelling() {
        let clear = Disclosure::new(&Salt::from_bytes([1; 16]), "to", &Json::from("rita"));
        for bytes in [vec![], vec![0], vec![7; 17], vec![255; 40]] {
            let sealed = Kept::Sealed(Sealed::new(clear.digest(), bytes));
            let text = sealed.to_text();
            assert_eq!(Kept::parse(&text).unwrap(), sealed);
            assert_eq!(sealed.digest(), clear.digest());
            for wrong in [
                format!("{text}="),
                format!("{text} "),
                text.replace('~', ""),
                format!("~{text}"),
                text.get(..43).unwrap().to_owned(),
            ] {
                assert!(Kept::parse(&wrong).is_err(), "{wrong}");
            }
        }
        // One byte is two characters, of which the last has four unused bits.
        assert!(Kept::parse(&format!("~{}AA", clear.digest())).is_ok());
        assert!(Kept::parse(&format!("~{}AB", clear.digest())).is_err());
        let kept = Kept::from(clear.clone());
        assert_eq!(kept.to_text(), clear.as_str());
        assert_eq!(Kept::parse(&kept.to_text()).unwrap(), kept);
    }
}

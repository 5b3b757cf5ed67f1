use std::fmt;

use thiserror::Error;

/// What a person is called in one log: random, so that it says nothing in another.
///
/// Written as `p-` and 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 16]);

impl Pseudonym {
    /// The pseudonym with these bytes, which must be random for a new one.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads exactly what `Display` writes.
    ///
    /// # Errors
    /// [`NotAPseudonym`] for any other spelling.
    pub fn parse(text: &str) -> Result<Self, NotAPseudonym> {
        let digits = text.strip_prefix("p-").ok_or(NotAPseudonym)?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        if digits.len() != 32 || !digits.bytes().all(is_hex) {
            return Err(NotAPseudonym);
        }
        u128::from_str_radix(digits, 16)
            .map(|number| Self(number.to_be_bytes()))
            .map_err(|_| NotAPseudonym)
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p-{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a pseudonym.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a pseudonym is `p-` and 32 lower-case hexadecimal digits")]
pub struct NotAPseudonym;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_has_one_spelling() {
        let pseudonym = Pseudonym::from_bytes([0x0a; 16]);
        let text = pseudonym.to_string();
        assert_eq!(text, "p-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a");
        assert_eq!(Pseudonym::parse(&text), Ok(pseudonym));
        for wrong in [
            "",
            "p-",
            "p-0",
            &text.to_uppercase(),
            &text.replace('-', "_"),
            &format!("{text}0"),
            &text.replace("0a", "+a"),
        ] {
            assert_eq!(Pseudonym::parse(wrong), Err(NotAPseudonym), "{wrong}");
        }
    }
}

use std::fmt;

use sha2::{Digest as _, Sha256, block_api::compress256};
use thiserror::Error;

use super::write::hex_digit;

/// A SHA-256 digest.
///
/// Digests that this library defines are domain-separated ([`Digest::of`]), so that bytes of one
/// purpose never pass for bytes of another. The bare forms exist for formats that others define,
/// such as RFC 6962 and RFC 9901.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// `SHA-256(domain ‖ 0x00 ‖ bytes)`; the domain is a name such as `countersign/action/v1` and
    /// holds no zero byte.
    #[must_use]
    pub fn of(domain: &str, bytes: &[u8]) -> Self {
        debug_assert!(!domain.contains('\0'), "a zero byte ends the domain");
        Self::of_parts(&[domain.as_bytes(), &[0], bytes])
    }

    /// Bare `SHA-256(bytes)`, for formats that others define.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Bare SHA-256 over the parts as if they were one, without anything between them.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// Bare SHA-256 of one byte and two digests, without the hasher's buffer: a tree hashes many of them.
    pub(crate) fn of_pair(first: u8, left: &Self, right: &Self) -> Self {
        /// How SHA-256 begins (FIPS 180-4, section 5.3.3).
        const START: [u32; 8] = [
            0x6a09_e667,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        // 65 bytes, a bit that ends them, zeros, and their length in bits fill two blocks (section 5.1.1).
        let mut blocks = [0; 128];
        let (message, end) = blocks.split_at_mut(65);
        let (kind, children) = message.split_at_mut(1);
        let (to_left, to_right) = children.split_at_mut(32);
        kind.fill(first);
        to_left.copy_from_slice(&left.0);
        to_right.copy_from_slice(&right.0);
        let (bit, rest) = end.split_at_mut(1);
        let (_, length) = rest.split_at_mut(rest.len() - 8);
        bit.fill(0x80);
        length.copy_from_slice(&(65_u64 * 8).to_be_bytes());
        let mut state = START;
        let (blocks, _) = blocks.as_chunks::<64>();
        compress256(&mut state, blocks);
        let mut digest = [0; 32];
        let (words, _) = digest.as_chunks_mut::<4>();
        for (word, value) in words.iter_mut().zip(state) {
            *word = value.to_be_bytes();
        }
        Self(digest)
    }

    /// The digest with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.to_string()
    }

    /// Reads exactly 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`NotADigest`] for anything else, upper-case digits included: a digest has one spelling.
    pub fn parse_hex(text: &str) -> Result<Self, NotADigest> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(NotADigest);
        };
        if pairs.len() != 32 {
            return Err(NotADigest);
        }
        let mut bytes = [0; 32];
        let mut wrong = 0;
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = (nibble(*high), nibble(*low));
            wrong |= high | low;
            *byte = high << 4 | low & 0x0F;
        }
        if wrong > 0x0F {
            return Err(NotADigest);
        }
        Ok(Self(bytes))
    }

    /// The first six hexadecimal digits, for people to tell requests apart.
    ///
    /// Never compare it instead of the digest: another value with the same six is found in no time.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(6).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        let (pairs, _) = text.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.0) {
            *pair = [hex_digit(byte >> 4), hex_digit(byte & 0x0F)];
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The value of a digit, or more than any digit has.
const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => 0xFF,
    }
}

/// The text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a digest is written as exactly 64 lower-case hexadecimal digits")]
pub struct NotADigest;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_domain_is_separated_by_a_zero_byte() {
        let by_hand = Digest::sha256(b"countersign/test/v1\0abc");
        assert_eq!(Digest::of("countersign/test/v1", b"abc"), by_hand);
        assert_ne!(
            Digest::of("countersign/test/v1", b"abc"),
            Digest::of("countersign/test/v1a", b"bc")
        );
        assert_eq!(
            Digest::of_parts(&[b"ab", b"", b"c"]),
            Digest::sha256(b"abc")
        );
    }

    #[test]
    fn a_pair_is_hashed_as_its_bytes_are() {
        for number in 0..=255_u8 {
            let (left, right) = (Digest::sha256(&[number]), Digest::sha256(&[1, number]));
            let parts: [&[u8]; 3] = [&[number], left.as_bytes(), right.as_bytes()];
            assert_eq!(
                Digest::of_pair(number, &left, &right),
                Digest::of_parts(&parts)
            );
        }
    }

    #[test]
    fn sha256_is_the_one_of_fips_180() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = Digest::sha256(b"abc");
        assert_eq!(digest.to_hex(), hex);
        assert_eq!(format!("{digest:?}"), hex);
        assert_eq!(digest.short(), "ba7816");
        assert_eq!(Digest::parse_hex(hex).unwrap(), digest);
        assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let hex = Digest::sha256(b"abc").to_hex();
        for wrong in [
            "",
            &hex[..63],
            &hex[..62],
            &format!("{hex}0"),
            &format!("{hex}00"),
            &hex.to_uppercase(),
            &format!(" {}", &hex[1..]),
            &format!("{}g", &hex[..63]),
            &format!("{}é", &hex[..62]),
            &format!("0x{}", &hex[2..]),
        ] {
            assert_eq!(Digest::parse_hex(wrong), Err(NotADigest), "{wrong}");
        }
    }
}

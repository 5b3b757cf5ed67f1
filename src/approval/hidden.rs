//! Values that a record only commits to.

use std::fmt;

use crate::action::DisclosureDigest;

/// A value that stands in a record as the digest of its disclosure.
///
/// Whoever writes a record knows it; whoever reads one may not, since a disclosure can be erased, or withheld from this reader.
/// `Debug` never prints the value.
#[derive(Clone, PartialEq, Eq)]
pub enum Hidden<T> {
    /// The value, known.
    Known(T),
    /// Only a digest is left.
    ///
    /// Digests do not say which member they stand for. Where a record could hide more optional members than it has
    /// unexplained digests, each of these members reads as missing, with one of the digests.
    Missing(DisclosureDigest),
}

impl<T> Hidden<T> {
    /// The value, unless its disclosure is missing.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Missing(_) => None,
        }
    }
}

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(_) => f.write_str("«hidden»"),
            Self::Missing(digest) => write!(f, "«missing {digest}»"),
        }
    }
}

use std::fmt;

/// Whether records show a value or hide it behind a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clarity {
    /// Everyone who reads the log reads the value, and it cannot be erased.
    Clear,
    /// Records hold a salted digest; the value stands beside them and can be erased.
    Hidden,
}

/// What `Debug` prints for a hidden value.
pub(super) const HIDDEN: &str = "«hidden»";

/// A value as `Debug` may print it.
pub(super) struct Shown<T>(pub(super) T, pub(super) Clarity);

impl<T: fmt::Debug> fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Clarity::Clear => self.0.fmt(f),
            Clarity::Hidden => f.write_str(HIDDEN),
        }
    }
}

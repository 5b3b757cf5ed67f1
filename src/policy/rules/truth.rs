//! Three-valued logic.

/// Whether a condition holds (Kleene's strong logic).
///
/// The order is that of truth, so that `and` is the minimum and `or` the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    No,
    /// A value is missing, null, or of a type that the condition cannot judge.
    Unknown,
    Yes,
}

impl Truth {
    /// Whether all hold; the first `No` settles it.
    pub fn all(items: impl IntoIterator<Item = Self>) -> Self {
        let mut so_far = Self::Yes;
        for item in items {
            so_far = so_far.min(item);
            if so_far == Self::No {
                break;
            }
        }
        so_far
    }

    /// Whether one holds; the first `Yes` settles it.
    pub fn any(items: impl IntoIterator<Item = Self>) -> Self {
        let mut so_far = Self::No;
        for item in items {
            so_far = so_far.max(item);
            if so_far == Self::Yes {
                break;
            }
        }
        so_far
    }

    /// The opposite; not knowing stays not knowing.
    #[must_use]
    pub fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

use std::collections::BTreeMap;
use std::fmt;

/// Findings of one sort: how many there are, and the first of them.
///
/// A log that is wrong in every record must not fill the memory of whoever checks it, so only the first
/// [`Listed::MOST`] are kept, in the order of the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// By record, and by arrival within one.
    kept: BTreeMap<(u64, u64), T>,
    total: u64,
}

impl<T> Listed<T> {
    /// The most that are kept.
    pub const MOST: usize = 1000;

    pub(super) fn add(&mut self, seq: u64, finding: T) {
        self.kept.insert((seq, self.total), finding);
        self.total = self.total.saturating_add(1);
        if self.kept.len() > Self::MOST {
            self.kept.pop_last();
        }
    }

    /// How many there are, kept or not.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Those that are kept, ascending by record.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> + '_ {
        self.kept.values()
    }

    /// The one with the lowest record.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        self.kept.first_key_value().map(|(_, finding)| finding)
    }

    /// Those with the lowest record.
    pub(super) fn of_first(&self) -> impl Iterator<Item = &T> + '_ {
        let first = self.kept.first_key_value().map(|((seq, _), _)| *seq);
        self.kept
            .iter()
            .take_while(move |((seq, _), _)| Some(*seq) == first)
            .map(|(_, finding)| finding)
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            kept: BTreeMap::new(),
            total: 0,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Listed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in all, of which ", self.total)?;
        f.debug_list().entries(self.kept.values()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_are_kept_and_all_are_counted() {
        let mut listed = Listed::default();
        for seq in (0..3000).rev() {
            listed.add(seq, seq);
        }
        listed.add(0, 7);
        assert_eq!(listed.total(), 3001);
        assert_eq!(listed.first(), Some(&0));
        assert_eq!(
            listed.iter().take(3).copied().collect::<Vec<_>>(),
            [0, 7, 1]
        );
        assert_eq!(listed.iter().len(), Listed::<u64>::MOST);
    }
}

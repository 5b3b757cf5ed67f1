//! Requests whose life is over: what is left of each is 32 bytes.

use crate::action::{ActionDigest, RequestId};
use crate::approval::At;

/// What is left of a request whose life is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub request: RequestId,
    /// The record that filed it.
    pub first: At,
    /// What it was about.
    pub action: ShortDigest,
}

/// The first 8 bytes of an action digest.
///
/// Enough for what it is asked: whether a record that is not judged, of a request whose life is over, names the same action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShortDigest([u8; 8]);

impl ShortDigest {
    pub(super) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(self) -> [u8; 8] {
        self.0
    }

    pub(super) fn of(digest: &ActionDigest) -> Self {
        Self(
            digest
                .as_digest()
                .as_bytes()
                .first_chunk()
                .copied()
                .unwrap_or_default(),
        )
    }
}

/// The marks of all requests whose life is over.
///
/// They lie in sorted runs of falling length, as the digits of a binary counter: no slack as in a hash table, and no order of
/// ids, not even a chosen one, makes it slow.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// INVARIANT: each run is ascending, and less than half as long as the run before it, or empty.
    runs: Vec<Vec<Mark>>,
}

impl Ended {
    /// From marks that ascend.
    pub(super) fn of_sorted(marks: Vec<Mark>) -> Self {
        Self { runs: vec![marks] }
    }

    pub(super) fn insert(&mut self, mark: Mark) {
        let mut run = vec![mark];
        while let Some(before) = self.runs.pop_if(|before| before.len() <= run.len()) {
            run = merged(&before, &run);
        }
        self.runs.push(run);
    }

    /// The mark of `request`, if its life is over.
    pub(super) fn find(&self, request: &RequestId) -> Option<Mark> {
        self.runs.iter().find_map(|run| {
            let at = run
                .binary_search_by_key(request, |mark| mark.request)
                .ok()?;
            run.get(at).copied()
        })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    /// All marks, ascending by request.
    pub(super) fn into_sorted(self) -> Vec<Mark> {
        // The short runs first, so that each mark moves a few times only.
        let runs = self.runs.into_iter().rev();
        runs.fold(Vec::new(), |sorted, run| merged(&run, &sorted))
    }
}

fn merged(left: &[Mark], right: &[Mark]) -> Vec<Mark> {
    let mut all = Vec::with_capacity(left.len() + right.len());
    let mut right = right.iter().copied().peekable();
    for mark in left {
        while let Some(smaller) = right.next_if(|other| other < mark) {
            all.push(smaller);
        }
        all.push(*mark);
    }
    all.extend(right);
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn mark(number: u128) -> Mark {
        Mark {
            request: RequestId::from_uuid(Uuid::from_u128(number)),
            first: At(u64::try_from(number % 1000).unwrap()),
            action: ShortDigest([7; 8]),
        }
    }

    #[test]
    fn a_mark_takes_32_bytes() {
        assert_eq!(size_of::<Mark>(), 32);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_mark_is_found_and_no_other(numbers in prop::collection::btree_set(0u128..2000, 0..600), order in any::<u64>()) {
            let mut shuffled: Vec<u128> = numbers.iter().copied().collect();
            shuffled.sort_by_key(|number| (*number as u64).wrapping_mul(order | 1));
            let mut ended = Ended::default();
            for number in &shuffled {
                ended.insert(mark(*number));
            }
            prop_assert_eq!(ended.len(), numbers.len());
            prop_assert!(ended.runs.windows(2).all(|pair| pair[0].len() > pair[1].len()));
            for number in 0..2000 {
                let expected = numbers.contains(&number).then(|| mark(number));
                prop_assert_eq!(ended.find(&mark(number).request), expected);
            }
            let sorted: Vec<Mark> = numbers.iter().map(|number| mark(*number)).collect();
            prop_assert_eq!(ended.into_sorted(), sorted);
        }
    }
}

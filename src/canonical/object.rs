use std::{cmp::Ordering, fmt, slice, vec};

use super::{Json, write};

/// The members of a JSON object, each name once, in the order of RFC 8785.
///
/// That order compares names by their UTF-16 code units (RFC 8785, section 3.2.3), which differs
/// from Rust's order of strings where characters beyond U+FFFF meet those from U+E000 on. Iteration
/// always follows it, so whoever writes an object in iteration order writes it canonically.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Object {
    // INVARIANT: strictly ascending by `canonical_order` of the names.
    members: Vec<(String, Json)>,
}

impl Object {
    /// An object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: Vec::new(),
        }
    }

    /// The same object with one more member, or with that member replaced.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.insert(name.to_owned(), value.into());
        self
    }

    /// The value of the member with exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        let place = self.place_of(name).ok()?;
        self.members.get(place).map(|(_, value)| value)
    }

    /// Whether a member has exactly this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.place_of(name).is_ok()
    }

    /// Sets a member and returns the value it had before.
    pub fn insert(&mut self, name: String, value: Json) -> Option<Json> {
        match self.place_of(&name) {
            Ok(place) => self
                .members
                .get_mut(place)
                .map(|(_, old)| std::mem::replace(old, value)),
            Err(place) => {
                self.members.insert(place, (name, value));
                None
            }
        }
    }

    /// Takes a member out and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        let place = self.place_of(name).ok()?;
        Some(self.members.remove(place).1)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members in canonical order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.members.iter())
    }

    /// The names in canonical order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.members.iter().map(|(name, _)| name.as_str())
    }

    /// The canonical bytes of RFC 8785.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write_canonical(&mut out);
        out
    }

    /// Appends the canonical bytes of RFC 8785 to `out`.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        write::write_object(out, self);
    }

    /// An object from members that already ascend strictly.
    pub(super) fn from_ascending(members: Vec<(String, Json)>) -> Self {
        debug_assert!(members.is_sorted_by(|(a, _), (b, _)| canonical_order(a, b).is_lt()));
        Self { members }
    }

    fn place_of(&self, name: &str) -> Result<usize, usize> {
        self.members
            .binary_search_by(|(member, _)| canonical_order(member, name))
    }
}

/// Compares two names by their UTF-16 code units.
///
/// The bytes of UTF-8 are ordered as code points are. UTF-16 differs in one thing: code points from
/// U+10000 on (first byte from F0) are written with surrogates and so come before U+E000..U+FFFF
/// (first byte EE or EF). Moving those two bytes to the end gives the order of UTF-16. Where two
/// strings first differ, both bytes begin a character or both continue one, so no other byte is met.
pub(super) fn canonical_order(a: &str, b: &str) -> Ordering {
    fn weight(byte: u8) -> u8 {
        if matches!(byte, 0xEE | 0xEF) {
            byte | 0xF0
        } else {
            byte
        }
    }
    a.bytes().map(weight).cmp(b.bytes().map(weight))
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_canonical()))
    }
}

impl FromIterator<(String, Json)> for Object {
    /// Sorts the members; of members with the same name the last one stays.
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        let mut members: Vec<_> = members.into_iter().collect();
        // The sort is stable: reversed first, the last of equal names is the one that is kept.
        members.reverse();
        members.sort_by(|(a, _), (b, _)| canonical_order(a, b));
        members.dedup_by(|(later, _), (kept, _)| later == kept);
        Self { members }
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = vec::IntoIter<(String, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a str, &'a Json);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The members of an [`Object`] in canonical order.
#[derive(Clone, Debug)]
pub struct Iter<'a>(slice::Iter<'a, (String, Json)>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a Json);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_str(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0
            .next_back()
            .map(|(name, value)| (name.as_str(), value))
    }
}

impl ExactSizeIterator for Iter<'_> {}

use std::{collections::BTreeSet, fmt};

use super::names::{InvalidText, Label};

/// Labels as they are collected, and the first fault among them.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Labels {
    set: BTreeSet<Label>,
    fault: Option<InvalidText>,
}

impl Labels {
    /// The most labels that one thing carries.
    const MOST: usize = 16;

    pub(super) fn add(&mut self, text: &str) {
        match Label::new(text) {
            Ok(label) => {
                self.set.insert(label);
                if self.set.len() > Self::MOST {
                    self.note(InvalidText::new("a set of labels", "at most 16 of them"));
                }
            }
            Err(fault) => self.note(fault),
        }
    }

    fn note(&mut self, fault: InvalidText) {
        self.fault.get_or_insert(fault);
    }

    pub(super) fn check(&self) -> Result<(), InvalidText> {
        self.fault.map_or(Ok(()), Err)
    }

    pub(super) const fn as_set(&self) -> &BTreeSet<Label> {
        &self.set
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.set.iter().map(Label::as_str))
            .finish()
    }
}

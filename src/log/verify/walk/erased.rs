//! Hidden members along the walk whose disclosures are gone: erased by a record, or missing.

use std::collections::HashMap;

use super::{S13, Walk};
use crate::{
    action::DisclosureDigest,
    log::{id::Seq, rule::Rule, verify::examine::Sound},
};

/// Hidden members without a disclosure.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Those that no record has erased so far, and their records.
    members: HashMap<DisclosureDigest, Seq>,
    /// Whether a record that is not judged here may have erased disclosures.
    may_be_erased: bool,
    /// The last broken record that may have erased values, or that what comes after it does not follow.
    broken: Option<Seq>,
}

impl Missing {
    /// Adds what is missing under a record.
    pub(super) fn add(&mut self, seq: Seq, digests: Vec<DisclosureDigest>) {
        for digest in digests {
            self.members.entry(digest).or_insert(seq);
        }
    }

    /// Notes a record that may have erased anything.
    pub(super) const fn may_be_erased(&mut self) {
        self.may_be_erased = true;
    }

    /// Notes a broken record: it, or one after it, may have erased what is missing before.
    pub(super) const fn passed_broken(&mut self, seq: Seq) {
        self.broken = Some(seq);
    }
}

impl Walk<'_> {
    /// What it says to have been erased was hidden before, and is gone (S13).
    pub(super) fn pass_erased(&mut self, seq: Seq, says: &Sound) -> bool {
        let mut sound = true;
        for digest in &says.erased {
            match self.missing.members.remove(digest) {
                Some(hidden) => sound &= hidden < seq,
                None if self.report.since > 0 => self.erased_before.push((*digest, seq)),
                None => sound = false,
            }
        }
        if !sound && !self.missing.may_be_erased {
            self.broken(seq, Rule::S13, S13);
        }
        sound
    }

    /// What is missing and was not erased is a fault, or a doubt where an erasure may not have been read.
    pub(super) fn finish_missing(&mut self) {
        let Missing {
            members,
            may_be_erased,
            broken,
        } = &self.missing;
        let judged = members
            .values()
            .filter(|seq| broken.is_none_or(|broken| broken <= **seq));
        match judged.min().copied() {
            Some(seq) if *may_be_erased => self.report.add_doubt(format!(
                "record {seq}: whether its missing disclosure was erased is not judged"
            )),
            Some(seq) => self.broken(seq, Rule::S9, "a disclosure of it is missing"),
            None => {}
        }
    }
}

//! Keys along the walk: which are in force, who signed what, and whose signatures may be a thief's.

use std::{collections::HashMap, sync::Arc};

use super::Walk;
use crate::{
    clock::Timestamp,
    log::{
        id::Seq,
        key_change::{KeyChange, Revocation},
        keyring::KeyChangeError,
        keys::KeyId,
        rule::{Broken, Rule},
        verify::examine::{ExaminedRecord, Sound},
    },
};

/// What each key signed last.
#[derive(Debug, Default)]
pub(super) struct SignedBy {
    last: HashMap<KeyId, LastSigned>,
    compromised: Vec<Compromised>,
}

impl SignedBy {
    /// The last record of each key.
    pub(super) fn records(&self) -> impl Iterator<Item = Seq> {
        self.last.values().map(|last| last.seq)
    }
}

/// The last record that a key signed.
#[derive(Clone, Copy, Debug)]
struct LastSigned {
    seq: Seq,
    ts: Timestamp,
}

/// A key that somebody else may have used (rule S12).
#[derive(Debug)]
struct Compromised {
    since: Timestamp,
    last: LastSigned,
}

impl Walk<'_> {
    /// Whether keys have changed since a piece was examined that knew of so many changes.
    pub(super) fn keys_changed_since(&self, changes: usize) -> bool {
        self.trust
            .as_ref()
            .is_some_and(|trust| trust.ring().changes() != changes)
    }

    /// Judges the signatures by the keys that are in force here, if the record was examined before these were known.
    pub(super) fn settle_keys(
        &mut self,
        record: &mut ExaminedRecord,
        changes: usize,
    ) -> Option<Broken> {
        let trust = self.trust.clone()?;
        if let Some(signed) = record.undecided.take() {
            record.faults.retain(|fault| fault.rule != Rule::S3);
            return record.look_at_signers(*signed, &trust, &mut self.scratch);
        }
        if self.keys_changed_since(changes)
            && let Some(sound) = &record.sound
        {
            let newcomer = sound.change.as_deref().and_then(KeyChange::new_key);
            let checked = trust.check_signers(record.seq, &sound.kind, &sound.signers, newcomer);
            if let Err(broken) = checked {
                record.faults.push(broken);
            }
        }
        None
    }

    /// Takes note of who signed, and of what the record says about keys (S11).
    pub(super) fn pass_keys(&mut self, seq: Seq, says: &Sound) -> bool {
        let ts = says.ts;
        for signer in &says.signers {
            self.signed.last.insert(*signer, LastSigned { seq, ts });
        }
        let (Some(change), Some(trust)) = (&says.change, &mut self.trust) else {
            return true;
        };
        if let Err(error) = Arc::make_mut(trust).change(seq, change, &says.signers) {
            // What is in force may rest on a record that is not judged here.
            let unknown = match error {
                KeyChangeError::NotInForce | KeyChangeError::NobodySigns(_) => self.keys_may_differ,
                KeyChangeError::Known
                | KeyChangeError::NoRole
                | KeyChangeError::NotSignedByNew
                | KeyChangeError::NotSignedByOld => false,
            };
            if unknown {
                let why = "changes keys that no record that is judged here names";
                self.report.add_doubt(format!("record {seq} {why}"));
            } else {
                let broken = Broken::new(seq, Rule::S11, error.to_string());
                self.report.add_broken(broken);
            }
            return false;
        }
        self.key_changes.push(seq);
        self.ground.publish(trust);
        if let KeyChange::Revoked {
            old,
            why: Revocation::Compromised { since },
        } = &**change
            && let Some(last) = self.signed.last.get(old)
        {
            self.signed.compromised.push(Compromised {
                since: *since,
                last: *last,
            });
        }
        true
    }

    /// What compromised keys signed (S12).
    pub(super) fn finish_compromised(&mut self) {
        for Compromised { since, last } in std::mem::take(&mut self.signed.compromised) {
            let LastSigned { seq, ts } = last;
            if ts >= since {
                self.report.add_doubt(format!(
                    "record {seq} is by a key that was compromised before, at {since} (rule S12)"
                ));
            } else if !self.covered_before(seq, since) {
                self.report.add_doubt(format!(
                    "record {seq} is by a key that was compromised later, at {since}, and no checkpoint from outside covers it (rule S12)"
                ));
            }
        }
    }

    /// Whether a checkpoint that was kept outside, or that witnesses had cosigned by then, covers the record.
    fn covered_before(&self, seq: Seq, since: Timestamp) -> bool {
        let mut witnessed = self.witnessed.iter();
        seq.get() < self.outside || witnessed.any(|(size, at)| seq.get() < *size && *at < since)
    }
}

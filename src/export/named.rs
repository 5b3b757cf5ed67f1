//! The keys that a log names up to a record, for the files of an export that list them.

use std::{collections::BTreeMap, num::NonZeroU32};

use super::error::ExportError;
use crate::{
    clock::Timestamp,
    log::{
        Broken, Genesis, KeyChange, KeyId, KeyRing, LogReader, Revocation, Row, Rule, Seq,
        Statement, StoredRecord,
    },
};

/// Which keys a log names, and since when somebody else may have signed with them.
///
/// Signatures are not looked at: who changed the keys is for the verifier to find.
#[derive(Debug)]
pub(super) struct NamedKeys {
    pub(super) ring: KeyRing,
    pub(super) compromised: BTreeMap<KeyId, Timestamp>,
}

impl NamedKeys {
    pub(super) fn of_genesis(genesis: &Genesis) -> Self {
        Self {
            ring: KeyRing::from_genesis(genesis),
            compromised: BTreeMap::new(),
        }
    }

    /// The keys as the first `size` records name them.
    pub(super) fn read(
        reader: &mut dyn LogReader,
        genesis: &Genesis,
        size: u64,
    ) -> Result<Self, ExportError> {
        let mut named = Self::of_genesis(genesis);
        for seq in reader.key_changes(Seq::new(size))? {
            for row in reader.records(seq, NonZeroU32::MIN)? {
                if let Row::Record(row) = row
                    && row.record.seq == seq
                {
                    named.follow(&row.record).map_err(ExportError::Broken)?;
                }
            }
        }
        Ok(named)
    }

    /// Takes up what a record says about keys, by the rules of the format (F6, S11).
    pub(super) fn follow(&mut self, record: &StoredRecord) -> Result<(), Broken> {
        let broken = |rule, why: String| Broken::new(record.seq, rule, why);
        let statement = Statement::parse(&record.statement)
            .map_err(|error| broken(error.rule, error.why.to_string()))?;
        if statement.unjudged().is_some() {
            return Ok(());
        }
        let change = KeyChange::parse(&statement)
            .map_err(|malformed| broken(Rule::F6, malformed.to_string()))?;
        let Some(change) = change else {
            return Ok(());
        };
        let signers: Vec<KeyId> = record.signatures.iter().map(|(id, _)| *id).collect();
        self.ring
            .change(record.seq, &change, &signers)
            .map_err(|error| broken(Rule::S11, error.to_string()))?;
        if let KeyChange::Revoked {
            old,
            why: Revocation::Compromised { since },
        } = change
        {
            self.compromised.insert(old, since);
        }
        Ok(())
    }
}

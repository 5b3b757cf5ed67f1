//! A log in memory of as many records as wanted.

use std::{collections::BTreeSet, num::NonZeroU32, ops::Range};

use crate::{
    action::{Disclosure, Salt},
    canonical::{Digest, Json, Object},
    clock::Timestamp,
    log::{
        Chain, Columns, Depth, Enforcement, Entry, Genesis, HeadRow, Kind, LogId, LogReader,
        Origin, ReadError, Role, Row, RowRecord, SecretKey, Seq, Signer, StatementLimit,
        StoredRecord, Subtree, Terms, TrustedKeys, Verdict, sign_batch, verify_structure_alone,
    },
};

/// Everything of a log but its head row.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) keys: TrustedKeys,
    pub(super) rows: Vec<Row>,
    pub(super) checkpoints: Vec<(u64, Vec<u8>)>,
    disclosures: Vec<(Seq, String)>,
}

impl Log {
    /// A log of that many records, each with one hidden member, and a checkpoint after each of these sizes.
    pub(super) fn of(size: u64, checkpoints: &[u64]) -> Self {
        let (gate, checkpoint) = (key(1), key(2));
        let id = LogId::from_random([9; 16]);
        let origin = Origin::new("example.com/exported").unwrap();
        let keys = [
            (gate.public().clone(), BTreeSet::from([Role::Gate])),
            (
                checkpoint.public().clone(),
                BTreeSet::from([Role::Checkpoint]),
            ),
        ];
        let genesis = Genesis::new(id, origin, keys, None).unwrap();
        let mut log = Self {
            keys: TrustedKeys::of_genesis(&genesis),
            rows: Vec::new(),
            checkpoints: Vec::new(),
            disclosures: Vec::new(),
        };
        let mut chain = Chain::begin(id, StatementLimit::default());
        let mut now = Timestamp::EPOCH;
        for seq in 0..size {
            let entry = if seq == 0 {
                genesis.to_entry()
            } else {
                entry(seq)
            };
            now = now.saturating_add(std::time::Duration::from_secs(1));
            let one = chain.extend(&entry, now, &gate.public().id()).unwrap();
            let signers: [&dyn Signer; 1] = [&gate];
            let signatures = sign_batch(std::slice::from_ref(&one), &signers).unwrap();
            for disclosure in &entry.disclosures {
                let text = disclosure.as_str().to_owned();
                log.disclosures.push((one.seq, text));
            }
            let columns = Columns::of(&one.statement);
            let record = StoredRecord {
                seq: one.seq,
                statement: one.statement,
                signatures,
                leaf: one.leaf,
            };
            log.rows
                .push(Row::Record(Box::new(RowRecord { record, columns })));
            if checkpoints.contains(&(seq + 1)) {
                let note = chain.checkpoint(genesis.origin()).sign(&checkpoint);
                log.checkpoints.push((seq + 1, note.unwrap()));
            }
        }
        log
    }

    /// The log as it was when it had so many records.
    pub(super) fn at(&self, size: u64) -> Self {
        let mut log = self.clone();
        log.rows.truncate(size as usize);
        log.checkpoints.retain(|(covered, _)| *covered <= size);
        log.disclosures.retain(|(seq, _)| seq.get() < size);
        log
    }

    /// How many records a copy has, if all of it but the signatures is as it should be.
    pub(super) fn hashes_agree(&self, copy: &mut (dyn LogReader + Send)) -> Result<u64, Verdict> {
        let terms = Terms {
            keys: Some(&self.keys),
            depth: Depth::Hashes,
            ..Terms::default()
        };
        let report = verify_structure_alone(copy, &terms, &mut |_| {});
        match report.verdict() {
            Verdict::CannotVerify { why } if why == "only hashes were looked at" => Ok(report.size),
            other => Err(other),
        }
    }

    /// What a verifier who has the log's keys makes of a copy.
    pub(super) fn verdict(&self, copy: &mut (dyn LogReader + Send)) -> Verdict {
        let terms = Terms {
            keys: Some(&self.keys),
            ..Terms::default()
        };
        verify_structure_alone(copy, &terms, &mut |_| {}).verdict()
    }
}

/// The key of the gate, 1, or of checkpoints, 2.
pub(super) fn key(role: u8) -> SecretKey {
    SecretKey::from_seed(&[role; 32])
}

fn entry(seq: u64) -> Entry {
    let salt = Digest::sha256(&seq.to_be_bytes());
    let salt = Salt::from_bytes(salt.as_bytes()[..16].try_into().unwrap());
    let hidden = Disclosure::new(&salt, "reason", &Json::from(format!("reason {seq}")));
    let digests = vec![Json::from(hidden.digest().to_string())];
    Entry {
        kind: Kind::Clock,
        request: None,
        body: Object::new().with("_sd", digests).to_canonical(),
        disclosures: vec![hidden],
        role: Role::Gate,
        enforced: Enforcement::Enforced,
        crit: Vec::new(),
    }
}

impl LogReader for Log {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        Ok(HeadRow::NotKept)
    }

    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let from = from.get() as usize;
        // An answer may be shorter than was asked for.
        let most = (limit.get() as usize).min(100);
        Ok(self.rows.iter().skip(from).take(most).cloned().collect())
    }

    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let mut found = self.checkpoints.clone();
        found.retain(|(size, _)| sizes.contains(size));
        Ok(found)
    }

    fn subtrees(&mut self, _: u8, _: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        Ok(Vec::new())
    }

    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        let mut found = self.disclosures.clone();
        found.retain(|(seq, _)| records.contains(&seq.get()));
        Ok(found)
    }

    fn keeps_subtrees(&self) -> bool {
        false
    }
}

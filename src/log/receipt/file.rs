//! A receipt as a file: a C2SP tlog-proof, an empty line, the record's envelope, and a line for each disclosure.

use super::{Receipt, ReceiptError};
use crate::action::Disclosure;
use crate::canonical::Digest;
use crate::log::{
    base64,
    checkpoint::{Checkpoint, CheckpointError},
    envelope::Envelope,
    note::Note,
    outline::{read_seq, read_statement},
    record::StoredRecord,
    tree::{LARGEST_TREE, leaf_hash},
};

/// More than the largest record with all of its disclosures.
const MOST_BYTES: usize = 8 << 20;

/// As many hashes as the way through the largest tree has.
const LONGEST_PATH: usize = 53;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";

impl Receipt {
    /// The receipt as it stands in a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let envelope = Envelope {
            payload: self.record.statement.clone(),
            signatures: self.record.signatures.clone(),
        };
        let mut bytes = self.to_tlog_proof();
        bytes.push(b'\n');
        bytes.extend_from_slice(&envelope.to_json());
        bytes.push(b'\n');
        // There is one order, whatever theirs is here.
        let mut disclosures: Vec<&Disclosure> = self.disclosures.iter().collect();
        disclosures.sort_by_key(|one| one.digest());
        for one in disclosures {
            bytes.extend_from_slice(one.as_str().as_bytes());
            bytes.push(b'\n');
        }
        bytes
    }

    /// The first part of the file alone: a C2SP tlog-proof whose entry is the record's statement, for tools that read
    /// nothing else.
    #[must_use]
    pub fn to_tlog_proof(&self) -> Vec<u8> {
        let mut proof = format!("{FIRST_LINE}index {}\n", self.record.seq);
        for hash in &self.path {
            proof.push_str(&base64::encode(hash.as_bytes()));
            proof.push('\n');
        }
        proof.push('\n');
        let mut proof = proof.into_bytes();
        proof.extend_from_slice(&self.checkpoint);
        proof
    }

    /// Reads a receipt, which is not thereby verified.
    ///
    /// # Errors
    /// [`ReceiptError`] for everything that [`Receipt::to_bytes`] does not write: other lines, another spelling or order,
    /// a record that is no statement, a disclosure that the record does not name.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let malformed = ReceiptError::Malformed;
        if bytes.len() > MOST_BYTES {
            return Err(ReceiptError::TooLarge);
        }
        let text = str::from_utf8(bytes).map_err(|_| malformed("it is not text"))?;
        // No envelope or disclosure has a line break in it, so the last empty line ends the proof.
        let (proof, rest) = text
            .rfind("\n\n")
            .and_then(|place| text.split_at_checked(place + 1))
            .ok_or(malformed("it has no empty line before an envelope"))?;
        let mut lines = rest
            .strip_prefix('\n')
            .and_then(|rest| rest.strip_suffix('\n'))
            .ok_or(malformed("its last line is missing or not ended"))?
            .split('\n');

        let line = lines.next().unwrap_or_default().as_bytes();
        let Some(envelope) = Envelope::read_canonical(line) else {
            Envelope::parse(line)?;
            return Err(malformed("its envelope is not in the canonical form"));
        };
        let Envelope {
            payload,
            signatures,
        } = envelope;
        let seq = read_seq(&payload)?;

        let Proof {
            index,
            path,
            checkpoint,
        } = Proof::parse(proof)?;
        if index != seq.to_string() {
            return Err(malformed("its index is not the number of its record"));
        }

        let disclosures = lines
            .map(Disclosure::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if !disclosures.is_sorted_by(|a, b| a.digest() < b.digest()) {
            return Err(malformed(
                "its disclosures do not ascend by the text of their digests",
            ));
        }
        if !disclosures.is_empty() {
            super::members::open(&read_statement(&payload)?, &disclosures)?;
        }

        let record = StoredRecord {
            seq,
            leaf: leaf_hash(&payload),
            statement: payload,
            signatures,
        };
        Ok(Self {
            record,
            checkpoint,
            path,
            disclosures,
        })
    }
}

/// The parts of a tlog-proof.
struct Proof<'t> {
    index: &'t str,
    path: Vec<Digest>,
    checkpoint: Vec<u8>,
}

impl<'t> Proof<'t> {
    fn parse(text: &'t str) -> Result<Self, ReceiptError> {
        let malformed = ReceiptError::Malformed;
        let rest = text
            .strip_prefix(FIRST_LINE)
            .ok_or(malformed("its first line is not that of a tlog-proof"))?;
        // The optional `extra` line is under no signature, so that a receipt has none.
        let (index, mut rest) = rest
            .strip_prefix("index ")
            .and_then(|rest| rest.split_once('\n'))
            .ok_or(malformed("its second line is not an index"))?;
        let mut path = Vec::new();
        loop {
            let (line, after) = rest
                .split_once('\n')
                .ok_or(malformed("it has no checkpoint"))?;
            rest = after;
            if line.is_empty() {
                break;
            }
            let hash = base64::decode(line)
                .and_then(|hash| <[u8; 32]>::try_from(hash).ok())
                .ok_or(malformed("a line of its path is not a hash"))?;
            if path.len() == LONGEST_PATH {
                return Err(malformed("its path is longer than any tree is high"));
            }
            path.push(Digest::from_bytes(hash));
        }
        let checkpoint = rest.as_bytes();
        let note = Note::parse(checkpoint).map_err(CheckpointError::from)?;
        let Checkpoint { size, .. } = Checkpoint::parse(note.unverified_text())?;
        if size > LARGEST_TREE {
            return Err(malformed(
                "its checkpoint is of a tree that no log can have",
            ));
        }
        Ok(Self {
            index,
            path,
            checkpoint: checkpoint.to_vec(),
        })
    }
}

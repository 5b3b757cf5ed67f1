//! `countersign prove-later`, and the file that it makes.
//!
//! The specifications that a receipt follows have no file for a consistency proof of its own, so it is the beginning of a request
//! to a C2SP witness: a line `old` with the older size, then a line for each hash.

use base64ct::{Base64, Encoding};
use countersign::canonical::Digest;
use countersign::log::{
    Checkpoint, ConsistencyProof, Note, Receipt, StoredTree, prove_consistency,
};

use crate::arguments::ProveLater;
use crate::ending::{Code, Ended, Failure};
use crate::files;
use crate::out::Out;
use crate::store::{self, Log};

pub fn run(asked: &ProveLater, out: &mut Out) -> Ended {
    let mut log = Log::open(&asked.store)?;
    let receipt = Receipt::from_bytes(&files::read(&asked.receipt)?)
        .map_err(|error| Failure::broken(format!("`{}`: {error}", asked.receipt.display())))?;
    let old = read_checkpoint(&receipt.checkpoint)?;
    let (note, new) = store::newest_checkpoint(log.reader.as_mut())?;
    if old.origin != new.origin {
        return Err(Failure::cannot(format!(
            "the receipt is of the log {} and the store holds {}",
            old.origin, new.origin
        )));
    }
    if old.size > new.size {
        return Err(Failure::broken(format!(
            "the store has {} records and the receipt is of a tree of {}: it is an older copy, or records were removed",
            new.size, old.size
        )));
    }
    let proof = prove_consistency(&StoredTree::of(log.reader.as_mut()), old.size, new.size)
        .map_err(|error| Failure::broken(error.to_string()))?;
    proof.verify(&old.root, &new.root).map_err(|error| {
        Failure::broken(format!(
            "the log did not grow out of the receipt's: {error}"
        ))
    })?;
    files::write(&asked.later, &note)?;
    files::write(&asked.consistency, write(&proof).as_bytes())?;
    out.line(&format!(
        "the log of {} records grew out of the receipt's {}; `countersign verify-receipt --later --consistency` verifies it",
        new.size, old.size
    ));
    Ok(Code::GOOD)
}

fn read_checkpoint(note: &[u8]) -> Result<Checkpoint, Failure> {
    Note::parse(note)
        .map_err(|error| error.to_string())
        .and_then(|note| {
            Checkpoint::parse(note.unverified_text()).map_err(|error| error.to_string())
        })
        .map_err(Failure::broken)
}

fn write(proof: &ConsistencyProof) -> String {
    let mut text = format!("old {}\n", proof.old);
    for hash in &proof.path {
        text.push_str(&Base64::encode_string(hash.as_bytes()));
        text.push('\n');
    }
    text
}

/// Reads what [`write`] writes; the newer size is that of the checkpoint that it leads to.
pub fn read(text: &[u8], new: u64) -> Result<ConsistencyProof, &'static str> {
    let text = str::from_utf8(text).map_err(|_| "it is not text")?;
    let text = text
        .strip_suffix('\n')
        .ok_or("its last line is not ended")?;
    let mut lines = text.split('\n');
    let old = lines
        .next()
        .and_then(|line| line.strip_prefix("old "))
        .and_then(|old| {
            old.parse::<u64>()
                .ok()
                .filter(|size| size.to_string() == old)
        })
        .ok_or("its first line is not `old` and a size")?;
    let hash = |line: &str| {
        let mut bytes = [0_u8; 32];
        match Base64::decode(line, &mut bytes) {
            Ok(decoded) if decoded.len() == 32 => Ok(Digest::from_bytes(bytes)),
            _ => Err("a line of it is not a hash"),
        }
    };
    let path = lines.map(hash).collect::<Result<_, _>>()?;
    Ok(ConsistencyProof { old, new, path })
}

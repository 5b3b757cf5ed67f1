use std::fmt;

use crate::log::ForkEvidence;

/// A witness knows a history of this log that is not the one in the store.
///
/// Either somebody set the store back or wrote it anew, or two copies of the log grow with the same keys, or the witness is wrong.
/// [`Evidence`] says which of the parties is believed without another word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The witness, as the policy calls it.
    pub witness: String,
    /// What it says.
    pub sign: Sign,
    /// The checkpoint that it was shown, a signed note.
    pub own: Vec<u8>,
    /// What shows it.
    pub evidence: Evidence,
}

/// What a witness says that must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It cosigned a tree of this size, which the store does not reach: the store was set back.
    Rollback {
        /// The size of the tree that it knows.
        size: u64,
    },
    /// The tree that it knows is not the beginning of ours: there are two histories.
    Fork {
        /// The size of the tree that it knows, as far as it told.
        size: u64,
    },
}

/// What shows that a witness is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing but its word.
    Word,
    /// A checkpoint over more records than the store has, signed by a key of the log.
    Ahead(Vec<u8>),
    /// Two checkpoints that keys of the log signed and that exclude each other; verified.
    Fork(ForkEvidence),
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            witness,
            sign,
            own: _,
            evidence,
        } = self;
        match sign {
            Sign::Rollback { size } => write!(
                f,
                "the witness `{witness}` has cosigned {size} records of this log, which the store does not have: it was set back"
            )?,
            Sign::Fork { size } => write!(
                f,
                "the witness `{witness}` knows another history of this log, of {size} records: the store was written anew, or there are two"
            )?,
        }
        f.write_str(match evidence {
            Evidence::Word => " (by its word alone)",
            Evidence::Ahead(_) => " (shown by a checkpoint that a key of the log signed)",
            Evidence::Fork(_) => " (shown by two checkpoints that keys of the log signed)",
        })
    }
}

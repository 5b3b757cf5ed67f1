use std::fmt;

use crate::canonical::{Admission, Json, Object, admit};
use crate::log::ForkEvidence;

const FORMAT: &str = "countersign/alarm/v1";

/// More than three notes and a path.
const MOST_BYTES: usize = 8 << 20;

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

impl Alarm {
    /// The alarm as a file: one line of JSON. What shows it stands there as it is, for tools of others.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self {
            witness,
            sign,
            own,
            evidence,
        } = self;
        let text = |bytes: &[u8]| Json::from(String::from_utf8_lossy(bytes).into_owned());
        let (sign, size) = match sign {
            Sign::Rollback { size } => ("rollback", size),
            Sign::Fork { size } => ("fork", size),
        };
        let mut object = Object::new()
            .with("format", FORMAT)
            .with("own", text(own))
            .with("sign", sign)
            // As text, since a witness may say more than a number of JSON holds.
            .with("size", size.to_string())
            .with("witness", witness.as_str());
        match evidence {
            Evidence::Word => {}
            Evidence::Ahead(note) => object = object.with("ahead", text(note)),
            Evidence::Fork(fork) => object = object.with("fork", text(&fork.to_bytes())),
        }
        let mut bytes = object.to_canonical();
        bytes.push(b'\n');
        bytes
    }

    /// Reads exactly what [`Alarm::to_bytes`] writes. Nothing of it is known to be true.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let limits = Admission::default().with_max_bytes(MOST_BYTES);
        let json = admit(bytes.strip_suffix(b"\n")?, &limits).ok()?;
        let object = json.as_object()?;
        let text = |name: &str| object.get(name)?.as_str();
        let size = text("size")?.parse().ok()?;
        let alarm = Self {
            witness: text("witness")?.to_owned(),
            sign: match text("sign")? {
                "rollback" => Sign::Rollback { size },
                "fork" => Sign::Fork { size },
                _ => return None,
            },
            own: text("own")?.as_bytes().to_vec(),
            evidence: match (text("ahead"), text("fork")) {
                (None, None) => Evidence::Word,
                (Some(note), None) => Evidence::Ahead(note.as_bytes().to_vec()),
                (None, Some(fork)) => Evidence::Fork(ForkEvidence::parse(fork.as_bytes()).ok()?),
                (Some(_), Some(_)) => return None,
            },
        };
        // One value has one spelling.
        (alarm.to_bytes() == bytes).then_some(alarm)
    }
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

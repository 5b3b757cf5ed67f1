use thiserror::Error;

use super::{
    base64,
    checkpoint::{Checkpoint, CheckpointError, Origin},
    keys::{PublicKey, Role},
    note::Note,
    proof::{ConsistencyProof, ProofError},
    prove::{Nodes, ProveError, prove_consistency, tree_root},
    trusted::TrustedKeys,
};
use crate::canonical::{Admission, Digest, Json, Object, admit};

const FORMAT: &str = "countersign/fork/v1";

/// More than two notes and a path.
const MOST_BYTES: usize = 4 << 20;

/// Two checkpoints of one log of which only one can be true, with what shows it: evidence that its operator, or whoever has
/// the operator's keys, told different people different things.
///
/// Of two checkpoints of one size the roots differ. Of two sizes, a proof shows that the larger tree begins with another tree of the
/// smaller size than the one that was signed. Nobody needs the log to see that, only the public keys; the file can be kept, shown and
/// sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkEvidence {
    older: Vec<u8>,
    newer: Vec<u8>,
    /// The root that the newer tree has at the older size, and the path that leads from it to the newer one.
    begins: Option<(Digest, Vec<Digest>)>,
}

/// What evidence of a fork comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Whose two heads these are.
    pub origin: Origin,
    /// At which size the histories differ at the latest.
    pub size: u64,
    /// The head at that size by the one history and by the other.
    pub roots: [Digest; 2],
}

impl ForkEvidence {
    /// Holds a checkpoint of the same origin against a log, of which `own` is a checkpoint that is at least as large.
    ///
    /// `None` if the two agree. Nothing is known to be true of what comes out before [`ForkEvidence::verify`].
    ///
    /// # Errors
    /// [`ProveError`] if the tree cannot be read; [`ProveError::OutOfRange`] if a note is no checkpoint, covers nothing, or `other`
    /// is the larger one.
    pub fn find<N: Nodes>(
        nodes: &N,
        own: &[u8],
        other: &[u8],
    ) -> Result<Option<Self>, ProveError<N::Error>> {
        let (Ok(newer), Ok(older)) = (read(own), read(other)) else {
            return Err(ProveError::OutOfRange);
        };
        if older.size == newer.size {
            let fork = Self {
                older: other.to_vec(),
                newer: own.to_vec(),
                begins: None,
            };
            return Ok((older.root != newer.root).then_some(fork));
        }
        let proof = prove_consistency(nodes, older.size, newer.size)?;
        let root = tree_root(nodes, older.size)?;
        Ok((root != older.root).then(|| Self {
            older: other.to_vec(),
            newer: own.to_vec(),
            begins: Some((root, proof.path)),
        }))
    }

    /// The two signed notes, the smaller tree first.
    #[must_use]
    pub fn checkpoints(&self) -> [&[u8]; 2] {
        [&self.older, &self.newer]
    }

    /// Checks the evidence with the log's public keys from outside, of which those for checkpoints count.
    ///
    /// # Errors
    /// [`NotAFork`] if it shows nothing.
    pub fn verify(&self, keys: &TrustedKeys) -> Result<Fork, NotAFork> {
        let Self {
            older,
            newer,
            begins,
        } = self;
        let signers: Vec<&PublicKey> = keys
            .iter()
            .filter(|(_, roles)| roles.contains(&Role::Checkpoint))
            .map(|(key, _)| key.key())
            .collect();
        let origin = read(older)?.origin;
        let signed = |note: &[u8]| {
            Checkpoint::verify(note, &origin, signers.iter().copied())
                .map(|(checkpoint, _)| checkpoint)
        };
        let (older, newer) = (signed(older)?, signed(newer)?);
        let other = match begins {
            None if older.size == newer.size => newer.root,
            Some((root, path)) if older.size < newer.size => {
                let proof = ConsistencyProof {
                    old: older.size,
                    new: newer.size,
                    path: path.clone(),
                };
                proof.verify(root, &newer.root)?;
                *root
            }
            _ => return Err(NotAFork::Malformed),
        };
        if older.root == other {
            return Err(NotAFork::Consistent);
        }
        Ok(Fork {
            origin,
            size: older.size,
            roots: [older.root, other],
        })
    }

    /// The evidence as a file: one line of JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let note = |bytes: &[u8]| Json::from(String::from_utf8_lossy(bytes).into_owned());
        let mut object = Object::new()
            .with("checkpoints", vec![note(&self.older), note(&self.newer)])
            .with("format", FORMAT);
        if let Some((root, path)) = &self.begins {
            let path: Vec<Json> = path.iter().map(|hash| Json::from(text(hash))).collect();
            object = object.with("path", path).with("root", text(root));
        }
        let mut bytes = object.to_canonical();
        bytes.push(b'\n');
        bytes
    }

    /// Reads exactly what [`ForkEvidence::to_bytes`] writes.
    ///
    /// # Errors
    /// [`NotAFork::Malformed`] for anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAFork> {
        let limits = Admission::default().with_max_bytes(MOST_BYTES);
        let json = bytes
            .strip_suffix(b"\n")
            .and_then(|line| admit(line, &limits).ok());
        json.as_ref()
            .and_then(Json::as_object)
            .and_then(Self::from_object)
            // One value has one spelling.
            .filter(|evidence| evidence.to_bytes() == bytes)
            .ok_or(NotAFork::Malformed)
    }

    fn from_object(object: &Object) -> Option<Self> {
        let [older, newer] = object.get("checkpoints")?.as_array()? else {
            return None;
        };
        let note = |json: &Json| Some(json.as_str()?.as_bytes().to_vec());
        let begins = match (object.get("root"), object.get("path")) {
            (None, None) => None,
            (Some(root), Some(path)) => {
                let path = path.as_array()?.iter().map(hash).collect::<Option<_>>()?;
                Some((hash(root)?, path))
            }
            _ => return None,
        };
        Some(Self {
            older: note(older)?,
            newer: note(newer)?,
            begins,
        })
    }
}

fn read(note: &[u8]) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::parse(Note::parse(note)?.unverified_text())
}

fn text(hash: &Digest) -> String {
    base64::encode(hash.as_bytes())
}

fn hash(json: &Json) -> Option<Digest> {
    let bytes = base64::decode(json.as_str()?)?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

/// Why evidence shows no fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAFork {
    /// Not two checkpoints and what has to stand between them.
    #[error(
        "it is no evidence of a fork: two checkpoints, and between two sizes a root and a path"
    )]
    Malformed,
    /// The two agree.
    #[error("the two checkpoints are consistent with each other")]
    Consistent,
    /// A checkpoint is refused.
    #[error("a checkpoint of it is refused: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the one tree to the other.
    #[error("its path is refused: {0}")]
    Path(#[from] ProofError),
}

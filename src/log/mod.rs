//! The signed, chained log: records, the tree over them, checkpoints and proofs.
//!
//! A record's bytes are signed, and its leaf stands in an RFC 6962 tree whose heads are signed as C2SP
//! checkpoints, so that tools which know nothing of this library can tell whether a log was rewritten.
//! The normative description is the record format document. This layer knows nothing of approvals: what
//! a record means is read above.
//!
//! Nothing here reads or writes files, and everything that came from elsewhere is read strictly: one
//! value has one spelling.

pub(crate) mod base64;
mod chain;
mod checkpoint;
mod cosignature;
mod entry;
mod envelope;
mod fork;
mod genesis;
mod head;
mod id;
mod kept;
mod key_change;
mod keyring;
mod keys;
mod kind;
mod links;
mod note;
mod outline;
mod proof;
mod prove;
mod receipt;
mod record;
mod rule;
mod sd;
mod sign;
mod signer;
mod statement;
mod stored;
mod tree;
mod trust;
mod trusted;
mod verify;
mod vkey;
mod witnesses;
mod write;

#[cfg(test)]
mod tests;

pub use self::{
    chain::{Chain, ChainError, Chained},
    checkpoint::{Checkpoint, CheckpointError, NotAnOrigin, Origin},
    cosignature::{Cosignature, CosignatureError},
    entry::{Enforcement, Entry, RequestRef},
    envelope::{Envelope, EnvelopeError, PAYLOAD_TYPE, pae},
    fork::{Fork, ForkEvidence, NotAFork},
    genesis::{Genesis, GenesisError, Predecessor},
    head::{Head, NotAHead},
    id::{LogId, NotALogId, Seq},
    kept::{Kept, Sealed},
    key_change::{KeyChange, MalformedKeyChange, Revocation},
    keyring::{KeyChangeError, KeyRing},
    keys::{BadSignature, KeyId, NotAKey, PublicKey, Role, Signature},
    kind::{Belonging, Definition, Kind},
    note::{Note, NoteError, NoteSignature, SignNoteError},
    proof::{ConsistencyProof, InclusionProof, ProofError},
    prove::{Nodes, ProveError, prove_consistency, prove_inclusion, tree_root},
    receipt::{OpenedMember, Receipt, ReceiptError, VerifiedReceipt},
    record::{StoredRecord, decode_signatures, encode_signatures},
    rule::{Broken, Rule},
    sign::{BatchError, sign_batch},
    signer::{NoRandomness, SecretKey, SignError, Signer},
    statement::{KnownOr, Statement, StatementError, Unjudged},
    stored::{ProveRecordError, StoredTree, TreeSize, prove_record, stored_disclosures},
    tree::{Frontier, NotAFrontier, Subtree, empty_root, leaf_hash},
    trust::{Trust, VerifiedGenesis, VerifiedRecord},
    trusted::{TrustedKeys, TrustedKeysError, TrustedKeysLineError, Unvouched},
    verify::{
        Columns, Depth, Foothold, HeadRow, LogReader, ReadError, Report, Row, RowRecord, Terms,
        Verdict, verify_structure, verify_structure_alone,
    },
    vkey::{KeyHint, KeyName, NotAKeyName, NotAVerifierKey, VerifierKey, WitnessKey},
    witnesses::{
        NotWitnessed, PolicyLog, PolicyWitness, Window, WitnessPolicy, WitnessPolicyError,
        WitnessPolicyFault, Witnessed,
    },
    write::{Position, StatementLimit, TooLarge, write_statement},
};

pub(crate) use self::{receipt::open_members, sd::hidden_in, sign::sign_record, tree::node_hash};

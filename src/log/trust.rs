use super::{
    checkpoint::{Checkpoint, CheckpointError, Origin},
    entry::Enforcement,
    envelope::{MOST_SIGNATURES, PAYLOAD_TYPE, write_pae},
    genesis::Genesis,
    id::{LogId, Seq},
    key_change::KeyChange,
    keyring::{KeyChangeError, KeyRing},
    keys::{KeyId, PublicKey, Role},
    kind::Kind,
    note::Note,
    outline::Outline,
    record::StoredRecord,
    rule::{Broken, Rule},
    statement::{KnownOr, Statement},
    tree::{empty_root, leaf_hash},
};
use crate::canonical::Digest;

const NOT_IN_FORCE: &str = "a signature is by a key that the log does not name for it";

/// What a log's records and checkpoints are checked against: its id, its origin and its keys.
///
/// Made from keys that came from outside
/// ([`TrustedKeys::vouch_for`](super::TrustedKeys::vouch_for)), or from a genesis alone, which then only
/// shows that the log agrees with itself.
#[derive(Clone, Debug)]
pub struct Trust {
    log: LogId,
    origin: Origin,
    ring: KeyRing,
}

impl Trust {
    pub(super) const fn new(log: LogId, origin: Origin, ring: KeyRing) -> Self {
        Self { log, origin, ring }
    }

    /// Takes the genesis at its word.
    ///
    /// Whoever can write the file can write another genesis with keys of their own, and name yours beside
    /// them. This is for a writer that finds a signature under the genesis by a key that it trusts, and for
    /// telling how far a log agrees with itself.
    #[must_use]
    pub fn on_genesis(genesis: &VerifiedGenesis) -> Self {
        let genesis = genesis.genesis();
        let ring = KeyRing::from_genesis(genesis);
        Self::new(*genesis.log(), genesis.origin().clone(), ring)
    }

    /// The log.
    #[must_use]
    pub const fn log(&self) -> &LogId {
        &self.log
    }

    /// The log's name in its checkpoints.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The keys.
    #[must_use]
    pub const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Checks everything about a record that can be told from it alone: its bytes (F1 to F5, F7, F8), its
    /// leaf and number, its log, and its signatures (S2, S3).
    ///
    /// # Errors
    /// [`Broken`] with the first rule that it breaks.
    pub fn check(&self, record: &StoredRecord) -> Result<VerifiedRecord, Broken> {
        self.check_statement(record, parse(record)?)
    }

    /// As [`Trust::check`], for a record whose bytes were parsed already.
    pub(super) fn check_statement(
        &self,
        record: &StoredRecord,
        statement: Statement,
    ) -> Result<VerifiedRecord, Broken> {
        self.check_with(record, statement, |statement| {
            let outline = Outline::of(statement);
            let change = KeyChange::parse(statement)
                .map_err(|error| Broken::new(record.seq, Rule::F6, error.to_string()))?;
            let newcomer = change.as_ref().and_then(KeyChange::new_key);
            Ok(self.check_signatures(record, &outline, newcomer, &mut Vec::new())?)
        })
    }

    /// Takes in what a record of this log says about its keys, so that the records after it are checked against them; whether it
    /// said anything.
    ///
    /// Records are to be taken in once each, in the order of the log.
    ///
    /// # Errors
    /// [`Broken`] if the record may not change the keys so (rule S11); nothing is changed then.
    pub fn follow(&mut self, record: &VerifiedRecord) -> Result<bool, Broken> {
        let broken = |rule, why: String| Broken::new(record.seq(), rule, why);
        let change = KeyChange::parse(record.statement())
            .map_err(|error| broken(Rule::F6, error.to_string()))?;
        let Some(change) = change else {
            return Ok(false);
        };
        self.change(record.seq(), &change, record.signers())
            .map_err(|error| broken(Rule::S11, error.to_string()))?;
        Ok(true)
    }

    /// As [`Trust::follow`], of a record that was read already.
    pub(crate) fn change(
        &mut self,
        at: Seq,
        change: &KeyChange,
        signers: &[KeyId],
    ) -> Result<(), KeyChangeError> {
        self.ring.change(at, change, signers)
    }

    fn check_with(
        &self,
        record: &StoredRecord,
        statement: Statement,
        signers: impl FnOnce(&Statement) -> Result<Vec<KeyId>, Broken>,
    ) -> Result<VerifiedRecord, Broken> {
        let StoredRecord {
            seq,
            statement: bytes,
            signatures: _,
            leaf,
        } = record;
        // In the order of the rules, since the first that is broken is named.
        let signers = signers(&statement)?;
        if statement.seq != *seq {
            return Err(Broken::new(
                *seq,
                Rule::S4,
                "it says to have another number",
            ));
        }
        if leaf_hash(bytes) != *leaf {
            return Err(Broken::new(*seq, Rule::S8, "its stored leaf is another"));
        }
        self.check_words(&Outline::of(&statement))?;
        Ok(VerifiedRecord::new(statement, *leaf, signers))
    }

    /// As [`Trust::check`], without the signatures: for a record whose leaf this very process has signed.
    pub(crate) fn check_signed_here(
        &self,
        record: &StoredRecord,
    ) -> Result<VerifiedRecord, Broken> {
        self.check_with(record, parse(record)?, |_| Ok(Vec::new()))
    }

    /// Whether the log names the key for the role, as the record `at`.
    #[must_use]
    pub fn has_role(&self, key: &KeyId, role: Role, at: Seq) -> bool {
        self.ring
            .roles_at(key, at)
            .is_some_and(|roles| roles.contains(&role))
    }

    /// Log and enforcement are those of the genesis.
    pub(super) fn check_words(&self, statement: &Outline) -> Result<(), Broken> {
        if statement.log != self.log {
            return Err(Broken::new(
                statement.seq,
                Rule::S4,
                "it belongs to another log",
            ));
        }
        let testing = statement.enforced == Enforcement::Testing;
        if testing != self.origin.is_testing() {
            let why = "`enforced` is not what the origin of the log asks for";
            return Err(Broken::new(statement.seq, Rule::M9, why));
        }
        Ok(())
    }

    /// The keys that signed, if all of them may (S2, S3); `newcomer` is the key that the record itself names, which signs it
    /// before it is in force. `message` is room that is used again.
    pub(super) fn check_signatures(
        &self,
        record: &StoredRecord,
        statement: &Outline,
        newcomer: Option<&PublicKey>,
        message: &mut Vec<u8>,
    ) -> Result<Vec<KeyId>, SignatureFault> {
        let StoredRecord {
            seq,
            statement: bytes,
            signatures,
            leaf: _,
        } = record;
        let broken = |rule, why| Broken::new(*seq, rule, why);
        let Some((first, _)) = signatures.first() else {
            return Err(broken(Rule::S2, "it is not signed").into());
        };
        if signatures.len() > MOST_SIGNATURES {
            return Err(broken(Rule::S2, "it has more than 8 signatures").into());
        }
        message.clear();
        write_pae(message, PAYLOAD_TYPE, bytes);
        let mut signers: Vec<KeyId> = Vec::with_capacity(signatures.len());
        let mut unknown = None;
        for (id, signature) in signatures {
            if signers.contains(id) {
                return Err(broken(Rule::S2, "two signatures are by one key").into());
            }
            signers.push(*id);
            let in_force = self.ring.in_force(id, *seq).map(|(key, _)| key);
            match in_force.or(newcomer.filter(|key| key.id() == *id)) {
                None => unknown = Some(*id),
                Some(key) => key
                    .verify(message, signature)
                    .map_err(|_| broken(Rule::S2, "a signature does not verify"))?,
            }
        }
        if unknown.is_some() {
            return Err(SignatureFault::UnknownKey(broken(Rule::S2, NOT_IN_FORCE)));
        }
        if statement.key != *first {
            let why = "its first signature is not by the key that it names";
            return Err(broken(Rule::S3, why).into());
        }
        self.check_role(*seq, &statement.kind, first)?;
        Ok(signers)
    }

    /// The first signer has a role that may sign the kind (S3).
    fn check_role(&self, seq: Seq, kind: &KnownOr<Kind>, first: &KeyId) -> Result<(), Broken> {
        let KnownOr::Known(kind) = kind else {
            return Ok(());
        };
        let roles = self.ring.roles_at(first, seq);
        let allowed = |role: &Role| roles.is_some_and(|roles| roles.contains(role));
        if kind.roles().iter().any(allowed) {
            return Ok(());
        }
        let why = "its key has no role that may sign its kind";
        Err(Broken::new(seq, Rule::S3, why))
    }

    /// Whether these keys, whose signatures are good, may have signed the record (S2, S3): for a record that was checked before
    /// it was known which keys are in force for it.
    pub(super) fn check_signers(
        &self,
        seq: Seq,
        kind: &KnownOr<Kind>,
        signers: &[KeyId],
        newcomer: Option<&PublicKey>,
    ) -> Result<(), Broken> {
        let may = |id: &KeyId| {
            self.ring.in_force(id, seq).is_some() || newcomer.is_some_and(|key| key.id() == *id)
        };
        if !signers.iter().all(may) {
            return Err(Broken::new(seq, Rule::S2, NOT_IN_FORCE));
        }
        match signers.first() {
            Some(first) => self.check_role(seq, kind, first),
            None => Ok(()),
        }
    }

    /// Checks a signed checkpoint of this log (S7), but not its root against the tree.
    ///
    /// # Errors
    /// [`CheckpointError`]; a key that was not in force at that size is no known key.
    pub fn check_checkpoint(&self, note: &[u8]) -> Result<Checkpoint, CheckpointError> {
        self.check_note(&Note::parse(note)?)
    }

    /// As [`Trust::check_checkpoint`], for a note that was parsed already.
    pub(super) fn check_note(&self, note: &Note) -> Result<Checkpoint, CheckpointError> {
        let keys = self.ring.with_role(Role::Checkpoint);
        let (checkpoint, by) = Checkpoint::verify_note(note, &self.origin, keys)?;
        let last = checkpoint
            .size
            .checked_sub(1)
            .ok_or(CheckpointError::Malformed)?;
        let roles = self.ring.roles_at(&by, Seq::new(last));
        if roles.is_some_and(|roles| roles.contains(&Role::Checkpoint)) {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::NotInForce)
        }
    }
}

fn parse(record: &StoredRecord) -> Result<Statement, Broken> {
    Statement::parse(&record.statement)
        .map_err(|error| Broken::new(record.seq, error.rule, error.why))
}

/// What is wrong with the signatures of a record.
pub(super) enum SignatureFault {
    /// Whatever the log says elsewhere.
    Broken(Broken),
    /// A key is not known, unless a record that is not judged here has named it.
    UnknownKey(Broken),
}

impl From<Broken> for SignatureFault {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<SignatureFault> for Broken {
    fn from(fault: SignatureFault) -> Self {
        match fault {
            SignatureFault::Broken(broken) | SignatureFault::UnknownKey(broken) => broken,
        }
    }
}

/// A record whose bytes, leaf, log and signatures were checked; made by [`Trust::check`] alone.
///
/// That it stands at its place in the log is for a receipt or the verifier to show. What its body means
/// is read above, and only if [`Statement::unjudged`] has nothing to say.
#[derive(Clone, Debug)]
pub struct VerifiedRecord {
    statement: Statement,
    leaf: Digest,
    signers: Vec<KeyId>,
}

impl VerifiedRecord {
    pub(super) const fn new(statement: Statement, leaf: Digest, signers: Vec<KeyId>) -> Self {
        Self {
            statement,
            leaf,
            signers,
        }
    }

    /// What the record says.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Its number.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.statement.seq
    }

    /// Its leaf.
    #[must_use]
    pub const fn leaf(&self) -> &Digest {
        &self.leaf
    }

    /// The keys that signed it, the named one first.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }
}

/// A genesis whose record is well-formed, stands at the beginning, and is signed by keys that it names.
#[derive(Clone, Debug)]
pub struct VerifiedGenesis {
    genesis: Genesis,
    record: VerifiedRecord,
}

impl VerifiedGenesis {
    /// Checks record 0 against the keys in it.
    ///
    /// # Errors
    /// [`Broken`] at record 0.
    pub fn check(record: &StoredRecord) -> Result<Self, Broken> {
        let broken = |rule, why| Broken::new(Seq::GENESIS, rule, why);
        let statement = Statement::parse(&record.statement)
            .map_err(|error| Broken::new(Seq::GENESIS, error.rule, error.why))?;
        if statement.kind != KnownOr::Known(Kind::Genesis) {
            return Err(broken(Rule::S6, "the first record is no genesis"));
        }
        let genesis = Genesis::parse(&statement)
            .map_err(|error| Broken::new(Seq::GENESIS, Rule::F6, error.to_string()))?;
        let ring = KeyRing::from_genesis(&genesis);
        let trust = Trust::new(*genesis.log(), genesis.origin().clone(), ring);
        let record = trust.check(record)?;
        let at_start = statement.seq == Seq::GENESIS
            && statement.prev == Digest::from_bytes([0; 32])
            && statement.root == empty_root();
        if !at_start {
            return Err(broken(
                Rule::S4,
                "the genesis does not stand at the beginning",
            ));
        }
        Ok(Self { genesis, record })
    }

    /// What it says.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Record 0.
    #[must_use]
    pub const fn record(&self) -> &VerifiedRecord {
        &self.record
    }
}

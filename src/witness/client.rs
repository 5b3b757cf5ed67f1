use std::sync::Arc;

use futures::future::join_all;
use futures::lock::Mutex;
use thiserror::Error;

use crate::canonical::Digest;
use crate::clock::Timestamp;
use crate::log::{
    Checkpoint, CheckpointError, ForkEvidence, Note, NoteSignature, PolicyWitness, ProveError,
    Role, TrustedKeys, WitnessPolicy, prove_consistency, tree_root,
};
use crate::store::{self, Chore, Query, Store, StoreError, Tended};

use super::alarm::{Alarm, Evidence, Sign};
use super::answer::{self, Answer, BadAnswer};
use super::transport::{Transport, TransportError};

/// How often a signature line is tried to be stored while others store theirs.
const TRIES: u32 = 100;

/// The client of the witnesses of a policy, for one log.
///
/// Each witness that has an address is asked on its own: at most one request is under way to it, for the newest checkpoint of the store,
/// and what one does wrong keeps no other waiting. A cosignature is stored once it has been verified. A witness that has raised
/// an [`Alarm`] is asked nothing more by this client: somebody has to look first.
#[derive(Debug)]
pub struct Witnesses {
    policy: WitnessPolicy,
    transport: Arc<dyn Transport>,
    /// One for each witness of the policy.
    states: Vec<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The size that the witness was last known to hold.
    holds: u64,
    alarm: Option<Arc<Alarm>>,
}

/// What came of showing a witness the newest checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It cosigned, and the cosignature is stored.
    Cosigned {
        /// The size of the tree.
        size: u64,
        /// When, by its word.
        at: Timestamp,
    },
    /// It had cosigned that checkpoint before; it was not asked.
    Already {
        /// The size of the tree.
        size: u64,
    },
    /// The log has grown meanwhile, or somebody else was asking: to be tried again.
    Overtaken,
}

impl Witnesses {
    /// A client for these witnesses.
    pub fn new(policy: WitnessPolicy, transport: impl Transport) -> Self {
        let states = policy.witnesses().iter().map(|_| Mutex::default());
        Self {
            states: states.collect(),
            policy,
            transport: Arc::new(transport),
        }
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &WitnessPolicy {
        &self.policy
    }

    /// Shows the newest checkpoint of a store to every witness that has an address, all at once.
    ///
    /// `keys` are those of the log, with which evidence against it is checked. The answers come in the order of the policy, with the
    /// witnesses as it calls them.
    pub async fn submit(
        &self,
        store: &dyn Store,
        keys: &TrustedKeys,
        now: Timestamp,
    ) -> Vec<(String, Result<Submitted, Trouble>)> {
        let asked = self.policy.witnesses().iter().enumerate();
        let asked = asked.filter(|(_, witness)| witness.url.is_some());
        let all = asked.map(async |(place, witness)| {
            let answer = self.submit_to(place, store, keys, now).await;
            (witness.name.clone(), answer)
        });
        join_all(all).await
    }

    /// Shows the newest checkpoint of a store to one witness, by its place in the policy.
    ///
    /// # Errors
    /// [`Trouble`]; none of it says anything about the log but [`Trouble::Alarm`].
    pub async fn submit_to(
        &self,
        place: usize,
        store: &dyn Store,
        keys: &TrustedKeys,
        now: Timestamp,
    ) -> Result<Submitted, Trouble> {
        self.show(place, None, store, keys, now).await
    }

    /// The size of the tree that a witness was last known to hold.
    pub(crate) async fn held_by(&self, place: usize) -> u64 {
        match self.states.get(place) {
            Some(state) => state.lock().await.holds,
            None => 0,
        }
    }

    /// As [`Witnesses::submit_to`]; where a size is given, the first checkpoint over as many records is shown instead of the newest.
    pub(crate) async fn show(
        &self,
        place: usize,
        at_least: Option<u64>,
        store: &dyn Store,
        keys: &TrustedKeys,
        now: Timestamp,
    ) -> Result<Submitted, Trouble> {
        let witness = self.policy.witnesses().get(place);
        let (Some(witness), Some(state)) = (witness, self.states.get(place)) else {
            return Err(Trouble::NoSuchWitness);
        };
        let url = witness.url.as_deref().ok_or(Trouble::NoAddress)?;
        // Held until the answer is there: one request at a time.
        let mut state = state.lock().await;
        if let Some(alarm) = &state.alarm {
            return Err(Trouble::Alarm(Arc::clone(alarm)));
        }
        let Some(own) = Own::filed(store, at_least).await? else {
            return Ok(Submitted::Overtaken);
        };
        let size = own.checkpoint.size;
        if own.has_line_of(witness) {
            state.holds = size;
            return Ok(Submitted::Already { size });
        }
        // What the witness knew of a longer log, it is to tell itself.
        let mut old = if state.holds > size { 0 } else { state.holds };
        for told in [false, true] {
            let path = own.path_from(store, old)?;
            let request = answer::add_checkpoint(url, old, &path, &own.signed);
            let response = self.transport.exchange(request).await?;
            let text = own.note.unverified_text();
            let sign = match answer::read(&response, text, &witness.key, now)? {
                Answer::Cosigned(line, at) => {
                    store_line(store, size, &line).await?;
                    state.holds = size;
                    return Ok(Submitted::Cosigned { size, at });
                }
                Answer::NotWatched => return Err(Trouble::NotWatched),
                Answer::NotTrusted => return Err(Trouble::NotTrusted),
                Answer::Holds(holds) if holds == old => return Err(BadAnswer::Size.into()),
                Answer::Holds(holds) if holds <= size => {
                    state.holds = holds;
                    if told {
                        // Another process is asking the same witness.
                        return Ok(Submitted::Overtaken);
                    }
                    old = holds;
                    continue;
                }
                Answer::Holds(holds) => {
                    // Another process may have had a longer log cosigned since ours was read.
                    if grown_to(store, holds).await? {
                        state.holds = holds;
                        return Ok(Submitted::Overtaken);
                    }
                    Sign::Rollback { size: holds }
                }
                Answer::Inconsistent => Sign::Fork { size: old },
            };
            let mut alarm = Alarm {
                witness: witness.name.clone(),
                sign,
                evidence: Evidence::Word,
                own: own.signed.clone(),
            };
            // Noted before the witness is asked for more: it may keep us waiting until we are let go of.
            state.alarm = Some(Arc::new(alarm.clone()));
            alarm.evidence = self.evidence(url, &own, store, keys).await;
            let alarm = Arc::new(alarm);
            state.alarm = Some(Arc::clone(&alarm));
            return Err(Trouble::Alarm(alarm));
        }
        Ok(Submitted::Overtaken)
    }

    /// What the witness can show for what it says: the checkpoint that it holds, if keys of the log signed it.
    async fn evidence(
        &self,
        url: &str,
        own: &Own,
        store: &dyn Store,
        keys: &TrustedKeys,
    ) -> Evidence {
        let origin = &own.checkpoint.origin;
        let request = answer::checkpoint_of(url, origin.as_str());
        let Ok(response) = self.transport.exchange(request).await else {
            return Evidence::Word;
        };
        let signers = keys.iter();
        let signers = signers.filter(|(_, roles)| roles.contains(&Role::Checkpoint));
        let signers = signers.map(|(key, _)| key.key());
        let Ok((theirs, _)) = Checkpoint::verify(&response.body, origin, signers) else {
            return Evidence::Word;
        };
        if theirs.size > own.checkpoint.size {
            return Evidence::Ahead(response.body);
        }
        let found = store::prove(store, |nodes| {
            ForkEvidence::find(nodes, &own.signed, &response.body)
        });
        match found {
            Some(Ok(Some(fork))) if fork.verify(keys).is_ok() => Evidence::Fork(fork),
            _ => Evidence::Word,
        }
    }
}

/// A checkpoint of a store.
struct Own {
    checkpoint: Checkpoint,
    /// As the log signed it.
    signed: Vec<u8>,
    /// As it is filed, with what witnesses added.
    note: Note,
}

impl Own {
    /// `None` before the genesis, and where the checkpoint is not the one of the head, since the log has just grown.
    async fn filed(store: &dyn Store, at_least: Option<u64>) -> Result<Option<Self>, Trouble> {
        let Some(head) = store.head().await? else {
            return Ok(None);
        };
        let size = at_least.unwrap_or(head.size);
        let found = store.find(Query::Checkpoint { at_least: size }).await?;
        let Some((filed, note)) = found.checkpoint()?.filter(|(filed, _)| *filed <= head.size)
        else {
            return Ok(None);
        };
        let note = Note::parse(&note).map_err(CheckpointError::from)?;
        Ok(Some(Self {
            checkpoint: Checkpoint::parse(note.unverified_text())?,
            signed: if filed == head.size {
                head.checkpoint
            } else {
                note.with_first_signature().to_bytes()
            },
            note,
        }))
    }

    fn has_line_of(&self, witness: &PolicyWitness) -> bool {
        let (name, hint) = (witness.key.name(), witness.key.hint());
        let mut lines = self.note.signatures().iter();
        lines.any(|line| line.name == *name && line.hint == hint)
    }

    /// The consistency proof from a smaller tree, checked against the rows that it was made from: a witness that refuses it is then
    /// right.
    fn path_from(&self, store: &dyn Store, old: u64) -> Result<Vec<Digest>, Trouble> {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        if old == 0 || old == *size {
            return Ok(Vec::new());
        }
        let made = store::prove(store, |nodes| {
            let root = tree_root(nodes, old)?;
            Ok::<_, ProveError<StoreError>>((root, prove_consistency(nodes, old, *size)?))
        });
        let (before, proof) = made
            .ok_or_else(|| StoreError::corrupt("making a proof panicked"))?
            .map_err(|error| match error {
                ProveError::Store(error) => error,
                error => StoreError::corrupt(error.to_string()),
            })?;
        proof.verify(&before, root).map_err(|error| {
            StoreError::corrupt(format!("its rows and its checkpoint: {error}"))
        })?;
        Ok(proof.path)
    }
}

/// Adds a signature line to a checkpoint, while others may be adding theirs.
async fn store_line(store: &dyn Store, size: u64, line: &NoteSignature) -> Result<(), Trouble> {
    for _ in 0..TRIES {
        let found = store.find(Query::Checkpoint { at_least: size }).await?;
        let Some((_, note)) = found.checkpoint()?.filter(|(filed, _)| *filed == size) else {
            return Err(StoreError::corrupt("a checkpoint is no longer there").into());
        };
        let parsed = Note::parse(&note).map_err(CheckpointError::from)?;
        let mut lines = parsed.signatures().iter();
        if lines.any(|other| other.name == line.name && other.hint == line.hint) {
            return Ok(());
        }
        // One line too many would spoil the checkpoint.
        parsed.with_signature(line).map_err(CheckpointError::from)?;
        let chore = Chore::AddSignatures {
            size,
            expected: note,
            lines: vec![line.clone()],
        };
        if store.tend(chore).await? == Tended::Done {
            return Ok(());
        }
    }
    Err(StoreError::Busy.into())
}

async fn grown_to(store: &dyn Store, size: u64) -> Result<bool, Trouble> {
    let head = store.head().await?;
    Ok(head.is_some_and(|head| head.size >= size))
}

/// Why a witness has not cosigned.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Trouble {
    /// It knows another history of the log; said once more each time that it would be asked.
    #[error("{0}")]
    Alarm(Arc<Alarm>),
    /// It was not reached.
    #[error(transparent)]
    Unreachable(#[from] TransportError),
    /// Its answer is none.
    #[error("the answer of the witness is not used: {0}")]
    Answer(#[from] BadAnswer),
    /// It does not watch this log: its operator has to be asked.
    #[error("the witness does not know a log of this origin")]
    NotWatched,
    /// It does not know the key that signs the log's checkpoints, as after a rotation.
    #[error("the witness does not know the key that signed the checkpoint")]
    NotTrusted,
    /// The policy says no address.
    #[error("the policy names no address of the witness")]
    NoAddress,
    /// The policy has no witness in that place.
    #[error("the policy has no such witness")]
    NoSuchWitness,
    /// What the store holds as its newest checkpoint is none.
    #[error("the newest checkpoint of the store is refused: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

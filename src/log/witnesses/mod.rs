//! Whom an auditor believes to have watched a log, and how many of them are enough (C2SP tlog-policy).

mod read;

use std::time::Duration;

use thiserror::Error;

pub use self::read::{WitnessPolicyError, WitnessPolicyFault};
use super::{
    checkpoint::{Checkpoint, CheckpointError},
    cosignature::{Cosignature, CosignatureError},
    keys::PublicKey,
    note::{Note, NoteError},
    vkey::{VerifierKey, WitnessKey},
};
use crate::clock::Timestamp;

/// How far a witness's clock may be ahead of the auditor's.
const AHEAD: Duration = Duration::from_secs(300);

/// A C2SP tlog-policy: which logs, which witnesses, and which of these together are a quorum.
///
/// Read with [`WitnessPolicy::parse`]:
///
/// ```text
/// log example.com/log+<8 hex digits>+<base64>
/// witness W1 witness.example/w1+<8 hex digits>+<base64> https://witness.example/w1
/// witness W2 other.example/w2+<8 hex digits>+<base64>
/// group both all W1 W2
/// quorum both
/// ```
///
/// Witnesses are told apart by their public keys: what one key says counts once, whatever its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessPolicy {
    // INVARIANT: no public key stands twice, among witnesses and logs together.
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    // INVARIANT: a group has only groups before it as members; no name is a member twice.
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    /// The key of its checkpoints, under the log's origin.
    pub key: VerifierKey,
    /// Where it is served, if the policy says so.
    pub url: Option<String>,
}

/// A witness of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    /// How the policy calls it.
    pub name: String,
    /// Its key.
    pub key: WitnessKey,
    /// Where it takes checkpoints (the submission prefix of C2SP tlog-witness), if the policy says so.
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    need: usize,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// The times of cosignatures that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub to: Timestamp,
}

impl Window {
    /// All times.
    pub const ALWAYS: Self = Self {
        from: Timestamp::EPOCH,
        to: Timestamp::MAX,
    };

    /// The last `within` before `now`. Clocks differ, so that the five minutes after `now` belong to it.
    #[must_use]
    pub fn recent(now: Timestamp, within: Duration) -> Self {
        Self {
            from: now.saturating_sub(within),
            to: now.saturating_add(AHEAD),
        }
    }

    /// Whether a moment is in it.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::ALWAYS
    }
}

/// That a quorum of witnesses cosigned a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// The witnesses whose cosignatures count, as the policy calls them, and when they cosigned.
    pub by: Vec<(String, Timestamp)>,
    /// From when on they were a quorum.
    pub since: Timestamp,
}

impl WitnessPolicy {
    /// The logs, in the order of the file.
    #[must_use]
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in the order of the file.
    #[must_use]
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether it asks for a witness at all: not with `quorum none`.
    #[must_use]
    pub const fn asks_for_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// The checkpoint in a note that one of the policy's logs signed and a quorum of its witnesses cosigned.
    ///
    /// # Errors
    /// [`NotWitnessed`] says what is missing. A policy without a log knows nobody's checkpoints, and one with `quorum none` no
    /// witness.
    pub fn check(
        &self,
        note: &[u8],
        window: Window,
    ) -> Result<(Checkpoint, Witnessed), NotWitnessed> {
        let note = Note::parse(note)?;
        let checkpoint = self.signed(&note)?;
        let witnessed = self.witnessed(&note, [], window)?;
        Ok((checkpoint, witnessed))
    }

    /// The quorum under a checkpoint of a log whose own signature was checked elsewhere.
    ///
    /// The keys that the log itself names are no witnesses of it. Where the policy lists logs, one of them must have signed.
    ///
    /// # Errors
    /// [`NotWitnessed`] says what is missing; a cosignature by a known witness that does not verify spoils the note.
    pub fn witnessed<'k>(
        &self,
        note: &Note,
        own: impl IntoIterator<Item = &'k PublicKey>,
        window: Window,
    ) -> Result<Witnessed, NotWitnessed> {
        if !self.logs.is_empty() {
            self.signed(note)?;
        }
        let own: Vec<&PublicKey> = own.into_iter().collect();
        let mut counted: Vec<(usize, Timestamp)> = Vec::new();
        for (place, cosignature) in self.cosignatures(note)? {
            let witness = self.witnesses.get(place);
            let outside = witness.is_some_and(|witness| !own.contains(&witness.key.key()));
            if outside && window.contains(cosignature.at()) {
                counted.push((place, cosignature.at()));
            }
        }
        let since = self.since(&counted)?;
        let by = counted
            .iter()
            .filter_map(|(place, at)| Some((self.witnesses.get(*place)?.name.clone(), *at)))
            .collect();
        Ok(Witnessed { by, since })
    }

    /// The cosignatures in a note by witnesses of the policy, with the witnesses' places.
    fn cosignatures(&self, note: &Note) -> Result<Vec<(usize, Cosignature)>, NotWitnessed> {
        let text = note.unverified_text();
        let mut found = Vec::new();
        for line in note.signatures() {
            // Two witnesses may share a name and a hint, by someone's design: one of them must have signed.
            let mut refused = None;
            let cosigned = self
                .witnesses
                .iter()
                .enumerate()
                .find_map(|(place, witness)| {
                    match Cosignature::verify(line, text, &witness.key)? {
                        Ok(cosignature) => Some((place, cosignature)),
                        Err(why) => {
                            refused = Some((witness, why));
                            None
                        }
                    }
                });
            match (cosigned, refused) {
                (Some(cosigned), _) => found.push(cosigned),
                (None, Some((witness, why))) => {
                    return Err(NotWitnessed::Cosignature {
                        witness: witness.name.clone(),
                        why,
                    });
                }
                (None, None) => {}
            }
        }
        Ok(found)
    }

    fn signed(&self, note: &Note) -> Result<Checkpoint, NotWitnessed> {
        let origin = Checkpoint::parse(note.unverified_text())?.origin;
        let keys = self.logs.iter().map(|log| &log.key);
        let keys = keys.filter(|key| key.name() == origin.key_name());
        let (checkpoint, _) = Checkpoint::verify_note(note, &origin, keys.map(VerifierKey::key))?;
        Ok(checkpoint)
    }

    /// From when on these witnesses were a quorum.
    fn since(&self, counted: &[(usize, Timestamp)]) -> Result<Timestamp, NotWitnessed> {
        let Some(quorum) = self.quorum else {
            return Err(NotWitnessed::NotAsked);
        };
        let mut by_time = counted.to_vec();
        by_time.sort_by_key(|(_, at)| *at);
        let mut present = vec![false; self.witnesses.len()];
        for (place, at) in by_time {
            if let Some(one) = present.get_mut(place) {
                *one = true;
            }
            if self.holds(quorum, &present) {
                return Ok(at);
            }
        }
        Err(NotWitnessed::NoQuorum {
            witnesses: counted.len(),
        })
    }

    fn holds(&self, wanted: Member, present: &[bool]) -> bool {
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        let one = |member: &Member, groups: &[bool]| match member {
            Member::Witness(place) => present.get(*place).copied().unwrap_or(false),
            Member::Group(place) => groups.get(*place).copied().unwrap_or(false),
        };
        for Group { need, members, .. } in &self.groups {
            let there = members.iter().filter(|member| one(member, &groups)).count();
            groups.push(there >= *need);
        }
        one(&wanted, &groups)
    }
}

/// Why a checkpoint does not count as witnessed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotWitnessed {
    /// The policy says `quorum none`.
    #[error("the witness policy asks for no witness")]
    NotAsked,
    /// Too few of the witnesses, or not those that it needs.
    #[error("{witnesses} witnesses of the policy cosigned it in time, which is no quorum")]
    NoQuorum {
        /// How many there are that count.
        witnesses: usize,
    },
    /// A line that names a witness is not by it.
    #[error("the cosignature of the witness `{witness}`: {why}")]
    Cosignature {
        /// As the policy calls it.
        witness: String,
        /// What is wrong with it.
        why: CosignatureError,
    },
    /// It is no checkpoint that a log of the policy signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl From<NoteError> for NotWitnessed {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(error.into())
    }
}

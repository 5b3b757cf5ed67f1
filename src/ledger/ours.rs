//! Whether a log is ours: who began it, and whether it is the one that should be here.

use std::path::Path;
use std::sync::Arc;

use crate::canonical::Digest;
use crate::log::{Broken, Enforcement, LogId, PublicKey, Role, Seq, Trust, VerifiedGenesis};
use crate::store::{Query, Store, StoreError};

use super::known_logs::{Known, KnownLogs};
use super::{Keys, OpenError, SaidBy};

/// Who says which log should be in the store.
#[derive(Debug)]
pub(super) enum Place {
    /// The host; nothing is read or written beside the keys.
    Said(LogId),
    /// The list beside the keys.
    Listed(KnownLogs),
    /// Nobody: the keys or the log are in no file.
    Free,
}

impl Place {
    pub(super) fn new(
        expected: Option<LogId>,
        keys: &Keys,
        database: Option<&Path>,
    ) -> Result<Self, OpenError> {
        Ok(match (expected, keys.directory(), database) {
            (Some(log), _, _) => Self::Said(log),
            (None, Some(directory), Some(database)) => {
                Self::Listed(KnownLogs::of(directory, database)?)
            }
            (None, _, _) => Self::Free,
        })
    }

    /// Makes sure that no log should be here, so that one may begin; `left` is the id that an earlier beginning left behind,
    /// which somebody may have written who wants two logs with one id.
    pub(super) fn check_empty(&self, left: Option<LogId>) -> Result<(), OpenError> {
        match self {
            Self::Said(expected) => Err(OpenError::LogGone {
                expected: *expected,
                by: SaidBy::Host,
            }),
            Self::Listed(list) => {
                let mut gone = list.here()?.map(|known| known.log);
                if let Some(left) = left
                    && list.has(left)?
                {
                    gone = Some(left);
                }
                match gone {
                    None => Ok(()),
                    Some(expected) => Err(OpenError::LogGone {
                        expected,
                        by: SaidBy::List(list.file().to_path_buf()),
                    }),
                }
            }
            Self::Free => Ok(()),
        }
    }

    /// Whether the list beside the keys says that the log was opened before.
    pub(super) fn knows(&self, log: LogId) -> Result<bool, OpenError> {
        match self {
            Self::Listed(list) => Ok(list.has(log)?),
            Self::Said(_) | Self::Free => Ok(false),
        }
    }

    /// Makes sure that this is the log that should be here, and writes down that it is.
    pub(super) fn settle(&self, log: LogId, genesis: Digest) -> Result<(), OpenError> {
        let another = |expected, by| OpenError::AnotherLog {
            expected,
            found: log,
            by,
        };
        match self {
            Self::Said(expected) if *expected == log => Ok(()),
            Self::Said(expected) => Err(another(*expected, SaidBy::Host)),
            Self::Listed(list) => {
                let known = list.settle(Known { log, genesis })?;
                let by = SaidBy::List(list.file().to_path_buf());
                if known.log != log {
                    Err(another(known.log, by))
                } else if known.genesis != genesis {
                    Err(OpenError::AnotherBeginning { log, by })
                } else if let Some(successor) = list.successor(log)? {
                    Err(OpenError::Superseded { log, successor })
                } else {
                    Ok(())
                }
            }
            Self::Free => Ok(()),
        }
    }
}

/// What the log says about itself and the leaf of its genesis, if a key that may begin a log of ours signed it and it names
/// the keys that this process signs with.
pub(super) async fn known_trust(
    store: &Arc<dyn Store>,
    keys: &Keys,
    enforcement: Enforcement,
    size: u64,
) -> Result<(Trust, Digest), OpenError> {
    let first = store.read(Seq::new(0), std::num::NonZeroU32::MIN).await?;
    let genesis = first.first().ok_or(StoreError::Corrupt {
        what: "record 0 is missing".to_owned(),
    })?;
    let genesis = VerifiedGenesis::check(genesis).map_err(|broken| OpenError::Broken {
        seq: 0,
        why: broken.to_string(),
    })?;
    let mut trust = Trust::on_genesis(&genesis);
    if trust.origin().is_testing() != (enforcement == Enforcement::Testing) {
        return Err(OpenError::TestingLog);
    }
    // Anybody can name our keys. Only a signature says that the other keys beside them are there by our will: under the genesis,
    // or under a change of keys, which stands on all records before it.
    let record = genesis.record();
    let mut ours = record.signers().iter().any(|key| keys.may_begin(key));
    for change in store.find(Query::KeyChanges).await?.records()? {
        let broken = |broken: Broken| OpenError::Broken {
            seq: change.seq.get(),
            why: broken.to_string(),
        };
        if change.seq.get() >= size {
            continue;
        }
        let verified = trust.check(&change).map_err(broken)?;
        ours |= verified.signers().iter().any(|key| keys.may_begin(key));
        trust.follow(&verified).map_err(broken)?;
    }
    for role in [Role::Gate, Role::Desk, Role::Checkpoint, Role::Operator] {
        let own: Option<&PublicKey> = keys.signer(role).map(|signer| signer.public());
        if let Some(own) = own
            && !trust.has_role(&own.id(), role, Seq::new(size))
        {
            return Err(OpenError::ForeignKey { role });
        }
    }
    if !ours {
        return Err(OpenError::BegunByStranger {
            log: *trust.log(),
            key: record.statement().key,
        });
    }
    Ok((trust, *record.leaf()))
}

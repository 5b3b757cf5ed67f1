//! `countersign keys rotate`, `revoke` and `add`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::host::{Operator, OperatorError};
use countersign::ledger::Rotation;
use countersign::log::{Revocation, Role, Seq, Signer};
use countersign::{Countersign, Keys, RuleSet, SqliteStore, StaticDirectory};
use futures::executor::block_on;

use crate::arguments::{KeysAdd, KeysRevoke, KeysRotate, Operated};
use crate::ending::{Code, Ended, Failure};
use crate::out::Out;
use crate::trust;

/// The keys of a new log are in force for whatever comes next.
const NEXT: Seq = Seq::new(u64::MAX);

pub fn rotate(asked: &KeysRotate, out: &mut Out) -> Ended {
    let KeysRotate {
        operated,
        keys,
        role,
    } = asked;
    // Nothing is made before it is known who asks, and for what.
    alone(keys, *role)?;
    let operating = Operating::prepare(operated, keys)?;
    let rotation = Rotation::begin(keys, *role)?;
    let (old, next) = (rotation.old().public().id(), rotation.next().public().id());
    // What an earlier run has come to stands in the log. It is asked before the log is opened, which an operator whose own key
    // was rotated could not do with the old one.
    let trust = trust::now(&operating.store)?;
    if trust.has_role(&next, *role, NEXT) {
        rotation.finish()?;
        out.line(&format!(
            "the log names the key {next} for {role} already; it lies in its place now"
        ));
        return Ok(Code::GOOD);
    }
    if !trust.has_role(&old, *role, NEXT) {
        return Err(Failure::cannot(format!(
            "the log names neither the key {old} of `{}` for {role} nor the one that is to take its place",
            keys.display()
        )));
    }
    let written = operating
        .change(async |operator| operator.rotate_key(rotation.old(), rotation.next()).await)?;
    let taken_up = if rotation.is_taken_up() {
        ", which an earlier run had made,"
    } else {
        ""
    };
    rotation.finish()?;
    out.line(&format!(
        "record {written}: the key {next}{taken_up} takes the place of {old} for {role}"
    ));
    out.line("processes that have the store open go on with their old keys until they are opened again, and cannot sign for this role");
    Ok(Code::GOOD)
}

/// A key that signs for several roles would go for all of them, and only one of its files would follow.
fn alone(directory: &Path, role: Role) -> Result<(), Failure> {
    let keys = Keys::open(directory)?;
    let Some(key) = keys.signer(role) else {
        return Err(Failure::cannot(format!(
            "`{}` holds no key for {role}",
            directory.display()
        )));
    };
    let other = Role::ALL.into_iter().find(|other| {
        let held = keys.signer(*other);
        *other != role && held.is_some_and(|held| held.public() == key.public())
    });
    match other {
        None => Ok(()),
        Some(other) => Err(Failure::cannot(format!(
            "`{}` has one key for {role} and {other}: add new keys and revoke it instead",
            directory.display()
        ))),
    }
}

pub fn revoke(asked: &KeysRevoke, out: &mut Out) -> Ended {
    let KeysRevoke {
        operated,
        key,
        keys,
        why,
    } = asked;
    let why = match why.compromised_since {
        Some(since) => Revocation::Compromised { since },
        None if why.lost => Revocation::Lost,
        None => Revocation::Retired,
    };
    let operating = Operating::prepare(operated, keys)?;
    let written = operating.change(async |operator| operator.revoke_key(*key, why).await)?;
    out.line(&format!(
        "record {written}: the key {key} is in force no longer"
    ));
    Ok(Code::GOOD)
}

pub fn add(asked: &KeysAdd, out: &mut Out) -> Ended {
    let KeysAdd {
        operated,
        new,
        keys,
    } = asked;
    let coming = Keys::open(new)?;
    let operating = Operating::prepare(operated, keys)?;
    let trust = trust::now(&operating.store)?;
    for role in Role::ALL {
        let Some(key) = coming.signer(role) else {
            continue;
        };
        let id = key.public().id();
        // An earlier run may have come so far.
        if trust.has_role(&id, role, NEXT) {
            out.line(&format!("the log names the key {id} for {role} already"));
            continue;
        }
        let written =
            operating.change(async |operator| operator.add_key(Arc::clone(key), [role]).await)?;
        out.line(&format!("record {written}: the key {id} signs for {role}"));
    }
    Ok(Code::GOOD)
}

/// A store, and what its operator needs to have a record written there.
struct Operating {
    store: Arc<SqliteStore>,
    held: Keys,
    key: Arc<dyn Signer>,
    head_file: Option<PathBuf>,
}

impl Operating {
    /// Opens the store for writing, since nobody can read one in which a process died before that was put in order. The log
    /// is not opened yet.
    fn prepare(operated: &Operated, keys: &Path) -> Result<Self, Failure> {
        let Operated {
            store,
            operator,
            head_file,
        } = operated;
        let directory = operator.as_deref().unwrap_or(keys);
        // Without keys of a gate or desk the process can neither decide nor end what waits: it adopts no policy, and lets
        // deadlines be.
        let mut held = Keys::open(directory)?
            .without(Role::Gate)
            .without(Role::Desk);
        if held.signer(Role::Checkpoint).is_none()
            && let Some(key) = Keys::open(keys)?.signer(Role::Checkpoint)
        {
            held = held.with_signer(Role::Checkpoint, Arc::clone(key));
        }
        let key = held.signer(Role::Operator).cloned().ok_or_else(|| {
            Failure::cannot(format!(
                "`{}` holds no key of an operator: name the directory that does with --operator",
                directory.display()
            ))
        })?;
        let store = Arc::new(SqliteStore::open(store)?);
        // An empty one would be begun.
        trust::now(&store)?;
        Ok(Self {
            store,
            held,
            key,
            head_file: head_file.clone(),
        })
    }

    /// Opens the log, has one record written, and closes it.
    fn change(
        &self,
        word: impl AsyncFnOnce(&Operator) -> Result<Seq, OperatorError>,
    ) -> Result<Seq, Failure> {
        let Self {
            store,
            held,
            key,
            head_file,
        } = self;
        // Nobody files anything here, so they are asked for nothing.
        let rules = RuleSet::from_toml("version = 1\nrules = []")
            .map_err(|error| Failure::cannot(error.to_string()))?;
        let people = StaticDirectory::builder()
            .build()
            .map_err(|error| Failure::cannot(error.to_string()))?;
        block_on(async {
            let mut opening = Countersign::open(Arc::clone(store), held.clone(), rules, people);
            if let Some(path) = head_file {
                opening = opening.with_head_file(path);
            }
            let countersign = opening.await?;
            let written = match countersign.operator(Arc::clone(key)) {
                Ok(operator) => word(&operator)
                    .await
                    .map_err(|error| Failure::cannot(error.to_string())),
                Err(error) => Err(Failure::cannot(error.to_string())),
            };
            countersign.close().await;
            written
        })
    }
}

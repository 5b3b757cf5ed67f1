//! `countersign recover`

use std::path::Path;
use std::sync::Arc;

use countersign::approval::{Mishap, TreeHead};
use countersign::ledger::{Lost, Recovery, RecoveryError, Succeeding};
use countersign::log::Role;
use countersign::{Keys, SqliteStore};
use futures::executor::block_on;

use crate::arguments::Recover;
use crate::ending::{Code, Ended, Failure};
use crate::files;
use crate::out::Out;
use crate::progress::Progress;

pub fn run(asked: &Recover, out: &mut Out) -> Ended {
    let Recover {
        store,
        to,
        keys,
        operator,
        reason,
        checkpoints,
        head_file,
        new_head_file,
        origin,
        look,
    } = asked;
    let kept = checkpoints
        .iter()
        .map(|path| files::read(path))
        .collect::<Result<Vec<_>, _>>()?;
    let keys = keys_of(keys, operator.as_deref())?;
    let mut reader = match there(store)? {
        true => Some(SqliteStore::open_read_only(store)?.log_reader()?),
        false => None,
    };
    let lost = Lost {
        reader: reader.as_mut().map(|reader| reader as _),
        database: store,
        head_file: head_file.as_deref(),
        kept: &kept,
    };
    let mut progress = Progress::new();
    let examined = Recovery::examine(lost, &keys, &mut |records| {
        progress.hear("looked at", records);
    });
    drop(progress);
    let recovery = examined?;
    tell(&recovery, out);
    if *look {
        return Ok(Code::GOOD);
    }
    if keys.signer(Role::Operator).is_none() {
        return Err(Failure::cannot(
            "there is no key of an operator, whose word it is that a log was lost: name the directory that has one with --operator",
        ));
    }
    if reason.trim().is_empty() {
        return Err(RecoveryError::NoReason.into());
    }
    let successor = block_on(recovery.begin(Succeeding {
        store: Arc::new(SqliteStore::open_or_create(to)?),
        keys: &keys,
        head_file: new_head_file.clone(),
        origin: origin.clone(),
        reason: reason.clone(),
    }))?;
    out.line(&format!("successor    {successor}, in {}", to.display()));
    out.line(&format!(
        "next         have every process open {} from now on, and keep what is left of the old log as evidence",
        to.display()
    ));
    Ok(Code::GOOD)
}

/// The keys that the log was written with, and the operator's.
fn keys_of(directory: &Path, operator: Option<&Path>) -> Result<Keys, Failure> {
    let mut keys = Keys::open(directory)?;
    if let Some(operator) = operator
        && let Some(key) = Keys::open(operator)?.signer(Role::Operator)
    {
        keys = keys.with_signer(Role::Operator, Arc::clone(key));
    }
    Ok(keys)
}

fn there(store: &Path) -> Result<bool, Failure> {
    std::fs::exists(store)
        .map_err(|error| Failure::cannot(format!("`{}`: {error}", store.display())))
}

fn tell(recovery: &Recovery, out: &mut Out) {
    let what = match recovery.after() {
        Mishap::Rollback => "an older copy of the store was put back",
        Mishap::Fork => "the store holds another history than was attested",
        Mishap::HeadFileMissing => {
            "the head file is gone, so that nobody knows how long the log was"
        }
        Mishap::StoreLost => "the store is gone",
        Mishap::Broken => "the store does not verify",
    };
    let head = |head: Option<TreeHead>| match head {
        Some(TreeHead { size, root }) => format!("{size} records, tree head {}", root.to_hex()),
        None => "nothing".to_owned(),
    };
    let predecessor = recovery.predecessor();
    out.line(&format!(
        "log          {} ({})",
        predecessor.log, predecessor.origin
    ));
    out.line(&format!("befallen     {what}"));
    if let Some(why) = recovery.why() {
        out.line(&format!("because      {why}"));
    }
    out.line(&format!("attested     {}", head(recovery.attested())));
    out.line(&format!("found        {}", head(recovery.found())));
}

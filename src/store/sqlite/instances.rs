//! Who is alive: every registered process holds a lock on a file of its own, which the kernel takes back when it dies.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;

use crate::action::InstanceId;
use crate::clock::Timestamp;

use super::super::error::StoreError;
use super::super::rows::{InstanceRow, Liveness};
use super::find::many;
use super::open::open_or_make;
use super::runtime::Runtime;

/// The locks that this process holds.
#[derive(Debug, Default)]
pub(super) struct Instances(Mutex<HashMap<InstanceId, File>>);

impl Instances {
    /// Takes the lock of an instance; before its row is written, so that whoever finds the row finds the lock.
    pub(super) fn hold(&self, instance: InstanceId, runtime: &Runtime) -> Result<(), StoreError> {
        let mut held = self.lock();
        if held.contains_key(&instance) {
            return Ok(());
        }
        let lock = || -> io::Result<File> {
            runtime.ensure()?;
            let file = open_or_make(&path(instance, runtime), runtime.file_mode())?;
            retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            Ok(file)
        };
        held.insert(instance, lock().map_err(StoreError::unavailable)?);
        Ok(())
    }

    /// Lets go of the lock of an instance, and removes what is left of one that is gone.
    pub(super) fn release(&self, instance: InstanceId, runtime: &Runtime) {
        self.lock().remove(&instance);
        // What cannot be removed is in nobody's way.
        drop(fs::remove_file(path(instance, runtime)));
    }

    /// The registered processes.
    pub(super) fn list(
        &self,
        conn: &Connection,
        runtime: &Runtime,
    ) -> Result<Vec<InstanceRow>, StoreError> {
        let rows: Vec<(InstanceId, Timestamp)> = many(
            conn,
            "SELECT instance, at FROM instance ORDER BY instance",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut found: BTreeMap<InstanceId, Timestamp> = rows.into_iter().collect();
        // A row may be gone whose process lives: what counts is who holds a lock.
        for instance in with_a_lock(runtime).map_err(StoreError::unavailable)? {
            found.entry(instance).or_insert(Timestamp::EPOCH);
        }
        found
            .into_iter()
            .map(|(instance, at)| {
                let liveness = if self.lock().contains_key(&instance) {
                    Liveness::Alive
                } else {
                    look(&path(instance, runtime)).map_err(StoreError::unavailable)?
                };
                Ok(InstanceRow {
                    instance,
                    at,
                    liveness,
                })
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(instance: InstanceId, runtime: &Runtime) -> PathBuf {
    runtime.path().join(format!("{}.alive", instance.as_uuid()))
}

/// The instances that have a file to lock, whether or not somebody holds the lock.
fn with_a_lock(runtime: &Runtime) -> io::Result<Vec<InstanceId>> {
    let entries = match fs::read_dir(runtime.path()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut instances = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".alive"));
        instances.extend(id.and_then(|id| InstanceId::parse(id).ok()));
    }
    Ok(instances)
}

fn look(path: &PathBuf) -> io::Result<Liveness> {
    let file = match OpenOptions::new().read(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Liveness::Gone),
        Err(error) => return Err(error),
    };
    match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockShared)) {
        Ok(()) => Ok(Liveness::Gone),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(Liveness::Alive),
        Err(error) => Err(error.into()),
    }
}

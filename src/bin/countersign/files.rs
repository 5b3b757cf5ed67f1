//! Files that are brought, and files that were asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use countersign::audit::Bookmark;
use countersign::log::{TrustedKeys, WitnessPolicy};

use crate::ending::Failure;

/// More than any file has that is brought: a receipt has 8 MiB at most.
const MOST: u64 = (8 << 20) + 1;

/// A bookmark has 8 bytes for each hidden member of a log, and 32 for each request.
const MOST_BOOKMARK: u64 = 1 << 32;

pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    read_up_to(path, MOST)
}

fn read_up_to(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|error| Failure::cannot(format!("`{}`: {error}", path.display())))?;
    Ok(bytes)
}

pub fn keys(path: &Path) -> Result<TrustedKeys, Failure> {
    let text = String::from_utf8(read(path)?)
        .map_err(|_| Failure::cannot(format!("`{}` is not text", path.display())))?;
    let keys: TrustedKeys = text
        .parse()
        .map_err(|error| Failure::cannot(format!("`{}`: {error}", path.display())))?;
    if keys.iter().next().is_none() {
        return Err(Failure::cannot(format!(
            "`{}` holds no key",
            path.display()
        )));
    }
    Ok(keys)
}

pub fn bookmark(path: &Path) -> Result<Bookmark, Failure> {
    Bookmark::from_bytes(&read_up_to(path, MOST_BOOKMARK)?)
        .map_err(|error| Failure::cannot(format!("`{}`: {error}", path.display())))
}

/// A checkpoint that was kept, by itself or in a bookmark.
pub fn checkpoint(path: &Path) -> Result<Vec<u8>, Failure> {
    match bookmark(path) {
        Ok(bookmark) => Ok(bookmark.checkpoint().to_vec()),
        Err(_) => read(path),
    }
}

pub fn policy(path: &Path) -> Result<WitnessPolicy, Failure> {
    WitnessPolicy::parse(&read(path)?)
        .map_err(|error| Failure::cannot(format!("`{}`: {error}", path.display())))
}

/// Writes a file that is not there yet, whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::cannot(match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("`{}` is there already; nothing was written", path.display())
            }
            _ => format!("`{}`: {error}", path.display()),
        })
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a file is none.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

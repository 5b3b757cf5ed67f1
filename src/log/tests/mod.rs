#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod checkpoints;
mod envelopes;
mod notes;
mod outlines;
mod proofs;
mod signatures;
mod statements;
mod trees;
mod trusting;

use std::path::{Path, PathBuf};

use crate::canonical::{Admission, Json, admit};

use super::SecretKey;

/// A key that is the same in every run.
fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// Published test vectors, where they are laid beside the project.
fn published(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/vectors")
        .join(path);
    path.exists().then_some(path)
}

fn read_json(path: &Path) -> Json {
    let limits = Admission::default().with_max_bytes(16 << 20);
    admit(&std::fs::read(path).unwrap(), &limits).unwrap()
}

/// Every JSON file below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.append(&mut files_below(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

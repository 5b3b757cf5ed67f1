//! What an earlier run has published: its checkpoint, and the right edge of its tiles.

use std::{io, path::Path};

use super::{
    bundle,
    paths::{self, Sort},
};
use crate::{
    canonical::Digest,
    log::{Checkpoint, Frontier, Note, node_hash},
};

/// The largest note.
const MOST_NOTE: usize = 1_000_000;

/// The levels at which a tree of at most 2^53 leaves has hashes.
pub(super) const LEVELS: u8 = 7;

/// The right edge of tiles: of each level, lowest first, the hashes of the tile that is not full.
pub(super) type Edge = Vec<Vec<Digest>>;

/// The checkpoint of a directory as it lies there; `None` if there is none.
pub(super) fn checkpoint(directory: &Path) -> io::Result<Option<(Vec<u8>, Option<Checkpoint>)>> {
    let path = directory.join(paths::CHECKPOINT);
    let Some(note) = paths::read(&path, MOST_NOTE)? else {
        return Ok(None);
    };
    let checkpoint = Note::parse(&note)
        .ok()
        .and_then(|note| Checkpoint::parse(note.unverified_text()).ok());
    Ok(Some((note, checkpoint)))
}

/// The right edge of the tiles of that many records; `None` if a tile is missing or of another length.
pub(super) fn edge(directory: &Path, size: u64) -> io::Result<Option<Edge>> {
    let mut edge = Vec::with_capacity(usize::from(LEVELS));
    for level in 0..LEVELS {
        let hashes = size >> (8 * u32::from(level));
        let number = hashes / super::WIDTH;
        let Some(path) = Sort::Tile(level).path(number, hashes) else {
            edge.push(Vec::new());
            continue;
        };
        let width = usize::try_from(paths::width(number, hashes)).unwrap_or(usize::MAX);
        let tile = paths::read(&directory.join(path), 32 * width)?
            .and_then(|bytes| bundle::read_hashes(&bytes, width));
        match tile {
            Some(tile) => edge.push(tile),
            None => return Ok(None),
        }
    }
    Ok(Some(edge))
}

/// The tree with this edge.
pub(super) fn frontier(size: u64, edge: &[Vec<Digest>]) -> Option<Frontier> {
    let mut nodes = Vec::new();
    for hashes in edge.iter().rev() {
        let mut rest = hashes.as_slice();
        for bit in (0..8).rev() {
            let count = 1 << bit;
            if hashes.len() & count != 0 {
                let (perfect, after) = rest.split_at_checked(count)?;
                nodes.push(perfect_root(perfect)?);
                rest = after;
            }
        }
    }
    Frontier::from_nodes(size, nodes).ok()
}

/// The root over a power of two of hashes.
fn perfect_root(hashes: &[Digest]) -> Option<Digest> {
    let mut hashes = hashes.to_vec();
    while hashes.len() > 1 {
        let (pairs, _) = hashes.as_chunks::<2>();
        hashes = pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    hashes.first().copied()
}

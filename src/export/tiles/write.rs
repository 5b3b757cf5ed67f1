//! Publishing: what is new, and the checkpoint last.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{
    WIDTH, bundle, handed,
    paths::{self, KEYS, POLICY, STAGING, Sort},
    published::{self, Edge},
    words,
};
use crate::{
    canonical::Digest,
    export::{
        disclosing::STEP,
        disk::{Disk, DiskFile, parent},
        error::{ExportError, io as io_at},
        named::NamedKeys,
        run::{Exported, Exporting, Progress},
        survey::{Start, Surveyed, broken, genesis, rows, survey},
    },
    log::{Checkpoint, Frontier, RowRecord, Rule},
};

/// Full tiles are this long.
const FULL: usize = 256;

pub(in crate::export) fn export(
    exporting: &mut Exporting<'_>,
    disk: &mut dyn Disk,
    directory: &Path,
) -> Result<Exported, ExportError> {
    let genesis = genesis(exporting.reader)?;
    let mut place = Place::enter(disk, directory)?;
    let published = read_published(directory)?;
    if let Some((published, _)) = &published
        && published.origin != *genesis.origin()
    {
        let published = published.origin.clone();
        return Err(ExportError::OtherLog { published });
    }
    let from = published
        .as_ref()
        .map_or(0, |(published, _)| published.size);
    let (frontier, edge) = match &published {
        None => (Frontier::empty(), Vec::new()),
        Some((_, edge)) => {
            let mut edge = edge.clone();
            // The tile of leaves that is not full is read from the log again.
            if let Some(leaves) = edge.first_mut() {
                leaves.clear();
            }
            let frontier = published::frontier(from / WIDTH * WIDTH, &edge);
            (frontier.ok_or_else(|| damaged(directory))?, edge)
        }
    };
    let start = Start {
        frontier: frontier.clone(),
        published: published.map(|(published, _)| published),
    };
    let surveyed = survey(exporting, &genesis, start)?;

    let named = NamedKeys::read(exporting.reader, &genesis, surveyed.size)?;

    if surveyed.size > from {
        let mut tree = Tree { frontier, edge };
        tree.write(exporting, &mut place, &surveyed)?;
    }
    if exporting.replacing {
        let again = match surveyed.size > from {
            true => from / WIDTH,
            false => from.div_ceil(WIDTH),
        };
        for number in 0..again {
            place.put_disclosures(exporting, number, surveyed.size)?;
        }
    }
    let origin = genesis.origin();
    let keys = words::keys(origin, &named);
    let policy = words::policy(origin, &named, surveyed.size);
    place.put(Path::new(KEYS), keys.as_bytes())?;
    place.put(Path::new(POLICY), policy.as_bytes())?;
    if surveyed.size > from || has_gained(directory, &surveyed.checkpoint)? {
        place.settle()?;
        place.put(Path::new(paths::CHECKPOINT), &surveyed.checkpoint)?;
    }
    place.settle()?;
    Ok(Exported {
        log: *genesis.log(),
        origin: genesis.origin().clone(),
        from,
        size: surveyed.size,
        given: exporting.count.given,
        withheld: exporting.count.withheld,
    })
}

/// Whether witnesses have cosigned the published checkpoint since: nothing else makes it longer.
fn has_gained(directory: &Path, note: &[u8]) -> Result<bool, ExportError> {
    let found = published::checkpoint(directory).map_err(io_at(directory))?;
    Ok(found
        .is_some_and(|(published, _)| published.len() < note.len() && note.starts_with(&published)))
}

fn damaged(directory: &Path) -> ExportError {
    ExportError::Damaged {
        path: directory.to_path_buf(),
        what: "its tiles do not give its checkpoint",
    }
}

/// The published checkpoint and the right edge of its tiles, which agree.
fn read_published(directory: &Path) -> Result<Option<(Checkpoint, Edge)>, ExportError> {
    let Some((_, checkpoint)) = published::checkpoint(directory).map_err(io_at(directory))? else {
        return Ok(None);
    };
    let checkpoint = checkpoint.ok_or_else(|| ExportError::Damaged {
        path: directory.to_path_buf(),
        what: "its file `checkpoint` is no checkpoint",
    })?;
    let edge = published::edge(directory, checkpoint.size).map_err(io_at(directory))?;
    let edge = edge.ok_or_else(|| damaged(directory))?;
    let frontier = published::frontier(checkpoint.size, &edge);
    if frontier.is_none_or(|frontier| frontier.root() != checkpoint.root) {
        return Err(damaged(directory));
    }
    Ok(Some((checkpoint, edge)))
}

/// The tree on its way: its right edge, and of each level the hashes of the tile that is not full.
struct Tree {
    frontier: Frontier,
    edge: Edge,
}

impl Tree {
    /// Writes bundles and tiles from the first one that is not full on.
    fn write(
        &mut self,
        exporting: &mut Exporting<'_>,
        place: &mut Place<'_>,
        surveyed: &Surveyed,
    ) -> Result<(), ExportError> {
        let (mut entries, mut signatures) = (Vec::new(), Vec::new());
        let mut waiting = Vec::<RowRecord>::new().into_iter();
        while self.frontier.size() < surveyed.size {
            let Some(row) = waiting.next() else {
                waiting = rows(exporting.reader, self.frontier.size())?.into_iter();
                if waiting.len() == 0 {
                    break;
                }
                continue;
            };
            bundle::write_entry(&mut entries, &row.record.statement);
            bundle::write_signatures(&mut signatures, &row.record.signatures);
            self.push(place, row.record.leaf)?;
            let size = self.frontier.size();
            if size.is_multiple_of(WIDTH) || size == surveyed.size {
                let number = (size - 1) / WIDTH;
                place.put_bundle(Sort::Entries, number, size, &entries)?;
                place.put_bundle(Sort::Signatures, number, size, &signatures)?;
                place.put_disclosures(exporting, number, size)?;
                entries.clear();
                signatures.clear();
                (exporting.progress)(Progress::Written(size));
            }
        }
        if self.frontier.size() != surveyed.size || self.frontier.root() != surveyed.root {
            let why = "the log was read twice and was not the same";
            return Err(broken(surveyed.size - 1, Rule::S4, why));
        }
        for (level, hashes) in (0_u8..).zip(&self.edge) {
            if !hashes.is_empty() {
                let size = surveyed.size >> (8 * u32::from(level));
                place.put_tile(level, size, hashes)?;
            }
        }
        Ok(())
    }

    /// Adds a leaf, and writes the tiles that it filled.
    fn push(&mut self, place: &mut Place<'_>, leaf: Digest) -> Result<(), ExportError> {
        let completed = self.frontier.push(leaf);
        let above = completed
            .iter()
            .map(|subtree| (subtree.level, subtree.hash));
        let added: Vec<_> = std::iter::once((0, leaf)).chain(above).collect();
        for (level, hash) in added {
            let index = usize::from(level);
            if self.edge.len() <= index {
                self.edge.resize(index + 1, Vec::new());
            }
            if let Some(hashes) = self.edge.get_mut(index) {
                hashes.push(hash);
                if hashes.len() == FULL {
                    let size = self.frontier.size() >> (8 * u32::from(level));
                    place.put_tile(level, size, hashes)?;
                    hashes.clear();
                }
            }
        }
        Ok(())
    }
}

/// A directory that is exported into, by nobody else at the time.
struct Place<'d> {
    disk: &'d mut dyn Disk,
    root: PathBuf,
    /// Directories whose names may not be on the disk yet.
    unsettled: BTreeSet<PathBuf>,
    /// Held until the export ends.
    _lock: File,
}

impl<'d> Place<'d> {
    fn enter(disk: &'d mut dyn Disk, root: &Path) -> Result<Self, ExportError> {
        let root = root.to_path_buf();
        let staging = root.join(STAGING);
        if !staging.is_dir() {
            match fs::read_dir(&root).map(|mut names| names.next().is_some()) {
                Ok(true) if !root.join(paths::CHECKPOINT).exists() => {
                    return Err(ExportError::Occupied { path: root });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    disk.create_dir(&root).map_err(io_at(&root))?;
                }
                Err(error) => return Err(io_at(&root)(error)),
            }
            disk.create_dir(&staging).map_err(io_at(&staging))?;
            // By it the next run knows the directory as one of an export that was cut short.
            disk.sync_dir(&root).map_err(io_at(&root))?;
        }
        let path = staging.join("lock");
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ExportError::Busy { path: root }),
            Err(TryLockError::Error(error)) => return Err(io_at(&path)(error)),
        }
        let unsettled = BTreeSet::from([parent(&root).to_path_buf(), root.clone()]);
        Ok(Self {
            disk,
            root,
            unsettled,
            _lock: lock,
        })
    }

    fn put_tile(&mut self, level: u8, hashes: u64, tile: &[Digest]) -> Result<(), ExportError> {
        let mut bytes = Vec::with_capacity(tile.len() * 32);
        bundle::write_hashes(&mut bytes, tile);
        let number = (hashes - 1) / WIDTH;
        self.put_bundle(Sort::Tile(level), number, hashes, &bytes)
    }

    fn put_bundle(
        &mut self,
        sort: Sort,
        number: u64,
        entries: u64,
        bytes: &[u8],
    ) -> Result<(), ExportError> {
        match sort.path(number, entries) {
            Some(path) => self.put(&path, bytes),
            None => Ok(()),
        }
    }

    /// Puts a file in its place, unless it is there already.
    fn put(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.root.join(path);
        self.reach(&path)?;
        let there = paths::read(&path, bytes.len()).map_err(io_at(&path))?;
        if there.as_deref() == Some(bytes) {
            return Ok(());
        }
        self.stage(&path, |file| {
            io::Write::write_all(file, bytes).map_err(io_at(&path))
        })
    }

    /// Writes the disclosures of a bundle of a log of that size anew.
    fn put_disclosures(
        &mut self,
        exporting: &mut Exporting<'_>,
        number: u64,
        size: u64,
    ) -> Result<(), ExportError> {
        let path = self.root.join(paths::disclosures(number));
        let records = number * WIDTH..size.min((number + 1) * WIDTH);
        self.reach(&path)?;
        let mut lines = 0_u64;
        let Exporting {
            reader,
            disclosing,
            count,
            ..
        } = exporting;
        self.stage(&path, |file| {
            for from in records.clone().step_by(STEP) {
                let few = from..records.end.min(from + STEP as u64);
                for (seq, filed) in disclosing.file(*reader, few, count)? {
                    lines += 1;
                    handed::write(file, seq, &filed).map_err(io_at(&path))?;
                }
            }
            Ok(())
        })?;
        if lines == 0 {
            self.disk.remove(&path).map_err(io_at(&path))?;
        }
        Ok(())
    }

    /// Writes a file under another name, and puts it in its place once it is on the disk.
    fn stage(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut DiskFile<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let staged = self.root.join(STAGING).join("next");
        let mut file = DiskFile::create(self.disk, &staged).map_err(io_at(&staged))?;
        write(&mut file)?;
        file.finish().map_err(io_at(&staged))?;
        self.disk.rename(&staged, path).map_err(io_at(path))
    }

    /// Makes the directories that lead to a file.
    fn reach(&mut self, path: &Path) -> Result<(), ExportError> {
        let mut missing = Vec::new();
        for directory in path.ancestors().skip(1) {
            // What is unsettled is there.
            if !self.unsettled.insert(directory.to_path_buf()) {
                break;
            }
            missing.push(directory);
        }
        for directory in missing.into_iter().rev() {
            if !directory.is_dir() {
                self.disk.create_dir(directory).map_err(io_at(directory))?;
            }
        }
        Ok(())
    }

    /// Waits until all names are on the disk.
    fn settle(&mut self) -> Result<(), ExportError> {
        for directory in &self.unsettled {
            self.disk.sync_dir(directory).map_err(io_at(directory))?;
        }
        Ok(())
    }
}

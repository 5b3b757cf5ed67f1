//! A disk on which the machine stops.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::super::disk::{Disk, System, parent};

/// What is lost when the machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Only the process ended; the system writes what it was given.
    Nothing,
    /// The power went: every name and byte that was not waited for.
    Everything,
    /// As before, but the last name was written all the same.
    AllButTheLast,
}

/// Stops at one operation, and all after it fail too.
#[derive(Debug)]
pub(super) struct Faulty {
    left: usize,
    /// Names that were changed and not waited for, with what stood there before.
    names: Vec<(PathBuf, Before)>,
    /// Files that have bytes which were not waited for, by the name that they have.
    dirty: Vec<PathBuf>,
}

#[derive(Debug)]
enum Before {
    NoDirectory,
    File(Option<Vec<u8>>),
}

impl Faulty {
    /// Never stops.
    pub(super) fn sound() -> Self {
        Self::stopping_at(usize::MAX)
    }

    pub(super) fn stopping_at(operation: usize) -> Self {
        Self {
            left: operation,
            names: Vec::new(),
            dirty: Vec::new(),
        }
    }

    fn step(&mut self) -> io::Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(stopped)?;
        Ok(())
    }

    /// Makes the directory what it is after the machine has started again.
    pub(super) fn lose(&self, loss: Loss) {
        if loss == Loss::Nothing {
            return;
        }
        for path in &self.dirty {
            if path.exists() {
                File::create(path).unwrap();
            }
        }
        for (index, (path, before)) in self.names.iter().enumerate().rev() {
            // A name can only be there if its directory is.
            let made = |(other, before): &(PathBuf, Before)| {
                matches!(before, Before::NoDirectory) && path.starts_with(other)
            };
            let last = index + 1 == self.names.len() && !self.names[..index].iter().any(made);
            if loss == Loss::AllButTheLast && last {
                continue;
            }
            match before {
                Before::NoDirectory => fs::remove_dir_all(path).unwrap(),
                Before::File(None) => fs::remove_file(path).unwrap(),
                Before::File(Some(bytes)) => fs::write(path, bytes).unwrap(),
            }
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("the machine stopped")
}

impl Disk for Faulty {
    fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.names.push((path.to_owned(), Before::NoDirectory));
        System.create_dir(path)
    }

    fn create(&mut self, path: &Path) -> io::Result<File> {
        self.step()?;
        if !path.exists() {
            self.names.push((path.to_owned(), Before::File(None)));
        }
        self.dirty.push(path.to_owned());
        System.create(path)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let stops = self.step();
        let half = if stops.is_err() {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        file.write_all(&bytes[..half])?;
        stops
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.step()?;
        // One file is written at a time.
        self.dirty.pop();
        // What is on the disk is kept account of here, so that nobody needs to wait for it.
        let _ = file;
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        for dirty in &mut self.dirty {
            if dirty == from {
                *dirty = to.to_owned();
            }
        }
        // The old name comes back empty, which is as good as lost.
        self.names.retain(|(path, _)| path != from);
        self.names
            .push((to.to_owned(), Before::File(fs::read(to).ok())));
        System.rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.names
            .push((path.to_owned(), Before::File(fs::read(path).ok())));
        System.remove(path)
    }

    fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.names.retain(|(name, _)| parent(name) != path);
        Ok(())
    }
}

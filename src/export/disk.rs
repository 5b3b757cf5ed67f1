//! The few things that an export does to files, so that a test can stop it between any two of them.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

pub(super) trait Disk {
    /// Makes a directory that is not there.
    fn create_dir(&mut self, path: &Path) -> io::Result<()>;
    /// Makes a file, or empties the one that is there.
    fn create(&mut self, path: &Path) -> io::Result<File>;
    /// Writes all of it.
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    /// Waits until the file's bytes are on the disk.
    fn sync(&mut self, file: &File) -> io::Result<()>;
    /// Puts a file in the place of another at once.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a file away.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Waits until the names in a directory are on the disk.
    fn sync_dir(&mut self, path: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug)]
pub(super) struct System;

impl Disk for System {
    fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create(&mut self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// A file on a disk, buffered.
pub(super) struct DiskFile<'d> {
    disk: &'d mut dyn Disk,
    file: File,
    buffer: Vec<u8>,
}

impl<'d> DiskFile<'d> {
    pub(super) fn create(disk: &'d mut dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.create(path)?;
        let buffer = Vec::new();
        Ok(Self { disk, file, buffer })
    }

    /// Writes what is buffered, and waits until all of it is on the disk.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.disk.sync(&self.file)
    }
}

impl Write for DiskFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= 1 << 18 {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.disk.write(&mut self.file, &self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// The directory that a file stands in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

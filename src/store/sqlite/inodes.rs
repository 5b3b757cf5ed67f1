//! Whether the names of the store's files still lead to those that are open.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::error::StoreError;
use super::open::Site;

/// The files that SQLite has open, under the names by which other processes find them.
///
/// A file whose name was taken away stays open. What is written to it is gone when it is closed, and what others write under its
/// name, a denial for example, is never seen here.
#[derive(Debug)]
pub(super) struct Inodes([(PathBuf, Inode); 3]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

impl Inodes {
    /// As they are now, with a connection open.
    pub(super) fn of(site: &Site) -> Result<Self, StoreError> {
        let with = |path: PathBuf| {
            let inode = Inode::of(&path).map_err(StoreError::unavailable_at(&path))?;
            Ok::<_, StoreError>((path, inode))
        };
        Ok(Self([
            with(site.path.clone())?,
            with(site.beside("-wal"))?,
            with(site.beside("-shm"))?,
        ]))
    }

    /// Fails if a name leads elsewhere.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        for (path, open) in &self.0 {
            if !Inode::of(path).is_ok_and(|now| now == *open) {
                return Err(StoreError::corrupt(format!(
                    "`{}` is no longer the file that was opened: somebody has moved, removed or replaced it. Put it back, or open the store anew",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

impl Inode {
    fn of(path: &Path) -> io::Result<Self> {
        Self::without_times(path).or_else(|_| {
            let found = fs::metadata(path)?;
            Ok(Self {
                device: found.dev(),
                number: found.ino(),
            })
        })
    }

    /// Asks for nothing but the number.
    ///
    /// Where somebody has asked for a file's times, Linux (6.13 and later) gives the next write a time of its own, and each sync
    /// of that file a change of its inode to write out: a quarter more for a commit.
    #[cfg(target_os = "linux")]
    fn without_times(path: &Path) -> io::Result<Self> {
        use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

        let found = statx(CWD, path, AtFlags::empty(), StatxFlags::INO)?;
        Ok(Self {
            device: makedev(found.stx_dev_major, found.stx_dev_minor),
            number: found.stx_ino,
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn without_times(_: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

//! The directory beside the database where processes find each other: a socket for each that waits, a lock for each that runs.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::clock::age;

use super::open::Site;

/// How the sockets' names end.
const BELL: &str = ".bell";

/// The longest path of a socket that every system takes.
const LONGEST_ADDRESS: usize = 100;

/// Longer than the step in which a file system counts time.
const TICK: Duration = Duration::from_millis(50);

/// The directory `<database>.run`.
#[derive(Debug)]
pub(super) struct Runtime {
    path: PathBuf,
    folder_mode: u32,
    file_mode: u32,
    /// The name of this store's own socket.
    own: String,
    sender: OnceLock<UnixDatagram>,
    folder: OnceLock<File>,
    /// The other sockets as of a change of the directory.
    others: Mutex<Option<(SystemTime, Arc<[String]>)>>,
}

impl Runtime {
    pub(super) fn new(site: &Site) -> Self {
        Self {
            path: site.beside(".run"),
            folder_mode: site.folder_mode(),
            file_mode: site.file_mode(),
            own: format!("{}{BELL}", Uuid::new_v4().simple()),
            sender: OnceLock::new(),
            folder: OnceLock::new(),
            others: Mutex::new(None),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn file_mode(&self) -> u32 {
        self.file_mode
    }

    /// Makes the directory where it is missing.
    pub(super) fn ensure(&self) -> io::Result<()> {
        match DirBuilder::new().mode(self.folder_mode).create(&self.path) {
            // The umask has had its say.
            Ok(()) => fs::set_permissions(&self.path, Permissions::from_mode(self.folder_mode)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::symlink_metadata(&self.path)?.is_dir() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Binds this store's socket, which others ring after their commits.
    pub(super) fn bind(&self) -> io::Result<UnixDatagram> {
        self.ensure()?;
        let socket = UnixDatagram::bind(self.address(&self.own)?)?;
        fs::set_permissions(
            self.path.join(&self.own),
            Permissions::from_mode(self.file_mode),
        )?;
        Ok(socket)
    }

    /// Removes this store's socket.
    pub(super) fn unbind(&self) {
        // Whoever rings it next removes it otherwise.
        drop(fs::remove_file(self.path.join(&self.own)));
    }

    /// Rings this store's own socket, so that its listener looks up.
    pub(super) fn ring_self(&self) {
        self.ring(&self.own);
    }

    /// Rings everybody else's. Nothing is waited for, and failures are left to the listeners' own looking.
    pub(super) fn ring_others(&self) {
        for name in self.others().iter() {
            self.ring(name);
        }
    }

    /// The other processes' sockets. The directory is read again only after it has changed.
    fn others(&self) -> Arc<[String]> {
        let changed = self.changed();
        let mut known = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, names)) = &*known
            && changed == Some(*then)
        {
            return Arc::clone(names);
        }
        let names: Arc<[String]> = fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(BELL) && *name != self.own)
            .collect();
        // Two changes within one tick of the file system's clock look like one: a fresh time is not remembered.
        let settled = changed.filter(|then| age(*then).is_some_and(|age| age > TICK));
        *known = settled.map(|then| (then, Arc::clone(&names)));
        names
    }

    /// When the directory was last changed.
    fn changed(&self) -> Option<SystemTime> {
        let opened = self.folder().ok().and_then(|folder| folder.metadata().ok());
        let folder = match opened {
            // Of an opened directory it is told without following its path, and that after each commit.
            Some(folder) if folder.nlink() > 0 => folder,
            // It was removed, or was never there.
            _ => fs::metadata(&self.path).ok()?,
        };
        folder.modified().ok()
    }

    fn folder(&self) -> io::Result<&File> {
        if self.folder.get().is_none() {
            drop(self.folder.set(File::open(&self.path)?));
        }
        let folder = self.folder.get().ok_or(io::ErrorKind::NotFound)?;
        Ok(folder)
    }

    fn ring(&self, name: &str) {
        let Ok(address) = self.address(name) else {
            return;
        };
        let Some(sender) = self.sender() else {
            return;
        };
        if let Err(error) = sender.send_to(&[1], address)
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            // Its process has died: names are random, so nobody comes back under it.
            drop(fs::remove_file(self.path.join(name)));
        }
    }

    fn sender(&self) -> Option<&UnixDatagram> {
        if self.sender.get().is_none() {
            let sender = UnixDatagram::unbound().ok()?;
            sender.set_nonblocking(true).ok()?;
            drop(self.sender.set(sender));
        }
        self.sender.get()
    }

    /// The path of a socket, by way of the opened directory where the plain one is too long for an address.
    fn address(&self, name: &str) -> io::Result<PathBuf> {
        let plain = self.path.join(name);
        if plain.as_os_str().as_bytes().len() <= LONGEST_ADDRESS {
            return Ok(plain);
        }
        Ok(PathBuf::from(format!(
            "/proc/self/fd/{}/{name}",
            self.folder()?.as_raw_fd()
        )))
    }
}

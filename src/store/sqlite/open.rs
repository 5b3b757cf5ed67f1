//! From a path to connections: what is refused, what is made, and with which modes.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::super::error::StoreError;
use super::codec::store_error;
use super::options::{Sharing, SqliteOptions};
use super::turns::Turns;
use super::{SqliteStore, schema};

/// Statements that a connection keeps prepared: more than there are.
const STATEMENTS: usize = 96;

/// How many bytes of a write-ahead log come before the first page in it.
const WAL_HEADER: u64 = 32;

/// What `create` does where a file is already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfThere {
    Refuse,
    Open,
}

/// How a file is opened, again and again.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// Without symbolic links, so that every name of the file has the same files beside it.
    pub(super) path: PathBuf,
    /// The path as the host gave it, made absolute.
    pub(super) named: PathBuf,
    pub(super) sharing: Sharing,
    options: SqliteOptions,
}

/// How a read-only store reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadOnly {
    /// Through the write-ahead log, beside whoever writes.
    Beside,
    /// The file alone, since nobody has it open; with what it looked like, to notice a writer who comes.
    Alone(Looks),
}

/// What changes when somebody writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looks {
    size: u64,
    inode: u64,
    modified: Option<SystemTime>,
}

pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<SqliteStore, StoreError> {
    let site = Site::of_existing(path, options)?;
    let turns = site.turns()?;
    SqliteStore::assemble(site, turns)
}

pub(super) fn create(
    path: &Path,
    options: &SqliteOptions,
    if_there: IfThere,
) -> Result<SqliteStore, StoreError> {
    let there = |path: &Path| fs::symlink_metadata(path).is_ok();
    if if_there == IfThere::Open && there(path) {
        return open(path, options);
    }
    if there(path) {
        return Err(StoreError::NotAStore(
            "something is there already; open it, or choose another path".to_owned(),
        ));
    }
    let site = Site::of_new(path, options)?;
    let turns = site.turns()?;
    {
        // One maker at a time; the second one finds the file.
        let _turn = turns.take()?;
        match (there(&site.path), if_there) {
            (false, _) => site.make()?,
            (true, IfThere::Open) => {}
            (true, IfThere::Refuse) => {
                return Err(StoreError::NotAStore(
                    "somebody else has just made it".to_owned(),
                ));
            }
        }
    }
    open(path, options)
}

pub(super) fn open_read_only(
    path: &Path,
    options: &SqliteOptions,
) -> Result<SqliteStore, StoreError> {
    let site = Site::of_existing(path, options)?;
    let larger =
        |suffix, than| fs::metadata(site.beside(suffix)).is_ok_and(|found| found.len() > than);
    // Through a write-ahead log of which there is but the header, as a process that died leaves it, SQLite does not read.
    let how = match (larger("-wal", WAL_HEADER), larger("-shm", 0)) {
        (false, _) => ReadOnly::Alone(Looks::of(&site.path)?),
        (true, true) => ReadOnly::Beside,
        (true, false) => {
            return Err(StoreError::NotAStore(
                "it was not closed and its -shm file is missing: open it once for writing, or bring all three files"
                    .to_owned(),
            ));
        }
    };
    SqliteStore::assemble_read_only(site, how)
}

impl Site {
    fn of_existing(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let named = absolute(path)?;
        let path = fs::canonicalize(path).map_err(StoreError::unavailable_at(path))?;
        let found = fs::metadata(&path).map_err(StoreError::unavailable_at(&path))?;
        if !found.is_file() {
            return Err(StoreError::NotAStore("it is not a file".to_owned()));
        }
        peek(&path)?;
        refuse_network(&path)?;
        let sharing = if found.mode() & 0o060 == 0o060 {
            Sharing::Group
        } else {
            Sharing::Private
        };
        if found.mode() & 0o007 != 0 {
            tracing::warn!(path = %path.display(), "everybody on this machine may open the store");
        }
        Ok(Self {
            path,
            named,
            sharing,
            options: options.clone(),
        })
    }

    fn of_new(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let name = path
            .file_name()
            .ok_or_else(|| StoreError::NotAStore("the path names no file".to_owned()))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = fs::canonicalize(folder).map_err(StoreError::unavailable_at(folder))?;
        refuse_network(&folder)?;
        Ok(Self {
            path: folder.join(name),
            named: absolute(path)?,
            sharing: options.shared_group,
            options: options.clone(),
        })
    }

    /// The path of the file beside the database with this suffix.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(suffix);
        PathBuf::from(name)
    }

    pub(super) const fn file_mode(&self) -> u32 {
        match self.sharing {
            Sharing::Private => 0o600,
            Sharing::Group => 0o660,
        }
    }

    pub(super) const fn folder_mode(&self) -> u32 {
        match self.sharing {
            Sharing::Private => 0o700,
            Sharing::Group => 0o2770,
        }
    }

    fn turns(&self) -> Result<Turns, StoreError> {
        let lock = self.beside(".lock");
        open_or_make(&lock, self.file_mode())
            .map(Turns::new)
            .map_err(StoreError::unavailable_at(&lock))
    }

    /// Makes the database under another name and moves it into place, so that nobody ever finds half of one.
    fn make(&self) -> Result<(), StoreError> {
        let unfinished = self.beside(".new");
        for suffix in [".new", ".new-wal", ".new-shm", ".new-journal"] {
            match fs::remove_file(self.beside(suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::unavailable(error));
                }
                _ => {}
            }
        }
        let made = open_or_make(&unfinished, self.file_mode())
            .map_err(StoreError::unavailable_at(&unfinished))?;
        let conn = Connection::open_with_flags(
            &unfinished,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(store_error)?;
        conn.pragma_update(None, "page_size", 8192)
            .and_then(|()| conn.pragma_update(None, "journal_mode", "WAL"))
            .and_then(|()| conn.execute_batch("BEGIN IMMEDIATE"))
            .and_then(|()| schema::create(&conn))
            .and_then(|()| conn.execute_batch("COMMIT"))
            .map_err(store_error)?;
        // Closing moves everything from the write-ahead log into the file.
        conn.close().map_err(|(_, error)| store_error(error))?;
        made.sync_all().map_err(StoreError::unavailable)?;
        fs::rename(&unfinished, &self.path).map_err(StoreError::unavailable)?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(StoreError::unavailable)
    }

    /// A connection that writes: durable at every commit, and never moving the write-ahead log inside one.
    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        let conn = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(store_error)?;
        self.prepare(&conn)?;
        let mode: String = conn
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .map_err(store_error)?;
        if mode != "wal" {
            return Err(StoreError::corrupt("the file is not in write-ahead mode"));
        }
        conn.pragma_update(None, "synchronous", "FULL")
            .and_then(|()| conn.pragma_update(None, "wal_autocheckpoint", 0))
            .and_then(|()| conn.pragma_update(None, "cache_size", -32 * 1024))
            .map_err(store_error)?;
        Ok(conn)
    }

    /// A connection that reads beside whoever writes.
    pub(super) fn connect_to_read(&self) -> Result<Connection, StoreError> {
        self.connect_with("mode=ro")
    }

    /// A connection of a read-only store.
    pub(super) fn connect_read_only(&self, how: &ReadOnly) -> Result<Connection, StoreError> {
        match how {
            ReadOnly::Beside => self.connect_with("mode=ro&readonly_shm=1"),
            ReadOnly::Alone(_) => self.connect_with("mode=ro&immutable=1"),
        }
    }

    fn connect_with(&self, parameters: &str) -> Result<Connection, StoreError> {
        let conn = connect_uri(&self.path, parameters)?;
        self.prepare(&conn)?;
        Ok(conn)
    }

    fn prepare(&self, conn: &Connection) -> Result<(), StoreError> {
        conn.busy_timeout(self.options.busy_timeout)
            .map_err(store_error)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        for (config, value) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        ] {
            conn.set_db_config(config, value).map_err(store_error)?;
        }
        conn.pragma_update(None, "cell_size_check", true)
            .and_then(|()| conn.pragma_update(None, "temp_store", "MEMORY"))
            .map_err(store_error)
    }
}

fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(StoreError::unavailable_at(path))
}

impl ReadOnly {
    /// Fails if somebody has written since the store was opened.
    pub(super) fn still(&self, path: &Path) -> Result<(), StoreError> {
        match self {
            Self::Alone(looks) if Looks::of(path)? != *looks => Err(StoreError::Busy),
            Self::Alone(_) | Self::Beside => Ok(()),
        }
    }
}

impl Looks {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let found = fs::metadata(path).map_err(StoreError::unavailable)?;
        Ok(Self {
            size: found.len(),
            inode: found.ino(),
            modified: found.modified().ok(),
        })
    }
}

/// Says whether the file is a store, without touching it or making any file beside it.
///
/// The file is read through SQLite and not opened by hand: closing a file drops the locks that this process has on it.
fn peek(path: &Path) -> Result<(), StoreError> {
    let conn = connect_uri(path, "mode=ro&immutable=1")?;
    // Where a process died while it moved pages from the write-ahead log, the file may be shorter than its first page says, and
    // the rest stands in that log. Only the first page is looked at here, and this setting has SQLite do with it.
    conn.pragma_update(None, "writable_schema", true)
        .map_err(store_error)?;
    let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if number("application_id").map_err(store_error)? != schema::APPLICATION_ID {
        return Err(StoreError::NotAStore(
            "the file belongs to another program".to_owned(),
        ));
    }
    match number("user_version").map_err(store_error)? {
        schema::VERSION => Ok(()),
        other => Err(StoreError::NotAStore(format!(
            "its format is version {other}, and this is a reader of version {}",
            schema::VERSION
        ))),
    }
}

fn connect_uri(path: &Path, parameters: &str) -> Result<Connection, StoreError> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push('?');
    uri.push_str(parameters);
    Connection::open_with_flags(
        uri,
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI,
    )
    .map_err(store_error)
}

/// Opens a file for writing; makes it, with exactly this mode, where it is missing.
pub(super) fn open_or_make(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(mode);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // The umask has had its say.
            file.set_permissions(Permissions::from_mode(mode))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

/// Refuses file systems whose locks or shared memory do not hold between machines.
#[cfg(target_os = "linux")]
fn refuse_network(path: &Path) -> Result<(), StoreError> {
    /// `f_type` as in `statfs(2)`.
    const NETWORK: [(u32, &str); 11] = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFE53_4D42, "SMB2"),
        (0xFF53_4D42, "CIFS"),
        (0x0102_1997, "9P"),
        (0x5346_414F, "AFS"),
        (0x7375_7245, "Coda"),
        (0x00C3_6400, "Ceph"),
        (0x0BD0_0BD0, "Lustre"),
        (0x0116_1970, "GFS2"),
        (0x7461_636F, "OCFS2"),
    ];
    const FUSE: u32 = 0x6573_5546;
    let found = rustix::fs::statfs(path)
        .map_err(|error| StoreError::unavailable(io::Error::from(error)))?;
    let kind = u32::try_from(found.f_type as u64 & u64::from(u32::MAX)).unwrap_or(0);
    if let Some((_, name)) = NETWORK.iter().find(|(number, _)| *number == kind) {
        return Err(StoreError::NotAStore(format!(
            "it stands on a network file system ({name}), whose locks cannot be relied on; use a local disk"
        )));
    }
    if kind == FUSE {
        tracing::warn!(path = %path.display(), "the store stands on a FUSE file system; make sure that its locks and fsync hold");
    }
    Ok(())
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
fn refuse_network(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

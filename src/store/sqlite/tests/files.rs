use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use futures::executor::block_on;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::super::{Liveness, conformance};
use super::super::*;
use crate::action::InstanceId;
use crate::clock::Timestamp;

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let bytes = fs::read(entry.path()).unwrap_or_default();
            (entry.file_name().into_string().unwrap(), bytes)
        })
        .collect()
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn refused_and_untouched(folder: &Path, name: &str) {
    let before = contents(folder);
    let path = folder.join(name);
    for answer in [
        SqliteStore::open(&path),
        SqliteStore::open_or_create(&path),
        SqliteStore::open_read_only(&path),
        SqliteStore::create(&path),
    ] {
        let error = answer.unwrap_err();
        assert!(matches!(error, StoreError::NotAStore(_)), "{error}");
    }
    assert!(
        contents(folder) == before,
        "`{name}` or its folder was changed"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join("letter.txt"),
        "dear reader, ".repeat(2000),
    )
    .unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    fs::write(
        folder.path().join("magic"),
        "SQLite format 3\0 and nothing more",
    )
    .unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    for name in ["letter.txt", "empty", "magic", "folder"] {
        refused_and_untouched(folder.path(), name);
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    for journal in ["DELETE", "WAL"] {
        let folder = TempDir::new().unwrap();
        let conn = Connection::open(folder.path().join("theirs.db")).unwrap();
        conn.pragma_update(None, "journal_mode", journal).unwrap();
        conn.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1)")
            .unwrap();
        drop(conn);
        refused_and_untouched(folder.path(), "theirs.db");
    }
}

#[test]
fn a_later_version_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    drop(SqliteStore::create(&path).unwrap());
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 2)
        .unwrap();
    refused_and_untouched(folder.path(), "log.db");
}

#[test]
fn a_missing_file_is_not_made_by_open() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    SqliteStore::open(&path).unwrap_err();
    SqliteStore::open_read_only(&path).unwrap_err();
    assert!(contents(folder.path()).is_empty());
    drop(SqliteStore::open_or_create(&path).unwrap());
    drop(SqliteStore::open_or_create(&path).unwrap());
    drop(SqliteStore::open(&path).unwrap());
}

#[test]
fn what_cannot_be_opened_is_named_with_the_cause() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("nodir");
    for (told, path) in [
        (
            SqliteStore::open_or_create(missing.join("log.db")).unwrap_err(),
            missing.clone(),
        ),
        (SqliteStore::open(&missing).unwrap_err(), missing.clone()),
    ] {
        let named = format!("the store cannot be used: `{}`: ", path.display());
        assert!(told.to_string().starts_with(&named), "{told}");
        assert!(told.to_string().contains("No such file"), "{told}");
        let source = std::error::Error::source(&told).unwrap();
        assert!(!source.to_string().is_empty());
    }
}

#[test]
fn a_store_without_its_guards_is_refused() {
    for (change, what) in [
        (
            "CREATE TABLE other AS SELECT * FROM record; DROP TABLE record; ALTER TABLE other RENAME TO record",
            "`record`",
        ),
        ("DROP INDEX record_request", "missing"),
        (
            "CREATE INDEX denials ON record(abs(-9223372036854775808)) WHERE kind = 'voted'",
            "`denials`",
        ),
        ("DROP TABLE scope", "missing"),
        ("ALTER TABLE record ADD COLUMN more TEXT", "`record`"),
        (
            "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM timer; END",
            "`t`",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("log.db");
        drop(SqliteStore::create(&path).unwrap());
        Connection::open(&path)
            .unwrap()
            .execute_batch(change)
            .unwrap();
        for answer in [SqliteStore::open(&path), SqliteStore::open_read_only(&path)] {
            let error = answer.unwrap_err().to_string();
            assert!(error.contains(what), "{change}: {error}");
        }
    }
}

#[test]
fn files_are_their_owners() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    store.on_commit(Bell::new());
    conformance::race(&store).unwrap();
    for name in ["log.db", "log.db-wal", "log.db-shm", "log.db.lock"] {
        assert_eq!(mode(folder.path().join(name)), 0o600, "{name}");
    }
    let run = folder.path().join("log.db.run");
    assert_eq!(mode(&run), 0o700);
    for entry in fs::read_dir(run).unwrap() {
        assert_eq!(mode(entry.unwrap().path()), 0o600);
    }
}

#[test]
fn files_of_a_shared_store_are_the_groups_too() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let shared = SqliteOptions::default().with_shared_group(Sharing::Group);
    drop(shared.create(&path).unwrap());
    // However it is opened later.
    let store = SqliteStore::open(&path).unwrap();
    store.on_commit(Bell::new());
    conformance::race(&store).unwrap();
    for name in ["log.db", "log.db-wal", "log.db-shm", "log.db.lock"] {
        assert_eq!(mode(folder.path().join(name)), 0o660, "{name}");
    }
    let run = folder.path().join("log.db.run");
    assert_eq!(mode(&run), 0o2770);
    for entry in fs::read_dir(run).unwrap() {
        assert_eq!(mode(entry.unwrap().path()), 0o660);
    }
}

#[test]
fn closing_leaves_one_database_file_and_no_socket() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    store.on_commit(Bell::new());
    conformance::race(&store).unwrap();
    drop(store);
    let names: Vec<String> = contents(folder.path()).into_keys().collect();
    assert_eq!(names, ["log.db", "log.db.lock", "log.db.run"]);
    assert!(contents(&folder.path().join("log.db.run")).is_empty());
}

#[test]
fn a_read_only_store_reads_and_makes_no_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    conformance::race(&store).unwrap();
    let head = block_on(store.head()).unwrap();

    // The names alone: to open and close a file would drop the store's locks on it.
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names(folder.path());
    let reader = SqliteStore::open_read_only(&path).unwrap();
    assert_eq!(block_on(reader.head()).unwrap(), head);
    assert_eq!(names(folder.path()), before);
    // It follows a writer.
    conformance::append_from(&store, "more", 1).unwrap();
    assert_ne!(block_on(reader.head()).unwrap(), head);
    drop((reader, store));

    let before = contents(folder.path());
    let reader = SqliteStore::open_read_only(&path).unwrap();
    assert!(block_on(reader.head()).unwrap().is_some());
    let refused = block_on(reader.append(Step::new([].into(), |_| {
        Err(super::super::super::Abort::new("never called"))
    })));
    assert!(matches!(refused, Err(StoreError::Unsupported(_))));
    assert!(contents(folder.path()) == before);

    // A writer who comes by is noticed, since the file alone no longer is the store.
    let store = SqliteStore::open(&path).unwrap();
    conformance::append_from(&store, "yet more", 1).unwrap();
    drop(store);
    assert!(matches!(block_on(reader.head()), Err(StoreError::Busy)));
}

#[test]
fn a_copy_of_a_store_that_was_not_closed_is_read_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    conformance::race(&store).unwrap();
    let head = block_on(store.head()).unwrap();
    let copy = TempDir::new().unwrap();
    for name in ["log.db", "log.db-wal"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let path = copy.path().join("log.db");
    let error = SqliteStore::open_read_only(&path).unwrap_err();
    assert!(error.to_string().contains("-shm"), "{error}");
    fs::copy(
        folder.path().join("log.db-shm"),
        copy.path().join("log.db-shm"),
    )
    .unwrap();
    let before = contents(copy.path());
    let reader = SqliteStore::open_read_only(&path).unwrap();
    assert_eq!(block_on(reader.head()).unwrap(), head);
    drop(reader);
    assert!(contents(copy.path()) == before);
}

/// A process that dies as it begins a write-ahead log leaves the log's header alone. SQLite did not read through it without
/// writing, so that nobody could verify such a store before somebody had opened it for writing.
#[test]
fn a_store_whose_writer_died_at_its_first_write_is_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    conformance::race(&store).unwrap();
    let head = block_on(store.head()).unwrap();
    // What a header is made of.
    let header = fs::read(folder.path().join("log.db-wal")).unwrap();
    drop(store);
    fs::write(folder.path().join("log.db-wal"), &header[..32]).unwrap();
    fs::write(folder.path().join("log.db-shm"), [0; 32768]).unwrap();
    let before = contents(folder.path());
    let reader = SqliteStore::open_read_only(&path).unwrap();
    assert_eq!(block_on(reader.head()).unwrap(), head);
    drop(reader);
    assert!(contents(folder.path()) == before);
}

#[test]
fn names_of_one_file_are_one_store() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let alias = folder.path().join("alias.db");
    let store = SqliteStore::create(&path).unwrap();
    std::os::unix::fs::symlink(&path, &alias).unwrap();
    let other = SqliteStore::open(&alias).unwrap();
    assert_eq!(store.path(), other.path());
    assert!(!folder.path().join("alias.db.lock").exists());
}

#[test]
fn a_database_with_strange_letters_in_its_path_is_opened() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a?b#c%20 ü.db");
    drop(SqliteStore::create(&path).unwrap());
    drop(SqliteStore::open(&path).unwrap());
    drop(SqliteStore::open_read_only(&path).unwrap());
}

#[test]
fn an_instance_whose_store_is_gone_is_gone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let (here, there) = (
        SqliteStore::create(&path).unwrap(),
        SqliteStore::open(&path).unwrap(),
    );
    let instance = InstanceId::from_uuid(uuid::Uuid::from_u128(7));
    let chore = Chore::PutInstance {
        instance,
        at: Timestamp::EPOCH,
    };
    block_on(there.tend(chore)).unwrap();
    let liveness = || {
        let found = block_on(here.find(Query::Instances)).unwrap();
        found.instances().unwrap()[0].liveness
    };
    assert_eq!(liveness(), Liveness::Alive);
    drop(there);
    assert_eq!(liveness(), Liveness::Gone);
    block_on(here.tend(Chore::DropInstance(instance))).unwrap();
    let left = contents(&folder.path().join("log.db.run"));
    assert!(left.is_empty());
}

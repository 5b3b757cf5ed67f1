#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod files;
mod processes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::executor::block_on;
use tempfile::TempDir;

use super::super::conformance;
use super::*;

/// A store in a directory that goes with it.
#[derive(Debug)]
struct Temporary {
    store: SqliteStore,
    _folder: TempDir,
}

impl Temporary {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = SqliteStore::create(folder.path().join("log.db")).unwrap();
        Self {
            store,
            _folder: folder,
        }
    }
}

#[async_trait]
impl Store for Temporary {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.store.head().await
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        self.store.append(step).await
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        self.store.read(from, limit).await
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.store.find(query).await
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        self.store.tend(chore).await
    }
    fn on_commit(&self, bell: Bell) {
        self.store.on_commit(bell);
    }
}

#[test]
fn the_sqlite_store_conforms() {
    let folder = TempDir::new().unwrap();
    let number = AtomicU32::new(0);
    let make = async || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        SqliteStore::create(folder.path().join(format!("{number}.db"))).unwrap()
    };
    block_on(conformance::run(make)).unwrap();
}

#[test]
fn an_arc_and_a_wrapper_of_the_sqlite_store_conform() {
    block_on(conformance::run(async || Arc::new(Temporary::new()))).unwrap();
}

#[test]
fn threads_make_one_line() {
    conformance::race(&Temporary::new()).unwrap();
}

#[test]
fn two_stores_on_one_file_make_one_line() {
    /// Appends to one or the other.
    #[derive(Debug)]
    struct Either(SqliteStore, SqliteStore, AtomicU32);

    #[async_trait]
    impl Store for Either {
        fn guarantees(&self) -> Guarantees {
            self.0.guarantees()
        }
        async fn head(&self) -> Result<Option<Head>, StoreError> {
            self.1.head().await
        }
        async fn append(&self, step: Step) -> Result<Committed, StoreError> {
            match self.2.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => self.0.append(step).await,
                _ => self.1.append(step).await,
            }
        }
        async fn read(
            &self,
            from: Seq,
            limit: NonZeroU32,
        ) -> Result<Vec<StoredRecord>, StoreError> {
            self.0.read(from, limit).await
        }
        async fn find(&self, query: Query) -> Result<Found, StoreError> {
            self.1.find(query).await
        }
        async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
            self.1.tend(chore).await
        }
        fn on_commit(&self, bell: Bell) {
            self.0.on_commit(bell);
        }
    }

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let first = SqliteStore::create(&path).unwrap();
    let second = SqliteStore::open(&path).unwrap();
    conformance::race(&Either(first, second, AtomicU32::new(0))).unwrap();
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    conformance::race(&store).unwrap();
    let before = block_on(store.head()).unwrap();
    let records = block_on(store.read(Seq::GENESIS, NonZeroU32::MAX)).unwrap();
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(block_on(store.head()).unwrap(), before);
    assert_eq!(
        block_on(store.read(Seq::GENESIS, NonZeroU32::MAX)).unwrap(),
        records
    );
}

#[test]
fn a_reader_sees_whole_batches_only() {
    let store = Temporary::new();
    let seen = std::thread::scope(|threads| {
        let (begun, begin) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel();
        let store = &store;
        threads.spawn(move || {
            conformance::race(store).unwrap();
            // While a batch is being built, and before it is committed, readers are answered, and with the old state.
            let step = Step::new([].into(), move |view| {
                begun.send(view.head.map(|head| head.size)).unwrap();
                ended.recv().unwrap();
                Err(super::super::Abort::new("over"))
            });
            block_on(store.append(step)).unwrap_err();
        });
        let inside = begin.recv().unwrap();
        let head = block_on(store.head()).unwrap().map(|head| head.size);
        end.send(()).unwrap();
        (inside, head)
    });
    assert_eq!(seen.0, seen.1);
}

#[test]
fn the_write_ahead_log_is_emptied_while_writers_go_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::create(&path).unwrap();
    conformance::race(&store).unwrap();
    for round in 0..20 {
        conformance::append_from(&store, &round.to_string(), 100).unwrap();
    }
    let wal = std::fs::metadata(folder.path().join("log.db-wal"))
        .unwrap()
        .len();
    assert!(wal < 64 << 20, "the log has grown to {wal} bytes");
    // 2,101 records with a dozen pages each would fill 200 MiB.
}

#[test]
fn long_paths_have_sockets_too() {
    let folder = TempDir::new().unwrap();
    let deep = folder.path().join("a".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let path = deep.join("log.db");
    let (one, other) = (
        SqliteStore::create(&path).unwrap(),
        SqliteStore::open(&path).unwrap(),
    );
    let bell = Bell::new();
    other.on_commit(bell.clone());
    let _ = bell.try_take();
    conformance::race(&one).unwrap();
    assert!(bell.wait(Some(std::time::Duration::from_secs(20))));
    let sockets = std::fs::read_dir(deep.join("log.db.run")).unwrap().count();
    assert_eq!(sockets, 1);
}

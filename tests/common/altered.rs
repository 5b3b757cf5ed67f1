//! A log in a file, changed behind the library's back.

use std::sync::Arc;

use countersign::action::RequestId;
use countersign::audit::AuditReport;
use countersign::gate::ApprovalGate;
use countersign::log::Kind;
use countersign::store::{SqliteStore, Store};
use futures::executor::block_on;
use rusqlite::Connection;
use tempfile::TempDir;

use super::aftermath::Effect;
use super::{World, life, log, pay, wire};

pub struct Altered {
    pub folder: TempDir,
    /// An action that is approved and was not run.
    pub request: RequestId,
}

impl Altered {
    /// A request that one person has approved.
    pub fn approved() -> Self {
        Self::after(|world| {
            let request = world.file(pay(5));
            let _voted = world.approve("rita", request).unwrap();
            request
        })
    }

    /// A request that waits for the second of two people.
    pub fn half_approved() -> Self {
        Self::after(|world| {
            let request = world.file(wire(7));
            let _voted = world.approve("rita", request).unwrap();
            request
        })
    }

    /// What is left after a process that did this and ended.
    pub fn after(done: impl FnOnce(&World) -> RequestId) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self::open_in(&folder);
        let request = done(&world);
        world.close();
        Self { folder, request }
    }

    fn open_in(folder: &TempDir) -> World {
        let store = SqliteStore::open_or_create(life::database(folder.path())).unwrap();
        life::open(folder.path(), store)
    }

    pub fn open(&self) -> World {
        Self::open_in(&self.folder)
    }

    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(life::database(self.folder.path())).unwrap())
    }

    pub fn connection(&self) -> Connection {
        Connection::open(life::database(self.folder.path())).unwrap()
    }

    /// Runs SQL, which must change something.
    pub fn change(&self, sql: &str) {
        let connection = self.connection();
        let changed = connection.execute(sql, []).unwrap();
        assert!(changed > 0, "nothing was changed by {sql}");
    }

    /// Tries to run the request as its actor would; whether its effect was called.
    pub fn try_to_run(&self) -> bool {
        let effect = life::effect(self.folder.path());
        let Ok(store) = SqliteStore::open(life::database(self.folder.path())) else {
            return false;
        };
        let opening = World::begin(
            super::RULES,
            super::PEOPLE,
            store,
            life::keys(self.folder.path()),
            countersign::clock::ManualClock::new(super::start()),
            tempfile::tempdir_in(self.folder.path()).unwrap(),
            |opening| opening,
        );
        let Ok(world) = block_on(opening) else {
            return false;
        };
        let gate = world.gate();
        let tried = async {
            // One look and no more: a request that waits for people is not run either.
            let waiting = gate.resume(self.request);
            if let Some(Ok(permit)) = futures::FutureExt::now_or_never(waiting) {
                permit
                    .run(async |_| {
                        effect.happen();
                        Ok::<(), String>(())
                    })
                    .await
                    .ok();
            }
        };
        block_on(tried);
        drop(gate);
        world.close();
        effect.happened() > 0
    }

    pub fn assert_nothing_runs(&self, story: &str) {
        assert!(!self.try_to_run(), "it ran after: {story}");
        let connection = self.connection();
        let started: i64 = connection
            .query_row(
                "SELECT count(*) FROM record WHERE kind = ?1",
                [Kind::Started.as_str()],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(started, 0, "it was started after: {story}");
    }

    /// What an auditor makes of the file.
    pub fn audit(&self) -> AuditReport {
        let store = SqliteStore::open(life::database(self.folder.path())).unwrap();
        let keys = life::keys(self.folder.path()).trusted();
        let mut reader = store.log_reader().unwrap();
        log::audit(&mut reader, &store, &keys)
    }
}

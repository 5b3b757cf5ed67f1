//! A world on an SQLite file, with another program that has the file open too.

use std::path::PathBuf;
use std::sync::Arc;

use countersign::action::RequestId;
use countersign::audit::{Audit, AuditReport};
use countersign::gate::{ApprovalGate, Gate, Standing};
use countersign::log::{Broken, Head, Kind, Verdict};
use countersign::store::{SqliteStore, Store};
use countersign::values::{Unsealed, ValueKeys};
use futures::FutureExt;
use futures::executor::block_on;
use rusqlite::{Connection, Params, params};
use tempfile::TempDir;

use super::{PEOPLE, RULES, World};

/// A world on a file, and the file as somebody with another program has it.
pub struct Filed {
    pub world: World,
    pub store: Arc<SqliteStore>,
    pub sql: Connection,
    _folder: TempDir,
}

/// Two of one group have to agree, besides the common rules.
pub fn rules() -> String {
    format!(
        "{RULES}\n[approvals.pair]\nquorum = \"2 of group:security\"\ntimeout = \"1h\"\nvalid_for = \"10m\"\n\
         [[rules]]\nid = \"launch\"\neffect = \"approve\"\napproval = \"pair\"\nwhen = {{ action = \"launch\" }}\n"
    )
}

impl Filed {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("log.db");
        let store = Arc::new(SqliteStore::create(&path).unwrap());
        let world = World::with(&rules(), PEOPLE, Arc::clone(&store), |opening| opening);
        Self {
            world,
            store,
            sql: Connection::open(&path).unwrap(),
            _folder: folder,
        }
    }

    /// Another process on the same file, later.
    pub fn reopened(self) -> Self {
        let Self {
            world,
            store,
            sql,
            _folder,
        } = self;
        let World {
            countersign,
            desk,
            clock,
            keys,
            folder,
            directory: _,
        } = world;
        drop(desk);
        block_on(countersign.close());
        let world = World::open(
            &rules(),
            PEOPLE,
            Arc::clone(&store),
            keys,
            clock,
            folder,
            |opening| opening,
        );
        Self {
            world,
            store,
            sql,
            _folder,
        }
    }

    pub fn gate(&self) -> Gate {
        self.world.gate()
    }

    /// Runs one statement, which must change something.
    pub fn change(&self, sql: &str, values: impl Params) {
        assert!(self.sql.execute(sql, values).unwrap() > 0, "{sql}");
    }

    /// The record of a kind that a request has, as it stands in the file.
    pub fn record(&self, request: RequestId, kind: Kind) -> Stored {
        self.sql
            .query_row(
                "SELECT seq, statement, signatures, leaf FROM record WHERE request = ?1 AND kind = ?2",
                params![request.as_uuid().as_bytes(), kind.as_str()],
                |row| {
                    Ok(Stored {
                        seq: row.get(0)?,
                        statement: row.get(1)?,
                        signatures: row.get(2)?,
                        leaf: row.get(3)?,
                    })
                },
            )
            .unwrap()
    }

    pub fn put_back(&self, stored: &Stored) {
        let Stored {
            seq,
            statement,
            signatures,
            leaf,
        } = stored;
        self.change(
            "UPDATE record SET statement = ?2, signatures = ?3, leaf = ?4 WHERE seq = ?1",
            params![seq, statement, signatures, leaf],
        );
    }

    pub fn head(&self) -> Head {
        block_on(self.store.head()).unwrap().unwrap()
    }

    pub fn audit(&self) -> AuditReport {
        let log = self.world.countersign.log();
        let keys = self.world.folder.path().join(format!("keys/{log}.values"));
        let keys = ValueKeys::read(keys).unwrap();
        let mut reader = Unsealed::new(self.store.log_reader().unwrap(), keys);
        Audit::of(&mut reader)
            .trusting(self.world.keys.trusted())
            .comparing(self.store.as_ref())
            .run()
    }

    pub fn assert_broken_at(&self, seq: i64, what: &str) {
        let report = self.audit();
        match &report.verdict {
            Verdict::Broken(Broken { seq: at, .. }) => {
                assert_eq!(at.get(), u64::try_from(seq).unwrap(), "{what}: {report}");
            }
            other => panic!("{what}: {other}"),
        }
        assert_eq!(report.exit_code(), 1, "{what}");
    }

    pub fn assert_sound(&self, what: &str) {
        let report = self.audit();
        assert!(
            matches!(report.verdict, Verdict::IntactUnanchored { .. }),
            "{what}: {report}"
        );
        assert!(!report.projections.differs(), "{what}: {report}");
    }

    /// Fails if a request lets its effect run.
    pub fn assert_no_right(&self, request: RequestId, what: &str) {
        let gate = self.gate();
        match gate.resume(request).now_or_never() {
            None | Some(Err(_)) => {}
            Some(Ok(permit)) => panic!("{what}: {permit:?}"),
        }
        if let Ok(open) = block_on(gate.open_requests()) {
            let standing = open.iter().find(|one| one.request == request);
            assert!(
                !matches!(
                    standing.map(|one| one.standing),
                    Some(Standing::Approved { .. } | Standing::Running)
                ),
                "{what}: {standing:?}"
            );
        }
        let started: i64 = self
            .sql
            .query_row(
                "SELECT count(*) FROM record WHERE request = ?1 AND kind = 'started'",
                [request.as_uuid().as_bytes()],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(started, 0, "{what}");
    }
}

/// A row of `record`.
#[derive(Debug, Clone)]
pub struct Stored {
    pub seq: i64,
    pub statement: Vec<u8>,
    pub signatures: Vec<u8>,
    pub leaf: Vec<u8>,
}

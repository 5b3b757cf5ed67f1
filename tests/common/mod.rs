//! A small world for tests: real keys, a real directory, real rules, a real store.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod aftermath;
#[cfg(feature = "sqlite")]
pub mod altered;
pub mod ask;
pub mod before_append;
pub mod child;
#[cfg(feature = "sqlite")]
pub mod filed;
pub mod life;
pub mod log;

use std::sync::Arc;

use async_trait::async_trait;
use countersign::action::{
    Action, ActorChain, Principal, PrincipalId, PrincipalKind, RequestId, SessionId, TenantId,
};
use countersign::clock::{Clock, ManualClock, Timestamp};
use countersign::desk::{ReviewDesk, VoteRefused, Voted};
use countersign::gate::{ApprovalGate, Filing, Gate, Refusal};
use countersign::host::{Countersign, Opening};
use countersign::identity::{
    AdapterName, Approver, AuthMethod, Authenticator, NotProven, Presented, Proven, StaticDirectory,
};
use countersign::ledger::{Keys, OpenError};
use countersign::policy::RuleSet;
use countersign::store::{MemoryStore, Store};
use futures::executor::block_on;

/// Reading is allowed; paying needs one person, wiring two of different groups; dropping is denied.
pub const RULES: &str = r#"
version = 1
[approvals.one]
quorum = "1 of group:security"
timeout = "1h"
valid_for = "10m"
[approvals.two]
quorum = "1 of group:security and 1 of group:data-owners"
timeout = "1h"
valid_for = "10m"
[[rules]]
id = "read"
effect = "allow"
when = { action = "db.read" }
[[rules]]
id = "pay"
effect = "approve"
approval = "one"
when = { action = "pay" }
[[rules]]
id = "wire"
effect = "approve"
approval = "two"
when = { action = "wire" }
[[rules]]
id = "drop"
effect = "deny"
when = { action = "db.drop" }
reason = "tables are never dropped"
"#;

/// rita and sam are of security, dan of data-owners, ola of both; olga controls the agent `bot`.
pub const PEOPLE: &str = r#"
[[persons]]
id = "corp/rita"
groups = ["security"]
aliases = ["slack/U1"]
[[persons]]
id = "corp/sam"
groups = ["security"]
[[persons]]
id = "corp/dan"
groups = ["data-owners"]
[[persons]]
id = "corp/ola"
groups = ["security", "data-owners"]
[[persons]]
id = "corp/olga"
groups = ["security", "data-owners"]
[[groups]]
name = "security"
[[groups]]
name = "data-owners"
[[agents]]
id = "corp/bot"
controllers = ["corp/olga"]
"#;

/// Believes whoever names himself.
#[derive(Debug)]
pub struct ByName {
    method: AuthMethod,
    clock: Arc<dyn Clock>,
}

impl ByName {
    pub fn new(clock: impl Clock) -> Self {
        Self {
            method: AuthMethod::new("by-name").unwrap(),
            clock: Arc::new(clock),
        }
    }
}

/// What [`ByName`] reads.
pub fn named(issuer: &str, subject: &str) -> Presented {
    Presented::on(AdapterName::new("test").unwrap())
        .with("issuer", issuer)
        .with("subject", subject)
}

#[async_trait]
impl Authenticator for ByName {
    fn method(&self) -> &AuthMethod {
        &self.method
    }

    async fn verify(&self, presented: &Presented) -> Result<Proven, NotProven> {
        let text = |name| String::from_utf8(presented.field(name).unwrap().to_vec()).unwrap();
        Ok(Proven {
            who: PrincipalId::new(text("issuer"), text("subject")).unwrap(),
            kind: PrincipalKind::Human,
            at: self.clock.now(),
            assurance: None,
            session: None,
            adapter: presented.adapter().clone(),
            expires: None,
        })
    }
}

pub struct World {
    pub countersign: Countersign,
    pub clock: ManualClock,
    pub directory: Arc<StaticDirectory>,
    pub desk: ReviewDesk,
    pub keys: Keys,
    pub folder: tempfile::TempDir,
}

pub fn start() -> Timestamp {
    Timestamp::parse("2026-11-24T09:00:00.000000Z").unwrap()
}

pub fn keys(folder: &tempfile::TempDir) -> Keys {
    let path = folder.path().join("keys");
    if path.exists() {
        Keys::open(path).unwrap()
    } else {
        Keys::create(path).unwrap()
    }
}

impl World {
    /// On a store in memory.
    pub fn new() -> Self {
        Self::with(RULES, PEOPLE, MemoryStore::new(), |opening| opening)
    }

    pub fn with(
        rules: &str,
        people: &str,
        store: impl Store,
        choose: impl FnOnce(Opening) -> Opening,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(start());
        let keys = keys(&folder);
        Self::open(rules, people, store, keys, clock, folder, choose)
    }

    pub fn open(
        rules: &str,
        people: &str,
        store: impl Store,
        keys: Keys,
        clock: ManualClock,
        folder: tempfile::TempDir,
        choose: impl FnOnce(Opening) -> Opening,
    ) -> Self {
        block_on(Self::begin(
            rules, people, store, keys, clock, folder, choose,
        ))
        .unwrap()
    }

    /// Opens, for a test that does not wait for it or expects it to fail.
    pub async fn begin(
        rules: &str,
        people: &str,
        store: impl Store,
        keys: Keys,
        clock: ManualClock,
        folder: tempfile::TempDir,
        choose: impl FnOnce(Opening) -> Opening,
    ) -> Result<Self, OpenError> {
        let directory = Arc::new(
            StaticDirectory::from_toml(people)
                .unwrap()
                .with_clock(clock.clone()),
        );
        let opening = Countersign::open(
            store,
            keys.clone(),
            RuleSet::from_toml(rules).unwrap(),
            Arc::clone(&directory),
        )
        .with_clock(clock.clone());
        let countersign = choose(opening).await?;
        let by_name: Arc<dyn Authenticator> = Arc::new(ByName::new(clock.clone()));
        let desk = countersign.desk([by_name]).unwrap();
        Ok(Self {
            countersign,
            clock,
            directory,
            desk,
            keys,
            folder,
        })
    }

    /// Ends the library's threads, after what waits was written.
    pub fn close(self) {
        let Self {
            countersign, desk, ..
        } = self;
        drop(desk);
        block_on(countersign.close());
    }

    /// The gate of the agent `bot` in a session of its own.
    pub fn gate(&self) -> Gate {
        self.gate_for(bot(), "session-1")
    }

    pub fn gate_for(&self, chain: ActorChain, session: &str) -> Gate {
        self.countersign
            .gate(chain, SessionId::new(session).unwrap())
            .unwrap()
    }

    pub fn approver(&self, subject: &str) -> Approver {
        block_on(self.admit("corp", subject)).unwrap()
    }

    pub async fn admit(&self, issuer: &str, subject: &str) -> Result<Approver, NotProven> {
        self.desk.admit(named(issuer, subject)).await
    }

    pub fn approve(&self, subject: &str, request: RequestId) -> Result<Voted, VoteRefused> {
        block_on(async {
            let by = self.admit("corp", subject).await.unwrap();
            let review = self.desk.open(&by, request).await?;
            self.desk.vote(&by, review.approve()).await
        })
    }

    pub fn deny(&self, subject: &str, request: RequestId) -> Result<Voted, VoteRefused> {
        block_on(async {
            let by = self.admit("corp", subject).await.unwrap();
            let review = self.desk.open(&by, request).await?;
            self.desk.vote(&by, review.deny()).await
        })
    }

    /// Files an action that needs people.
    pub fn file(&self, action: Action) -> RequestId {
        match block_on(self.gate().request(action)).unwrap() {
            Filing::Waiting(request) => request,
            Filing::Permitted(_) => panic!("it was allowed without people"),
        }
    }
}

pub fn bot() -> ActorChain {
    ActorChain::acting(Principal::agent("corp", "bot").unwrap())
        .in_tenant(TenantId::new("acme").unwrap())
}

pub fn pay(amount: i64) -> Action {
    Action::named("pay")
        .parameter("amount", amount)
        .sensitive("iban", "DE02120300000000202051")
        .because("the invoice says so")
        .build()
        .unwrap()
}

pub fn wire(amount: i64) -> Action {
    Action::named("wire")
        .parameter("amount", amount)
        .build()
        .unwrap()
}

pub fn read() -> Action {
    Action::named("db.read")
        .parameter("table", "customers")
        .build()
        .unwrap()
}

pub fn refused<T>(result: Result<T, Refusal>) -> Refusal {
    match result {
        Ok(_) => panic!("it was permitted"),
        Err(refusal) => refusal,
    }
}

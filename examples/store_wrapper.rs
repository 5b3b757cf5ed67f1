//! A wrapper around a store: it says how long commits take, and runs the suite that every store has to pass.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use countersign::action::SessionId;
use countersign::clock::Bell;
use countersign::log::{Head, Seq, StoredRecord};
use countersign::store::*;
use countersign::{
    Action, ActorChain, ApprovalGateExt, Countersign, Keys, Principal, RuleSet, StaticDirectory,
};
use futures::executor::block_on;

const RULES: &str =
    "version = 1\n[[rules]]\nid = \"lamp\"\neffect = \"allow\"\nwhen = { action = \"lamp.*\" }\n";

/// Measures what it passes on.
#[derive(Debug, Default)]
struct Timed<S> {
    inner: S,
    commits: AtomicU64,
    micros: AtomicU64,
}

#[async_trait]
impl<S: Store> Store for Timed<S> {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        self.inner.head().await
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        let begun = Instant::now();
        let committed = self.inner.append(step).await;
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        committed
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Vec<StoredRecord>, StoreError> {
        self.inner.read(from, limit).await
    }
    async fn find(&self, query: Query) -> Result<Found, StoreError> {
        self.inner.find(query).await
    }
    async fn tend(&self, chore: Chore) -> Result<Tended, StoreError> {
        self.inner.tend(chore).await
    }
    fn on_commit(&self, bell: Bell) {
        self.inner.on_commit(bell);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    block_on(conformance::run(async || Timed::<MemoryStore>::default()))?;
    println!("the wrapper does what a store must");

    let folder = tempfile::tempdir()?;
    let keys = Keys::create(folder.path().join("keys"))?;
    let store = Arc::new(Timed::<MemoryStore>::default());
    let rules = RuleSet::from_toml(RULES)?;
    let nobody = StaticDirectory::builder().build()?;
    let opening = Countersign::open(Arc::clone(&store), keys, rules, nobody);
    let countersign = block_on(opening.into_future())?;
    let chain = ActorChain::acting(Principal::agent("example", "bot")?);
    let gate = countersign.gate(chain, SessionId::new("run-1")?)?;
    let action = Action::named("lamp.on").build()?;
    let _done = block_on(gate.run(action, async |_| Ok::<_, std::io::Error>(())))?;
    println!("{} commits", store.commits.load(Ordering::Relaxed));
    println!("in {} µs", store.micros.load(Ordering::Relaxed));
    Ok(())
}

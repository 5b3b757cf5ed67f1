//! A store before whose appends, or after whose answers about its head, something else happens.

use std::fmt;
use std::num::NonZeroU32;

use async_trait::async_trait;
use countersign::clock::Bell;
use countersign::log::{Head, Seq, StoredRecord};
use countersign::store::{
    Chore, Committed, Found, Guarantees, Query, Step, Store, StoreError, Tended,
};

pub struct BeforeAppend<S> {
    pub inner: S,
    first: Box<dyn Fn() + Send + Sync>,
    after_head: Box<dyn Fn() + Send + Sync>,
}

impl<S> BeforeAppend<S> {
    pub fn new(inner: S, first: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            inner,
            first: Box::new(first),
            after_head: Box::new(|| ()),
        }
    }

    pub fn after_head(mut self, then: impl Fn() + Send + Sync + 'static) -> Self {
        self.after_head = Box::new(then);
        self
    }
}

impl<S> fmt::Debug for BeforeAppend<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeAppend")
    }
}

#[async_trait]
impl<S: Store> Store for BeforeAppend<S> {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }
    async fn head(&self) -> Result<Option<Head>, StoreError> {
        let head = self.inner.head().await;
        (self.after_head)();
        head
    }
    async fn append(&self, step: Step) -> Result<Committed, StoreError> {
        (self.first)();
        self.inner.append(step).await
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

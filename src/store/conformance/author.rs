//! Makes batches that continue a head: the statements mean nothing, which is all the same to a store.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use uuid::Uuid;

use crate::action::{Disclosure, InstanceId, RequestId, Salt};
use crate::canonical::{Digest, Json};
use crate::clock::Timestamp;
use crate::log::{
    Frontier, Head, Kept, KeyId, Kind, LogId, Sealed, Seq, Signature, StoredRecord, Subtree,
    leaf_hash,
};

use super::super::{
    Abort, Batch, Committed, NewRecord, Row, ScopeKey, Step, Store, StoreError, StoreSecret, View,
};

/// What a batch is to hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) statements: Vec<(Vec<u8>, Option<RequestId>, Vec<Kept>)>,
    pub(super) moved: Vec<ScopeKey>,
    pub(super) rows: Vec<Row>,
}

impl Draft {
    /// One record of no request.
    pub(super) fn of(statement: &str) -> Self {
        Self::default().and(statement, None, Vec::new())
    }

    pub(super) fn and(
        mut self,
        statement: &str,
        request: Option<RequestId>,
        disclosures: Vec<Kept>,
    ) -> Self {
        self.statements
            .push((statement.as_bytes().to_vec(), request, disclosures));
        self
    }

    pub(super) fn moving(mut self, scopes: &[&str]) -> Self {
        self.moved.extend(scopes.iter().map(|name| scope(name)));
        self
    }

    pub(super) fn with(mut self, rows: impl IntoIterator<Item = Row>) -> Self {
        self.rows.extend(rows);
        self
    }

    /// The batch that continues the view's head.
    pub(super) fn build(self, view: &View) -> Batch {
        let (log, mut frontier, mut prev, size) = match &view.head {
            Some(head) => (head.log, head.frontier.clone(), head.prev, head.size),
            None => (log(7), Frontier::empty(), Digest::from_bytes([0; 32]), 0),
        };
        let (mut records, mut disclosures) = (Vec::new(), Vec::new());
        let mut subtrees: Vec<Subtree> = Vec::new();
        let mut ts = time(0);
        for (seq, (statement, request, hidden)) in (size..).zip(self.statements) {
            let leaf = leaf_hash(&statement);
            let seq = Seq::new(seq);
            ts = time(seq.get());
            subtrees.extend(frontier.push(leaf));
            disclosures.extend(hidden.into_iter().map(|one| (seq, one)));
            records.push(NewRecord {
                record: StoredRecord {
                    seq,
                    statement,
                    signatures: vec![(KeyId::from_bytes([1; 32]), Signature::from_bytes([2; 64]))],
                    leaf,
                },
                kind: if seq == Seq::GENESIS {
                    Kind::Genesis
                } else {
                    Kind::Clock
                },
                request,
                ts,
                prev,
            });
            prev = leaf;
        }
        let size = frontier.size();
        let note = note(size);
        Batch {
            records,
            subtrees,
            checkpoint: (size, note.clone()),
            head: Head {
                log,
                size,
                frontier,
                prev,
                ts,
                checkpoint: note,
            },
            disclosures,
            moved: self.moved,
            rows: self.rows,
            secret: view.head.is_none().then(secret),
        }
    }
}

/// Appends a draft.
pub(super) async fn append<S: Store + ?Sized>(
    store: &S,
    draft: Draft,
) -> Result<Committed, StoreError> {
    append_bent(store, draft, |_| {}).await
}

/// Appends a draft after its batch was bent out of shape.
pub(super) async fn append_bent<S: Store + ?Sized>(
    store: &S,
    draft: Draft,
    bend: impl FnOnce(&mut Batch) + Send + 'static,
) -> Result<Committed, StoreError> {
    let step = Step::new(BTreeSet::new(), move |view| {
        let mut batch = draft.build(&view);
        bend(&mut batch);
        Ok(batch)
    });
    store.append(step).await
}

/// Makes the first batch.
pub(super) async fn begin<S: Store + ?Sized>(store: &S) -> Result<Committed, StoreError> {
    append(store, Draft::of("genesis")).await
}

/// A step that says no.
pub(super) fn refusal() -> Step {
    Step::new(BTreeSet::new(), |_| Err(Abort::new("the test says no")))
}

pub(super) fn log(number: u8) -> LogId {
    LogId::from_random([number; 16])
}

pub(super) fn secret() -> StoreSecret {
    StoreSecret::from_bytes([9; 32])
}

pub(super) fn note(size: u64) -> Vec<u8> {
    format!("checkpoint of {size}").into_bytes()
}

pub(super) fn scope(name: &str) -> ScopeKey {
    ScopeKey::new(name)
}

pub(super) fn time(second: u64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(std::time::Duration::from_secs(1_790_000_000 + second))
}

pub(super) fn request(number: u128) -> RequestId {
    RequestId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn instance(number: u128) -> InstanceId {
    InstanceId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn disclosure(name: &str) -> Kept {
    Disclosure::new(&Salt::from_bytes([3; 16]), name, &Json::from("value")).into()
}

/// One that the store cannot read.
pub(super) fn sealed(name: &str) -> Kept {
    Kept::Sealed(Sealed::new(disclosure(name).digest(), vec![0xd5; 40]))
}

pub(super) fn limit(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

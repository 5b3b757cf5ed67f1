use std::collections::BTreeSet;

use crate::canonical::Digest;
use crate::log::Seq;

use super::super::{
    ChannelKey, EdgeRow, NodeKey, NodeRow, NoticeId, NoticeKind, OutboxRow, Phase, Query,
    RequestRow, Row, Seal, Step, Store, StoreError, Tag, TimerKind, TimerRow,
};
use super::author::{
    Draft, append, append_bent, begin, disclosure, limit, log, refusal, request, scope, secret,
    time,
};
use super::{Nonconformity, must};

/// A draft that would leave something in every table.
fn full() -> Draft {
    let id = request(5);
    Draft::default()
        .and("full", Some(id), vec![disclosure("name")])
        .moving(&["a", "b"])
        .with([
            Row::Request(RequestRow {
                request: id,
                phase: Phase::Pending,
                actor: Tag::from_bytes([1; 32]),
                join: Some(Tag::from_bytes([2; 32])),
                tenant: None,
                filed: time(1),
                seq: Seq::new(1),
            }),
            Row::Timer(TimerRow {
                due: time(2),
                request: id,
                what: TimerKind::Expires,
            }),
            Row::Edge(EdgeRow {
                from: NodeKey::from_bytes([1; 16]),
                relation: 1,
                to: NodeKey::from_bytes([2; 16]),
                seq: Seq::new(1),
            }),
            Row::Node(NodeRow {
                key: NodeKey::from_bytes([1; 16]),
                kind: 1,
                clear: None,
            }),
            Row::Outbox(OutboxRow {
                notice: NoticeId(uuid::Uuid::from_u128(1)),
                channel: ChannelKey("terminal".to_owned()),
                request: id,
                what: NoticeKind::Ask,
                due: time(1),
                seal: Seal(vec![7; 3]),
            }),
            Row::Pseudonym {
                tag: Tag::from_bytes([4; 32]),
                pseudonym: crate::action::Pseudonym::from_bytes([5; 16]),
            },
        ])
}

/// Checks that the store holds nothing but the genesis batch.
async fn only_genesis(store: &impl Store) -> Result<(), Nonconformity> {
    let left = "nothing of a refused batch is left";
    let head = store.head().await?;
    must(head.is_some_and(|head| head.size == 1), left)?;
    must(store.read(Seq::GENESIS, limit(9)).await?.len() == 1, left)?;
    must(
        store
            .find(Query::Request(request(5)))
            .await?
            .records()?
            .is_empty(),
        left,
    )?;
    must(
        store.find(Query::Row(request(5))).await?.row()?.is_none(),
        left,
    )?;
    let scopes = BTreeSet::from([scope("a"), scope("b")]);
    let versions = store.find(Query::Versions(scopes)).await?.versions()?;
    must(versions.values().all(|version| *version == 0), left)?;
    let timers = Query::NextDue {
        after: None,
        limit: limit(9),
    };
    must(store.find(timers).await?.timers()?.is_empty(), left)?;
    let edges = Query::Edges {
        after: None,
        limit: limit(9),
    };
    must(store.find(edges).await?.edges()?.is_empty(), left)?;
    let nodes = Query::Nodes(vec![NodeKey::from_bytes([1; 16])]);
    must(store.find(nodes).await?.nodes()?.is_empty(), left)?;
    must(
        store.find(Query::Outbox).await?.outbox()? == Default::default(),
        left,
    )?;
    let person = Query::Pseudonym(Tag::from_bytes([4; 32]));
    must(store.find(person).await?.pseudonym()?.is_none(), left)?;
    let disclosures = Query::DisclosuresFrom {
        from: Seq::GENESIS,
        to: Seq::new(9),
    };
    must(
        store.find(disclosures).await?.disclosures()?.is_empty(),
        left,
    )?;
    let checkpoint = Query::Checkpoint { at_least: 2 };
    must(store.find(checkpoint).await?.checkpoint()?.is_none(), left)
}

pub(super) async fn a_refused_batch_leaves_nothing(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    must(
        matches!(store.append(refusal()).await, Err(StoreError::Aborted(_))),
        "a builder's no is answered as such",
    )?;
    only_genesis(store).await?;
    let panicking = Step::new(BTreeSet::new(), |_| {
        // Does not return, and says nothing on the way, unlike `panic!`.
        std::panic::resume_unwind(Box::new("the test panics"))
    });
    must(
        matches!(store.append(panicking).await, Err(StoreError::Builder)),
        "a builder's panic is answered as such",
    )?;
    only_genesis(store).await?;
    must(
        append_bent(store, full(), |batch| batch.head.size += 1)
            .await
            .is_err(),
        "a batch that does not fit is refused",
    )?;
    only_genesis(store).await?;
    append(store, full()).await?;
    must(
        store.head().await?.is_some_and(|head| head.size == 2),
        "after a refusal the store goes on",
    )
}

pub(super) async fn a_batch_continues_the_head(store: &impl Store) -> Result<(), Nonconformity> {
    let no_secret = append_bent(store, Draft::of("genesis"), |batch| batch.secret = None).await;
    must(no_secret.is_err(), "the genesis batch brings the secret")?;
    must(
        store.head().await?.is_none(),
        "a refused genesis leaves the store empty",
    )?;
    begin(store).await?;

    type Bend = fn(&mut super::super::Batch);
    let bends: [(Bend, &'static str); 8] = [
        (|batch| batch.records.clear(), "a batch has a record"),
        (|batch| batch.head.log = log(8), "a head stays in its log"),
        (
            |batch| batch.secret = Some(secret()),
            "only the genesis batch brings a secret",
        ),
        (
            |batch| {
                for new in &mut batch.records {
                    new.record.seq = new.record.seq.next();
                }
            },
            "the first record has the next number",
        ),
        (
            |batch| {
                for new in &mut batch.records {
                    new.record.seq = Seq::GENESIS;
                }
            },
            "no number is used twice",
        ),
        (
            |batch| {
                for new in &mut batch.records {
                    new.prev = Digest::from_bytes([0; 32]);
                }
            },
            "a record follows the one before",
        ),
        (
            |batch| batch.checkpoint.0 += 1,
            "a checkpoint is of the batch",
        ),
        (
            |batch| batch.head.prev = Digest::from_bytes([0; 32]),
            "a head ends in the last record",
        ),
    ];
    for (bend, rule) in bends {
        let refused = append_bent(store, full(), bend).await;
        must(matches!(refused, Err(StoreError::Conflict(_))), rule)?;
        only_genesis(store).await?;
    }
    Ok(())
}

pub(super) async fn a_leaf_is_that_of_its_statement(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    let damaged = append_bent(store, full(), |batch| {
        if let Some(byte) = batch
            .records
            .first_mut()
            .and_then(|new| new.record.statement.first_mut())
        {
            *byte ^= 1;
        }
    })
    .await;
    must(
        matches!(damaged, Err(StoreError::Corrupt { .. })),
        "a statement that is not its leaf's is never committed",
    )?;
    only_genesis(store).await
}

pub(super) async fn versions_are_counted_inside_the_lock(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    append(store, Draft::of("first").moving(&["a", "b", "a"])).await?;
    append(store, Draft::of("second").moving(&["b"])).await?;
    let scopes = BTreeSet::from([scope("a"), scope("b"), scope("c")]);
    let expected = [(scope("a"), 2), (scope("b"), 2), (scope("c"), 0)].into();
    let found = store
        .find(Query::Versions(scopes.clone()))
        .await?
        .versions()?;
    must(found == expected, "each naming of a scope moves it by one")?;
    let step = Step::new(scopes, move |view| {
        let news: Vec<u64> = view.news.iter().map(|new| new.seq.get()).collect();
        if view.versions == expected
            && news == [1, 2]
            && view.head.as_ref().is_some_and(|head| head.size == 3)
        {
            Ok(Draft::of("third").build(&view))
        } else {
            Err(super::super::Abort::new("the view is another"))
        }
    })
    .with_news_since(Seq::new(1));
    must(
        store.append(step).await.is_ok(),
        "the builder sees the head, the versions of its scopes and the records since then",
    )
}

pub(super) async fn a_taken_row_refuses_the_batch(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let notice = || {
        Row::Outbox(OutboxRow {
            notice: NoticeId(uuid::Uuid::from_u128(1)),
            channel: ChannelKey("terminal".to_owned()),
            request: request(1),
            what: NoticeKind::Ask,
            due: time(1),
            seal: Seal(vec![7; 3]),
        })
    };
    let twice = append(store, full().with([notice(), notice()])).await;
    must(
        matches!(twice, Err(StoreError::Conflict(_))),
        "a notice's id is used once in a batch",
    )?;
    only_genesis(store).await?;
    append(store, Draft::of("notice").with([notice()])).await?;
    let again = append(store, Draft::of("again").with([notice()])).await;
    must(
        matches!(again, Err(StoreError::Conflict(_))),
        "a notice's id is used once",
    )?;
    must(
        store.head().await?.is_some_and(|head| head.size == 2),
        "a row that is taken refuses the records as well",
    )
}

use futures::future::join_all;

use crate::canonical::Digest;
use crate::clock::Bell;
use crate::log::{Kept, Seq, leaf_hash};

use super::super::{Chore, Query, Row, Store, StoreError, Tended};
use super::author::{
    Draft, append, begin, disclosure, limit, note, refusal, request, scope, sealed, secret,
};
use super::{Nonconformity, must};

pub(super) async fn an_empty_store_has_nothing(store: &impl Store) -> Result<(), Nonconformity> {
    must(store.head().await?.is_none(), "an empty store has no head")?;
    must(
        store.read(Seq::GENESIS, limit(10)).await?.is_empty(),
        "an empty store has no records",
    )?;
    must(
        store.find(Query::Secret).await?.secret()?.is_none(),
        "an empty store has no secret",
    )?;
    let versions = store
        .find(Query::Versions([scope("a")].into()))
        .await?
        .versions()?;
    must(
        versions == [(scope("a"), 0)].into(),
        "a scope that never moved has version 0",
    )
}

pub(super) async fn what_was_appended_is_read(store: &impl Store) -> Result<(), Nonconformity> {
    let committed = begin(store).await?;
    must(committed.head.size == 1, "the answer holds the new head")?;
    must(
        store.head().await?.as_ref() == Some(&committed.head),
        "the head is the one of the last batch, byte for byte",
    )?;
    must(
        store.find(Query::Secret).await?.secret()? == Some(secret()),
        "the secret of the genesis batch is kept",
    )?;
    let (one, two) = (request(1), request(2));
    let draft = Draft::default()
        .and("a", Some(two), Vec::new())
        .and("b", Some(one), Vec::new())
        .and("c", None, Vec::new())
        .and("d", Some(one), Vec::new());
    let committed = append(store, draft).await?;
    must(
        store.head().await?.as_ref() == Some(&committed.head) && committed.head.size == 5,
        "a second batch moves the head",
    )?;
    let records = store.read(Seq::new(1), limit(10)).await?;
    let statements: Vec<&[u8]> = records.iter().map(|one| &*one.statement).collect();
    must(
        statements == [b"a", b"b", b"c", b"d"],
        "records are read in order and as they were written",
    )?;
    must(
        records
            .iter()
            .all(|one| one.signatures.len() == 1 && one.leaf == leaf_hash(&one.statement)),
        "signatures and leaves stand beside the statements",
    )?;
    let of_one = store.find(Query::Request(one)).await?.records()?;
    let seqs: Vec<u64> = of_one.iter().map(|record| record.seq.get()).collect();
    must(
        seqs == [2, 4],
        "the records of a request are found in order",
    )?;
    must(
        store
            .find(Query::Request(request(3)))
            .await?
            .records()?
            .is_empty(),
        "a request without records has none",
    )
}

pub(super) async fn pages_of_records_end_at_the_head(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    for number in 1..5 {
        append(store, Draft::of(&format!("record {number}"))).await?;
    }
    let lengths = [(0, 2, 2), (3, 2, 2), (4, 2, 1), (5, 2, 0), (900, 2, 0)];
    for (from, most, expected) in lengths {
        let page = store.read(Seq::new(from), limit(most)).await?;
        must(
            page.len() == expected && page.first().is_none_or(|one| one.seq.get() == from),
            "a page begins where it was asked to and ends at its limit or at the head",
        )?;
    }
    Ok(())
}

pub(super) async fn disclosures_are_found_by_their_records(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    let [a, b, c] = [disclosure("a"), sealed("b"), disclosure("c")];
    let draft = Draft::default()
        .and("first", None, vec![b.clone(), a.clone()])
        .and("second", None, Vec::new())
        .and("third", None, vec![c.clone()]);
    append(store, draft).await?;
    let (first, third) = (Seq::new(1), Seq::new(3));
    let all = vec![(first, b.clone()), (first, a.clone()), (third, c.clone())];
    let ask = async |query| store.find(query).await?.disclosures();
    must(
        ask(Query::Disclosures(vec![third, Seq::new(2), first, third])).await? == all,
        "disclosures come in the order of the log, each once",
    )?;
    must(
        ask(Query::Disclosures(vec![third])).await? == all.get(2..).unwrap_or_default(),
        "disclosures of other records do not come",
    )?;
    let from = async |from, to| {
        ask(Query::DisclosuresFrom {
            from: Seq::new(from),
            to: Seq::new(to),
        })
        .await
    };
    must(from(0, 4).await? == all, "a range holds its first record")?;
    must(
        from(0, 3).await? == all.get(..2).unwrap_or_default(),
        "a range does not hold its last record",
    )?;
    must(
        from(3, 1).await?.is_empty(),
        "a range that ends before it begins is empty",
    )
}

pub(super) async fn checkpoints_and_hashes_of_the_tree_are_found(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    let mut draft = Draft::default();
    for number in 1..600 {
        draft = draft.and(&format!("record {number}"), None, Vec::new());
    }
    append(store, draft).await?;
    append(store, Draft::of("last")).await?;

    let first = async |at_least| {
        store
            .find(Query::Checkpoint { at_least })
            .await?
            .checkpoint()
    };
    must(
        first(0).await? == Some((1, note(1))),
        "the first checkpoint is found",
    )?;
    must(
        first(2).await? == Some((600, note(600))),
        "the first checkpoint of at least a size is found",
    )?;
    must(
        first(602).await?.is_none(),
        "there is no checkpoint beyond the head",
    )?;
    let query = Query::CheckpointsFrom {
        at_least: 2,
        limit: limit(5),
    };
    must(
        store.find(query).await?.checkpoints()? == [(600, note(600)), (601, note(601))],
        "checkpoints are found in order",
    )?;

    let leaves = store.find(Query::Leaves(255..258)).await?.digests()?;
    let expected: Vec<Digest> = (255..258)
        .map(|number| leaf_hash(format!("record {number}").as_bytes()))
        .collect();
    must(leaves == expected, "leaves are found by number")?;
    must(
        store.find(Query::Leaves(600..602)).await.is_err(),
        "a range of leaves is answered in full or not at all",
    )?;
    let subtrees = |range| Query::Subtrees { level: 1, range };
    must(
        store.find(subtrees(0..2)).await?.digests()?.len() == 2,
        "full subtrees are kept",
    )?;
    must(
        store.find(subtrees(0..3)).await.is_err(),
        "a range of subtrees is answered in full or not at all",
    )
}

pub(super) async fn appends_at_once_make_one_line(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let names: Vec<String> = (0..40).map(|number| format!("task {number}")).collect();
    let appends = names.iter().map(|name| append(store, Draft::of(name)));
    for committed in join_all(appends).await {
        committed?;
    }
    let records = store.read(Seq::GENESIS, limit(100)).await?;
    must(
        (0..).zip(&records).all(|(at, one)| one.seq.get() == at),
        "numbers have no gap",
    )?;
    let mut found: Vec<&[u8]> = records.iter().skip(1).map(|one| &*one.statement).collect();
    let mut expected: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    must(found == expected, "every append is in the log once")
}

pub(super) async fn bells_ring_after_commits(store: &impl Store) -> Result<(), Nonconformity> {
    let bells = [Bell::new(), Bell::new()];
    for bell in &bells {
        store.on_commit(bell.clone());
    }
    // Ringing at registration is allowed.
    for bell in &bells {
        let _ = bell.try_take();
    }
    begin(store).await?;
    let patience = Some(std::time::Duration::from_secs(10));
    for bell in &bells {
        must(bell.wait(patience), "every bell is rung after a commit")?;
    }
    must(
        store.append(refusal()).await.is_err(),
        "a refused step is an error",
    )
}

pub(super) async fn what_is_erased_is_gone(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let (kept, gone, also) = (disclosure("kept"), sealed("gone"), disclosure("also"));
    let hidden = vec![kept.clone(), gone.clone(), also.clone()];
    let first = Draft::of("with values").and("and without", None, Vec::new());
    append(store, first.and("hides", None, hidden)).await?;
    let seq = Seq::new(3);
    let erase = |one: &Kept, seq| Row::Erased {
        seq,
        digest: one.digest(),
    };
    let elsewhere = append(store, Draft::of("no").with([erase(&gone, Seq::new(1))])).await;
    must(
        matches!(elsewhere, Err(StoreError::Conflict(_))),
        "a disclosure is erased where it is filed, or the batch is refused",
    )?;
    let erased = [erase(&gone, seq), erase(&also, seq)];
    append(store, Draft::of("erased").with(erased)).await?;
    let left = store
        .find(Query::Disclosures(vec![seq]))
        .await?
        .disclosures()?;
    must(
        left == [(seq, kept.clone())],
        "what is erased is gone, and nothing else is",
    )?;
    let again = append(store, Draft::of("again").with([erase(&gone, seq)])).await;
    must(
        matches!(again, Err(StoreError::Conflict(_))),
        "what is not there is not erased",
    )?;
    let twice = Draft::of("twice").with([erase(&kept, seq), erase(&kept, seq)]);
    must(
        matches!(append(store, twice).await, Err(StoreError::Conflict(_))),
        "nothing is erased twice in a batch",
    )?;
    must(
        matches!(store.tend(Chore::Scrub).await?, Tended::Done),
        "a store that nobody reads can be scrubbed",
    )
}

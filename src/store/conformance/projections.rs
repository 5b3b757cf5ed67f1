use crate::action::Pseudonym;
use crate::log::Seq;

use super::super::{
    EdgeRow, EdgesOf, NodeKey, NodeRow, PageOf, Phase, Query, RequestRow, Row, Store, StoreError,
    Tag, TimerKind, TimerRow,
};
use super::author::{Draft, append, begin, limit, request, time};
use super::{Nonconformity, must};

fn row(number: u128, phase: Phase) -> RequestRow {
    RequestRow {
        request: request(number),
        phase,
        actor: Tag::from_bytes([if number.is_multiple_of(2) { 2 } else { 1 }; 32]),
        join: Some(Tag::from_bytes([3; 32])),
        tenant: Some(Tag::from_bytes([4; 32])),
        filed: time(1),
        seq: Seq::new(1),
    }
}

fn numbers(rows: &[RequestRow]) -> Vec<u128> {
    rows.iter()
        .map(|row| row.request.as_uuid().as_u128())
        .collect()
}

pub(super) async fn requests_are_found_in_pages(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let phases = [
        Phase::Pending,
        Phase::Approved,
        Phase::Running,
        Phase::Unresolved,
        Phase::Closed,
    ];
    let rows = (1_u128..).zip(phases.into_iter().cycle()).take(10);
    let rows: Vec<Row> = rows
        .map(|(number, phase)| Row::Request(row(number, phase)))
        .collect();
    // Written in another order than they are read in.
    append(store, Draft::of("rows").with(rows.into_iter().rev())).await?;

    must(
        store.find(Query::Row(request(3))).await?.row()? == Some(row(3, Phase::Running)),
        "a request's row is found whole",
    )?;
    let inbox = async |phases: &[Phase], after: Option<u128>, most| {
        let page = PageOf {
            phases: phases.iter().copied().collect(),
            after: after.map(request),
            limit: limit(most),
        };
        let rows = store.find(Query::Inbox(page)).await?.rows()?;
        Ok::<_, StoreError>(numbers(&rows))
    };
    must(
        inbox(&[Phase::Pending], None, 9).await? == [1, 6],
        "requests in one phase are found in order",
    )?;
    must(
        inbox(&phases, None, 4).await? == [1, 2, 3, 4],
        "a page of several phases is in order of the requests",
    )?;
    must(
        inbox(&phases, Some(4), 100).await? == [5, 6, 7, 8, 9, 10],
        "a page goes on after the request that it was given",
    )?;
    must(
        inbox(&[], None, 9).await?.is_empty(),
        "no phase, no request",
    )?;

    let actor = async |after: Option<u128>, most| {
        let query = Query::Actor {
            tag: Tag::from_bytes([2; 32]),
            after: after.map(request),
            limit: limit(most),
        };
        Ok::<_, StoreError>(numbers(&store.find(query).await?.rows()?))
    };
    must(
        actor(None, 9).await? == [2, 4, 6, 8],
        "an actor's requests are found, the closed ones left out",
    )?;
    must(
        actor(Some(2), 2).await? == [4, 6],
        "an actor's requests come in pages",
    )?;

    let closed = [
        Row::Request(row(4, Phase::Closed)),
        Row::Request(row(1, Phase::Approved)),
    ];
    append(store, Draft::of("moved on").with(closed)).await?;
    must(
        inbox(&[Phase::Pending], None, 9).await? == [6] && actor(None, 9).await? == [2, 6, 8],
        "a row replaces the one before",
    )
}

pub(super) async fn only_pending_requests_are_joined(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    let mut single = row(3, Phase::Pending);
    single.join = None;
    let rows = [
        Row::Request(row(2, Phase::Pending)),
        Row::Request(row(1, Phase::Approved)),
        Row::Request(single),
    ];
    append(store, Draft::of("rows").with(rows)).await?;
    let join = async || {
        let rows = store
            .find(Query::Join(Tag::from_bytes([3; 32])))
            .await?
            .rows()?;
        Ok::<_, StoreError>(numbers(&rows))
    };
    must(join().await? == [2], "only a pending request is joined")?;
    append(
        store,
        Draft::of("approved").with([Row::Request(row(2, Phase::Approved))]),
    )
    .await?;
    must(
        join().await?.is_empty(),
        "a request that is no longer pending is not joined",
    )
}

pub(super) async fn timers_are_found_by_time(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let timer = |number, what, due| TimerRow {
        due: time(due),
        request: request(number),
        what,
    };
    let (expires, lease) = (TimerKind::Expires, TimerKind::Lease);
    let rows = [
        timer(1, expires, 30),
        timer(2, expires, 10),
        timer(1, lease, 20),
        timer(3, expires, 10),
    ];
    append(store, Draft::of("timers").with(rows.map(Row::Timer))).await?;
    let due = async |until, most| {
        let query = Query::Due {
            until: time(until),
            limit: limit(most),
        };
        store.find(query).await?.timers()
    };
    must(
        due(9, 9).await?.is_empty(),
        "no timer comes before its time",
    )?;
    must(
        due(20, 9).await?
            == [
                timer(2, expires, 10),
                timer(3, expires, 10),
                timer(1, lease, 20),
            ],
        "timers come by time, at their very time",
    )?;
    must(due(20, 1).await?.len() == 1, "timers come in pages")?;
    let next = async |after, most| {
        let query = Query::NextDue {
            after,
            limit: limit(most),
        };
        store.find(query).await?.timers()
    };
    let first = next(None, 2).await?;
    must(
        first == [timer(2, expires, 10), timer(3, expires, 10)],
        "the next timers are found whenever they are due",
    )?;
    must(
        next(first.last().copied(), 9).await? == [timer(1, lease, 20), timer(1, expires, 30)],
        "the next timers come in pages",
    )?;
    let done = [
        Row::TimerDone(timer(1, expires, 30)),
        Row::TimerDone(timer(1, lease, 21)),
    ];
    append(store, Draft::of("done").with(done)).await?;
    must(
        next(None, 9).await?.last() == Some(&timer(1, lease, 20)),
        "a timer is done, unless it was set to another time",
    )?;
    let moved = [
        Row::Timer(timer(2, expires, 40)),
        Row::TimerGone(request(1)),
    ];
    append(store, Draft::of("moved").with(moved)).await?;
    must(
        next(None, 9).await? == [timer(3, expires, 10), timer(2, expires, 40)],
        "a timer is replaced by the next of its meaning, and goes with its request",
    )
}

pub(super) async fn the_graph_is_walked_both_ways(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let key = |number| NodeKey::from_bytes([number; 16]);
    let edge = |from, relation, to, seq| EdgeRow {
        from: key(from),
        relation,
        to: key(to),
        seq: Seq::new(seq),
    };
    let edges = [
        edge(1, 2, 3, 1),
        edge(1, 1, 4, 1),
        edge(2, 1, 3, 1),
        edge(1, 2, 3, 2),
        edge(1, 1, 4, 1),
    ];
    let node = |number, clear: Option<&str>| NodeRow {
        key: key(number),
        kind: 5,
        clear: clear.map(str::to_owned),
    };
    let nodes = [
        node(3, Some("three")),
        node(1, None),
        node(3, Some("other")),
    ];
    let draft = Draft::of("graph")
        .with(edges.map(Row::Edge))
        .with(nodes.map(Row::Node));
    append(store, draft).await?;

    let page = |number, after, most| EdgesOf {
        node: key(number),
        after,
        limit: limit(most),
    };
    let from = async |after, most| {
        store
            .find(Query::EdgesFrom(page(1, after, most)))
            .await?
            .edges()
    };
    let out = [edge(1, 1, 4, 1), edge(1, 2, 3, 1), edge(1, 2, 3, 2)];
    must(
        from(None, 9).await? == out,
        "edges are found from where they start, each once",
    )?;
    must(
        from(out.first().copied(), 1).await? == out.get(1..2).unwrap_or_default(),
        "edges from a node come in pages",
    )?;
    let to = async |after, most| {
        store
            .find(Query::EdgesTo(page(3, after, most)))
            .await?
            .edges()
    };
    let into = [edge(2, 1, 3, 1), edge(1, 2, 3, 1), edge(1, 2, 3, 2)];
    must(
        to(None, 9).await? == into,
        "edges are found from where they end",
    )?;
    must(
        to(into.first().copied(), 9).await? == into.get(1..).unwrap_or_default(),
        "edges to a node come in pages",
    )?;
    let all = async |after| {
        let query = Query::Edges {
            after,
            limit: limit(9),
        };
        store.find(query).await?.edges()
    };
    must(
        all(None).await?.len() == 4 && all(Some(edge(1, 2, 3, 2))).await? == [edge(2, 1, 3, 1)],
        "all edges are found in order",
    )?;
    let found = store
        .find(Query::Nodes(vec![key(3), key(9), key(1)]))
        .await?
        .nodes()?;
    must(
        found == [node(1, None), node(3, Some("three"))],
        "a node is as it was first written",
    )
}

pub(super) async fn persons_have_one_pseudonym(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let tie = |tag, name| Row::Pseudonym {
        tag: Tag::from_bytes([tag; 32]),
        pseudonym: Pseudonym::from_bytes([name; 16]),
    };
    append(
        store,
        Draft::of("tied").with([tie(1, 1), tie(2, 2), tie(1, 1)]),
    )
    .await?;
    let find = async |tag| {
        let query = Query::Pseudonym(Tag::from_bytes([tag; 32]));
        store.find(query).await?.pseudonym()
    };
    must(
        find(2).await? == Some(Pseudonym::from_bytes([2; 16])) && find(3).await?.is_none(),
        "a person's pseudonym is found",
    )?;
    append(store, Draft::of("the same again").with([tie(1, 1)])).await?;
    for (rows, rule) in [
        (vec![tie(1, 3)], "a person has one pseudonym"),
        (vec![tie(3, 1)], "a pseudonym is one person's"),
        (
            vec![tie(4, 4), tie(4, 5)],
            "a person has one pseudonym in a batch",
        ),
    ] {
        let refused = append(store, Draft::of("conflict").with(rows)).await;
        must(matches!(refused, Err(StoreError::Conflict(_))), rule)?;
    }
    must(
        find(4).await?.is_none() && store.head().await?.is_some_and(|head| head.size == 3),
        "a pseudonym that is taken refuses the whole batch",
    )
}

pub(super) async fn persons_are_renamed(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let (tag, name) = (
        |number| Tag::from_bytes([number; 32]),
        |number| Pseudonym::from_bytes([number; 16]),
    );
    let tie = |number| Row::Pseudonym {
        tag: tag(number),
        pseudonym: name(number),
    };
    let rename = |number, to| Row::Renamed {
        tag: tag(number),
        pseudonym: name(to),
    };
    append(store, Draft::of("tied").with([tie(1), tie(2)])).await?;
    append(
        store,
        Draft::of("renamed").with([rename(1, 9), rename(3, 8)]),
    )
    .await?;
    let find = async |number| store.find(Query::Pseudonym(tag(number))).await?.pseudonym();
    must(
        find(1).await? == Some(name(9)) && find(2).await? == Some(name(2)),
        "a person who is renamed has the new pseudonym, and nobody else has",
    )?;
    must(find(3).await?.is_none(), "nobody is named by being renamed")?;
    let taken = append(store, Draft::of("taken").with([rename(1, 2)])).await;
    must(
        matches!(taken, Err(StoreError::Conflict(_))),
        "a person is not renamed to what another is called",
    )
}

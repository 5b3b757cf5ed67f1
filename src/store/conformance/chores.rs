use uuid::Uuid;

use crate::log::{KeyHint, KeyName, NoteSignature, Seq};

use super::super::{
    ChannelKey, Chore, Delivery, DeliveryResult, Liveness, NoticeId, NoticeKind, OutboxCounts,
    OutboxRow, Query, Reference, Row, Seal, Store, StoreError, Tended, TimerKind, TimerRow,
};
use super::author::{Draft, append, begin, instance, limit, request, time};
use super::{Nonconformity, must};

fn notice(number: u128, channel: &str, about: u128, due: u64) -> Row {
    Row::Outbox(OutboxRow {
        notice: NoticeId(Uuid::from_u128(number)),
        channel: ChannelKey(channel.to_owned()),
        request: request(about),
        what: NoticeKind::Ask,
        due: time(due),
        seal: Seal(vec![7; 3]),
    })
}

/// The numbers of the notices that were claimed.
async fn claim(
    store: &impl Store,
    channels: &[&str],
    now: u64,
    most: u32,
) -> Result<Vec<u128>, StoreError> {
    let chore = Chore::ClaimOutbox {
        channels: channels
            .iter()
            .map(|name| ChannelKey((*name).to_owned()))
            .collect(),
        by: instance(1),
        now: time(now),
        lease_until: time(now + 60),
        limit: limit(most),
    };
    let claimed = store.tend(chore).await?.claimed()?;
    Ok(claimed
        .iter()
        .map(|one| one.row.notice.0.as_u128())
        .collect())
}

async fn settle(
    store: &impl Store,
    number: u128,
    result: DeliveryResult,
) -> Result<Tended, StoreError> {
    let notice = NoticeId(Uuid::from_u128(number));
    store.tend(Chore::SettleOutbox { notice, result }).await
}

pub(super) async fn notices_are_claimed_by_lease(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let rows = [
        notice(1, "chat", 1, 20),
        notice(2, "chat", 2, 10),
        notice(3, "mail", 3, 10),
        notice(4, "chat", 4, 30),
    ];
    append(store, Draft::of("notices").with(rows)).await?;
    must(
        claim(store, &["chat", "mail"], 9, 9).await?.is_empty(),
        "no notice goes out before its time",
    )?;
    must(
        claim(store, &["chat"], 25, 1).await? == [2],
        "the earliest notice goes out first",
    )?;
    must(
        claim(store, &["chat"], 25, 9).await? == [1],
        "a notice under a lease, of another channel, or not yet due stays",
    )?;
    must(
        claim(store, &[], 25, 9).await?.is_empty(),
        "no channel, no notice",
    )?;
    must(
        claim(store, &["mail", "mail"], 25, 9).await? == [3],
        "each channel has its own notices",
    )?;
    must(
        claim(store, &["chat"], 85, 9).await? == [2, 1, 4],
        "a lease that has ended is no lease",
    )?;
    let messages = store.find(Query::Messages(request(2))).await?.messages()?;
    must(
        messages.iter().map(|one| one.attempts).eq([2]),
        "attempts are counted",
    )
}

pub(super) async fn one_notice_of_a_request_is_out_at_a_time(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    let rows = [
        notice(1, "chat", 1, 10),
        notice(2, "chat", 1, 11),
        notice(3, "mail", 1, 11),
    ];
    append(store, Draft::of("notices").with(rows)).await?;
    must(
        claim(store, &["chat", "mail"], 20, 9).await? == [1, 3],
        "of a request's notices on a channel one goes out at a time",
    )?;
    must(
        claim(store, &["chat", "mail"], 20, 9).await?.is_empty(),
        "while one is out the next waits",
    )?;
    settle(
        store,
        1,
        DeliveryResult::Delivered(Reference("m".to_owned())),
    )
    .await?;
    must(
        claim(store, &["chat", "mail"], 20, 9).await? == [2],
        "once it has ended the next goes out",
    )
}

pub(super) async fn the_next_notice_is_foretold(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let next = async |channels: &[&str], now| {
        let channels = channels
            .iter()
            .map(|name| ChannelKey((*name).to_owned()))
            .collect();
        let now = time(now);
        let found = store.find(Query::NextNotice { channels, now }).await?;
        found.moment()
    };
    must(
        next(&["chat"], 0).await?.is_none(),
        "where nothing waits nothing is foretold",
    )?;
    let rows = [
        notice(1, "chat", 1, 20),
        notice(2, "chat", 1, 30),
        notice(3, "mail", 2, 10),
    ];
    append(store, Draft::of("notices").with(rows)).await?;
    must(
        next(&["chat"], 0).await? == Some(time(20))
            && next(&["chat", "mail"], 25).await? == Some(time(10)),
        "the earliest notice of the channels is foretold",
    )?;
    claim(store, &["chat"], 25, 9).await?;
    must(
        next(&["chat"], 40).await? == Some(time(85)),
        "what is out, and what waits for it, is foretold for the end of the lease",
    )?;
    let later = DeliveryResult::Later { due: time(50) };
    settle(store, 1, later).await?;
    must(
        next(&["chat"], 40).await? == Some(time(30)),
        "what waited is foretold once nothing is out",
    )
}

pub(super) async fn notices_end_once(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let rows = [
        notice(1, "chat", 1, 10),
        notice(2, "chat", 2, 10),
        notice(3, "chat", 2, 50),
    ];
    append(store, Draft::of("notices").with(rows)).await?;
    must(
        claim(store, &["chat"], 20, 9).await? == [1, 2],
        "notices that are due go out",
    )?;
    let delivered = || DeliveryResult::Delivered(Reference("message".to_owned()));
    let dead = || DeliveryResult::Dead {
        code: "refused".to_owned(),
    };
    must(
        settle(store, 1, delivered()).await? == Tended::Done,
        "a delivery is noted",
    )?;
    must(
        settle(store, 1, dead()).await? == Tended::Stale,
        "a notice ends once",
    )?;
    must(
        settle(store, 9, dead()).await? == Tended::Stale,
        "no notice, no end",
    )?;
    let later = DeliveryResult::Later { due: time(40) };
    must(
        settle(store, 2, later).await? == Tended::Done,
        "a notice is put off",
    )?;
    must(
        claim(store, &["chat"], 39, 9).await?.is_empty(),
        "a notice that was put off waits",
    )?;
    must(
        claim(store, &["chat"], 40, 9).await? == [2],
        "a notice that was put off goes out again at its time, whatever its lease was",
    )?;
    must(
        settle(store, 2, dead()).await? == Tended::Done,
        "a notice is given up",
    )?;
    let counts = store.find(Query::Outbox).await?.outbox()?;
    let expected = OutboxCounts {
        waiting: 1,
        delivered: 1,
        dead: 1,
    };
    must(counts == expected, "notices are counted")?;
    let about = async |number| {
        let messages = store
            .find(Query::Messages(request(number)))
            .await?
            .messages()?;
        Ok::<_, StoreError>(
            messages
                .into_iter()
                .map(|one| one.delivery)
                .collect::<Vec<_>>(),
        )
    };
    must(
        about(1).await? == [Delivery::Delivered(Reference("message".to_owned()))],
        "what the channel calls a message is kept",
    )?;
    must(
        about(2).await? == [Delivery::Dead("refused".to_owned()), Delivery::Waiting],
        "the notices of a request are found in order",
    )
}

pub(super) async fn cursors_move_from_where_they_stand(
    store: &impl Store,
) -> Result<(), Nonconformity> {
    begin(store).await?;
    let find = async || {
        let query = Query::Cursor("lineage".to_owned());
        store.find(query).await?.cursor()
    };
    let step = async |to, expected: Option<u64>| {
        let chore = Chore::MoveCursor {
            name: "lineage".to_owned(),
            to: Seq::new(to),
            expected: expected.map(Seq::new),
        };
        store.tend(chore).await
    };
    must(
        find().await?.is_none(),
        "a cursor that was never moved stands nowhere",
    )?;
    must(
        step(1, Some(0)).await? == Tended::Stale,
        "nowhere is not the beginning",
    )?;
    must(
        step(0, None).await? == Tended::Done,
        "a cursor is moved for the first time",
    )?;
    must(
        step(5, None).await? == Tended::Stale,
        "the first time comes once",
    )?;
    must(step(5, Some(0)).await? == Tended::Done, "a cursor moves on")?;
    must(
        step(6, Some(0)).await? == Tended::Stale,
        "a cursor moves from where it stands",
    )?;
    must(
        find().await? == Some(Seq::new(5)),
        "a cursor stands where it was moved to",
    )
}

pub(super) async fn checkpoints_gain_signatures(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    append(store, Draft::of("more")).await?;
    let find = async |at_least| {
        let found = store.find(Query::Checkpoint { at_least }).await?;
        found
            .checkpoint()?
            .ok_or(Nonconformity::Broken("a checkpoint is there"))
    };
    let head = async || store.head().await;
    let (size, before) = find(1).await?;
    let next = find(size + 1).await?;
    let head_before = head().await?;
    let name = KeyName::new("witness.example");
    let name = name.map_err(|_| Nonconformity::Unusable("a witness has a name"))?;
    let line = |byte| NoteSignature {
        name: name.clone(),
        hint: KeyHint::from_bytes([byte; 4]),
        bytes: vec![byte; 72],
    };
    let add = async |size, expected: &[u8], lines: Vec<NoteSignature>| {
        let expected = expected.to_vec();
        let chore = Chore::AddSignatures {
            size,
            expected,
            lines,
        };
        store.tend(chore).await
    };
    must(
        add(size, &before, vec![line(1), line(2)]).await? == Tended::Done,
        "a checkpoint takes signatures",
    )?;
    let mut expected = before.clone();
    expected.extend_from_slice(format!("{}\n{}\n", line(1), line(2)).as_bytes());
    must(
        find(1).await? == (size, expected.clone()),
        "signatures stand below those that were there",
    )?;
    must(
        add(size, &before, vec![line(3)]).await? == Tended::Stale,
        "what somebody else added meanwhile is not overwritten",
    )?;
    must(
        add(size + 7, &before, vec![line(3)]).await? == Tended::Stale,
        "where no checkpoint is none is made",
    )?;
    must(
        find(1).await? == (size, expected) && find(size + 1).await? == next,
        "nothing else changes",
    )?;
    must(head().await? == head_before, "the head is as it was")
}

pub(super) async fn timers_are_dropped(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let timer = |number| {
        Row::Timer(TimerRow {
            due: time(1),
            request: request(number),
            what: TimerKind::Custom,
        })
    };
    append(store, Draft::of("timers").with([timer(1), timer(2)])).await?;
    let moved = TimerRow {
        due: time(2),
        request: request(2),
        what: TimerKind::Custom,
    };
    let answer = store.tend(Chore::DropTimer(moved)).await?;
    must(
        answer == Tended::Stale,
        "a timer that was set to another time is not dropped",
    )?;
    let drop = async |number| store.tend(Chore::DropTimers(request(number))).await;
    must(
        drop(1).await? == Tended::Done,
        "a request's timers are dropped",
    )?;
    must(
        drop(1).await? == Tended::Stale,
        "what is not there is not dropped",
    )?;
    let query = Query::NextDue {
        after: None,
        limit: limit(9),
    };
    let left = store.find(query).await?.timers()?;
    must(
        left.iter().map(|one| one.request).eq([request(2)]),
        "other requests keep their timers",
    )?;
    for timer in left {
        let answer = store.tend(Chore::DropTimer(timer)).await?;
        must(answer == Tended::Done, "one timer is dropped")?;
    }
    Ok(())
}

pub(super) async fn processes_are_registered(store: &impl Store) -> Result<(), Nonconformity> {
    begin(store).await?;
    let list = async || store.find(Query::Instances).await?.instances();
    must(list().await?.is_empty(), "nobody is registered at first")?;
    for number in [1, 2, 1] {
        let chore = Chore::PutInstance {
            instance: instance(number),
            at: time(u64::try_from(number).unwrap_or(0)),
        };
        must(
            store.tend(chore).await? == Tended::Done,
            "a process registers itself",
        )?;
    }
    let found = list().await?;
    must(
        found
            .iter()
            .map(|one| one.instance)
            .eq([instance(1), instance(2)])
            && found.iter().all(|one| one.liveness == Liveness::Alive),
        "who is registered and holds its lock is alive",
    )?;
    let dropped = store.tend(Chore::DropInstance(instance(1))).await?;
    must(dropped == Tended::Done, "a process is forgotten")?;
    let dropped = store.tend(Chore::DropInstance(instance(1))).await?;
    must(
        dropped == Tended::Stale,
        "who is not there is not forgotten",
    )?;
    must(list().await?.len() == 1, "the others stay")
}

//! What a channel hears: what a gate or a desk has queued for it, and nothing that somebody wrote beside.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{PEOPLE, RULES, World, life, pay, wire};
use countersign::action::RequestId;
use countersign::clock::ManualClock;
use countersign::notify::Notice;
use countersign::store::{Delivery, MessageRow, NoticeKind, Query, SqliteStore, Store};
use countersign::testing::ScriptedNotifier;
use futures::executor::block_on;
use rusqlite::Connection;
use tempfile::TempDir;

/// A log in a file; each opening is of a process with or without a channel.
struct Machine {
    folder: TempDir,
    store: Arc<SqliteStore>,
    channel: ScriptedNotifier,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_or_create(life::database(folder.path())).unwrap();
        Self {
            folder,
            store: Arc::new(store),
            channel: ScriptedNotifier::new(),
        }
    }

    fn without_channel(&self) -> World {
        life::open(self.folder.path(), Arc::clone(&self.store))
    }

    fn with_channel(&self) -> World {
        World::open(
            RULES,
            PEOPLE,
            Arc::clone(&self.store),
            life::keys(self.folder.path()),
            ManualClock::new(common::start()),
            tempfile::tempdir_in(self.folder.path()).unwrap(),
            |opening| opening.with_notifier(self.channel.clone()),
        )
    }

    fn change(&self, sql: &str, request: RequestId) {
        let connection = Connection::open(life::database(self.folder.path())).unwrap();
        let changed = connection.execute(sql, [request.as_uuid().as_bytes()]);
        assert!(changed.unwrap() > 0, "{sql}");
    }

    fn messages(&self, request: RequestId) -> Vec<MessageRow> {
        block_on(self.store.find(Query::Messages(request)))
            .unwrap()
            .messages()
            .unwrap()
    }

    /// What became of the notices about a request, once the courier is done with them.
    fn settled(&self, request: RequestId) -> Vec<MessageRow> {
        loop {
            let messages = self.messages(request);
            let waits = |one: &MessageRow| one.delivery == Delivery::Waiting;
            if !messages.is_empty() && !messages.iter().any(waits) {
                return messages;
            }
            thread::yield_now();
        }
    }
}

fn dead(why: &str) -> Delivery {
    Delivery::Dead(why.to_owned())
}

#[test]
fn a_notice_that_nobody_queued_is_not_delivered() {
    let machine = Machine::new();
    let world = machine.without_channel();
    let request = world.file(pay(5));
    world.close();
    assert!(machine.messages(request).is_empty());
    machine.change(
        "INSERT INTO outbox(notice, channel, request, what, due, state, attempts, seal) \
         VALUES (randomblob(16), 'scripted', ?1, 0, 0, 0, 0, x'')",
        request,
    );

    let world = machine.with_channel();
    let messages = machine.settled(request);
    assert_eq!(messages[0].delivery, dead("not_queued_here"));
    // Nor does the channel hear how it goes on.
    let _voted = world.approve("rita", request).unwrap();
    assert_eq!(machine.messages(request).len(), 1);
    world.close();
    assert!(machine.channel.delivered().is_empty());
}

#[test]
fn a_seal_holds_for_its_own_notice_alone() {
    let machine = Machine::new();
    let world = machine.without_channel();
    let other = world.file(wire(7));
    world.close();
    let world = machine.with_channel();
    let asked = world.file(pay(5));
    let messages = machine.settled(asked);
    assert!(matches!(messages[0].delivery, Delivery::Delivered(_)));
    world.close();
    for (id, of) in [("randomblob(16)", asked), ("randomblob(16)", other)] {
        machine.change(
            &format!(
                "INSERT INTO outbox(notice, channel, request, what, due, state, attempts, seal) \
                 SELECT {id}, channel, ?1, what, due, 0, 0, seal FROM outbox WHERE attempts > 0"
            ),
            of,
        );
    }
    // The genuine one, as a settlement.
    machine.change(
        "UPDATE outbox SET what = 2, state = 0 WHERE attempts > 0 AND request = ?1",
        asked,
    );

    let world = machine.with_channel();
    for of in [asked, other] {
        for message in machine.settled(of) {
            assert_eq!(message.delivery, dead("not_queued_here"), "{message:?}");
        }
    }
    world.close();
    assert_eq!(machine.channel.delivered().len(), 1);
}

#[test]
fn a_request_that_does_not_verify_keeps_no_other_notice_waiting() {
    let machine = Machine::new();
    let world = machine.with_channel();
    machine.channel.fail_next(u32::MAX);
    let (spoiled, sound) = (world.file(pay(5)), world.file(wire(7)));
    world.close();
    machine.change(
        "UPDATE record SET signatures = zeroblob(length(signatures)) \
         WHERE request = ?1 AND kind = 'requested'",
        spoiled,
    );

    let world = machine.with_channel();
    machine.channel.fail_next(0);
    // Whatever failed, or was claimed by the process before, is tried again by then.
    world.clock.advance(Duration::from_secs(120));
    let messages = machine.settled(spoiled);
    assert_eq!(messages[0].delivery, dead("not_verified"));
    let messages = machine.settled(sound);
    assert_eq!(messages[0].row.what, NoticeKind::Ask);
    world.close();
    let told = machine.channel.delivered();
    assert!(matches!(&told[..], [Notice::Ask { .. }]), "{told:?}");
}

//! Records that are hidden from their request: an end that was taken away brings no approval back.
//!
//! Which records a request has stands in unsigned columns. Without the check before a start, whoever hides a denial, and sets the
//! count of the request's records to fit, gets the approval that it ended; and whoever hides a start gets a second use.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::altered::Altered;
use common::{World, pay};
use countersign::action::RequestId;
use countersign::gate::ApprovalGate;
use countersign::log::Verdict;
use futures::executor::block_on;

/// How the last record of a request is hidden; the statement itself is overwritten in the last one.
const HIDE: [&str; 3] = [
    "UPDATE record SET request = NULL WHERE seq = (SELECT max(seq) FROM record WHERE request = ?1)",
    "DELETE FROM record WHERE seq = (SELECT max(seq) FROM record WHERE request = ?1)",
    "UPDATE record SET request = NULL, statement = x'00', leaf = randomblob(32) \
     WHERE seq = (SELECT max(seq) FROM record WHERE request = ?1)",
];

/// Hides the last `many` records of a request and sets their count to fit.
fn hide(connection: &rusqlite::Connection, request: RequestId, how: &str, many: usize) {
    let id = request.as_uuid().as_bytes().to_vec();
    for _ in 0..many {
        assert_eq!(connection.execute(how, [id.clone()]).unwrap(), 1);
    }
    let scope = [b"r".to_vec(), id].concat();
    let counted = connection
        .execute(
            "UPDATE scope SET version = version - ?1 WHERE name = ?2",
            rusqlite::params![i64::try_from(many).unwrap(), scope],
        )
        .unwrap();
    assert_eq!(counted, 1);
}

fn denied(world: &World) -> RequestId {
    let request = world.file(pay(5));
    let _voted = world.approve("rita", request).unwrap();
    let _voted = world.deny("rita", request).unwrap();
    // Something follows, so that the denial is not the last record of the log.
    let _other = world.file(pay(6));
    request
}

fn ran(world: &World) -> RequestId {
    let request = world.file(pay(5));
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<(), String>(()))).unwrap();
    let _other = world.file(pay(6));
    request
}

#[test]
fn a_hidden_denial_brings_no_approval_back_after_a_restart() {
    for how in HIDE {
        let altered = Altered::after(denied);
        hide(&altered.connection(), altered.request, how, 1);
        altered.assert_nothing_runs(how);
        let report = altered.audit();
        assert!(
            matches!(report.verdict, Verdict::Broken(_)),
            "{how}: {report}"
        );
    }
}

#[test]
fn a_hidden_start_gives_no_second_use_after_a_restart() {
    for how in HIDE {
        let altered = Altered::after(ran);
        hide(&altered.connection(), altered.request, how, 2);
        assert!(!altered.try_to_run(), "it ran again after: {how}");
        let report = altered.audit();
        assert!(
            matches!(report.verdict, Verdict::Broken(_)),
            "{how}: {report}"
        );
    }
}

#[test]
fn a_record_hidden_from_a_running_process_is_missed_by_it() {
    for how in HIDE {
        hidden_while_running(denied, 1, how);
        hidden_while_running(ran, 2, how);
    }
}

fn hidden_while_running(live: impl FnOnce(&World) -> RequestId, many: usize, how: &str) {
    let altered = Altered::after(|world| world.file(pay(7)));
    let world = altered.open();
    let request = live(&world);
    hide(&altered.connection(), request, how, many);
    let calls = AtomicUsize::new(0);
    if let Ok(permit) = block_on(world.gate().resume(request)) {
        let ran = permit.run(async |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            Ok::<(), String>(())
        });
        assert!(block_on(ran).is_err());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0, "it ran after: {how}");
}

//! A log that cannot go on, and the one that takes its place: what befell it is told and recorded, and nothing that was open goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::fs;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{PEOPLE, RULES, bot, pay};
use countersign::action::{RequestId, SessionId};
use countersign::canonical::Digest;
use countersign::clock::{ManualClock, Timestamp};
use countersign::gate::{ApprovalGate, Filing, Refusal};
use countersign::host::Countersign;
use countersign::identity::StaticDirectory;
use countersign::ledger::{Keys, OpenError};
use countersign::policy::RuleSet;
use countersign::store::SqliteStore;
use futures::executor::block_on;
use tempfile::TempDir;

/// A machine with a log, its keys and what an auditor has of them.
struct Machine {
    folder: TempDir,
}

/// What the command said and how it ended.
struct Said {
    code: i32,
    text: String,
}

impl Said {
    #[track_caller]
    fn ends(self, code: i32, with: &[&str]) -> String {
        assert_eq!(self.code, code, "{}", self.text);
        for part in with {
            assert!(
                self.text.contains(part),
                "`{part}` is not in:\n{}",
                self.text
            );
        }
        self.text
    }
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        Keys::create(machine.path("keys")).unwrap();
        let keys = machine.say("keys show @keys").ends(0, &[]);
        fs::write(machine.path("keys.txt"), keys).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the command; a word with a `@` before it is the path of that file, and `_` stands for a space.
    fn say(&self, words: &str) -> Said {
        let words = words.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name).into_os_string(),
            None => word.replace('_', " ").into(),
        });
        let said = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            code: said.status.code().unwrap_or(-1),
            text: String::from_utf8(said.stdout).unwrap()
                + &String::from_utf8(said.stderr).unwrap(),
        }
    }

    fn recover(&self, more: &str) -> Said {
        self.say(&format!(
            "recover @log.db --to @new.db --keys @keys --reason the_disk_was_restored{more}"
        ))
    }

    fn open(&self, database: &str) -> Result<Countersign, OpenError> {
        let store = SqliteStore::open_or_create(self.path(database)).unwrap();
        let keys = Keys::open(self.path("keys")).unwrap();
        let rules = RuleSet::from_toml(RULES).unwrap();
        let people = StaticDirectory::from_toml(PEOPLE).unwrap();
        let clock = ManualClock::new(Timestamp::parse("2050-01-01T00:00:00.000000Z").unwrap());
        let opening = Countersign::open(store, keys, rules, people);
        block_on(opening.with_clock(clock).into_future())
    }

    /// Files requests that wait for people.
    fn file(&self, database: &str, amounts: std::ops::Range<i64>) -> Vec<RequestId> {
        let countersign = self.open(database).unwrap();
        let session = SessionId::new("session-1").unwrap();
        let gate = countersign.gate(bot(), session).unwrap();
        let filed = amounts
            .map(
                |amount| match block_on(gate.request(pay(amount))).unwrap() {
                    Filing::Waiting(request) => request,
                    Filing::Permitted(_) => panic!("it was allowed without people"),
                },
            )
            .collect();
        drop(gate);
        block_on(countersign.close());
        filed
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    fn size(&self, store: &str) -> u64 {
        let lines = self.say(&format!("log @{store} --json")).ends(0, &[]);
        u64::try_from(lines.lines().count()).unwrap()
    }

    /// How many records the successor has, if it has begun.
    fn size_of_successor(&self) -> Option<u64> {
        let store = self.path("new.db").exists().then_some("new.db")?;
        match self.say(&format!("log @{store} --json")) {
            Said { code: 0, text } => u64::try_from(text.lines().count()).ok(),
            Said { .. } => None,
        }
    }

    /// The successor works, none of what was open goes on in it, and the old log is not opened again.
    #[track_caller]
    fn assert_succeeded(&self, open: &[RequestId]) {
        self.say("verify @new.db --keys @keys.txt")
            .ends(3, &["intact"]);
        let new = self.file("new.db", 900..902);
        let countersign = self.open("new.db").unwrap();
        let gate = countersign
            .gate(bot(), SessionId::new("session-1").unwrap())
            .unwrap();
        for request in open {
            let refused = block_on(gate.resume(*request)).map(drop).unwrap_err();
            assert!(matches!(refused, Refusal::NotFound), "{refused:?}");
        }
        let waiting = block_on(gate.open_requests()).unwrap();
        assert_eq!(waiting.len(), new.len());
        drop(gate);
        block_on(countersign.close());
        self.say("verify @new.db --keys @keys.txt")
            .ends(3, &["intact"]);
    }
}

#[test]
fn a_copy_that_was_put_back_has_a_successor() {
    let machine = Machine::new();
    let mut open = machine.file("log.db", 0..3);
    machine.copy("log.db", "backup.db");
    open.extend(machine.file("log.db", 3..9));
    let size = machine.size("log.db");
    machine.copy("backup.db", "log.db");
    let found = machine.size("log.db");
    let refused = machine.open("log.db").unwrap_err();
    assert!(matches!(refused, OpenError::Rollback { .. }), "{refused:?}");
    assert!(refused.to_string().contains("`countersign recover`"));
    let before = fs::read(machine.path("log.db")).unwrap();
    let attested = format!("attested     {size} records");
    let held = format!("found        {found} records");
    machine
        .recover(" --look")
        .ends(0, &["an older copy", &attested, &held]);
    assert!(!machine.path("new.db").exists());
    let begun = machine
        .recover("")
        .ends(0, &["an older copy", &attested, &held, "successor "]);
    assert_eq!(fs::read(machine.path("log.db")).unwrap(), before);
    machine.assert_succeeded(&open);
    machine.say("log @new.db --kind recovered").ends(
        0,
        &[
            "an older copy of its store was put back",
            &format!("{size} records were attested, {found} were found"),
        ],
    );
    machine.say("show @new.db 1").ends(0, &["sealed"]);
    let new = begun.split("successor    ").nth(1).unwrap();
    let values = format!("keys/{}.values", &new[..36]);
    machine
        .say(&format!("show @new.db 1 --values @{values}"))
        .ends(0, &["the disk was restored"]);
    // Once more, it is refused, also by who looks again, and also if the head file came back with the newer store.
    machine.recover("").ends(2, &["has a successor already"]);
    let refused = machine.open("log.db").unwrap_err();
    assert!(matches!(refused, OpenError::Rollback { .. }), "{refused:?}");
}

#[test]
fn a_log_that_has_a_successor_is_not_opened_though_all_of_it_came_back() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    machine.copy("log.db", "backup.db");
    machine.copy("log.db.head", "backup.db.head");
    fs::remove_file(machine.path("log.db.head")).unwrap();
    let refused = machine.open("log.db").unwrap_err();
    assert!(
        matches!(refused, OpenError::HeadFileMissing { .. }),
        "{refused:?}"
    );
    machine
        .recover("")
        .ends(0, &["the head file is gone", "attested     nothing"]);
    machine.assert_succeeded(&[]);
    machine.copy("backup.db.head", "log.db.head");
    let refused = machine.open("log.db").unwrap_err();
    assert!(
        matches!(refused, OpenError::Superseded { .. }),
        "{refused:?}"
    );
}

#[test]
fn another_history_is_told_from_an_older_one() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    machine.copy("log.db", "other.db");
    machine.copy("log.db.head", "other.db.head");
    machine.file("log.db", 3..6);
    let ours = machine.size("log.db");
    // The keys went on elsewhere, from the same point.
    fs::remove_file(machine.path("keys/logs")).unwrap();
    machine.file("other.db", 6..12);
    fs::remove_file(machine.path("keys/logs")).unwrap();
    machine.copy("other.db", "log.db");
    let refused = machine.open("log.db").unwrap_err();
    assert!(matches!(refused, OpenError::Fork { .. }), "{refused:?}");
    machine.recover("").ends(
        0,
        &["another history", &format!("attested     {ours} records")],
    );
    machine.assert_succeeded(&[]);
}

#[test]
fn a_store_that_is_gone_is_known_by_its_head_file_or_by_a_checkpoint() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    let size = machine.size("log.db");
    machine.say("export @log.db --tiles @tiles").ends(0, &[]);
    fs::remove_file(machine.path("log.db")).unwrap();
    let attested = format!("attested     {size} records");
    machine
        .recover(" --look")
        .ends(0, &["the store is gone", &attested, "found        nothing"]);
    fs::remove_file(machine.path("log.db.head")).unwrap();
    machine.recover("").ends(2, &["no log was found"]);
    let other = Machine::new();
    other.file("log.db", 0..3);
    other.copy("log.db.head", "foreign.head");
    other.say("export @log.db --tiles @tiles").ends(0, &[]);
    fs::copy(other.path("tiles/checkpoint"), machine.path("foreign")).unwrap();
    machine.recover(" --checkpoint @foreign").ends(
        2,
        &["checkpoint 1 of those that were given is none of this log"],
    );
    machine
        .recover(" --checkpoint @tiles/checkpoint")
        .ends(0, &["the store is gone", &attested]);
    machine.assert_succeeded(&[]);
}

#[test]
fn a_checkpoint_from_elsewhere_tells_of_a_rollback_that_the_head_file_shared() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    machine.copy("log.db", "backup.db");
    machine.copy("log.db.head", "backup.db.head");
    machine.file("log.db", 3..6);
    let size = machine.size("log.db");
    machine.say("export @log.db --tiles @tiles").ends(0, &[]);
    machine.copy("backup.db", "log.db");
    machine.copy("backup.db.head", "log.db.head");
    machine.recover("").ends(2, &["nothing is lost"]);
    assert!(!machine.path("new.db").exists());
    machine.recover(" --checkpoint @tiles/checkpoint").ends(
        0,
        &["an older copy", &format!("attested     {size} records")],
    );
    machine.assert_succeeded(&[]);
}

#[test]
fn what_does_not_verify_any_more_counts_as_far_as_it_does() {
    let machine = Machine::new();
    machine.file("log.db", 0..5);
    let size = machine.size("log.db");
    let database = rusqlite::Connection::open(machine.path("log.db")).unwrap();
    let sql = "UPDATE record SET statement = CAST(replace(statement, 'pay', 'pax') AS BLOB) WHERE seq = 3";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    drop(database);
    machine.recover("").ends(
        0,
        &[
            "the store does not verify",
            "because      broken at record 3",
            &format!("attested     {size} records"),
            "found        3 records",
        ],
    );
    machine.assert_succeeded(&[]);
}

#[test]
fn a_log_that_can_go_on_has_no_successor() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    let why = machine.recover("").ends(2, &["nothing is lost"]);
    assert!(!machine.path("new.db").exists(), "{why}");
    machine.file("log.db", 3..6);
}

#[test]
fn an_operator_says_so_and_nobody_else() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    fs::remove_file(machine.path("log.db.head")).unwrap();
    fs::create_dir(machine.path("elsewhere")).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(machine.path("elsewhere"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(
        machine.path("keys/operator.key"),
        machine.path("elsewhere/operator.key"),
    )
    .unwrap();
    machine
        .recover("")
        .ends(2, &["no key of an operator", "--operator"]);
    assert!(!machine.path("new.db").exists());
    machine
        .recover(" --operator @elsewhere")
        .ends(0, &["successor"]);
    machine
        .say("verify @new.db --keys @keys.txt")
        .ends(3, &["intact"]);
    // Keys of somebody else are no reason to give up a log.
    let other = Machine::new();
    other.copy("keys.txt", "unused");
    let said = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["recover", "--reason", "mine", "--keys"])
        .arg(other.path("keys"))
        .arg("--to")
        .arg(machine.path("theirs.db"))
        .arg(machine.path("log.db"))
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).contains("was not begun by one of the keys"));
    assert!(!machine.path("theirs.db").exists());
}

#[test]
fn the_new_place_is_empty_or_holds_what_an_earlier_run_began() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    machine.file("new.db", 0..3);
    let theirs = fs::read(machine.path("new.db")).unwrap();
    fs::remove_file(machine.path("log.db.head")).unwrap();
    machine
        .recover("")
        .ends(2, &["a log at the new place already"]);
    assert_eq!(fs::read(machine.path("new.db")).unwrap(), theirs);
    let elsewhere = "recover @log.db --to @next.db --keys @keys --reason again";
    machine.say(elsewhere).ends(0, &["successor"]);
    let size = machine.size("next.db");
    assert_eq!(size, 2);
    // As if it had been cut short before the list beside the keys was written.
    let list = fs::read_to_string(machine.path("keys/logs")).unwrap();
    let before: String = list
        .lines()
        .filter(|line| !line.starts_with("superseded") && !line.ends_with("next.db"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(machine.path("keys/logs"), before).unwrap();
    machine.say(elsewhere).ends(0, &["successor"]);
    assert_eq!(machine.size("next.db"), size);
    assert_eq!(fs::read_to_string(machine.path("keys/logs")).unwrap(), list);
}

#[test]
fn a_slip_of_the_pen_is_no_loss() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    machine.file("other.db", 0..3);
    std::os::unix::fs::symlink(machine.path("log.db"), machine.path("link.db")).unwrap();
    let to = "--to @new.db --keys @keys --reason gone";
    machine
        .say(&format!("recover @link.db {to}"))
        .ends(2, &["nothing is lost"]);
    machine
        .recover(" --head-file @typo.head")
        .ends(2, &["there is no head file", "typo.head"]);
    machine
        .recover(" --head-file @other.db.head")
        .ends(2, &["is none of the log", "other.db.head"]);
    fs::write(machine.path("log.db.head"), "junk").unwrap();
    machine.recover("").ends(2, &["log.db.head", "damaged"]);
    fs::remove_file(machine.path("log.db.head")).unwrap();
    machine
        .say("recover @log.db --to @new.db --keys @keys --reason _")
        .ends(2, &["give a reason"]);
    assert!(machine.size_of_successor().is_none());
    machine.recover("").ends(0, &["the head file is gone"]);
    assert_eq!(machine.size_of_successor(), Some(2));
}

#[test]
fn what_cannot_be_read_or_is_another_log_is_no_loss() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    machine.file("other.db", 0..3);
    machine.copy("log.db", "good.db");
    machine.copy("log.db.head", "good.db.head");
    // A log of ours, healthy elsewhere, that somebody put in the place of this one.
    machine.copy("other.db", "log.db");
    fs::remove_file(machine.path("log.db.head")).unwrap();
    machine
        .recover("")
        .ends(2, &["but the list beside the keys says that the log"]);
    machine.file("other.db", 3..4);
    // A page of a log that cannot be read: nobody knows what it held.
    machine.copy("good.db", "log.db");
    machine.copy("good.db.head", "log.db.head");
    let database = rusqlite::Connection::open(machine.path("log.db")).unwrap();
    let page: u32 = database
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'checkpoint'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let size: u32 = database
        .query_row("PRAGMA page_size", [], |row| row.get(0))
        .unwrap();
    drop(database);
    let mut bytes = fs::read(machine.path("log.db")).unwrap();
    let from = usize::try_from((page - 1) * size).unwrap();
    bytes[from..from + usize::try_from(size).unwrap()].fill(0xff);
    fs::write(machine.path("log.db"), bytes).unwrap();
    machine.recover("").ends(2, &["cannot be read"]);
    assert_eq!(machine.size_of_successor(), None);
    machine.copy("good.db", "log.db");
    machine.file("log.db", 3..4);
}

#[test]
fn a_head_file_with_nothing_signed_in_it_is_none() {
    let machine = Machine::new();
    machine.file("log.db", 0..3);
    machine.copy("log.db", "backup.db");
    machine.file("log.db", 3..6);
    machine.copy("backup.db", "log.db");
    // Whoever may write beside the store makes one as it was before the first record.
    let true_one = fs::read(machine.path("log.db.head")).unwrap();
    let log = machine
        .recover(" --look")
        .ends(0, &["an older copy"])
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_owned();
    let rest = format!("{log}\n0\n0\n");
    let mut forged = Digest::sha256(rest.as_bytes()).to_hex().into_bytes();
    forged.push(b'\n');
    forged.extend_from_slice(rest.as_bytes());
    forged.resize(true_one.len(), 0);
    fs::write(machine.path("log.db.head"), forged).unwrap();
    let refused = machine.open("log.db").unwrap_err();
    assert!(
        matches!(refused, OpenError::HeadFileMissing { .. }),
        "{refused:?}"
    );
    machine
        .recover(" --look")
        .ends(0, &["the head file is gone"]);
}

//! Hidden values are sealed in the store: nobody reads them there, and one whose key was destroyed nobody reads in any copy of it.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use common::{PEOPLE, RULES, World, pay, start};
use countersign::action::{Action, ActionBuilder, Disclosure, PrincipalId, RequestId, Resource};
use countersign::approval::LegalBasis;
use countersign::audit::{Audit, AuditReport};
use countersign::clock::ManualClock;
use countersign::export::{Disclosing, Export};
use countersign::gate::ApprovalGate;
use countersign::host::OperatorError;
use countersign::ledger::{Erase, Erasure, Keys, OpenError};
use countersign::log::{LogReader, Role, Rule, Seq, Verdict};
use countersign::store::{SqliteReader, SqliteStore};
use countersign::values::{Unsealed, ValueKeys, ValueKeysError};
use futures::executor::block_on;

/// A value that nobody else writes.
const SECRET: &str = "DE99-erase-me-7741";
/// The record that asks for the first payment, after the genesis and the policy.
const FIRST: u64 = 2;

/// A directory with a log, its keys and what lies beside them.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.path("log.sqlite")
    }

    fn keys(&self) -> Keys {
        let path = self.path("keys");
        Keys::open(&path).or_else(|_| Keys::create(&path)).unwrap()
    }

    fn open(&self) -> World {
        block_on(self.begin(self.keys())).unwrap()
    }

    async fn begin(&self, keys: Keys) -> Result<World, OpenError> {
        let store = SqliteStore::open_or_create(self.log()).unwrap();
        let clock = ManualClock::new(start());
        let own = tempfile::tempdir().unwrap();
        World::begin(RULES, PEOPLE, store, keys, clock, own, |it| it).await
    }

    /// The one file of value keys.
    fn values(&self) -> PathBuf {
        let mut found: Vec<PathBuf> = fs::read_dir(self.path("keys"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|it| it == "values"))
            .collect();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    /// Copies the closed log elsewhere, as a backup does.
    fn back_up(&self, name: &str) -> PathBuf {
        let copy = self.path(name);
        fs::copy(self.log(), &copy).unwrap();
        copy
    }

    fn audit(&self) -> AuditReport {
        audit(&self.log(), &self.values(), &self.keys())
    }

    #[track_caller]
    fn assert_intact(&self) {
        let report = self.audit();
        let intact = matches!(report.verdict, Verdict::IntactUnanchored { .. });
        assert!(intact, "{report}");
        let store = SqliteStore::open_read_only(self.log()).unwrap();
        let mut reader = store.log_reader().unwrap();
        let sealed = Audit::of(&mut reader).trusting(self.keys().trusted()).run();
        assert_eq!(report.verdict, sealed.verdict, "as without the keys");
    }
}

fn reader(log: &Path, values: &Path) -> Unsealed<SqliteReader> {
    let store = SqliteStore::open_read_only(log).unwrap();
    Unsealed::new(
        store.log_reader().unwrap(),
        ValueKeys::read(values).unwrap(),
    )
}

fn audit(log: &Path, values: &Path, keys: &Keys) -> AuditReport {
    let store = SqliteStore::open_read_only(log).unwrap();
    let audit = &mut reader(log, values);
    let audit = Audit::of(audit).trusting(keys.trusted());
    audit.comparing(&store).run()
}

/// Every hidden value of a log that can be read with these keys, as the JSON that the disclosures are.
fn readable(log: &Path, values: &Path) -> Vec<String> {
    let texts = reader(log, values).disclosures(0..u64::MAX).unwrap();
    texts
        .into_iter()
        .map(|(_, text)| String::from_utf8(Base64UrlUnpadded::decode_vec(&text).unwrap()).unwrap())
        .collect()
}

fn has(values: &[String], text: &str) -> bool {
    values.iter().any(|value| value.contains(text))
}

/// Whether a file below here has the text, as it is or in any of the ways in which base64 can have it.
fn holds(path: &Path, text: &str) -> bool {
    if path.is_dir() {
        let mut entries = fs::read_dir(path).unwrap();
        return entries.any(|entry| holds(&entry.unwrap().path(), text));
    }
    if !path.is_file() {
        return false;
    }
    let encoded = (0..3).map(|before| {
        let shifted = format!("{}{text}", "x".repeat(before));
        let code = Base64UrlUnpadded::encode_string(shifted.as_bytes());
        // Characters at either end also depend on what stands beside the text.
        code[(before * 4).div_ceil(3)..code.len() - 2].to_owned()
    });
    let bytes = fs::read(path).unwrap();
    std::iter::once(text.to_owned()).chain(encoded).any(|it| {
        bytes
            .windows(it.len())
            .any(|window| window == it.as_bytes())
    })
}

fn secret_payment() -> Action {
    Action::named("pay")
        .parameter("amount", 5)
        .sensitive("iban", SECRET)
        .because("the invoice says so")
        .build()
        .unwrap()
}

fn erase(world: &World, what: &Erase) -> Result<Erasure, OperatorError> {
    let key = Arc::clone(world.keys.signer(Role::Operator).unwrap());
    let operator = world.countersign.operator(key).unwrap();
    let basis = LegalBasis::new("gdpr_art_17_1_a").unwrap();
    block_on(operator.erase(what, &basis, "they asked for it"))
}

fn the_secret() -> Erase {
    Erase::Values {
        record: Seq::new(FIRST),
        members: vec!["/bound/parameters/sensitive/iban".to_owned()],
    }
}

/// Files it, has it approved by rita, and runs it.
fn paid(world: &World, action: Action) -> RequestId {
    let request = world.file(action);
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<_, std::io::Error>(()))).unwrap();
    request
}

#[test]
fn no_file_has_a_hidden_value_in_clear_but_the_export_that_was_asked_for_it() {
    let place = Place::new();
    let world = place.open();
    let _request = paid(&world, secret_payment());
    assert!(!holds(place.0.path(), SECRET), "while it is open");
    world.close();
    assert!(!holds(place.0.path(), SECRET), "once it is closed");
    place.assert_intact();

    let store = SqliteStore::open_read_only(place.log()).unwrap();
    let mut sealed = store.log_reader().unwrap();
    let without = place.path("without.jsonl");
    Export::of(&mut sealed).to_jsonl(&without).unwrap();
    let refused = Export::of(&mut sealed)
        .disclosing(Disclosing::Everything)
        .to_jsonl(place.path("refused.jsonl"));
    assert!(refused.unwrap_err().to_string().contains("sealed"));
    assert!(
        !holds(place.0.path(), SECRET),
        "nor does an export of digests"
    );
    let mut opened = reader(&place.log(), &place.values());
    let with = place.path("with.jsonl");
    Export::of(&mut opened)
        .disclosing(Disclosing::Everything)
        .to_jsonl(&with)
        .unwrap();
    assert!(holds(&with, SECRET), "the test knows where to look");
}

#[test]
fn a_copy_of_the_store_from_before_an_erasure_cannot_be_read_after_it() {
    let place = Place::new();
    let world = place.open();
    let _request = paid(&world, secret_payment());
    let _other = paid(&world, pay(7));
    world.close();
    let copy = place.back_up("backup.sqlite");
    let before = readable(&copy, &place.values());
    assert!(has(&before, SECRET));

    let world = place.open();
    erase(&world, &the_secret()).unwrap();
    world.close();
    let after = readable(&copy, &place.values());
    assert!(!has(&after, SECRET));
    assert_eq!(after.len(), before.len() - 1, "nothing else is lost");
    assert!(has(&readable(&place.log(), &place.values()), "amount"));
    place.assert_intact();

    // The copy has no record of an erasure, so that the key that is missing is told.
    let report = audit(&copy, &place.values(), &place.keys());
    assert!(
        matches!(&report.verdict, Verdict::Broken(broken)
            if broken.rule == Rule::S9 && broken.seq == Seq::new(FIRST)),
        "{report}"
    );
}

#[test]
fn what_a_request_hid_is_gone_from_every_copy() {
    let place = Place::new();
    let world = place.open();
    let request = paid(&world, secret_payment());
    world.close();
    let copy = place.back_up("backup.sqlite");
    let world = place.open();
    // A few single values first: the keys of the others are kept apart then, and go all the same.
    erase(&world, &the_secret()).unwrap();
    erase(&world, &Erase::Request(request)).unwrap();
    world.close();
    let left = readable(&copy, &place.values());
    assert!(!has(&left, "amount") && !has(&left, "invoice") && !has(&left, SECRET));
    place.assert_intact();
}

#[test]
fn a_process_that_knew_the_keys_brings_none_back() {
    let place = Place::new();
    let one = place.open();
    let _request = paid(&one, secret_payment());
    let other = place.open();
    let second = paid(&other, pay(7));
    let copy = place.path("backup.sqlite");
    rusqlite::Connection::open(place.log())
        .unwrap()
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    assert!(has(&readable(&copy, &place.values()), SECRET));
    erase(&one, &the_secret()).unwrap();
    // It goes on, and erases something itself.
    let _third = paid(&other, pay(8));
    erase(&other, &Erase::Request(second)).unwrap();
    let _fourth = paid(&one, pay(9));
    one.close();
    other.close();
    place.assert_intact();
    let left = readable(&place.log(), &place.values());
    assert!(has(&left, r#""amount",8"#) && has(&left, r#""amount",9"#));
    for log in [&copy, &place.log()] {
        let left = readable(log, &place.values());
        assert!(!has(&left, r#""amount",7"#) && !has(&left, SECRET));
    }
}

/// A log with the secret, closed, and what lay in the place before and after the secret was erased.
struct Erased {
    place: Place,
    copy: PathBuf,
    keys_before: Vec<u8>,
    keys_after: Vec<u8>,
    log_before: [Vec<u8>; 2],
}

fn erased() -> Erased {
    let place = Place::new();
    let world = place.open();
    let _request = paid(&world, secret_payment());
    world.close();
    let copy = place.back_up("backup.sqlite");
    let files = || [place.log(), place.path("log.sqlite.head")].map(|it| fs::read(it).unwrap());
    let log_before = files();
    let keys_before = fs::read(place.values()).unwrap();
    let world = place.open();
    erase(&world, &the_secret()).unwrap();
    world.close();
    let keys_after = fs::read(place.values()).unwrap();
    Erased {
        copy,
        keys_before,
        keys_after,
        log_before,
        place,
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[test]
fn an_erasure_that_ended_after_its_record_is_finished_at_the_next_opening() {
    let Erased {
        place,
        copy,
        keys_before,
        keys_after,
        ..
    } = erased();
    let (values, next) = (place.values(), with_suffix(&place.values(), ".next"));
    put(&values, &keys_before);
    put(&next, &keys_after);
    assert!(has(&readable(&copy, &values), SECRET), "until then");
    place.open().close();
    assert!(!has(&readable(&copy, &values), SECRET));
    assert!(!next.exists());
    place.assert_intact();
}

#[test]
fn an_erasure_that_ended_before_its_record_has_erased_nothing() {
    let Erased {
        place,
        keys_before,
        keys_after,
        log_before,
        ..
    } = erased();
    let (values, next) = (place.values(), with_suffix(&place.values(), ".next"));
    put(&values, &keys_before);
    put(&next, &keys_after);
    put(&place.log(), &log_before[0]);
    put(&place.path("log.sqlite.head"), &log_before[1]);
    let world = place.open();
    assert!(!next.exists());
    assert!(has(&readable(&place.log(), &values), SECRET));
    // It can be had again.
    erase(&world, &the_secret()).unwrap();
    world.close();
    assert!(!has(&readable(&place.log(), &values), SECRET));
    place.assert_intact();
}

#[test]
fn keys_that_were_half_written_are_not_left_behind() {
    let Erased {
        place, keys_before, ..
    } = erased();
    let part = with_suffix(&place.values(), ".part");
    put(&part, &keys_before);
    place.open().close();
    assert!(!part.exists(), "it has the key that was destroyed");
    place.assert_intact();
}

#[test]
fn while_somebody_erases_nobody_else_does() {
    let place = Place::new();
    let world = place.open();
    let _request = paid(&world, secret_payment());
    let lock = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(with_suffix(&place.values(), ".lock"))
        .unwrap();
    lock.lock().unwrap();
    let refused = erase(&world, &the_secret()).unwrap_err();
    assert!(refused.to_string().contains("somebody else"), "{refused}");
    assert!(has(&readable(&place.log(), &place.values()), SECRET));
    lock.unlock().unwrap();
    erase(&world, &the_secret()).unwrap();
    world.close();
    place.assert_intact();
}

#[test]
fn an_erasure_that_is_refused_leaves_the_keys() {
    let place = Place::new();
    let world = place.open();
    let request = world.file(secret_payment());
    let before = fs::read(place.values()).unwrap();
    erase(&world, &Erase::Request(request)).unwrap_err();
    assert_eq!(fs::read(place.values()).unwrap(), before);
    world.close();
    place.assert_intact();
}

fn customer(number: u32) -> PrincipalId {
    PrincipalId::new("crm", format!("customer-{number}")).unwrap()
}

/// A payment with a note about these customers.
fn payment_about(amount: i64, customers: &[u32]) -> Action {
    let action = Action::named("pay")
        .parameter("amount", amount)
        .on(Resource::new("account", format!("account-{amount}")));
    let about = |action: ActionBuilder, number: &u32| action.about(&customer(*number));
    customers.iter().fold(action, about).build().unwrap()
}

#[test]
fn all_that_was_hidden_about_somebody_is_erased_by_one_commit() {
    let place = Place::new();
    let world = place.open();
    let _one = paid(&world, payment_about(5, &[1]));
    let _both = paid(&world, payment_about(6, &[2, 1]));
    let _other = paid(&world, payment_about(7, &[2]));
    let _nobody = paid(&world, pay(8));
    world.close();
    let copy = place.back_up("backup.sqlite");
    let world = place.open();
    let subject = Erase::Subject(customer(1));
    let erased = erase(&world, &subject).unwrap();
    assert_eq!(erased.records.len(), 1);
    let again = erase(&world, &subject).unwrap_err();
    assert!(again.to_string().contains("nothing left"), "{again}");
    world.close();
    for log in [&copy, &place.log()] {
        let left = readable(log, &place.values());
        for gone in ["customer-1", "account-5", "account-6", r#""amount",6"#] {
            assert!(!has(&left, gone), "{gone}");
        }
        for stays in ["customer-2", "account-7", r#""amount",8"#] {
            assert!(has(&left, stays), "{stays}");
        }
        // Who approved stays known, for all four.
        let who = left.iter().filter(|it| it.contains("rita")).count();
        assert_eq!(who, 4);
    }
    assert!(!holds(place.0.path(), "customer-1"));
    place.assert_intact();
}

#[test]
fn what_an_open_request_needs_about_somebody_is_not_erased() {
    let place = Place::new();
    let world = place.open();
    let _over = paid(&world, payment_about(5, &[1]));
    let open = world.file(payment_about(6, &[1]));
    let subject = Erase::Subject(customer(1));
    let refused = erase(&world, &subject).unwrap_err();
    assert!(refused.to_string().contains(&open.to_string()), "{refused}");
    assert!(has(&readable(&place.log(), &place.values()), "account-5"));
    block_on(world.gate().withdraw(open)).unwrap();
    erase(&world, &subject).unwrap();
    world.close();
    assert!(!has(&readable(&place.log(), &place.values()), "customer-1"));
    place.assert_intact();
}

#[test]
fn a_running_process_does_not_go_on_with_keys_that_another_destroyed() {
    let place = Place::new();
    let one = place.open();
    let _request = paid(&one, secret_payment());
    let other = place.open();
    let disclosed = || {
        let receipt = other
            .countersign
            .receipt_disclosing(Seq::new(FIRST), |it| it.ends_with("iban"));
        block_on(receipt).unwrap().disclosures.len()
    };
    assert_eq!(disclosed(), 1);
    let conn = rusqlite::Connection::open(place.log()).unwrap();
    let rows = "CREATE TEMP TABLE kept AS SELECT * FROM disclosure WHERE place / 4096 = ?1";
    conn.execute(rows, [i64::try_from(FIRST).unwrap()]).unwrap();
    erase(&one, &the_secret()).unwrap();
    // Once more, so that a file may have the number that the first one had.
    let reason = Erase::Values {
        record: Seq::new(FIRST),
        members: vec!["/because".to_owned()],
    };
    erase(&one, &reason).unwrap();
    // Somebody puts the row back; only a process that remembers the key could open it.
    conn.execute("INSERT OR IGNORE INTO disclosure SELECT * FROM kept", [])
        .unwrap();
    assert_eq!(disclosed(), 0);
    one.close();
    other.close();
}

#[test]
fn without_its_keys_a_log_verifies_and_nobody_goes_on_with_it() {
    let place = Place::new();
    let world = place.open();
    let request = world.file(secret_payment());
    world.close();
    let values = place.values();
    let elsewhere = place.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let moved = elsewhere.join(values.file_name().unwrap());
    fs::rename(&values, &moved).unwrap();

    let store = SqliteStore::open_read_only(place.log()).unwrap();
    let mut reader = store.log_reader().unwrap();
    let report = Audit::of(&mut reader)
        .trusting(place.keys().trusted())
        .run();
    let intact = matches!(report.verdict, Verdict::IntactUnanchored { .. });
    assert!(intact, "{report}");
    let told = report.notes.iter().any(|note| note.contains("sealed"));
    assert!(told, "{report}");
    let refused = block_on(place.begin(place.keys())).err().unwrap();
    assert!(
        matches!(&refused, OpenError::ValueKeys(ValueKeysError::Missing { path }) if *path == values),
        "{refused}"
    );
    assert!(!values.exists(), "no keys are made for a log that has some");

    let keys = place.keys().with_value_keys_in(&elsewhere);
    let world = block_on(place.begin(keys)).unwrap();
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let iban =
        block_on(permit.run(async |it| Ok::<_, std::io::Error>(it.parameter::<String>("iban"))));
    assert_eq!(iban.unwrap().into_value().unwrap(), SECRET);
    world.close();
    fs::rename(&moved, &values).unwrap();
    place.assert_intact();
}

#[test]
fn keys_that_others_may_read_are_refused() {
    let place = Place::new();
    place.open().close();
    let values = place.values();
    let mode = |mode| fs::set_permissions(&values, fs::Permissions::from_mode(mode)).unwrap();
    let made = fs::metadata(&values).unwrap().permissions().mode() & 0o777;
    assert_eq!(made, 0o600);
    for wrong in [0o604, 0o640, 0o602] {
        mode(wrong);
        let refused = block_on(place.begin(place.keys())).err().unwrap();
        let refused = matches!(refused, OpenError::ValueKeys(ValueKeysError::Mode { .. }));
        assert!(refused, "{wrong:o}");
        ValueKeys::read(&values).unwrap_err();
    }
    mode(0o600);
    place.open().close();
}

#[test]
fn a_sealed_value_that_was_changed_or_moved_is_malformed_and_starts_nothing() {
    let place = Place::new();
    let world = place.open();
    let request = world.file(secret_payment());
    let _voted = world.approve("rita", request).unwrap();
    let conn = rusqlite::Connection::open(place.log()).unwrap();
    let at = i64::try_from(FIRST * 4096).unwrap();
    // The first value with what was sealed for the second.
    let swap = "UPDATE disclosure SET text = substr(text, 1, 44) || \
                (SELECT substr(text, 45) FROM disclosure WHERE place = ?1 + 1) WHERE place = ?1";
    assert_eq!(conn.execute(swap, [at]).unwrap(), 1);
    block_on(world.gate().resume(request)).unwrap_err();
    world.close();
    drop(conn);
    let report = place.audit();
    assert!(
        matches!(&report.verdict, Verdict::Broken(broken) if broken.seq == Seq::new(FIRST)),
        "{report}"
    );
}

#[test]
fn what_is_not_erased_stays_readable_though_its_row_was_hidden_meanwhile() {
    let place = Place::new();
    let world = place.open();
    let _request = paid(&world, secret_payment());
    world.close();
    let opened = reader(&place.log(), &place.values())
        .disclosures(FIRST..FIRST + 1)
        .unwrap();
    let is_secret = |text: &String| {
        let decoded = Base64UrlUnpadded::decode_vec(text).unwrap();
        String::from_utf8(decoded).unwrap().contains(SECRET)
    };
    let mut texts = opened.into_iter().map(|(_, text)| text);
    let secret = Disclosure::parse(&texts.find(is_secret).unwrap()).unwrap();
    let digest = secret.digest().to_string();
    let conn = rusqlite::Connection::open(place.log()).unwrap();
    let rows = "CREATE TEMP TABLE kept AS SELECT * FROM disclosure WHERE place / 4096 = ?1 AND instr(text, ?2) = 0";
    let first = i64::try_from(FIRST).unwrap();
    let hidden = "DELETE FROM disclosure WHERE place IN (SELECT place FROM kept)";
    conn.execute(rows, rusqlite::params![first, digest])
        .unwrap();
    let world = place.open();
    assert!(conn.execute(hidden, []).unwrap() > 1);
    erase(&world, &the_secret()).unwrap();
    conn.execute("INSERT INTO disclosure SELECT * FROM kept", [])
        .unwrap();
    drop(conn);
    world.close();
    place.assert_intact();
    let left = readable(&place.log(), &place.values());
    assert!(!has(&left, SECRET));
    assert!(has(&left, "the invoice says so"));
}

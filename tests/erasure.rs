//! Hidden values that an operator erases: they are gone from the files, the records say so, and everything else still verifies.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{PEOPLE, RULES, World, pay, start};
use countersign::action::{Action, PersonId, PrincipalId, RequestId};
use countersign::approval::LegalBasis;
use countersign::audit::{Audit, AuditReport};
use countersign::clock::ManualClock;
use countersign::gate::{ApprovalGate, Filing};
use countersign::host::{Operator, OperatorError};
use countersign::ledger::{Erase, Erasure, Keys};
use countersign::log::{Role, Rule, Seq, Verdict};
use countersign::store::SqliteStore;
use futures::executor::block_on;

/// A value that nobody else writes.
const SECRET: &str = "DE99-erase-me-7741";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn log(&self) -> std::path::PathBuf {
        self.0.path().join("log.sqlite")
    }

    fn keys(&self) -> Keys {
        let path = self.0.path().join("keys");
        if path.exists() {
            Keys::open(path).unwrap()
        } else {
            Keys::create(path).unwrap()
        }
    }

    fn open(&self) -> World {
        let store = SqliteStore::open_or_create(self.log()).unwrap();
        let clock = ManualClock::new(start());
        let own = tempfile::tempdir().unwrap();
        World::open(RULES, PEOPLE, store, self.keys(), clock, own, |it| it)
    }

    fn audit(&self) -> AuditReport {
        let store = SqliteStore::open_read_only(self.log()).unwrap();
        let mut reader = store.log_reader().unwrap();
        let audit = Audit::of(&mut reader).trusting(self.keys().trusted());
        audit.comparing(&store).run()
    }

    #[track_caller]
    fn assert_intact(&self) {
        let report = self.audit();
        let intact = matches!(report.verdict, Verdict::IntactUnanchored { .. });
        assert!(intact, "{report}");
    }

    /// Whether the text is to be read in any file beside the database.
    fn holds(&self, text: &str) -> bool {
        let needles = [text.to_owned(), base64url(text)];
        std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .any(|path| holds(&path, &needles))
    }
}

fn holds(path: &Path, needles: &[String]) -> bool {
    let bytes = std::fs::read(path).unwrap();
    needles.iter().any(|needle| {
        bytes
            .windows(needle.len())
            .any(|window| window == needle.as_bytes())
    })
}

/// The middle of the text as it stands in a disclosure.
fn base64url(text: &str) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    // A disclosure is `["22 characters of salt","iban","TEXT"]`: the text begins at byte 34, two before a multiple of three.
    let text = Base64UrlUnpadded::encode_string(&text.as_bytes()[2..]);
    text[..text.len() - 4].to_owned()
}

fn secret_payment() -> Action {
    Action::named("pay")
        .parameter("amount", 5)
        .sensitive("iban", SECRET)
        .because("the invoice says so")
        .build()
        .unwrap()
}

fn operator(world: &World) -> Operator {
    let key = Arc::clone(world.keys.signer(Role::Operator).unwrap());
    world.countersign.operator(key).unwrap()
}

fn basis() -> LegalBasis {
    LegalBasis::new("gdpr_art_17_1_a").unwrap()
}

fn erase(world: &World, what: &Erase) -> Result<Erasure, OperatorError> {
    block_on(operator(world).erase(what, &basis(), "they asked for it"))
}

/// Files it, has it approved by rita, and runs it.
fn paid(world: &World, action: Action) -> RequestId {
    let request = world.file(action);
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<_, std::io::Error>(()))).unwrap();
    request
}

fn person(subject: &str) -> PersonId {
    PersonId::new(PrincipalId::new("corp", subject).unwrap())
}

#[test]
fn an_erased_value_is_gone_from_the_files_and_the_log_still_verifies() {
    let place = Place::new();
    let world = place.open();
    let request = paid(&world, secret_payment());
    let other = paid(&world, pay(7));
    let values = Erase::Values {
        record: Seq::new(2),
        members: vec!["/bound/parameters/sensitive/iban".to_owned()],
    };
    let erased = erase(&world, &values).unwrap();
    assert_eq!(erased.values, 1);
    assert!(erased.scrubbed, "nobody else reads");
    assert!(!place.holds(SECRET));
    place.assert_intact();

    // Once is enough, and what was never there cannot be erased.
    erase(&world, &values).unwrap_err();
    let nothing = Erase::Values {
        record: Seq::new(2),
        members: vec!["/bound/parameters/nothing".to_owned()],
    };
    erase(&world, &nothing).unwrap_err();
    assert!(erase(&world, &Erase::Request(request)).unwrap().values > 3);
    world.close();
    place.assert_intact();

    // The library goes on with what is left.
    let world = place.open();
    erase(&world, &Erase::Request(other)).unwrap();
    let _third = paid(&world, pay(8));
    world.close();
    place.assert_intact();
}

#[test]
fn nothing_is_erased_that_is_still_needed() {
    let place = Place::new();
    let world = place.open();
    let request = world.file(secret_payment());
    let refused = erase(&world, &Erase::Request(request)).unwrap_err();
    assert!(refused.to_string().contains("is not over"), "{refused}");
    let _voted = world.approve("rita", request).unwrap();
    erase(&world, &Erase::Person(person("rita"))).unwrap_err();
    // Olga controls the agent; under another name she could approve what it asks for.
    erase(&world, &Erase::Person(person("olga"))).unwrap_err();
    block_on(world.gate().withdraw(request)).unwrap();
    erase(&world, &Erase::Request(request)).unwrap();
    world.close();
    place.assert_intact();
}

#[test]
fn an_erased_person_is_nobody_and_comes_back_as_somebody_else() {
    let place = Place::new();
    let world = place.open();
    let _before = paid(&world, pay(1));
    let erased = erase(&world, &Erase::Person(person("rita"))).unwrap();
    assert!(erased.values >= 1);
    erase(&world, &Erase::Person(person("rita"))).unwrap_err();
    let _after = paid(&world, pay(2));
    // Both processes call her by her new name.
    let other = place.open();
    let _third = paid(&other, pay(3));
    other.close();
    world.close();
    place.assert_intact();
    assert_eq!(pseudonyms(&place).len(), 2, "before and after");
}

#[test]
fn another_process_does_not_call_an_erased_person_by_the_old_name() {
    let place = Place::new();
    let (one, other) = (place.open(), place.open());
    let _known = paid(&other, pay(1));
    erase(&one, &Erase::Person(person("rita"))).unwrap();
    let _again = paid(&other, pay(2));
    one.close();
    other.close();
    place.assert_intact();
    assert_eq!(pseudonyms(&place).len(), 2);
}

/// Who voted, by pseudonym.
fn pseudonyms(place: &Place) -> std::collections::BTreeSet<String> {
    let conn = rusqlite::Connection::open(place.log()).unwrap();
    let mut votes = conn
        .prepare("SELECT statement FROM record WHERE kind = 'voted'")
        .unwrap();
    let votes = votes.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    votes
        .map(|statement| {
            let text = String::from_utf8(statement.unwrap()).unwrap();
            let at = text.find(r#""person":"p-"#).unwrap();
            text[at + 10..at + 44].to_owned()
        })
        .collect()
}

#[test]
fn a_value_that_is_gone_without_a_record_breaks_the_log() {
    let place = Place::new();
    let world = place.open();
    let request = paid(&world, secret_payment());
    erase(&world, &Erase::Request(request)).unwrap();
    let _other = paid(&world, pay(7));
    world.close();
    let conn = rusqlite::Connection::open(place.log()).unwrap();
    let first = "(SELECT min(place) FROM disclosure)";
    conn.execute(&format!("DELETE FROM disclosure WHERE place = {first}"), [])
        .unwrap();
    drop(conn);
    let report = place.audit();
    assert!(
        matches!(&report.verdict, Verdict::Broken(broken) if broken.rule == Rule::S9),
        "{report}"
    );
}

#[test]
fn a_value_that_is_put_back_breaks_the_log_at_the_record_that_erased_it() {
    let place = Place::new();
    let world = place.open();
    let request = paid(&world, secret_payment());
    let keep = rusqlite::Connection::open(place.log()).unwrap();
    let filed: Vec<(i64, String)> = keep
        .prepare("SELECT place, text FROM disclosure")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let erased = erase(&world, &Erase::Request(request)).unwrap();
    world.close();
    for (at, text) in filed {
        keep.execute(
            "INSERT OR IGNORE INTO disclosure(place, text) VALUES (?1, ?2)",
            rusqlite::params![at, text],
        )
        .unwrap();
    }
    drop(keep);
    let report = place.audit();
    assert!(
        matches!(&report.verdict, Verdict::Broken(broken)
            if broken.rule == Rule::S13 && broken.seq == erased.records[0]),
        "{report}"
    );
}

#[test]
fn an_allowed_request_has_values_that_can_be_erased_too() {
    let place = Place::new();
    let world = place.open();
    let filing = block_on(world.gate().request(common::read())).unwrap();
    let Filing::Permitted(permit) = filing else {
        panic!("reading is allowed");
    };
    let request = block_on(permit.run(async |it| Ok::<_, std::io::Error>(it.request())))
        .unwrap()
        .into_value();
    erase(&world, &Erase::Request(request)).unwrap();
    world.close();
    place.assert_intact();
}

#[test]
fn hitl_a26_an_erasure_leaves_chain_digests_and_proofs_checkable() {
    let place = Place::new();
    let world = place.open();
    let request = paid(&world, secret_payment());
    let keys = world.countersign.trusted_keys();
    let receipt = |world: &World| block_on(world.countersign.receipt(Seq::new(2))).unwrap();
    let before = receipt(&world);
    let disclosing = block_on(
        world
            .countersign
            .receipt_disclosing(Seq::new(2), |name| name.ends_with("/iban")),
    )
    .unwrap();
    let opened = disclosing.verify_with_keys(&keys).unwrap();
    assert_eq!(opened.members().len(), 1);
    erase(&world, &Erase::Request(request)).unwrap();
    let _more = paid(&world, pay(7));

    // The record is what it was, bytes, digests and all, and is proven in the tree that goes on from the one before.
    let after = receipt(&world);
    assert_eq!(after.record, before.record);
    let later = after.verify_with_keys(&keys).unwrap();
    assert_eq!(later.members().len(), 0);
    // A receipt that was handed out before still proves what it did, to whoever has it.
    before.verify_with_keys(&keys).unwrap();
    disclosing.verify_with_keys(&keys).unwrap();
    // From here on nobody gets the value any more.
    let nothing = block_on(world.countersign.receipt_disclosing(Seq::new(2), |_| true)).unwrap();
    assert_eq!(nothing.verify_with_keys(&keys).unwrap().members().len(), 0);
    world.close();
    place.assert_intact();
}

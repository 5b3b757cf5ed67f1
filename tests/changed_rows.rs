//! Rows that SQL inserts or changes without a key: they give no right at run time, and an audit finds them.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::time::Duration;

use common::ask::{is_pending, resume_at_once};
use common::filed::{Filed, Stored};
use common::{bot, log, pay, refused};
use countersign::action::{
    Action, ActorChain, Dataset, Disclosure, Principal, RequestId, Resource, Salt, TenantId, Tool,
};
use countersign::audit::{AuditReport, Projection, ProjectionReport};
use countersign::desk::{Ballot, Filter, Page};
use countersign::gate::{ApprovalGate, Cause, Filing, Permit, Refusal, RunError};
use countersign::log::{
    Kept, Kind, Sealed, SecretKey, Signer, Statement, encode_signatures, leaf_hash, pae,
};
use futures::FutureExt;
use futures::executor::block_on;
use rusqlite::params;

/// An effect that must not be.
fn run(permit: Permit) -> Result<(), RunError<String>> {
    block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") })).map(|_| ())
}

fn replaced(bytes: &[u8], was: &str, is: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(was), "`{was}` is not in {text}");
    text.replace(was, is).into_bytes()
}

/// Who signs a forged record, if anybody.
#[derive(Debug, Clone, Copy)]
enum Hand {
    Nobody,
    /// The signature of the record that it was made from.
    Copied,
    /// A key that the log does not know.
    Stranger,
}

/// The approval of one request, rewritten as one of another, for the place after `after`.
fn forge(
    filed: &Filed,
    of: &Stored,
    from: RequestId,
    to: RequestId,
    seq: i64,
    hand: Hand,
) -> Stored {
    let head = filed.head();
    let genuine = Statement::parse(&of.statement).unwrap();
    let digest = |request| {
        let subjects = log::subjects(filed.store.as_ref(), request);
        subjects.first().unwrap().to_string()
    };
    let mut statement = replaced(&of.statement, &from.to_string(), &to.to_string());
    statement = replaced(&statement, &digest(from), &digest(to));
    statement = replaced(
        &statement,
        &format!("\"seq\":{}", of.seq),
        &format!("\"seq\":{seq}"),
    );
    statement = replaced(
        &statement,
        &genuine.prev.to_string(),
        &head.prev.to_string(),
    );
    statement = replaced(
        &statement,
        &genuine.root.to_string(),
        &head.frontier.root().to_string(),
    );
    let signatures = match hand {
        Hand::Nobody => Vec::new(),
        Hand::Copied => of.signatures.clone(),
        Hand::Stranger => {
            let key = SecretKey::generate().unwrap();
            let id = key.public().id();
            statement = replaced(&statement, &genuine.key.to_string(), &id.to_string());
            let signature = key
                .sign(&pae("application/vnd.in-toto+json", &statement))
                .unwrap();
            encode_signatures(&[(id, signature)])
        }
    };
    Stored {
        seq,
        leaf: leaf_hash(&statement).as_bytes().to_vec(),
        statement,
        signatures,
    }
}

fn insert(filed: &Filed, row: &Stored, request: RequestId) {
    filed.change(
        "INSERT INTO record(seq, prev, leaf, kind, request, ts, signatures, statement) \
         VALUES (?1, randomblob(32), ?2, 'voted', ?3, 0, ?4, ?5)",
        params![
            row.seq,
            row.leaf,
            request.as_uuid().as_bytes(),
            row.signatures,
            row.statement
        ],
    );
}

#[test]
fn an_inserted_vote_beyond_the_head_does_not_count() {
    for hand in [Hand::Nobody, Hand::Copied, Hand::Stranger] {
        for beyond in [0, 3] {
            let what = format!("{hand:?}, {beyond} beyond the head");
            let filed = Filed::new();
            let (approved, asked) = (filed.world.file(pay(1)), filed.world.file(pay(1_000_000)));
            let _voted = filed.world.approve("rita", approved).unwrap();
            let genuine = filed.record(approved, Kind::Voted);
            let seq = i64::try_from(filed.head().size).unwrap() + beyond;
            let row = forge(&filed, &genuine, approved, asked, seq, hand);
            insert(&filed, &row, asked);
            filed.assert_no_right(asked, &what);
            assert!(is_pending(&filed.gate(), asked), "{what}");
            // The first number that has no record of the log.
            filed.assert_broken_at(seq - beyond, &what);
            let report = filed.audit().to_string();
            assert!(report.contains("somebody wrote into the file"), "{report}");
            assert!(!report.contains("the log grew"), "{report}");
            // Where the next record has to stand, nothing is written any more; elsewhere it is passed over.
            let vote = filed.world.approve("sam", asked);
            assert_eq!(vote.is_err(), beyond == 0, "{what}: {vote:?}");
            if beyond == 0 {
                assert!(is_pending(&filed.gate(), asked), "{what}");
            }
            // Once it is gone, the people decide, also in a process that finds the file so.
            filed.change("DELETE FROM record WHERE seq = ?1", [seq]);
            let filed = filed.reopened();
            let _voted = filed.world.approve("sam", asked).unwrap();
            let _permit = block_on(filed.gate().resume(asked)).unwrap();
            filed.assert_sound(&what);
        }
    }
}

#[test]
fn a_vote_in_the_place_of_a_record_does_not_count() {
    for hand in [Hand::Nobody, Hand::Copied, Hand::Stranger] {
        let what = format!("{hand:?}");
        let filed = Filed::new();
        let (approved, asked) = (filed.world.file(pay(1)), filed.world.file(pay(1_000_000)));
        let _voted = filed.world.approve("rita", approved).unwrap();
        let genuine = filed.record(approved, Kind::Voted);
        let forged = forge(&filed, &genuine, approved, asked, genuine.seq, hand);
        filed.put_back(&forged);
        filed.change(
            "UPDATE record SET request = ?2 WHERE seq = ?1",
            params![genuine.seq, asked.as_uuid().as_bytes()],
        );
        for request in [asked, approved] {
            filed.assert_no_right(request, &what);
            let refusal = refused(resume_at_once(&filed.gate(), request));
            assert!(
                matches!(refusal, Refusal::CouldNotDecide(Cause::LogUnreadable(_))),
                "{what}: {refusal:?}"
            );
        }
        filed.assert_broken_at(genuine.seq, &what);
    }
}

#[test]
fn a_changed_vote_is_refused() {
    let filed = Filed::new();
    let denied = filed.world.file(pay(5));
    let _voted = filed.world.deny("rita", denied).unwrap();
    let genuine = filed.record(denied, Kind::Voted);
    let statement = replaced(
        &genuine.statement,
        "\"decision\":\"deny\"",
        "\"decision\":\"approve\"",
    );
    for leaf in [
        genuine.leaf.clone(),
        leaf_hash(&statement).as_bytes().to_vec(),
    ] {
        filed.put_back(&Stored {
            statement: statement.clone(),
            leaf,
            ..genuine.clone()
        });
        filed.assert_no_right(denied, "a denial that was turned");
        filed.assert_broken_at(genuine.seq, "a denial that was turned");
    }
    filed.put_back(&genuine);
    let refusal = refused(resume_at_once(&filed.gate(), denied));
    assert!(matches!(refusal, Refusal::Rejected(_)), "{refusal:?}");
    filed.assert_sound("the denial as it was");
}

#[test]
fn hitl_d1_state_from_outside_is_not_believed() {
    let filed = Filed::new();
    let (approved, asked) = (filed.world.file(pay(1)), filed.world.file(pay(1_000_000)));
    let rita = filed.world.approver("rita");
    let review = block_on(filed.world.desk.open(&rita, approved)).unwrap();
    let ballot = review.approve();
    let _voted = block_on(filed.world.desk.vote(&rita, ballot.clone())).unwrap();
    let vote = filed.record(approved, Kind::Voted);
    // A ballot that was carried outside and comes back as one for another request.
    let text = String::from_utf8(ballot.to_json()).unwrap();
    let carried = text.replace(&approved.to_string(), &asked.to_string());
    let carried = Ballot::parse(carried.as_bytes()).unwrap();
    assert!(block_on(filed.world.desk.vote(&rita, carried)).is_err());
    // A genuine record, replayed behind the end for the request that it is not of.
    let seq = i64::try_from(filed.head().size).unwrap();
    let replayed = Stored {
        seq,
        ..vote.clone()
    };
    insert(&filed, &replayed, asked);
    filed.assert_no_right(asked, "a replayed record");
    filed.assert_broken_at(seq, "a replayed record");
    filed.change("DELETE FROM record WHERE seq = ?1", [seq]);
    // The same record filed under that request: neither has all its records then.
    let file_under = "UPDATE record SET request = ?2 WHERE seq = ?1";
    filed.change(file_under, params![vote.seq, asked.as_uuid().as_bytes()]);
    filed.assert_no_right(asked, "a record filed elsewhere");
    filed.assert_no_right(approved, "a record filed elsewhere");
    filed.assert_broken_at(vote.seq, "a record filed elsewhere");
    filed.change(file_under, params![vote.seq, approved.as_uuid().as_bytes()]);
    // The approval of another log, whose keys sign it well.
    let other = Filed::new();
    let elsewhere = other.world.file(pay(1_000_000));
    let _voted = other.world.approve("rita", elsewhere).unwrap();
    let foreign = other.record(elsewhere, Kind::Voted);
    insert(&filed, &Stored { seq, ..foreign }, asked);
    filed.assert_no_right(asked, "a record of another log");
    filed.assert_broken_at(seq, "a record of another log");
    filed.change("DELETE FROM record WHERE seq = ?1", [seq]);
    assert!(is_pending(&filed.gate(), asked));
    let _permit = block_on(filed.gate().resume(approved)).unwrap();
    filed.assert_sound("everything as it was");
}

/// Which projections an audit finds changed.
fn differing(report: &AuditReport) -> Vec<Projection> {
    let ProjectionReport::Compared { differences, .. } = &report.projections else {
        panic!("{report}");
    };
    let mut what: Vec<Projection> = differences.iter().map(|one| one.what).collect();
    what.dedup();
    what
}

#[test]
fn hitl_d2_an_edited_row_gives_no_right_and_is_found() {
    for (sql, what) in [
        ("UPDATE request SET phase = 1", Projection::Request),
        ("UPDATE request SET phase = 2", Projection::Request),
        ("UPDATE request SET phase = 4", Projection::Request),
        ("UPDATE request SET seq = seq + 1", Projection::Request),
        ("DELETE FROM request", Projection::Request),
        ("UPDATE timer SET due = due * 2", Projection::Timer),
        ("UPDATE timer SET due = 0", Projection::Timer),
        ("UPDATE timer SET what = 1", Projection::Timer),
        ("DELETE FROM timer", Projection::Timer),
    ] {
        let filed = Filed::new();
        let asked = filed.world.file(pay(5));
        let seq = filed.record(asked, Kind::Requested).seq;
        let before = log::kinds(filed.store.as_ref());
        filed.change(sql, []);
        let report = filed.audit();
        assert_eq!(differing(&report), [what], "{sql}: {report}");
        assert_eq!(report.exit_code(), AuditReport::PROJECTIONS_DIFFER, "{sql}");
        let ProjectionReport::Compared { differences, .. } = &report.projections else {
            panic!("{report}");
        };
        let named = differences.iter().any(|one| {
            one.seq.is_some_and(|at| at.get() == seq as u64) || one.request == Some(asked)
        });
        assert!(named, "{sql}: {differences:?}");
        // The process that is there, and one that reads the rows anew.
        filed.assert_no_right(asked, sql);
        let filed = filed.reopened();
        filed.world.clock.settled(1);
        filed.assert_no_right(asked, sql);
        let after = log::kinds(filed.store.as_ref());
        let written = after.iter().filter(|(_, request)| *request == Some(asked));
        assert_eq!(written.count(), 1, "{sql}: {before:?} {after:?}");
        // Expiry is a fact of the clock, whatever a row says.
        filed.world.clock.advance(Duration::from_secs(2 * 3600));
        let refusal = refused(resume_at_once(&filed.gate(), asked));
        assert!(matches!(refusal, Refusal::Expired), "{sql}: {refusal:?}");
        let late = filed.world.approve("rita", asked);
        assert!(late.is_err(), "{sql}: {late:?}");
    }
}

#[test]
fn an_approval_does_not_outlive_its_time_by_a_changed_row() {
    let filed = Filed::new();
    let approved = filed.world.file(pay(5));
    let _voted = filed.world.approve("rita", approved).unwrap();
    let permit = block_on(filed.gate().resume(approved)).unwrap();
    filed.change("UPDATE timer SET due = due * 2", []);
    filed.change("UPDATE request SET phase = 1", []);
    filed.world.clock.advance(Duration::from_secs(11 * 60));
    assert!(run(permit).is_err());
    let refusal = refused(resume_at_once(&filed.gate(), approved));
    assert!(matches!(refusal, Refusal::Expired), "{refusal:?}");
}

#[test]
fn a_row_that_names_another_actor_or_action_lends_nothing() {
    let filed = Filed::new();
    let gate = filed.gate();
    let (small, large) = (filed.world.file(pay(1)), filed.world.file(pay(1_000_000)));
    let set = |column: &str, of: RequestId, from: RequestId| {
        filed.change(
            &format!("UPDATE request SET {column} = (SELECT {column} FROM request WHERE request = ?2) WHERE request = ?1"),
            params![of.as_uuid().as_bytes(), from.as_uuid().as_bytes()],
        );
    };
    // The large one would be joined to the small one that people say yes to.
    set("joinable", small, large);
    filed.change(
        "UPDATE request SET joinable = NULL WHERE request = ?1",
        [large.as_uuid().as_bytes()],
    );
    match block_on(gate.request(pay(1_000_000))) {
        Ok(Filing::Waiting(request)) => assert_ne!(request, small),
        other => panic!("{other:?}"),
    }
    // A request in the list of an actor whose it is not.
    let other = filed.world.gate_for(
        bot().in_tenant(TenantId::new("globex").unwrap()),
        "session-1",
    );
    let theirs = match block_on(other.request(pay(7))).unwrap() {
        Filing::Waiting(request) => request,
        Filing::Permitted(permit) => panic!("{permit:?}"),
    };
    let _voted = filed.world.approve("rita", theirs).unwrap();
    set("actor", theirs, large);
    set("tenant", theirs, large);
    let listed = block_on(gate.open_requests()).unwrap();
    assert!(listed.iter().all(|one| one.request != theirs), "{listed:?}");
    let refusal = refused(resume_at_once(&gate, theirs));
    assert!(matches!(refusal, Refusal::NotFound), "{refusal:?}");
}

#[test]
fn a_changed_count_of_records_is_a_refusal() {
    for (sql, what) in [
        ("UPDATE scope SET version = version + 1", "one more"),
        ("UPDATE scope SET version = version - 1", "one less"),
        ("DELETE FROM scope", "none"),
    ] {
        let filed = Filed::new();
        let approved = filed.world.file(pay(5));
        let _voted = filed.world.approve("rita", approved).unwrap();
        let permit = block_on(filed.gate().resume(approved)).unwrap();
        filed.change(sql, []);
        assert!(run(permit).is_err(), "{what}");
        let refusal = refused(resume_at_once(&filed.gate(), approved));
        assert!(
            matches!(refusal, Refusal::CouldNotDecide(Cause::LogUnreadable(_))),
            "{what}: {refusal:?}"
        );
    }
}

#[test]
fn one_person_under_two_pseudonyms_is_one_person() {
    let filed = Filed::new();
    let launch = Action::named("launch").parameter("rocket", 1).build();
    let asked = filed.world.file(launch.unwrap());
    let _voted = filed.world.approve("rita", asked).unwrap();
    filed.change("UPDATE person SET pseudonym = randomblob(16)", []);
    let filed = filed.reopened();
    // Whatever becomes of the second vote of the same person, it is not that of a second person.
    let second = filed.world.approve("rita", asked);
    assert!(second.is_err(), "{second:?}");
    filed.assert_no_right(asked, "one person voted twice");
    let report = filed.audit();
    let ProjectionReport::Compared { differences, .. } = &report.projections else {
        panic!("{report}");
    };
    assert!(
        differences.iter().any(|one| one.what == Projection::Person),
        "{report}"
    );
}

#[test]
fn a_request_that_is_hidden_from_every_list_is_decided_and_run_all_the_same() {
    let filed = Filed::new();
    let hide = || filed.change("UPDATE request SET phase = 4", []);
    let listed = || {
        let by = filed.world.approver("sam");
        let desk = &filed.world.desk;
        let pending = block_on(desk.pending(&by, &Filter::default(), Page::default()));
        pending.unwrap().requests.len() + block_on(filed.gate().open_requests()).unwrap().len()
    };
    let request = filed.world.file(pay(11));
    let gate = filed.gate();
    let mut waiting = gate.resume(request);
    assert!((&mut waiting).now_or_never().is_none());
    hide();
    // What such rows can do: nobody who reads a list finds it.
    assert_eq!(listed(), 0);

    // It is shown, voted on, waited for, run and expired from its records all the same.
    let _voted = filed.world.approve("rita", request).unwrap();
    hide();
    let permit = block_on(waiting).unwrap();
    hide();
    let ran = block_on(permit.run(async |_| Ok::<_, String>(7))).unwrap();
    assert_eq!(ran.into_value(), 7);
    assert!(block_on(gate.resume(request)).is_err(), "it ran once");

    let forgotten = filed.world.file(pay(12));
    let mut waiting = gate.resume(forgotten);
    assert!((&mut waiting).now_or_never().is_none());
    hide();
    let report = filed.audit();
    assert!(report.projections.differs(), "{report}");
    filed.world.clock.advance(Duration::from_secs(366 * 86400));
    let refusal = block_on(waiting).unwrap_err();
    assert!(matches!(refusal, Refusal::Expired), "{refusal:?}");
}

/// An action with every sort of bound member.
fn transfer() -> Action {
    Action::named("pay")
        .tool(Tool::new("bank").version("3.2.0").server("mcp://bank"))
        .on(Resource::new("account", "a-1").label("pii"))
        .parameter("amount", 5)
        .parameter("to", "alice")
        .sensitive("iban", "DE02")
        .reads(Dataset::new("postgres://db", "orders").label("pii"))
        .writes(Dataset::new("file://host", "/out/c.csv").sensitive())
        .context("environment", "production")
        .context_clear("region", "eu")
        .occurrence("march")
        .build()
        .unwrap()
}

/// What somebody without the keys can put in the place of a sealed value: something in clear, something else that is sealed, and
/// the same under another digest.
fn other_values(text: &str) -> [String; 3] {
    let value = countersign::canonical::Json::from("another");
    let another = Disclosure::new(&Salt::from_bytes([7; 16]), "to", &value);
    let Ok(Kept::Sealed(sealed)) = Kept::parse(text) else {
        panic!("it is sealed");
    };
    let mut bytes = sealed.bytes().to_vec();
    bytes[0] ^= 1;
    let renamed = Sealed::new(another.digest(), sealed.bytes().to_vec());
    [
        another.as_str().to_owned(),
        Sealed::new(sealed.digest(), bytes).to_text(),
        renamed.to_text(),
    ]
}

#[test]
fn hitl_b9_altered_state_is_refused_at_the_start() {
    let filed = Filed::new();
    let chain = ActorChain::acting(Principal::agent("corp", "bot").unwrap())
        .on_behalf_of(Principal::human("corp", "dan").unwrap())
        .unwrap()
        .in_tenant(TenantId::new("acme").unwrap());
    let gate = filed.world.gate_for(chain, "session-1");
    let request = match block_on(gate.request(transfer())).unwrap() {
        Filing::Waiting(request) => request,
        Filing::Permitted(permit) => panic!("{permit:?}"),
    };
    let _voted = filed.world.approve("rita", request).unwrap();
    let genuine = filed.record(request, Kind::Requested);
    let resume = || block_on(gate.resume(request));
    let mut flips = 0;
    let mut flip = |what: &str, change: &dyn Fn(), undo: &dyn Fn()| {
        // One who has the permit already, and one who comes for it.
        let permit = resume().unwrap_or_else(|refusal| panic!("{what}: {refusal:?}"));
        change();
        let ran = run(permit);
        assert!(
            matches!(ran, Err(RunError::Refused(Refusal::CouldNotDecide(_)))),
            "{what}: {ran:?}"
        );
        let refusal = refused(resume());
        assert!(
            matches!(refusal, Refusal::CouldNotDecide(_) | Refusal::NotFound),
            "{what}: {refusal:?}"
        );
        filed.assert_broken_at(genuine.seq, what);
        undo();
        flips += 1;
    };
    for (was, is) in [
        (r#""action":"pay""#, r#""action":"buy""#),
        (r#""issuer":"corp""#, r#""issuer":"evil""#),
        (r#""subject":"bot""#, r#""subject":"b0t""#),
        (r#""kind":"human""#, r#""kind":"agent""#),
        (r#""person":"p-"#, r#""person":"p-0"#),
        (r#""region":"eu""#, r#""region":"us""#),
        (r#""established":"host""#, r#""established":"oidc""#),
        (
            r#""namespace":"postgres://db""#,
            r#""namespace":"postgres://dc""#,
        ),
        (r#""name":"orders""#, r#""name":"people""#),
        (r#""labels":["pii"]"#, r#""labels":[]"#),
        (r#""type":"account""#, r#""type":"acc0unt""#),
        (r#""session":"session-1""#, r#""session":"session-2""#),
        (r#""tenant":"acme""#, r#""tenant":"acm3""#),
        (r#""version":"3.2.0""#, r#""version":"3.2.1""#),
        (r#""server":"mcp://bank""#, r#""server":"mcp://evil""#),
        (r#""name":"bank""#, r#""name":"b4nk""#),
        (r#""v":1"#, r#""v":2"#),
    ] {
        let statement = replaced(&genuine.statement, was, is);
        let leaf = leaf_hash(&statement).as_bytes().to_vec();
        // As it is, and with the stored leaf made to fit.
        for leaf in [genuine.leaf.clone(), leaf] {
            let changed = Stored {
                statement: statement.clone(),
                leaf,
                ..genuine.clone()
            };
            flip(was, &|| filed.put_back(&changed), &|| {
                filed.put_back(&genuine);
            });
        }
    }
    let mut disclosures: Vec<(i64, String)> = Vec::new();
    {
        let mut select = filed
            .sql
            .prepare("SELECT place, text FROM disclosure WHERE place / 4096 = ?1")
            .unwrap();
        let rows = select
            .query_map([genuine.seq], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        disclosures.extend(rows.map(Result::unwrap));
    }
    for (place, text) in &disclosures {
        let set = |text: &str| {
            filed.change(
                "UPDATE disclosure SET text = ?2 WHERE place = ?1",
                params![place, text],
            );
        };
        for other in other_values(text) {
            flip(&place.to_string(), &|| set(&other), &|| set(text));
        }
    }
    // dan, the account, amount, to, iban, the file, environment, occurrence.
    assert_eq!(disclosures.len(), 8);
    assert_eq!(flips, 2 * 17 + 3 * 8);
    let permit = resume().unwrap();
    let done = block_on(permit.run(async |authorized| authorized.parameter::<i64>("amount")));
    assert_eq!(done.unwrap().into_value(), 5);
    filed.assert_sound("everything as it was");
}

use proptest::prelude::*;

use super::key;
use crate::{
    action::{ActionDigest, RequestId},
    canonical::{Digest, Json, Object},
    clock::Timestamp,
    log::{
        Enforcement, Entry, Kind, KnownOr, LogId, Position, RequestRef, Role, Rule, Seq, Signer,
        Statement, StatementLimit, Unjudged, links::Links, write_statement,
    },
};

pub(super) fn entry(kind: Kind, request: Option<u128>, body: &Object) -> Entry {
    let request = request.map(|number| RequestRef {
        id: RequestId::from_uuid(uuid::Uuid::from_u128(number)),
        digest: ActionDigest::from_digest(Digest::sha256(&number.to_be_bytes())),
    });
    Entry {
        kind,
        request,
        body: body.to_canonical(),
        disclosures: Vec::new(),
        role: kind.roles()[0],
        enforced: Enforcement::Enforced,
        crit: Vec::new(),
    }
}

pub(super) fn write(entry: &Entry, seq: u64, micros: i64) -> Vec<u8> {
    let position = Position {
        log: &LogId::from_random([9; 16]),
        seq: Seq::new(seq),
        prev: Digest::sha256(b"prev"),
        root: Digest::sha256(b"root"),
        ts: Timestamp::from_unix_micros(micros).unwrap(),
    };
    let key = key(1).public().id();
    write_statement(entry, &position, &key, StatementLimit::default()).unwrap()
}

/// Bodies with whatever text, the parts of a statement's own end included.
fn bodies() -> impl Strategy<Value = Object> {
    let text = prop_oneof![
        any::<String>(),
        Just(r#","log":"07070707-0707-4707-8707-070707070707","prev":""#.to_owned()),
        Just(r#"","ts":"2026-03-01T09:30:01.500000Z","v":1},"predicateType":""#.to_owned()),
    ];
    let value = prop_oneof![
        text.clone().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        prop::collection::vec(text.clone().prop_map(Json::from), 0..3).prop_map(Json::from),
    ];
    prop::collection::vec((text, value), 0..5).prop_map(|members| {
        let members = members.into_iter().filter(|(name, _)| name != "_sd");
        members.collect()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(
        body in bodies(),
        request in proptest::option::of(any::<u128>()),
        seq in 0_u64..1 << 53,
        micros in 0_i64..253_402_300_800_000_000,
        crit in prop::collection::btree_set(any::<String>(), 0..3),
        testing in any::<bool>(),
    ) {
        let kind = if request.is_some() { Kind::Voted } else { Kind::Clock };
        let mut entry = entry(kind, request, &body);
        entry.crit = crit.into_iter().collect();
        entry.enforced = Enforcement::from_bool(!testing);
        let bytes = write(&entry, seq, micros);
        let statement = Statement::parse(&bytes).unwrap();
        let Statement { log, seq: own, prev, root, ts, kind: read, v, crit, enforced, key: signer, request, subject, body: members } = &statement;
        prop_assert_eq!(log, &LogId::from_random([9; 16]));
        prop_assert_eq!(own.get(), seq);
        prop_assert_eq!((*prev, *root), (Digest::sha256(b"prev"), Digest::sha256(b"root")));
        prop_assert_eq!(ts.unix_micros(), micros);
        prop_assert_eq!(read, &KnownOr::Known(kind));
        prop_assert_eq!(*v, 1);
        prop_assert_eq!(crit, &entry.crit);
        prop_assert_eq!(*enforced, entry.enforced);
        prop_assert_eq!(*signer, key(1).public().id());
        prop_assert_eq!(*request, entry.request.map(|request| request.id));
        let expected = entry.request.map_or(log.subject(), |request| *request.digest.as_digest());
        prop_assert_eq!(*subject, expected);
        prop_assert_eq!(members, &body);
        // The quick reader of the end agrees with the strict reader of all.
        prop_assert_eq!(Links::at_end(&bytes), Some(Links::of(&statement)));
    }

    #[test]
    fn no_bytes_make_the_readers_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Statement::parse(&bytes).is_err());
        prop_assert_eq!(Links::at_end(&bytes), None);
    }

    /// Where the quick reader finds anything in canonical bytes, it is what the strict reader finds.
    #[test]
    fn the_quick_reader_is_never_misled(body in bodies(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = write(&entry(Kind::Clock, None, &body), 7, 7);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(statement) = Statement::parse(&bytes) {
            let quick = Links::at_end(&bytes);
            prop_assert!(quick.is_none() || quick == Some(Links::of(&statement)));
        }
    }
}

#[test]
fn a_statement_is_no_larger_than_the_host_allows() {
    let body = Object::new().with("text", "x".repeat(16_000));
    let entry = entry(Kind::Clock, None, &body);
    let position = Position {
        log: &LogId::from_random([9; 16]),
        seq: Seq::GENESIS,
        prev: Digest::sha256(b""),
        root: Digest::sha256(b""),
        ts: Timestamp::EPOCH,
    };
    let write = |limit| write_statement(&entry, &position, &key(1).public().id(), limit);
    let refused = write(StatementLimit::default()).unwrap_err();
    assert_eq!(refused.limit, 16_384);
    let bytes = write(StatementLimit::bytes(1 << 30)).unwrap();
    assert_eq!(bytes.len(), refused.bytes);
    assert_eq!(write(StatementLimit::bytes(bytes.len())).unwrap(), bytes);
    assert!(write(StatementLimit::bytes(bytes.len() - 1)).is_err());
    assert_eq!(StatementLimit::bytes(1 << 30).get(), 49_152);
}

#[test]
fn kinds_are_those_of_the_format_document() {
    // One row of section 5: who signs, and whether it belongs to a request.
    let expect = |kind: Kind| {
        let roles: &[Role] = match kind.as_str() {
            "genesis" => &[Role::Operator, Role::Gate],
            "policy_adopted" | "lost" | "expired" | "clock" | "undelivered" => {
                &[Role::Gate, Role::Desk]
            }
            "requested" | "reassessed" | "started" | "lease_renewed" | "finished" | "withdrawn"
            | "superseded" => &[Role::Gate],
            "clock_acknowledged" | "erased" | "key_added" | "key_rotated" | "key_revoked"
            | "recovered" => &[Role::Operator],
            _ => &[Role::Desk],
        };
        roles
    };
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
        assert_eq!(kind.roles(), expect(*kind), "{kind}");
    }
    assert_eq!(Kind::ALL.len(), 32);
    assert_eq!(
        Kind::ALL.iter().filter(|kind| kind.is_reserved()).count(),
        10
    );
    assert_eq!(Kind::parse("Genesis"), None);
}

#[test]
fn a_reader_says_what_it_does_not_judge() {
    let bytes = write(&entry(Kind::Clock, None, &Object::new()), 1, 1);
    let text = String::from_utf8(bytes).unwrap();
    let read = |text: String| Statement::parse(text.as_bytes()).unwrap();
    assert_eq!(read(text.clone()).unjudged(), None);
    let other = read(text.replace(r#""v":1}"#, r#""v":7}"#));
    assert_eq!(other.unjudged(), Some(Unjudged::Version(7)));
    assert_eq!(
        other.kind,
        KnownOr::Unknown("clock".to_owned()),
        "no kind of another version is known"
    );
    let strange = read(text.replace(r#""kind":"clock""#, r#""kind":"a\nb""#));
    let why = strange.unjudged().unwrap();
    assert_eq!(why.to_string(), r#"its kind "a\nb" is not known"#);
    let frozen = read(text.replace(r#""kind":"clock""#, r#""kind":"frozen""#));
    assert_eq!(frozen.unjudged(), Some(Unjudged::Reserved(Kind::Frozen)));
}

#[test]
fn rules_have_the_numbers_of_the_document() {
    let texts: Vec<_> = Rule::ALL.iter().map(ToString::to_string).collect();
    let expected = ["F", "S", "M"]
        .iter()
        .zip([9, 14, 12])
        .flat_map(|(letter, last)| (1..=last).map(move |number| format!("{letter}{number}")));
    assert_eq!(texts, expected.collect::<Vec<_>>());
}

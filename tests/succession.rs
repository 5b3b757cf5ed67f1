//! What a log says that continues another: right after its genesis, fitting it, and nowhere else (rule S14).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use countersign::{
    canonical::{Digest, Json, Object},
    log::{Entry, Kind, LogId, Origin, Predecessor, Rule, Verdict},
};
use log_fixture::{Writer, assert_broken};

fn root(number: u8) -> Digest {
    Digest::sha256(&[number])
}

fn head(size: u64, root: Digest) -> Json {
    let size = Json::try_from(size).unwrap();
    Object::new()
        .with("root", root.to_hex())
        .with("size", size)
        .into()
}

/// A log that continues one of nine records, before its first commit.
fn continuing() -> Writer {
    let predecessor = Predecessor {
        log: LogId::from_random([3; 16]),
        origin: Origin::new("example.com/lost").unwrap(),
        size: 9,
        root: root(9),
    };
    Writer::continuing(4, "example.com/next", predecessor)
}

fn recovered(writer: &mut Writer, after: &str, attested: Json, found: Json) -> Entry {
    let clear = [
        ("after", after.into()),
        ("attested", attested),
        ("found", found),
    ];
    writer.entry(
        Kind::Recovered,
        None,
        &clear,
        &[("reason", "the disk was restored")],
    )
}

fn verdict(after: &str, attested: Json, found: Json) -> Verdict {
    let mut writer = continuing();
    let genesis = writer.genesis.to_entry();
    let recovered = recovered(&mut writer, after, attested, found);
    writer.commit(&[genesis, recovered]);
    writer.image.verdict(&writer.trusted())
}

#[test]
fn what_befell_the_predecessor_fits_what_was_attested_and_found() {
    let intact = Verdict::IntactUnanchored {
        size: 2,
        anchored: 0,
    };
    let named = || head(9, root(9));
    for (after, attested, found, holds) in [
        ("rollback", named(), head(5, root(5)), true),
        ("rollback", named(), head(9, root(5)), false),
        ("rollback", named(), Json::Null, false),
        ("rollback", Json::Null, named(), false),
        ("fork", named(), head(12, root(12)), true),
        ("fork", named(), head(9, root(8)), true),
        ("fork", named(), named(), false),
        ("fork", named(), head(8, root(8)), false),
        ("head_file_missing", Json::Null, named(), true),
        ("head_file_missing", named(), head(12, root(12)), true),
        ("head_file_missing", named(), head(8, root(8)), false),
        ("head_file_missing", named(), Json::Null, false),
        ("store_lost", named(), Json::Null, true),
        ("store_lost", named(), head(5, root(5)), false),
        ("broken", named(), head(5, root(5)), true),
        ("broken", named(), Json::Null, true),
        ("broken", Json::Null, named(), true),
        // The genesis names the attested head, and the found one where none is.
        ("rollback", head(8, root(8)), head(5, root(5)), false),
        ("rollback", head(9, root(8)), head(5, root(5)), false),
        ("head_file_missing", Json::Null, head(8, root(8)), false),
        ("broken", head(12, root(12)), named(), false),
    ] {
        let said = format!("{after} {attested:?} {found:?}");
        let verdict = verdict(after, attested, found);
        if holds {
            assert_eq!(verdict, intact, "{said}");
        } else {
            assert!(
                matches!(&verdict, Verdict::Broken(broken) if broken.rule == Rule::S14 && broken.seq.get() == 1),
                "{said}: {verdict:?}"
            );
        }
    }
}

#[test]
fn a_body_that_does_not_say_what_was_lost_is_none() {
    let named = || head(9, root(9));
    let long = Object::new()
        .with("root", root(9).to_hex())
        .with("size", 9)
        .with("ts", 1);
    for (after, attested, found) in [
        ("fire", named(), Json::Null),
        ("store_lost", Json::from("nine"), Json::Null),
        ("store_lost", head(0, root(9)), Json::Null),
        ("store_lost", long.into(), Json::Null),
        ("store_lost", named(), false.into()),
    ] {
        assert_broken(&verdict(after, attested, found), 1, Rule::F6);
    }
}

#[test]
fn a_log_that_continues_another_says_so_at_once() {
    // Nothing, or something else, after the genesis.
    let mut writer = continuing();
    let genesis = writer.genesis.to_entry();
    writer.commit(&[genesis]);
    assert_broken(&writer.image.verdict(&writer.trusted()), 0, Rule::S14);
    let clock = writer.entry(Kind::Clock, None, &[("micros", 7_000_000.into())], &[]);
    writer.commit(&[clock]);
    assert_broken(&writer.image.verdict(&writer.trusted()), 1, Rule::S14);
}

#[test]
fn a_log_that_continues_none_never_does() {
    let mut writer = Writer::new(4, "example.com/next");
    let lost = recovered(&mut writer, "store_lost", head(9, root(9)), Json::Null);
    writer.commit(&[lost]);
    assert_broken(&writer.image.verdict(&writer.trusted()), 1, Rule::S14);
}

#[test]
fn it_is_said_once() {
    let mut writer = continuing();
    let genesis = writer.genesis.to_entry();
    let [first, again] =
        [0, 1].map(|_| recovered(&mut writer, "store_lost", head(9, root(9)), Json::Null));
    writer.commit(&[genesis, first]);
    writer.commit(&[again]);
    assert_broken(&writer.image.verdict(&writer.trusted()), 2, Rule::S14);
}

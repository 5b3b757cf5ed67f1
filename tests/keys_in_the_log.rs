//! Keys that come and go while a log grows: what the verifier takes, and what it refuses (rules S2, S3, S11 and S12).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use std::collections::BTreeSet;

use countersign::{
    clock::Timestamp,
    log::{
        Depth, Entry, HeadRow, KeyChange, Kind, Revocation, Role, Row, Rule, SecretKey, Seq,
        Signer, Verdict,
    },
};
use log_fixture::{Image, Keys, Writer, after, assert_broken};

fn fresh(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[200 + seed; 32])
}

fn log() -> Writer {
    Writer::new(5, "example.com/keys")
}

fn request(writer: &mut Writer, number: u8) -> Entry {
    writer.entry(Kind::Requested, Some(number), &[], &[("because", "x")])
}

fn rotated(old: &SecretKey, new: &SecretKey) -> KeyChange {
    KeyChange::Rotated {
        old: old.public().id(),
        key: new.public().clone(),
    }
}

fn added(key: &SecretKey, role: Role) -> KeyChange {
    KeyChange::Added {
        key: key.public().clone(),
        roles: BTreeSet::from([role]),
    }
}

fn revoked(key: &SecretKey, why: Revocation) -> KeyChange {
    KeyChange::Revoked {
        old: key.public().id(),
        why,
    }
}

#[track_caller]
fn assert_intact(writer: &Writer) {
    let verdict = writer.image.verdict(&writer.trusted());
    let size = writer.chain.size();
    assert_eq!(verdict, Verdict::IntactUnanchored { size, anchored: 0 });
}

/// The last record, and the rule that it breaks.
#[track_caller]
fn assert_refused(writer: &Writer, rule: Rule) {
    let last = writer.chain.size() - 1;
    assert_broken(&writer.image.verdict(&writer.trusted()), last, rule);
}

/// Signs with other keys from here on.
fn with_gate(writer: &mut Writer, key: SecretKey) -> SecretKey {
    std::mem::replace(&mut writer.keys.gate, key)
}

#[test]
fn a_rotated_key_is_followed_by_whoever_knows_the_genesis_keys() {
    let mut writer = log();
    let before = request(&mut writer, 1);
    writer.commit(&[before]);
    let (Keys { operator, gate, .. }, next) = (log().keys, fresh(2));
    writer.change_keys(&rotated(&gate, &next), &[&operator, &gate, &next]);
    let old = with_gate(&mut writer, next);
    let after: Vec<Entry> = (2..=200)
        .map(|number| request(&mut writer, number))
        .collect();
    writer.commit(&after);
    assert_intact(&writer);
    // Also where the change lies many pieces before what it bears on.
    for _ in 0..6 {
        let more: Vec<Entry> = (1..=200)
            .map(|number| request(&mut writer, number))
            .collect();
        writer.commit(&more);
    }
    assert_intact(&writer);

    // The old one is over, and it never comes back.
    with_gate(&mut writer, old);
    let late = request(&mut writer, 3);
    writer.commit(&[late]);
    assert_refused(&writer, Rule::S2);
}

#[test]
fn every_key_of_a_log_can_be_rotated_and_the_log_goes_on() {
    let mut writer = log();
    for role in Role::ALL {
        let old = SecretKey::from_seed(&writer.keys.for_role(role).to_seed());
        let operator = SecretKey::from_seed(&writer.keys.operator.to_seed());
        let next = fresh(10 + role as u8);
        writer.change_keys(
            &rotated(&old, &next),
            &[&operator, &old, &next][usize::from(role == Role::Operator)..],
        );
        match role {
            Role::Gate => writer.keys.gate = next,
            Role::Desk => writer.keys.desk = next,
            Role::Operator => writer.keys.operator = next,
            Role::Checkpoint => writer.keys.checkpoint = next,
        }
        let more = request(&mut writer, 1);
        writer.commit(&[more]);
        assert_intact(&writer);
    }
    // An anchor by the new key counts, although the auditor was never told of that key.
    let last = writer.image.checkpoints.last().unwrap().1.clone();
    let report = writer.image.verify(&writer.trusted(), &[last]);
    let size = writer.chain.size();
    assert_eq!(report.verdict(), Verdict::IntactAnchored { size });
    // Where only hashes are looked at, it is said to be no more than that.
    let shallow = writer
        .image
        .verify_at(Depth::Hashes, Some(&writer.trusted()), &[]);
    assert_eq!(shallow.verdict().exit_code(), 2);
}

#[test]
fn a_change_of_keys_needs_all_who_have_to_sign_it() {
    let (operator, gate) = (log().keys.operator, log().keys.gate);
    let next = fresh(3);
    let rotation = rotated(&gate, &next);
    let addition = added(&next, Role::Desk);
    for (change, by, rule) in [
        (&rotation, vec![&operator, &gate], Rule::S11),
        (&rotation, vec![&operator, &next], Rule::S11),
        // Without the operator nobody changes anything.
        (&rotation, vec![&gate, &next], Rule::S3),
        (&addition, vec![&operator], Rule::S11),
        (&addition, vec![&next, &operator], Rule::S3),
        (
            &revoked(&next, Revocation::Lost),
            vec![&operator],
            Rule::S11,
        ),
        // Nobody could sign tree heads any more.
        (
            &revoked(&log().keys.checkpoint, Revocation::Lost),
            vec![&operator],
            Rule::S11,
        ),
        // A stranger beside them.
        (&addition, vec![&operator, &next, &fresh(4)], Rule::S2),
    ] {
        let mut writer = log();
        writer.change_keys(change, &by);
        assert_refused(&writer, rule);
    }
}

#[test]
fn tamper_16_a_key_that_went_and_comes_back() {
    let mut writer = log();
    let operator = log().keys.operator;
    let (old, next) = (log().keys.desk, fresh(5));
    writer.change_keys(&rotated(&old, &next), &[&operator, &old, &next]);
    assert_intact(&writer);
    let mut again = writer.copy();
    again.change_keys(&added(&old, Role::Desk), &[&operator, &old]);
    assert_refused(&again, Rule::S11);
    // Nor does one that is there get other roles.
    writer.change_keys(&added(&next, Role::Gate), &[&operator, &next]);
    assert_refused(&writer, Rule::S11);
}

#[test]
fn an_added_key_signs_in_its_roles_alone() {
    let mut writer = log();
    let operator = log().keys.operator;
    let desk = fresh(6);
    writer.change_keys(&added(&desk, Role::Desk), &[&operator, &desk]);
    writer.keys.desk = SecretKey::from_seed(&desk.to_seed());
    let vote = writer.entry(Kind::Voted, Some(1), &[], &[]);
    writer.commit(&[vote]);
    assert_intact(&writer);
    with_gate(&mut writer, desk);
    let asked = request(&mut writer, 2);
    writer.commit(&[asked]);
    assert_refused(&writer, Rule::S3);
}

#[test]
fn tamper_17_records_by_a_compromised_key() {
    let mut writer = log();
    let operator = log().keys.operator;
    let vote = writer.entry(Kind::Voted, Some(1), &[], &[]);
    writer.commit(&[vote]);
    let anchor = writer.image.checkpoints.last().unwrap().1.clone();
    let voted_at = writer.image.row(1).columns.ts;
    let revocation =
        |since: Timestamp| revoked(&log().keys.desk, Revocation::Compromised { since });
    let ends = |since, anchors: &[Vec<u8>]| {
        let mut writer = writer.copy();
        writer.change_keys(&revocation(since), &[&operator]);
        writer.image.verify(&writer.trusted(), anchors).verdict()
    };
    let later = voted_at.saturating_add(std::time::Duration::from_secs(60));
    let covered = ends(later, std::slice::from_ref(&anchor));
    assert_eq!(
        covered,
        Verdict::IntactUnanchored {
            size: 3,
            anchored: 2
        }
    );
    // The thief could have written the vote and everything after it.
    let alone = ends(later, &[]).to_string();
    assert!(
        alone.starts_with("cannot verify: record 1 is by a key that was compromised later"),
        "{alone}"
    );
    let suspect = ends(voted_at, &[anchor]).to_string();
    assert!(
        suspect.starts_with("cannot verify: record 1 is by a key that was compromised before"),
        "{suspect}"
    );
}

#[test]
fn bodies_of_key_records_have_exactly_their_members() {
    let key = fresh(7).public().clone();
    let text = |entry: &Entry| String::from_utf8(entry.body.clone()).unwrap();
    let change = KeyChange::Added {
        key,
        roles: BTreeSet::from([Role::Desk, Role::Gate]),
    };
    let sound = change.to_entry(log().genesis.enforcement());
    for (from, to) in [
        (r#""desk","gate""#, r#""gate","desk""#),
        (r#"["desk","gate"]"#, "[]"),
        (r#""desk","gate""#, r#""desk","root""#),
        (r#"]}"#, r#"],"x":1}"#),
    ] {
        let mut entry = sound.clone();
        entry.body = text(&sound).replace(from, to).into_bytes();
        assert_ne!(entry.body, sound.body);
        let mut writer = log();
        let (operator, key) = (log().keys.operator, fresh(7));
        writer.commit(&[entry]);
        let record = &mut writer.image.row(1).record;
        let message = countersign::log::pae(countersign::log::PAYLOAD_TYPE, &record.statement);
        record.signatures = [&operator, &key]
            .map(|key| (key.public().id(), key.sign(&message).unwrap()))
            .to_vec();
        assert_refused(&writer, Rule::F6);
    }
}

/// A log with two rotations of the gate's key, one right after the other, between requests: records 2 and 3 change keys.
fn rotated_twice() -> Writer {
    let mut writer = log();
    let operator = log().keys.operator;
    let before = request(&mut writer, 1);
    writer.commit(&[before]);
    let (first, second, third) = (log().keys.gate, fresh(20), fresh(21));
    writer.change_keys(&rotated(&first, &second), &[&operator, &first, &second]);
    writer.change_keys(&rotated(&second, &third), &[&operator, &second, &third]);
    with_gate(&mut writer, third);
    for number in 2..5 {
        let more = request(&mut writer, number);
        writer.commit(&[more]);
    }
    writer
}

/// Takes records out, and has what follows stand where they stood.
fn renumbered(image: &mut Image, from: usize, to: usize) {
    image.rows.drain(from..to);
    let (from, to) = (from as u64, to as u64);
    image
        .disclosures
        .retain(|(seq, _)| !(from..to).contains(&seq.get()));
    for (seq, _) in &mut image.disclosures {
        if seq.get() >= to {
            *seq = Seq::new(seq.get() - (to - from));
        }
    }
    for at in 0..image.rows.len() {
        image.row(at).record.seq = Seq::new(at as u64);
    }
}

#[test]
fn hitl_a13_records_lost_or_begun_anew_around_a_change_of_keys() {
    let writer = rotated_twice();
    assert_intact(&writer);
    // Each stretch of records that has a change in it, or ends or begins beside one, numbered anew or not.
    for from in 0..=3 {
        for to in from + 1..7 {
            let verdict = after(&writer, |image| drop(image.rows.drain(from..to)));
            assert_broken(&verdict, from as u64, Rule::S4);
            let verdict = after(&writer, |image| renumbered(image, from, to));
            assert!(
                matches!(&verdict, Verdict::Broken(broken) if broken.seq.get() == from as u64),
                "{from} to {to}: {verdict}"
            );
        }
    }
    // The log as it begins with the new keys, shown as a whole one.
    let suffix = |image: &mut Image| {
        renumbered(image, 0, 4);
        image.checkpoints.clear();
        image.head = HeadRow::NotKept;
    };
    assert_broken(&after(&writer, suffix), 0, Rule::S4);
    // Begun anew at its genesis, by whoever has the new keys: within the log, and as a log of its own.
    let verdict = after(&writer, |image| {
        let mut genesis = image.row(0).clone();
        genesis.record.seq = Seq::new(7);
        image.rows.push(Row::Record(Box::new(genesis)));
    });
    assert_broken(&verdict, 7, Rule::S4);
    let other = Keys {
        gate: fresh(21),
        ..Keys::seeded(5)
    };
    let mut begun = Writer::with_keys(5, "example.com/keys", other);
    let asked = request(&mut begun, 1);
    begun.commit(&[asked]);
    assert_eq!(begun.image.verdict(&begun.trusted()).exit_code(), 3);
    let verdict = begun.image.verdict(&writer.trusted());
    assert_eq!(
        verdict.to_string(),
        "cannot verify: self-consistent, signer not trusted"
    );
    let head = writer.image.checkpoints[1].1.clone();
    assert_broken(
        &begun.image.verify(&begun.trusted(), &[head]).verdict(),
        1,
        Rule::S7,
    );
}

#[test]
fn hitl_a22_a_key_that_was_retired_or_revoked_signs_nothing_new() {
    let operator = log().keys.operator;
    let since = Timestamp::parse("2027-01-01T00:00:00.000000Z").unwrap();
    for why in [
        None,
        Some(Revocation::Retired),
        Some(Revocation::Lost),
        Some(Revocation::Compromised { since }),
    ] {
        for role in [Role::Gate, Role::Desk, Role::Checkpoint] {
            let mut writer = log();
            let (old, next) = (
                SecretKey::from_seed(&writer.keys.for_role(role).to_seed()),
                fresh(30),
            );
            match why {
                None => writer.change_keys(&rotated(&old, &next), &[&operator, &old, &next]),
                Some(why) => {
                    writer.change_keys(&added(&next, role), &[&operator, &next]);
                    writer.change_keys(&revoked(&old, why), &[&operator]);
                }
            }
            let judged = writer.image.verdict(&writer.trusted());
            assert_ne!(judged.exit_code(), 1, "{why:?} {role}: {judged}");
            // The next record, or its checkpoint, is by the key that went.
            let entry = match role {
                Role::Desk => writer.entry(Kind::Voted, Some(1), &[], &[]),
                _ => request(&mut writer, 1),
            };
            writer.commit(&[entry]);
            let rule = match role {
                Role::Checkpoint => Rule::S7,
                _ => Rule::S2,
            };
            assert_refused(&writer, rule);
        }
    }
}

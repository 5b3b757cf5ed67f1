//! A verification that goes on from a checkpoint says the same of what comes after it as one of the whole log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use std::{collections::BTreeSet, time::Duration};

use countersign::{
    action::Disclosure,
    log::{
        Checkpoint, Foothold, HeadRow, KeyChange, Kind, Note, PAYLOAD_TYPE, Report, Revocation,
        Role, Rule, SecretKey, Signer, Statement, Terms, Verdict, leaf_hash, pae, verify_structure,
    },
};
use log_fixture::{Image, Keys, Writer, assert_broken, golden};

/// The log when it had so many records.
fn prefix(writer: &Writer, size: u64) -> Image {
    let mut image = writer.image.clone();
    image.rows.truncate(size as usize);
    image.checkpoints.retain(|(end, _)| *end <= size);
    image
        .subtrees
        .retain(|tree| (tree.index + 1) << (8 * tree.level) <= size);
    image.disclosures.retain(|(seq, _)| seq.get() < size);
    image.head = HeadRow::NotKept;
    image
}

fn verify(writer: &Writer, image: &Image, since: Option<&Foothold>, anchors: &[Vec<u8>]) -> Report {
    let keys = writer.trusted();
    let terms = Terms {
        keys: Some(&keys),
        anchors,
        since,
        leave_foothold: true,
        ..Terms::default()
    };
    verify_structure(&mut image.clone(), &terms, &mut |_| {}, &mut |_, _| {})
}

/// What a verification leaves that ends there.
fn foothold(writer: &Writer, size: u64) -> Foothold {
    let report = verify(writer, &prefix(writer, size), None, &[]);
    report.foothold.unwrap()
}

/// A log of so many records, in batches of ten, whose keys change early.
fn large(size: u64) -> Writer {
    let mut writer = Writer::new(5, "example.com/large");
    let old = Keys::seeded(5);
    let [desk, gate] = [200, 201].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let added = KeyChange::Added {
        key: desk.public().clone(),
        roles: BTreeSet::from([Role::Desk]),
    };
    writer.change_keys(&added, &[&old.operator, &desk]);
    let rotated = KeyChange::Rotated {
        old: old.gate.public().id(),
        key: gate.public().clone(),
    };
    writer.change_keys(&rotated, &[&old.operator, &old.gate, &gate]);
    (writer.keys.desk, writer.keys.gate) = (desk, gate);
    while writer.chain.size() < size {
        let batch: Vec<_> = (0..10_u8)
            .map(|number| match number {
                0 => writer.entry(Kind::Voted, Some(1), &[], &[("comment", "fine")]),
                _ => writer.entry(Kind::Requested, Some(number), &[], &[("because", "so")]),
            })
            .collect();
        writer.commit(&batch);
    }
    writer
}

#[test]
fn from_every_checkpoint_the_rest_is_judged_as_in_the_whole() {
    let writer = golden();
    let last = writer.image.checkpoints.last().unwrap().1.clone();
    for (size, _) in &writer.image.checkpoints {
        let foothold = foothold(&writer, *size);
        let (since, all) = (*size, writer.chain.size());
        let report = verify(&writer, &writer.image, Some(&foothold), &[]);
        let anchored = since;
        let is = Verdict::IntactSince {
            since,
            size: all,
            anchored,
        };
        assert_eq!(report.verdict(), is);
        assert_eq!(is.exit_code(), if since == all { 0 } else { 3 });
        let report = verify(
            &writer,
            &writer.image,
            Some(&foothold),
            std::slice::from_ref(&last),
        );
        assert_eq!(report.verdict().exit_code(), 0);
        // What it leaves is what the whole would leave.
        let whole = verify(&writer, &writer.image, None, &[]);
        assert_eq!(report.foothold, whole.foothold);

        for at in 0..writer.image.rows.len() {
            let mut image = writer.image.clone();
            let statement = &mut image.row(at).record.statement;
            let middle = statement.len() / 2;
            statement[middle] ^= 1;
            let found = verify(&writer, &image, Some(&foothold), &[]).verdict();
            let whole = verify(&writer, &image, None, &[]).verdict();
            if at as u64 >= since {
                assert_eq!(found, whole);
            } else if at == 0 {
                assert_eq!(found.exit_code(), 1);
            } else if foothold.records.contains(&(at as u64)) || at as u64 == since - 1 {
                assert_broken(&found, at as u64, Rule::S8);
            } else {
                // It is not read, and the verdict says from where on it speaks.
                assert_eq!(found, is, "record {at}");
            }
        }
    }
}

#[test]
fn what_bears_on_the_rest_stands_in_the_tree_of_the_checkpoint() {
    let writer = large(600);
    // Batches end after one record, two, three, and every ten more.
    let since = 303;
    let foothold = foothold(&writer, since);
    let good = verify(&writer, &writer.image, Some(&foothold), &[]);
    assert!(
        matches!(good.verdict(), Verdict::IntactSince { .. }),
        "{}",
        good.verdict()
    );
    // Record 1 added the desk's key, and lies in a subtree that is stored. Its signers could write another, which is found
    // where a proof goes by it.
    assert!(foothold.records.contains(&1));
    let mut image = writer.image.clone();
    let row = image.row(1);
    let text = String::from_utf8(row.record.statement.clone()).unwrap();
    row.record.statement = text
        .replacen(
            "\"ts\":\"2026-03-01T09:30:03.0",
            "\"ts\":\"2026-03-01T09:30:03.1",
            1,
        )
        .into_bytes();
    assert_ne!(row.record.statement, text.as_bytes());
    row.record.leaf = leaf_hash(&row.record.statement);
    row.columns.ts = Statement::parse(&row.record.statement).unwrap().ts;
    let message = pae(PAYLOAD_TYPE, &row.record.statement);
    let old = Keys::seeded(5);
    row.record.signatures = [&old.operator, &writer.keys.desk]
        .map(|key| (key.public().id(), key.sign(&message).unwrap()))
        .to_vec();
    assert_broken(
        &verify(&writer, &image, Some(&foothold), &[]).verdict(),
        0,
        Rule::S7,
    );

    // The stored tree before it.
    let mut image = writer.image.clone();
    image.subtrees[0].hash = leaf_hash(b"another");
    assert_broken(
        &verify(&writer, &image, Some(&foothold), &[]).verdict(),
        since - 1,
        Rule::S7,
    );
    image.subtrees.remove(0);
    assert_broken(
        &verify(&writer, &image, Some(&foothold), &[]).verdict(),
        since - 1,
        Rule::S8,
    );

    // A checkpoint from outside of the time before, and one of another history.
    let (size, early) = writer.image.checkpoints[20].clone();
    let report = verify(
        &writer,
        &writer.image,
        Some(&foothold),
        std::slice::from_ref(&early),
    );
    assert_eq!(report.verdict(), good.verdict());
    let note = Note::parse(&early).unwrap();
    let mut other = Checkpoint::parse(note.unverified_text()).unwrap();
    other.root = leaf_hash(b"another");
    let other = other.sign(&writer.keys.checkpoint).unwrap();
    let report = verify(&writer, &writer.image, Some(&foothold), &[other]);
    assert_broken(&report.verdict(), size - 1, Rule::S7);
}

#[test]
fn a_hidden_digest_of_before_is_known_after_it() {
    let mut writer = large(300);
    let since = writer.chain.size();
    let foothold = foothold(&writer, since);
    let mut again = writer.entry(Kind::Requested, Some(9), &[], &[("because", "so")]);
    let first = writer.entry(Kind::Requested, Some(8), &[], &[]);
    let (_, text) = writer.image.disclosures[3].clone();
    let twin = Disclosure::parse(&text).unwrap();
    again.body = format!("{{\"_sd\":[\"{}\"]}}", twin.digest()).into_bytes();
    again.disclosures = vec![twin];
    writer.commit(&[first, again]);
    for since in [None, Some(&foothold)] {
        let found = verify(&writer, &writer.image, since, &[]).verdict();
        assert_broken(&found, writer.chain.size() - 1, Rule::F7);
    }
}

#[test]
fn a_key_that_was_compromised_is_judged_by_what_it_signed_before() {
    let writer = large(300);
    let foothold = foothold(&writer, writer.chain.size());
    // The desk signs the first of each ten.
    let last = writer.image.record(writer.image.rows.len() - 10);
    let at = Statement::parse(&last.statement).unwrap().ts;
    let old = writer.keys.desk.public().id();
    let by = Keys::seeded(5).operator;
    for (back, doubted) in [(0, true), (3600, false)] {
        let since = at.saturating_add(Duration::from_secs(back));
        let mut writer = writer.copy();
        let why = Revocation::Compromised { since };
        writer.change_keys(&KeyChange::Revoked { old, why }, &[&by]);
        let anchor = foothold.checkpoint.clone();
        for report in [
            verify(&writer, &writer.image, None, &[anchor]),
            verify(&writer, &writer.image, Some(&foothold), &[]),
        ] {
            let code = if doubted { 2 } else { 3 };
            assert_eq!(report.verdict().exit_code(), code, "{}", report.verdict());
        }
    }
}

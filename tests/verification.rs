//! What the verifier of a stored log answers, beside the attacks of `tamper.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use countersign::{
    canonical::{Digest, Json},
    log::{
        Depth, Kind, PAYLOAD_TYPE, Rule, SecretKey, Signature, Signer, Trust, Verdict,
        VerifiedGenesis, leaf_hash, pae,
    },
};
use log_fixture::{Image, Writer, after, assert_broken, golden};

#[test]
fn a_sound_log_is_intact_as_far_as_it_is_anchored() {
    let writer = golden();
    let keys = writer.trusted();
    let last = writer.image.checkpoints.last().unwrap().1.clone();
    let earlier = writer.image.checkpoints[2].1.clone();
    let report = writer.image.verify(&keys, &[earlier.clone(), last]);
    assert_eq!(report.verdict(), Verdict::IntactAnchored { size: 12 });
    assert_eq!(report.verdict().exit_code(), 0);
    assert_eq!(report.kinds["voted"], 2);
    assert_eq!(
        report.origin.as_ref().unwrap().as_str(),
        "example.com/golden"
    );
    assert!(report.notes.is_empty(), "{:?}", report.notes);

    let unanchored = writer.image.verify(&keys, &[earlier]).verdict();
    assert_eq!(
        unanchored,
        Verdict::IntactUnanchored {
            size: 12,
            anchored: 3
        }
    );
    assert_eq!(unanchored.exit_code(), 3);
    let alone = writer.image.verdict(&keys);
    assert_eq!(
        alone,
        Verdict::IntactUnanchored {
            size: 12,
            anchored: 0
        }
    );

    let untrusted = writer
        .image
        .verify_at(Depth::Signatures, None, &[])
        .verdict();
    assert_eq!(untrusted.exit_code(), 2);
    assert_eq!(
        untrusted.to_string(),
        "cannot verify: self-consistent, signer not trusted"
    );
    let shallow = writer
        .image
        .verify_at(Depth::Hashes, Some(&keys), &[])
        .verdict();
    assert_eq!(
        shallow.to_string(),
        "cannot verify: only hashes were looked at"
    );
}

#[test]
fn no_byte_of_a_log_can_be_changed() {
    let mut writer = Writer::new(3, "a");
    let requested = writer.entry(Kind::Requested, Some(1), &[], &[("because", "x")]);
    let voted = writer.entry(Kind::Voted, Some(1), &[], &[]);
    writer.commit(&[requested]);
    writer.commit(&[voted]);
    let keys = writer.trusted();
    for at in 0..writer.image.rows.len() {
        let record = writer.image.record(at);
        let statement = record.statement.len();
        for byte in 0..statement + 64 {
            let mut image = writer.image.clone();
            let record = &mut image.row(at).record;
            if byte < statement {
                record.statement[byte] ^= 1 << (byte % 8);
            } else {
                let mut bytes = *record.signatures[0].1.as_bytes();
                bytes[byte - statement] ^= 1 << (byte % 8);
                record.signatures[0].1 = Signature::from_bytes(bytes);
            }
            match image.verdict(&keys) {
                Verdict::Broken(broken) if broken.seq.get() == at as u64 => {}
                other => panic!("byte {byte} of record {at}: {other}"),
            }
        }
    }
}

#[test]
fn a_tail_that_was_cut_and_written_anew_is_found_by_a_checkpoint_from_outside() {
    let writer = golden();
    let mut other = golden_until_started();
    for _ in 0..4 {
        let clock = other.entry(Kind::Clock, None, &[("micros", 1.into())], &[]);
        other.commit(&[clock]);
    }
    let keys = writer.trusted();
    assert_eq!(
        other.image.verdict(&keys),
        Verdict::IntactUnanchored {
            size: 12,
            anchored: 0
        }
    );
    let outside = writer.image.checkpoints.last().unwrap().1.clone();
    assert_broken(
        &other.image.verify(&keys, &[outside]).verdict(),
        11,
        Rule::S7,
    );
}

/// The same keys and log as the golden one, with eight other records.
fn golden_until_started() -> Writer {
    let mut writer = Writer::new(7, "example.com/golden");
    for _ in 0..7 {
        let adopted = writer.entry(Kind::PolicyAdopted, None, &[], &[]);
        writer.commit(&[adopted]);
    }
    writer
}

#[test]
fn a_record_signed_in_a_role_that_may_not_is_broken() {
    let mut writer = golden();
    let mut vote = writer.entry(Kind::Voted, Some(1), &[], &[]);
    let desk = writer.keys.desk.public().id().to_string();
    let gate = writer.keys.gate.public().id();
    writer.commit(std::slice::from_ref(&vote));
    // What code in the agent's process could do: sign a vote with the gate's key.
    vote.body = b"{\"decision\":\"approve\"}".to_vec();
    writer.commit_with(&[vote], |statement| {
        let text = String::from_utf8(statement.clone()).unwrap();
        *statement = text.replace(&desk, &gate.to_string()).into_bytes();
    });
    let record = &mut writer.image.row(13).record;
    record.leaf = leaf_hash(&record.statement);
    let message = pae(PAYLOAD_TYPE, &record.statement);
    record.signatures = vec![(gate, writer.keys.gate.sign(&message).unwrap())];
    assert_broken(&writer.image.verdict(&writer.trusted()), 13, Rule::S3);
    let record = writer.image.record(13).clone();
    let genesis = VerifiedGenesis::check(writer.image.record(0)).unwrap();
    let refused = Trust::on_genesis(&genesis).check(&record).unwrap_err();
    assert_eq!(refused.rule, Rule::S3);
}

#[test]
fn a_digest_that_stands_in_two_records_is_found_at_the_second() {
    let mut writer = golden();
    let entry = writer.entry(Kind::Revoked, Some(1), &[], &[("reason", "why")]);
    writer.commit(std::slice::from_ref(&entry));
    let other = writer.entry(Kind::Clock, None, &[], &[]);
    writer.commit(&[other, entry]);
    assert_broken(&writer.image.verdict(&writer.trusted()), 14, Rule::F7);
}

#[test]
fn a_key_that_an_extension_may_have_added_is_a_doubt_and_not_a_break() {
    let stranger = SecretKey::from_seed(&[99; 32]);
    let signed_by_stranger = |image: &mut Image, at: usize| {
        let message = pae(PAYLOAD_TYPE, &image.record(at).statement);
        let signature = (stranger.public().id(), stranger.sign(&message).unwrap());
        image.row(at).record.signatures.push(signature);
    };
    let mut writer = golden();
    let mut added = writer.entry(Kind::KeyAdded, None, &[], &[]);
    added.crit = vec!["example.com/keys".to_owned()];
    let plain = writer.entry(Kind::Clock, None, &[], &[]);
    writer.commit(&[added, plain]);
    let verdict = after(&writer, |image| signed_by_stranger(image, 13));
    assert_eq!(verdict.exit_code(), 2, "{verdict}");
    // Before the record that may have added it, and in that record itself, it is none.
    let verdict = after(&writer, |image| signed_by_stranger(image, 11));
    assert_broken(&verdict, 11, Rule::S2);
    let verdict = after(&writer, |image| signed_by_stranger(image, 12));
    assert_broken(&verdict, 12, Rule::S2);
}

#[test]
fn a_hidden_member_that_collides_with_another_is_broken() {
    let mut writer = golden();
    let twice = writer.entry(
        Kind::Revoked,
        Some(1),
        &[],
        &[("reason", "a"), ("reason", "b")],
    );
    writer.commit(&[twice]);
    assert_broken(&writer.image.verdict(&writer.trusted()), 12, Rule::F9);
    let mut writer = golden();
    let clear = [("reason", Json::from("a"))];
    let entry = writer.entry(Kind::Revoked, Some(1), &clear, &[("reason", "b")]);
    writer.commit(&[entry]);
    assert_broken(&writer.image.verdict(&writer.trusted()), 12, Rule::F9);
}

#[test]
fn a_long_log_has_its_subtrees_checked() {
    let mut writer = golden();
    while writer.chain.size() < 1400 {
        let entries: Vec<_> = (0..61)
            .map(|_| writer.entry(Kind::LeaseRenewed, Some(1), &[], &[]))
            .collect();
        writer.commit(&entries);
    }
    assert_eq!(writer.image.subtrees.len(), 5);
    let keys = writer.trusted();
    let last = writer.image.checkpoints.last().unwrap().1.clone();
    let size = writer.chain.size();
    let verdict = writer.image.verify(&keys, &[last]).verdict();
    assert_eq!(verdict, Verdict::IntactAnchored { size });

    let verdict = after(&writer, |image| {
        image.subtrees[2].hash = Digest::sha256(b"")
    });
    assert_broken(&verdict, 767, Rule::S8);
    let verdict = after(&writer, |image| {
        image.subtrees.retain(|subtree| subtree.index != 1)
    });
    assert_broken(&verdict, 511, Rule::S8);
    let verdict = after(&writer, |image| image.subtrees.truncate(4));
    assert_broken(&verdict, 1279, Rule::S8);
    let verdict = after(&writer, |image| {
        let mut extra = image.subtrees[4];
        extra.index = 5;
        image.subtrees.push(extra);
    });
    assert_broken(&verdict, size, Rule::S8);
    // The lowest of several is named, whichever thread comes first.
    let verdict = after(&writer, |image| {
        image.row(1300).record.signatures.clear();
        image.row(700).record.signatures.clear();
        image.subtrees[3].hash = Digest::sha256(b"");
    });
    assert_broken(&verdict, 700, Rule::S2);

    // Hashes alone find the accident, not the missing signature.
    let shallow = |image: &Image| image.verify_at(Depth::Hashes, Some(&keys), &[]).verdict();
    let mut image = writer.image.clone();
    image.row(700).record.signatures.clear();
    assert_eq!(shallow(&image).exit_code(), 2);
    image.row(700).record.statement[20] ^= 1;
    assert_broken(&shallow(&image), 700, Rule::S8);
}

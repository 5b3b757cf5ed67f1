//! What is done to a log by those who would rather it said something else, and what its verifier makes
//! of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use countersign::{
    action::Disclosure,
    canonical::{Digest, Json},
    log::{
        Frontier, HeadRow, InclusionProof, Kind, Note, PAYLOAD_TYPE, ProofError, Role, Row, Rule,
        SecretKey, Seq, Signature, Signer, TrustedKeys, Verdict, leaf_hash, pae,
    },
};
use log_fixture::{
    Image, Writer, after, assert_broken, forked, golden, receipt, resealed, written,
};

#[test]
fn tamper_01_a_flipped_bit() {
    let writer = golden();
    for at in 0..writer.image.rows.len() {
        for byte in (at..64).step_by(7) {
            let verdict = after(&writer, |image| {
                let (_, signature) = &mut image.row(at).record.signatures[0];
                let mut bytes = *signature.as_bytes();
                bytes[byte] ^= 1 << (byte % 8);
                *signature = Signature::from_bytes(bytes);
            });
            assert_broken(&verdict, at as u64, Rule::S2);
        }
    }
    // With the leaf changed to fit, the signature tells, and after it the chain would.
    let verdict = after(&writer, |image| {
        let record = &mut image.row(4).record;
        let text = String::from_utf8(record.statement.clone()).unwrap();
        record.statement = text.replace("approve", "decline").into_bytes();
        record.leaf = leaf_hash(&record.statement);
    });
    assert_broken(&verdict, 4, Rule::S2);
}

#[test]
fn tamper_02_an_edited_column() {
    let writer = golden();
    let verdict = after(&writer, |image| {
        image.row(4).columns.kind = "requested".to_owned()
    });
    assert_broken(&verdict, 4, Rule::S8);
    let verdict = after(&writer, |image| image.row(4).columns.request = None);
    assert_broken(&verdict, 4, Rule::S8);
    let verdict = after(&writer, |image| {
        let columns = &mut image.row(4).columns;
        columns.ts = columns.ts.saturating_add(std::time::Duration::from_secs(1));
    });
    assert_broken(&verdict, 4, Rule::S8);
    let verdict = after(&writer, |image| {
        image.row(4).columns.prev = Digest::sha256(b"")
    });
    assert_broken(&verdict, 4, Rule::S8);
    let verdict = after(&writer, |image| {
        image.row(4).record.leaf = Digest::sha256(b"")
    });
    assert_broken(&verdict, 4, Rule::S8);
    let verdict = after(&writer, |image| {
        let seq = Seq::new(4);
        let what = "its leaf is not 32 bytes";
        image.rows[4] = Row::Malformed { seq, what };
    });
    assert_broken(&verdict, 4, Rule::S8);
    let verdict = after(&writer, |image| {
        let HeadRow::Stored(bytes) = &mut image.head else {
            panic!("no head")
        };
        bytes[30] ^= 1;
    });
    assert_broken(&verdict, 11, Rule::S8);
    assert_broken(
        &after(&writer, |image| image.head = HeadRow::Missing),
        11,
        Rule::S8,
    );
}

#[test]
fn tamper_03_a_deleted_record() {
    let writer = golden();
    for at in 0..11 {
        let verdict = after(&writer, |image| drop(image.rows.remove(at)));
        assert_broken(&verdict, at as u64, Rule::S4);
    }
    // Numbered anew, so that there is no gap.
    let verdict = after(&writer, |image| {
        image.rows.remove(5);
        for at in 5..11 {
            image.row(at).record.seq = Seq::new(at as u64);
        }
    });
    assert_broken(&verdict, 5, Rule::S4);
}

#[test]
fn hitl_a4_the_first_records_taken_away() {
    let writer = golden();
    for many in 1..12 {
        let verdict = after(&writer, |image| drop(image.rows.drain(..many)));
        assert_broken(&verdict, 0, Rule::S4);
        // Numbered anew, and with nothing left that belongs to what is gone.
        let verdict = after(&writer, |image| {
            image.rows.drain(..many);
            for (at, seq) in (many..12).enumerate() {
                image.row(at).record.seq = Seq::new(at as u64);
                for (filed, _) in &mut image.disclosures {
                    if filed.get() == seq as u64 {
                        *filed = Seq::new(at as u64);
                    }
                }
            }
            image.checkpoints.clear();
            image.head = HeadRow::NotKept;
        });
        assert_broken(&verdict, 0, Rule::S4);
    }
}

/// The golden log without its last batch, in every copy that a store keeps.
fn cut() -> (Writer, Image) {
    let writer = golden();
    let mut image = writer.image.clone();
    image.rows.truncate(8);
    image.checkpoints.pop();
    image.disclosures.retain(|(seq, _)| seq.get() < 8);
    let checkpoint = image.checkpoints.last().unwrap().1.clone();
    let mut frontier = Frontier::empty();
    for at in 0..8 {
        frontier.push(image.record(at).leaf);
    }
    let last = image.row(7).columns.ts;
    image.head = HeadRow::Stored(
        countersign::log::Head {
            log: *writer.genesis.log(),
            size: 8,
            frontier,
            prev: image.record(7).leaf,
            ts: last,
            checkpoint,
        }
        .encode(),
    );
    (writer, image)
}

#[test]
fn tamper_04_a_cut_tail() {
    let writer = golden();
    let verdict = after(&writer, |image| image.rows.truncate(8));
    assert_broken(&verdict, 8, Rule::S7);
    let (writer, image) = cut();
    let keys = writer.trusted();
    // Cut in every copy, nothing inside tells: only a head from outside does.
    let alone = image.verdict(&keys);
    assert_eq!(
        alone,
        Verdict::IntactUnanchored {
            size: 8,
            anchored: 0
        }
    );
    let outside = writer.image.checkpoints.last().unwrap().1.clone();
    assert_broken(&image.verify(&keys, &[outside]).verdict(), 8, Rule::S7);
    // Cut through a batch: no checkpoint covers what is left.
    let verdict = after(&writer, |image| {
        image.rows.truncate(10);
        image.checkpoints.pop();
        image.disclosures.retain(|(seq, _)| seq.get() < 10);
        image.head = HeadRow::NotKept;
    });
    assert_broken(&verdict, 8, Rule::S7);
}

#[test]
fn tamper_06_swapped_records() {
    let writer = golden();
    for at in 1..11 {
        let verdict = after(&writer, |image| {
            let (one, other) = (image.row(at).clone(), image.row(at + 1).clone());
            (*image.row(at), *image.row(at + 1)) = (other, one);
            image.row(at).record.seq = Seq::new(at as u64);
            image.row(at + 1).record.seq = Seq::new(at as u64 + 1);
        });
        assert_broken(&verdict, at as u64, Rule::S4);
    }
}

#[test]
fn tamper_07_a_repeated_record() {
    let writer = golden();
    let verdict = after(&writer, |image| {
        let mut again = image.row(4).clone();
        again.record.seq = Seq::new(12);
        image.rows.push(Row::Record(Box::new(again)));
    });
    assert_broken(&verdict, 12, Rule::S4);
    // Its proof is for its own place alone.
    let receipt = receipt(&writer, 4);
    let proof = |index| InclusionProof {
        index,
        size: 12,
        path: receipt.path.clone(),
    };
    let root = writer.chain.checkpoint(writer.genesis.origin()).root;
    assert_eq!(proof(4).verify(&receipt.record.leaf, &root), Ok(()));
    assert_eq!(
        proof(5).verify(&receipt.record.leaf, &root),
        Err(ProofError::WrongRoot)
    );
}

#[test]
fn tamper_08_an_unsigned_record() {
    let writer = golden();
    let verdict = after(&writer, |image| image.row(4).record.signatures.clear());
    assert_broken(&verdict, 4, Rule::S2);
    let verdict = after(&writer, |image| image.row(11).record.signatures.clear());
    assert_broken(&verdict, 11, Rule::S2);
    // Twice the same signature.
    let verdict = after(&writer, |image| {
        let signature = image.record(4).signatures[0];
        image.row(4).record.signatures.push(signature);
    });
    assert_broken(&verdict, 4, Rule::S2);
    // A good one, and one by a key that the log does not name.
    let stranger = SecretKey::from_seed(&[99; 32]);
    let verdict = after(&writer, |image| {
        let message = pae(PAYLOAD_TYPE, &image.record(4).statement);
        let signature = (stranger.public().id(), stranger.sign(&message).unwrap());
        image.row(4).record.signatures.push(signature);
    });
    assert_broken(&verdict, 4, Rule::S2);
    // A second one by another key of the log is allowed, but not in front.
    let operator = (
        writer.keys.operator.public().id(),
        writer
            .keys
            .operator
            .sign(&pae(PAYLOAD_TYPE, &writer.image.record(4).statement))
            .unwrap(),
    );
    let verdict = after(&writer, |image| {
        image.row(4).record.signatures.push(operator)
    });
    assert_eq!(verdict.exit_code(), 3);
    let verdict = after(&writer, |image| {
        image.row(4).record.signatures.insert(0, operator)
    });
    assert_broken(&verdict, 4, Rule::S3);
    // All signatures of all records.
    let verdict = after(&writer, |image| {
        (0..12).for_each(|at| image.row(at).record.signatures.clear());
    });
    assert_broken(&verdict, 0, Rule::S2);
}

#[test]
fn tamper_09_a_log_signed_again() {
    let writer = golden();
    let forged = Writer::new(8, "example.com/golden");
    let verdict = forged.image.verdict(&writer.trusted());
    assert_eq!(
        verdict.to_string(),
        "cannot verify: self-consistent, signer not trusted"
    );
    assert_eq!(verdict.exit_code(), 2);
    // Nor is one that adds a role to a key that is known.
    let mut keys = TrustedKeys::new();
    for (key, roles) in writer.trusted().iter() {
        let fewer = if roles.contains(&Role::Operator) {
            Role::Gate
        } else {
            *roles.first().unwrap()
        };
        keys.add(key.clone(), [fewer].into()).unwrap();
    }
    assert_eq!(writer.image.verdict(&keys).exit_code(), 2);
}

#[test]
fn tamper_11_an_older_snapshot() {
    let (writer, older) = cut();
    let head = writer.sign_checkpoint();
    let verdict = older.verify(&writer.trusted(), &[head]).verdict();
    assert_broken(&verdict, 8, Rule::S7);
}

#[test]
fn tamper_12_two_writers_on_copies() {
    // Two processes that did not know of each other went on after record 7.
    let (one, other) = forked();
    let keys = one.trusted();
    assert_eq!(one.image.record(7), other.image.record(7));
    assert_ne!(one.image.record(8), other.image.record(8));
    for image in [&one.image, &other.image] {
        assert_eq!(image.verdict(&keys).exit_code(), 3);
    }
    // What both wrote cannot be put into one log: the second of two records after the same one breaks it.
    for at in 8..12 {
        let verdict = after(&one, |image| image.rows[at] = other.image.rows[at].clone());
        let own = u64::try_from(at).unwrap();
        assert_broken(&verdict, own + u64::from(at == 8), Rule::S4);
        let verdict = after(&one, |image| {
            let mut second = other.image.clone().row(at).clone();
            second.record.seq = Seq::new(12);
            image.rows.push(Row::Record(Box::new(second)));
        });
        assert_broken(&verdict, 12, Rule::S4);
    }
    let verdict = after(&one, |image| {
        image.rows.splice(8.., other.image.rows[8..].to_vec());
    });
    assert_broken(&verdict, 9, Rule::S7);
    // Whoever has a head of the one finds the other.
    let head = one.sign_checkpoint();
    assert_broken(&other.image.verify(&keys, &[head]).verdict(), 11, Rule::S7);
}

#[test]
fn tamper_13_a_record_of_another_log() {
    let writer = golden();
    // Another log by the same keys.
    let mut other = Writer::new(9, "example.com/golden");
    other.keys = log_fixture::Keys::seeded(7);
    let entry = other.entry(Kind::PolicyAdopted, None, &[], &[]);
    other.commit(&[entry]);
    let verdict = after(&writer, |image| *image.row(1) = other.image.row(1).clone());
    assert_broken(&verdict, 1, Rule::S4);
    // Its checkpoint does not count for this one either, for it has another origin.
    let mut elsewhere = Writer::new(7, "example.com/elsewhere");
    let entry = elsewhere.entry(Kind::PolicyAdopted, None, &[], &[]);
    elsewhere.commit(&[entry]);
    let note = elsewhere.sign_checkpoint();
    let report = writer
        .image
        .verify(&writer.trusted(), std::slice::from_ref(&note));
    assert_eq!(
        report.verdict(),
        Verdict::IntactUnanchored {
            size: 12,
            anchored: 0
        }
    );
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    let verdict = after(&writer, |image| image.checkpoints[1].1 = note);
    assert_broken(&verdict, 1, Rule::S7);
}

#[test]
fn tamper_14_a_signature_of_another_domain() {
    let writer = golden();
    let origin = writer.genesis.origin();
    let checkpoint = writer.chain.checkpoint(origin);
    let note = Note::parse(&writer.sign_checkpoint()).unwrap();
    let signature: [u8; 64] = note.signatures()[0].bytes.as_slice().try_into().unwrap();
    let signature = Signature::from_bytes(signature);
    let key = writer.keys.checkpoint.public();
    let text = checkpoint.text();
    assert!(key.verify(text.as_bytes(), &signature).is_ok());
    assert!(
        key.verify(&pae(PAYLOAD_TYPE, text.as_bytes()), &signature)
            .is_err()
    );
    // And a checkpoint by a record key is none, although the log names that key.
    let forged = checkpoint.sign(&writer.keys.gate).unwrap();
    let verdict = after(&writer, |image| {
        image.checkpoints.last_mut().unwrap().1 = forged.clone()
    });
    assert_broken(&verdict, 11, Rule::S7);
    let report = writer.image.verify(&writer.trusted(), &[forged]);
    assert_eq!(report.anchored, 0);
}

#[test]
fn tamper_15_a_backdated_record() {
    let mut writer = golden();
    let entry = writer.entry(Kind::Clock, None, &[], &[]);
    let ts = writer.chain.ts().to_string();
    writer.commit_with(&[entry], |statement| {
        let text = String::from_utf8(statement.clone()).unwrap();
        let at = text.find(r#""ts":"2026"#).unwrap();
        let earlier = format!("{}2025{}", &text[..at + 6], &text[at + 10..]);
        *statement = earlier.into_bytes();
    });
    assert!(ts.starts_with("2026"));
    assert_broken(&resealed(writer, 12), 12, Rule::S5);
}

#[test]
fn tamper_18_ambiguous_bytes() {
    let cases: &[(&str, &str, Rule)] = &[
        (r#""v":1}"#, r#""v":1,"v":1}"#, Rule::F2),
        (r#""v":1}"#, r#""v": 1}"#, Rule::F2),
        (r#""v":1}"#, r#""v":1.0}"#, Rule::F2),
        (r#""v":1}"#, r#""v":01}"#, Rule::F2),
        (r#""micros":12"#, r#""micros":1.2e1"#, Rule::F2),
        (r#""micros":12"#, r#""micros":12.5"#, Rule::F8),
        (r#""micros":12"#, r#""micros":1e+30"#, Rule::F8),
        (r#""micros":12"#, r#""micros":9007199254740993"#, Rule::F2),
        (r#""micros":12"#, r#""micros":-0"#, Rule::F2),
        (r#""micros":12"#, r#""micros":NaN"#, Rule::F2),
        (r#""micros":12"#, r#""micros":"\ud800""#, Rule::F2),
        (r#""micros":12"#, r#""micros":"\u0041""#, Rule::F2),
        (r#""micros":12"#, r#""micros":12,"a":1"#, Rule::F2),
        (r#""enforced":true"#, r#""enforced":1"#, Rule::F5),
        (r#""enforced":true,"#, "", Rule::F5),
        (
            r#""enforced":true"#,
            r#""enforced":true,"extra":1"#,
            Rule::F5,
        ),
        (r#""enforced":true"#, r#""enforced":false"#, Rule::M9),
        (
            r#""enforced":true"#,
            r#""crit":[],"enforced":true"#,
            Rule::F5,
        ),
        (
            r#""enforced":true"#,
            r#""crit":["b","a"],"enforced":true"#,
            Rule::F5,
        ),
        (r#""kind":"revoked""#, r#""kind":"clock""#, Rule::F5),
        (r#""kind":"revoked""#, r#""kind":"genesis""#, Rule::F5),
        (r#"Statement/v1"#, r#"Statement/v2"#, Rule::F3),
        (r#"record/v1"#, r#"record/v2"#, Rule::F3),
        (r#"{"_type""#, r#"{"Z":1,"_type""#, Rule::F3),
        (r#""name":"request:"#, r#""name":"Request:"#, Rule::F4),
        (
            r#""name":"request:"#,
            r#""extra":1,"name":"request:"#,
            Rule::F4,
        ),
        (r#""_sd":["#, r#""_sd":["AA","#, Rule::F7),
        (r#"Z","v""#, r#"z","v""#, Rule::F5),
        (r#"Z","v""#, r#"+00:00","v""#, Rule::F5),
    ];
    for (from, to, rule) in cases {
        let verdict = written(|text| text.replacen(from, to, 1));
        match &verdict {
            Verdict::Broken(broken) if broken.rule == *rule && broken.seq.get() == 12 => {}
            other => panic!("{from} to {to}: {other}"),
        }
    }
    assert_broken(&written(|text| format!("{text}\n")), 12, Rule::F2);
    assert_broken(&written(|text| format!("\u{feff}{text}")), 12, Rule::F2);
    assert_broken(&written(|text| text.replacen('{', "{ ", 1)), 12, Rule::F2);
    let long = "x".repeat(49_152);
    assert_broken(
        &written(|text| text.replace("12", &format!("\"{long}\""))),
        12,
        Rule::F1,
    );
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    assert_broken(
        &written(|text| text.replacen(":12", &format!(":{deep}"), 1)),
        12,
        Rule::F2,
    );
    // Digests out of order, and one twice.
    let digests = |text: &str| -> (String, String) {
        let from = text.find(r#""_sd":["#).unwrap() + 7;
        (
            text[from..from + 45].to_owned(),
            text[from + 46..from + 91].to_owned(),
        )
    };
    let swapped = written(|text| {
        let (one, other) = digests(text);
        text.replace(&format!("{one},{other}"), &format!("{other},{one}"))
    });
    assert_broken(&swapped, 12, Rule::F7);
    let doubled = written(|text| {
        let (one, other) = digests(text);
        text.replace(&format!("{one},{other}"), &format!("{one},{one},{other}"))
    });
    assert_broken(&doubled, 12, Rule::F7);
}

#[test]
fn tamper_27_an_unknown_version() {
    let verdict = written(|text| text.replace(r#""v":1}"#, r#""v":2}"#));
    assert_eq!(
        verdict.to_string(),
        "cannot verify: record 12 is not judged: its version is 2"
    );
    let verdict = written(|text| {
        let text = text.replace(r#""enforced":true"#, r#""enforced":"maybe""#);
        text.replace(r#""v":1}"#, r#""v":2}"#)
    });
    assert_eq!(verdict.exit_code(), 2);
    let verdict = written(|text| text.replace(r#""kind":"revoked""#, r#""kind":"danced""#));
    assert_eq!(verdict.exit_code(), 2);
    let verdict = written(|text| text.replace(r#""enforced""#, r#""crit":["x"],"enforced""#));
    assert_eq!(verdict.exit_code(), 2);

    // What is broken behind it is found, and outweighs it.
    let mut writer = golden();
    let mut strange = writer.entry(Kind::Clock, None, &[], &[]);
    strange.crit = vec!["sealed".to_owned()];
    let plain = writer.entry(Kind::Clock, None, &[], &[]);
    writer.commit(&[strange, plain]);
    assert_eq!(writer.image.verdict(&writer.trusted()).exit_code(), 2);
    let verdict = after(&writer, |image| image.row(13).record.signatures.clear());
    assert_broken(&verdict, 13, Rule::S2);
    // It does not stand in for its own signature or place either.
    let verdict = after(&writer, |image| image.row(12).record.signatures.clear());
    assert_broken(&verdict, 12, Rule::S2);
    // And what is reserved is said not to be judged.
    let frozen = writer.entry(Kind::Frozen, None, &[], &[]);
    writer.commit(&[frozen]);
    let report = writer.image.verify(&writer.trusted(), &[]);
    let note = "record 14 is not judged: bodies of kind frozen are reserved";
    assert!(
        report.notes.iter().any(|said| said == note),
        "{:?}",
        report.notes
    );
}

#[test]
fn tamper_28_an_empty_log() {
    let writer = golden();
    let keys = writer.trusted();
    let nothing = Image::empty();
    assert_eq!(
        nothing.verdict(&keys).to_string(),
        "cannot verify: the log is empty"
    );
    // Where something was expected, it is broken.
    let outside = writer.sign_checkpoint();
    assert_broken(&nothing.verify(&keys, &[outside]).verdict(), 0, Rule::S7);
    assert_broken(&after(&writer, |image| image.rows.clear()), 0, Rule::S7);
    let verdict = after(&writer, |image| {
        image.rows.clear();
        image.checkpoints.clear();
        image.disclosures.clear();
    });
    assert_broken(&verdict, 0, Rule::S8);
}

#[test]
fn tamper_29_a_missing_disclosure() {
    let mut writer = golden();
    for at in 0..writer.image.disclosures.len() {
        let seq = writer.image.disclosures[at].0.get();
        let verdict = after(&writer, |image| drop(image.disclosures.remove(at)));
        assert_broken(&verdict, seq, Rule::S9);
    }
    // An erasing record that names it excuses it, and no other.
    let named = Disclosure::parse(&writer.image.disclosures[0].1).unwrap();
    let digests = vec![Json::from(named.digest().to_string())];
    let clear = [("digests", Json::from(digests))];
    let erased = writer.entry(Kind::Erased, None, &clear, &[("reason", "asked for")]);
    writer.commit(std::slice::from_ref(&erased));
    let size = writer.chain.size();
    let verdict = after(&writer, |image| drop(image.disclosures.remove(0)));
    assert_eq!(verdict, Verdict::IntactUnanchored { size, anchored: 0 });
    let other = writer.image.disclosures[1].0.get();
    let verdict = after(&writer, |image| drop(image.disclosures.drain(..2)));
    assert_broken(&verdict, other, Rule::S9);
    // What is said to be erased is gone, and is erased once.
    assert_broken(
        &writer.image.verdict(&writer.trusted()),
        size - 1,
        Rule::S13,
    );
    let again = writer.entry(Kind::Erased, None, &clear, &[("reason", "asked for")]);
    writer.commit(&[again]);
    let verdict = after(&writer, |image| drop(image.disclosures.remove(0)));
    assert_broken(&verdict, size, Rule::S13);
}

#[test]
fn tamper_30_a_swapped_disclosure() {
    let writer = golden();
    let of = |image: &Image, seq: u64| {
        let filed = |(at, _): &(Seq, String)| at.get() == seq;
        image.disclosures.iter().position(filed).unwrap()
    };
    // Between two records.
    let verdict = after(&writer, |image| {
        let (one, other) = (of(image, 2), of(image, 3));
        let text = image.disclosures[one].1.clone();
        image.disclosures[one].1 = image.disclosures[other].1.clone();
        image.disclosures[other].1 = text;
    });
    assert_broken(&verdict, 2, Rule::S9);
    // To a record that hides nothing, or that is not there.
    let verdict = after(&writer, |image| {
        let text = image.disclosures[of(image, 4)].1.clone();
        image.disclosures.insert(0, (Seq::new(1), text));
    });
    assert_broken(&verdict, 1, Rule::S9);
    let verdict = after(&writer, |image| {
        let text = image.disclosures[of(image, 4)].1.clone();
        image.disclosures.push((Seq::new(400), text));
    });
    assert_broken(&verdict, 400, Rule::S9);
    // Twice.
    let verdict = after(&writer, |image| {
        let at = of(image, 4);
        let again = image.disclosures[at].clone();
        image.disclosures.insert(at, again);
    });
    assert_broken(&verdict, 4, Rule::S9);
    // Another value in its place, and no disclosure at all.
    let verdict = after(&writer, |image| {
        let at = of(image, 4);
        let text = &mut image.disclosures[at].1;
        let last = text.pop().unwrap();
        text.push(if last == 'A' { 'B' } else { 'A' });
    });
    assert!(
        matches!(&verdict, Verdict::Broken(broken) if broken.seq.get() == 4),
        "{verdict}"
    );
}

#[test]
fn tamper_32_verifying_writes_nothing() {
    // A reader can only be asked, and `Image::verify` compares it with what it was before. A log without
    // a head, without keys, or of nothing at all is judged as it is: nothing is made to fill the gap.
    let writer = golden();
    let keys = TrustedKeys::new();
    assert_eq!(writer.image.verdict(&keys).exit_code(), 2);
    let mut image = writer.image.clone();
    image.head = HeadRow::Missing;
    assert_eq!(image.verdict(&writer.trusted()).exit_code(), 1);
    assert_eq!(Image::empty().verdict(&keys).exit_code(), 2);
}

#[test]
fn tamper_33_a_torn_batch() {
    let writer = golden();
    let of = |image: &Image, from: u64| {
        let beyond = |(seq, _): &&(Seq, String)| seq.get() >= from;
        image.disclosures.iter().filter(beyond).count()
    };
    // The last batch has the records 8 to 11. Some of them are there, with or without what goes with them.
    for kept in 8..12 {
        let torn = |image: &mut Image| {
            image.rows.truncate(usize::try_from(kept).unwrap());
            image.disclosures.retain(|(seq, _)| seq.get() < kept);
        };
        // The head row and the checkpoint were written first.
        assert_broken(&after(&writer, torn), 8, Rule::S7);
        // The checkpoint was not written yet.
        let verdict = after(&writer, |image| {
            torn(image);
            image.checkpoints.pop();
        });
        let rule = if kept == 8 { Rule::S8 } else { Rule::S7 };
        assert_broken(&verdict, 8, rule);
    }
    // All records, and not yet their checkpoint, or not yet the head row.
    let verdict = after(&writer, |image| drop(image.checkpoints.pop()));
    assert_broken(&verdict, 8, Rule::S7);
    let head = cut().1.head;
    let verdict = after(&writer, |image| image.head = head.clone());
    assert_broken(&verdict, 11, Rule::S8);
    // All records, and not yet their disclosures.
    assert!(of(&writer.image, 8) > 0);
    let verdict = after(&writer, |image| {
        image.disclosures.retain(|(seq, _)| seq.get() < 8);
    });
    assert_broken(&verdict, 8, Rule::S9);
    // A record of which but the beginning was written.
    for length in [0, 1, 100] {
        let verdict = after(&writer, |image| {
            image.row(11).record.statement.truncate(length);
        });
        assert!(
            matches!(&verdict, Verdict::Broken(broken) if broken.seq.get() == 11),
            "{verdict}"
        );
    }
}

//! A receipt proves one record to whoever has the keys, shows what was chosen to be shown, and has one spelling.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use std::{num::NonZeroU32, ops::Range};

use countersign::{
    action::Disclosure,
    canonical::{Json, Object},
    log::{
        CheckpointError, ConsistencyProof, Entry, HeadRow, InclusionProof, Kind, LogReader,
        ProofError, ProveRecordError, ReadError, Receipt, ReceiptError, Row, Seq, StoredTree,
        Subtree, TreeSize, leaf_hash, prove_consistency, prove_record, stored_disclosures,
    },
};
use log_fixture::{Image, Writer, golden};
use proptest::prelude::*;

/// The record that `paid` writes.
const PAID: Seq = Seq::new(1);

/// An entry that hides members in its body, in an object of it and in an object in an array of it.
fn payment(writer: &mut Writer) -> Entry {
    let (parameters, mut hidden) = writer.body(&[], &[("amount", "500"), ("to", "rita")]);
    let (resource, more) = writer.body(&[("type", "account".into())], &[("id", "DE02/1~2")]);
    hidden.extend(more);
    let bound = Object::new()
        .with("parameters", parameters)
        .with("resources", vec![Json::from(resource)]);
    let own = [("because", "the invoice"), ("reason", "a person decides")];
    let mut entry = writer.entry(Kind::Requested, Some(9), &[("bound", bound.into())], &own);
    entry.disclosures.extend(hidden);
    entry
}

fn paid() -> Writer {
    let mut writer = Writer::new(5, "example.com/paid");
    let entries = [payment(&mut writer), payment(&mut writer)];
    writer.commit(&entries);
    writer
}

/// The receipt of the payment with all that it hides.
fn open_receipt(writer: &Writer) -> Receipt {
    let mut image = writer.image.clone();
    let receipt = prove_record(&mut image, PAID, TreeSize::Newest).unwrap();
    assert!(receipt.disclosures.is_empty(), "nobody chose any");
    receipt
        .with_disclosures(stored_disclosures(&mut image, PAID).unwrap())
        .unwrap()
}

fn text(receipt: &Receipt) -> String {
    String::from_utf8(receipt.to_bytes()).unwrap()
}

fn read(text: &str) -> Result<Receipt, ReceiptError> {
    Receipt::from_bytes(text.as_bytes())
}

#[test]
fn the_first_part_is_a_tlog_proof_and_the_second_a_dsse_envelope() {
    let writer = paid();
    let receipt = open_receipt(&writer);
    let text = text(&receipt);
    let (proof, rest) = text.split_at(text.rfind("\n\n").unwrap() + 1);
    assert_eq!(proof.as_bytes(), receipt.to_tlog_proof());
    // As C2SP's tlog-proof has it.
    let (head, checkpoint) = proof.split_once("\n\n").unwrap();
    let lines: Vec<&str> = head.split('\n').collect();
    assert_eq!(lines[..2], ["c2sp.org/tlog-proof@v1", "index 1"]);
    assert_eq!(lines[2..].len(), receipt.path.len());
    assert!(lines[2..].iter().all(|line| line.len() == 44));
    let last = &writer.image.checkpoints.last().unwrap().1;
    assert_eq!(checkpoint.as_bytes(), last);

    let lines: Vec<&str> = rest.strip_prefix('\n').unwrap().lines().collect();
    let envelope = countersign::log::Envelope::parse(lines[0].as_bytes()).unwrap();
    assert_eq!(envelope.payload, writer.image.record(1).statement);
    // The proof's entry is the payload.
    let proof = InclusionProof {
        index: 1,
        size: 3,
        path: receipt.path.clone(),
    };
    let root = writer.chain.checkpoint(writer.genesis.origin()).root;
    assert_eq!(proof.verify(&leaf_hash(&envelope.payload), &root), Ok(()));
    assert_eq!(lines.len(), 1 + 5);
    assert_eq!(read(&text).unwrap(), receipt);
}

#[test]
fn a_receipt_shows_what_was_chosen_and_nothing_else() {
    let writer = paid();
    let keys = writer.trusted();
    let all = open_receipt(&writer);
    let verified = all.verify_with_keys(&keys).unwrap();
    let mut pointers: Vec<String> = verified.members().iter().map(|one| one.pointer()).collect();
    pointers.sort();
    let expected = [
        "/because",
        "/bound/parameters/amount",
        "/bound/parameters/to",
        "/bound/resources/0/id",
        "/reason",
    ];
    assert_eq!(pointers, expected);
    assert_eq!(verified.withheld(), 0);

    let chosen = ["/bound/parameters/to", "/bound/resources/0/id"];
    let some = all
        .clone()
        .disclosing_only(|pointer| chosen.contains(&pointer));
    let shared = text(&some.unwrap());
    // Whoever is given the file learns the two values and that there are three more.
    let verified = read(&shared).unwrap().verify_with_keys(&keys).unwrap();
    assert_eq!(verified.record().seq(), PAID);
    assert_eq!(verified.withheld(), 3);
    let to = Json::from("rita");
    assert_eq!(verified.member("/bound/parameters/to"), Some(&to));
    assert_eq!(verified.member("/bound/parameters/amount"), None);
    let [to, id] = verified.members() else {
        panic!("{verified:?}")
    };
    assert_eq!((to.object(), to.name()), ("/bound/parameters", "to"));
    assert_eq!((id.object(), id.name()), ("/bound/resources/0", "id"));
    assert_eq!(id.value(), &Json::from("DE02/1~2"));
    for one in &all.disclosures {
        let name = one.open().unwrap().name;
        let given = ["to", "id"].contains(&name.as_str());
        assert_eq!(shared.contains(one.as_str()), given, "{name}");
    }
    let printed = format!("{verified:?}");
    assert!(!printed.contains("rita"), "{printed}");

    let none = all.disclosing_only(|_| false).unwrap();
    let verified = none.verify_with_keys(&keys).unwrap();
    assert_eq!((verified.members().len(), verified.withheld()), (0, 5));
}

#[test]
fn a_disclosure_of_something_else_is_refused() {
    let writer = paid();
    let keys = writer.trusted();
    let all = open_receipt(&writer);
    // The same members of the next record, with other salts.
    let mut image = writer.image.clone();
    let foreign = stored_disclosures(&mut image, Seq::new(2)).unwrap();
    let put = |change: &dyn Fn(&mut Vec<Disclosure>)| {
        let mut receipt = all.clone();
        change(&mut receipt.disclosures);
        let parsed = Receipt::from_bytes(&receipt.to_bytes());
        assert!(parsed.is_err(), "{parsed:?}");
        receipt.verify_with_keys(&keys).unwrap_err()
    };
    assert_eq!(
        put(&|all| all.push(foreign[0].clone())),
        ReceiptError::Stray
    );
    assert_eq!(put(&|all| all[0] = foreign[0].clone()), ReceiptError::Stray);
    assert_eq!(put(&|all| all.push(all[0].clone())), ReceiptError::Repeated);
    let again = [all.disclosures[0].clone()];
    let refused = all.clone().with_disclosures(again).unwrap_err();
    assert_eq!(refused, ReceiptError::Repeated);
    let refused = all.with_disclosures(foreign).unwrap_err();
    assert_eq!(refused, ReceiptError::Stray);
}

#[test]
fn a_member_that_collides_with_another_is_refused() {
    for clear in [&[("comment", Json::from("clear"))][..], &[]] {
        let mut writer = Writer::new(6, "example.com/colliding");
        let hidden = [("comment", "hidden"), ("comment", "hidden again")];
        let entry = writer.entry(Kind::Revoked, Some(2), clear, &hidden[clear.len()..]);
        writer.commit(&[entry]);
        let mut image = writer.image.clone();
        let receipt = prove_record(&mut image, PAID, TreeSize::Newest).unwrap();
        assert!(receipt.verify_with_keys(&writer.trusted()).is_ok());
        let disclosures = stored_disclosures(&mut image, PAID).unwrap();
        let refused = receipt.with_disclosures(disclosures).unwrap_err();
        assert_eq!(refused, ReceiptError::Colliding);
    }
}

#[test]
fn a_receipt_has_one_spelling() {
    let writer = paid();
    let good = text(&open_receipt(&writer));
    assert!(read(&good).is_ok());
    let lines: Vec<&str> = good.lines().collect();
    let hash = lines[2];
    let blank = good.find("\n\n").unwrap();
    let last = good.rfind("\n\n").unwrap();
    let swapped = |at: usize| {
        let mut lines = lines.clone();
        lines.swap(at, at + 1);
        lines.join("\n") + "\n"
    };
    let loose = |line: &str| {
        // The last character before the padding has bits that no byte fills.
        let at = line.find('=').unwrap() - 1;
        let next = char::from(line.as_bytes()[at] + 1);
        format!("{}{next}{}", &line[..at], &line[at + 1..])
    };
    let wrong = [
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good} \n"),
        format!("\n{good}"),
        format!("\u{feff}{good}"),
        format!("{good}x"),
        good.replacen("@v1", "@v2", 1),
        good.replacen("index 1", "index 01", 1),
        good.replacen("index 1", "index +1", 1),
        good.replacen("index 1", "index 2", 1),
        good.replacen("index 1", "index 1 ", 1),
        good.replacen("index 1", "extra AAAA\nindex 1", 1),
        good.replacen("index 1\n", "", 1),
        good.replacen(hash, &loose(hash), 1),
        good.replacen(hash, &hash[..43], 1),
        good.replacen(hash, &format!("{hash}\n\n{hash}"), 1),
        format!("{}\n{}", &good[..blank], &good[blank..]),
        format!("{}\n{}", &good[..last], &good[last..]),
        format!("{}{}", &good[..blank], &good[blank + 1..]),
        format!("{}{}", &good[..last], &good[last + 1..]),
        good.replacen("\n3\n", "\n03\n", 1),
        good.replacen("\n3\n", "\n9007199254740992\n", 1),
        good.replacen(r#"{"payload":"#, r#"{ "payload":"#, 1),
        good.replacen(r#""payloadType":""#, r#""payloadType":"\u0061"#, 1),
        good.replacen(
            "application/vnd.in-toto+json",
            "application\\/vnd.in-toto+json",
            1,
        ),
        // Two disclosures, the envelope and the first of them, the envelope and nothing.
        swapped(lines.len() - 2),
        swapped(lines.len() - 6),
        good[..last + 2].to_owned(),
    ];
    for (case, text) in wrong.iter().enumerate() {
        assert_ne!(*text, good, "case {case} changes nothing");
        assert!(read(text).is_err(), "case {case}: {text}");
    }
    let mut far = open_receipt(&writer);
    far.path = vec![far.path[0]; 53];
    assert!(read(&text(&far)).is_ok());
    far.path.push(far.path[0]);
    assert!(matches!(read(&text(&far)), Err(ReceiptError::Malformed(_))));
    let large = vec![b'\n'; (8 << 20) + 1];
    assert_eq!(Receipt::from_bytes(&large), Err(ReceiptError::TooLarge));
}

#[test]
fn every_bit_of_a_receipt_counts_and_no_part_of_it_is_enough() {
    let writer = paid();
    let keys = writer.trusted();
    let good = open_receipt(&writer).to_bytes();
    let sound = |bytes: &[u8]| {
        Receipt::from_bytes(bytes).is_ok_and(|it| it.verify_with_keys(&keys).is_ok())
    };
    assert!(sound(&good));
    // Cut after a disclosure or before the first of them, it is a receipt that shows less; cut elsewhere it is none.
    let last = good.windows(2).rposition(|pair| pair == b"\n\n").unwrap();
    for length in 0..good.len() {
        let whole_line = length > last + 2 && good[length - 1] == b'\n';
        assert_eq!(sound(&good[..length]), whole_line, "{length} bytes");
    }
    for at in 0..good.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = good.clone();
            changed[at] ^= bit;
            assert!(!sound(&changed), "bit {bit:02x} of byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn what_is_read_is_written_the_same(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8, any::<prop::sample::Index>()), 0..4),
        letter in "[A-Za-z0-9+/=_ \n{}\",-]{0,2}",
    ) {
        let good = text(&open_receipt(&paid()));
        let mut lines: Vec<String> = good.split('\n').map(str::to_owned).collect();
        for (place, what, other) in edits {
            let (at, other) = (place.index(lines.len()), other.index(lines.len()));
            match what {
                0 => { lines.remove(at); }
                1 => lines.swap(at, other),
                2 => { let line = lines[other].clone(); lines.insert(at, line); }
                3 => lines[at].push_str(&letter),
                4 => lines[at].insert_str(0, &letter),
                _ => { lines[at].pop(); }
            }
            if lines.is_empty() { lines.push(String::new()); }
        }
        let changed = lines.join("\n");
        if let Ok(receipt) = read(&changed) {
            prop_assert_eq!(text(&receipt), changed);
        }
    }
}

#[test]
fn a_receipt_holds_under_a_later_checkpoint() {
    let mut writer = golden();
    let keys = writer.trusted();
    let early = {
        let mut image = writer.image.clone();
        prove_record(&mut image, Seq::new(4), TreeSize::Exactly(6)).unwrap()
    };
    let entry = writer.entry(Kind::Clock, None, &[("micros", 1.into())], &[]);
    writer.commit(&[entry]);
    let note = writer.sign_checkpoint();
    let mut image = writer.image.clone();
    let proof = prove_consistency(&StoredTree::of(&mut image), 6, 13).unwrap();

    let receipt = early.verify_with_keys(&keys).unwrap();
    assert_eq!(receipt.checkpoint().size, 6);
    let later = receipt.verify_later(&note, &proof, &keys).unwrap();
    assert_eq!(later, writer.chain.checkpoint(writer.genesis.origin()));
    // The checkpoint itself is its own continuation.
    let nothing = ConsistencyProof {
        old: 6,
        new: 6,
        path: Vec::new(),
    };
    let same = receipt.verify_later(&early.checkpoint, &nothing, &keys);
    assert_eq!(same.unwrap().size, 6);

    let refused = |change: &dyn Fn(&mut ConsistencyProof)| {
        let mut proof = proof.clone();
        change(&mut proof);
        receipt.verify_later(&note, &proof, &keys).unwrap_err()
    };
    let inconsistent = ReceiptError::Consistency;
    let root = later.root;
    assert_eq!(
        refused(&|proof| proof.path.push(root)),
        inconsistent(ProofError::WrongLength)
    );
    assert_eq!(
        refused(&|proof| proof.path.truncate(1)),
        inconsistent(ProofError::WrongLength)
    );
    assert_eq!(
        refused(&|proof| proof.path.reverse()),
        inconsistent(ProofError::WrongRoot)
    );
    for (old, new) in [(5, 13), (6, 12), (13, 6), (0, 13)] {
        let other = refused(&|proof| (proof.old, proof.new) = (old, new));
        assert_eq!(other, inconsistent(ProofError::OutOfRange));
    }
    // An honest proof between two other checkpoints of the log.
    let between = prove_consistency(&StoredTree::of(&mut image), 5, 13).unwrap();
    assert_eq!(
        receipt.verify_later(&note, &between, &keys).unwrap_err(),
        inconsistent(ProofError::OutOfRange)
    );

    // Somebody who has the keys has rewritten what came before.
    let mut forked = Writer::new(7, "example.com/golden");
    for _ in 1..13 {
        let entry = forked.entry(Kind::Clock, None, &[("micros", 2.into())], &[]);
        forked.commit(&[entry]);
    }
    assert_eq!(forked.trusted(), keys);
    let other = prove_consistency(&StoredTree::of(&mut forked.image.clone()), 6, 13).unwrap();
    assert_eq!(
        receipt.verify_later(&forked.sign_checkpoint(), &other, &keys),
        Err(inconsistent(ProofError::WrongRoot))
    );
    // Somebody else, or another log.
    let stranger = Writer::new(8, "example.com/golden").sign_checkpoint();
    let elsewhere = Writer::new(7, "example.com/other").sign_checkpoint();
    for note in [stranger, elsewhere, b"13".to_vec()] {
        let refused = receipt.verify_later(&note, &proof, &keys).unwrap_err();
        assert!(
            matches!(refused, ReceiptError::Checkpoint(_)),
            "{refused:?}"
        );
    }
}

#[test]
fn a_receipt_of_another_log_or_signer_is_refused() {
    let writer = golden();
    let receipt = log_fixture::receipt(&writer, 3);
    assert!(receipt.verify_with_keys(&writer.trusted()).is_ok());
    let stranger = Writer::new(8, "example.com/golden").trusted();
    assert!(receipt.verify_with_keys(&stranger).is_err());
    // A key of the log that signs records, and no checkpoints.
    let checkpoint = writer.chain.checkpoint(writer.genesis.origin());
    let mut unsigned = receipt;
    unsigned.checkpoint = checkpoint.sign(&writer.keys.gate).unwrap();
    assert!(matches!(
        unsigned.verify_with_keys(&writer.trusted()),
        Err(ReceiptError::Checkpoint(CheckpointError::Note(_)))
    ));
}

/// A log that counts what is read of it.
struct Counting {
    image: Image,
    rows: usize,
}

impl LogReader for Counting {
    fn head_row(&mut self) -> Result<HeadRow, ReadError> {
        self.rows += 1;
        self.image.head_row()
    }
    fn records(&mut self, from: Seq, limit: NonZeroU32) -> Result<Vec<Row>, ReadError> {
        let found = self.image.records(from, limit)?;
        self.rows += found.len();
        Ok(found)
    }
    fn checkpoints(&mut self, sizes: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let found = self.image.checkpoints(sizes)?;
        self.rows += found.len();
        Ok(found)
    }
    fn subtrees(&mut self, level: u8, places: Range<u64>) -> Result<Vec<Subtree>, ReadError> {
        let found = self.image.subtrees(level, places)?;
        self.rows += found.len();
        Ok(found)
    }
    fn disclosures(&mut self, records: Range<u64>) -> Result<Vec<(Seq, String)>, ReadError> {
        let found = self.image.disclosures(records)?;
        self.rows += found.len();
        Ok(found)
    }
}

#[test]
fn any_record_is_proven_in_any_tree_without_a_walk() {
    let mut writer = Writer::new(4, "example.com/long");
    for batch in 0..15 {
        let entries: Vec<_> = (0..200)
            .map(|number| {
                let micros = Json::from(1000 * batch + number);
                writer.entry(Kind::Clock, None, &[("micros", micros)], &[])
            })
            .collect();
        writer.commit(&entries);
    }
    let keys = writer.trusted();
    let size = writer.chain.size();
    assert_eq!(size, 3001);
    for seq in [0, 1, 255, 256, 1000, 2815, 2816, 2999, 3000] {
        for at in [
            TreeSize::Newest,
            TreeSize::Exactly(3001),
            TreeSize::Exactly(1001),
        ] {
            let mut reader = Counting {
                image: writer.image.clone(),
                rows: 0,
            };
            let receipt = prove_record(&mut reader, Seq::new(seq), at);
            let covered = at == TreeSize::Exactly(1001);
            if covered && seq >= 1001 {
                assert!(
                    matches!(receipt, Err(ProveRecordError::NoRecord(_))),
                    "{receipt:?}"
                );
                continue;
            }
            // The record, a checkpoint, two pieces of 256 leaves and the row of subtrees.
            assert!(reader.rows <= 2 + 512 + 11, "{} rows", reader.rows);
            let verified = receipt.unwrap().verify_with_keys(&keys).unwrap();
            assert_eq!(verified.record().seq(), Seq::new(seq));
            assert_eq!(
                verified.checkpoint().size,
                if covered { 1001 } else { size }
            );
        }
    }
    // An export has no head row.
    let mut image = writer.image.clone();
    image.head = HeadRow::NotKept;
    let receipt = prove_record(&mut image, Seq::new(7), TreeSize::Newest).unwrap();
    let verified = receipt.verify_with_keys(&keys).unwrap();
    assert_eq!(verified.checkpoint().size, size);
}

#[test]
fn what_does_not_make_a_proof_is_told_from_what_is_not_there() {
    let good = golden().image;
    let prove = |change: &dyn Fn(&mut Image), seq, size| {
        let mut image = good.clone();
        change(&mut image);
        prove_record(&mut image, Seq::new(seq), size)
    };
    let newest = TreeSize::Newest;
    assert!(prove(&|_| {}, 11, newest).is_ok());
    assert!(matches!(
        prove(&|_| {}, 12, newest),
        Err(ProveRecordError::NoRecord(_))
    ));
    assert!(matches!(
        prove(&|_| {}, u64::MAX, newest),
        Err(ProveRecordError::NoRecord(_))
    ));
    for size in [0, 7, 13, u64::MAX] {
        let missing = prove(&|_| {}, 0, TreeSize::Exactly(size));
        assert!(
            matches!(missing, Err(ProveRecordError::NoCheckpoint)),
            "{missing:?}"
        );
    }
    let nothing = prove(&|image| *image = Image::empty(), 0, newest);
    assert!(matches!(nothing, Err(ProveRecordError::Damaged(_))));
    let damages: [&dyn Fn(&mut Image); 7] = [
        &|image| image.row(3).record.leaf = leaf_hash(b"other"),
        &|image| image.row(5).record.statement.push(b' '),
        &|image| drop(image.rows.remove(5)),
        &|image| drop(image.rows.remove(3)),
        &|image| image.head = HeadRow::Missing,
        &|image| image.head = HeadRow::Stored(vec![1, 2, 3]),
        &|image| {
            let seq = Seq::new(5);
            let what = "`leaf` is 32 bytes";
            image.rows[5] = Row::Malformed { seq, what };
        },
    ];
    for (case, damage) in damages.iter().enumerate() {
        let damaged = prove(damage, 5, newest);
        assert!(
            matches!(damaged, Err(ProveRecordError::Damaged(_))),
            "case {case}: {damaged:?}"
        );
    }
    let misfiled = |image: &mut Image| image.checkpoints[3].0 = 7;
    let misfiled = prove(&misfiled, 0, TreeSize::Exactly(7));
    assert!(matches!(misfiled, Err(ProveRecordError::Damaged(_))));
}

//! A small log with fixed keys, byte for byte: what this version writes, and what every later one reads.
//!
//! After a deliberate change of the format, run with `COUNTERSIGN_WRITE_VECTORS=1` and look at the diff.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use countersign::{
    canonical::{Digest, Json},
    log::{
        Columns, Frontier, HeadRow, KeyId, Receipt, Row, RowRecord, Seq, Signature, Statement,
        StoredRecord, Verdict, leaf_hash, stored_disclosures,
    },
};
use log_fixture::{Image, Writer, golden, receipt};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/log/golden")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
}

/// Every file of the vectors, as the golden log has it.
fn written(writer: &Writer) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let (mut statements, mut signatures, mut tree) = (String::new(), String::new(), String::new());
    let mut frontier = Frontier::empty();
    for at in 0..writer.image.rows.len() {
        let record = writer.image.record(at);
        writeln!(statements, "{}", str::from_utf8(&record.statement).unwrap()).unwrap();
        for (key, signature) in &record.signatures {
            writeln!(signatures, "{at} {key} {}", hex(signature.as_bytes())).unwrap();
        }
        frontier.push(record.leaf);
        writeln!(tree, "{at} {} {}", record.leaf, frontier.root()).unwrap();
    }
    let mut disclosures = String::new();
    for (seq, text) in &writer.image.disclosures {
        writeln!(disclosures, "{seq} {text}").unwrap();
    }
    for (size, note) in &writer.image.checkpoints {
        let note = String::from_utf8(note.clone()).unwrap();
        files.insert(format!("checkpoint-{size:02}.txt"), note);
    }
    let HeadRow::Stored(head) = &writer.image.head else {
        panic!("no head")
    };
    let hidden = stored_disclosures(&mut writer.image.clone(), Seq::new(4)).unwrap();
    let receipt = receipt(writer, 4).with_disclosures(hidden).unwrap();
    let receipt = receipt.disclosing_only(|pointer| pointer == "/comment");
    let receipt = String::from_utf8(receipt.unwrap().to_bytes()).unwrap();
    files.insert("statements.jsonl".to_owned(), statements);
    files.insert("signatures.txt".to_owned(), signatures);
    files.insert("leaf-and-root.txt".to_owned(), tree);
    files.insert("disclosures.txt".to_owned(), disclosures);
    files.insert("keys.txt".to_owned(), writer.trusted().to_string());
    files.insert("head.txt".to_owned(), format!("{}\n", hex(head)));
    files.insert("record-04.receipt".to_owned(), receipt);
    files
}

#[test]
fn the_golden_log_is_written_as_ever() {
    let files = written(&golden());
    if std::env::var_os("COUNTERSIGN_WRITE_VECTORS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        for (name, content) in &files {
            fs::write(folder().join(name), content).unwrap();
        }
    }
    for (name, content) in &files {
        assert_eq!(read(name), *content, "{name}");
    }
    let kept = fs::read_dir(folder()).unwrap().count();
    assert_eq!(
        kept,
        files.len(),
        "a file of the vectors is no longer written"
    );
}

/// The stored log, put together from the files alone.
fn stored() -> Image {
    let mut signatures: BTreeMap<usize, Vec<(KeyId, Signature)>> = BTreeMap::new();
    for line in read("signatures.txt").lines() {
        let [seq, key, signature] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let signature = Signature::from_bytes(unhex(signature));
        let of = signatures.entry(seq.parse().unwrap()).or_default();
        of.push((KeyId::parse(key).unwrap(), signature));
    }
    let mut image = Image::empty();
    image.head = HeadRow::NotKept;
    for (at, line) in read("statements.jsonl").lines().enumerate() {
        let statement = Statement::parse(line.as_bytes()).unwrap();
        let record = StoredRecord {
            seq: Seq::new(at as u64),
            statement: line.as_bytes().to_vec(),
            signatures: signatures.remove(&at).unwrap(),
            leaf: leaf_hash(line.as_bytes()),
        };
        let columns = Columns {
            prev: statement.prev,
            kind: statement.kind.to_string(),
            request: statement.request,
            ts: statement.ts,
        };
        image
            .rows
            .push(Row::Record(Box::new(RowRecord { record, columns })));
    }
    for line in read("disclosures.txt").lines() {
        let (seq, text) = line.split_once(' ').unwrap();
        image
            .disclosures
            .push((Seq::new(seq.parse().unwrap()), text.to_owned()));
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(size) = name.strip_prefix("checkpoint-") {
            let size = size.strip_suffix(".txt").unwrap().parse().unwrap();
            image.checkpoints.push((size, read(&name).into_bytes()));
        }
    }
    image.checkpoints.sort();
    image
}

#[test]
fn the_golden_log_of_every_release_is_intact() {
    let image = stored();
    let keys = read("keys.txt").parse().unwrap();
    let last = image.checkpoints.last().unwrap().1.clone();
    let report = image.verify(&keys, &[last]);
    assert_eq!(report.verdict(), Verdict::IntactAnchored { size: 12 });
    assert_eq!(report.kinds.values().sum::<u64>(), 12);
    for line in read("leaf-and-root.txt").lines() {
        let columns: Vec<&str> = line.split(' ').collect();
        let leaf = image.record(columns[0].parse().unwrap()).leaf;
        assert_eq!(Digest::parse_hex(columns[1]), Ok(leaf));
    }
    let root = report.root.to_hex();
    assert!(read("leaf-and-root.txt").trim_end().ends_with(&root));

    let receipt = Receipt::from_bytes(read("record-04.receipt").as_bytes()).unwrap();
    let verified = receipt.verify_with_keys(&keys).unwrap();
    assert_eq!(verified.record().seq(), Seq::new(4));
    assert_eq!(verified.checkpoint().root, report.root);
    let comment = Json::from("as agreed — «gut»\n");
    assert_eq!(verified.member("/comment"), Some(&comment));
    assert_eq!(verified.withheld(), 1);
}

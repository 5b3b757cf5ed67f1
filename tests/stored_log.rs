//! A log that lies in a store is verified as it is, and what is done to the file behind the store's back is found.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;

use countersign::canonical::Json;
use countersign::log::{
    Depth, Frontier, Head, HeadRow, Kept, Kind, LogReader, ProveRecordError, Report, Row, Seq,
    Terms, TreeSize, Verdict, prove_record, stored_disclosures, verify_structure,
};
use countersign::store::{
    Batch, MemoryStore, NewRecord, SqliteStore, Step, Store, StoreError, StoreSecret,
};
use futures::executor::block_on;
use log_fixture::{Image, Writer, golden};
use rusqlite::Connection;
use tempfile::TempDir;

/// Writes a log into a store, batch by batch.
fn store(writer: &Writer, store: &dyn Store) {
    let image = &writer.image;
    let head = match &image.head {
        HeadRow::Stored(bytes) => Head::decode(bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    let (mut from, mut frontier) = (0, Frontier::empty());
    for (size, note) in &image.checkpoints {
        let rows: Vec<NewRecord> = image.rows[from..usize::try_from(*size).unwrap()]
            .iter()
            .map(|row| match row {
                Row::Record(row) => NewRecord {
                    record: row.record.clone(),
                    kind: Kind::parse(&row.columns.kind).unwrap(),
                    request: row.columns.request,
                    ts: row.columns.ts,
                    prev: row.columns.prev,
                },
                Row::Malformed { .. } => panic!("a malformed row"),
            })
            .collect();
        let mut subtrees = Vec::new();
        for row in &rows {
            subtrees.extend(frontier.push(row.record.leaf));
        }
        let last = rows.last().unwrap();
        let batch = Batch {
            subtrees,
            checkpoint: (*size, note.clone()),
            head: Head {
                log: head.log,
                size: *size,
                frontier: frontier.clone(),
                prev: last.record.leaf,
                ts: last.ts,
                checkpoint: note.clone(),
            },
            disclosures: image
                .disclosures
                .iter()
                .filter(|(seq, _)| (from as u64..*size).contains(&seq.get()))
                .map(|(seq, text)| (*seq, Kept::parse(text).unwrap()))
                .collect(),
            records: rows,
            moved: Vec::new(),
            rows: Vec::new(),
            secret: (from == 0).then(|| StoreSecret::from_bytes([1; 32])),
        };
        from = usize::try_from(*size).unwrap();
        block_on(store.append(Step::new(BTreeSet::new(), |_| Ok(batch)))).unwrap();
    }
}

/// A log of several levels.
fn long() -> Writer {
    let mut writer = Writer::new(3, "example.com/long");
    for batch in 0..7 {
        let entries: Vec<_> = (0..100)
            .map(|number| {
                let micros = Json::from(1000 * batch + number);
                writer.entry(Kind::Clock, None, &[("micros", micros)], &[("note", "n")])
            })
            .collect();
        writer.commit(&entries);
    }
    writer
}

fn image(reader: &mut dyn LogReader) -> Image {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let more = reader
            .records(Seq::new(rows.len() as u64), NonZeroU32::new(64).unwrap())
            .unwrap();
        if more.is_empty() {
            break;
        }
        rows.extend(more);
    }
    Image {
        rows,
        checkpoints: reader.checkpoints(0..u64::MAX).unwrap(),
        subtrees: reader.subtrees(1, 0..u64::MAX).unwrap(),
        disclosures: reader.disclosures(0..u64::MAX).unwrap(),
        head: reader.head_row().unwrap(),
    }
}

fn verify(writer: &Writer, reader: &mut (dyn LogReader + Send)) -> Report {
    let keys = writer.trusted();
    let anchors = [writer.sign_checkpoint()];
    let terms = Terms {
        keys: Some(&keys),
        anchors: &anchors,
        depth: Depth::Signatures,
        ..Terms::default()
    };
    verify_structure(reader, &terms, &mut |_| {}, &mut |_, _| {})
}

/// A file with the golden log, closed.
fn file() -> (TempDir, PathBuf, Writer) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    let writer = golden();
    store(&writer, &SqliteStore::create(&path).unwrap());
    (folder, path, writer)
}

#[test]
fn a_log_is_read_as_it_was_written() {
    for writer in [golden(), long()] {
        let memory = MemoryStore::new();
        store(&writer, &memory);
        assert_eq!(image(&mut memory.log_reader()), writer.image);

        let folder = TempDir::new().unwrap();
        let path = folder.path().join("log.db");
        let sqlite = SqliteStore::create(&path).unwrap();
        store(&writer, &sqlite);
        assert_eq!(image(&mut sqlite.log_reader().unwrap()), writer.image);
        drop(sqlite);
        let sqlite = SqliteStore::open_read_only(&path).unwrap();
        let mut reader = sqlite.log_reader().unwrap();
        assert_eq!(image(&mut reader), writer.image);
        let verdict = verify(&writer, &mut reader).verdict();
        assert!(
            matches!(verdict, Verdict::IntactAnchored { .. }),
            "{verdict:?}"
        );
        let verdict = verify(&writer, &mut memory.log_reader()).verdict();
        assert!(
            matches!(verdict, Verdict::IntactAnchored { .. }),
            "{verdict:?}"
        );
    }
}

#[test]
fn every_store_gives_the_same_receipts() {
    for writer in [golden(), long()] {
        let memory = MemoryStore::new();
        store(&writer, &memory);
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("log.db");
        store(&writer, &SqliteStore::create(&path).unwrap());
        let sqlite = SqliteStore::open_read_only(&path).unwrap();
        let (mut memory, mut sqlite) = (memory.log_reader(), sqlite.log_reader().unwrap());
        let size = writer.chain.size();
        let keys = writer.trusted();
        for seq in (0..size).step_by(10).map(Seq::new) {
            for (of, _) in &writer.image.checkpoints {
                if seq.get() >= *of {
                    continue;
                }
                let of = TreeSize::Exactly(*of);
                let receipt = prove_record(&mut sqlite, seq, of).unwrap();
                assert_eq!(receipt, prove_record(&mut memory, seq, of).unwrap());
                assert!(receipt.verify_with_keys(&keys).is_ok());
            }
            let newest = prove_record(&mut sqlite, seq, TreeSize::Newest).unwrap();
            let last = prove_record(&mut memory, seq, TreeSize::Exactly(size)).unwrap();
            assert_eq!(newest, last);
            let disclosures = stored_disclosures(&mut sqlite, seq).unwrap();
            let open = newest.with_disclosures(disclosures).unwrap();
            let verified = open.verify_with_keys(&keys).unwrap();
            assert_eq!(verified.withheld(), 0);
        }
    }
}

#[test]
fn a_record_beside_a_changed_row_has_no_receipt() {
    for sql in [
        "UPDATE record SET leaf = zeroblob(32) WHERE seq = 3",
        "UPDATE record SET leaf = x'00' WHERE seq = 3",
        "DELETE FROM record WHERE seq = 3",
    ] {
        let (_folder, path, _) = file();
        Connection::open(&path).unwrap().execute(sql, []).unwrap();
        let sqlite = SqliteStore::open_read_only(&path).unwrap();
        let mut reader = sqlite.log_reader().unwrap();
        let refused = prove_record(&mut reader, Seq::new(5), TreeSize::Newest);
        assert!(
            matches!(refused, Err(ProveRecordError::Damaged(_))),
            "{sql}: {refused:?}"
        );
    }
}

#[test]
fn a_snapshot_shows_nothing_that_is_committed_later() {
    let (_folder, path, writer) = file();
    let sqlite = SqliteStore::open(&path).unwrap();
    let mut reader = sqlite.log_reader().unwrap();
    countersign::store::conformance::append_from(&sqlite, "later", 3).unwrap_err();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("DELETE FROM record WHERE seq > 3; DELETE FROM head")
        .unwrap();
    assert_eq!(image(&mut reader), writer.image);
}

#[test]
fn what_is_done_to_the_file_is_found() {
    for (change, seq) in [
        (
            "UPDATE record SET statement = CAST(replace(CAST(statement AS TEXT), 'approve', 'opprove') AS BLOB) WHERE seq = 4",
            4,
        ),
        ("UPDATE record SET ts = ts + 1 WHERE seq = 5", 5),
        ("UPDATE record SET kind = 'clock' WHERE seq = 2", 2),
        ("UPDATE record SET request = NULL WHERE seq = 2", 2),
        ("UPDATE record SET request = x'00' WHERE seq = 2", 2),
        ("UPDATE record SET signatures = x'' WHERE seq = 3", 3),
        (
            "UPDATE record SET signatures = substr(signatures, 1, 95) WHERE seq = 3",
            3,
        ),
        ("UPDATE record SET prev = randomblob(32) WHERE seq = 6", 6),
        ("UPDATE record SET leaf = randomblob(31) WHERE seq = 6", 6),
        ("UPDATE record SET ts = -1 WHERE seq = 6", 6),
        ("DELETE FROM record WHERE seq = 7", 7),
        ("DELETE FROM disclosure WHERE place / 4096 = 4", 4),
        (
            "UPDATE disclosure SET text = 'WyJhIl0' WHERE place = 4 * 4096",
            4,
        ),
        (
            "INSERT INTO record SELECT 12, randomblob(32), leaf, kind, request, ts, signatures, statement FROM record WHERE seq = 11",
            12,
        ),
    ] {
        let (_folder, path, writer) = file();
        Connection::open(&path)
            .unwrap()
            .execute_batch(change)
            .unwrap();
        let sqlite = SqliteStore::open_read_only(&path).unwrap();
        match verify(&writer, &mut sqlite.log_reader().unwrap()).verdict() {
            Verdict::Broken(broken) => assert_eq!(broken.seq.get(), seq, "{change}: {broken:?}"),
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[test]
fn a_store_whose_head_was_changed_is_not_appended_to_in_silence() {
    let (_folder, path, _writer) = file();
    Connection::open(&path)
        .unwrap()
        .execute_batch("UPDATE head SET state = x'00'")
        .unwrap();
    let sqlite = SqliteStore::open(&path).unwrap();
    assert!(matches!(
        block_on(sqlite.head()),
        Err(StoreError::Corrupt { .. })
    ));
    let refused = block_on(sqlite.append(Step::new(BTreeSet::new(), |_| panic!("never called"))));
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
}

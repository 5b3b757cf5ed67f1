//! Files made by somebody who wants their reader harmed: what they hold is typed, bounded and never executed.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;
mod log_fixture;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::altered::Altered;
use common::life;
use countersign::audit::Audit;
use countersign::export::{Disclosing, Export, JsonlReader, TilesReader};
use countersign::log::{
    LogReader, Note, Receipt, Rule, Seq, Terms, TrustedKeys, Verdict, WitnessPolicy,
    verify_structure_alone,
};
use countersign::store::SqliteStore;
use log_fixture::{after, assert_broken, golden, receipt};
use rusqlite::types::Value;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Has panics counted, also those of threads that nobody waits for.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            before(panic);
        }));
    });
}

/// What a column may be made to hold: of each type, nothing, the extremes, and text that some reader might take for more than text.
fn shapes() -> Vec<Value> {
    let blob = |bytes: &[u8]| Value::Blob(bytes.to_vec());
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        blob(b""),
        blob(b"\0"),
        blob(&[0xFF; 33]),
        blob(&[b'['; 49_152]),
        blob(&vec![b'{'; 2 << 20]),
        text(""),
        text("'); DROP TABLE record; --"),
        text("\u{202E}\0\u{1B}]0;x\u{7}${jndi:x}{{7*7}}"),
        text(&"[".repeat(1 << 20)),
        Value::Integer(i64::MIN),
        Value::Integer(-1),
        Value::Integer(i64::MAX),
    ]
}

#[test]
fn hitl_d3_stored_bytes_of_any_shape_are_read_without_harm() {
    count_panics();
    // Only one of two people has approved: whatever a row says, nothing may run.
    let altered = Altered::half_approved();
    let database = life::database(altered.folder.path());
    let keys = life::keys(altered.folder.path()).trusted();
    let golden = fs::read(&database).unwrap();
    let tables = {
        let sql = altered.connection();
        let mut select = sql
            .prepare("SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'")
            .unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap()
            .collect::<Result<Vec<(String, String)>, _>>()
            .unwrap()
    };
    assert!(tables.len() > 40, "{tables:?}");
    let mut written = 0;
    for (table, column) in &tables {
        for shape in shapes() {
            fs::write(&database, &golden).unwrap();
            let sql = altered.connection();
            // Of all rows or of one: most columns are a key of something.
            let update = |which: &str| {
                let update = format!("UPDATE {table} SET {column} = ?1 {which}");
                sql.execute(&update, [&shape])
            };
            let changed = update("").or_else(|_| {
                update(&format!(
                    "WHERE {column} = (SELECT {column} FROM {table} LIMIT 1)"
                ))
            });
            drop(sql);
            // A strict table holds no other type, and a unique column not the same twice.
            if !changed.is_ok_and(|rows| rows > 0) {
                continue;
            }
            written += 1;
            let what = format!("{table}.{column}");
            if let Ok(store) = SqliteStore::open_read_only(&database) {
                let mut reader = store.log_reader().unwrap();
                let audit = Audit::of(&mut reader).trusting(keys.clone());
                let report = audit.comparing(&store).run();
                // Of the checkpoints a log needs but the last.
                if ["record", "disclosure"].contains(&table.as_str()) {
                    assert_ne!(report.exit_code(), 3, "{what}: {report}");
                }
            }
            assert!(!altered.try_to_run(), "{what}: it ran");
        }
    }
    assert!(written > 60, "{written} values are few");
    // Nothing in the file acts by itself.
    fs::write(&database, &golden).unwrap();
    for sql in [
        "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END",
        "CREATE VIEW v AS SELECT load_extension('x')",
        "CREATE TABLE more(x)",
    ] {
        fs::write(&database, &golden).unwrap();
        altered.connection().execute_batch(sql).unwrap();
        SqliteStore::open(&database).unwrap_err();
        SqliteStore::open_read_only(&database).unwrap_err();
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

/// The most memory that this process has had, in MiB.
#[cfg(target_os = "linux")]
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

/// Elsewhere nobody asks.
#[cfg(not(target_os = "linux"))]
fn most_memory() -> u64 {
    0
}

/// A file of zeros, of which the disk has none.
fn sparse(path: &Path, begin: &[u8], size: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(begin).unwrap();
    file.set_len(size).unwrap();
}

fn judge(reader: &mut (dyn LogReader + Send), keys: &TrustedKeys) -> Verdict {
    let terms = Terms {
        keys: Some(keys),
        ..Terms::default()
    };
    verify_structure_alone(reader, &terms, &mut |_| {}).verdict()
}

fn tiles(directory: &Path, keys: &TrustedKeys) -> u8 {
    match TilesReader::open(directory) {
        Ok(mut reader) => judge(&mut reader, keys).exit_code(),
        Err(_) => 2,
    }
}

fn lines(file: &Path, keys: &TrustedKeys) -> u8 {
    match JsonlReader::open(file) {
        Ok(mut reader) => judge(&mut reader, keys).exit_code(),
        Err(_) => 2,
    }
}

/// Larger than any memory, and than what a test could read through.
const HUGE: u64 = 1 << 42;

#[test]
fn hitl_a23_a_hostile_file_does_not_exhaust_its_reader() {
    count_panics();
    let writer = golden();
    let keys = writer.trusted();
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("tiles");
    let file = folder.path().join("log.jsonl");
    let mut image = writer.image.clone();
    Export::of(&mut image)
        .disclosing(Disclosing::Everything)
        .to_tiles(&directory)
        .unwrap();
    Export::of(&mut image)
        .disclosing(Disclosing::Everything)
        .to_jsonl(&file)
        .unwrap();
    assert_eq!((tiles(&directory, &keys), lines(&file, &keys)), (3, 3));

    // Each file of a directory grown beyond everything.
    for (name, verdicts) in [
        ("checkpoint", [2].as_slice()),
        ("policy", &[2]),
        ("tile/0/000.p/12", &[1]),
        ("tile/entries/000.p/12", &[1]),
        ("sig/000.p/12", &[1]),
        ("disclosures/000", &[1]),
        // Nobody reads the keys there.
        ("keys", &[3]),
    ] {
        let path = directory.join(name);
        let sound = fs::read(&path).unwrap();
        sparse(&path, &sound, HUGE);
        let found = tiles(&directory, &keys);
        assert!(verdicts.contains(&found), "{name}: {found}");
        fs::write(&path, sound).unwrap();
    }
    assert_eq!(tiles(&directory, &keys), 3);

    // A line without an end, and lines that nest as deep as they may be long.
    let sound = fs::read(&file).unwrap();
    sparse(&file, b"", HUGE);
    assert_eq!(lines(&file, &keys), 2);
    sparse(&file, &sound, sound.len() as u64 + (64 << 20));
    assert_eq!(lines(&file, &keys), 1);
    for deep in ["[".repeat(8 << 20), r#"{"a":"#.repeat(3 << 20)] {
        let text = [&sound, deep.as_bytes(), b"\n"].concat();
        fs::write(&file, text).unwrap();
        assert_eq!(lines(&file, &keys), 1);
        // As a statement, in a receipt, and instead of a list of keys, a note or a policy.
        let verdict = after(&writer, |image| {
            image.row(11).record.statement = deep.clone().into_bytes();
        });
        assert_broken(&verdict, 11, Rule::F1);
        let verdict = after(&writer, |image| {
            image.row(11).record.statement = deep.as_bytes()[..49_000].to_vec();
        });
        assert_broken(&verdict, 11, Rule::F2);
        let verdict = after(&writer, |image| {
            let text = base64url(deep.as_bytes());
            image.disclosures.push((Seq::new(11), text));
        });
        assert_broken(&verdict, 11, Rule::F9);
        let proof = String::from_utf8(receipt(&writer, 4).to_bytes()).unwrap();
        let (before, _) = proof.rsplit_once("\n\n").unwrap();
        for envelope in [&deep[..1 << 20], deep.as_str()] {
            let text = format!("{before}\n\n{envelope}\n");
            Receipt::from_bytes(text.as_bytes()).unwrap_err();
        }
        Note::parse(deep.as_bytes()).unwrap_err();
        WitnessPolicy::parse(deep.as_bytes()).unwrap_err();
        deep.parse::<TrustedKeys>().unwrap_err();
    }
    // Very many small things, each of which is looked up among the others.
    let many = "\u{2014} a AAAAAA==\n".repeat(60_000);
    let note = format!("a\n1\n{}\n\n{many}", "A".repeat(43));
    Note::parse(note.as_bytes()).unwrap_err();
    let many: String = (0..60_000)
        .map(|number| format!("group g{number} any g{number}\n"))
        .collect();
    WitnessPolicy::parse(many.as_bytes()).unwrap_err();
    let verdict = after(&writer, |image| {
        let again = image.disclosures[0].1.clone();
        let stray = (0..20_000).map(|_| (Seq::new(11), again.clone()));
        image.disclosures.extend(stray);
    });
    assert_broken(&verdict, 11, Rule::S9);

    let most = most_memory();
    assert!(most < 1024, "{most} MiB were needed");
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

fn base64url(bytes: &[u8]) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    Base64UrlUnpadded::encode_string(bytes)
}

//! A log in exported files is the log: whole where it is whole, broken where it is broken, and never intact once a byte was changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;
mod log_fixture;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{PEOPLE, RULES, World, pay, read};
use countersign::{
    action::{Disclosed, Disclosure},
    audit::Audit,
    canonical::Json,
    export::{Disclosing, Export, ExportError, Exported, JsonlReader, Progress, TilesReader},
    gate::{ApprovalGate, ApprovalGateExt},
    log::{
        Broken, Checkpoint, Kind, LogReader, Report, Rule, Seq, Terms, TrustedKeys, Verdict,
        verify_structure_alone,
    },
    store::MemoryStore,
};
use futures::executor::block_on;
use log_fixture::{Image, Writer, assert_broken, golden};
use tempfile::TempDir;

fn report(reader: &mut (dyn LogReader + Send), keys: &TrustedKeys) -> Report {
    let terms = Terms {
        keys: Some(keys),
        ..Terms::default()
    };
    verify_structure_alone(reader, &terms, &mut |_| {})
}

fn tiles(directory: &Path, keys: &TrustedKeys) -> Verdict {
    match TilesReader::open(directory) {
        Ok(mut reader) => report(&mut reader, keys).verdict(),
        Err(error) => Verdict::CannotVerify {
            why: error.to_string(),
        },
    }
}

fn lines(file: &Path, keys: &TrustedKeys) -> Verdict {
    match JsonlReader::open(file) {
        Ok(mut reader) => report(&mut reader, keys).verdict(),
        Err(error) => Verdict::CannotVerify {
            why: error.to_string(),
        },
    }
}

fn intact(size: u64) -> Verdict {
    Verdict::IntactUnanchored { size, anchored: 0 }
}

fn export(image: &Image, directory: &Path) -> Result<Exported, ExportError> {
    Export::of(&mut image.clone())
        .disclosing(Disclosing::Everything)
        .to_tiles(directory)
}

/// Every file below a directory, by its path within.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(directory.join(&path)).unwrap() {
            let path = path.join(entry.unwrap().file_name());
            if path.starts_with(".staging") {
                continue;
            }
            let full = directory.join(&path);
            if full.is_dir() {
                open.push(path);
            } else {
                let name = path.to_str().unwrap().to_owned();
                found.insert(name, fs::read(full).unwrap());
            }
        }
    }
    found
}

/// The log as it was when it had so many records.
fn cut(writer: &Writer, size: u64) -> Image {
    let mut image = writer.image.clone();
    image.rows.truncate(size as usize);
    image.checkpoints.retain(|(covered, _)| *covered <= size);
    image
        .subtrees
        .retain(|one| (one.index + 1) << (8 * one.level) <= size);
    image.disclosures.retain(|(seq, _)| seq.get() < size);
    image
}

/// A log of two records, the second with two hidden members, and a checkpoint after each.
fn small() -> Writer {
    let mut writer = Writer::new(5, "example.com/small");
    let hidden = [("because", "the «rent»"), ("reason", "a rule")];
    let requested = writer.entry(Kind::Requested, Some(1), &[], &hidden);
    writer.commit(&[requested]);
    writer
}

/// A log of so many records, with a checkpoint after each of these sizes at least.
fn long(size: u64) -> Writer {
    let mut writer = Writer::new(6, "example.com/long");
    while writer.chain.size() < size {
        let next = writer.chain.size();
        let until = ((next / 50 + 1) * 50).min(size);
        let batch: Vec<_> = (next..until)
            .map(|seq| {
                let micros = Json::try_from(seq).unwrap();
                writer.entry(Kind::Clock, None, &[("micros", micros)], &[("id", "x")])
            })
            .collect();
        writer.commit(&batch);
    }
    writer
}

#[test]
fn an_export_is_the_log() {
    let writer = golden();
    let keys = writer.trusted();
    let folder = tempfile::tempdir().unwrap();
    let (directory, file) = (folder.path().join("tiles"), folder.path().join("log.jsonl"));
    let exported = export(&writer.image, &directory).unwrap();
    assert_eq!((exported.from, exported.size), (0, 12));
    assert_eq!((exported.given, exported.withheld), (10, 0));
    Export::of(&mut writer.image.clone())
        .disclosing(Disclosing::Everything)
        .to_jsonl(&file)
        .unwrap();

    let last = writer.image.checkpoints.last().unwrap().1.clone();
    let terms = Terms {
        keys: Some(&keys),
        anchors: &[last],
        ..Terms::default()
    };
    let stored = writer.image.verify(&keys, terms.anchors);
    let mut copies: [Box<dyn LogReader + Send>; 2] = [
        Box::new(TilesReader::open(&directory).unwrap()),
        Box::new(JsonlReader::open(&file).unwrap()),
    ];
    for copy in &mut copies {
        let report = verify_structure_alone(copy.as_mut(), &terms, &mut |_| {});
        assert_eq!(report.verdict(), Verdict::IntactAnchored { size: 12 });
        assert_eq!(format!("{report:?}"), format!("{stored:?}"));
    }
    // From one form into the other, nothing changes.
    let again = folder.path().join("again.jsonl");
    let [from_tiles, from_lines] = &mut copies;
    let second = folder.path().join("second");
    for (copy, to_lines) in [(from_tiles, true), (from_lines, false)] {
        let export = Export::of(copy.as_mut()).disclosing(Disclosing::Everything);
        match to_lines {
            true => export.to_jsonl(&again).unwrap(),
            false => export.to_tiles(&second).unwrap(),
        };
    }
    assert_eq!(files(&directory), files(&second));
    // Tiles keep the last checkpoint alone.
    let records = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let records = text
            .lines()
            .filter(|line| !line.starts_with("{\"checkpoint"));
        records.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(records(&file), records(&again));
}

/// The files of an export that every later version reads; also for verifiers in other languages.
///
/// After a deliberate change of the format, run with `COUNTERSIGN_WRITE_VECTORS=1` and look at the diff.
#[test]
fn the_golden_export_is_written_as_ever() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/export/golden");
    let writer = golden();
    let folder = tempfile::tempdir().unwrap();
    let comments = |_: Seq, disclosed: &Disclosed| disclosed.name == "comment";
    let disclosing = Disclosing::Chosen(&comments);
    let write = |image: &mut Image, place: &Path| {
        Export::of(image)
            .disclosing(disclosing)
            .to_tiles(place.join("tiles"))
            .unwrap()
    };
    write(&mut cut(&writer, 5), folder.path());
    let mut progress = Vec::new();
    write(&mut writer.image.clone(), folder.path());
    Export::of(&mut writer.image.clone())
        .disclosing(disclosing)
        .progress(|now| progress.push(now))
        .to_jsonl(folder.path().join("log.jsonl"))
        .unwrap();
    assert_eq!(progress, [Progress::Checked(12), Progress::Written(12)]);
    fs::remove_dir_all(folder.path().join("tiles/.staging")).unwrap();
    let written = files(folder.path());
    if std::env::var_os("COUNTERSIGN_WRITE_VECTORS").is_some() {
        for (name, bytes) in &written {
            let path = kept.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    assert_eq!(files(&kept), written);
    let keys = writer.trusted();
    assert_eq!(tiles(&kept.join("tiles"), &keys), intact(12));
    assert_eq!(lines(&kept.join("log.jsonl"), &keys), intact(12));
}

#[test]
fn no_byte_of_a_tiles_directory_can_be_changed() {
    let writer = small();
    let keys = writer.trusted();
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    export(&cut(&writer, 1), directory).unwrap();
    export(&writer.image, directory).unwrap();
    assert_eq!(tiles(directory, &keys), intact(2));
    let all = files(directory);
    // What the first run published is still there, and is held against what the second did.
    assert!(all.contains_key("tile/entries/000.p/1"));
    assert_eq!(all.len(), 10);
    let mut tried = 0;
    for (name, bytes) in all {
        let path = directory.join(&name);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            let verdict = tiles(directory, &keys);
            if name == "keys" {
                assert_eq!(verdict, intact(2));
                continue;
            }
            tried += 1;
            assert!(
                [1, 2].contains(&verdict.exit_code()),
                "byte {at} of {name}: {verdict}"
            );
            if let Some(seq) = record_at(&name, &bytes, at) {
                let first =
                    matches!(&verdict, Verdict::Broken(broken) if broken.seq == Seq::new(seq));
                assert!(first, "byte {at} of {name} is in record {seq}: {verdict}");
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(tried > 3000);
    assert_eq!(tiles(directory, &keys), intact(2));
}

/// The record that a byte of a bundle or tile is about.
fn record_at(name: &str, bytes: &[u8], at: usize) -> Option<u64> {
    let lengths = |unit: usize| {
        let mut start = 0;
        let mut record = 0;
        loop {
            let length = usize::from(u16::from_be_bytes([bytes[start], bytes[start + 1]]));
            start += 2 + length * unit;
            if at < start {
                return Some(record);
            }
            record += 1;
        }
    };
    if name.starts_with("tile/entries") {
        lengths(1)
    } else if name.starts_with("sig") {
        lengths(96)
    } else if name.starts_with("tile/0") {
        Some(at as u64 / 32)
    } else {
        None
    }
}

#[test]
fn no_byte_of_a_file_of_lines_can_be_changed() {
    let writer = small();
    let keys = writer.trusted();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let half = |_: Seq, disclosed: &Disclosed| disclosed.name == "reason";
    Export::of(&mut writer.image.clone())
        .disclosing(Disclosing::Chosen(&half))
        .to_jsonl(&path)
        .unwrap();
    assert_eq!(lines(&path, &keys), intact(2));
    let bytes = fs::read(&path).unwrap();
    // A line with a checkpoint that is not read as one is a bad record after those that it covers.
    let of_line = [None, Some(0..=0), Some(0..=1), Some(1..=1), Some(1..=2)];
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&path, &changed).unwrap();
        let verdict = lines(&path, &keys);
        let before = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        let refused = match (&of_line[before], &verdict) {
            (Some(records), Verdict::Broken(broken)) => records.contains(&broken.seq.get()),
            (Some(_), _) => false,
            (None, verdict) => [1, 2].contains(&verdict.exit_code()),
        };
        assert!(refused, "byte {at}: {verdict}");
    }
}

#[test]
fn what_was_published_never_changes() {
    let writer = long(820);
    let keys = writer.trusted();
    let folder = tempfile::tempdir().unwrap();
    let (grown, whole) = (folder.path().join("grown"), folder.path().join("whole"));
    let mut before: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut published = 0;
    for size in [1, 50, 250, 300, 300, 500, 550, 800, 820] {
        let exported = export(&cut(&writer, size), &grown).unwrap();
        assert_eq!((exported.from, exported.size), (published, size));
        published = size;
        assert_eq!(tiles(&grown, &keys), intact(size));
        let after = files(&grown);
        for (name, bytes) in before {
            let mutable = name == "checkpoint" || name.starts_with("disclosures/");
            assert!(
                mutable || after.get(&name) == Some(&bytes),
                "{name} at {size}"
            );
        }
        before = after;
    }
    export(&writer.image, &whole).unwrap();
    // A run at once writes the same, but for what only a smaller tree has.
    let at_once = files(&whole);
    let partial = |name: &str| name.contains(".p/") && !at_once.contains_key(name);
    let grown: BTreeMap<_, _> = before
        .into_iter()
        .filter(|(name, _)| !partial(name))
        .collect();
    assert_eq!(grown, at_once);
    let names: Vec<&str> = at_once.keys().map(String::as_str).collect();
    for name in [
        "tile/0/000",
        "tile/0/003.p/52",
        "tile/1/000.p/3",
        "sig/003.p/52",
        "disclosures/003",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert_eq!(at_once["tile/1/000.p/3"].len(), 96);
    assert_eq!(
        at_once["tile/1/000.p/3"][32..64],
        *writer.image.subtrees[1].hash.as_bytes()
    );
}

/// A directory with the small log, and the same refused into it.
fn refused(published: &Image, log: &Image) -> ExportError {
    let folder = tempfile::tempdir().unwrap();
    export(published, folder.path()).unwrap();
    let before = files(folder.path());
    let error = export(log, folder.path()).unwrap_err();
    assert_eq!(
        files(folder.path()),
        before,
        "{error}: something was written"
    );
    error
}

#[test]
fn a_fork_and_a_rollback_are_told_and_write_nothing() {
    let writer = long(600);
    let error = refused(&cut(&writer, 600), &cut(&writer, 550));
    assert!(
        matches!(
            error,
            ExportError::Rollback {
                published: 600,
                size: 550
            }
        ),
        "{error}"
    );
    let error = refused(&cut(&writer, 550), &cut(&writer, 200));
    assert!(
        matches!(
            error,
            ExportError::Rollback {
                published: 550,
                size: 200
            }
        ),
        "{error}"
    );
    // The same genesis, and another record 1.
    let mut other = Writer::new(6, "example.com/long");
    for size in [256, 600] {
        let batch: Vec<_> = (other.chain.size()..size)
            .map(|_| other.entry(Kind::Clock, None, &[("micros", 1.into())], &[]))
            .collect();
        other.commit(&batch);
    }
    for published in [50, 300, 600] {
        let error = refused(&cut(&writer, published), &other.image);
        let fork = matches!(error, ExportError::Fork { published: size } if size == published);
        assert!(fork, "{error}");
    }
    // Where the published tree has full bundles alone, what the log signed after it is asked.
    let full = long(256).image;
    let mut without = other.image.clone();
    without.checkpoints.retain(|(size, _)| *size != 256);
    for log in [other.image.clone(), cut(&other, 256), without] {
        let error = refused(&full, &log);
        assert!(
            matches!(error, ExportError::Fork { published: 256 }),
            "{error}"
        );
    }
    let error = refused(&small().image, &golden().image);
    assert!(matches!(error, ExportError::OtherLog { .. }), "{error}");
}

#[test]
fn a_log_that_is_not_what_it_says_is_not_exported() {
    let refused = |change: &dyn Fn(&mut Image), seq: u64, rule: Rule| {
        let mut image = golden().image;
        change(&mut image);
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("tiles");
        let file = folder.path().join("log.jsonl");
        for error in [
            Export::of(&mut image.clone()).to_tiles(&place).unwrap_err(),
            Export::of(&mut image).to_jsonl(&file).unwrap_err(),
        ] {
            match &error {
                ExportError::Broken(Broken {
                    seq: at, rule: by, ..
                }) if *at == Seq::new(seq) && *by == rule => {}
                other => panic!("expected rule {rule} at {seq}: {other}"),
            }
        }
        assert!(!place.join("checkpoint").exists() && !file.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    };
    refused(&|image| image.row(7).record.statement[40] ^= 1, 7, Rule::S8);
    refused(&|image| drop(image.rows.remove(3)), 3, Rule::S4);
    refused(&|image| drop(image.rows.pop()), 11, Rule::S7);
    refused(&|image| drop(image.checkpoints.pop()), 11, Rule::S7);
    refused(
        &|image| image.checkpoints[1].1 = image.checkpoints[2].1.clone(),
        1,
        Rule::S7,
    );
    let stray = |image: &mut Image| {
        let text = image.disclosures[0].1.clone();
        image.disclosures.push((Seq::new(12), text));
    };
    refused(&stray, 12, Rule::S9);
}

/// The verdicts over both forms of an export.
fn copies(image: &Image, disclosing: Disclosing<'_>, keys: &TrustedKeys) -> [Report; 2] {
    let folder = tempfile::tempdir().unwrap();
    let (directory, file) = (folder.path().join("tiles"), folder.path().join("log.jsonl"));
    let mut image = image.clone();
    Export::of(&mut image)
        .disclosing(disclosing)
        .to_tiles(&directory)
        .unwrap();
    Export::of(&mut image)
        .disclosing(disclosing)
        .to_jsonl(&file)
        .unwrap();
    [
        report(&mut TilesReader::open(&directory).unwrap(), keys),
        report(&mut JsonlReader::open(&file).unwrap(), keys),
    ]
}

#[test]
fn what_is_withheld_is_told_from_what_is_missing() {
    let writer = golden();
    let keys = writer.trusted();
    for report in copies(&writer.image, Disclosing::Nothing, &keys) {
        assert_eq!(report.verdict(), intact(12));
        assert_eq!(report.withheld, 10);
        assert_eq!(
            report.notes,
            ["10 hidden members were withheld by whoever made the export"]
        );
    }
    let comments = |_: Seq, disclosed: &Disclosed| disclosed.name == "comment";
    for report in copies(&writer.image, Disclosing::Chosen(&comments), &keys) {
        assert_eq!((report.verdict(), report.withheld), (intact(12), 8));
    }
    let lost = writer.image.disclosures[4].0;
    let mut image = writer.image.clone();
    image.disclosures.remove(4);
    for disclosing in [Disclosing::Nothing, Disclosing::Everything] {
        for report in copies(&image, disclosing, &keys) {
            assert_broken(&report.verdict(), lost.get(), Rule::S9);
        }
    }
    // One that belongs to no member of its record, whether or not it is handed over.
    let mut image = writer.image.clone();
    image.disclosures[4].1 = Disclosure::parse(&image.disclosures[0].1)
        .unwrap()
        .as_str()
        .to_owned();
    for disclosing in [Disclosing::Nothing, Disclosing::Everything] {
        for report in copies(&image, disclosing, &keys) {
            assert_broken(&report.verdict(), lost.get(), Rule::S9);
        }
    }
}

#[test]
fn an_audit_of_an_export_judges_what_the_records_mean() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(RULES, PEOPLE, Arc::clone(&store), |opening| opening);
    let gate = world.gate();
    let _read = block_on(gate.run(read(), async |_| Ok::<_, String>(()))).unwrap();
    let paid = world.file(pay(1));
    let _voted = world.approve("rita", paid).unwrap();
    let permit = block_on(gate.resume(paid)).unwrap();
    let _paid = block_on(permit.run(async |_| Ok::<_, String>(()))).unwrap();
    let denied = world.file(pay(2));
    let _voted = world.deny("sam", denied).unwrap();

    let stored = Audit::of(&mut store.log_reader())
        .trusting(world.keys.trusted())
        .run();
    assert_eq!(stored.exit_code(), 3, "{stored}");
    let folder = tempfile::tempdir().unwrap();
    for (name, disclosing) in [
        ("all", Disclosing::Everything),
        ("none", Disclosing::Nothing),
    ] {
        let (directory, file) = (
            folder.path().join(name),
            folder.path().join(format!("{name}.jsonl")),
        );
        let mut reader = store.log_reader();
        Export::of(&mut reader)
            .disclosing(disclosing)
            .to_tiles(&directory)
            .unwrap();
        Export::of(&mut reader)
            .disclosing(disclosing)
            .to_jsonl(&file)
            .unwrap();
        let copies: [Box<dyn LogReader + Send>; 2] = [
            Box::new(TilesReader::open(&directory).unwrap()),
            Box::new(JsonlReader::open(&file).unwrap()),
        ];
        for mut copy in copies {
            let report = Audit::of(copy.as_mut())
                .trusting(world.keys.trusted())
                .run();
            assert_eq!(report.verdict, stored.verdict, "{name}: {report}");
            assert_eq!(report.requests, stored.requests, "{name}: {report}");
            assert_eq!(
                report.to_string().contains("withheld"),
                name == "none",
                "{report}"
            );
        }
    }
}

/// The verdict over the golden log's tiles after somebody changed them.
fn after(change: impl FnOnce(&Path)) -> Verdict {
    let writer = golden();
    let folder: TempDir = tempfile::tempdir().unwrap();
    export(&writer.image, folder.path()).unwrap();
    change(folder.path());
    tiles(folder.path(), &writer.trusted())
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_tiles_directory_is_read_strictly() {
    let entries = "tile/entries/000.p/12";
    let broken = |change: &dyn Fn(&Path), seq, rule| assert_broken(&after(change), seq, rule);
    // Missing, and under another name.
    broken(
        &|at| fs::remove_file(at.join(entries)).unwrap(),
        0,
        Rule::S7,
    );
    let rename = |to: &'static str| {
        move |at: &Path| fs::rename(at.join(entries), at.join("tile/entries").join(to)).unwrap()
    };
    broken(&rename("000.p/11"), 0, Rule::S7);
    broken(&rename("000.p/012"), 0, Rule::S7);
    broken(&rename("000"), 0, Rule::S7);
    broken(
        &|at| fs::remove_dir_all(at.join("sig")).unwrap(),
        0,
        Rule::S8,
    );
    broken(
        &|at| fs::remove_file(at.join("tile/0/000.p/12")).unwrap(),
        0,
        Rule::S8,
    );
    // Too long and too short.
    for (file, seq) in [(entries, 11), ("sig/000.p/12", 11), ("tile/0/000.p/12", 0)] {
        broken(
            &|at| edit(&at.join(file), |bytes| bytes.push(0)),
            seq,
            Rule::S8,
        );
        broken(
            &|at| edit(&at.join(file), |bytes| bytes.truncate(bytes.len() - 1)),
            seq,
            Rule::S8,
        );
    }
    broken(&|at| edit(&at.join(entries), Vec::clear), 0, Rule::S8);
    // A partial bundle beside it that has another past, or no name of one.
    let beside = |name: &'static str| {
        move |at: &Path| {
            let mut other = fs::read(at.join(entries)).unwrap();
            let end = 2 + usize::from(u16::from_be_bytes([other[0], other[1]]));
            other.truncate(end + 600);
            *other.last_mut().unwrap() ^= 1;
            fs::write(at.join("tile/entries/000.p").join(name), other).unwrap();
        }
    };
    broken(&beside("2"), 1, Rule::S8);
    broken(&beside("200"), 1, Rule::S8);
    broken(&beside("0x3"), 0, Rule::S8);
    // Disclosures.
    let disclosures = "disclosures/000";
    let text = |change: &'static dyn Fn(String) -> String| {
        move |at: &Path| {
            let path = at.join(disclosures);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, change(text)).unwrap();
        }
    };
    broken(
        &|at| fs::remove_file(at.join(disclosures)).unwrap(),
        2,
        Rule::S9,
    );
    broken(
        &text(&|text| text.replacen("given ", "given  ", 1)),
        0,
        Rule::F9,
    );
    broken(
        &text(&|text| text.replacen("2 given", "02 given", 1)),
        0,
        Rule::F9,
    );
    broken(&text(&|text| text.trim_end().to_owned()), 8, Rule::F9);
    broken(&text(&|text| format!("{text}\n")), 11, Rule::F9);
    broken(
        &text(&|text| format!("{text}256 given {}\n", "A".repeat(43))),
        11,
        Rule::F9,
    );
    // Said to be withheld, and given; and said to be withheld twice.
    let twice = |text: String| {
        let (_, line) = text.lines().next().unwrap().rsplit_once(' ').unwrap();
        let digest = Disclosure::parse(line).unwrap().digest();
        text.replacen('\n', &format!("\n2 withheld {digest}\n"), 1)
    };
    let only = |text: String| {
        let both = twice(text);
        let (_, rest) = both.split_once('\n').unwrap();
        let (line, _) = rest.split_once('\n').unwrap();
        format!("{line}\n{rest}")
    };
    assert_broken(
        &after(|at| edit_text(&at.join(disclosures), twice)),
        2,
        Rule::S9,
    );
    assert_broken(
        &after(|at| edit_text(&at.join(disclosures), only)),
        2,
        Rule::S9,
    );
    // Withheld under a record that hides nothing.
    let moved = |text: String| format!("0 withheld {}\n{text}", "A".repeat(43));
    assert_broken(
        &after(|at| edit_text(&at.join(disclosures), moved)),
        0,
        Rule::S9,
    );

    for (file, why) in [
        ("policy", "its policy is not the one of this log"),
        ("checkpoint", "has no checkpoint"),
    ] {
        let verdict = after(|at| fs::remove_file(at.join(file)).unwrap());
        assert!(
            verdict.exit_code() == 2 && verdict.to_string().contains(why),
            "{verdict}"
        );
    }
    // That the policy is another one does not hide what is broken.
    broken(
        &|at| {
            fs::remove_file(at.join("policy")).unwrap();
            fs::remove_file(at.join(disclosures)).unwrap();
        },
        2,
        Rule::S9,
    );
    let verdict = after(|at| {
        fs::remove_file(at.join(entries)).unwrap();
        fs::create_dir(at.join(entries)).unwrap();
    });
    assert!(verdict.to_string().contains("is no file"), "{verdict}");
    assert_eq!(verdict.exit_code(), 2);
}

fn edit_text(path: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, change(text)).unwrap();
}

#[test]
fn a_forged_size_ends_soon() {
    let writer = golden();
    let verdict = after(|at| {
        let forged = Checkpoint {
            origin: writer.genesis.origin().clone(),
            size: (1 << 53) - 2,
            root: writer.chain.checkpoint(writer.genesis.origin()).root,
        };
        let note = forged.sign(&writer.keys.checkpoint).unwrap();
        fs::write(at.join("checkpoint"), note).unwrap();
    });
    assert_broken(&verdict, 0, Rule::S7);
}

#[test]
fn lines_are_read_strictly() {
    let writer = golden();
    let keys = writer.trusted();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    Export::of(&mut writer.image.clone())
        .disclosing(Disclosing::Everything)
        .to_jsonl(&path)
        .unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let all: Vec<&str> = whole.lines().collect();
    let verdict = |lines_of: Vec<String>, end: &str| {
        fs::write(&path, lines_of.join("\n") + end).unwrap();
        lines(&path, &keys)
    };
    let owned = || {
        all.iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(verdict(owned(), "\n"), intact(12));
    let place = |seq: u64| {
        let says = format!("\"seq\":{seq},");
        all.iter().position(|line| line.contains(&says)).unwrap()
    };
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = owned();
        change(&mut lines);
        verdict(lines, "\n")
    };
    // A record left out, twice, in another place; the tail cut off with its checkpoints.
    assert_broken(&with(&|lines| drop(lines.remove(place(9)))), 9, Rule::S8);
    assert_broken(
        &with(&|lines| lines.insert(place(9), all[place(9)].to_owned())),
        10,
        Rule::S8,
    );
    assert_broken(&with(&|lines| lines.swap(place(9), place(10))), 9, Rule::S8);
    assert_broken(&with(&|lines| lines.truncate(place(8))), 8, Rule::S7);
    assert_broken(
        &with(&|lines| lines.push(all[place(11)].to_owned())),
        12,
        Rule::S7,
    );
    // Another spelling of the same.
    let spelled = |from: &'static str, to: &'static str| {
        with(&|lines| lines[place(9)] = lines[place(9)].replacen(from, to, 1))
    };
    assert_broken(&spelled("\"seq\":9", "\"seq\": 9"), 9, Rule::S8);
    assert_broken(&spelled("\"seq\":9", "\"seq\":9.0"), 9, Rule::S8);
    assert_broken(
        &spelled("{\"disclosures\"", "{\"a\":1,\"disclosures\""),
        9,
        Rule::S8,
    );
    assert_broken(
        &with(&|lines| lines.insert(place(9), String::new())),
        9,
        Rule::S8,
    );
    // Checkpoints: lost, spelled otherwise, in another place.
    let last = all.len() - 1;
    assert!(all[last].starts_with("{\"checkpoint\""));
    assert_broken(&with(&|lines| drop(lines.pop())), 8, Rule::S7);
    assert_broken(
        &with(&|lines| lines[last] = lines[last].replacen(':', ": ", 1)),
        11,
        Rule::S7,
    );
    assert_broken(
        &with(&|lines| lines.insert(place(4), all[last].to_owned())),
        3,
        Rule::S7,
    );
    assert_broken(
        &with(&|lines| lines.insert(1, all[last].to_owned())),
        0,
        Rule::S7,
    );
    // No newline at the end.
    assert_broken(&verdict(owned(), ""), 8, Rule::S7);
    // The header.
    assert_broken(
        &with(&|lines| lines[0] = lines[0].replacen("golden", "silver", 1)),
        0,
        Rule::S8,
    );
    assert_broken(
        &with(&|lines| lines[0] = lines[0].replacen(":12", ":13", 1)),
        12,
        Rule::S7,
    );
    assert_broken(
        &with(&|lines| lines[0] = lines[0].replacen(":12", ":11", 1)),
        11,
        Rule::S8,
    );
    assert_eq!(with(&|lines| drop(lines.remove(0))).exit_code(), 2);
    assert_eq!(verdict(Vec::new(), "").exit_code(), 2);
}

#[test]
fn disclosures_are_handed_over_and_taken_back() {
    let writer = long(300);
    let keys = writer.trusted();
    let folder = tempfile::tempdir().unwrap();
    let state = |directory: &Path| report(&mut TilesReader::open(directory).unwrap(), &keys);
    let mut image = writer.image.clone();
    Export::of(&mut image).to_tiles(folder.path()).unwrap();
    assert_eq!(state(folder.path()).withheld, 299);
    let before = files(folder.path());
    // Without being asked to, nothing is handed over of what was published.
    let exported = export(&image, folder.path()).unwrap();
    assert_eq!((exported.given, exported.withheld), (0, 0));
    assert_eq!(files(folder.path()), before);
    let exported = Export::of(&mut image)
        .disclosing(Disclosing::Everything)
        .replacing_disclosures()
        .to_tiles(folder.path())
        .unwrap();
    assert_eq!((exported.from, exported.given), (300, 299));
    assert_eq!(
        (
            state(folder.path()).verdict(),
            state(folder.path()).withheld
        ),
        (intact(300), 0)
    );
    // What the log does not have any more is not in the export either.
    image.disclosures.clear();
    Export::of(&mut image)
        .replacing_disclosures()
        .to_tiles(folder.path())
        .unwrap();
    assert!(!folder.path().join("disclosures/000").exists());
    assert_broken(&state(folder.path()).verdict(), 1, Rule::S9);
}

#[test]
fn nothing_of_others_is_written_over() {
    let image = golden().image;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let error = export(&image, folder.path()).unwrap_err();
    assert!(matches!(error, ExportError::Occupied { .. }), "{error}");
    let file = folder.path().join("thesis.txt");
    let error = Export::of(&mut image.clone()).to_jsonl(&file).unwrap_err();
    assert!(matches!(error, ExportError::Occupied { .. }), "{error}");
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(fs::read(&file).unwrap(), b"mine");

    // Two at a time would mix.
    let place = folder.path().join("busy");
    export(&image, &place).unwrap();
    let lock = fs::File::open(place.join(".staging/lock")).unwrap();
    lock.lock().unwrap();
    let error = export(&image, &place).unwrap_err();
    assert!(matches!(error, ExportError::Busy { .. }), "{error}");
    drop(lock);

    // What was published and is damaged is not built upon.
    let place = folder.path().join("tiles");
    let writer = golden();
    export(&cut(&writer, 6), &place).unwrap();
    edit(&place.join("tile/0/000.p/6"), |bytes| bytes[5] ^= 1);
    let before = files(&place);
    let error = export(&writer.image, &place).unwrap_err();
    assert!(matches!(error, ExportError::Damaged { .. }), "{error}");
    assert_eq!(files(&place), before);
}

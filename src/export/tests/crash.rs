//! Wherever an export stops, what is published holds, and another run completes it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{Disclosing, Export, ExportError, JsonlReader, TilesReader},
    faulty::{Faulty, Loss},
    log::Log,
};
use crate::log::{LogReader, Verdict};

const LOSSES: [Loss; 3] = [Loss::Nothing, Loss::Everything, Loss::AllButTheLast];

fn intact(size: u64) -> Verdict {
    Verdict::IntactUnanchored { size, anchored: 0 }
}

/// Every file that, once a checkpoint covers it, never changes.
fn published(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.join("tile"), directory.join("sig")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|file| file.unwrap().path()));
        } else if let Ok(bytes) = fs::read(&path) {
            let within = path.strip_prefix(directory).unwrap().to_owned();
            found.insert(within, bytes);
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &to);
        } else {
            fs::copy(file.path(), to).unwrap();
        }
    }
}

/// Stops an export of a log, of which so many records were published before, at every operation.
fn stop_everywhere(before: u64, size: u64) {
    let log = Log::of(size, &[before, size]);
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("start");
    if before > 0 {
        let exported = Export::of(&mut log.at(before))
            .tiles_on(&mut Faulty::sound(), &start)
            .unwrap();
        assert_eq!((exported.from, exported.size), (0, before));
    }
    let old = published(&start);
    let whole = folder.path().join("whole");
    Export::of(&mut log.clone())
        .disclosing(Disclosing::Everything)
        .tiles_on(&mut Faulty::sound(), &whole)
        .unwrap();
    assert_eq!(
        log.verdict(&mut TilesReader::open(&whole).unwrap()),
        intact(size)
    );
    let whole = published(&whole);
    let mut operations = 0;
    for loss in LOSSES {
        for stop in 0.. {
            let place = folder.path().join(format!("{loss:?}-{stop}"));
            if before > 0 {
                copy(&start, &place);
            }
            let mut disk = Faulty::stopping_at(stop);
            let run = Export::of(&mut log.clone())
                .disclosing(Disclosing::Everything)
                .tiles_on(&mut disk, &place);
            if run.is_ok() {
                operations = stop;
                break;
            }
            assert!(matches!(run, Err(ExportError::Io { .. })), "{run:?}");
            disk.lose(loss);
            let at = format!("{loss:?} at operation {stop}");
            match TilesReader::open(&place) {
                Ok(mut copy) => {
                    let covered = log.hashes_agree(&mut copy);
                    let covered = covered.unwrap_or_else(|verdict| panic!("{at}: {verdict}"));
                    assert!([before, size].contains(&covered), "{at}: {covered} records");
                }
                Err(_) => assert_eq!(before, 0, "{at}: the checkpoint is gone"),
            }
            let kept = published(&place);
            for (path, bytes) in &old {
                assert_eq!(kept.get(path), Some(bytes), "{at}: {}", path.display());
            }
            let exported = Export::of(&mut log.clone())
                .disclosing(Disclosing::Everything)
                .tiles_on(&mut Faulty::sound(), &place)
                .unwrap();
            assert_eq!(exported.size, size, "{at}");
            // With what only the smaller tree had.
            let mut complete = whole.clone();
            complete.extend(old.clone());
            assert_eq!(published(&place), complete, "{at}");
            let mut copy = TilesReader::open(&place).unwrap();
            let given = copy.disclosures(0..size).unwrap().len();
            let withheld = copy.withheld(0..size).unwrap().len();
            assert_eq!(given + withheld, size as usize - 1, "{at}");
            fs::remove_dir_all(&place).unwrap();
        }
    }
    assert!(operations > 30, "{operations} operations are too few");
}

#[test]
fn the_first_export_may_stop_anywhere() {
    stop_everywhere(0, 3);
}

#[test]
fn a_later_export_may_stop_anywhere() {
    stop_everywhere(5, 259);
}

#[test]
fn an_export_that_begins_a_bundle_may_stop_anywhere() {
    stop_everywhere(256, 258);
}

#[test]
fn replacing_disclosures_may_stop_anywhere() {
    let log = Log::of(258, &[258]);
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("start");
    Export::of(&mut log.clone())
        .tiles_on(&mut Faulty::sound(), &start)
        .unwrap();
    for loss in LOSSES {
        for stop in 0.. {
            let place = folder.path().join(format!("{loss:?}-{stop}"));
            copy(&start, &place);
            let mut disk = Faulty::stopping_at(stop);
            let run = Export::of(&mut log.clone())
                .disclosing(Disclosing::Everything)
                .replacing_disclosures()
                .tiles_on(&mut disk, &place);
            let ended = run.is_ok();
            disk.lose(loss);
            let mut copy = TilesReader::open(&place).unwrap();
            // Each bundle is as it was or as it is to be.
            let disclosures = copy.disclosures(0..258).unwrap().len();
            let withheld = copy.withheld(0..258).unwrap().len();
            assert_eq!(disclosures + withheld, 257, "{loss:?} at operation {stop}");
            assert!([0, 2, 255, 257].contains(&disclosures), "{disclosures}");
            if ended {
                assert_eq!(disclosures, 257);
                assert_eq!(log.verdict(&mut copy), intact(258));
                break;
            }
        }
    }
}

#[test]
fn a_file_of_lines_is_there_whole_or_not_at_all() {
    let log = Log::of(5, &[2, 5]);
    let folder = tempfile::tempdir().unwrap();
    for loss in LOSSES {
        for stop in 0.. {
            let path = folder.path().join(format!("{loss:?}-{stop}.jsonl"));
            let mut disk = Faulty::stopping_at(stop);
            let run = Export::of(&mut log.clone()).jsonl_on(&mut disk, &path);
            disk.lose(loss);
            if run.is_ok() || path.exists() {
                let mut copy = JsonlReader::open(&path).unwrap();
                assert_eq!(log.verdict(&mut copy), intact(5));
            }
            if run.is_ok() {
                assert!(stop > 3);
                break;
            }
            if !path.exists() {
                Export::of(&mut log.clone())
                    .jsonl_on(&mut Faulty::sound(), &path)
                    .unwrap();
            }
        }
    }
}

//! A verifier that shares no code with this library, written in Python from `docs/record-format.md`, finds what this library finds.
//!
//! It needs `python3` with the package `cryptography`. Where they are not there, these tests say so and pass, so that `cargo test` asks for
//! nothing but Rust; with `COUNTERSIGN_SECOND_VERIFIER=required`, as `.ci/run` and `.ci/agree` set it, they fail.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod generated;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use countersign::canonical::{Admission, admit};
use generated::golden::{self, Golden, Made};
use generated::scribe::empty_store;
use generated::{Case, Folder, Form, Found};
use serde_json::Value;

const VERIFIER: &str = "docs/countersign_verify.py";

/// Whether the other verifier can be run here.
fn is_there() -> bool {
    let asked = Command::new("python3")
        .args(["-c", "import cryptography"])
        .output();
    let there = asked.is_ok_and(|asked| asked.status.success());
    let required = std::env::var("COUNTERSIGN_SECOND_VERIFIER").is_ok_and(|is| is == "required");
    assert!(
        there || !required,
        "python3 with the package `cryptography` is not there"
    );
    if !there {
        println!("not run: python3 with the package `cryptography` is not there");
    }
    there
}

/// What the other verifier says to each case, with its reasons.
fn asked_in_python(folder: &Path, lines: &[Value]) -> Vec<(Found, Value)> {
    let list = folder.join("list");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&list, text).unwrap();
    let said = Command::new("python3")
        .arg(VERIFIER)
        .arg("--batch")
        .arg(&list)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{errors}");
    let said = String::from_utf8(said.stdout).unwrap();
    let found: Vec<(Found, Value)> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|json| (Found::of_json(&json), json))
        .collect();
    assert_eq!(found.len(), lines.len());
    found
}

/// Keeps the files of a case that is to be looked at.
fn keep(case: &Case) {
    let folder = Path::new("target/agree");
    std::fs::create_dir_all(folder).unwrap();
    for path in [&case.store, &case.keys]
        .into_iter()
        .chain(&case.checkpoints)
        .chain(&case.witnesses)
    {
        copy(path, &folder.join(path.file_name().unwrap()));
    }
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        copy(&from.join(&name), &to.join(&name));
    }
}

/// Where the two differ, in words, and how often each verdict was found.
fn compare(cases: &[Case], folder: &Path) -> (Vec<String>, BTreeMap<String, u64>) {
    let lines: Vec<Value> = cases.iter().map(Case::line).collect();
    let mut differ = Vec::new();
    let mut verdicts = BTreeMap::new();
    for (case, (theirs, json)) in cases.iter().zip(asked_in_python(folder, &lines)) {
        let (ours, why) = case.verify();
        // What SQLite makes of a spoiled file is its own; this library refuses one, too, for tables that no verifier reads.
        if case.spoiled && !ours.is_read() {
            continue;
        }
        if ours != theirs {
            keep(case);
            differ.push(format!(
                "{}\n  Rust: {ours} ({why})\n  Python: {theirs} ({})",
                case.what, json["why"]
            ));
        }
        let verdict = ours.rule.unwrap_or_else(|| ours.exit.to_string());
        let verdict = match case.form {
            Form::Store => verdict,
            form => format!("{form:?} {verdict}"),
        };
        *verdicts.entry(verdict).or_default() += 1;
    }
    (differ, verdicts)
}

/// Cases of seeds, some at a time and then taken away again.
fn agree_on(first: u64, many: u64, at_once: u64, threads: usize) -> BTreeMap<String, u64> {
    let empty = empty_store();
    let next = AtomicU64::new(first);
    let found = Mutex::new((Vec::new(), BTreeMap::new()));
    let work = || {
        loop {
            let from = next.fetch_add(at_once, Ordering::Relaxed);
            let to = (from + at_once).min(first + many);
            if from >= to {
                return;
            }
            let folder = tempfile::tempdir().unwrap();
            let place = Folder {
                path: folder.path(),
                empty: &empty,
            };
            let cases: Vec<Case> = (from..to).map(|seed| place.random(seed)).collect();
            let (mut differ, verdicts) = compare(&cases, folder.path());
            let mut found = found.lock().unwrap();
            found.0.append(&mut differ);
            for (verdict, count) in verdicts {
                *found.1.entry(verdict).or_default() += count;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (differ, verdicts): (Vec<String>, _) = found.into_inner().unwrap();
    println!("seeds {first} to {}: {verdicts:?}", first + many - 1);
    assert!(
        differ.is_empty(),
        "the two verifiers differ on {} of {many} logs:\n{}",
        differ.len(),
        differ.join("\n")
    );
    verdicts
}

/// Golden logs as files.
fn laid(folder: &Path, logs: Vec<Golden>) -> Vec<(Golden, Case)> {
    let empty = empty_store();
    let place = Folder {
        path: folder,
        empty: &empty,
    };
    let lay = |(at, golden): (usize, Golden)| {
        let what = format!("{}, {}", golden.rule, golden.what);
        let name = at.to_string();
        let case = match &golden.made {
            Made::Store(image) => place.lay(&name, what, image, &golden.keys, &[]),
            Made::Handed(handed) => place.hand(&name, what, handed, &golden.keys, &[]),
        };
        (golden, case)
    };
    logs.into_iter().enumerate().map(lay).collect()
}

fn golden_cases(folder: &Path) -> Vec<(Golden, Case)> {
    laid(folder, golden::cases())
}

#[test]
fn what_an_unknown_record_may_have_changed_is_a_doubt() {
    both_find_what_is_expected(golden::doubtful());
}

#[test]
fn that_a_key_went_is_named_before_its_role() {
    both_find_what_is_expected(golden::gone_key());
}

fn both_find_what_is_expected(logs: Vec<Golden>) {
    let folder = tempfile::tempdir().unwrap();
    let cases = laid(folder.path(), logs);
    for (golden, case) in &cases {
        let (found, why) = case.verify();
        assert_eq!(found, golden.expected, "{}: {why}", case.what);
    }
    if !is_there() {
        return;
    }
    let lines: Vec<Value> = cases.iter().map(|(_, case)| case.line()).collect();
    for ((golden, case), found) in cases.iter().zip(asked_in_python(folder.path(), &lines)) {
        assert_eq!(found.0, golden.expected, "{}: {}", case.what, found.1);
    }
}

#[test]
fn a_sealed_value_stands_for_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let empty = empty_store();
    let place = Folder {
        path: folder.path(),
        empty: &empty,
    };
    let (mut image, keys) = golden::sound();
    let many = image.disclosures.len();
    for (_, text) in &mut image.disclosures {
        *text = golden::sealed(text);
    }
    let case = place.lay("sealed", "sealed".to_owned(), &image, &keys, &[]);
    let (found, why) = case.verify();
    assert_eq!(found, Found::exit(3), "{why}");
    if is_there() {
        let (found, json) = &asked_in_python(folder.path(), &[case.line()])[0];
        assert_eq!(*found, Found::exit(3), "{json}");
        assert_eq!(json["sealed"].as_u64(), Some(many as u64));
    }
}

#[test]
fn each_rule_refuses_a_golden_log() {
    let folder = tempfile::tempdir().unwrap();
    let cases = golden_cases(folder.path());
    for (golden, case) in &cases {
        let (found, why) = case.verify();
        assert_eq!(found, golden.expected, "{}: {why}", case.what);
    }
    // A writer's rule, and what verifiers are told to leave alone: nothing can be refused by these.
    let refuse_nothing = ["J5", "T9", "T10"].map(str::to_owned);
    let refused: BTreeSet<String> = cases.into_iter().map(|(golden, _)| golden.rule).collect();
    let mut numbered = rules_of_the_document();
    numbered.retain(|rule| !refuse_nothing.contains(rule));
    assert_eq!(refused, numbered);
}

/// The numbers of the rules, as the record format has them.
fn rules_of_the_document() -> BTreeSet<String> {
    let document = std::fs::read_to_string("docs/record-format.md").unwrap();
    document
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("** "))
        .map(|(number, _)| number.to_owned())
        .collect()
}

/// Whatever the file `keys` holds, and although nothing of what a store keeps beside its records is there.
#[test]
fn what_others_are_given_is_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let place = Folder {
        path: folder.path(),
        empty: &[],
    };
    let (exports, keys) = golden::sound_exports();
    let cases: Vec<Case> = exports
        .iter()
        .map(|handed| place.hand("log", "sound".to_owned(), handed, &keys, &[]))
        .collect();
    for case in &cases {
        let (found, why) = case.verify();
        assert_eq!(found, Found::exit(3), "{why}");
    }
    if !is_there() {
        return;
    }
    let lines: Vec<Value> = cases.iter().map(Case::line).collect();
    for (found, json) in asked_in_python(folder.path(), &lines) {
        assert_eq!(found, Found::exit(3), "{json}");
        assert!(json["withheld"].as_u64().unwrap() > 0, "{json}");
    }
}

#[test]
fn the_second_verifier_needs_each_of_its_rules() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cases = golden_cases(folder.path());
    let with: Vec<Value> = cases.iter().map(|(_, case)| case.line()).collect();
    let without: Vec<Value> = cases
        .iter()
        .map(|(golden, case)| {
            let mut line = case.line();
            line["without"] = serde_json::json!([golden.rule.to_string()]);
            line
        })
        .collect();
    let with = asked_in_python(folder.path(), &with);
    let without = asked_in_python(folder.path(), &without);
    for (((golden, case), with), without) in cases.iter().zip(with).zip(without) {
        assert_eq!(with.0, golden.expected, "{}: {}", case.what, with.1);
        assert_eq!(
            without.0,
            golden.without(),
            "without {}: {}",
            case.what,
            without.1
        );
        if case.form == Form::Receipt {
            assert_eq!(with.1["rule"], golden.rule, "{}", case.what);
        }
    }
}

#[test]
fn the_second_verifier_writes_nothing_beside_whoever_writes() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let empty = empty_store();
    let place = Folder {
        path: folder.path(),
        empty: &empty,
    };
    let (image, keys) = golden::sound();
    let case = place.lay("log", "sound".to_owned(), &image, &keys, &[]);
    let files = || {
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "list")
            .collect();
        names.sort();
        names
    };
    let alone = files();
    let found = &asked_in_python(folder.path(), &[case.line()])[0];
    assert_eq!(found.0.exit, 3, "{}", found.1);
    assert_eq!(files(), alone);

    // The change stands in the write-ahead log alone.
    let writer = rusqlite::Connection::open(&case.store).unwrap();
    writer
        .execute("UPDATE record SET ts = ts + 1 WHERE seq = 3", [])
        .unwrap();
    let beside = files();
    assert_eq!(beside.len(), alone.len() + 2);
    let found = &asked_in_python(folder.path(), &[case.line()])[0];
    assert_eq!(found.0.to_string(), "broken at 3 by S8", "{}", found.1);
    assert_eq!(files(), beside);
}

/// Reads each text of a list as JSON, and prints the canonical bytes in hex, or an empty line where there are none.
const CANONICAL: &str = r#"
import sys
sys.path.insert(0, "docs")
import countersign_verify as other
for line in sys.stdin.buffer.read().splitlines():
    try:
        found = other.canonical(other.read_json(bytes.fromhex(line.decode())))
    except other.NotJson:
        found = None
    print((found or b"").hex())
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn hitl_a18_two_verifiers_read_numbers_and_strings_alike() {
    if !is_there() {
        return;
    }
    // What stands in records: names and numbers at the edges of what JSON has, some of which are refused.
    let mut texts: Vec<String> = include_str!("vectors/canonical/admitted.tsv")
        .lines()
        .filter_map(|line| Some(line.split_once('\t')?.0.to_owned()))
        .collect();
    texts.extend(
        include_str!("vectors/canonical/refused.tsv")
            .lines()
            .filter_map(|line| Some(line.split_once('\t')?.0.to_owned())),
    );
    let mut dice = generated::dice::Dice::new(18);
    for _ in 0..4000 {
        // Doubles of every exponent, integers around 2^53, and spellings that others would round or take for the same.
        let double = f64::from_bits(dice.next());
        let near = (1_i128 << 53) + i128::from(dice.next() % 9) - 4;
        let sign = if dice.percent(50) { "-" } else { "" };
        let digits = dice.next();
        texts.push(format!("[{double:e},{sign}{near}]"));
        texts.push(format!("[{double}]"));
        texts.push(format!("[{sign}{digits}]"));
        texts.push(format!("[{sign}0.{digits}e{}]", dice.next() % 340));
        texts.push(format!("[{sign}{}e-{}]", digits % 10, dice.next() % 340));
        let letters: String = (0..4)
            .filter_map(|_| char::from_u32(u32::try_from(dice.next() % 0x11_0000).unwrap()))
            .collect();
        let unit = dice.next() % 0x1_0000;
        texts.push(serde_json::to_string(&[&letters]).unwrap());
        texts.push(format!(
            r#"{{"{unit:x}":1,"\u{unit:04x}":"\u{:04x}"}}"#,
            dice.next() % 0x1_0000
        ));
    }
    let mut asked = Command::new("python3")
        .args(["-c", CANONICAL])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let list: String = texts
        .iter()
        .map(|text| format!("{}\n", hex(text.as_bytes())))
        .collect();
    let mut input = asked.stdin.take().unwrap();
    let writer = thread::spawn(move || std::io::Write::write_all(&mut input, list.as_bytes()));
    let said = asked.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(said.status.success());
    let said = String::from_utf8(said.stdout).unwrap();
    let theirs: Vec<&str> = said.lines().collect();
    assert_eq!(theirs.len(), texts.len());
    let mut canonical = 0;
    for (text, theirs) in texts.iter().zip(theirs) {
        // A statement is the canonical form of itself (F2): a text that is, for the one, must be for the other.
        let ours = admit(text.as_bytes(), &Admission::default())
            .map(|json| hex(&json.to_canonical()))
            .unwrap_or_default();
        let own = hex(text.as_bytes());
        assert_eq!(ours == own, theirs == own, "{text}: {ours} and {theirs}");
        if !ours.is_empty() {
            assert_eq!(ours, theirs, "{text}");
        }
        canonical += usize::from(ours == own);
    }
    assert!(canonical > 4000, "{canonical} canonical texts are few");
}

#[test]
fn two_verifiers_agree_on_random_logs() {
    if is_there() {
        agree_on(1, 60, 60, 1);
    }
}

/// By `.ci/agree`, which says how many and from which seed on.
#[test]
#[ignore = "takes minutes; run by .ci/agree"]
fn two_verifiers_agree_on_many_random_logs() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
    };
    assert!(is_there());
    let logs = number("LOGS", 10_000);
    let verdicts = agree_on(number("FIRST_SEED", 1), logs, 100, 2);
    // Chance that reaches few rules shows little.
    assert!(verdicts.len() > 20 || logs < 1000, "{verdicts:?}");
}

//! Holds `rows.toml` to its word: every row of every attack list is mapped once, and every test that it names is there.
//!
//! A test may move to another file; `ROWS_RELOCATE=1 cargo test --test rows` writes the new place into the list.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod source;

use serde::Deserialize;
use source::{Placed, closing, files, tokens};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The lists and the ids that each of them has, as ranges of numbers behind a letter (or none).
const LISTS: &[(&str, &[Ids])] = &[
    (
        "hitl",
        &[
            ("B", 1..=17),
            ("R", 1..=15),
            ("I", 1..=16),
            ("P", 1..=14),
            ("V", 1..=8),
            ("F", 1..=8),
            ("C", 1..=9),
            ("D", 1..=8),
            ("A", 1..=28),
        ],
    ),
    ("policy", &[("", 1..=70)]),
    ("tlog", &[("", 1..=33)]),
    ("hoop", &[("T", 1..=30)]),
    (
        "channels",
        &[
            ("", 1..=16),
            ("", 20..=28),
            ("", 30..=37),
            ("", 40..=46),
            ("", 50..=54),
            ("", 60..=65),
        ],
    ),
];

/// The rows that the gate itself answers for: they have a test, and no later work can take it away.
const SETTLED: &[(&str, &[Ids])] = &[
    (
        "hitl",
        &[
            ("B", 1..=7),
            ("B", 9..=15),
            ("R", 1..=10),
            ("R", 12..=14),
            ("I", 1..=6),
            ("I", 8..=9),
            ("I", 11..=11),
            ("I", 13..=13),
            ("P", 1..=7),
            ("F", 1..=8),
            ("V", 1..=2),
            ("V", 7..=8),
            ("D", 1..=2),
            ("D", 4..=7),
        ],
    ),
    (
        "policy",
        &[
            ("", 1..=6),
            ("", 8..=8),
            ("", 10..=14),
            ("", 16..=16),
            ("", 18..=24),
            ("", 26..=27),
            ("", 29..=29),
            ("", 39..=44),
            ("", 47..=52),
            ("", 54..=56),
            ("", 60..=60),
            ("", 62..=63),
            ("", 68..=68),
            ("", 70..=70),
        ],
    ),
    (
        "tlog",
        &[
            ("", 1..=4),
            ("", 6..=9),
            ("", 11..=15),
            ("", 18..=18),
            ("", 20..=23),
            ("", 27..=30),
            ("", 32..=33),
        ],
    ),
    ("hoop", &[("T", 9..=13), ("T", 19..=19)]),
    ("channels", &[("", 30..=37)]),
];

/// The work that may still owe a row: outside evidence, rules and authority, channels, PostgreSQL and many machines, lineage labels, agent frameworks.
const LATER: &[&str] = &[
    "evidence",
    "authority",
    "channels",
    "scale",
    "labels",
    "agents",
];

type Ids = (&'static str, RangeInclusive<u32>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    row: Vec<Row>,
}

/// One row of `rows.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The list that the row comes from.
    list: String,
    /// Its id in that list.
    id: String,
    /// What must hold, in a line that stands alone.
    says: String,
    /// The test that shows it, as `file::function`.
    test: Option<String>,
    /// The tests that show it, where it takes several.
    #[serde(default)]
    tests: Vec<String>,
    /// The later work that will show it.
    later: Option<String>,
    /// Why this crate does not answer for it.
    not_ours: Option<String>,
}

impl Row {
    fn name(&self) -> String {
        format!("{} {}", self.list, self.id)
    }

    fn tests(&self) -> impl Iterator<Item = &str> {
        self.test.iter().chain(&self.tests).map(String::as_str)
    }
}

#[test]
fn every_row_is_mapped_and_every_test_is_there() {
    let text = fs::read_to_string(list_path()).expect("tests/rows.toml is readable");
    let sources: Vec<_> = files("src").into_iter().chain(files("tests")).collect();
    let tests = Tests::of(&sources);
    if std::env::var_os("ROWS_RELOCATE").is_some() {
        fs::write(list_path(), tests.relocate(&text)).expect("tests/rows.toml is writable");
        return;
    }
    let faults = faults(&text, &tests);
    assert!(
        faults.is_empty(),
        "{} fault(s) in tests/rows.toml:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

fn list_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rows.toml")
}

/// Everything that is wrong with the list, all at once.
fn faults(text: &str, tests: &Tests) -> Vec<String> {
    let rows = match toml::from_str::<Rows>(text) {
        Ok(Rows { row }) => row,
        Err(error) => return vec![error.to_string()],
    };
    let mut faults = coverage_faults(&rows);
    for row in &rows {
        faults.extend(
            row_faults(row, tests)
                .into_iter()
                .map(|fault| format!("{}: {fault}", row.name())),
        );
    }
    faults
}

fn coverage_faults(rows: &[Row]) -> Vec<String> {
    let known: BTreeSet<String> = names(LISTS).collect();
    let settled: BTreeSet<String> = names(SETTLED).collect();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        *times.entry(row.name()).or_default() += 1;
    }
    let unmapped = names(LISTS)
        .filter(|name| !times.contains_key(name))
        .map(|name| format!("{name}: is not mapped"));
    let repeated = times
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(name, _)| format!("{name}: is mapped more than once"));
    let unknown = times
        .keys()
        .filter(|name| !known.contains(*name))
        .map(|name| format!("{name}: is in no list"));
    let untested = rows
        .iter()
        .filter(|row| settled.contains(&row.name()) && row.tests().next().is_none())
        .map(|row| format!("{}: needs a test now", row.name()));
    unmapped
        .chain(repeated)
        .chain(unknown)
        .chain(untested)
        .collect()
}

fn names(lists: &'static [(&'static str, &'static [Ids])]) -> impl Iterator<Item = String> {
    lists.iter().flat_map(|(list, ranges)| {
        ranges.iter().flat_map(move |(letter, numbers)| {
            numbers
                .clone()
                .map(move |number| format!("{list} {letter}{number}"))
        })
    })
}

fn row_faults(row: &Row, tests: &Tests) -> Vec<String> {
    let mut faults = Vec::new();
    if row.says.trim().is_empty() || row.says.contains('\n') {
        faults.push("`says` is one line of text".to_owned());
    }
    if row.test.is_some() && !row.tests.is_empty() {
        faults.push("`test` and `tests` stand together: use one".to_owned());
    }
    let answers = [
        row.tests().next().is_some(),
        row.later.is_some(),
        row.not_ours.is_some(),
    ];
    if answers.iter().filter(|given| **given).count() != 1 {
        faults.push("has exactly one of `test` or `tests`, `later`, `not_ours`".to_owned());
    }
    if let Some(later) = row.later.as_deref().filter(|later| !LATER.contains(later)) {
        faults.push(format!(
            "`later` is `{later}`, which is none of {}",
            LATER.join(", ")
        ));
    }
    if row
        .not_ours
        .as_deref()
        .is_some_and(|reason| reason.trim().is_empty())
    {
        faults.push("`not_ours` gives a reason".to_owned());
    }
    faults.extend(row.tests().filter_map(|test| tests.fault(test)));
    faults
}

/// The test functions of the crate, by name, with the files that hold them.
struct Tests {
    run: BTreeMap<String, BTreeSet<String>>,
    /// Tests that are ignored, and where.
    ignored: BTreeMap<String, String>,
}

impl Tests {
    fn of(sources: &[(String, String)]) -> Self {
        let mut found = Self {
            run: BTreeMap::new(),
            ignored: BTreeMap::new(),
        };
        let read: Vec<(&String, Vec<Placed>)> = sources
            .iter()
            .map(|(file, text)| (file, tokens(text)))
            .collect();
        let makers: BTreeSet<&str> = read.iter().flat_map(|(_, tokens)| makers(tokens)).collect();
        for (file, tokens) in &read {
            found.written_out(file, tokens);
            found.made_by_macros(file, tokens, &makers);
        }
        found
    }

    /// `#[test] fn name`, with other attributes and keywords between them; also inside `proptest! { … }`.
    fn written_out(&mut self, file: &str, tokens: &[Placed]) {
        for at in 0..tokens.len() {
            if !is_test_attribute(tokens, at) {
                continue;
            }
            let (first, last) = (attributes_begin(tokens, at), attributes_end(tokens, at));
            let Some(name) = function_name(&tokens[last..]) else {
                continue;
            };
            if tokens[first..last]
                .iter()
                .any(|placed| placed.is_word("ignore"))
            {
                self.ignored
                    .insert(name.to_owned(), format!("{file}:{}", tokens[at].line));
            } else {
                self.run
                    .entry(name.to_owned())
                    .or_default()
                    .insert(file.to_owned());
            }
        }
    }

    /// The words handed to a macro whose definition writes `#[test]`.
    fn made_by_macros(&mut self, file: &str, tokens: &[Placed], makers: &BTreeSet<&str>) {
        for (at, window) in tokens.windows(3).enumerate() {
            let [name, bang, open] = window else { continue };
            let calls = name.word().is_some_and(|name| makers.contains(name))
                && bang.is_mark('!')
                && open.word().is_none();
            if !calls {
                continue;
            }
            for made in tokens[at + 2..closing(tokens, at + 2)]
                .iter()
                .filter_map(Placed::word)
            {
                self.run
                    .entry(made.to_owned())
                    .or_default()
                    .insert(file.to_owned());
            }
        }
    }

    fn fault(&self, test: &str) -> Option<String> {
        let Some((place, function)) = test.rsplit_once("::") else {
            return Some(format!("`{test}` is not of the form `file::function`"));
        };
        match self.run.get(function) {
            Some(places) if places.contains(place) => None,
            Some(places) => Some(format!(
                "`{function}` is not in {place} but in {}",
                join(places)
            )),
            None => Some(match self.ignored.get(function) {
                Some(place) => format!("the test `{function}` is ignored ({place})"),
                None => format!("there is no test `{function}` ({place})"),
            }),
        }
    }

    /// The list with each test's place as the sources have it.
    fn relocate(&self, text: &str) -> String {
        let rows = toml::from_str::<Rows>(text)
            .expect("tests/rows.toml is well-formed")
            .row;
        let mut text = text.to_owned();
        for test in rows.iter().flat_map(Row::tests) {
            let Some((place, function)) = test.rsplit_once("::") else {
                continue;
            };
            let places = self.run.get(function);
            if let Some(places) = places.filter(|places| !places.contains(place))
                && let Some(now) = places.first()
            {
                text = text.replace(&format!("\"{test}\""), &format!("\"{now}::{function}\""));
            }
        }
        text
    }
}

fn join(places: &BTreeSet<String>) -> String {
    places
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The macros of a file whose definition writes a test.
fn makers(tokens: &[Placed]) -> impl Iterator<Item = &str> {
    tokens.windows(4).enumerate().filter_map(|(at, window)| {
        let [definition, bang, name, open] = window else {
            return None;
        };
        let defines =
            definition.is_word("macro_rules") && bang.is_mark('!') && open.word().is_none();
        let writes_a_test =
            || (at + 3..closing(tokens, at + 3)).any(|inside| is_test_attribute(tokens, inside));
        (defines && writes_a_test()).then(|| name.word())?
    })
}

/// Whether `#[test]` begins at `at`.
fn is_test_attribute(tokens: &[Placed], at: usize) -> bool {
    matches!(&tokens[at..], [hash, open, test, close, ..]
        if hash.is_mark('#') && open.is_mark('[') && test.is_word("test") && close.is_mark(']'))
}

/// Where the run of attributes begins that `at` belongs to.
fn attributes_begin(tokens: &[Placed], at: usize) -> usize {
    let mut first = at;
    while let Some(before) = (0..first)
        .rev()
        .find(|&index| tokens[index].is_mark('#'))
        .filter(|&hash| {
            tokens.get(hash + 1).is_some_and(|next| next.is_mark('['))
                && closing(tokens, hash + 1) + 1 == first
        })
    {
        first = before;
    }
    first
}

/// The first token after the run of attributes that `at` begins or continues.
fn attributes_end(tokens: &[Placed], at: usize) -> usize {
    let mut end = at;
    while tokens.get(end).is_some_and(|placed| placed.is_mark('#'))
        && tokens.get(end + 1).is_some_and(|next| next.is_mark('['))
    {
        end = closing(tokens, end + 1) + 1;
    }
    end
}

/// The name in `fn name`, where nothing but words such as `pub` or `async` stands before it.
fn function_name(tokens: &[Placed]) -> Option<&str> {
    let at = tokens
        .iter()
        .take_while(|placed| placed.word().is_some())
        .position(|placed| placed.is_word("fn"))?;
    tokens.get(at + 1)?.word()
}

mod the_checker {
    use super::{LATER, Tests, coverage_faults, faults, names};

    fn tests(text: &str) -> Tests {
        Tests::of(&[("tests/a.rs".to_owned(), text.to_owned())])
    }

    fn row(rest: &str) -> String {
        format!("[[row]]\nlist = \"tlog\"\nid = \"1\"\n{rest}\n")
    }

    /// The faults of a list of this one row, without those about all the rows that it leaves out.
    fn faults_of(rest: &str, sources: &str) -> Vec<String> {
        let all = faults(&row(rest), &tests(sources));
        all.into_iter()
            .filter(|fault| !fault.ends_with("is not mapped"))
            .collect()
    }

    #[test]
    fn finds_rows_left_out_repeated_and_made_up() {
        assert_eq!(coverage_faults(&[]).len(), names(super::LISTS).count());
        let made_up = row("says = \"x\"\nlater = \"evidence\"").replace("\"1\"", "\"99\"");
        let twice = row("says = \"x\"\ntest = \"tests/a.rs::t\"").repeat(2);
        let found = faults(&format!("{made_up}{twice}"), &tests("#[test] fn t() {}"));
        assert!(found.contains(&"tlog 99: is in no list".to_owned()));
        assert!(found.contains(&"tlog 1: is mapped more than once".to_owned()));
        assert!(found.contains(&"tlog 2: is not mapped".to_owned()));
        assert!(!found.contains(&"tlog 1: is not mapped".to_owned()));
    }

    #[test]
    fn a_settled_row_cannot_be_put_off() {
        assert_eq!(
            faults_of("says = \"x\"\nlater = \"evidence\"", ""),
            ["tlog 1: needs a test now"]
        );
        assert!(names(super::SETTLED).all(|name| names(super::LISTS).any(|known| known == name)));
    }

    #[test]
    fn an_entry_says_something_and_answers_once() {
        let test = "test = \"tests/a.rs::t\"";
        let source = "#[test] fn t() {}";
        assert!(faults_of(&format!("says = \"x\"\n{test}"), source).is_empty());
        assert_eq!(faults_of(&format!("says = \" \"\n{test}"), source).len(), 1);
        assert_eq!(
            faults_of(
                &format!("says = \"x\"\n{test}\nlater = \"evidence\""),
                source
            )
            .len(),
            1
        );
        assert_eq!(
            faults_of(
                &format!("says = \"x\"\n{test}\ntests = [\"tests/a.rs::t\"]"),
                source
            )
            .len(),
            1
        );
        assert_eq!(
            faults_of("says = \"x\"\nlater = \"some day\"", source).len(),
            2
        );
        assert_eq!(faults_of("says = \"x\"\nnot_ours = \"\"", source).len(), 2);
        assert_eq!(faults_of("says = \"x\"\nsoon = true", source).len(), 1);
        assert_eq!(LATER.len(), 6);
    }

    #[test]
    fn a_test_counts_only_where_it_runs() {
        let wants = "says = \"x\"\ntest = \"tests/a.rs::t\"";
        let runs = |source: &str| faults_of(wants, source).is_empty();
        assert!(runs("#[test]\nfn t() {}"));
        assert!(runs(
            "#[test] #[should_panic(expected = \"no\")] pub async fn t() {}"
        ));
        assert!(runs(
            "proptest! { #![proptest_config(c())] #[test] fn t(x in 0..9) {} }"
        ));
        assert!(runs(
            "macro_rules! row { ($name:ident) => { #[test] fn $name() {} }; }\nrow!(t);"
        ));
        assert!(!runs("fn t() {}"), "a helper is no test");
        assert!(
            !runs("// #[test] fn t() {}\nconst S: &str = \"#[test] fn t() {}\";"),
            "comments and strings are no code"
        );
        assert!(
            !runs("#[test] #[ignore = \"slow\"] fn t() {}"),
            "an ignored test shows nothing"
        );
        assert!(
            !runs("#[ignore] #[test] fn t() {}"),
            "an ignored test shows nothing"
        );
        assert!(
            !runs("macro_rules! say { ($name:ident) => {} }\nsay!(t);"),
            "this macro makes no test"
        );
        assert!(!runs("#[test] fn other() { t() }"));
    }

    #[test]
    fn a_test_that_moved_is_found_and_its_place_mended() {
        let text = row("says = \"x\"\ntest = \"tests/old.rs::t\"");
        let tests = tests("#[test] fn t() {}");
        let found = faults(&text, &tests);
        assert!(found.contains(&"tlog 1: `t` is not in tests/old.rs but in tests/a.rs".to_owned()));
        assert!(tests.relocate(&text).contains("\"tests/a.rs::t\""));
    }
}

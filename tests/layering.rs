//! Holds the map of the crate: imports point down the list of layers, never up and never across.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod source;

use source::{Placed, Token, closing, files, tokens};
use std::collections::BTreeSet;
use std::fmt;

/// The layers, lowest first. A module may use those of the rows above its own in this list; modules of one row are siblings and do not know each other.
const LAYERS: &[&[&str]] = &[
    // Json values, strict admission, the RFC 8785 writer, digests: the bytes that everything is signed over.
    &["canonical"],
    // The only reader of time, and the bell that sleepers wait for.
    &["clock"],
    // What an agent wants to do, for whom and through what, and the bound form that an approval binds to.
    &["action"],
    // Which actions need whom: questions, verdicts, quorums, rules. Beside it the log: statements, signatures, chain, tree, proofs; it knows nothing of approvals.
    &["policy", "log"],
    // The keys under which hidden values are kept, and a log that is read with them.
    &["values"],
    // The life of a request as a pure fold over its events.
    &["approval"],
    // Events as log entries and back: the only module that knows both sides.
    &["journal"],
    // What an action read and wrote, as a graph.
    &["lineage"],
    // Where records are kept: the trait, memory, SQLite, and the suite that every store passes. Beside it a log in files that others read.
    &["store", "export"],
    // The meaning of a whole log: replay, recounted quorums, compared projections.
    &["audit"],
    // Who a person is and what they belong to. Beside it what a person is shown and how it reaches them, and the client of those who watch the log from outside.
    &["identity", "notify", "witness"],
    // The writer: keys, sequencer, keeper, head file, outbox.
    &["ledger"],
    // What an agent's host holds. Beside it what a reviewer's host holds; neither reaches the other.
    &["gate", "desk"],
    // The library opened on one log, and the handles it gives out: the only part that knows gate and desk.
    &["host"],
    // Scripted parts for the tests of those who use the crate (a feature); test code may use it everywhere.
    &["testing"],
];

#[test]
fn imports_point_down() {
    let sources = files("src");
    assert!(!sources.is_empty(), "no sources were found below src/");
    let findings = check(&sources);
    assert!(findings.is_empty(), "{}", lines(&findings));
}

#[test]
fn the_map_and_the_sources_name_the_same_modules() {
    let listed: BTreeSet<&str> = LAYERS.iter().copied().flatten().copied().collect();
    let sources = files("src");
    let modules: Vec<Vec<String>> = sources
        .iter()
        .filter_map(|(file, _)| module_of(file))
        .collect();
    let present: BTreeSet<&str> = modules
        .iter()
        .filter_map(|module| module.first())
        .map(String::as_str)
        .collect();
    let missing: Vec<_> = listed.difference(&present).collect();
    let unlisted: Vec<_> = present.difference(&listed).collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "listed, but not in src/: {missing:?}; in src/, but not listed: {unlisted:?}"
    );
}

/// A path that the map does not allow.
#[derive(Debug)]
struct Finding {
    file: String,
    line: usize,
    says: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, says } = self;
        write!(f, "{file}:{line}: {says}")
    }
}

fn lines(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    format!(
        "{} path(s) against the map of layers:\n{}",
        lines.len(),
        lines.join("\n")
    )
}

/// Everything in `sources` (path and text of each file) that the map does not allow.
fn check(sources: &[(String, String)]) -> Vec<Finding> {
    let files: Vec<File> = sources
        .iter()
        .filter_map(|(name, text)| File::read(name, text))
        .collect();
    let test_modules: BTreeSet<Vec<String>> = files
        .iter()
        .flat_map(|file| file.test_modules.clone())
        .collect();
    let is_test = |file: &File| {
        (1..=file.module.len()).any(|length| test_modules.contains(&file.module[..length]))
    };
    files
        .iter()
        .flat_map(|file| file.check(is_test(file)))
        .collect()
}

/// The module of a file below `src/`, as a path from the crate's root. `None` for `lib.rs`, which may export anything, and for programs, which are crates of their own.
fn module_of(file: &str) -> Option<Vec<String>> {
    let path = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    if path == "lib" || path == "main" || path.starts_with("bin/") {
        return None;
    }
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    Some(module)
}

/// The row of a module in [`LAYERS`].
fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

struct File {
    name: String,
    module: Vec<String>,
    tokens: Vec<Placed>,
    /// For each token, whether it belongs to an item that only tests compile.
    in_test: Vec<bool>,
    /// Modules in files of their own that only tests compile.
    test_modules: Vec<Vec<String>>,
}

impl File {
    fn read(name: &str, text: &str) -> Option<Self> {
        let module = module_of(name)?;
        let tokens = tokens(text);
        let mut file = Self {
            name: name.to_owned(),
            module,
            in_test: vec![false; tokens.len()],
            tokens,
            test_modules: Vec::new(),
        };
        file.mark_tests();
        Some(file)
    }

    /// Finds `#[cfg(test)]`, also as `#[cfg(all(test, …))]`, and the item that it stands on.
    fn mark_tests(&mut self) {
        for at in 0..self.tokens.len() {
            let inner = usize::from(self.at(at + 1).is_some_and(|next| next.is_mark('!')));
            let open = at + 1 + inner;
            let attribute =
                self.tokens[at].is_mark('#') && self.at(open).is_some_and(|next| next.is_mark('['));
            if !attribute || !self.is_cfg_test(open) {
                continue;
            }
            if inner == 1 {
                self.in_test.fill(true);
                continue;
            }
            let end = self.item_end(closing(&self.tokens, open) + 1);
            for index in at..=end {
                self.in_test[index] = true;
            }
            let item = &self.tokens[at..=end];
            if let [.., keyword, name, semicolon] = item
                && keyword.is_word("mod")
                && semicolon.is_mark(';')
                && let Some(name) = name.word()
            {
                let mut module = self.module.clone();
                module.push(name.to_owned());
                self.test_modules.push(module);
            }
        }
    }

    fn is_cfg_test(&self, open: usize) -> bool {
        let words: Vec<&str> = self.tokens[open..=closing(&self.tokens, open)]
            .iter()
            .filter_map(Placed::word)
            .take(3)
            .collect();
        matches!(words.as_slice(), ["cfg", "test"] | ["cfg", "all", "test"])
    }

    /// The last token of the item that begins at `start`: its `;`, the `,` after a field, or the bracket that closes its body.
    fn item_end(&self, start: usize) -> usize {
        let mut at = start;
        let mut angles = 0_i32;
        while let Some(placed) = self.at(at) {
            match placed.token {
                Token::Mark(';') => return at,
                Token::Mark(',') if angles == 0 => return at,
                Token::Mark('{') => return closing(&self.tokens, at),
                Token::Mark('(' | '[') => at = closing(&self.tokens, at),
                Token::Mark('<') => angles += 1,
                Token::Mark('>') if !self.tokens[at - 1].is_mark('-') => angles -= 1,
                _ => {}
            }
            at += 1;
        }
        self.tokens.len() - 1
    }

    fn at(&self, index: usize) -> Option<&Placed> {
        self.tokens.get(index)
    }

    fn check(&self, is_test: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut inline: Vec<(String, usize)> = Vec::new(); // modules that are open here, and where each closes
        let mut at = 0;
        while let Some(placed) = self.at(at) {
            inline.retain(|(_, end)| at <= *end);
            let opens =
                placed.is_word("mod") && self.at(at + 2).is_some_and(|next| next.is_mark('{'));
            if opens && let Some(name) = self.at(at + 1).and_then(Placed::word) {
                inline.push((name.to_owned(), closing(&self.tokens, at + 2)));
            }
            let follows_path = at > 0 && self.tokens[at - 1].token == Token::PathSep;
            let starts_path =
                matches!(placed.word(), Some("crate" | "super" | "self")) && !follows_path;
            if starts_path
                && self
                    .at(at + 1)
                    .is_some_and(|next| next.token == Token::PathSep)
            {
                let mut paths = Vec::new();
                let end = self.expand(at, Vec::new(), &mut paths);
                let here: Vec<String> = self
                    .module
                    .iter()
                    .cloned()
                    .chain(inline.iter().map(|(name, _)| name.clone()))
                    .collect();
                for path in paths {
                    if let Err(says) = self.judge(&here, &path, is_test || self.in_test[at]) {
                        findings.push(self.finding(placed.line, says));
                    }
                }
                at = end;
                continue;
            }
            if self.reads_time(at) && !(is_test || self.in_test[at]) {
                let says = "reads a clock of the system: time comes from `Clock`".to_owned();
                findings.push(self.finding(placed.line, says));
            }
            let renames_root = placed.is_word("crate")
                && (at > 0 && self.tokens[at - 1].is_word("extern")
                    || self.at(at + 1).is_some_and(|next| next.is_word("as")));
            if renames_root {
                findings.push(
                    self.finding(
                        placed.line,
                        "the crate's root under another name: write `crate::` and the module"
                            .to_owned(),
                    ),
                );
            }
            at += 1;
        }
        findings
    }

    /// `Instant::now`, `SystemTime::now` and `.elapsed()`, outside of the module that may.
    fn reads_time(&self, at: usize) -> bool {
        let is = |index: usize, word: &str| self.at(index).is_some_and(|one| one.is_word(word));
        let now = (is(at, "Instant") || is(at, "SystemTime"))
            && self
                .at(at + 1)
                .is_some_and(|next| next.token == Token::PathSep)
            && is(at + 2, "now");
        let elapsed = self.at(at).is_some_and(|one| one.is_mark('.')) && is(at + 1, "elapsed");
        (now || elapsed) && self.module.first().is_none_or(|module| module != "clock")
    }

    fn finding(&self, line: usize, says: String) -> Finding {
        Finding {
            file: self.name.clone(),
            line,
            says,
        }
    }

    /// Adds the paths that begin at `at`, groups spelt out, and says where the code goes on.
    fn expand(&self, at: usize, mut path: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
        match self.at(at).map(|placed| &placed.token) {
            Some(Token::Word(word)) => {
                path.push(word.clone());
                if self
                    .at(at + 1)
                    .is_some_and(|next| next.token == Token::PathSep)
                {
                    return self.expand(at + 2, path, paths);
                }
                paths.push(path);
                at + 1
            }
            Some(Token::Mark('*')) => {
                path.push("*".to_owned());
                paths.push(path);
                at + 1
            }
            Some(Token::Mark('{')) => {
                let end = closing(&self.tokens, at);
                let mut item = at + 1;
                while item < end {
                    item = if matches!(
                        self.tokens[item].token,
                        Token::Word(_) | Token::Mark('*' | '{')
                    ) {
                        self.expand(item, path.clone(), paths)
                    } else {
                        item + 1
                    };
                    if self.tokens[item].is_word("as") {
                        item += 2;
                    }
                }
                end + 1
            }
            // `crate::a::b::<T>` ends where its type arguments begin.
            _ => {
                paths.push(path);
                at
            }
        }
    }

    fn judge(&self, here: &[String], path: &[String], is_test: bool) -> Result<(), String> {
        let written = path.join("::");
        let mut place = here.to_vec();
        for segment in path {
            match segment.as_str() {
                "crate" => place.clear(),
                "self" => {}
                "super" => {
                    place
                        .pop()
                        .ok_or_else(|| format!("`{written}` climbs out of the crate"))?;
                }
                name => place.push(name.to_owned()),
            }
        }
        let own = self.module[0].as_str();
        let own_layer = layer_of(own).ok_or_else(|| format!("`{own}` is in no layer"))?;
        let target = place.first().map_or("", String::as_str);
        if target == own {
            return Ok(());
        }
        match layer_of(target) {
            None => Err(format!(
                "`{written}` names no layer: name the module, not what lib.rs exports"
            )),
            Some(_) if is_test && target == "testing" => Ok(()),
            Some(layer) if layer > own_layer => Err(format!(
                "`{written}` points up: `{own}` lies below `{target}`"
            )),
            Some(layer) if layer == own_layer => Err(format!(
                "`{written}` points across: `{own}` and `{target}` are siblings"
            )),
            Some(_) => Ok(()),
        }
    }
}

mod the_checker {
    use super::{check, lines};

    fn findings(file: &str, text: &str) -> Vec<String> {
        check(&[(file.to_owned(), text.to_owned())])
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn finds_a_path_that_points_up() {
        let found = findings(
            "src/log/tree.rs",
            "use crate::canonical::Digest;\nfn f() { crate::store::open(); }\n",
        );
        assert_eq!(
            found,
            ["src/log/tree.rs:2: `crate::store::open` points up: `log` lies below `store`"]
        );
    }

    #[test]
    fn finds_a_path_between_siblings() {
        let found = findings("src/gate/mod.rs", "use crate::desk::Ballot;");
        assert_eq!(
            found,
            [
                "src/gate/mod.rs:1: `crate::desk::Ballot` points across: `gate` and `desk` are siblings"
            ]
        );
    }

    #[test]
    fn finds_who_else_reads_time() {
        let text = "fn f() { let t = std::time::Instant::now(); t.elapsed(); std::time::SystemTime::now(); }";
        assert_eq!(findings("src/ledger/time.rs", text).len(), 3);
        assert_eq!(findings("src/clock/system.rs", text).len(), 0);
        let tested = format!("#[cfg(test)] mod tests {{ {text} }}");
        assert_eq!(findings("src/ledger/time.rs", &tested).len(), 0);
    }

    #[test]
    fn reads_groups_and_what_is_nested_in_them() {
        let text = "use crate::{\n    canonical::{Json, write as print},\n    store::{self, Store},\n    clock::*,\n};";
        let found = findings("src/action/mod.rs", text);
        assert_eq!(
            found,
            [
                "src/action/mod.rs:1: `crate::store::self` points up: `action` lies below `store`",
                "src/action/mod.rs:1: `crate::store::Store` points up: `action` lies below `store`",
            ]
        );
    }

    #[test]
    fn follows_super_out_of_a_layer() {
        let climbs = "use super::super::gate::Permit; use super::bind;";
        assert_eq!(findings("src/action/bound.rs", climbs).len(), 1);
        assert_eq!(
            findings("src/action/mod.rs", "use super::gate::Permit;").len(),
            1
        );
        let nested = "mod inner { use super::super::super::gate::Permit; use super::super::bind; }";
        assert_eq!(findings("src/action/bound.rs", nested).len(), 1);
        assert_eq!(
            findings(
                "src/action/bound.rs",
                "use super::{super::gate::Permit, bind};"
            )
            .len(),
            1
        );
        assert_eq!(
            findings("src/action/bound.rs", "use super::super::super::x;").len(),
            1
        );
    }

    #[test]
    fn comments_strings_and_lifetimes_are_no_code() {
        let text = r##"
            //! [`crate::gate::Permit`]
            /* use crate::gate::A; /* nested crate::gate::B */ crate::gate::C */
            /// crate::gate::D
            fn f<'a>(x: &'a str) -> char { let _ = "crate::gate::E \" crate::gate::F"; '"' }
            const RAW: &str = r#"crate::gate::G " crate::gate::H"#; const BYTES: &[u8] = b"crate::gate::I"; const Q: u8 = b'"';
            pub(crate) fn g() {} pub(in crate::clock) fn h() {}
        "##;
        assert_eq!(findings("src/clock/mod.rs", text), Vec::<String>::new());
        assert_eq!(
            findings("src/clock/mod.rs", &format!("{text} use crate::gate::Z;")).len(),
            1
        );
    }

    #[test]
    fn test_code_may_use_testing_and_nothing_else_above() {
        let text =
            "#[cfg(test)] mod tests { use crate::testing::ManualGate; use crate::store::Store; }";
        let found = findings("src/log/mod.rs", text);
        assert_eq!(
            found,
            ["src/log/mod.rs:1: `crate::store::Store` points up: `log` lies below `store`"]
        );
        assert_eq!(
            findings(
                "src/log/mod.rs",
                "mod tests { use crate::testing::ManualGate; }"
            )
            .len(),
            1
        );
        let after = "#[cfg(test)] use crate::testing::A; use crate::testing::B;";
        assert_eq!(findings("src/log/mod.rs", after).len(), 1);
        let generic = "#[cfg(test)] fn f<A, B>() -> C { crate::testing::D } fn g() {}";
        assert!(findings("src/log/mod.rs", generic).is_empty());
    }

    #[test]
    fn a_file_that_only_tests_compile_may_use_testing() {
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let tests = file("src/log/tests.rs", "use crate::testing::ManualGate;");
        let declared = [
            file("src/log/mod.rs", "#[cfg(test)]\nmod tests;"),
            tests.clone(),
        ];
        assert!(check(&declared).is_empty(), "{}", lines(&check(&declared)));
        assert_eq!(
            check(&[file("src/log/mod.rs", "mod tests;"), tests]).len(),
            1
        );
    }

    #[test]
    fn the_root_is_no_way_around_the_map() {
        assert_eq!(findings("src/log/mod.rs", "use crate::Permit;").len(), 1);
        assert_eq!(findings("src/log/mod.rs", "use crate::*;").len(), 1);
        assert_eq!(findings("src/log/mod.rs", "use crate as root;").len(), 1);
        assert_eq!(
            findings("src/log/mod.rs", "extern crate self as root;").len(),
            1
        );
        assert_eq!(
            findings("src/unlisted.rs", "use crate::log::Leaf;").len(),
            1
        );
    }

    #[test]
    fn the_front_page_and_programs_may_name_anything() {
        assert!(findings("src/lib.rs", "pub use crate::gate::Permit;").is_empty());
        assert!(findings("src/bin/tool/main.rs", "use crate::arguments::Arguments;").is_empty());
    }
}

//! Logs for two verifiers to agree on: random lives, what may be wrong with them, and for each numbered rule a log that only it refuses.
//!
//! They are written as files, so that a verifier in another language reads what anybody would hand it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "each file of tests uses a part of it"
)]

pub mod damage;
pub mod dice;
pub mod golden;
pub mod scribe;
pub mod story;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::audit::Audit;
use countersign::canonical::Digest;
use countersign::log::{TrustedKeys, Verdict};
use countersign::store::SqliteStore;
use serde_json::{Value, json};

use dice::Dice;
use scribe::{Draft, Hand, Image, Seal, seal};
use story::Story;

/// A log in a file, with what an auditor has beside it.
#[derive(Debug)]
pub struct Case {
    /// What was done to it; with the seed it is enough to make the case again.
    pub what: String,
    pub store: PathBuf,
    pub keys: PathBuf,
    pub checkpoints: Vec<PathBuf>,
    /// Whether the file was changed where SQLite's own bookkeeping may stand.
    pub spoiled: bool,
}

/// What a verifier says, as far as two of them must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub exit: u8,
    pub seq: Option<u64>,
    pub rule: Option<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.rule, self.seq, self.exit) {
            (Some(rule), Some(seq), _) => write!(f, "broken at {seq} by {rule}"),
            (_, _, 0) => f.write_str("intact, anchored"),
            (_, _, 3) => f.write_str("intact, unanchored tail"),
            _ => f.write_str("cannot verify"),
        }
    }
}

impl Found {
    /// Whether the log was read as far as it goes.
    pub fn is_read(&self) -> bool {
        self.exit != 2
    }

    /// What the other verifier said in JSON.
    pub fn of_json(json: &Value) -> Self {
        Self {
            exit: u8::try_from(json["exit"].as_u64().unwrap()).unwrap(),
            seq: json["seq"].as_u64(),
            rule: json["rule"].as_str().map(str::to_owned),
        }
    }
}

impl Case {
    /// A line of the list that the other verifier is given.
    pub fn line(&self) -> Value {
        json!({"store": self.store, "keys": self.keys, "checkpoints": self.checkpoints})
    }

    /// What this library says, and why.
    pub fn verify(&self) -> (Found, String) {
        let unable = |why: String| {
            let found = Found {
                exit: 2,
                seq: None,
                rule: None,
            };
            (found, why)
        };
        let keys: Result<TrustedKeys, _> = fs::read_to_string(&self.keys).unwrap().parse();
        let Ok(keys) = keys else {
            return unable("the keys are malformed".to_owned());
        };
        let store = match SqliteStore::open_read_only(&self.store) {
            Ok(store) => store,
            Err(error) => return unable(error.to_string()),
        };
        let mut reader = match store.log_reader() {
            Ok(reader) => reader,
            Err(error) => return unable(error.to_string()),
        };
        let mut audit = Audit::of(&mut reader).trusting(keys);
        for path in &self.checkpoints {
            audit = audit.anchored_by(fs::read(path).unwrap());
        }
        let verdict = audit.run().verdict;
        let (seq, rule) = match &verdict {
            Verdict::Broken(broken) => (Some(broken.seq.get()), Some(broken.rule.to_string())),
            _ => (None, None),
        };
        let found = Found {
            exit: verdict.exit_code(),
            seq,
            rule,
        };
        (found, verdict.to_string())
    }
}

/// The files of one case.
pub struct Folder<'d> {
    pub path: &'d Path,
    pub empty: &'d [u8],
}

impl Folder<'_> {
    pub fn lay(
        &self,
        name: &str,
        what: String,
        image: &Image,
        keys: &str,
        anchors: &[Vec<u8>],
    ) -> Case {
        let store = self.path.join(format!("{name}.sqlite"));
        image.write(self.empty, &store);
        let keys_path = self.path.join(format!("{name}.keys"));
        fs::write(&keys_path, keys).unwrap();
        let checkpoints = anchors
            .iter()
            .enumerate()
            .map(|(at, note)| {
                let path = self.path.join(format!("{name}.{at}.checkpoint"));
                fs::write(&path, note).unwrap();
                path
            })
            .collect();
        Case {
            what,
            store,
            keys: keys_path,
            checkpoints,
            spoiled: false,
        }
    }

    /// The case of a seed.
    pub fn random(&self, seed: u64) -> Case {
        let mut dice = Dice::new(seed);
        let origin = *dice.pick(&["example.com/log", "example.com/log", "testing/example.com"]);
        let keys = Seal::new(&mut dice, origin);
        let mut story = Story::new(Dice::new(dice.next()), keys.genesis());
        let mut done = Vec::new();
        if dice.percent(25) {
            story.careless = 15;
            done.push("careless");
        }
        let steps = match dice.below(100) {
            0..2 => 320,
            _ => 4 + dice.below(40),
        };
        story.live(steps);
        let mut drafts = story.drafts;
        if dice.percent(35) {
            done.push(damage::misbehave(&mut dice, &mut drafts));
        }
        if dice.percent(2) {
            damage::change_genesis(&mut dice, &mut drafts[0].body);
            done.push("another genesis");
        }
        if drafts.is_empty() {
            done.push("empty");
        }
        let mut image = seal(&keys, &drafts);
        if !drafts.is_empty() && dice.percent(35) {
            done.push(damage::tamper(&mut dice, &mut image));
        }
        let anchors = anchors(&mut dice, &keys, &image, &mut done);
        let trusted = trusted(&mut dice, &keys, &mut done);
        let what = format!("seed {seed}: {}", done.join(", "));
        let mut case = self.lay(&format!("{seed:016x}"), what, &image, &trusted, &anchors);
        if dice.percent(2) {
            spoil_file(&mut dice, &case.store);
            case.spoiled = true;
        }
        case
    }
}

/// Checkpoints from outside: of some of the log's sizes, by the log or by somebody else.
fn anchors(
    dice: &mut Dice,
    keys: &Seal,
    image: &Image,
    done: &mut Vec<&'static str>,
) -> Vec<Vec<u8>> {
    let mut anchors = Vec::new();
    for (_, note) in &image.checkpoints {
        if dice.percent(20) {
            anchors.push(note.clone());
        }
    }
    let size = image.records.len() as u64;
    match dice.below(12) {
        0 => {
            done.push("an outside checkpoint of another tree");
            anchors.push(keys.checkpoint(size.max(1), Digest::sha256(b"x")));
        }
        1 => {
            done.push("an outside checkpoint of a longer log");
            anchors.push(keys.checkpoint(size + 2, Digest::sha256(b"x")));
        }
        2 => {
            done.push("an outside checkpoint by a stranger");
            anchors.push(keys.checkpoint_by(Hand::Stranger, size, Digest::sha256(b"x")));
        }
        3 => {
            done.push("an outside checkpoint by the gate");
            anchors.push(keys.checkpoint_by(Hand::Gate, size, Digest::sha256(b"x")));
        }
        4 => anchors.push(b"not a note".to_vec()),
        5..=8 => anchors.extend(image.checkpoints.last().map(|(_, note)| note.clone())),
        _ => {}
    }
    anchors
}

fn trusted(dice: &mut Dice, keys: &Seal, done: &mut Vec<&'static str>) -> String {
    let text = keys.trusted().to_string();
    let lines: Vec<&str> = text.lines().collect();
    match dice.below(20) {
        0 => {
            done.push("a key is not trusted");
            lines[1..].join("\n")
        }
        1 => {
            done.push("a key is trusted for something else");
            text.replacen("gate ", "desk ", 1)
        }
        2 => {
            done.push("no keys");
            "# none\n".to_owned()
        }
        3 => {
            done.push("malformed keys");
            text.replacen('+', "-", 1)
        }
        _ => format!("# keys\n\n{text}"),
    }
}

/// Cuts the file, or changes a byte of it where SQLite's own bookkeeping may stand.
fn spoil_file(dice: &mut Dice, path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    if dice.percent(30) {
        bytes.truncate(dice.below(bytes.len()));
    } else {
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
    }
    fs::write(path, bytes).unwrap();
}

/// A log that keeps every rule, to be broken in one.
pub fn drafts_of(seed: u64, steps: usize, keys: &Seal) -> Vec<Draft> {
    let mut story = Story::new(Dice::new(seed), keys.genesis());
    story.live(steps);
    story.drafts
}

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
pub mod handed;
pub mod scribe;
pub mod story;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::audit::Audit;
use countersign::canonical::Digest;
use countersign::clock::Timestamp;
use countersign::export::{JsonlReader, TilesReader};
use countersign::log::{
    Cosignature, KeyName, LogReader, Note, Receipt, SecretKey, Signer, TrustedKeys, Verdict,
    Window, WitnessKey, WitnessPolicy,
};
use countersign::store::SqliteStore;
use serde_json::{Value, json};

use dice::Dice;
use handed::Handed;
use scribe::{Hand, Image, Seal, seal};
use story::Story;

/// A log in a file, with what an auditor has beside it.
#[derive(Debug)]
pub struct Case {
    /// What was done to it; with the seed it is enough to make the case again.
    pub what: String,
    pub form: Form,
    /// The log, or the receipt.
    pub store: PathBuf,
    pub keys: PathBuf,
    pub checkpoints: Vec<PathBuf>,
    /// The witnesses that the auditor believes.
    pub witnesses: Option<PathBuf>,
    /// Whether the file was changed where SQLite's own bookkeeping may stand.
    pub spoiled: bool,
}

/// What a log is handed over as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Store,
    Tiles,
    Lines,
    Receipt,
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
        // Of a receipt, only whether it proves its record: this library does not say by which rule it does not.
        let of_receipt = json.get("members").is_some();
        Self {
            exit: u8::try_from(json["exit"].as_u64().unwrap()).unwrap(),
            seq: json["seq"].as_u64().filter(|_| !of_receipt),
            rule: json["rule"]
                .as_str()
                .filter(|_| !of_receipt)
                .map(str::to_owned),
        }
    }

    /// A verdict that names no record.
    pub fn exit(exit: u8) -> Self {
        Self {
            exit,
            seq: None,
            rule: None,
        }
    }
}

impl Case {
    /// A line of the list that the other verifier is given.
    pub fn line(&self) -> Value {
        match self.form {
            Form::Receipt => json!({"receipt": self.store, "keys": self.keys}),
            Form::Store | Form::Tiles | Form::Lines => json!({
                "store": self.store,
                "keys": self.keys,
                "checkpoints": self.checkpoints,
                "witnesses": self.witnesses,
            }),
        }
    }

    /// What this library says, and why.
    pub fn verify(&self) -> (Found, String) {
        let unable = |why: String| (Found::exit(2), why);
        let keys: Result<TrustedKeys, _> = fs::read_to_string(&self.keys).unwrap().parse();
        let Ok(keys) = keys else {
            return unable("the keys are malformed".to_owned());
        };
        let mut reader = match self.open() {
            Ok(Some(reader)) => reader,
            Ok(None) => return self.verify_receipt(&keys),
            Err(error) => return unable(error),
        };
        let mut audit = Audit::of(&mut *reader).trusting(keys);
        for path in &self.checkpoints {
            audit = audit.anchored_by(fs::read(path).unwrap());
        }
        if let Some(path) = &self.witnesses {
            match WitnessPolicy::parse(&fs::read(path).unwrap()) {
                Ok(policy) => audit = audit.witnessed_by(policy, Window::ALWAYS),
                Err(error) => return unable(error.to_string()),
            }
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

    /// A reader of the log; `None` of a receipt.
    fn open(&self) -> Result<Option<Box<dyn LogReader + Send>>, String> {
        Ok(match self.form {
            Form::Store => {
                let store =
                    SqliteStore::open_read_only(&self.store).map_err(|error| error.to_string())?;
                let reader = store.log_reader().map_err(|error| error.to_string())?;
                Some(Box::new(reader))
            }
            Form::Tiles => {
                let reader = TilesReader::open(&self.store).map_err(|error| error.to_string())?;
                Some(Box::new(reader))
            }
            Form::Lines => {
                let reader = JsonlReader::open(&self.store).map_err(|error| error.to_string())?;
                Some(Box::new(reader))
            }
            Form::Receipt => None,
        })
    }

    fn verify_receipt(&self, keys: &TrustedKeys) -> (Found, String) {
        let bytes = fs::read(&self.store).unwrap();
        let verified = Receipt::from_bytes(&bytes).and_then(|one| one.verify_with_keys(keys));
        match verified {
            Ok(_) => (Found::exit(0), "proven".to_owned()),
            Err(error) => (Found::exit(1), error.to_string()),
        }
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
        self.beside(name, what, (Form::Store, store), keys, anchors)
    }

    /// As others are given it.
    pub fn hand(
        &self,
        name: &str,
        what: String,
        handed: &Handed,
        keys: &str,
        anchors: &[Vec<u8>],
    ) -> Case {
        let (form, ending) = match handed {
            Handed::Tiles(_) => (Form::Tiles, "tiles"),
            Handed::Lines(_) => (Form::Lines, "jsonl"),
            Handed::Receipt(_) => (Form::Receipt, "receipt"),
        };
        let path = self.path.join(format!("{name}.{ending}"));
        match handed {
            Handed::Tiles(files) => {
                for (file, bytes) in files {
                    let file = path.join(file);
                    fs::create_dir_all(file.parent().unwrap()).unwrap();
                    fs::write(file, bytes).unwrap();
                }
            }
            Handed::Lines(bytes) | Handed::Receipt(bytes) => fs::write(&path, bytes).unwrap(),
        }
        self.beside(name, what, (form, path), keys, anchors)
    }

    /// What an auditor has beside it.
    fn beside(
        &self,
        name: &str,
        what: String,
        (form, store): (Form, PathBuf),
        keys: &str,
        anchors: &[Vec<u8>],
    ) -> Case {
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
            form,
            store,
            keys: keys_path,
            checkpoints,
            witnesses: None,
            spoiled: false,
        }
    }

    /// The case of a seed.
    pub fn random(&self, seed: u64) -> Case {
        let mut dice = Dice::new(seed);
        let origin = *dice.pick(&["example.com/log", "example.com/log", "testing/example.com"]);
        let keys = Seal::new(&mut dice, origin);
        let mut story = Story::new(Dice::new(dice.next()), &keys);
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
        let policy = dice
            .percent(25)
            .then(|| watch(&mut dice, &keys, &mut image, &mut done));
        if !drafts.is_empty() && dice.percent(35) {
            done.push(damage::tamper(&mut dice, &mut image));
        }
        let anchors = anchors(&mut dice, &keys, &image, &mut done);
        let trusted = trusted(&mut dice, &keys, &mut done);
        let name = format!("{seed:016x}");
        if !image.records.is_empty() && dice.percent(30) {
            let mut handed = hand_over(&mut dice, &keys, &image, &keys.policy(&drafts));
            done.push("handed over");
            if dice.percent(50) {
                done.push(handed.damage(&mut dice));
            }
            let what = format!("seed {seed}: {}", done.join(", "));
            let case = self.hand(&name, what, &handed, &trusted, &anchors);
            return self.with_policy(case, policy);
        }
        let what = format!("seed {seed}: {}", done.join(", "));
        let mut case = self.lay(&name, what, &image, &trusted, &anchors);
        if dice.percent(2) {
            spoil_file(&mut dice, &case.store);
            case.spoiled = true;
        }
        self.with_policy(case, policy)
    }

    fn with_policy(&self, mut case: Case, policy: Option<String>) -> Case {
        if let Some(policy) = policy {
            let path = case.keys.with_extension("policy");
            fs::write(&path, policy).unwrap();
            case.witnesses = Some(path);
        }
        case
    }
}

/// Witnesses cosign some of the checkpoints. The policy of an auditor who believes some of them.
fn watch(dice: &mut Dice, keys: &Seal, image: &mut Image, done: &mut Vec<&'static str>) -> String {
    let mut secrets: Vec<SecretKey> = (0..3)
        .map(|_| SecretKey::from_seed(&dice.bytes()))
        .collect();
    if dice.percent(15) {
        done.push("the log is its own witness");
        secrets[0] = SecretKey::from_seed(&keys.key(Hand::Gate).to_seed());
    }
    let witnesses: Vec<(WitnessKey, SecretKey)> = (1..)
        .zip(secrets)
        .map(|(number, secret)| {
            let name = KeyName::new(format!("witness.example/{number}")).unwrap();
            (WitnessKey::new(name, secret.public().clone()), secret)
        })
        .collect();
    let untimely = dice.percent(10);
    for (_, note) in &mut image.checkpoints {
        for (key, secret) in &witnesses {
            if dice.percent(40) {
                continue;
            }
            let seconds = 1_800_000_000 + dice.below(2000) as i64;
            let at = if untimely && dice.percent(20) {
                0
            } else {
                seconds * 1_000_000
            };
            let at = Timestamp::from_unix_micros(at).unwrap();
            let plain = Note::parse(note).unwrap();
            let line = Cosignature::sign(plain.unverified_text(), at, secret)
                .unwrap()
                .line(key);
            *note = plain.with_signature(&line).unwrap().to_bytes();
        }
        if dice.percent(3) {
            done.push("a byte of a cosigned checkpoint");
            damage::flip(dice, note);
        }
    }
    let mut policy = "# whom I believe\n\n".to_owned();
    if dice.percent(20) {
        let line = keys.policy(&[]);
        policy += line.lines().next().unwrap();
        policy.push('\n');
    }
    for (number, (key, _)) in witnesses.iter().enumerate() {
        policy += &format!("witness w{number} {key} https://witness.example/{number}\n");
    }
    let endings = [
        "group g 2 w0 w1 w2\nquorum g\n",
        "group g any w1 w2\ngroup h all g w0\nquorum h\n",
        "quorum w0\n",
        "group g all w0\t w1\nquorum g\n",
        "quorum none\n",
        "group g 3 w0 w1\nquorum g\n",
        "group g any w0 w0\nquorum g\n",
        "quorum w3\n",
        "group none any w0\nquorum none\n",
        "quorum w0",
        "",
    ];
    // Those at the end are malformed.
    let many = if dice.percent(90) { 5 } else { endings.len() };
    policy += *dice.pick(&endings[..many]);
    done.push("watched");
    policy
}

/// The log in another form, or a receipt of one of its records.
fn hand_over(dice: &mut Dice, keys: &Seal, image: &Image, policy: &str) -> Handed {
    let salt = dice.next();
    let withheld = dice.below(3) as u64;
    // The same for a disclosure, whenever it is asked.
    let keeps = |text: &str| {
        let told = text.bytes().fold(salt, |told, byte| {
            (told ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
        });
        told >> 32 & 3 < withheld
    };
    match dice.below(3) {
        0 => Handed::Tiles(handed::tiles(image, policy, &keeps)),
        1 => Handed::Lines(handed::lines(image, &keys.log, &keys.origin, &keeps)),
        _ => {
            let at = dice.below(image.records.len());
            let later: Vec<_> = image.checkpoints.iter().collect();
            let note = match later.is_empty() {
                true => b"no checkpoint".to_vec(),
                false if dice.percent(80) => later[later.len() - 1].1.clone(),
                false => dice.pick(&later).1.clone(),
            };
            Handed::Receipt(handed::receipt(image, at, &note, &|text| !keeps(text)))
        }
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

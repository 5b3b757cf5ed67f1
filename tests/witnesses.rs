//! What witnesses say of a log: cosignatures, policies, and what they are worth to whoever verifies it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use std::time::Duration;

use countersign::{
    clock::Timestamp,
    export::{Export, JsonlReader, TilesReader},
    log::{
        Checkpoint, Cosignature, CosignatureError, ForkEvidence, KeyChange, KeyName, Kind,
        LogReader, NotAFork, NotAVerifierKey, NotWitnessed, Note, NoteError, NoteSignature, Report,
        Revocation, Rule, SecretKey, Seq, Signer, StoredTree, Terms, TreeSize, Verdict,
        VerifierKey, Window, WitnessKey, WitnessPolicy, WitnessPolicyFault, prove_record,
        verify_structure,
    },
};
use log_fixture::{Image, Writer, assert_broken, forked, golden};
use proptest::prelude::*;

/// Made with the Ed25519 of another library.
const ELSEWHERE: &str = "example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa tYy/iJi+VohutU4Wo23FIvfp0RwBZSjLnrawOcLnHUTosM9W9HpZn8aWGTyClJfXa9nf56sOHtbpoFJLsedoHAAb8gU=
— witness.example/w1 4M0oZAAAAABkGFDLQg9ie17H59EQY6vgePJ21ZXOJa4cyoQcMJbNc7ZiCam1MQzkLuZg29Ah+OjytK1AM1KxQxRzfOQg2V6cLc0TCA==
";
const ELSEWHERE_LOG: &str =
    "example.com/behind-the-sofa+b58cbf88+AdBKsjJ0K7SrOhNovUYV5ObQIkq3GgFrr4UgozLJd4c3";
const ELSEWHERE_WITNESS: &str =
    "witness.example/w1+e0cd2864+BKCapfR6Z1mAL/lV+NwtKhSlyZ0jvpf4ZBJ/+Tg0VaTw";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn noon() -> Timestamp {
    at("2026-03-01T12:00:00.000000Z")
}

/// A witness with its secret key.
struct Witness {
    secret: SecretKey,
    key: WitnessKey,
}

impl Witness {
    fn new(number: u8) -> Self {
        Self::named(number, &format!("witness.example/{number}"))
    }

    fn named(number: u8, name: &str) -> Self {
        let secret = SecretKey::from_seed(&[100 + number; 32]);
        let key = WitnessKey::new(KeyName::new(name).unwrap(), secret.public().clone());
        Self { secret, key }
    }

    fn cosign(&self, note: &[u8], at: Timestamp) -> Vec<u8> {
        let note = Note::parse(note).unwrap();
        let cosignature = Cosignature::sign(note.unverified_text(), at, &self.secret).unwrap();
        let line = cosignature.line(&self.key);
        note.with_signature(&line).unwrap().to_bytes()
    }
}

fn policy(text: &str) -> WitnessPolicy {
    WitnessPolicy::parse(text.as_bytes()).unwrap()
}

/// So many of so many witnesses.
fn some_of(need: usize, witnesses: &[&Witness]) -> WitnessPolicy {
    let mut text = String::new();
    let mut names = String::new();
    for (place, witness) in witnesses.iter().enumerate() {
        text.push_str(&format!("witness w{place} {}\n", witness.key));
        names.push_str(&format!(" w{place}"));
    }
    policy(&format!("{text}group g {need}{names}\nquorum g\n"))
}

fn verify(writer: &Writer, image: &Image, policy: &WitnessPolicy, window: Window) -> Report {
    let keys = writer.trusted();
    let terms = Terms {
        keys: Some(&keys),
        witnesses: Some(policy),
        window,
        ..Terms::default()
    };
    verify_structure(&mut image.clone(), &terms, &mut |_| {}, &mut |_, _| {})
}

/// Cosigns the checkpoint of a size in place.
fn cosigned(image: &mut Image, size: u64, by: &[&Witness], at: Timestamp) {
    let (_, note) = image
        .checkpoints
        .iter_mut()
        .find(|(filed, _)| *filed == size)
        .unwrap();
    for witness in by {
        *note = witness.cosign(note, at);
    }
}

#[test]
fn a_cosignature_made_elsewhere_is_read() {
    let text = format!("log {ELSEWHERE_LOG}\nwitness w {ELSEWHERE_WITNESS}\nquorum w\n");
    let (checkpoint, witnessed) = policy(&text)
        .check(ELSEWHERE.as_bytes(), Window::ALWAYS)
        .unwrap();
    assert_eq!(checkpoint.size, 20_852_163);
    let when = at("2023-03-20T12:25:47.000000Z");
    assert_eq!(witnessed.by, [("w".to_owned(), when)]);
    assert_eq!(witnessed.since, when);
    let key: WitnessKey = ELSEWHERE_WITNESS.parse().unwrap();
    assert_eq!(key.to_string(), ELSEWHERE_WITNESS);
    // A key for checkpoints is none for cosignatures, nor the other way round.
    let other: Result<VerifierKey, _> = ELSEWHERE_WITNESS.parse();
    assert_eq!(other, Err(NotAVerifierKey::OtherType));
    let other: Result<WitnessKey, _> = ELSEWHERE_LOG.parse();
    assert_eq!(other, Err(NotAVerifierKey::OtherType));
}

#[test]
fn a_cosignature_is_over_its_time_and_the_whole_text() {
    let writer = golden();
    let witness = Witness::new(1);
    let note = Note::parse(&writer.sign_checkpoint()).unwrap();
    let text = note.unverified_text();
    let line = Cosignature::sign(text, noon(), &witness.secret)
        .unwrap()
        .line(&witness.key);
    let judge =
        |line: &NoteSignature, text: &str| Cosignature::verify(line, text, &witness.key).unwrap();
    assert_eq!(judge(&line, text).unwrap().at(), noon());
    for byte in 0..72 {
        let mut bent = line.clone();
        bent.bytes[byte] ^= 1;
        assert!(judge(&bent, text).is_err(), "byte {byte}");
    }
    for bytes in [&line.bytes[..71], &line.bytes[..8], &line.bytes[..7]] {
        let mut short = line.clone();
        short.bytes = bytes.to_vec();
        assert_eq!(judge(&short, text), Err(CosignatureError::Malformed));
    }
    assert_eq!(
        judge(&line, &text.replace("12", "13")),
        Err(CosignatureError::BadSignature)
    );
    // A time of zero says nothing about when, whoever signed it.
    let zero = Cosignature::sign(text, Timestamp::EPOCH, &witness.secret)
        .unwrap()
        .line(&witness.key);
    assert_eq!(judge(&zero, text), Err(CosignatureError::Time));
    let mut far = line.clone();
    far.bytes[..8].copy_from_slice(&u64::MAX.to_be_bytes());
    assert_eq!(judge(&far, text), Err(CosignatureError::Time));
    // The same key signing the checkpoint as a log does is no cosignature.
    let plain = Note::sign(text, witness.key.name(), &witness.secret).unwrap();
    assert_eq!(
        Cosignature::verify(&plain.signatures()[0], text, &witness.key),
        None
    );
}

#[test]
fn a_policy_names_the_line_that_is_wrong() {
    let key = |number| Witness::new(number).key.to_string();
    let (a, b) = (key(1), key(2));
    let same = Witness::named(1, "elsewhere.example").key;
    let log = VerifierKey::new(
        KeyName::new("example.com/log").unwrap(),
        Witness::new(2).key.key().clone(),
    );
    let head = format!("# two\n\n witness\tA {a}  https://a.example \nwitness B {b}\n");
    let faults = [
        (
            format!("witness A {a}\nwitness A {b}\nquorum none\n"),
            2,
            WitnessPolicyFault::NameTaken,
        ),
        (
            format!("witness none {a}\nquorum none\n"),
            1,
            WitnessPolicyFault::NameTaken,
        ),
        (
            format!("witness A {a}\nwitness C {same}\nquorum A\n"),
            2,
            WitnessPolicyFault::KeyTwice,
        ),
        (
            format!("log {log}\nwitness A {a}\nwitness B {b}\nquorum A\n"),
            3,
            WitnessPolicyFault::KeyTwice,
        ),
        (
            format!("log {log}\nlog {log}\nquorum none\n"),
            2,
            WitnessPolicyFault::KeyTwice,
        ),
        (
            format!("{head}group g 2 A B\ngroup h any A\nquorum g\n"),
            6,
            WitnessPolicyFault::MemberTwice,
        ),
        (
            format!("{head}group g 2 A A\nquorum g\n"),
            5,
            WitnessPolicyFault::MemberTwice,
        ),
        (
            format!("{head}group g 3 A B\nquorum g\n"),
            5,
            WitnessPolicyFault::Threshold,
        ),
        (
            format!("{head}group g 0 A B\nquorum g\n"),
            5,
            WitnessPolicyFault::Threshold,
        ),
        (
            format!("{head}group g 02 A B\nquorum g\n"),
            5,
            WitnessPolicyFault::Threshold,
        ),
        (
            format!("{head}group g +1 A B\nquorum g\n"),
            5,
            WitnessPolicyFault::Threshold,
        ),
        (
            format!("{head}group g all\nquorum g\n"),
            5,
            WitnessPolicyFault::Threshold,
        ),
        (
            format!("{head}group g all none\nquorum g\n"),
            5,
            WitnessPolicyFault::NoSuchName,
        ),
        (
            format!("{head}group g all g\nquorum g\n"),
            5,
            WitnessPolicyFault::NoSuchName,
        ),
        (
            format!("{head}group A all B\nquorum A\n"),
            5,
            WitnessPolicyFault::NameTaken,
        ),
        (
            format!("quorum A\nwitness A {a}\n"),
            1,
            WitnessPolicyFault::NoSuchName,
        ),
        (
            format!("{head}quorum A\nquorum B\n"),
            6,
            WitnessPolicyFault::QuorumTwice,
        ),
        (
            format!("{head}quorum A B\n"),
            5,
            WitnessPolicyFault::NotALine,
        ),
        (head.clone(), 4, WitnessPolicyFault::NoQuorum),
        (String::new(), 1, WitnessPolicyFault::NoQuorum),
        (format!("{head}quorum A"), 5, WitnessPolicyFault::NotEnded),
        (
            format!("{head}quorum A\r\n"),
            5,
            WitnessPolicyFault::Control,
        ),
        (
            format!("{head}quorum A # two\n"),
            5,
            WitnessPolicyFault::NotALine,
        ),
        (
            format!("{head}witnesses C {a}\nquorum A\n"),
            5,
            WitnessPolicyFault::NotALine,
        ),
        (
            format!("witness A {a} https://a.example x\nquorum A\n"),
            1,
            WitnessPolicyFault::NotALine,
        ),
        (
            format!("witness A {log}\nquorum A\n"),
            1,
            WitnessPolicyFault::Key(NotAVerifierKey::OtherType),
        ),
        (
            format!("witness A {}\nquorum A\n", a.replace("/1+", "/2+")),
            1,
            WitnessPolicyFault::Key(NotAVerifierKey::WrongHint),
        ),
    ];
    for (text, line, why) in faults {
        let error = WitnessPolicy::parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.why), (line, why), "{text}");
    }
    let sound = policy(&format!("{head}group g any A B\nquorum g\n"));
    let [one, _] = sound.witnesses() else {
        panic!()
    };
    assert_eq!(one.url.as_deref(), Some("https://a.example"));
    // Names are bytes: one that is no UTF-8 is a name, and another than the one that looks the same.
    let mut bytes = format!("witness \u{212A} {a}\nwitness K {b}\nwitness ").into_bytes();
    bytes.extend_from_slice(b"\xff ");
    bytes.extend_from_slice(format!("{}\ngroup g all K \u{212A} ", key(3)).as_bytes());
    bytes.extend_from_slice(b"\xff\nquorum g\n");
    assert_eq!(WitnessPolicy::parse(&bytes).unwrap().witnesses().len(), 3);
}

/// The tree of a policy, and which of eight witnesses make it true.
#[derive(Clone, Debug)]
enum Rule8 {
    One(usize),
    Some(usize, Vec<Rule8>),
}

impl Rule8 {
    fn holds(&self, present: &[bool]) -> bool {
        match self {
            Self::One(witness) => present[*witness],
            Self::Some(need, members) => {
                members.iter().filter(|one| one.holds(present)).count() >= *need
            }
        }
    }

    /// Writes its groups, and says its name.
    fn write(&self, text: &mut String, groups: &mut usize) -> String {
        match self {
            Self::One(witness) => format!("w{witness}"),
            Self::Some(need, members) => {
                let names: Vec<String> =
                    members.iter().map(|one| one.write(text, groups)).collect();
                *groups += 1;
                let name = format!("g{groups}");
                let need = match *need {
                    1 if groups.is_multiple_of(2) => "any".to_owned(),
                    need if need == names.len() && groups.is_multiple_of(3) => "all".to_owned(),
                    need => need.to_string(),
                };
                text.push_str(&format!("group {name} {need} {}\n", names.join(" ")));
                name
            }
        }
    }
}

/// A tree over the witnesses `from..to`, each in one place.
fn rule(from: usize, to: usize, dice: &mut impl FnMut(usize) -> usize) -> Rule8 {
    if to - from == 1 {
        return Rule8::One(from);
    }
    let mut members = Vec::new();
    let mut start = from;
    while start < to {
        let most = if start == from {
            to - start - 1
        } else {
            to - start
        };
        let end = start + 1 + dice(most);
        members.push(rule(start, end, dice));
        start = end;
    }
    Rule8::Some(1 + dice(members.len()), members)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_quorum_is_what_its_groups_say(rolls in proptest::collection::vec(0_usize..1000, 40), present: u8) {
        let mut rolls = rolls.into_iter().cycle();
        let tree = rule(0, 8, &mut |most| rolls.next().unwrap() % most);
        let witnesses: Vec<Witness> = (0..8).map(Witness::new).collect();
        let mut text = String::new();
        for (place, witness) in witnesses.iter().enumerate() {
            text.push_str(&format!("witness w{place} {}\n", witness.key));
        }
        let name = tree.write(&mut text, &mut 0);
        let policy = policy(&format!("{text}quorum {name}\n"));
        let present: Vec<bool> = (0..8).map(|bit| present >> bit & 1 == 1).collect();
        let mut note = golden().sign_checkpoint();
        for (witness, present) in witnesses.iter().zip(&present) {
            if *present {
                note = witness.cosign(&note, noon());
            }
        }
        let found = policy.witnessed(&Note::parse(&note).unwrap(), [], Window::ALWAYS);
        prop_assert_eq!(found.is_ok(), tree.holds(&present));
    }

    #[test]
    fn no_bytes_of_a_policy_panic(at in 0_usize..1000, byte: u8, cut: bool) {
        let (a, b) = (Witness::new(1).key, Witness::new(2).key);
        let text = format!("log {ELSEWHERE_LOG}\nwitness A {a} x\nwitness B {b}\ngroup g 1 A B\nquorum g\n");
        let mut bytes = text.into_bytes();
        let at = at % bytes.len();
        if cut {
            // Wherever a file was cut, that is noticed.
            bytes.truncate(at);
            prop_assert!(WitnessPolicy::parse(&bytes).is_err());
        } else {
            bytes[at] = byte;
            let _ = WitnessPolicy::parse(&bytes);
        }
    }
}

#[test]
fn a_checkpoint_that_a_quorum_cosigned_is_an_anchor() {
    let writer = golden();
    let (one, two, three) = (Witness::new(1), Witness::new(2), Witness::new(3));
    let policy = some_of(2, &[&one, &two, &three]);
    let verdict = |image: &Image| verify(&writer, image, &policy, Window::ALWAYS).verdict();
    let unanchored = |anchored| Verdict::IntactUnanchored { size: 12, anchored };
    assert_eq!(verdict(&writer.image), unanchored(0));
    let mut image = writer.image.clone();
    cosigned(&mut image, 8, &[&one, &three], noon());
    assert_eq!(verdict(&image), unanchored(8));
    cosigned(&mut image, 12, &[&two], noon());
    assert_eq!(verdict(&image), unanchored(8), "one is no quorum");
    cosigned(&mut image, 12, &[&three], noon());
    let report = verify(&writer, &image, &policy, Window::ALWAYS);
    assert_eq!(report.verdict(), Verdict::IntactAnchored { size: 12 });
    assert_eq!(report.witnessed, 12);
    // Who does not believe these witnesses sees no difference.
    assert_eq!(image.verdict(&writer.trusted()), unanchored(0));
    let stranger = some_of(1, &[&Witness::new(9)]);
    let report = verify(&writer, &image, &stranger, Window::ALWAYS);
    assert_eq!(report.verdict(), unanchored(0));
    let none = self::policy("quorum none\n");
    let report = verify(&writer, &image, &none, Window::ALWAYS);
    assert_eq!(report.verdict(), unanchored(0));
    // A policy that lists logs lists this one, or its witnesses say nothing of it.
    let other = self::policy(&format!(
        "log {ELSEWHERE_LOG}\nwitness a {}\nquorum a\n",
        two.key
    ));
    let report = verify(&writer, &image, &other, Window::ALWAYS);
    assert_eq!(report.verdict(), unanchored(0));
    let listed = VerifierKey::new(
        writer.genesis.origin().key_name().clone(),
        writer.keys.checkpoint.public().clone(),
    );
    let this = self::policy(&format!("log {listed}\nwitness a {}\nquorum a\n", two.key));
    let report = verify(&writer, &image, &this, Window::ALWAYS);
    assert_eq!(report.verdict(), Verdict::IntactAnchored { size: 12 });
    // A line in a witness's name that is not its own spoils what the checkpoint is worth, and nothing else.
    let (_, note) = image.checkpoints.last_mut().unwrap();
    let line = Cosignature::sign("another text\n", noon(), &one.secret)
        .unwrap()
        .line(&one.key);
    *note = Note::parse(note)
        .unwrap()
        .with_signature(&line)
        .unwrap()
        .to_bytes();
    let report = verify(&writer, &image, &policy, Window::ALWAYS);
    assert_eq!(report.verdict(), unanchored(8));
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("`w0`: the cosignature does not verify")),
        "{:?}",
        report.notes
    );
}

#[test]
fn receipts_and_exports_hand_cosignatures_on() {
    let mut writer = golden();
    let (one, two) = (Witness::new(1), Witness::new(2));
    let both = some_of(2, &[&one, &two]);
    let keys = writer.trusted();
    let folder = tempfile::tempdir().unwrap();
    let tiles = folder.path().join("tiles");
    let terms = Terms {
        keys: Some(&keys),
        witnesses: Some(&both),
        ..Terms::default()
    };
    let anchored = |reader: &mut (dyn LogReader + Send)| {
        let report = verify_structure(reader, &terms, &mut |_| {}, &mut |_, _| {});
        let verdict = report.verdict();
        assert!(!matches!(verdict, Verdict::Broken(_)), "{verdict}");
        report.anchored
    };
    // The second comes when the log has been published already.
    for (witness, expected) in [(&one, 0), (&two, 12)] {
        cosigned(&mut writer.image, 12, &[witness], noon());
        let mut image = writer.image.clone();
        Export::of(&mut image).to_tiles(&tiles).unwrap();
        assert_eq!(anchored(&mut TilesReader::open(&tiles).unwrap()), expected);
        let lines = folder.path().join(format!("{expected}.jsonl"));
        Export::of(&mut image).to_jsonl(&lines).unwrap();
        assert_eq!(anchored(&mut JsonlReader::open(&lines).unwrap()), expected);
        let receipt = prove_record(&mut image, Seq::new(4), TreeSize::Newest).unwrap();
        assert!(receipt.verify_with_keys(&keys).is_ok());
        let note = Note::parse(&receipt.checkpoint).unwrap();
        let witnessed = both.witnessed(&note, [], Window::ALWAYS);
        assert_eq!(witnessed.is_ok(), expected == 12);
    }
}

#[test]
fn witnesses_do_not_mend_what_is_broken() {
    let mut writer = golden();
    let one = Witness::new(1);
    let policy = some_of(1, &[&one]);
    cosigned(&mut writer.image, 12, &[&one], noon());
    let mut image = writer.image.clone();
    image.row(4).record.signatures.clear();
    let report = verify(&writer, &image, &policy, Window::ALWAYS);
    assert_broken(&report.verdict(), 4, Rule::S2);
    // A head that is not the log's, cosigned or not.
    let forged = Checkpoint {
        root: countersign::canonical::Digest::sha256(b"x"),
        ..writer.chain.checkpoint(writer.genesis.origin())
    };
    let note = forged.sign(&writer.keys.checkpoint).unwrap();
    let mut image = writer.image.clone();
    image.checkpoints.last_mut().unwrap().1 = one.cosign(&note, noon());
    let report = verify(&writer, &image, &policy, Window::ALWAYS);
    assert_broken(&report.verdict(), 11, Rule::S7);
    assert_eq!(report.witnessed, 0);
}

#[test]
fn tamper_05_a_tail_written_anew_to_the_same_length() {
    let one = Witness::new(1);
    let policy = some_of(1, &[&one]);
    let (before, after) = forked();
    let mut seen = before.image.clone();
    cosigned(&mut seen, 12, &[&one], noon());
    // The witness has cosigned the first tail, and nobody gets it to cosign the second.
    let report = verify(&after, &after.image, &policy, Window::ALWAYS);
    assert_eq!(
        report.verdict(),
        Verdict::IntactUnanchored {
            size: 12,
            anchored: 0
        }
    );
    // Moved over, its cosignature does not fit; and what the witness kept breaks the log.
    let cosigned = seen.checkpoints.last().unwrap().1.clone();
    let line = Note::parse(&cosigned).unwrap().signatures()[1].clone();
    let mut moved = after.image.clone();
    let (_, note) = moved.checkpoints.last_mut().unwrap();
    *note = Note::parse(note)
        .unwrap()
        .with_signature(&line)
        .unwrap()
        .to_bytes();
    let report = verify(&after, &moved, &policy, Window::ALWAYS);
    assert_eq!(report.witnessed, 0);
    let outside = after.image.verify(&after.trusted(), &[cosigned]).verdict();
    assert_broken(&outside, 11, Rule::S7);
}

#[test]
fn tamper_10_two_heads_shown_to_two_auditors() {
    let (mine, yours) = forked();
    let keys = mine.trusted();
    let head = |writer: &Writer, size| {
        let mut found = writer.image.checkpoints.iter();
        found.find(|(filed, _)| *filed == size).unwrap().1.clone()
    };
    let hold = |own: &[u8], other: &[u8]| {
        let mut image = mine.image.clone();
        ForkEvidence::find(&StoredTree::of(&mut image), own, other)
    };
    // Up to where they part they agree, whichever is held against which.
    for size in [1, 5, 8] {
        let found = hold(&head(&mine, 12), &head(&yours, size)).unwrap();
        assert_eq!(found, None, "size {size}");
    }
    assert_eq!(hold(&head(&mine, 12), &head(&mine, 12)).unwrap(), None);
    for (own, other) in [(12, 12), (12, 10), (10, 10)] {
        let evidence = hold(&head(&mine, own), &head(&yours, other))
            .unwrap()
            .unwrap();
        let fork = evidence.verify(&keys).unwrap();
        assert_eq!(fork.origin, *mine.genesis.origin());
        assert_eq!(fork.size, other);
        assert_ne!(fork.roots[0], fork.roots[1]);
        // Kept as a file, it says the same to somebody who has only the keys.
        let file = evidence.to_bytes();
        let kept = ForkEvidence::parse(&file).unwrap();
        assert_eq!(kept, evidence);
        let stranger = Writer::new(8, "example.com/golden").trusted();
        assert!(matches!(
            kept.verify(&stranger),
            Err(NotAFork::Checkpoint(_))
        ));
        // No byte of the file can be another one.
        for place in 0..file.len() {
            let mut bent = file.clone();
            bent[place] ^= 1;
            let shows = ForkEvidence::parse(&bent).and_then(|bent| bent.verify(&keys));
            assert!(
                shows.is_err(),
                "byte {place} of {}",
                String::from_utf8_lossy(&bent)
            );
        }
    }
    // Of two heads that agree nobody can make a fork: the root in between has to lead to the newer one.
    let honest = hold(&head(&mine, 12), &head(&yours, 10)).unwrap().unwrap();
    let text = String::from_utf8(honest.to_bytes()).unwrap();
    let own = String::from_utf8(head(&mine, 10))
        .unwrap()
        .replace('\n', "\\n");
    let other = String::from_utf8(head(&yours, 10))
        .unwrap()
        .replace('\n', "\\n");
    let slander = ForkEvidence::parse(text.replace(&other, &own).as_bytes()).unwrap();
    assert_eq!(slander.verify(&keys), Err(NotAFork::Consistent));
    // Of another log nothing is said.
    let elsewhere = Writer::new(7, "example.com/other");
    let evidence = hold(&head(&mine, 12), &elsewhere.sign_checkpoint())
        .unwrap()
        .unwrap();
    assert!(matches!(
        evidence.verify(&keys),
        Err(NotAFork::Checkpoint(_))
    ));
}

#[test]
fn tamper_25_a_witness_counts_once_and_in_time() {
    let writer = golden();
    let (one, two) = (Witness::new(1), Witness::new(2));
    let both = some_of(2, &[&one, &two]);
    // The same key under a second name is not let into a policy; and in a note it is nobody's.
    let alias = Witness::named(1, "elsewhere.example");
    let text = format!(
        "witness a {}\nwitness b {}\ngroup g 2 a b\nquorum g\n",
        one.key, alias.key
    );
    let error = WitnessPolicy::parse(text.as_bytes()).unwrap_err();
    assert_eq!((error.line, error.why), (2, WitnessPolicyFault::KeyTwice));
    let mut image = writer.image.clone();
    cosigned(&mut image, 12, &[&one, &alias], noon());
    let anchored = |image: &Image, policy: &WitnessPolicy, window| {
        verify(&writer, image, policy, window).anchored
    };
    assert_eq!(anchored(&image, &both, Window::ALWAYS), 0);
    // Twice in one note.
    let note = one.cosign(&writer.sign_checkpoint(), noon());
    let again = Cosignature::sign(
        Note::parse(&note).unwrap().unverified_text(),
        noon().saturating_add(Duration::from_secs(1)),
        &one.secret,
    );
    let line = again.unwrap().line(&one.key);
    let twice = Note::parse(&note).unwrap().with_signature(&line);
    assert_eq!(twice, Err(NoteError::Repeated));
    // A key of the log itself, of whatever role, is no witness of it.
    for own in [&writer.keys.checkpoint, &writer.keys.operator] {
        let own = Witness {
            secret: SecretKey::from_seed(&own.to_seed()),
            key: WitnessKey::new(one.key.name().clone(), own.public().clone()),
        };
        let mut image = writer.image.clone();
        cosigned(&mut image, 12, &[&own], noon());
        assert_eq!(anchored(&image, &some_of(1, &[&own]), Window::ALWAYS), 0);
    }
    // An old cosignature is old, and one from the future is none yet.
    let mut image = writer.image.clone();
    cosigned(&mut image, 8, &[&one, &two], noon());
    cosigned(&mut image, 12, &[&one], noon());
    let hour = Duration::from_secs(3600);
    cosigned(&mut image, 12, &[&two], noon().saturating_add(hour));
    let recent = |now, within| anchored(&image, &both, Window::recent(now, within));
    let later = noon().saturating_add(hour);
    assert_eq!(anchored(&image, &both, Window::ALWAYS), 12);
    assert_eq!(recent(later, hour), 12);
    assert_eq!(recent(later, hour - Duration::from_secs(1)), 0);
    assert_eq!(recent(noon(), hour), 8, "not yet");
    let note = Note::parse(&image.checkpoints.last().unwrap().1).unwrap();
    assert_eq!(
        both.witnessed(&note, [], Window::recent(noon(), hour)),
        Err(NotWitnessed::NoQuorum { witnesses: 1 })
    );
    let witnessed = both.witnessed(&note, [], Window::ALWAYS).unwrap();
    assert_eq!(witnessed.since, later, "a quorum from the second one on");
}

#[test]
fn what_a_stolen_key_signed_counts_if_it_was_witnessed_before() {
    let one = Witness::new(1);
    let policy = some_of(1, &[&one]);
    let mut writer = Writer::new(5, "example.com/keys");
    let vote = writer.entry(Kind::Voted, Some(1), &[], &[]);
    writer.commit(&[vote]);
    let since = writer
        .image
        .row(1)
        .columns
        .ts
        .saturating_add(Duration::from_secs(60));
    let verdict = |cosigned_at: Timestamp| {
        let mut writer = writer.copy();
        cosigned(&mut writer.image, 2, &[&one], cosigned_at);
        let change = KeyChange::Revoked {
            old: writer.keys.desk.public().id(),
            why: Revocation::Compromised { since },
        };
        let operator = SecretKey::from_seed(&writer.keys.operator.to_seed());
        writer.change_keys(&change, &[&operator]);
        verify(&writer, &writer.image, &policy, Window::ALWAYS).verdict()
    };
    assert_eq!(
        verdict(since.saturating_sub(Duration::from_secs(2))),
        Verdict::IntactUnanchored {
            size: 3,
            anchored: 2
        }
    );
    // The thief could have had it cosigned too.
    let late = verdict(since.saturating_add(Duration::from_secs(2))).to_string();
    assert!(
        late.starts_with("cannot verify: record 1 is by a key that was compromised later"),
        "{late}"
    );
}

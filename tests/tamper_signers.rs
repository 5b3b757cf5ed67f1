//! Signatures that serve another purpose than they were made for, signers that count twice, and checkpoints that are read loosely.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod log_fixture;

use std::collections::{BTreeSet, HashSet};

use countersign::{
    action::{Disclosure, Salt},
    canonical::{Digest, Json},
    log::{
        Checkpoint, Cosignature, Frontier, Genesis, KeyHint, KeyId, Note, NoteError, NoteSignature,
        Origin, PAYLOAD_TYPE, Receipt, Role, Rule, SecretKey, Signature, Signer, TrustedKeys,
        TrustedKeysError, VerifiedGenesis, VerifierKey, WitnessKey, WitnessPolicy,
        WitnessPolicyFault, leaf_hash, pae,
    },
};
use log_fixture::{Image, after, assert_broken, golden, receipt, resealed, written};

/// The line of a note with the signature of a key under a name, whatever it signed.
fn line(origin: &Origin, key: &SecretKey, message: &[u8]) -> NoteSignature {
    NoteSignature {
        name: origin.key_name().clone(),
        hint: KeyHint::of(origin.key_name(), key.public()),
        bytes: key.sign(message).unwrap().as_bytes().to_vec(),
    }
}

#[test]
fn tlog_19_domain_separation() {
    // Signed bytes: one key makes all three sorts of signatures, and each serves its own purpose alone.
    let writer = golden();
    let origin = writer.genesis.origin();
    let key = &writer.keys.checkpoint;
    let text = writer.chain.checkpoint(origin).text();
    let witness = WitnessKey::new(origin.key_name().clone(), key.public().clone());
    let at = writer.chain.ts();
    let cosigned = Cosignature::sign(&text, at, key).unwrap().line(&witness);
    let seconds = u64::from_be_bytes(cosigned.bytes[..8].try_into().unwrap());
    let messages = [
        pae(PAYLOAD_TYPE, &writer.image.record(4).statement),
        text.clone().into_bytes(),
        format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes(),
    ];
    for (made_for, message) in messages.iter().enumerate() {
        let signature = key.sign(message).unwrap();
        let record = key.public().verify(&messages[0], &signature).is_ok();
        let note = format!("{text}\n{}\n", line(origin, key, message));
        let checkpoint = Checkpoint::verify(note.as_bytes(), origin, [key.public()]).is_ok();
        let mut bytes = seconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(signature.as_bytes());
        let cosignature = NoteSignature {
            bytes,
            ..cosigned.clone()
        };
        let cosignature = Cosignature::verify(&cosignature, &text, &witness);
        let serves = [record, checkpoint, matches!(cosignature, Some(Ok(_)))];
        for (purpose, served) in serves.into_iter().enumerate() {
            assert_eq!(served, purpose == made_for, "{made_for} as {purpose}");
        }
    }
    // No statement, origin or time makes the bytes of one sort those of another.
    let begins = ["DSSEv1 ", "cosignature/v1\n"];
    for (message, begin) in [&messages[0], &messages[2]].into_iter().zip(begins) {
        assert!(message.starts_with(begin.as_bytes()));
    }
    Origin::new("DSSEv1 28").unwrap_err();
    Origin::new("cosignature/v1\ntime 1").unwrap_err();
    let cosigned = std::str::from_utf8(&messages[2]).unwrap();
    Checkpoint::parse(cosigned).unwrap_err();
    // A payload of another type is another message, also where type and payload together are the same text.
    assert_ne!(pae("ab", b"c"), pae("a", b"bc"));
    assert_ne!(pae("a 1 b", b""), pae("a", b"b"));

    // Hashed bytes: what is hashed as one thing is not hashed as any other.
    let bytes = *key.public().as_bytes();
    let mut one = Frontier::empty();
    one.push(leaf_hash(&bytes));
    let first = one.root();
    one.push(leaf_hash(&bytes));
    let mut node = vec![1];
    node.extend_from_slice(first.as_bytes());
    node.extend_from_slice(first.as_bytes());
    assert_eq!(one.root(), Digest::sha256(&node));
    let salt = Salt::from_bytes([7; 16]);
    let disclosure = Disclosure::new(&salt, "name", &Json::from("value"));
    let domains = [
        "countersign/action/v1",
        "countersign/log/v1",
        "countersign/policy/v1",
        "countersign/shown/v1",
        "countersign/scope/v1",
    ];
    let mut hashes = vec![
        leaf_hash(&bytes),
        Digest::from_bytes(*key.public().id().as_bytes()),
        Digest::sha256(&bytes),
        one.root(),
        Digest::sha256(disclosure.as_str().as_bytes()),
        leaf_hash(disclosure.as_str().as_bytes()),
        leaf_hash(&node),
    ];
    hashes.extend(domains.map(|domain| Digest::of(domain, &bytes)));
    hashes.extend(domains.map(|domain| Digest::of(domain, b"")));
    let distinct: HashSet<_> = hashes.iter().map(Digest::to_hex).collect();
    assert_eq!(distinct.len(), hashes.len());
    // They begin differently, so that no choice of the rest brings two of them together.
    let prefixed = |first: &[u8], rest: &[u8]| Digest::sha256(&[first, rest].concat());
    assert_eq!(leaf_hash(&bytes), prefixed(&[0], &bytes));
    assert_eq!(hashes[1], prefixed(&[1], &bytes));
    assert_ne!(node.len(), 1 + bytes.len());
    for domain in domains {
        let tag = format!("{domain}\0");
        assert_eq!(Digest::of(domain, &bytes), prefixed(tag.as_bytes(), &bytes));
        // One domain is not the beginning of another one's bytes.
        assert_ne!(
            Digest::of(domain, b"1"),
            Digest::of(&format!("{domain}1"), b"")
        );
    }
    assert!(disclosure.as_str().starts_with("WyJ"));
}

/// The verdict over the golden log with this as the checkpoint of its size.
#[track_caller]
fn assert_no_checkpoint(note: &[u8]) {
    let verdict = after(&golden(), |image| {
        image.checkpoints.last_mut().unwrap().1 = note.to_vec();
    });
    assert_broken(&verdict, 11, Rule::S7);
}

#[test]
fn tamper_24_a_checkpoint_read_loosely() {
    let writer = golden();
    let origin = writer.genesis.origin();
    let key = &writer.keys.checkpoint;
    let good = String::from_utf8(writer.sign_checkpoint()).unwrap();
    let checkpoint = writer.chain.checkpoint(origin);
    let text = checkpoint.text();

    // Another spelling of what was signed.
    let signature = good.strip_prefix(text.as_str()).unwrap();
    let root = text.lines().nth(2).unwrap();
    let spellings = [
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good} \n"),
        format!("\n{good}"),
        format!("\u{feff}{good}"),
        good.replacen("\n12\n", "\n012\n", 1),
        good.replacen("\n12\n", "\n+12\n", 1),
        good.replacen("\n12\n", "\n12 \n", 1),
        good.replacen(root, root.trim_end_matches('='), 1),
        good.replacen('\u{2014}', "-", 1),
        good.replacen("\u{2014} ", "\u{2014}  ", 1),
        good.replacen('\n', "\n\n", 1),
        good.replacen('\n', "\0\n", 1),
    ];
    for note in spellings {
        assert_ne!(note, good);
        assert_no_checkpoint(note.as_bytes());
    }
    // What a key of the log signed all the same.
    for text in [
        text.replacen("\n12\n", "\n012\n", 1),
        text.replacen("\n12\n", "\n+12\n", 1),
        text.replacen("\n12\n", "\n-12\n", 1),
        text.replacen("\n12\n", "\n0xC\n", 1),
        text.replacen("\n12\n", "\n13\n", 1),
        text.replacen("\n12\n", "\n18446744073709551628\n", 1),
        text.replacen(root, root.trim_end_matches('='), 1),
        text.replacen(root, &format!("{root}\nan extension"), 1),
        format!("{text}\n"),
        text.replacen(origin.as_str(), "example.com/elsewhere", 1),
        text.replacen(origin.as_str(), &format!("{origin} "), 1),
        format!("\n{text}"),
        text.lines()
            .take(2)
            .map(|line| format!("{line}\n"))
            .collect(),
    ] {
        let note = Note::sign(&text, origin.key_name(), key).unwrap();
        assert_no_checkpoint(&note.to_bytes());
    }
    // Lines beside the signature: the same once more, one in the name of the key, too many, too long.
    let own = line(origin, key, text.as_bytes());
    let forged = line(origin, key, b"something else");
    let strangers = |many: u8| -> String {
        let witness = |number: u8| NoteSignature {
            hint: KeyHint::from_bytes([number, 0, 0, 0]),
            ..forged.clone()
        };
        (0..many)
            .map(|number| format!("{}\n", witness(number)))
            .collect()
    };
    for note in [
        format!("{good}{own}\n"),
        format!("{good}{forged}\n"),
        format!("{text}\n{forged}\n{own}\n"),
        format!("{good}{}", strangers(100)),
        format!("{good}{}", strangers(1).replace('=', "")),
        format!("{good}\u{2014} w {}\n", "A".repeat(1_000_000)),
        format!("{text}\n"),
        text.clone(),
        String::new(),
        signature.to_owned(),
    ] {
        assert_no_checkpoint(note.as_bytes());
    }
    // Lines of others are passed over, as many as a note may have.
    let verdict = after(&writer, |image| {
        let note = format!("{good}{}", strangers(99));
        image.checkpoints.last_mut().unwrap().1 = note.into_bytes();
    });
    assert_eq!(verdict.exit_code(), 3, "{verdict}");
}

#[test]
fn tamper_26_one_key_signs_twice() {
    let writer = golden();
    let twice = |image: &mut Image| {
        let again = image.record(4).signatures[0];
        image.row(4).record.signatures.push(again);
    };
    assert_broken(&after(&writer, twice), 4, Rule::S2);
    // Also where the second is another signature, good or not.
    let verdict = after(&writer, |image| {
        let (id, _) = image.record(4).signatures[0];
        let other = Signature::from_bytes([7; 64]);
        image.row(4).record.signatures.push((id, other));
    });
    assert_broken(&verdict, 4, Rule::S2);
    // A receipt of such a record proves nothing.
    let genesis = VerifiedGenesis::check(writer.image.record(0)).unwrap();
    let trust = writer.trusted().vouch_for(&genesis).unwrap();
    let mut proof = receipt(&writer, 4);
    proof.verify(&trust).unwrap();
    let again = proof.record.signatures[0];
    proof.record.signatures.push(again);
    proof.verify(&trust).unwrap_err();

    // No list of keys has one twice: those of a genesis, of an auditor, and of witnesses under whatever names.
    let key = writer.keys.gate.public();
    let keys = [
        (key.clone(), BTreeSet::from([Role::Gate])),
        (key.clone(), BTreeSet::from([Role::Checkpoint])),
    ];
    let origin = writer.genesis.origin().clone();
    Genesis::new(*writer.genesis.log(), origin.clone(), keys, None).unwrap_err();
    let mut trusted = writer.trusted();
    let named = VerifierKey::new(origin.key_name().clone(), key.clone());
    let again = trusted.add(named, BTreeSet::from([Role::Desk]));
    assert_eq!(again, Err(TrustedKeysError::Repeated));
    let witness = |name: &str| {
        let name = countersign::log::KeyName::new(name).unwrap();
        WitnessKey::new(name, key.clone()).to_string()
    };
    let policy = format!(
        "witness one {}\nwitness two {}\ngroup both 2 one two\nquorum both\n",
        witness("example.com/one"),
        witness("example.com/two")
    );
    let refused = WitnessPolicy::parse(policy.as_bytes()).unwrap_err();
    assert_eq!(refused.why, WitnessPolicyFault::KeyTwice);
    // Nor does a note.
    let note = String::from_utf8(writer.sign_checkpoint()).unwrap();
    let line = note.lines().last().unwrap();
    let doubled = Note::parse(format!("{note}{line}\n").as_bytes());
    assert_eq!(doubled.unwrap_err(), NoteError::Repeated);
}

#[test]
fn hitl_a10_another_algorithm_or_key_is_not_taken_at_its_word() {
    let writer = golden();
    let desk = writer.keys.desk.public().id();
    assert_eq!(writer.image.record(4).signatures[0].0, desk);
    // The signature says to be by another key, of the log or not.
    let stranger = SecretKey::from_seed(&[99; 32]);
    for id in [
        writer.keys.gate.public().id(),
        stranger.public().id(),
        KeyId::from_bytes([0; 32]),
    ] {
        let verdict = after(&writer, |image| image.row(4).record.signatures[0].0 = id);
        assert_broken(&verdict, 4, Rule::S2);
    }
    // The statement names another key than signed it.
    let named = writer.keys.gate.public().id().to_string();
    let verdict = written(|text| text.replace(&desk.to_string(), &named));
    assert!(
        matches!(&verdict, countersign::log::Verdict::Broken(broken) if broken.seq.get() == 12),
        "{verdict}"
    );
    // The right key, over the statement under another type, or over the bare statement.
    let statement = writer.image.record(4).statement.clone();
    for message in [
        pae("application/json", &statement),
        pae("", &statement),
        statement.clone(),
        Digest::sha256(&pae(PAYLOAD_TYPE, &statement))
            .as_bytes()
            .to_vec(),
    ] {
        let signature = writer.keys.desk.sign(&message).unwrap();
        let verdict = after(&writer, |image| {
            image.row(4).record.signatures[0].1 = signature;
        });
        assert_broken(&verdict, 4, Rule::S2);
    }

    // A receipt's envelope has no room for an algorithm, and its type is the one there is.
    let text = String::from_utf8(receipt(&writer, 4).to_bytes()).unwrap();
    Receipt::from_bytes(text.as_bytes()).unwrap();
    for (from, to) in [
        (
            "application/vnd.in-toto+json",
            "application/vnd.in-toto+j5on",
        ),
        (r#"{"keyid""#, r#"{"alg":"none","keyid""#),
        (r#"{"payload""#, r#"{"alg":"none","payload""#),
        (r#""signatures":[{"#, r#""signatures":[],"x":[{"#),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        Receipt::from_bytes(changed.as_bytes()).unwrap_err();
    }
    // Nor is a key of another sort a key: a witness's, ECDSA, ML-DSA.
    let trusted = writer.trusted().to_string();
    let first = trusted.lines().next().unwrap();
    let (start, encoded) = first.rsplit_once('+').unwrap();
    trusted.parse::<TrustedKeys>().unwrap();
    use base64ct::{Base64, Encoding};
    for algorithm in [0_u8, 2, 4, 6] {
        let mut bytes = Base64::decode_vec(encoded).unwrap();
        bytes[0] = algorithm;
        // With the hint that belongs to it.
        let name = writer.genesis.origin().as_str().as_bytes();
        let hint = Digest::sha256(&[name, b"\n", &bytes].concat()).to_hex();
        let (start, _) = start.rsplit_once('+').unwrap();
        let other = format!("{start}+{}+{}", &hint[..8], Base64::encode_string(&bytes));
        other.parse::<TrustedKeys>().unwrap_err();
    }
    // The genesis that names weaker keys for the same ids is another genesis.
    let weak = resealed(
        {
            let mut writer = golden();
            let mut changed = writer.image.record(0).statement.clone();
            let last = changed.len() - 3;
            changed[last] ^= 1;
            writer.image.row(0).record.statement = changed;
            writer
        },
        11,
    );
    assert_eq!(weak.exit_code(), 1);
}

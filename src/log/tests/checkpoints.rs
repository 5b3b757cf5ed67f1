use super::key;
use crate::{
    canonical::Digest,
    log::{
        Checkpoint, CheckpointError, Note, NoteError, Origin, PAYLOAD_TYPE, PublicKey, Signature,
        Signer, pae,
    },
};

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: Origin::new("example.com/log").unwrap(),
        size: 10,
        root: Digest::sha256(b"root"),
    }
}

fn keys(seeds: &[u8]) -> Vec<PublicKey> {
    seeds
        .iter()
        .map(|seed| key(*seed).public().clone())
        .collect()
}

#[test]
fn a_checkpoint_is_three_lines_and_is_read_as_it_is_written() {
    let checkpoint = checkpoint();
    let text = "example.com/log\n10\nSBNJTRN+FjG7owHVrKtuee7eqM4RhwT6D3duv3VXBwA=\n";
    assert_eq!(
        checkpoint.text().lines().take(2).collect::<Vec<_>>(),
        text.lines().take(2).collect::<Vec<_>>()
    );
    assert_eq!(
        Checkpoint::parse(&checkpoint.text()),
        Ok(checkpoint.clone())
    );
    assert_eq!(Checkpoint::parse(text).unwrap().text(), text);
    let good = checkpoint.text();
    for wrong in [
        String::new(),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}extension\n"),
        good.replace("\n10\n", "\n010\n"),
        good.replace("\n10\n", "\n+10\n"),
        good.replace("\n10\n", "\n-10\n"),
        good.replace("\n10\n", "\n10 \n"),
        good.replace("\n10\n", "\n\n"),
        good.replace("\n10\n", "\n18446744073709551616\n"),
        good.replace('=', ""),
        good.replace('\n', "\r\n"),
        good.replace("example.com/log", "example.com/a log"),
        good.replace("example.com/log", ""),
    ] {
        assert_eq!(
            Checkpoint::parse(&wrong),
            Err(CheckpointError::Malformed),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_checkpoint_is_of_its_log_and_by_its_key() {
    let checkpoint = checkpoint();
    let note = checkpoint.sign(&key(1)).unwrap();
    let verify = |note: &[u8], origin: &str, seeds: &[u8]| {
        Checkpoint::verify(note, &Origin::new(origin).unwrap(), &keys(seeds))
    };
    let signer = key(1).public().id();
    assert_eq!(
        verify(&note, "example.com/log", &[2, 1]),
        Ok((checkpoint.clone(), signer))
    );
    assert_eq!(
        verify(&note, "example.com/log", &[2]),
        Err(NoteError::Unknown.into())
    );
    assert_eq!(
        verify(&note, "example.com/other", &[1]),
        Err(NoteError::Unknown.into())
    );

    // Signed under this log's name, but about another.
    let origin = Origin::new("example.com/other").unwrap();
    let other = Note::sign(&checkpoint.text(), origin.key_name(), &key(1)).unwrap();
    assert_eq!(
        verify(&other.to_bytes(), "example.com/other", &[1]),
        Err(CheckpointError::OtherLog)
    );

    let line = |seed| {
        let note = String::from_utf8(checkpoint.sign(&key(seed)).unwrap()).unwrap();
        note.rsplit_once("\n\n").unwrap().1.to_owned()
    };
    let two = [&note[..], line(2).as_bytes()].concat();
    assert_eq!(
        verify(&two, "example.com/log", &[1, 2]),
        Err(CheckpointError::SeveralSigners)
    );
    assert_eq!(
        verify(&two, "example.com/log", &[1]),
        Ok((checkpoint, signer))
    );
}

#[test]
fn origins_are_visible_ascii() {
    for wrong in ["", "a b", "a+b", "ä", "a\n", &"a".repeat(201)] {
        assert!(Origin::new(wrong).is_err(), "{wrong:?}");
    }
    assert!(Origin::new("testing/a").unwrap().is_testing());
    assert!(!Origin::new("a/testing/").unwrap().is_testing());
}

#[test]
fn tamper_14_a_signature_of_one_purpose_never_serves_another() {
    let key = key(1);
    let text = checkpoint().text();
    let origin = checkpoint().origin;
    // A record whose statement is a checkpoint's text, signed as a record.
    let record = key.sign(&pae(PAYLOAD_TYPE, text.as_bytes())).unwrap();
    let mut note = Note::parse(&checkpoint().sign(&key).unwrap()).unwrap();
    let as_note = |note: &Note, signature: &Signature| {
        let bytes = String::from_utf8(note.to_bytes()).unwrap();
        let old = bytes.trim_end().rsplit_once(' ').unwrap().1;
        let hint = note.signatures()[0].hint;
        let new =
            crate::log::base64::encode(&[hint.as_bytes(), &signature.as_bytes()[..]].concat());
        bytes.replace(old, &new)
    };
    let forged = as_note(&note, &record);
    assert_eq!(
        Checkpoint::verify(forged.as_bytes(), &origin, [key.public()]),
        Err(NoteError::BadSignature.into())
    );
    // And a checkpoint's signature on a record with that statement.
    note = Note::parse(&checkpoint().sign(&key).unwrap()).unwrap();
    let signature: [u8; 64] = note.signatures()[0].bytes.clone().try_into().unwrap();
    let signature = Signature::from_bytes(signature);
    assert!(key.public().verify(text.as_bytes(), &signature).is_ok());
    assert!(
        key.public()
            .verify(&pae(PAYLOAD_TYPE, text.as_bytes()), &signature)
            .is_err()
    );
}

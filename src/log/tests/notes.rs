use super::key;
use crate::log::{KeyName, NotAVerifierKey, Note, NoteError, Signer, VerifierKey};

fn named(name: &str, seed: u8) -> VerifierKey {
    VerifierKey::new(KeyName::new(name).unwrap(), key(seed).public().clone())
}

fn signed(text: &str, name: &str, seed: u8) -> String {
    let note = Note::sign(text, &KeyName::new(name).unwrap(), &key(seed)).unwrap();
    String::from_utf8(note.to_bytes()).unwrap()
}

fn verdict(note: &str, known: &[VerifierKey]) -> Result<String, NoteError> {
    Note::parse(note.as_bytes())?
        .verify(known)
        .map(|(text, _)| text.to_owned())
}

#[test]
fn a_note_is_accepted_for_a_known_key_alone() {
    let text = "One line.\n\nAnd, after an empty one, Škoda.\n";
    let note = signed(text, "example.com/log", 1);
    assert_eq!(
        verdict(&note, &[named("example.com/log", 1)]).as_deref(),
        Ok(text)
    );
    assert_eq!(
        Note::parse(note.as_bytes()).unwrap().to_bytes(),
        note.as_bytes()
    );
    let unknown = [named("example.com/log", 2), named("example.com/other", 1)];
    assert_eq!(verdict(&note, &unknown), Err(NoteError::Unknown));
    assert_eq!(verdict(&note, &[]), Err(NoteError::Unknown));
}

#[test]
fn one_bad_signature_by_a_known_key_spoils_the_note() {
    let text = "text\n";
    let (mine, theirs) = (signed(text, "a", 1), signed(text, "b", 2));
    let both = format!("{mine}{}", theirs.rsplit_once("\n\n").unwrap().1);
    let known = [named("a", 1), named("b", 2)];
    let note = Note::parse(both.as_bytes()).unwrap();
    let (_, by) = note.verify(&known).unwrap();
    assert_eq!(by.len(), 2);

    let spoilt = both.replacen("text\n", "tixt\n", 1);
    assert_eq!(verdict(&spoilt, &known), Err(NoteError::BadSignature));
    let foreign = signed("other\n", "b", 2);
    let spoilt = format!("{mine}{}", foreign.rsplit_once("\n\n").unwrap().1);
    assert_eq!(verdict(&spoilt, &known), Err(NoteError::BadSignature));
    assert!(
        verdict(&spoilt, &known[..1]).is_ok(),
        "an unknown key's line is ignored"
    );
}

#[test]
fn whatever_is_not_exactly_a_note_is_refused() {
    let good = signed("text\n", "a", 1);
    let known = [named("a", 1)];
    let (text, line) = good.split_once("\n\n").unwrap();
    let signature = line.trim_end().rsplit_once(' ').unwrap().1;
    let cases = [
        (String::new(), NoteError::Unsigned),
        ("\n\n".to_owned(), NoteError::Unsigned),
        ("text\n".to_owned(), NoteError::Unsigned),
        ("text\n\n".to_owned(), NoteError::Unsigned),
        (good.trim_end().to_owned(), NoteError::Unsigned),
        (format!("{good}\n"), NoteError::Unsigned),
        (format!("{text}\n{line}"), NoteError::Unsigned),
        (good.replace('\n', "\r\n"), NoteError::NotText),
        (good.replace("text", "te\txt"), NoteError::NotText),
        (format!("{good}{line}"), NoteError::Repeated),
        (format!("{good}text\n"), NoteError::Line),
        (good.replace('\u{2014}', "-"), NoteError::Line),
        (good.replace("\u{2014} ", "\u{2014}  "), NoteError::Line),
        (
            good.replace("\u{2014} a ", "\u{2014} a\u{a0} "),
            NoteError::Line,
        ),
        (good.replace("\u{2014} a ", "\u{2014} a+ "), NoteError::Line),
        (
            good.replace(signature, signature.trim_end_matches('=')),
            NoteError::Line,
        ),
        (good.replace(signature, "AAAAAA=="), NoteError::Line),
        (
            good.replace(signature, &format!("{signature} ")),
            NoteError::Line,
        ),
        (
            good.replace("text", &"x".repeat(1_000_000)),
            NoteError::TooLarge,
        ),
    ];
    for (note, why) in cases {
        assert_eq!(
            verdict(&note, &known),
            Err(why),
            "{:?}",
            &note[..note.len().min(200)]
        );
    }
    let not_text = [good.as_bytes(), &[0xFF, b'\n']].concat();
    assert_eq!(Note::parse(&not_text), Err(NoteError::NotText));
}

#[test]
fn signatures_are_counted_before_they_are_checked() {
    let lines = |count: u8| -> String {
        let mut note = "text\n\n".to_owned();
        for seed in 0..count {
            note.push_str(signed("text\n", "a", seed).rsplit_once("\n\n").unwrap().1);
        }
        note
    };
    assert!(verdict(&lines(100), &[named("a", 99)]).is_ok());
    assert_eq!(
        verdict(&lines(101), &[named("a", 99)]),
        Err(NoteError::TooLarge)
    );
}

#[test]
fn a_cut_or_changed_note_is_never_accepted() {
    let good = signed("some text\n", "a", 1).into_bytes();
    let known = [named("a", 1)];
    let accepted = |bytes: &[u8]| Note::parse(bytes).is_ok_and(|note| note.verify(&known).is_ok());
    assert!(accepted(&good));
    for at in 0..good.len() {
        assert!(!accepted(&good[..at]), "cut at {at}");
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[at] ^= 1 << bit;
            assert!(!accepted(&changed), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_text_that_cannot_stand_in_a_note_is_not_signed() {
    let name = KeyName::new("a").unwrap();
    for text in ["", "no newline", "a\tb\n", "a\r\n"] {
        assert!(Note::sign(text, &name, &key(1)).is_err(), "{text:?}");
    }
    for name in [
        "",
        "a b",
        "a+b",
        "a\u{2003}b",
        "a\nb",
        "a\u{7f}",
        &"a".repeat(201),
    ] {
        assert!(KeyName::new(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_verifier_key_is_read_as_it_is_written() {
    // As another implementation wrote it.
    let published =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let vkey: VerifierKey = published.parse().unwrap();
    assert_eq!(vkey.to_string(), published);

    let vkey = named("example.com/log", 1);
    let text = vkey.to_string();
    assert_eq!(text.parse(), Ok(vkey));
    let parts: Vec<&str> = text.splitn(3, '+').collect();
    let [name, hint, public] = parts[..] else {
        panic!("{text}")
    };
    let upper = hint.to_uppercase();
    let cases = [
        (format!("other+{hint}+{public}"), NotAVerifierKey::WrongHint),
        (
            format!("{name}+00000000+{public}"),
            NotAVerifierKey::WrongHint,
        ),
        (format!("{name}+{hint}"), NotAVerifierKey::Malformed),
        (format!("+{hint}+{public}"), NotAVerifierKey::Malformed),
        (format!("{text} "), NotAVerifierKey::Malformed),
        (
            format!("{name}+{hint}+B{}", &public[1..]),
            NotAVerifierKey::OtherType,
        ),
    ];
    for (wrong, why) in cases {
        assert_eq!(wrong.parse::<VerifierKey>(), Err(why), "{wrong}");
    }
    if upper != hint {
        let wrong = format!("{name}+{upper}+{public}");
        assert_eq!(
            wrong.parse::<VerifierKey>(),
            Err(NotAVerifierKey::WrongHint)
        );
    }
}

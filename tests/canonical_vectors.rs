//! The canonical form and its digests through the public door alone, so that the same file can be run in a tree where
//! other crates have switched on features of shared dependencies (`feature-unification`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use countersign::canonical::{Admission, Digest, Number, admit};
use std::fs;
use std::path::{Path, PathBuf};

/// The columns of a table of vectors.
fn rows<const N: usize>(table: &str) -> Vec<[&str; N]> {
    let rows: Vec<[&str; N]> = table
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
        .collect();
    assert!(rows.len() > 20, "a table of vectors is not there");
    rows
}

#[test]
fn admitted_text_has_one_canonical_form() {
    for [input, expected] in rows(include_str!("vectors/canonical/admitted.tsv")) {
        let json = admit(input.as_bytes(), &Admission::default()).unwrap();
        assert_eq!(
            String::from_utf8(json.to_canonical()).unwrap(),
            expected,
            "{input}"
        );
    }
}

#[test]
fn refused_text_stays_refused() {
    for [input, _path, _offset, reason] in rows(include_str!("vectors/canonical/refused.tsv")) {
        let error = admit(input.as_bytes(), &Admission::default()).unwrap_err();
        assert_eq!(error.reason().to_string(), reason, "{input}");
    }
}

#[test]
fn numbers_are_printed_as_they_were() {
    for [_bits, expected] in rows(include_str!("vectors/canonical/numbers.tsv")) {
        assert_eq!(Number::parse(expected).unwrap().to_string(), expected);
    }
}

/// Five pairs of the RFC's authors pass; the sixth holds a number that no double prints. Only where their folder is at hand.
#[test]
fn the_vectors_of_rfc_8785() {
    let Some(folder) = rfc_folder() else { return };
    let read = |kind: &str, name: &str| fs::read(folder.join(kind).join(name)).unwrap();
    for name in [
        "arrays.json",
        "french.json",
        "structures.json",
        "unicode.json",
        "weird.json",
    ] {
        let json = admit(&read("input", name), &Admission::default()).unwrap();
        assert_eq!(json.to_canonical(), read("output", name), "{name}");
    }
    let error = admit(&read("input", "values.json"), &Admission::default()).unwrap_err();
    assert_eq!(error.path().to_string(), "numbers[0]");
}

fn rfc_folder() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above
        .map(|folder| folder.join("shared/vectors/rfc8785"))
        .find(|folder| folder.is_dir())
}

/// SHA-256 over domain, zero byte and canonical bytes, computed once with another implementation.
#[test]
fn a_digest_is_what_it_always_was() {
    let text = br#"{"to":"rita","amount":4.50,"big":1E30,"order":{"b":1,"a":[true,null]}}"#;
    let json = admit(text, &Admission::default()).unwrap();
    let digest = Digest::of("countersign/action/v1", &json.to_canonical());
    assert_eq!(
        digest.to_string(),
        "916c10ee6eb53f32f94e3379a81b9efa3bf5aa07afa540df2bfb95c48446e2d6"
    );
}

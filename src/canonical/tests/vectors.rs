//! Golden vectors: our own always, those of RFC 8785's authors where they are at hand.

use std::{fs, path::Path};

use super::*;

fn rows<const N: usize>(table: &str) -> Vec<[&str; N]> {
    let rows: Vec<_> = table
        .split_terminator('\n')
        .map(|row| {
            let columns: Vec<&str> = row.split('\t').collect();
            <[&str; N]>::try_from(columns).unwrap_or_else(|_| panic!("columns of `{row}`"))
        })
        .collect();
    assert!(rows.len() > 20);
    rows
}

#[test]
fn what_is_admitted_is_written_in_one_way() {
    let table = include_str!("../../../tests/vectors/canonical/admitted.tsv");
    for [input, expected] in rows(table) {
        let json = admitted(input);
        assert_eq!(canonical(&json), expected, "{input}");
        assert_eq!(format!("{json:?}"), expected);
        assert_eq!(admitted(expected), json);
    }
}

#[test]
fn what_is_refused_says_where_and_why() {
    let table = include_str!("../../../tests/vectors/canonical/refused.tsv");
    for [input, path, offset, reason] in rows(table) {
        let error = match admit(input.as_bytes(), &Admission::default()) {
            Err(error) => error,
            Ok(json) => panic!("`{input}` was admitted as {json:?}"),
        };
        assert_eq!(error.path().to_string(), path, "path of `{input}`");
        assert_eq!(error.offset().to_string(), offset, "offset in `{input}`");
        assert_eq!(error.reason().to_string(), reason, "`{input}`");
        let shown = error.to_string();
        assert!(shown.contains(path) && shown.ends_with(reason), "{shown}");
    }
}

#[test]
fn doubles_are_printed_as_ecmascript_prints_them() {
    let table = include_str!("../../../tests/vectors/canonical/numbers.tsv");
    for [bits, expected] in rows(table) {
        let double = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
        let number = Number::shortest(double).unwrap();
        assert_eq!(number.to_string(), expected, "{bits}");
        assert_eq!(Number::parse(expected), Ok(number), "{bits}");
    }
    for nothing in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Number::shortest(nothing), None);
    }
}

/// Five of the six pairs pass; the sixth holds a number that is not exact, and without it passes too.
#[test]
fn the_vectors_of_the_rfc() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/rfc8785");
    if !folder.is_dir() {
        return;
    }
    for name in ["arrays", "french", "structures", "unicode", "weird"] {
        let input = fs::read(folder.join(format!("input/{name}.json"))).unwrap();
        let output = fs::read(folder.join(format!("output/{name}.json"))).unwrap();
        let json = admit(&input, &Admission::default()).unwrap();
        assert_eq!(json.to_canonical(), output, "{name}");
        let hex = fs::read_to_string(folder.join(format!("outhex/{name}.txt"))).unwrap();
        let bytes: Vec<u8> = hex
            .split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect();
        assert_eq!(json.to_canonical(), bytes, "{name} in hexadecimal");
    }

    let input = fs::read_to_string(folder.join("input/values.json")).unwrap();
    let output = fs::read_to_string(folder.join("output/values.json")).unwrap();
    let error = refused(input.as_bytes());
    assert_eq!(error.path().to_string(), "numbers[0]");
    assert_eq!(error.reason(), NumberError::Inexact.into());

    let literals = |text: &str| -> Vec<String> {
        let list = text.split("\"numbers\":").nth(1).unwrap();
        let list = list.trim_start().strip_prefix('[').unwrap();
        let (list, _) = list.split_once(']').unwrap();
        list.split(',').map(|text| text.trim().to_owned()).collect()
    };
    let (given, expected) = (literals(&input), literals(&output));
    assert_eq!((given.len(), expected.len()), (5, 5));
    for (literal, expected) in given.iter().zip(&expected) {
        let printed = Number::shortest(literal.parse().unwrap()).unwrap();
        assert_eq!(&printed.to_string(), expected, "{literal}");
    }
    let exact = input.replace("333333333.33333329", &expected[0]);
    assert_eq!(canonical(&admitted(&exact)), output);
}

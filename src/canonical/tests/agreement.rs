//! A second implementation reads what ours reads, and refuses nothing that ours admits.

use super::*;

/// Pieces that often make valid JSON when they stand side by side.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "\"\\n\"",
        "1",
        "0",
        "-",
        "-0",
        "1.50",
        "1e3",
        "9007199254740993",
        "1e400",
        "true",
        "null",
        " ",
        "\n",
        "{}",
        "[]",
        "{\"a\":",
        "\"a\":1",
        "[1,",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn same(ours: &Json, theirs: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(a), Value::Bool(b)) => a == b,
        (Json::Number(a), Value::Number(b)) => b.as_f64().is_some_and(|b| near(a.to_f64(), b)),
        (Json::String(a), Value::String(b)) => a == b,
        (Json::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => false,
    }
}

/// Whether it is the same number, or its neighbour: `serde_json` reads `3E23` one unit too low unless it is asked to be exact.
fn near(ours: f64, theirs: f64) -> bool {
    ours == theirs || ours.next_up() == theirs || ours.next_down() == theirs
}

fn agrees(text: &str) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_str::<serde_json::Value>(text);
    match (admit(text.as_bytes(), &Admission::default()), theirs) {
        (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours, &theirs), "{}", text),
        (Ok(_), Err(error)) => prop_assert!(false, "only we admit `{}`: {}", text, error),
        (Err(error), Ok(_)) => prop_assert!(
            matches!(
                error.reason(),
                Inadmissible::DuplicateName | Inadmissible::Number(_)
            ),
            "only we refuse `{}`: {}",
            text,
            error
        ),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn on_pieces(text in soup()) {
        agrees(&text)?;
    }

    #[test]
    fn on_pieces_in_an_array(text in soup()) {
        agrees(&format!("[{text}]"))?;
    }

    #[test]
    fn on_characters(text in "[-+0-9.eE\\[\\]{}:,\" ntu\\\\]{0,12}") {
        agrees(&text)?;
    }
}

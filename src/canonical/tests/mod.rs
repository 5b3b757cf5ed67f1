#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod admission;
mod agreement;
mod numbers;
mod objects;
mod vectors;

use proptest::prelude::*;

use super::*;

fn admitted(text: &str) -> Json {
    admit(text.as_bytes(), &Admission::default()).unwrap()
}

fn refused(bytes: &[u8]) -> AdmitError {
    admit(bytes, &Admission::default()).unwrap_err()
}

fn canonical(json: &Json) -> String {
    String::from_utf8(json.to_canonical()).unwrap()
}

/// Names and texts from the places where encodings differ.
fn any_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => prop::char::range('a', 'c'),
        1 => prop::char::range('\0', '\u{7f}'),
        1 => prop::char::range('\u{d7f0}', '\u{d7ff}'),
        1 => prop::char::range('\u{e000}', '\u{e00f}'),
        1 => prop::char::range('\u{fff0}', '\u{ffff}'),
        1 => prop::char::range('\u{10000}', '\u{1000f}'),
        1 => any::<char>(),
    ];
    prop::collection::vec(character, 0..6).prop_map(String::from_iter)
}

fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<f64>().prop_filter_map("finite", Number::shortest),
        any::<i32>().prop_map(Number::from),
        (-99_999_i64..=99_999, -8_i32..=8).prop_filter_map("not -0", |(digits, power)| {
            Number::parse(&format!("{digits}e{power}")).ok()
        }),
    ]
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any_number().prop_map(Json::Number),
        any_text().prop_map(Json::String),
    ];
    leaf.prop_recursive(5, 48, 8, |inner| {
        let member = (any_text(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..8).prop_map(Json::Array),
            prop::collection::vec(member, 0..8)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

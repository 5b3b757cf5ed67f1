#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
};

use proptest::prelude::*;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned, ser::SerializeMap};

use super::*;
use crate::canonical::{Json, Number, NumberError};

fn written<T: Serialize>(value: &T) -> String {
    String::from_utf8(to_json(value).unwrap().to_canonical()).unwrap()
}

fn refused<T: Serialize>(value: &T) -> (String, Unrepresentable) {
    let error = to_json(value).unwrap_err();
    (error.path().to_string(), error.reason())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    Newtype(u8),
    Tuple(u8, String),
    Struct { a: Option<bool>, b: () },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    integer: i64,
    natural: u64,
    character: char,
    text: String,
    absent: Option<u8>,
    present: Option<u8>,
    list: Vec<Choice>,
    tuple: (u8, bool),
    map: BTreeMap<String, u16>,
    by_choice: BTreeMap<Key, u8>,
    decimal: Number,
    nested: Newtype,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    One,
    Two,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Vec<Number>);

fn everything() -> Everything {
    Everything {
        integer: -((1 << 53) - 1),
        natural: (1 << 53) - 1,
        character: 'é',
        text: "a\"b".into(),
        absent: None,
        present: Some(0),
        list: vec![
            Choice::Unit,
            Choice::Newtype(1),
            Choice::Tuple(2, "x".into()),
            Choice::Struct { a: None, b: () },
        ],
        tuple: (1, true),
        map: BTreeMap::from([("b".into(), 2), ("a".into(), 1)]),
        by_choice: BTreeMap::from([(Key::Two, 2), (Key::One, 1)]),
        decimal: Number::parse("4.50").unwrap(),
        nested: Newtype(vec![Number::parse("1e30").unwrap(), Number::from(7)]),
    }
}

#[test]
fn a_type_comes_back_as_it_was() {
    let json = to_json(&everything()).unwrap();
    assert_eq!(from_json::<Everything>(&json).unwrap(), everything());
    assert_eq!(
        written(&everything().list),
        r#"["Unit",{"Newtype":1},{"Tuple":[2,"x"]},{"Struct":{"a":null,"b":null}}]"#
    );
    assert_eq!(written(&everything().decimal), "4.5");
    assert_eq!(written(&everything().by_choice), r#"{"One":1,"Two":2}"#);
}

#[test]
fn floats_are_refused_with_their_place() {
    #[derive(Serialize)]
    struct Order {
        lines: Vec<BTreeMap<&'static str, f32>>,
    }
    let order = Order {
        lines: vec![BTreeMap::new(), BTreeMap::from([("price", 4.5)])],
    };
    assert_eq!(
        refused(&order),
        ("lines[1].price".into(), Unrepresentable::Float)
    );
    assert_eq!(refused(&1.0_f64), (String::new(), Unrepresentable::Float));
    assert_eq!(
        refused(&HashMap::from([("x", Some(f64::NAN))])),
        ("x".into(), Unrepresentable::Float)
    );
}

#[test]
fn integers_are_exact_or_refused() {
    let unsafe_integer = Unrepresentable::Number(NumberError::UnsafeInteger);
    assert_eq!(refused(&[0, 1_u64 << 53]), ("[1]".into(), unsafe_integer));
    assert_eq!(refused(&(1_i64 << 53)).1, unsafe_integer);
    assert_eq!(refused(&-(1_i64 << 53)).1, unsafe_integer);
    assert_eq!(refused(&u128::MAX).1, unsafe_integer);
    assert_eq!(refused(&i128::MIN).1, unsafe_integer);
    assert_eq!(written(&7_i128), "7");
}

#[test]
fn keys_are_texts_and_stand_once() {
    assert_eq!(
        refused(&BTreeMap::from([(1, 2)])),
        (String::new(), Unrepresentable::KeyNotText)
    );
    assert_eq!(
        refused(&BTreeMap::from([(true, 2)])).1,
        Unrepresentable::KeyNotText
    );

    struct Twice;
    impl Serialize for Twice {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry("a", &1)?;
            map.serialize_entry("a", &2)?;
            map.end()
        }
    }
    assert_eq!(
        refused(&vec![Twice]),
        ("[0].a".into(), Unrepresentable::DuplicateKey)
    );

    #[derive(Serialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        more: BTreeMap<String, u8>,
    }
    let flat = |name: &str| Flat {
        a: 1,
        more: BTreeMap::from([(name.to_owned(), 2)]),
    };
    assert_eq!(written(&flat("b")), r#"{"a":1,"b":2}"#);
    assert_eq!(refused(&flat("a")).1, Unrepresentable::DuplicateKey);
}

#[test]
fn depth_is_bounded() {
    #[derive(Serialize)]
    struct Deep(Option<Box<[Deep; 1]>>);
    let deep = |levels| (0..levels).fold(Deep(None), |inner, _| Deep(Some(Box::new([inner]))));
    assert!(to_json(&deep(64)).is_ok());
    assert_eq!(refused(&deep(65)).1, Unrepresentable::TooDeep);
    assert_eq!(refused(&deep(5_000)).1, Unrepresentable::TooDeep);
}

#[test]
fn a_type_that_refuses_itself_is_not_quoted() {
    struct Secret;
    impl Serialize for Secret {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("S3CRET"))
        }
    }
    let error = to_json(&Secret).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("S3CRET"));
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let json = crate::canonical::admit(json.as_bytes(), &Default::default()).unwrap();
    from_json(&json).map_err(|error| error.to_string())
}

#[test]
fn no_type_gets_what_it_did_not_ask_for() {
    assert_eq!(read::<f64>("4.5"), Ok(4.5));
    assert_eq!(read::<f64>("4"), Ok(4.0));
    assert_eq!(read::<f64>("1e30"), Ok(1e30));
    assert_eq!(
        read::<u8>("4.5"),
        Err("expected u8, found a number with a fraction".into())
    );
    assert!(read::<u64>("1e30").is_err());
    assert!(read::<u8>("256").is_err());
    assert!(read::<u8>("-1").is_err());
    assert!(read::<u8>("\"1\"").is_err());
    assert!(read::<String>("1").is_err());
    assert!(read::<bool>("null").is_err());
    assert_eq!(read::<Option<bool>>("null"), Ok(None));
    assert!(read::<Number>("\"4.5\"").is_err());
    assert_eq!(read::<Number>("4.50"), Ok(Number::parse("4.5").unwrap()));
    assert!(read::<(u8, u8)>("[1,2,3]").is_err());
    assert!(read::<(u8, u8)>("[1]").is_err());
    assert!(read::<Choice>(r#"{"Unit":1}"#).is_err());
    assert!(read::<Choice>(r#"{"Newtype":1,"Unit":null}"#).is_err());
    assert!(read::<Choice>("\"Newtype\"").is_err());
    assert!(read::<Choice>("{}").is_err());
}

#[test]
fn a_mismatch_says_where() {
    assert_eq!(
        read::<BTreeMap<String, Vec<u8>>>(r#"{"a":[1],"b":[1,"x"]}"#),
        Err("`b[1]`: expected u8, found a string".into())
    );
    assert_eq!(
        read::<Vec<Choice>>(r#"[{"Struct":{"a":1,"b":null}}]"#),
        Err("`[0].Struct.a`: expected a boolean, found an integer".into())
    );
    assert_eq!(
        read::<Vec<Choice>>(r#"[{"Struct":{"b":null}},{"Struct":{}}]"#),
        Err("`[1].Struct`: the member `b` is missing".into())
    );
}

#[test]
fn other_formats_see_a_number_as_its_text() {
    let number = Number::parse("4.50").unwrap();
    assert_eq!(serde_json::to_string(&number).unwrap(), "\"4.5\"");
    assert_eq!(serde_json::from_str::<Number>("\"4.5\"").unwrap(), number);
    assert!(serde_json::from_str::<Number>("4.5").is_err());
    assert!(serde_json::from_str::<Number>("\"-0\"").is_err());
}

fn into<T: IntoJson + Debug>(value: T) -> Json {
    value.into_json().unwrap()
}

#[test]
fn plain_values_are_taken_as_they_are() {
    assert_eq!(into("x"), Json::from("x"));
    assert_eq!(into(Some(1_u64)), Json::from(1));
    assert_eq!(into(None::<bool>), Json::Null);
    assert_eq!(into(vec!["a", "b"]), into(["a", "b"]));
    assert_eq!(into(&["a", "b"][..]), into(["a", "b"]));
    let map = BTreeMap::from([("b".to_owned(), 1), ("a".to_owned(), 2)]);
    assert_eq!(into(map).to_canonical(), br#"{"a":2,"b":1}"#);
    let error = BTreeMap::from([("a".to_owned(), vec![i64::MAX])])
        .into_json()
        .unwrap_err();
    assert_eq!(error.path().to_string(), "a[0]");
}

proptest! {
    #[test]
    fn whatever_serde_writes_it_reads(
        texts in prop::collection::vec(any::<String>(), 0..5),
        numbers in prop::collection::btree_map(any::<String>(), any::<i32>(), 0..5),
        choice in prop::option::of(any::<Option<u8>>()),
    ) {
        let value = (texts, numbers, choice.flatten());
        let json = to_json(&value).unwrap();
        let again: (Vec<String>, BTreeMap<String, i32>, Option<u8>) = from_json(&json).unwrap();
        prop_assert_eq!(again, value);
    }
}

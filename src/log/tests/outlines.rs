//! The quick reader of statements accepts nothing that the strict one refuses, and reads the same.

use proptest::prelude::*;

use super::statements::{entry, write};
use crate::{
    action::{Disclosure, Salt},
    canonical::{Json, Number, Object},
    log::{
        Enforcement, Kind, Statement,
        outline::{Outline, Outlined},
        sd::{self, Cover, Opened},
    },
};

/// Names with meaning, and names that the quick reader does not read.
const NAMES: [&str; 9] = [
    "_sd", "a", "b", "B", "name", "_sd_alg", "é", "\n", "\u{e000}",
];

fn digest_text(number: u8) -> String {
    let salt = Salt::from_bytes([number; 16]);
    Disclosure::new(&salt, "a", &Json::Null)
        .digest()
        .to_string()
}

/// Values of every kind, with objects that hide members well or badly.
fn values() -> impl Strategy<Value = Json> {
    let number = prop_oneof![
        (-9..9_i64).prop_map(|small| Json::try_from(small).unwrap()),
        Just(Json::try_from((1_i64 << 53) - 1).unwrap()),
        Just(Json::Number(Number::parse("1.5").unwrap())),
        Just(Json::Number(Number::parse("1e30").unwrap())),
    ];
    let digests = prop::collection::vec(0..6_u8, 0..3).prop_map(|numbers| {
        let mut texts: Vec<String> = numbers.iter().map(|number| digest_text(*number)).collect();
        // Some are not in order, and some stand twice.
        if numbers.first() != Some(&0) {
            texts.sort();
        }
        Json::from(texts.into_iter().map(Json::from).collect::<Vec<_>>())
    });
    let leaf = prop_oneof![
        any::<String>().prop_map(Json::from),
        any::<bool>().prop_map(Json::from),
        Just(Json::Null),
        number,
        digests.clone(),
    ];
    let hiding = digests.prop_map(|digests| Object::new().with("_sd", digests));
    let leaf = prop_oneof![leaf, hiding.prop_map(Json::from)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            objects(inner).prop_map(Json::from),
        ]
    })
}

fn objects(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Object> {
    let name = prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
    prop::collection::vec((name, value), 0..4).prop_map(|members| members.into_iter().collect())
}

/// What the covers of a body come to, in whatever order they were found.
fn told(covers: &[Cover<'_>]) -> Vec<(String, Vec<usize>)> {
    let mut told: Vec<_> = covers
        .iter()
        .map(|cover| {
            let clash = |name: &&str| {
                let opened = cover.digests.iter().map(|digest| Opened {
                    digest: *digest,
                    name: (*name).to_owned(),
                    used: false,
                });
                let alone = std::slice::from_ref(cover);
                sd::fill(alone, &mut opened.collect::<Vec<_>>()).colliding
            };
            (
                format!("{:?}", cover.digests),
                NAMES.iter().map(clash).collect(),
            )
        })
        .collect();
    told.sort();
    told
}

/// Whether the quick reader read these bytes; if it did, the strict one reads the same.
fn agrees(bytes: &[u8]) -> bool {
    let Some(quick) = Outlined::read(bytes) else {
        return false;
    };
    let strict = Statement::parse(bytes).unwrap();
    assert_eq!(quick.outline, Outline::of(&strict));
    assert_eq!(quick.to_statement().unwrap(), strict);
    assert_eq!(
        told(&quick.covers),
        told(&sd::covers(&strict.body).unwrap())
    );
    true
}

proptest! {
    #[test]
    fn what_the_quick_reader_reads_is_what_the_strict_one_reads(
        body in objects(values()),
        request in proptest::option::of(any::<u128>()),
        kind in prop::sample::select(&[Kind::Voted, Kind::Clock, Kind::Frozen][..]),
        testing in any::<bool>(),
        at in any::<prop::sample::Index>(),
        other in prop::sample::select(&b"\"\\{}[],:01-.eE_asdxA \n\x80\xff"[..]),
        change in 0..4_u8,
    ) {
        let mut entry = entry(kind, request, &body);
        entry.enforced = Enforcement::from_bool(!testing);
        let mut bytes = write(&entry, 7, 7);
        agrees(&bytes);
        let at = at.index(bytes.len());
        match change {
            0 => bytes[at] = other,
            1 => bytes.insert(at, other),
            2 => drop(bytes.remove(at)),
            _ => bytes.swap(at, at.saturating_sub(1)),
        }
        agrees(&bytes);
    }

    /// As records of this edition are written; were it not so, it would only be slow.
    #[test]
    fn plain_records_are_read_quickly(numbers in prop::collection::btree_set(0..200_u8, 1..4), text in any::<String>()) {
        let mut digests: Vec<String> = numbers.into_iter().map(digest_text).collect();
        digests.sort();
        let digests: Vec<Json> = digests.into_iter().map(Json::from).collect();
        let hiding = Object::new().with("_sd", digests).with("text", text).with("n", 3);
        let body = Object::new().with("parameters", hiding).with("list", vec![Json::Null, true.into()]);
        prop_assert!(agrees(&write(&entry(Kind::Requested, Some(1), &body), 7, 7)));
        prop_assert!(agrees(&write(&entry(Kind::Clock, None, &body), 7, 7)));
    }
}

#[test]
fn what_hides_badly_is_left_to_the_strict_reader() {
    let mut two = [digest_text(1), digest_text(2)];
    two.sort();
    let [one, other] = two;
    let second_spelling = format!("{}B", &digest_text(1)[..42]);
    let read = |body: String| {
        let mut entry = entry(Kind::Clock, None, &Object::new());
        entry.body = body.into_bytes();
        agrees(&write(&entry, 7, 7))
    };
    assert!(read(format!(
        r#"{{"a":{{"_sd":["{one}"]}},"b":[{{"_sd":["{other}"]}}]}}"#
    )));
    for body in [
        format!(r#"{{"_sd":["{one}","{one}"]}}"#),
        format!(r#"{{"_sd":["{other}","{one}"]}}"#),
        format!(r#"{{"a":{{"_sd":["{one}"]}},"b":[{{"_sd":["{one}"]}}]}}"#),
        format!(r#"{{"_sd":["{second_spelling}"]}}"#),
        format!(r#"{{"_sd":"{one}"}}"#),
        format!(r#"{{"a":{{"_sd":[["{one}"]]}}}}"#),
        r#"{"_sd":[]}"#.to_owned(),
        r#"{"_sd":["short"]}"#.to_owned(),
        r#"{"a":1.5}"#.to_owned(),
        "[]".to_owned(),
    ] {
        assert!(!read(body.clone()), "{body}");
    }
    // Kinds that belong to a request, and one that belongs to none.
    for (kind, request) in [(Kind::Voted, None), (Kind::Clock, Some(1))] {
        let bytes = write(&entry(kind, request, &Object::new()), 7, 7);
        assert!(!agrees(&bytes), "{kind}");
    }
}

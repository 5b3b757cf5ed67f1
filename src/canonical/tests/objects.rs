use std::collections::BTreeMap;

use super::{super::object::canonical_order, *};

#[test]
fn members_stand_in_the_order_of_utf16() {
    let names = [
        "",
        "a",
        "aa",
        "b",
        "\u{d7ff}",
        "\u{10000}",
        "\u{10ffff}",
        "\u{e000}",
        "\u{ffff}",
    ];
    let object: Object = names
        .iter()
        .rev()
        .map(|name| ((*name).to_owned(), Json::Null))
        .collect();
    assert!(object.keys().eq(names));
    assert!(
        object
            .iter()
            .rev()
            .map(|(name, _)| name)
            .eq(names.into_iter().rev())
    );
}

#[test]
fn a_name_stands_once() {
    let mut object = Object::new().with("a", 1).with("b", "x").with("a", 2);
    assert_eq!(object.to_canonical(), br#"{"a":2,"b":"x"}"#);
    assert_eq!(object.insert("b".into(), true.into()), Some("x".into()));
    assert_eq!(object.insert("c".into(), Json::Null), None);
    assert_eq!(object.remove("a"), Some(2.into()));
    assert_eq!(object.remove("a"), None);
    assert_eq!(object.get("b"), Some(&true.into()));
    assert_eq!(format!("{object:?}"), r#"{"b":true,"c":null}"#);

    let last: Object = [("k", 1), ("k", 2), ("j", 0), ("k", 3)]
        .map(|(name, value)| (name.to_owned(), Json::from(value)))
        .into_iter()
        .collect();
    assert_eq!(last, Object::new().with("j", 0).with("k", 3));
}

#[test]
fn a_value_is_only_what_it_is() {
    let json = admitted(r#"{"s":"t","n":5,"d":0.5,"t":true,"a":[1],"z":null}"#);
    let object = json.as_object().unwrap();
    let member = |name| object.get(name).unwrap();
    assert_eq!(member("s").as_str(), Some("t"));
    assert_eq!(member("n").as_i64(), Some(5));
    assert_eq!(member("d").as_i64(), None);
    assert_eq!(member("d").as_number(), Number::parse("0.5").ok());
    assert_eq!(member("t").as_bool(), Some(true));
    assert_eq!(member("a").as_array(), Some([1.into()].as_slice()));
    for name in ["s", "n", "d", "t", "z"] {
        assert_eq!(member(name).as_array(), None);
        assert_eq!(member(name).as_object(), None);
    }
    assert_eq!(member("z").as_bool(), None);
    assert_eq!(member("n").as_str(), None);
    assert_eq!(member("s").as_number(), None);
}

/// Strings are looked through in chunks, so a special character stands at each place of several.
#[test]
fn what_must_be_escaped_is_found_at_any_place() {
    for length in 0..50 {
        for place in 0..=length {
            for special in ['"', '\\', '\0', '\u{1f}', '\n', ' ', '\u{7f}', 'é', '😂'] {
                let mut text = "x".repeat(length);
                text.insert(place, special);
                let json = Json::from(text);
                let theirs = serde_json::to_vec(json.as_str().unwrap()).unwrap();
                assert_eq!(json.to_canonical(), theirs);
                assert_eq!(admit(&theirs, &Admission::default()), Ok(json));
            }
        }
    }
}

proptest! {
    #[test]
    fn order_is_that_of_utf16_code_units(a in any_text(), b in any_text()) {
        let expected = a.encode_utf16().cmp(b.encode_utf16());
        prop_assert_eq!(canonical_order(&a, &b), expected);
    }

    #[test]
    fn an_object_is_a_sorted_map(
        steps in prop::collection::vec((any_text(), any::<bool>(), any::<u8>()), 0..60),
    ) {
        let mut object = Object::new();
        let mut model: BTreeMap<Vec<u16>, (String, Json)> = BTreeMap::new();
        for (name, insert, value) in steps {
            let key: Vec<u16> = name.encode_utf16().collect();
            let (left, right) = if insert {
                let value = Json::from(value);
                let old = model.insert(key, (name.clone(), value.clone()));
                (object.insert(name, value), old)
            } else {
                (object.remove(&name), model.remove(&key))
            };
            prop_assert_eq!(left, right.map(|(_, value)| value));
        }
        prop_assert_eq!(object.len(), model.len());
        prop_assert_eq!(object.is_empty(), model.is_empty());
        for (name, value) in model.values() {
            prop_assert_eq!(object.get(name), Some(value));
            prop_assert!(object.contains(name));
        }
        prop_assert!(object.iter().eq(model.values().map(|(name, value)| (name.as_str(), value))));
        let collected: Object = model.into_values().rev().collect();
        prop_assert_eq!(&collected, &object);
        prop_assert!((&object).into_iter().map(|(n, v)| (n.to_owned(), v.clone())).eq(object.clone()));
    }

    #[test]
    fn a_string_is_written_as_json(text in any_text()) {
        let mut out = Vec::new();
        write_string(&mut out, &text);
        let read: String = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(read, text);
    }
}

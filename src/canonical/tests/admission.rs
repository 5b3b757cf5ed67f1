//! What hostile bytes may not do.

use super::*;

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

#[test]
fn nesting_is_bounded() {
    admitted(&nested(64));
    admitted(&format!("[{}]", vec![nested(63); 3].join(",")));
    let objects = r#"{"a":"#.repeat(64) + "1" + &"}".repeat(64);
    admitted(&objects);

    let error = refused(nested(65).as_bytes());
    assert_eq!(error.reason(), Inadmissible::TooDeep { max_depth: 64 });
    assert_eq!(error.path().to_string(), "[0]".repeat(64));
    assert_eq!(error.offset(), 64);
    for hostile in ["[".repeat(1_000_000), r#"{"a":"#.repeat(200_000)] {
        let error = refused(hostile.as_bytes());
        assert_eq!(error.reason(), Inadmissible::TooDeep { max_depth: 64 });
    }

    let flat = Admission::default().with_max_depth(0);
    assert!(admit(b"1", &flat).is_ok());
    assert!(admit(b"[]", &flat).is_err());
    let deepest = Admission::default().with_max_depth(usize::MAX);
    assert_eq!(deepest.max_depth(), Admission::DEEPEST);
    assert!(admit(nested(128).as_bytes(), &deepest).is_ok());
    assert!(admit(nested(129).as_bytes(), &deepest).is_err());
}

#[test]
fn size_is_bounded_before_anything_is_read() {
    let limits = Admission::default().with_max_bytes(10);
    assert!(admit(b"[1,2,3,40]", &limits).is_ok());
    let error = admit(b"[1,2,3,400]", &limits).unwrap_err();
    assert_eq!(error.reason(), Inadmissible::TooLarge { max_bytes: 10 });
    let largest = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    admitted(&largest);
    let error = refused(format!("{largest} ").as_bytes());
    let max_bytes = 1 << 20;
    assert_eq!(error.reason(), Inadmissible::TooLarge { max_bytes });
}

#[test]
fn bytes_that_are_not_text_are_refused_where_they_stand() {
    for (bytes, path, offset) in [
        (b"{\"a\":[\"x\xff\"]}".as_slice(), "a[0]", 8),
        (b"{\"a\":\"\xed\xa0\x80\"}", "a", 6), // a surrogate in UTF-8
        (b"{\"a\":\"\xc0\xaf\"}", "a", 6),     // a slash in two bytes
        (b"{\"a\":\"\xf4\x90\x80\x80\"}", "a", 6), // beyond U+10FFFF
        (b"{\"a\":\"\\\xff\"}", "a", 7),
        (b"{\"a\":\"\\u00\xff\"}", "a", 10),
        (b"{\"a\":\"\\ud83d\xff\"}", "a", 12),
        (b"{\"a\":12\xff3}", "a", 7),
        (b"{\"a\":1,\"b\xc3", "", 9),
        (b"{\"a\":1}\xff", "", 7),
        (b"\xff\xfe{\0}\0", "", 0), // UTF-16
        (b"", "", 0),
    ] {
        let error = refused(bytes);
        assert_eq!(error.path().to_string(), path, "{bytes:?}");
        assert_eq!(error.offset(), offset, "{bytes:?}");
        let reason = if bytes.is_empty() {
            Inadmissible::Unfinished
        } else {
            Inadmissible::NotUtf8
        };
        assert_eq!(error.reason(), reason, "{bytes:?}");
    }
}

#[test]
fn a_byte_order_mark_is_no_white_space() {
    let error = refused("\u{feff}{}".as_bytes());
    assert_eq!(error.reason(), Inadmissible::ByteOrderMark);
}

#[test]
fn control_characters_must_be_escaped() {
    for control in '\0'..' ' {
        let error = refused(format!("{{\"a\":\"x{control}\"}}").as_bytes());
        assert_eq!(error.reason(), Inadmissible::ControlCharacter);
        assert_eq!(
            (error.path().to_string().as_str(), error.offset()),
            ("a", 7)
        );
        let escaped = format!("\"\\u{:04X}\"", u32::from(control));
        assert_eq!(admitted(&escaped), Json::from(control.to_string()));
    }
    assert_eq!(admitted("\"\u{7f}\"").as_str(), Some("\u{7f}"));
}

#[test]
fn names_are_compared_after_unescaping_and_never_normalised() {
    for spelling in [r"caf\u00e9", r"\u0063afé", r"\u0063\u0061\u0066\u00E9"] {
        let error = refused(format!("{{\"café\":1,\"b\":2,\"{spelling}\":3}}").as_bytes());
        assert_eq!(error.reason(), Inadmissible::DuplicateName);
        assert_eq!(error.path().to_string(), r#"["caf\u00e9"]"#);
    }
    let two = admitted("{\"caf\u{e9}\":1,\"cafe\u{301}\":2}");
    assert_eq!(two.as_object().unwrap().len(), 2);
}

#[test]
fn equal_values_have_equal_bytes_and_other_types_do_not() {
    let same = [
        r#"{"a":1,"b":1000}"#,
        r#"{"b":1e3,"a":1.0}"#,
        "{ \"\\u0061\" : 10e-1,\n \"b\": 1000.00 }",
    ];
    for spelling in same {
        assert_eq!(canonical(&admitted(spelling)), same[0]);
    }
    assert_ne!(admitted("40.0"), admitted(r#""40.0""#));
    assert_ne!(admitted("null"), admitted("{}"));
}

#[test]
fn many_members_do_not_take_quadratic_time() {
    let members: Vec<_> = (0..70_000).rev().map(|n| format!("\"{n}\":0")).collect();
    let text = format!("{{{}}}", members.join(","));
    assert_eq!(admitted(&text).as_object().unwrap().len(), 70_000);
    let repeated = format!("{{{},\"7\":1}}", members.join(","));
    assert_eq!(refused(repeated.as_bytes()).path().to_string(), "7");
}

#[test]
fn a_message_names_members_but_no_values() {
    let error = refused(br#"{"card":{"pin":123456789012345678901}}"#);
    let message = error.to_string();
    assert_eq!(
        message,
        "`card.pin`, byte 15: a double does not hold this number exactly as it is written; use a string"
    );
    assert!(!format!("{error:?}").contains("1234567"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = admit(&bytes, &Admission::default());
    }

    /// Bytes that are nearly right reach further than random ones.
    #[test]
    fn no_damaged_value_panics(
        json in any_json(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = json.to_canonical();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(json) = admit(&bytes, &Admission::default()) {
            let again = admit(&json.to_canonical(), &Admission::default());
            prop_assert_eq!(again, Ok(json));
        }
    }

    #[test]
    fn nothing_but_the_whole_value_is_admitted(json in any_json(), cut in any::<prop::sample::Index>()) {
        let whole = Json::from(vec![json]).to_canonical();
        let part = &whole[..cut.index(whole.len())];
        prop_assert!(admit(part, &Admission::default()).is_err());
        let more = [whole.as_slice(), b"0"].concat();
        prop_assert!(admit(&more, &Admission::default()).is_err());
    }

    #[test]
    fn a_written_value_is_admitted_as_itself(json in any_json()) {
        let written = json.to_canonical();
        let read = admit(&written, &Admission::default());
        prop_assert_eq!(read.as_ref(), Ok(&json));
        prop_assert_eq!(json.to_canonical(), written);
    }

    #[test]
    fn spelling_makes_no_difference(json in any_json(), seed in any::<u64>()) {
        let mut sloppy = String::new();
        Sloppy(seed).write(&mut sloppy, &json);
        prop_assert_eq!(admit(sloppy.as_bytes(), &Admission::default()), Ok(json));
    }
}

/// Writes a value in some other spelling: order, white space, escapes and exponents vary.
struct Sloppy(u64);

impl Sloppy {
    fn choice(&mut self, of: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % of
    }

    fn write(&mut self, out: &mut String, json: &Json) {
        self.space(out);
        match json {
            Json::Null | Json::Bool(_) => out.push_str(&canonical(json)),
            Json::Number(number) => self.number(out, *number),
            Json::String(text) => self.string(out, text),
            Json::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    self.write(out, element);
                }
                self.space(out);
                out.push(']');
            }
            Json::Object(object) => {
                let mut members: Vec<_> = object.iter().collect();
                if !members.is_empty() {
                    let places = members.len() as u64;
                    members.rotate_left(self.choice(places) as usize);
                }
                out.push('{');
                for (index, (name, member)) in members.into_iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    self.space(out);
                    self.string(out, name);
                    self.space(out);
                    out.push(':');
                    self.write(out, member);
                }
                self.space(out);
                out.push('}');
            }
        }
        self.space(out);
    }

    fn space(&mut self, out: &mut String) {
        out.push_str(["", "", "", " ", "\t", "\r\n"][self.choice(6) as usize]);
    }

    fn string(&mut self, out: &mut String, text: &str) {
        out.push('"');
        for character in text.chars() {
            if self.choice(2) == 0 || character < ' ' || matches!(character, '"' | '\\') {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            } else {
                out.push(character);
            }
        }
        out.push('"');
    }

    fn number(&mut self, out: &mut String, number: Number) {
        let text = number.to_string();
        match self.choice(4) {
            0 if !text.contains(['.', 'e']) => out.push_str(&format!("{text}.000")),
            1 if !text.contains('e') => out.push_str(&format!("{text}E-0")),
            2 if !text.contains(['.', 'e']) && text != "0" => out.push_str(&format!("{text}00e-2")),
            _ => out.push_str(&text),
        }
    }
}

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::sync::Arc;

use futures::executor::block_on;
use proptest::prelude::*;

use super::{
    Alphabet, Card, ChannelName, DeliveryError, InProcessNotifier, Limits, MessageRef, NameError,
    Notice, NoticeId, Notifier, Page, Rendered, Settled, Settlement, all_ascii,
    card::tests::{hostile_texts, sample, sample_with},
    columns::{width, wrap},
    conformance, from_visible, render, visible,
    visible::{is_combining, is_risky},
};
use crate::clock::Timestamp;

/// Code points that somebody tries to hide with, with some to hide between.
fn tricky_char() -> impl Strategy<Value = char> {
    prop_oneof![
        any::<char>(),
        prop::char::ranges(
            vec![
                '\0'..='\u{a0}',
                '\u{300}'..='\u{36f}',
                '\u{115e}'..='\u{1161}',
                '\u{1800}'..='\u{1810}',
                '\u{2000}'..='\u{2070}',
                '\u{3000}'..='\u{3001}',
                '\u{fe00}'..='\u{feff}',
                '\u{e0000}'..='\u{e01ff}',
            ]
            .into()
        ),
        prop::sample::select(vec![
            ' ', '\\', '"', '\n', '{', '}', 'u', '\u{2800}', '\u{3164}', '\u{301}'
        ]),
    ]
}

fn tricky_text() -> impl Strategy<Value = String> {
    let run = (
        tricky_char(),
        prop_oneof![4 => 1_usize..4, 1 => 4_usize..40],
    );
    prop::collection::vec(run, 0..30).prop_map(|runs| {
        runs.into_iter()
            .flat_map(|(c, count)| std::iter::repeat_n(c, count))
            .collect()
    })
}

fn assert_nothing_hides(shown: &str) {
    let risky: Vec<_> = shown.chars().filter(|c| is_risky(*c)).collect();
    assert!(risky.is_empty(), "{risky:?} in {shown:?}");
    let marks: Vec<bool> = shown.chars().map(is_combining).collect();
    assert!(
        !marks.windows(3).any(|three| three == [true; 3]),
        "{shown:?}"
    );
    assert!(marks.first() != Some(&true), "{shown:?}");
}

proptest! {
    #[test]
    fn nothing_hides_and_nothing_is_lost(text in tricky_text()) {
        let shown = visible(&text);
        assert_nothing_hides(&shown);
        prop_assert!(!shown.starts_with(' ') && !shown.ends_with(' '));
        prop_assert!(!shown.contains("     "));
        prop_assert_eq!(from_visible(&shown), Some(text.clone()));
        if let Some(ascii) = all_ascii(&shown) {
            prop_assert!(ascii.is_ascii());
            prop_assert_eq!(from_visible(&ascii), Some(text));
        }
    }

    #[test]
    fn different_texts_are_shown_differently(one in tricky_text(), other in tricky_text()) {
        prop_assert_eq!(visible(&one) == visible(&other), one == other);
    }

    #[test]
    fn wrapped_text_is_the_text_and_fits(text in tricky_text(), first in 0_usize..20, wide in 2_usize..40) {
        let shown = visible(&text);
        let lines = wrap(&shown, first.min(wide), wide);
        prop_assert_eq!(lines.concat(), shown.clone());
        for (number, line) in lines.iter().enumerate() {
            let room = if number == 0 { first.min(wide) } else { wide };
            prop_assert!(width(line) <= room, "{line:?} in {room}");
        }
    }

    #[test]
    fn every_line_is_marked_and_within_the_page(text in tricky_text(), columns in 0_usize..200) {
        let card = sample_with(&text, &text);
        for alphabet in [Alphabet::Unicode, Alphabet::Ascii] {
            let page = Page::new(columns, alphabet);
            let rendered = render(&card, &Limits::UNLIMITED, &page);
            for line in rendered.text().lines() {
                prop_assert!(line == "|" || line.starts_with("| ") || line.starts_with("|> "), "{line:?}");
                // Isolates are the renderer's own.
                let own = line.replace(['\u{2068}', '\u{2069}'], "");
                prop_assert!(width(&own) <= columns.clamp(20, 120), "{line:?}");
                assert_nothing_hides(&own);
                if alphabet == Alphabet::Ascii {
                    prop_assert!(line.is_ascii(), "{line:?}");
                }
            }
        }
    }

    #[test]
    fn reading_what_is_no_visible_text_does_not_panic(text in ".{0,40}", escape in r"\\(\{[0-9]{1,30} [a-z0-9]{0,9}\}|u[0-9a-f]{0,5}|u\{[0-9a-f]{0,9}\}|.?)") {
        let _ = from_visible(&format!("{text}{escape}{text}"));
    }
}

#[test]
fn what_a_reader_would_misread_is_written_out() {
    for (text, shown) in [
        ("", ""),
        ("plain text", "plain text"),
        ("a\nb\tc\0\u{7f}", r"a\u000ab\u0009c\u0000\u007f"),
        ("\u{1b}[2J", r"\u001b[2J"),
        ("\u{9b}31m", r"\u009b31m"),
        (r#"a\u000a"b""#, r#"a\\u000a\"b\""#),
        ("invoice_\u{202e}fdp.exe", r"invoice_\u202efdp.exe"),
        ("\u{2066}x\u{2069}", r"\u2066x\u2069"),
        ("zero\u{200b}width\u{feff}", r"zero\u200bwidth\ufeff"),
        ("soft\u{ad}hyphen", r"soft\u00adhyphen"),
        ("\u{3164}", r"\u3164"),
        ("\u{2800}\u{a0}", r"\u2800\u00a0"),
        ("tag\u{e0041}", r"tag\u{e0041}"),
        ("private\u{e000}\u{10fffd}", r"private\ue000\u{10fffd}"),
        ("unassigned\u{378}\u{ffff}", r"unassigned\u0378\uffff"),
        (
            "\u{2028}\u{2029}\u{34f}\u{fe0f}",
            r"\u2028\u2029\u034f\ufe0f",
        ),
        ("👩\u{200d}💻", r"👩\u200d💻"),
        (" x ", r"\u0020x\u0020"),
        (" ", r"\u0020"),
        ("a    b", "a    b"),
        ("a     b", r"a\{5 spaces}b"),
        (
            "\u{301}a\u{301}\u{302}\u{303}",
            "\\u0301a\u{301}\u{302}\\u0303",
        ),
        ("grüße, мир, 世界", "grüße, мир, 世界"),
    ] {
        assert_eq!(visible(text), shown);
    }
    let padded = format!("ls{}; rm -rf /", " ".repeat(10_000));
    assert_eq!(visible(&padded), r"ls\{10000 spaces}; rm -rf /");
    assert_eq!(
        visible(&format!("a{}b", "\n".repeat(500))),
        r"a\{500 u000a}b"
    );
}

#[test]
fn characters_take_the_columns_that_terminals_give_them() {
    for (text, columns) in [
        ("abc", 3),
        ("e\u{301}\u{302}", 1),
        ("世界", 4),
        ("한", 2),
        ("👩", 2),
        ("я«", 2),
    ] {
        assert_eq!(width(text), columns, "{text}");
    }
}

#[test]
fn look_alikes_differ_in_ascii() {
    assert_eq!(
        all_ascii(&visible("p\u{430}ypal")).as_deref(),
        Some(r"p\u0430ypal")
    );
    assert_eq!(all_ascii("paypal"), None);
}

#[test]
fn every_listed_code_point_is_risky() {
    let ranges = [
        0x00..=0x1f,
        0x7f..=0x9f,
        0xa0..=0xa0,
        0xad..=0xad,
        0x34f..=0x34f,
        0x61c..=0x61c,
        0x115f..=0x1160,
        0x1680..=0x1680,
        0x17b4..=0x17b5,
        0x180b..=0x180f,
        0x2000..=0x200f,
        0x2028..=0x202f,
        0x205f..=0x206f,
        0x2800..=0x2800,
        0x3000..=0x3000,
        0x3164..=0x3164,
        0xe000..=0xf8ff,
        0xfdd0..=0xfdef,
        0xfe00..=0xfe0f,
        0xfeff..=0xfeff,
        0xffa0..=0xffa0,
        0xfff0..=0xfffb,
        0xfffe..=0xffff,
        0x1bca0..=0x1bca3,
        0x1d173..=0x1d17a,
        0x1fffe..=0x1ffff,
        0xe0000..=0xe0fff,
        0xf0000..=0x10ffff,
    ];
    for code in ranges.into_iter().flatten() {
        let c = char::from_u32(code).unwrap();
        assert!(is_risky(c), "{code:x}");
    }
    assert!("aé€漢я٣ \u{301}".chars().all(|c| !is_risky(c)));
}

#[test]
fn text_that_is_no_visible_text_reads_as_none() {
    for wrong in [
        r"\",
        r"\x",
        r"\u12",
        r"\ud800",
        r"\u{}",
        r"\{}",
        r"\{9 spaces",
        r"\{99999999999 spaces}",
        r"\{3 u}",
    ] {
        assert_eq!(from_visible(wrong), None, "{wrong}");
    }
}

#[test]
fn names_keep_to_their_grammar() {
    assert!(ChannelName::new("slack-ops_2").is_ok());
    for wrong in ["", "Slack", "2x", "a b", &"a".repeat(33)] {
        assert_eq!(ChannelName::new(wrong), Err(NameError::Channel), "{wrong}");
    }
    assert_eq!(NoticeId::new("a b"), Err(NameError::Notice));
    assert!(MessageRef::new(&"m".repeat(1024)).is_ok());
    assert_eq!(MessageRef::new(&"m".repeat(1025)), Err(NameError::Message));
}

fn ask(card: Card) -> Notice {
    Notice::Ask {
        id: NoticeId::new("n1").unwrap(),
        card,
    }
}

#[test]
fn a_host_gets_notices_in_order_and_a_full_queue_loses_none() {
    let (notifier, mut notices) = InProcessNotifier::new("ui", 2).unwrap();
    let notifier: Arc<dyn Notifier> = Arc::new(notifier);
    let notice = ask(sample());
    let settled = Notice::Settle {
        id: NoticeId::new("n2").unwrap(),
        settlement: Settlement {
            what: Settled::Approved,
            at: Timestamp::EPOCH,
            card: sample(),
        },
    };
    let mark = block_on(notifier.deliver(&notice, None)).unwrap();
    assert_eq!(
        block_on(notifier.deliver(&settled, Some(&mark))).unwrap(),
        mark
    );
    assert!(matches!(
        block_on(notifier.deliver(&notice, None)),
        Err(DeliveryError::Later { .. })
    ));
    assert_eq!(block_on(notices.next()), Some(notice.clone()));
    assert_eq!(notices.waiting(), Some(settled));
    assert_eq!(notices.waiting(), None);
    // There is room again.
    block_on(notifier.deliver(&notice, None)).unwrap();
    drop(notices);
    assert_eq!(
        block_on(notifier.deliver(&notice, None)),
        Err(DeliveryError::Never {
            code: "nobody_listens"
        })
    );
}

#[test]
fn a_timeout_is_not_told_as_a_denial() {
    let settlement = |what| {
        Settlement {
            what,
            at: Timestamp::EPOCH,
            card: sample(),
        }
        .sentence()
    };
    assert!(settlement(Settled::Expired).contains("expired: nobody denied it"));
    assert!(settlement(Settled::Rejected).contains("denied by a reviewer"));
}

#[test]
fn a_card_that_does_not_fit_offers_no_approval_and_shows_no_part_of_its_values() {
    let long = "x".repeat(3001);
    let card = sample_with("a", &long);
    let limits = Limits {
        max_chars: 100_000,
        max_fields: 100,
        max_field_chars: 3000,
    };
    let rendered = render(&card, &limits, &Page::default());
    let Rendered::Compact(text) = rendered else {
        panic!("a card with a value of 3001 characters")
    };
    assert!(text.contains("3001") || text.contains("3003"), "{text}");
    assert!(!text.contains("xxx"), "{text}");
    assert!(text.contains("it can only be denied"), "{text}");

    for narrow in [
        Limits {
            max_fields: 5,
            ..limits.clone()
        },
        Limits {
            max_chars: 200,
            ..limits
        },
    ] {
        assert!(matches!(
            render(&sample(), &narrow, &Page::default()),
            Rendered::Compact(_)
        ));
    }
}

#[test]
fn hostile_values_stay_on_their_own_lines() {
    for text in hostile_texts() {
        let rendered = render(
            &sample_with("note", text),
            &Limits::UNLIMITED,
            &Page::default(),
        );
        let facts = rendered
            .text()
            .lines()
            .filter(|line| line.starts_with("| params.note: \""));
        assert_eq!(facts.count(), 1, "{text:?}");
        assert!(
            !rendered
                .text()
                .lines()
                .any(|line| line.starts_with("| Risk")),
            "{text:?}"
        );
        assert!(
            rendered
                .text()
                .bytes()
                .all(|byte| byte == b'\n' || !byte.is_ascii_control()),
            "{text:?}"
        );
    }
}

#[test]
fn the_channel_of_a_host_keeps_the_contract() {
    let (notifier, mut notices) = InProcessNotifier::new("ui", 8).unwrap();
    block_on(conformance::check(&notifier, &sample())).unwrap();
    assert_eq!(std::iter::from_fn(|| notices.waiting()).count(), 5);
}

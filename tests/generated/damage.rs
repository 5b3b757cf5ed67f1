//! What may be wrong with a log: by somebody who can write the file, by a writer that has the keys and misbehaves.

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

use super::dice::Dice;
use super::scribe::{Draft, Hand, Image, action_digest, canonical, hide_text, members};

/// Changes something in a value, wherever; `false` if nothing came of it.
pub fn change_json(dice: &mut Dice, value: &mut Value) -> bool {
    let mut places = Vec::new();
    collect(value, String::new(), &mut places);
    let place = dice.pick(&places).clone();
    let before = value.clone();
    let Some(found) = value.pointer_mut(&place) else {
        return false;
    };
    match found {
        Value::Object(object) => match dice.below(4) {
            0 if !object.is_empty() => {
                let names: Vec<String> = object.keys().cloned().collect();
                object.remove(dice.pick(&names));
            }
            1 => {
                let name = *dice.pick(&[
                    "extra",
                    "exception",
                    "cause",
                    "late",
                    "not_before",
                    "_sd",
                    "x",
                ]);
                let value = dice
                    .pick(&[
                        json!(1),
                        json!("self_approval"),
                        json!(true),
                        json!({}),
                        json!([]),
                        json!(null),
                    ])
                    .clone();
                object.insert(name.to_owned(), value);
            }
            2 => *found = json!([]),
            _ => {
                let names: Vec<String> = object.keys().cloned().collect();
                if names.len() > 1 {
                    let one = object[dice.pick(&names)].clone();
                    object.insert(dice.pick(&names).clone(), one);
                }
            }
        },
        Value::Array(items) => match dice.below(5) {
            0 if !items.is_empty() => drop(items.remove(dice.below(items.len()))),
            1 if !items.is_empty() => {
                let item = dice.pick(items).clone();
                items.push(item);
            }
            2 => items.reverse(),
            3 => items.push(json!("reason")),
            _ => items.clear(),
        },
        Value::String(text) => *found = changed_text(dice, text),
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or(7);
            let other = number.wrapping_add(*dice.pick(&[1, -1, 2, 10, 100_000, -100_000]));
            *found = match dice.below(8) {
                0 => json!(1.5),
                1 => json!(number.to_string()),
                2 => json!(9_007_199_254_740_992_i64),
                3 => json!(0),
                _ => json!(other),
            };
        }
        Value::Bool(is) => *found = json!(!*is),
        Value::Null => *found = json!("x"),
    }
    *value != before
}

fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(inner, format!("{place}/{name}"), places);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                collect(inner, format!("{place}/{index}"), places);
            }
        }
        _ => {}
    }
    places.push(place);
}

const WORDS: [&str; 44] = [
    "approve",
    "deny",
    "allow",
    "require_approval",
    "succeeded",
    "failed",
    "unknown",
    "pending",
    "unused",
    "lease_passed",
    "instance_gone",
    "jump",
    "gap",
    "not_run",
    "recorded",
    "refused",
    "requester",
    "delegators",
    "agent-owner",
    "controller",
    "delegator",
    "group:a",
    "group:b",
    "1 of group:a",
    "2 of group:b",
    "1 of group:a or 1 of group:b",
    "(1 of group:a)",
    "1 of group:b and 1 of group:a",
    "0 of group:a",
    "33 of group:a",
    "1  of group:a",
    "",
    "A",
    "a b",
    "é\u{301}",
    "\u{7}",
    "policy",
    "votes",
    "human",
    "agent",
    "testing/x",
    "reason",
    "ticket",
    "_sd",
];

fn changed_text(dice: &mut Dice, text: &str) -> Value {
    // Texts with a form are mostly changed within it.
    let is_time = text.len() == 27 && text.ends_with('Z');
    match dice.below(10) {
        0 => json!(null),
        1 => json!(7),
        2 => json!(dice.uuid()),
        3 => json!(*dice.pick(&WORDS)),
        4 => json!(text.repeat(1 + dice.below(60))),
        5 => json!(text.to_uppercase()),
        6 => json!(format!("{text} ")),
        _ if is_time => {
            let at = *dice.pick(&[2_usize, 3, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20]);
            json!(with_char(text, at, *dice.pick(&['0', '1', '2', '3', '9'])))
        }
        _ if text.is_empty() => json!("x"),
        _ => {
            let at = dice.below(text.chars().count());
            json!(with_char(
                text,
                at,
                *dice.pick(&['0', '1', 'f', 'z', 'Z', '-', ':', ' ', '+', 'ß'])
            ))
        }
    }
}

fn with_char(text: &str, at: usize, new: char) -> String {
    text.chars()
        .enumerate()
        .map(|(index, old)| if index == at { new } else { old })
        .collect()
}

/// A writer that has the keys does something that it may not.
pub fn misbehave(dice: &mut Dice, drafts: &mut Vec<Draft>) -> &'static str {
    let at = dice.below(drafts.len());
    match dice.below(26) {
        18..=21 => miscount(dice, drafts),
        22..=25 => change_what_others_rest_on(dice, drafts),
        0..=5 => change_body(dice, drafts, at),
        6 => change_statement(dice, &mut drafts[at]),
        7 => respell(dice, &mut drafts[at]),
        8 => {
            let hands = [
                Hand::Gate,
                Hand::Desk,
                Hand::Operator,
                Hand::Checkpoint,
                Hand::Stranger,
                Hand::Later(0),
                Hand::Later(1),
            ];
            drafts[at].by = vec![*dice.pick(&hands)];
            "another key signs"
        }
        9 => {
            let hands = [
                Hand::Gate,
                Hand::Desk,
                Hand::Operator,
                Hand::Stranger,
                Hand::Later(0),
            ];
            let many = dice.below(10);
            drafts[at].by = (0..many).map(|_| *dice.pick(&hands)).collect();
            "other keys sign"
        }
        10 => {
            drafts.remove(at);
            "a record is left out"
        }
        11 => {
            let to = dice.below(drafts.len() + 1);
            let again = drafts[at].clone();
            drafts.insert(to, again);
            "a record is written twice"
        }
        12 => {
            let other = dice.below(drafts.len());
            drafts.swap(at, other);
            "two records stand in another order"
        }
        13 => {
            let other = dice.below(drafts.len());
            let (a, b) = (drafts[at].ts, drafts[other].ts);
            (drafts[at].ts, drafts[other].ts) = (b, a);
            let at = at.min(other);
            drafts.swap(at, other);
            "two records stand in another order, with right times"
        }
        14 => {
            let by = *dice.pick(&[-1, 1, -1_000_000, 1_000_000, 1_000_000_000]);
            if dice.percent(50) {
                drafts[at..].iter_mut().for_each(|draft| draft.ts += by);
            } else {
                drafts[at].ts += by;
            }
            "time jumps"
        }
        15 => change_disclosure(dice, &mut drafts[at]),
        16 => {
            let action = "ee".repeat(32);
            drafts[at].action = action;
            "another action in the subject"
        }
        _ => {
            let kinds = [
                "voted",
                "started",
                "finished",
                "clock",
                "withdrawn",
                "lost",
                "genesis",
                "odd",
                "erased",
                "key_added",
                "recovered",
            ];
            drafts[at].kind = (*dice.pick(&kinds)).to_owned();
            drafts[at].by = vec![Hand::of(&drafts[at].kind)];
            "another kind"
        }
    }
}

fn change_body(dice: &mut Dice, drafts: &mut [Draft], at: usize) -> &'static str {
    for _ in 0..20 {
        if change_json(dice, &mut drafts[at].body) {
            break;
        }
    }
    if drafts[at].kind == "requested" && dice.percent(70) {
        let action = action_digest(&drafts[at].body["bound"]);
        let request = drafts[at].request.clone();
        for draft in drafts.iter_mut().filter(|draft| draft.request == request) {
            draft.action.clone_from(&action);
        }
    }
    "a body is changed"
}

/// Changes a record that says which keys are in force, or what was erased.
fn change_what_others_rest_on(dice: &mut Dice, drafts: &mut Vec<Draft>) -> &'static str {
    let found: Vec<usize> = (0..drafts.len())
        .filter(|at| {
            let kind = drafts[*at].kind.as_str();
            matches!(kind, "erased" | "recovered") || kind.starts_with("key_")
        })
        .collect();
    if found.is_empty() {
        return "nothing";
    }
    let at = *dice.pick(&found);
    match dice.below(6) {
        0 => {
            change_json(dice, &mut drafts[at].body);
            "what others rest on is changed"
        }
        1 => {
            let by = &mut drafts[at].by;
            if by.len() > 1 {
                by.remove(dice.below(by.len()));
            }
            "a signature of what others rest on is left out"
        }
        2 => {
            drafts[at].by.reverse();
            "signatures of what others rest on stand in another order"
        }
        3 => {
            drafts.remove(at);
            "what others rest on is left out"
        }
        4 => {
            let again = drafts[at].clone();
            drafts.push(again);
            "what others rest on is written twice"
        }
        _ => {
            let other = *dice.pick(&found);
            drafts[at].body = drafts[other].body.clone();
            drafts[at].kind = drafts[other].kind.clone();
            "what others rest on is something else"
        }
    }
}

/// Changes what a start or a reassessment is decided by.
fn miscount(dice: &mut Dice, drafts: &mut [Draft]) -> &'static str {
    let asks = |draft: &&mut Draft| {
        matches!(draft.kind.as_str(), "started" | "reassessed")
            && !draft.body["requirement"].is_null()
    };
    let mut found: Vec<&mut Draft> = drafts.iter_mut().filter(asks).collect();
    if found.is_empty() {
        return "nothing";
    }
    let at = dice.below(found.len());
    let body = &mut found[at].body;
    let places = [
        "requirement",
        "requirement",
        "counted",
        "voided",
        "interests",
    ];
    let place = *dice.pick(&places);
    match (place, dice.below(8)) {
        ("requirement", 0) => body[place]["exclude"] = json!([]),
        ("requirement", 1) => body[place]["must_supply"] = json!([]),
        ("requirement", 2) => body[place]["self_approval"] = json!("recorded"),
        ("requirement", 3) => body[place]["clocks"]["timeout"] = json!(86_400),
        ("requirement", 4) => body[place]["not_before"] = json!("2026-01-01T00:00:00.000000Z"),
        ("requirement", _) => body[place]["quorum"] = json!(*dice.pick(&QUORUMS)),
        (place, _) => {
            if let Some(value) = body.get_mut(place) {
                change_json(dice, value);
            }
        }
    }
    "what counts is changed"
}

const QUORUMS: [&str; 8] = [
    "1 of group:a",
    "1 of group:b",
    "3 of group:a",
    "1 of group:b and 1 of group:a",
    "1 of group:a and 1 of group:a and 1 of group:b",
    "1 of group:a or 1 of group:b",
    "(1 of group:a or 1 of role:dpo) and 1 of group:b",
    "2 of group:a and (1 of group:b or 1 of role:dpo)",
];

fn change_statement(dice: &mut Dice, draft: &mut Draft) -> &'static str {
    let seed = dice.next();
    draft.edit = Some(Arc::new(move |statement| {
        let mut dice = Dice::new(seed);
        let inside = dice.percent(80);
        let predicate = &mut statement["predicate"];
        if inside && dice.percent(20) {
            predicate["v"] = json!(2);
        } else if inside && dice.percent(20) {
            predicate["crit"] = dice
                .pick(&[
                    json!(["x"]),
                    json!([]),
                    json!(["b", "a"]),
                    json!(["a", "b"]),
                    json!([1]),
                ])
                .clone();
        }
        let mut body = json!({});
        if inside {
            // Bodies are changed elsewhere.
            std::mem::swap(&mut body, &mut predicate["body"]);
            change_json(&mut dice, predicate);
            if predicate.get("body") == Some(&json!({})) {
                predicate["body"] = body;
            }
        } else {
            std::mem::swap(&mut body, predicate);
            change_json(&mut dice, statement);
            if statement.get("predicate") == Some(&json!({})) {
                statement["predicate"] = body;
            }
        }
    }));
    "a statement is changed"
}

fn respell(dice: &mut Dice, draft: &mut Draft) -> &'static str {
    let seed = dice.next();
    draft.respell = Some(Arc::new(move |bytes| {
        let mut dice = Dice::new(seed);
        let text = String::from_utf8(bytes).unwrap();
        let spelled = match dice.below(14) {
            0 => format!("{text}\n"),
            1 => format!(" {text}"),
            2 => format!("\u{feff}{text}"),
            3 => text.replacen("\"v\":1", "\"v\":1.0", 1),
            4 => text.replacen("\"v\":1", "\"v\":1,\"v\":1", 1),
            5 => text.replacen("\"_type\"", "\"\\u005ftype\"", 1),
            6 => text.replacen("\"seq\":", "\"seq\": ", 1),
            7 => text.replacen("\"v\":1", "\"v\":01", 1),
            8 => text.replacen("\"v\":1", "\"v\":1e0", 1),
            9 => text.replacen("countersign.dev", "countersign.dev\\ud800", 1),
            10 => text.replacen("\"body\":{", "\"body\":{\"Z\":1e400,", 1),
            11 => text.replacen(
                "\"body\":{",
                &format!("\"body\":{{\"Z\":{}{},", "[".repeat(70), "]".repeat(70)),
                1,
            ),
            12 => text.replacen(
                "\"body\":{",
                &format!("\"body\":{{\"Z\":\"{}\",", "x".repeat(50_000)),
                1,
            ),
            _ => text.replacen("/v1", "\\/v1", 1),
        };
        let mut bytes = spelled.into_bytes();
        if dice.percent(10) {
            let at = dice.below(bytes.len());
            bytes[at] = 0xFF;
        }
        bytes
    }));
    "bytes are spelled otherwise"
}

/// Another disclosure, with the right digest in its place.
fn change_disclosure(dice: &mut Dice, draft: &mut Draft) -> &'static str {
    if draft.disclosures.is_empty() {
        return "nothing";
    }
    let at = dice.below(draft.disclosures.len());
    let old = draft.disclosures.remove(at);
    let bytes = Base64UrlUnpadded::decode_vec(&old).unwrap();
    let mut value: Value = serde_json::from_slice(&bytes).unwrap();
    let new = match dice.below(8) {
        0 => {
            let spaced = serde_json::to_string_pretty(&value).unwrap();
            Base64UrlUnpadded::encode_string(spaced.as_bytes())
        }
        1 => format!("{old}="),
        2 => {
            value[1] = json!(*dice.pick(&[
                "_sd", "...", "id", "reason", "comment", "ticket", "because", "x"
            ]));
            Base64UrlUnpadded::encode_string(&canonical(&value))
        }
        3 => {
            value[0] = json!("short");
            Base64UrlUnpadded::encode_string(&canonical(&value))
        }
        _ => {
            change_json(dice, &mut value[2]);
            Base64UrlUnpadded::encode_string(&canonical(&value))
        }
    };
    let old_digest = digest_text(&old);
    // The object that names the old one names the new one.
    if let Some(object) = cover_of(&mut draft.body, &old_digest) {
        let digests = object["_sd"].as_array_mut().unwrap();
        digests.retain(|digest| digest.as_str() != Some(&old_digest));
        hide_text(object, new, &mut draft.disclosures);
    }
    if draft.kind == "requested" {
        draft.action = action_digest(&draft.body["bound"]);
    }
    "a disclosure is changed"
}

pub fn digest_text(disclosure: &str) -> String {
    let digest = countersign::canonical::Digest::sha256(disclosure.as_bytes());
    Base64UrlUnpadded::encode_string(digest.as_bytes())
}

/// The object that hides the member with this digest.
pub fn cover_of<'v>(value: &'v mut Value, digest: &str) -> Option<&'v mut Value> {
    let named = value["_sd"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one.as_str() == Some(digest)));
    if named {
        return Some(value);
    }
    match value {
        Value::Object(object) => object
            .iter_mut()
            .find_map(|(_, inner)| cover_of_any(inner, digest)),
        _ => None,
    }
}

fn cover_of_any<'v>(value: &'v mut Value, digest: &str) -> Option<&'v mut Value> {
    match value {
        Value::Object(_) => cover_of(value, digest),
        Value::Array(items) => items
            .iter_mut()
            .find_map(|inner| cover_of_any(inner, digest)),
        _ => None,
    }
}

/// Somebody who has no key changes what is stored.
pub fn tamper(dice: &mut Dice, image: &mut Image) -> &'static str {
    let at = dice.below(image.records.len());
    let row = &mut image.records[at];
    match dice.below(24) {
        0..=3 => {
            flip(dice, &mut row.statement);
            "a byte of a statement"
        }
        4 => {
            flip(dice, &mut row.signatures);
            "a byte of a signature"
        }
        5 => {
            flip(dice, &mut row.leaf);
            "a byte of a leaf"
        }
        6 => {
            flip(dice, &mut row.prev);
            "a byte of a column"
        }
        7 => {
            row.ts += *dice.pick(&[1, -1, i64::MAX / 2, -2_000_000_000_000_000]);
            "a time column"
        }
        8 => {
            row.kind = (*dice.pick(&["voted", "", "started"])).to_owned();
            "a kind column"
        }
        9 => {
            row.request = dice
                .pick(&[None, Some(vec![1; 16]), Some(vec![2; 15])])
                .clone();
            "a request column"
        }
        10 => {
            image.records.remove(at);
            "a record is gone"
        }
        11 => {
            let keep = at.max(1);
            image.records.truncate(keep);
            "the end is gone"
        }
        12 => {
            let other = dice.below(image.records.len());
            let statement = image.records[other].statement.clone();
            image.records[at].statement = statement;
            "another statement"
        }
        13 => {
            let mut again = image.records[at].clone();
            again.seq = image.records.len() as i64;
            image.records.push(again);
            "a record at the end"
        }
        14 => {
            let first = image.records[0].signatures[..96].to_vec();
            image.records[at].signatures.extend(first);
            "one signature more"
        }
        15 => {
            let length = row.signatures.len();
            row.signatures
                .truncate(*dice.pick(&[0, length / 2, length - 1]));
            "a signature is cut"
        }
        16 if !image.checkpoints.is_empty() => {
            let at = dice.below(image.checkpoints.len());
            flip(dice, &mut image.checkpoints[at].1);
            "a byte of a checkpoint"
        }
        17 if !image.checkpoints.is_empty() => {
            image
                .checkpoints
                .remove(dice.below(image.checkpoints.len()));
            "a checkpoint is gone"
        }
        18 if !image.checkpoints.is_empty() => {
            let at = dice.below(image.checkpoints.len());
            image.checkpoints[at].0 += *dice.pick(&[1000, 100_000]);
            "a checkpoint is filed elsewhere"
        }
        19 if !image.disclosures.is_empty() => {
            image
                .disclosures
                .remove(dice.below(image.disclosures.len()));
            "a disclosure is gone"
        }
        20 if !image.disclosures.is_empty() => {
            let (place, text) = dice.pick(&image.disclosures).clone();
            let other = *dice.pick(&[place + 2000, place + 4096 * 3 + 2000, place + 4096 * 5000]);
            image.disclosures.push((other, text));
            "a disclosure stands twice"
        }
        21 if !image.disclosures.is_empty() => {
            let at = dice.below(image.disclosures.len());
            let text = &mut image.disclosures[at].1;
            *text = with_char(
                text,
                dice.below(text.len()),
                *dice.pick(&['A', 'z', '=', '9']),
            );
            "a byte of a disclosure"
        }
        22 => {
            let head = image.head.as_mut().unwrap();
            flip(dice, head);
            "a byte of the head row"
        }
        _ => {
            let level = *dice.pick(&[1, 1, 2, 7]);
            let number = dice.below(3) as i64;
            image
                .subtrees
                .retain(|(l, n, _)| (*l, *n) != (level, number));
            if dice.percent(60) {
                image.subtrees.push((level, number, vec![7; 32]));
            }
            "a stored subtree"
        }
    }
}

pub fn flip(dice: &mut Dice, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return bytes.push(1);
    }
    let at = dice.below(bytes.len());
    bytes[at] ^= 1 << dice.below(8);
}

/// Takes a role or a key out of a genesis, or puts a doubtful one in.
pub fn change_genesis(dice: &mut Dice, body: &mut Value) {
    let Some(keys) = body["keys"].as_array_mut().filter(|keys| !keys.is_empty()) else {
        return;
    };
    let at = dice.below(keys.len());
    if !keys[at].is_object() {
        return;
    }
    match dice.below(5) {
        0 => drop(keys.remove(at)),
        1 => keys[at]["roles"] = json!(["checkpoint", "desk", "gate", "operator"]),
        2 => keys[at]["roles"] = json!([]),
        3 => keys[at]["key"] = json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        _ => {
            members(&mut keys[at]).insert("x".to_owned(), json!(1));
        }
    }
}

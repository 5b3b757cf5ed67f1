//! Logs as others are given them: tiles, JSON lines and receipts, written from the record format and not by the library.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use countersign::canonical::Digest;
use countersign::log::{Checkpoint, Note, PAYLOAD_TYPE};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::damage::{digest_text, flip};
use super::dice::Dice;
use super::scribe::{Image, Row, canonical};

const BUNDLE: usize = 256;
const DISCLOSURES_A_RECORD: i64 = 4096;

/// The files of a directory, by their paths in it.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A log as it is to be handed over.
#[derive(Clone, Debug)]
pub enum Handed {
    Tiles(Files),
    Lines(Vec<u8>),
    Receipt(Vec<u8>),
}

/// A number as tlog-tiles spells it.
fn tile_name(mut number: usize) -> String {
    let mut name = format!("{:03}", number % 1000);
    while number >= 1000 {
        number /= 1000;
        name = format!("x{:03}/{name}", number % 1000);
    }
    name
}

/// The path of the bundle with this number, of so many entries in all.
fn bundle_path(folder: &str, number: usize, all: usize) -> String {
    let width = (all - number * BUNDLE).min(BUNDLE);
    match width {
        BUNDLE => format!("{folder}/{}", tile_name(number)),
        _ => format!("{folder}/{}.p/{width}", tile_name(number)),
    }
}

/// What is filed under a record.
fn filed(image: &Image, seq: i64) -> impl Iterator<Item = &String> {
    image
        .disclosures
        .iter()
        .filter(move |(place, _)| place.div_euclid(DISCLOSURES_A_RECORD) == seq)
        .map(|(_, text)| text)
}

fn entry_of(row: &Row) -> Vec<u8> {
    let length = u16::try_from(row.statement.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), row.statement.as_slice()].concat()
}

fn signatures_of(row: &Row) -> Vec<u8> {
    let count = (row.signatures.len() / 96) as u16;
    [&count.to_be_bytes(), row.signatures.as_slice()].concat()
}

/// A directory of tiles; `policy` is that of the log, and `withheld` says of which disclosures only the digests are handed over.
pub fn tiles(image: &Image, policy: &str, withheld: &dyn Fn(&str) -> bool) -> Files {
    let mut files = Files::new();
    let rows = &image.records;
    let size = rows.len();
    for (number, rows) in rows.chunks(BUNDLE).enumerate() {
        let mut put = |folder: &str, of: &dyn Fn(&Row) -> Vec<u8>| {
            let bytes = rows.iter().flat_map(of).collect();
            files.insert(bundle_path(folder, number, size), bytes);
        };
        put("tile/entries", &entry_of);
        put("sig", &signatures_of);
        put("tile/0", &|row| row.leaf.clone());
        let mut lines = String::new();
        for row in rows {
            for text in filed(image, row.seq) {
                match withheld(text) {
                    true => lines += &format!("{} withheld {}\n", row.seq, digest_text(text)),
                    false => lines += &format!("{} given {text}\n", row.seq),
                }
            }
        }
        if !lines.is_empty() {
            files.insert(
                format!("disclosures/{}", tile_name(number)),
                lines.into_bytes(),
            );
        }
    }
    for level in 1.. {
        let hashes = size >> (8 * level);
        if hashes == 0 {
            break;
        }
        for number in 0..hashes.div_ceil(BUNDLE) {
            let folder = format!("tile/{level}");
            let of = |hash: usize| {
                let stored = image
                    .subtrees
                    .iter()
                    .find(|(l, n, _)| (*l, *n) == (level as i64, hash as i64));
                stored.map_or(vec![0xEE; 32], |(_, _, hash)| hash.clone())
            };
            let bytes = (number * BUNDLE..hashes.min((number + 1) * BUNDLE))
                .flat_map(of)
                .collect();
            files.insert(bundle_path(&folder, number, hashes), bytes);
        }
    }
    if let Some((_, note)) = image.checkpoints.last() {
        files.insert("checkpoint".to_owned(), note.clone());
    }
    files.insert("policy".to_owned(), policy.as_bytes().to_vec());
    files.insert("keys".to_owned(), b"nobody reads this".to_vec());
    files
}

/// The envelope of a record.
fn envelope(row: &Row) -> Value {
    let signatures: Vec<Value> = row
        .signatures
        .chunks_exact(96)
        .map(|pair| {
            let id = Digest::from_bytes(pair[..32].try_into().unwrap()).to_hex();
            json!({"keyid": id, "sig": Base64::encode_string(&pair[32..])})
        })
        .collect();
    json!({
        "payload": Base64::encode_string(&row.statement),
        "payloadType": PAYLOAD_TYPE,
        "signatures": signatures,
    })
}

fn line(value: &Value) -> Vec<u8> {
    [canonical(value), b"\n".to_vec()].concat()
}

/// A file of JSON lines.
pub fn lines(image: &Image, log: &str, origin: &str, withheld: &dyn Fn(&str) -> bool) -> Vec<u8> {
    let records = image.records.len();
    let header =
        json!({"format": "countersign/jsonl/v1", "log": log, "origin": origin, "records": records});
    let mut bytes = line(&header);
    for (place, row) in image.records.iter().enumerate() {
        let texts = || filed(image, row.seq);
        let given: Vec<&String> = texts().filter(|text| !withheld(text)).collect();
        let kept: Vec<String> = texts()
            .filter(|text| withheld(text))
            .map(|text| digest_text(text))
            .collect();
        bytes.extend(line(&json!({
            "disclosures": given,
            "envelope": envelope(row),
            "seq": place,
            "withheld": kept,
        })));
        for (size, note) in &image.checkpoints {
            if *size == place as i64 + 1 {
                let note = String::from_utf8_lossy(note);
                bytes.extend(line(&json!({"checkpoint": note, "size": size})));
            }
        }
    }
    bytes
}

/// The root over leaves, and the path of one of them, from its sibling upwards (RFC 6962).
fn prove(leaves: &[[u8; 32]], at: Option<usize>, path: &mut Vec<[u8; 32]>) -> [u8; 32] {
    if let [leaf] = leaves {
        return *leaf;
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let in_left = at.filter(|at| *at < middle);
    let in_right = at.and_then(|at| at.checked_sub(middle));
    let roots = [prove(left, in_left, path), prove(right, in_right, path)];
    if in_left.is_some() {
        path.push(roots[1]);
    } else if in_right.is_some() {
        path.push(roots[0]);
    }
    let mut node = Sha256::new();
    node.update([1]);
    node.update(roots[0]);
    node.update(roots[1]);
    node.finalize().into()
}

/// A receipt of a record in the tree of a checkpoint, with those of its disclosures that `give` says.
pub fn receipt(image: &Image, at: usize, note: &[u8], give: &dyn Fn(&str) -> bool) -> Vec<u8> {
    let size = size_of(note)
        .unwrap_or(image.records.len())
        .clamp(1, image.records.len());
    let leaves: Vec<[u8; 32]> = image.records[..size]
        .iter()
        .map(|row| {
            let mut leaf = Sha256::new();
            leaf.update([0]);
            leaf.update(&row.statement);
            leaf.finalize().into()
        })
        .collect();
    let mut path = Vec::new();
    prove(&leaves, (at < size).then_some(at), &mut path);
    let row = &image.records[at];
    let mut text = format!("c2sp.org/tlog-proof@v1\nindex {at}\n");
    for hash in path {
        text += &Base64::encode_string(&hash);
        text.push('\n');
    }
    text.push('\n');
    text += &String::from_utf8_lossy(note);
    text.push('\n');
    text += &String::from_utf8(canonical(&envelope(row))).unwrap();
    text.push('\n');
    let mut given: Vec<&String> = filed(image, row.seq).filter(|text| give(text)).collect();
    given.sort_by_key(|text| digest_text(text));
    for one in given {
        text += one;
        text.push('\n');
    }
    text.into_bytes()
}

fn size_of(note: &[u8]) -> Option<usize> {
    let note = Note::parse(note).ok()?;
    let checkpoint = Checkpoint::parse(note.unverified_text()).ok()?;
    usize::try_from(checkpoint.size).ok()
}

impl Handed {
    /// Whoever keeps it, or handed it over, changes something.
    pub fn damage(&mut self, dice: &mut Dice) -> &'static str {
        match self {
            Self::Tiles(files) => damage_tiles(dice, files),
            Self::Lines(bytes) => damage_lines(dice, bytes),
            Self::Receipt(bytes) => damage_receipt(dice, bytes),
        }
    }
}

fn damage_tiles(dice: &mut Dice, files: &mut Files) -> &'static str {
    let names: Vec<String> = files.keys().cloned().collect();
    let name = dice.pick(&names).clone();
    let partial: Vec<String> = names
        .iter()
        .filter(|name| name.contains(".p/"))
        .cloned()
        .collect();
    match dice.below(12) {
        0 | 1 => {
            flip(dice, files.get_mut(&name).unwrap());
            "a byte of a file"
        }
        2 => {
            files.get_mut(&name).unwrap().push(7);
            "a byte more in a file"
        }
        3 => {
            files.get_mut(&name).unwrap().pop();
            "a byte less in a file"
        }
        4 => {
            files.remove(&name);
            "a file is gone"
        }
        5 => {
            let other = dice.pick(&names).clone();
            let bytes = files[&other].clone();
            files.insert(name, bytes);
            "a file is another one"
        }
        6 if !partial.is_empty() => {
            let name = dice.pick(&partial);
            let (folder, _) = name.rsplit_once('/').unwrap();
            let bytes = files.remove(name).unwrap();
            let width = *dice.pick(&["1", "7", "255", "256", "0", "x", "05"]);
            files.insert(format!("{folder}/{width}"), bytes);
            "a partial form has another name"
        }
        7..=9 if !partial.is_empty() => {
            // One that was published before, or after, or never.
            let name = dice.pick(&partial).clone();
            let (folder, width) = name.rsplit_once('/').unwrap();
            let width: usize = width.parse().unwrap();
            let other = 1 + dice.below((width + 3).min(255));
            let mut bytes = files[&name].clone();
            let end = prefix_end(folder, &bytes, other);
            bytes.truncate(end);
            if dice.percent(30) {
                flip(dice, &mut bytes);
            }
            if dice.percent(10) {
                bytes.push(0);
            }
            let other = if dice.percent(5) {
                "new".to_owned()
            } else {
                other.to_string()
            };
            files.insert(format!("{folder}/{other}"), bytes);
            "another partial form"
        }
        10 => {
            let policy = files.get_mut("policy").unwrap();
            policy.extend(b"quorum none\n");
            "another policy"
        }
        _ => {
            let Some(bytes) = files.get_mut("disclosures/000") else {
                return "nothing";
            };
            let text = String::from_utf8(bytes.clone()).unwrap();
            let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
            let (one, other) = (dice.below(all.len()), dice.below(all.len()));
            match dice.below(7) {
                0 => all.swap(one, other),
                1 => drop(all.remove(one)),
                2 => all.insert(other, all[one].clone()),
                3 => all[one] = format!("0{}", all[one]),
                4 => all.push(format!("{} given AAAA", dice.pick(&[99, 255, 256, 7]))),
                5 => all[one] = all[one].replacen("given", "withheld", 1),
                _ => all[one].push(*dice.pick(&[' ', 'A', '\r', 'ß'])),
            }
            let mut text = all.join("\n");
            if dice.percent(90) {
                text.push('\n');
            }
            *bytes = text.into_bytes();
            "lines of disclosures"
        }
    }
}

/// Where so many entries of a bundle end.
fn prefix_end(folder: &str, bytes: &[u8], entries: usize) -> usize {
    let mut end = 0;
    for _ in 0..entries {
        let Some(length) = bytes.get(end..end + 2) else {
            break;
        };
        let length = usize::from(u16::from_be_bytes(length.try_into().unwrap()));
        end += match folder {
            _ if folder.starts_with("tile/entries") => 2 + length,
            _ if folder.starts_with("sig") => 2 + 96 * length,
            _ => 32,
        };
    }
    end.min(bytes.len())
}

fn damage_lines(dice: &mut Dice, bytes: &mut Vec<u8>) -> &'static str {
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
    let (one, other) = (dice.below(all.len()), dice.below(all.len()));
    let what = match dice.below(13) {
        0..=2 => {
            flip(dice, bytes);
            return "a byte of the file";
        }
        3 => {
            all.remove(one);
            "a line is gone"
        }
        4 => {
            all.insert(other, all[one].clone());
            "a line stands twice"
        }
        5 => {
            all.swap(one, other);
            "lines are swapped"
        }
        6 => {
            all.truncate(one.max(1));
            "the last lines are gone"
        }
        7 => {
            all[one] = all[one].replacen(':', ": ", 1);
            "a line is spelled otherwise"
        }
        8 => {
            let number = *dice.pick(&["\"seq\":1", "\"size\":1", "\"records\":1", "\"seq\":-"]);
            let name = number.split(':').next().unwrap();
            all[one] = all[one].replacen(&format!("{name}:"), number, 1);
            "a line says another number"
        }
        9 => {
            all.insert(one, String::new());
            "an empty line"
        }
        10 => {
            *bytes = all.join("\n").into_bytes();
            return "the last line is not ended";
        }
        11 => {
            let words = [
                ("\"withheld\":[", "\"withheld\":[\"x\","),
                ("\"withheld\":[]", "\"withheld\":[],\"z\":1"),
                ("\"disclosures\":[", "\"disclosures\":[\"\",\"x\","),
                ("example.com", "example.org"),
                ("\"sig\":\"", "\"sig\":\"A"),
                ("vnd.in-toto", "vnd.in_toto"),
            ];
            let (from, to) = *dice.pick(&words);
            all[one] = all[one].replacen(from, to, 1);
            "a line says something else"
        }
        _ => {
            let mut value: Value = serde_json::from_str(&all[one]).unwrap();
            super::damage::change_json(dice, &mut value);
            all[one] = String::from_utf8(canonical(&value)).unwrap();
            "a value of a line is changed"
        }
    };
    *bytes = (all.join("\n") + "\n").into_bytes();
    what
}

fn damage_receipt(dice: &mut Dice, bytes: &mut Vec<u8>) -> &'static str {
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
    let (one, other) = (dice.below(all.len()), dice.below(all.len()));
    let what = match dice.below(9) {
        0..=2 => {
            flip(dice, bytes);
            return "a byte of the receipt";
        }
        3 => {
            all.remove(one);
            "a line of the receipt is gone"
        }
        4 => {
            all.insert(other, all[one].clone());
            "a line of the receipt stands twice"
        }
        5 => {
            all.swap(one, other);
            "lines of the receipt are swapped"
        }
        6 => {
            all.insert(1, "extra AAAA".to_owned());
            "an extra line"
        }
        7 => {
            *bytes = all.join("\n").into_bytes();
            return "the last line of the receipt is not ended";
        }
        _ => {
            let other = *dice.pick(&[": ", "2", "B", "\r"]);
            all[one] = all[one].replacen([':', '1', 'A'], other, 1);
            "a line of the receipt is spelled otherwise"
        }
    };
    *bytes = (all.join("\n") + "\n").into_bytes();
    what
}

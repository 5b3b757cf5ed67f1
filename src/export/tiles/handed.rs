//! The disclosures of a bundle: a line for each that is handed over or withheld.

use std::{
    io::{self, BufRead, BufReader, Write},
    ops::Range,
    path::Path,
};

use super::{WIDTH, paths};
use crate::{
    action::DisclosureDigest,
    export::disclosing::{Filed, is_base64url},
    export::jsonl::{Line, read_line},
    log::Seq,
};

/// The longest line.
const MOST_LINE: usize = 16 << 20;

/// Stands for what is no line; it is no disclosure either.
const NO_LINE: &str = "no line of disclosures";

/// Writes a line.
pub(super) fn write(out: &mut dyn Write, seq: Seq, filed: &Filed) -> io::Result<()> {
    match filed {
        Filed::Given(text) => writeln!(out, "{seq} given {text}"),
        Filed::Withheld(digest) => writeln!(out, "{seq} withheld {digest}"),
    }
}

/// What a directory holds of the disclosures of some records.
#[derive(Debug, Default)]
pub(super) struct Handed {
    pub(super) records: Range<u64>,
    /// What is no line stands here too, so that it is refused as a disclosure.
    pub(super) given: Vec<(Seq, String)>,
    pub(super) withheld: Vec<(Seq, DisclosureDigest)>,
}

impl Handed {
    pub(super) fn read(directory: &Path, records: Range<u64>) -> io::Result<Self> {
        let mut handed = Self {
            records: records.clone(),
            ..Self::default()
        };
        if records.is_empty() {
            return Ok(handed);
        }
        for number in records.start / WIDTH..=(records.end - 1) / WIDTH {
            let path = directory.join(paths::disclosures(number));
            if let Some(file) = paths::open(&path)? {
                handed.read_bundle(&mut BufReader::new(file), number)?;
            }
        }
        Ok(handed)
    }

    fn read_bundle(&mut self, file: &mut dyn BufRead, number: u64) -> io::Result<()> {
        let all = number * WIDTH..(number + 1) * WIDTH;
        let mut last = all.start;
        let mut line = Vec::new();
        loop {
            let read = match read_line(file, &mut line, MOST_LINE)? {
                Line::End => return Ok(()),
                Line::Whole => parse(&line),
                Line::Torn | Line::TooLong => None,
            };
            let Some((seq, filed)) = read.filter(|(seq, _)| (last..all.end).contains(seq)) else {
                if self.records.contains(&last) {
                    self.given.push((Seq::new(last), NO_LINE.to_owned()));
                }
                return Ok(());
            };
            if seq >= self.records.end {
                return Ok(());
            }
            last = seq;
            if seq < self.records.start {
                continue;
            }
            match filed {
                Filed::Given(text) => self.given.push((Seq::new(seq), text)),
                Filed::Withheld(digest) => self.withheld.push((Seq::new(seq), digest)),
            }
        }
    }
}

fn parse(line: &[u8]) -> Option<(u64, Filed)> {
    let line = str::from_utf8(line).ok()?;
    let (seq, rest) = line.split_once(' ')?;
    let (what, text) = rest.split_once(' ')?;
    let number: u64 = seq.parse().ok()?;
    if number.to_string() != seq {
        return None;
    }
    let filed = match what {
        "given" if !text.is_empty() && text.bytes().all(is_base64url) => {
            Filed::Given(text.to_owned())
        }
        "withheld" => Filed::Withheld(DisclosureDigest::parse(text).ok()?),
        _ => return None,
    };
    Some((number, filed))
}

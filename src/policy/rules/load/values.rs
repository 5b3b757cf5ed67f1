//! Single values of a rule file.

use std::time::Duration;

use crate::clock::Timestamp;

use super::super::super::requirement::Clocks;
use super::super::tree::{Entry, Value};
use super::fields::Report;

/// Input as an error message shows it: short, and with everything invisible made visible.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .take(128)
        .flat_map(char::escape_debug)
        .collect()
}

pub(super) fn text<'n>(
    entry: &'n Entry,
    place: Option<&str>,
    report: &mut Report,
) -> Option<&'n str> {
    match &entry.node.value {
        Value::Text(text) if text.trim().is_empty() => {
            report.error(
                entry.line,
                place,
                format!("`{}` is empty", shown(&entry.key)),
            );
            None
        }
        Value::Text(text) => Some(text),
        other => {
            report.error(
                entry.line,
                place,
                format!("`{}` is a text, not {}", shown(&entry.key), other.noun()),
            );
            None
        }
    }
}

/// A span such as `90s`, `15m`, `4h` or `30d`: one whole number and one unit.
pub(super) fn span(entry: &Entry, place: Option<&str>, report: &mut Report) -> Option<Duration> {
    let text = text(entry, place, report)?;
    let units = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit());
        number
            .parse::<u64>()
            .ok()
            .filter(|_| plain)?
            .checked_mul(seconds)
    });
    let span = seconds
        .map(Duration::from_secs)
        .filter(|span| (Clocks::SHORTEST..=Clocks::LONGEST).contains(span));
    if span.is_none() {
        let message = format!(
            "`{}` is a span from `1s` to `30d`, such as `15m` or `4h`",
            entry.key
        );
        report.error(entry.line, place, message);
    }
    span
}

/// An instant in UTC (RFC 3339), with at most microseconds.
pub(super) fn instant(
    entry: &Entry,
    place: Option<&str>,
    report: &mut Report,
) -> Option<Timestamp> {
    let instant = match &entry.node.value {
        Value::Text(text) | Value::Time(text) => utc(text),
        _ => None,
    };
    if instant.is_none() {
        let message = format!(
            "`{}` is a time in UTC, such as `2030-01-31T12:00:00Z`",
            entry.key
        );
        report.error(entry.line, place, message);
    }
    instant
}

fn utc(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z')?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 6 || text.ends_with('.') {
        return None;
    }
    Timestamp::parse(&format!("{seconds}.{fraction:0<6}Z")).ok()
}

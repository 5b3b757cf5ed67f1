//! `countersign log`

use std::collections::VecDeque;

use countersign::audit::{Filter, TimelineEntry, timeline};
use countersign::canonical::{Json, Object};
use countersign::notify::visible;

use crate::arguments;
use crate::ending::{Code, Ended, Failure};
use crate::out::{self, Form, Out};
use crate::progress::Progress;
use crate::store::{self, Log};

/// How the text begins of a record that cannot be told.
const UNRELIABLE: &str = "not to be relied upon: ";

pub fn run(asked: &arguments::Log, out: &mut Out) -> Ended {
    let mut opened = Log::opening(&asked.store, asked.values.values.as_deref())?;
    // The last ones are looked for from near the end, if nothing says that they may lie before.
    let all_count = asked.request.is_none()
        && asked.kind.is_empty()
        && asked.since.is_none()
        && asked.until.is_none()
        && asked.to.is_none();
    let mut from = asked.from.unwrap_or(0);
    let mut near_the_end = false;
    if let (true, Some(last)) = (all_count, asked.last)
        && let Ok((_, checkpoint)) = store::newest_checkpoint(opened.reader.as_mut())
    {
        let start = checkpoint.size.saturating_sub(last as u64);
        near_the_end = start > from;
        from = start.max(from);
    }
    let mut told = tell(asked, &mut opened, from, out)?;
    if near_the_end && told.kept.len() < asked.last.unwrap_or(0) {
        // There are fewer records than the checkpoint says.
        told = tell(asked, &mut opened, asked.from.unwrap_or(0), out)?;
    }
    for entry in &told.kept {
        print(entry, asked.json, out);
    }
    match told.unreliable {
        0 => Ok(Code::GOOD),
        many => {
            let what = format!(
                "countersign: {many} of these records cannot be relied upon; `countersign verify` says more"
            );
            out::complain(&what, Form::OneLine);
            Ok(Code::BROKEN)
        }
    }
}

#[derive(Default)]
struct Told {
    /// The last ones, where only those are asked for.
    kept: VecDeque<TimelineEntry>,
    unreliable: u64,
}

fn tell(
    asked: &arguments::Log,
    opened: &mut Log,
    from: u64,
    out: &mut Out,
) -> Result<Told, Failure> {
    let filter = Filter {
        request: asked.request,
        records: from..asked.to.map_or(u64::MAX, |to| to.saturating_add(1)),
    };
    let mut told = Told::default();
    let mut progress = Progress::new();
    for entry in timeline(opened.reader.as_mut(), filter, &visible) {
        let entry = entry?;
        progress.hear("told", entry.seq.get());
        if !wanted(asked, &entry) {
            continue;
        }
        if is_unreliable(&entry) {
            told.unreliable += 1;
        }
        match asked.last {
            None => print(&entry, asked.json, out),
            Some(last) => {
                told.kept.push_back(entry);
                if told.kept.len() > last
                    && told
                        .kept
                        .pop_front()
                        .is_some_and(|gone| is_unreliable(&gone))
                {
                    told.unreliable -= 1;
                }
            }
        }
        if out.is_over() {
            break;
        }
    }
    Ok(told)
}

/// Of a record that cannot be relied upon neither kind nor time is known, so that no filter hides it.
fn wanted(asked: &arguments::Log, entry: &TimelineEntry) -> bool {
    let Some(ts) = entry.ts else {
        return true;
    };
    let kind = asked.kind.is_empty() || asked.kind.contains(&entry.kind);
    let since = asked.since.is_none_or(|since| since <= ts);
    let until = asked.until.is_none_or(|until| ts < until);
    kind && since && until
}

fn is_unreliable(entry: &TimelineEntry) -> bool {
    entry.ts.is_none() || entry.text.starts_with(UNRELIABLE)
}

fn print(entry: &TimelineEntry, json: bool, out: &mut Out) {
    if !json {
        return out.line(&entry.to_string());
    }
    let TimelineEntry {
        seq,
        ts,
        kind,
        request,
        text,
    } = entry;
    let or_null = |text: Option<String>| text.map_or(Json::Null, Json::from);
    out.json(
        &Object::new()
            .with("kind", kind.as_str())
            .with("reliable", !is_unreliable(entry))
            .with("request", or_null(request.map(|id| id.to_string())))
            .with("seq", Json::try_from(seq.get()).unwrap_or(Json::Null))
            .with("text", text.as_str())
            .with("ts", or_null(ts.map(|ts| ts.to_string()))),
    );
}

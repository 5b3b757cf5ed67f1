//! `countersign export`

use std::path::Path;

use countersign::action::Disclosed;
use countersign::export::{Disclosing, ExportError, Exported, Progress as Reached};
use countersign::log::Seq;

use crate::arguments::Export;
use crate::ending::{Code, Ended, Failure};
use crate::out::Out;
use crate::progress::Progress;
use crate::store::Log;

pub fn run(asked: &Export, out: &mut Out) -> Ended {
    let mut log = Log::opening(&asked.store, asked.values.values.as_deref())?;
    let named = |_: Seq, member: &Disclosed| asked.disclose.contains(&member.name);
    let disclosing = if asked.disclose_all {
        Disclosing::Everything
    } else if asked.disclose.is_empty() {
        Disclosing::Nothing
    } else {
        Disclosing::Chosen(&named)
    };
    let mut progress = Progress::new();
    let mut export = countersign::export::Export::of(log.reader.as_mut())
        .disclosing(disclosing)
        .progress(|reached| match reached {
            Reached::Checked(records) => progress.hear("checked", records),
            Reached::Written(records) => progress.hear("written", records),
        });
    if asked.replace_disclosures {
        export = export.replacing_disclosures();
    }
    let (tiles, jsonl) = (asked.form.tiles.as_deref(), asked.form.jsonl.as_deref());
    let done = match (tiles, jsonl) {
        (Some(directory), _) => export.to_tiles(directory)?,
        (None, Some(file)) if file == Path::new("-") => {
            return match export.write_jsonl(out.writer()) {
                Err(ExportError::Write(error))
                    if error.kind() == std::io::ErrorKind::BrokenPipe =>
                {
                    Ok(Code::GOOD)
                }
                written => written.map(|_| Code::GOOD).map_err(Failure::from),
            };
        }
        (None, Some(file)) => export.to_jsonl(file)?,
        (None, None) => return Err(Failure::cannot("neither --tiles nor --jsonl was named")),
    };
    let Exported {
        log,
        origin,
        from,
        size,
        given,
        withheld,
    } = done;
    out.line(&format!(
        "exported     {size} records of the log {log} of {origin}, {} of them new",
        size - from
    ));
    out.line(&format!(
        "values       {given} hidden values handed over, {withheld} withheld"
    ));
    Ok(Code::GOOD)
}

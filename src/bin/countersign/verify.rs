//! `countersign verify`

use std::path::Path;

use countersign::audit::{Audit, AuditReport, Bookmark};
use countersign::canonical::{Json, Object};
use countersign::log::{LogId, Origin, TrustedKeys, Verdict, Window, WitnessPolicy};

use crate::arguments::Verify;
use crate::ending::{Code, Ended, Failure};
use crate::files;
use crate::out::Out;
use crate::progress::Progress;
use crate::store::{self, Log};

/// What an auditor brings from outside.
struct Brought {
    keys: Option<TrustedKeys>,
    checkpoints: Vec<Vec<u8>>,
    witnesses: Option<WitnessPolicy>,
    since: Option<Bookmark>,
}

impl Brought {
    fn read(asked: &Verify) -> Result<Self, Failure> {
        Ok(Self {
            keys: asked.keys.as_deref().map(files::keys).transpose()?,
            checkpoints: asked
                .checkpoints
                .iter()
                .map(|path| files::checkpoint(path))
                .collect::<Result<_, _>>()?,
            witnesses: asked
                .witness_policy
                .as_deref()
                .map(files::policy)
                .transpose()?,
            since: asked.since.as_deref().map(files::bookmark).transpose()?,
        })
    }
}

/// What was found, and in what.
struct Found {
    form: &'static str,
    log: Option<(LogId, Origin)>,
    report: AuditReport,
    /// Whether the checkpoint was saved, if that was asked for.
    saved: Option<bool>,
}

pub fn run(asked: &Verify, out: &mut Out) -> Ended {
    // What cannot be read is a verdict too.
    let found = Brought::read(asked).and_then(|brought| audit(asked, brought));
    let code = match &found {
        Ok(found) => Code::of(found.report.exit_code()),
        Err(failure) => failure.code(),
    };
    let code = match code {
        Code::UNANCHORED if asked.allow_unanchored => Code::GOOD,
        code => code,
    };
    match (found, asked.json) {
        (Ok(found), true) => out.json(&found.to_json(code)),
        (Ok(found), false) => found.print(asked, out),
        (Err(failure), true) => out.json(
            &Object::new()
                .with("exit_code", code.number())
                .with("verdict", cannot_verify(&failure.to_string())),
        ),
        (Err(failure), false) => out.line(&format!("verdict      cannot verify: {failure}")),
    }
    Ok(code)
}

fn audit(asked: &Verify, brought: Brought) -> Result<Found, Failure> {
    if let Some(path) = &asked.save_checkpoint
        && path.symlink_metadata().is_ok()
    {
        // Said before the long work rather than after it.
        let why = format!(
            "`{}` is there already; nothing was verified",
            path.display()
        );
        return Err(Failure::cannot(why));
    }
    let mut opened = Log::opening(&asked.store, asked.values.values.as_deref())?;
    let form = opened.form;
    let genesis = store::genesis(opened.reader.as_mut())?;
    let log = genesis.and_then(Result::ok).map(|genesis| {
        let genesis = genesis.genesis();
        (*genesis.log(), genesis.origin().clone())
    });
    let mut progress = Progress::new();
    let mut audit = Audit::of(opened.reader.as_mut());
    if let Some(store) = &opened.store {
        audit = audit.comparing(store);
    }
    let mut audit = audit.progress(|records| progress.hear("verified", records));
    if let Some(keys) = brought.keys {
        audit = audit.trusting(keys);
    }
    for checkpoint in brought.checkpoints {
        audit = audit.anchored_by(checkpoint);
    }
    if let Some(policy) = brought.witnesses {
        audit = audit.witnessed_by(policy, Window::ALWAYS);
    }
    if let Some(bookmark) = brought.since {
        audit = audit.since(bookmark);
    }
    if asked.save_checkpoint.is_some() {
        audit = audit.bookmarking();
    }
    let report = audit.run();
    let saved = match &asked.save_checkpoint {
        None => None,
        Some(path) => Some(save(path, report.bookmark.as_ref())?),
    };
    Ok(Found {
        form,
        log,
        report,
        saved,
    })
}

/// Writes the bookmark, if there is one; whether it did.
fn save(path: &Path, bookmark: Option<&Bookmark>) -> Result<bool, Failure> {
    let Some(bookmark) = bookmark else {
        return Ok(false);
    };
    files::write(path, &bookmark.to_bytes())?;
    Ok(true)
}

impl Found {
    fn print(&self, asked: &Verify, out: &mut Out) {
        let Self {
            form,
            log,
            report,
            saved,
        } = self;
        let page = report.to_string();
        out.line(&format!("verdict      {}", report.verdict));
        if let Some((log, origin)) = log {
            out.line(&format!("log          {log} of {origin} ({form})"));
        }
        for line in page.lines().skip(1) {
            // Files have none.
            if *form == "sqlite" || !line.starts_with("projections ") {
                out.line(line);
            }
        }
        match (saved, &asked.save_checkpoint) {
            (Some(true), Some(path)) => out.line(&format!(
                "saved        `{}`, for --since; whoever can change it decides what counts as verified",
                path.display()
            )),
            (Some(false), Some(_)) => {
                out.line("saved        nothing: only from an intact log that ends with a checkpoint can a later run go on");
            }
            _ => {}
        }
        match &report.verdict {
            Verdict::CannotVerify { .. } if asked.keys.is_none() => out.line(
                "next         name the public keys that you were given by another way with --keys FILE",
            ),
            Verdict::IntactSince { size, anchored, .. } if size == anchored => {}
            Verdict::IntactUnanchored { .. } | Verdict::IntactSince { .. } => out.line(
                "next         a checkpoint that was kept elsewhere (--expect-checkpoint FILE), or witnesses (--witness-policy FILE), show that nothing was cut off and written anew",
            ),
            Verdict::Broken(_) => out.line(
                "next         keep this copy as it is, it is evidence; `countersign show` shows the record",
            ),
            Verdict::IntactAnchored { .. } | Verdict::CannotVerify { .. } => {}
        }
    }

    fn to_json(&self, code: Code) -> Object {
        let Self {
            form,
            log,
            report,
            saved,
        } = self;
        let mut object = match report.to_json() {
            Json::Object(object) => object,
            other => Object::new().with("report", other),
        };
        if let Some((log, origin)) = log {
            object = object
                .with("log", log.to_string())
                .with("origin", origin.as_str());
        }
        if let Some(saved) = saved {
            object = object.with("saved", *saved);
        }
        object.with("exit_code", code.number()).with("form", *form)
    }
}

fn cannot_verify(why: &str) -> Object {
    Object::new().with("is", "cannot_verify").with("why", why)
}

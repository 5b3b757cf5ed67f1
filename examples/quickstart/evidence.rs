//! What is left to show afterwards: the timeline, the lineage of the export, and what a verifier says.

use std::path::Path;

use countersign::audit::{Audit, AuditReport, Filter, timeline};
use countersign::lineage::{Limits, Node, Question};
use countersign::log::{LogId, LogReader, TrustedKeys, Verdict};
use countersign::notify::visible;
use countersign::store::SqliteStore;
use countersign::values::Unsealed;
use countersign::{Countersign, Keys};
use rusqlite::Connection;

use crate::agent::named;
use crate::effects::Failed;

/// The log as whoever has its keys reads it: with its hidden values, which are sealed in the file.
pub struct Opened<'a> {
    pub store: &'a SqliteStore,
    pub keys: &'a Keys,
    pub log: LogId,
}

impl Opened<'_> {
    fn reader(&self) -> Result<Box<dyn LogReader>, Failed> {
        let reader = self.store.log_reader()?;
        Ok(match self.keys.values_of(self.log)? {
            Some(values) => Box::new(Unsealed::new(reader, values)),
            None => Box::new(reader),
        })
    }
}

/// Tells the log from `from` on, one line for each record.
pub fn tell(opened: &Opened<'_>, from: u64) -> Result<(), Failed> {
    say!("\n== Timeline");
    let mut reader = opened.reader()?;
    let filter = Filter {
        records: from..u64::MAX,
        ..Filter::default()
    };
    for entry in timeline(reader.as_mut(), filter, &visible) {
        let entry = entry?;
        let time = entry.ts.map(|ts| ts.to_string()).unwrap_or_default();
        let time = time.get(11..19).unwrap_or("        ").to_owned();
        say!("{:>4}  {time}  {}", entry.seq.get(), entry.text);
    }
    Ok(())
}

/// Says who authorised the exported file and what it came from.
pub async fn follow(
    countersign: &Countersign,
    opened: &Opened<'_>,
    exported: Option<&Node>,
) -> Result<(), Failed> {
    say!("\n== Lineage of the export");
    let Some(Node::Dataset(file)) = exported else {
        say!("no file was written, so there is nothing to follow");
        return Ok(());
    };
    say!("{} {}", file.namespace(), named(file.name()));
    let about = Node::Dataset(file.clone());
    let upstream = countersign
        .lineage(Question::Upstream(about.clone()), Limits::default())
        .await?;
    for node in upstream.nodes.iter().filter(|node| **node != about) {
        if let Node::Dataset(source) = node {
            say!(
                "  made from      {} {}",
                source.namespace(),
                named(source.name())
            );
        }
    }
    let answer = countersign
        .lineage(Question::Authorisation(about), Limits::default())
        .await?;
    for authorisation in answer.authorisations() {
        say!("  on request     {}", authorisation.request);
        for who in &authorisation.asked_by {
            match who {
                Node::Agent(id) => say!("  asked for by   agent {id}"),
                other => say!("  asked for by   {}", other.to_text()),
            }
        }
        for (vote, _) in &authorisation.votes {
            let mut reader = opened.reader()?;
            let filter = Filter {
                records: vote.0..vote.0 + 1,
                ..Filter::default()
            };
            for entry in timeline(reader.as_mut(), filter, &visible) {
                say!("  authorised by  record {vote}: {}", entry?.text);
            }
        }
        if authorisation.votes.is_empty() {
            say!("  authorised by  policy alone");
        }
        for policy in &authorisation.policies {
            say!(
                "  under          {} {}",
                policy.engine(),
                policy.digest().to_hex()
            );
        }
    }
    Ok(())
}

/// Verifies the log as an auditor would: with keys and a checkpoint that come from elsewhere.
pub fn verify(
    store: &SqliteStore,
    keys: &TrustedKeys,
    checkpoint: Option<&[u8]>,
) -> Result<AuditReport, Failed> {
    let mut reader = store.log_reader()?;
    let mut audit = Audit::of(&mut reader)
        .trusting(keys.clone())
        .comparing(store);
    if let Some(checkpoint) = checkpoint {
        audit = audit.anchored_by(checkpoint);
    }
    Ok(audit.run())
}

/// Copies the log, changes one byte of a record in the copy, and verifies that.
pub fn tampered(log: &Path, keys: &TrustedKeys) -> Result<(), Failed> {
    say!("\n== A copy of the log with one byte changed");
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("copy.sqlite");
    let name = copy
        .to_str()
        .ok_or("the temporary directory is not plain text")?;
    Connection::open(log)?.execute("VACUUM INTO ?1", [name])?;
    let connection = Connection::open(&copy)?;
    // A vote, if there is one: who would not want to have said no?
    let (seq, mut statement): (i64, Vec<u8>) = connection.query_row(
        "SELECT seq, statement FROM record ORDER BY kind = 'voted' DESC, seq DESC LIMIT 1",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    // The seconds of its time, so that it is as well formed as before.
    let time = br#""ts":"2000-01-01T00:00:0"#.len() - 1;
    let changed = statement
        .windows(6)
        .rposition(|bytes| bytes == br#""ts":""#)
        .map(|begin| begin + time)
        .ok_or("the record does not say when it was written")?;
    if let Some(byte) = statement.get_mut(changed) {
        *byte ^= 1;
    }
    connection.execute(
        "UPDATE record SET statement = ?1 WHERE seq = ?2",
        (statement, seq),
    )?;
    drop(connection);
    let report = verify(&SqliteStore::open_read_only(&copy)?, keys, None)?;
    say!("byte {changed} of record {seq} was changed: it says another second now");
    say!("verdict      {}", report.verdict);
    match report.verdict {
        Verdict::Broken(broken) if i64::try_from(broken.seq.get()).ok() == Some(seq) => Ok(()),
        _ => Err("the verifier did not find the changed byte".into()),
    }
}

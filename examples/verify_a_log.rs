//! Verifies a log and a receipt with nothing but public keys, and finds what somebody changed.

use std::error::Error;
use std::path::Path;

use countersign::action::SessionId;
use countersign::audit::Audit;
use countersign::log::{Receipt, TrustedKeys, Verdict};
use countersign::{
    Action, ActorChain, ApprovalGateExt, Countersign, Keys, Principal, RuleSet, SqliteStore,
    StaticDirectory,
};
use futures::executor::block_on;

const RULES: &str =
    "version = 1\n[[rules]]\nid = \"lamp\"\neffect = \"allow\"\nwhen = { action = \"lamp.*\" }\n";

/// A log of one action; gives the receipt, as bytes, and the public keys, as text.
async fn write(log: &Path, keys: &Path) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    let keys = Keys::create(keys)?;
    let trusted = keys.trusted().to_string();
    let (rules, directory) = (
        RuleSet::from_toml(RULES)?,
        StaticDirectory::builder().build()?,
    );
    let countersign = Countersign::open(SqliteStore::create(log)?, keys, rules, directory).await?;
    let chain = ActorChain::acting(Principal::agent("example", "bot")?);
    let gate = countersign.gate(chain, SessionId::new("run-1")?)?;
    let action = Action::named("lamp.on").build()?;
    let done = gate
        .run(action, async |_| Ok::<_, std::io::Error>(()))
        .await?;
    let receipt = done.receipt().map_err(Clone::clone)?.to_bytes();
    drop(gate);
    countersign.close().await;
    Ok((receipt, trusted))
}

fn verify(log: &Path, keys: &TrustedKeys, checkpoint: &[u8]) -> Result<Verdict, Box<dyn Error>> {
    // Nothing is written, not even beside the file.
    let store = SqliteStore::open_read_only(log)?;
    let mut reader = store.log_reader()?;
    let report = Audit::of(&mut reader)
        .trusting(keys.clone())
        .anchored_by(checkpoint)
        .run();
    Ok(report.verdict)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log.sqlite");
    let (receipt, keys) = block_on(write(&log, &folder.path().join("keys")))?;

    // The auditor has the keys from elsewhere: a key inside of a log never vouches for itself.
    let keys: TrustedKeys = keys.parse()?;
    // A receipt proves its record alone, without the log.
    let receipt = Receipt::from_bytes(&receipt)?;
    let verified = receipt.verify_with_keys(&keys)?;
    println!(
        "record {} stands in the log of {}",
        verified.record().seq(),
        verified.checkpoint().origin
    );

    let verdict = verify(&log, &keys, &receipt.checkpoint)?;
    println!("the log: {verdict}");
    assert!(matches!(verdict, Verdict::IntactAnchored { .. }));

    let sql = "UPDATE record SET statement = CAST(replace(statement, 'lamp.on', 'lamp.off') AS BLOB) WHERE seq = 2";
    rusqlite::Connection::open(&log)?.execute(sql, [])?;
    let verdict = verify(&log, &keys, &receipt.checkpoint)?;
    println!("after a change: {verdict}");
    assert!(matches!(verdict, Verdict::Broken(broken) if broken.seq.get() == 2));
    Ok(())
}

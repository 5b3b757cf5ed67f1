//! What `.ci/interop` shows to tools that nobody here wrote; without arguments it writes the one byte form of each line of JSON.

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;

use countersign::action::SessionId;
use countersign::canonical::{Admission, admit};
use countersign::clock::{Clock, SystemClock};
use countersign::log::{TrustedKeys, WitnessPolicy};
use countersign::witness::{HttpTransport, Witnesses};
use countersign::{
    Action, ActorChain, ApprovalGateExt, Countersign, Keys, Principal, RuleSet, SqliteStore,
    StaticDirectory,
};
use futures::executor::block_on;

const RULES: &str =
    "version = 1\n[[rules]]\nid = \"lamp\"\neffect = \"allow\"\nwhen = { action = \"lamp.*\" }\n";

fn canonical() -> Result<(), Box<dyn Error>> {
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        out.write_all(&admit(line?.as_bytes(), &Admission::default())?.to_canonical())?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Begins the log of a folder that has its keys, or goes on with it: so many actions more.
async fn grow(folder: &Path, actions: usize) -> Result<(), Box<dyn Error>> {
    let keys = Keys::open(folder.join("keys"))?;
    std::fs::write(folder.join("trusted"), keys.trusted().to_string())?;
    let store = SqliteStore::open_or_create(folder.join("log.sqlite"))?;
    let (rules, directory) = (
        RuleSet::from_toml(RULES)?,
        StaticDirectory::builder().build()?,
    );
    let countersign = Countersign::open(store, keys, rules, directory).await?;
    let chain = ActorChain::acting(Principal::agent("example", "bot")?);
    let gate = countersign.gate(chain, SessionId::new("run-1")?)?;
    for _ in 0..actions {
        let action = Action::named("lamp.on").build()?;
        let _receipt = gate
            .run(action, async |_| Ok::<_, std::io::Error>(()))
            .await?;
    }
    drop(gate);
    countersign.close().await;
    Ok(())
}

/// Shows the newest checkpoint to the witnesses of a policy, which may be on this machine, and prints what came of it.
async fn submit(store: &str, trusted: &str, policy: &str) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(store)?;
    let trusted: TrustedKeys = std::fs::read_to_string(trusted)?.parse()?;
    let policy = WitnessPolicy::parse(&std::fs::read(policy)?)?;
    let witnesses = Witnesses::new(policy, HttpTransport::new().dangerous_without_tls());
    for (name, came) in witnesses.submit(&store, &trusted, SystemClock.now()).await {
        match came {
            Ok(came) => println!("{name}: {came:?}"),
            Err(trouble) => println!("{name}: {trouble}"),
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => canonical(),
        ["grow", folder, actions] => block_on(grow(Path::new(folder), actions.parse()?)),
        ["submit", store, trusted, policy] => block_on(submit(store, trusted, policy)),
        _ => Err("interop [grow FOLDER ACTIONS | submit STORE TRUSTED POLICY]".into()),
    }
}

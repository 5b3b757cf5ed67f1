//! A request outlives the process that filed it: the next one finds it and runs it once it is approved.

use std::{error::Error, path::Path, sync::Arc};

use countersign::action::SessionId;
use countersign::gate::Filing;
use countersign::identity::{AdapterName, AuthMethod, Presented, Tokens};
use countersign::{
    Action, ActorChain, ApprovalGate, Countersign, Gate, Keys, Principal, RuleSet, SqliteStore,
    StaticDirectory,
};
use futures::executor::block_on;

const RULES: &str = r#"
version = 1
default = "approve:staff"
[approvals.staff]
quorum = "1 of group:staff"
timeout = "2d"
valid_for = "1h"
"#;

const PEOPLE: &str = r#"
persons = [{ id = "example/rita", groups = ["staff"] }]
agents = [{ id = "example/bot", controllers = [] }]
"#;

/// A token that the host once gave to rita.
const TOKEN: &str = "32 random bytes, in earnest";

/// What each process does at its start: the same log, the same keys, the same actor and session.
async fn open(folder: &Path, keys: Keys) -> Result<(Countersign, Gate), Box<dyn Error>> {
    let store = SqliteStore::open_or_create(folder.join("log.sqlite"))?;
    let rules = RuleSet::from_toml(RULES)?;
    let people = StaticDirectory::from_toml(PEOPLE)?;
    let countersign = Countersign::open(store, keys, rules, people).await?;
    let chain = ActorChain::acting(Principal::agent("example", "bot")?);
    let gate = countersign.gate(chain, SessionId::new("release-7")?)?;
    Ok((countersign, gate))
}

async fn first_process(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (countersign, gate) = open(folder, Keys::create(folder.join("keys"))?).await?;
    let action = Action::named("site.deploy")
        .parameter("version", "1.4.0")
        .build()?;
    let filed = gate.request(action).await?;
    assert!(matches!(filed, Filing::Waiting(_)));
    countersign.close().await;
    Ok(())
}

async fn second_process(folder: &Path) -> Result<String, Box<dyn Error>> {
    let (countersign, gate) = open(folder, Keys::open(folder.join("keys"))?).await?;
    let open = gate.open_requests().await?;
    let request = open.first().ok_or("nothing is open")?.request;
    println!("second process: {request} still waits");
    let rita = Principal::human("example", "rita")?;
    let tokens = Tokens::new(AuthMethod::new("token")?).held_by(TOKEN.as_bytes(), rita);
    let desk = countersign.desk([Arc::new(tokens) as Arc<_>])?;
    let presented = Presented::on(AdapterName::new("example")?).with("token", TOKEN);
    let rita = desk.admit(presented).await?;
    let review = desk.open(&rita, request).await?;
    let _voted = desk.vote(&rita, review.approve()).await?;

    let permit = gate.resume(request).await?;
    let done = permit
        .run(async |authorized| authorized.parameter::<String>("version"))
        .await?;
    println!("second process: deployed {}", done.value());
    Ok(done.into_value())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    block_on(first_process(folder.path()))?;
    assert_eq!(block_on(second_process(folder.path()))?, "1.4.0");
    Ok(())
}

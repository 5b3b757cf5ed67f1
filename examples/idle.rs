//! A process with one pending request and nothing to do, to count what that costs: `idle DATABASE`.
//!
//! It opens a gate on a new log, files a request that needs approval, prints `ready`, and waits until its input is closed.

use std::error::Error;
use std::io::{Read, Write};

use countersign::action::SessionId;
use countersign::gate::Filing;
use countersign::{
    Action, ActorChain, ApprovalGate, Countersign, Keys, Principal, RuleSet, SqliteStore,
    StaticDirectory,
};
use futures::executor::block_on;

const RULES: &str =
    "version = 1\ndefault = \"approve:staff\"\n[approvals.staff]\nquorum = \"1 of group:staff\"\n";

const PEOPLE: &str = "[[persons]]\nid = \"example/rita\"\ngroups = [\"staff\"]\n\n[[agents]]\nid = \"example/bot\"\ncontrollers = []\n";

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: idle DATABASE")?;
    let store = SqliteStore::create(&path)?;
    let mut keys = path;
    keys.push(".keys");
    let keys = Keys::create(keys)?;
    let (rules, people) = (
        RuleSet::from_toml(RULES)?,
        StaticDirectory::from_toml(PEOPLE)?,
    );
    let countersign = block_on(Countersign::open(store, keys, rules, people).into_future())?;
    let chain = ActorChain::acting(Principal::agent("example", "bot")?);
    let gate = countersign.gate(chain, SessionId::new("idle")?)?;
    let Filing::Waiting(request) = block_on(gate.request(Action::named("door.open").build()?))?
    else {
        return Err("the request should wait for people".into());
    };
    println!("ready");
    std::io::stdout().flush()?;
    // A waiter is there too, as it would be in an agent.
    let waiting = std::thread::spawn(move || block_on(gate.resume(request)).is_err());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    block_on(countersign.close());
    let refused = waiting.join().map_err(|_| "the waiter panicked")?;
    if refused {
        Ok(())
    } else {
        Err("nobody approved it".into())
    }
}

//! Wraps one function: a mail goes out only if the rules let it, and the log says so before it does.

use std::error::Error;

use countersign::action::SessionId;
use countersign::{
    Action, ActorChain, ApprovalGateExt, Countersign, Gate, Keys, Principal, RuleSet, RunError,
    SqliteStore, StaticDirectory,
};
use futures::executor::block_on;

const RULES: &str = r#"
version = 1

[[rules]]
id = "mail-within-the-house"
effect = "allow"
when = { action = "mail.send", params.to.suffix = "@example.com" }
"#;

/// The privileged function; nothing else may call it.
async fn send_mail(to: &str, text: &str) -> Result<usize, std::io::Error> {
    println!("to {to}: {text}");
    Ok(text.len())
}

/// What the agent is given in its place.
async fn guarded_send_mail(gate: &Gate, to: &str, text: &str) -> Result<usize, String> {
    let action = Action::named("mail.send")
        .parameter("to", to)
        .parameter("text", text)
        .because("the user asked for it")
        .build()
        .map_err(|error| error.to_string())?;
    // The effect reads the approved values, never the caller's variables.
    let sent = gate.run(action, async |authorized| {
        let to: String = authorized.parameter("to").map_err(std::io::Error::other)?;
        let text: String = authorized
            .parameter("text")
            .map_err(std::io::Error::other)?;
        send_mail(&to, &text).await
    });
    match sent.await {
        Ok(done) => Ok(done.into_value()),
        // What goes back to the model comes from a closed vocabulary: no rule, no name, no comment.
        Err(RunError::Refused(refusal)) => Err(refusal.for_model().to_owned()),
        Err(other) => Err(other.to_string()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::create(folder.path().join("log.sqlite"))?;
    let keys = Keys::create(folder.path().join("keys"))?;
    let directory = StaticDirectory::builder().build()?;
    let rules = RuleSet::from_toml(RULES)?;
    block_on(async {
        let countersign = Countersign::open(store, keys, rules, directory).await?;
        let chain = ActorChain::acting(Principal::agent("example", "assistant")?);
        let gate = countersign.gate(chain, SessionId::new("conversation-1")?)?;

        let within = guarded_send_mail(&gate, "dan@example.com", "see you at noon").await;
        assert_eq!(within, Ok(15));
        let outside = guarded_send_mail(&gate, "dan@elsewhere.example", "our prices").await;
        println!("its model is told: {}", outside.unwrap_err());
        Ok(())
    })
}

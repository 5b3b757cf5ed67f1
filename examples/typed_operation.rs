//! A typed operation: the effect gets the value that was approved, decoded from the approved bytes.

use std::error::Error;

use countersign::action::{ActionBuilder, Resource, SessionId};
use countersign::{
    ActorChain, ApprovalGateExt, AuthorizedFor, Countersign, Keys, MemoryStore, Operation,
    Principal, Refusal, RuleSet, RunError, StaticDirectory,
};
use futures::executor::block_on;
use serde::{Deserialize, Serialize};

const RULES: &str = r#"
version = 1

[[rules]]
id = "small-refunds"
effect = "allow"
when = { action = "shop.refund", params.cents.le = 5000, params.cents.gt = 0 }
"#;

/// Gives money back.
#[derive(Debug, Serialize, Deserialize)]
struct Refund {
    order: String,
    cents: i64,
    iban: String,
}

impl Operation for Refund {
    const NAME: &'static str = "shop.refund";
    // Raised when a field changes its meaning; an approval of another version runs nothing.
    const VERSION: u32 = 2;
    // Only those who decide see it; records hold a salted digest.
    const SENSITIVE: &'static [&'static str] = &["iban"];

    fn describe(&self, action: ActionBuilder) -> ActionBuilder {
        action.on(Resource::new("order", &self.order))
    }
}

async fn pay_back(authorized: AuthorizedFor<Refund>) -> Result<i64, std::io::Error> {
    // The same however often this reaches the bank, so that it pays once.
    let key = authorized.idempotency_key();
    let refund = authorized.operation();
    println!(
        "{} cents for {}, once, as {key}",
        refund.cents, refund.order
    );
    Ok(refund.cents)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let keys = Keys::create(folder.path().join("keys"))?;
    let nobody = StaticDirectory::builder().build()?;
    block_on(async {
        let rules = RuleSet::from_toml(RULES)?;
        let countersign = Countersign::open(MemoryStore::new(), keys, rules, nobody).await?;
        let chain = ActorChain::acting(Principal::agent("example", "shop-assistant")?);
        let gate = countersign.gate(chain, SessionId::new("ticket-4711")?)?;

        let refund = |cents| Refund {
            order: "A-17".into(),
            cents,
            iban: "DE02120300000000202051".into(),
        };
        let done = gate.run_operation(refund(450), pay_back).await?;
        assert_eq!(*done.value(), 450);

        let too_much = gate.run_operation(refund(450_000), pay_back).await;
        let denied = matches!(too_much, Err(RunError::Refused(Refusal::Denied(_))));
        assert!(denied, "the effect must not be called");
        Ok(())
    })
}

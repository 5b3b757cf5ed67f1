//! The bound form of an action and its digest, against bytes that were worked out from `docs/record-format.md` alone.
//!
//! Through the public door only, so that the same file can be run in a tree where other crates have switched on features
//! of shared dependencies (`feature-unification`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use countersign::action::{
    Action, ActorChain, Dataset, Established, NoEntropy, Principal, Pseudonym, RequestId, Resource,
    Salt, SaltSource, SessionId, Stamp, TenantId, Tool, bind,
};

/// The same salt each time: the vector does not say in which order a writer draws them.
struct SameSalt;

impl SaltSource for SameSalt {
    fn salt(&mut self) -> Result<Salt, NoEntropy> {
        Ok(Salt::from_bytes(std::array::from_fn(|index| index as u8)))
    }
}

fn export() -> Action {
    Action::named("db.export")
        .operation(3)
        .tool(Tool::new("exporter").version("3.2.0").server("mcp://tools"))
        .on(Resource::new("table", "crm.customers").label("pii"))
        .parameter("format", "csv")
        .parameters_json(br#"{"limit": 1e3, "rate": 98.70}"#)
        .sensitive("recipient", "rita@example.com")
        .reads(Dataset::new("postgres://db:5432", "crm.customers").label("pii"))
        .writes(Dataset::new("file://host", "/out/c.csv").sensitive())
        .context_clear("environment", "production")
        .context("host", "db-7")
        .occurrence("2026-11")
        .because("monthly report")
        .build()
        .unwrap()
}

#[test]
fn the_bound_form_is_that_of_the_document() {
    let chain = ActorChain::acting(Principal::agent("host", "exporter-bot").unwrap())
        .on_behalf_of(Principal::human("okta", "olga").unwrap())
        .unwrap()
        .in_tenant("acme".parse::<TenantId>().unwrap())
        .established_by("host".parse::<Established>().unwrap());
    let session = "s-1".parse::<SessionId>().unwrap();
    let stamp = Stamp {
        request: RequestId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
        chain: &chain,
        session: &session,
        persons: &[Pseudonym::from_bytes([0x0f; 16])],
    };
    let bound = bind(&export(), &stamp, &mut SameSalt).unwrap();
    let expected = include_str!("vectors/action/export.bound.json").trim_end();
    assert_eq!(
        String::from_utf8(bound.form().to_canonical()).unwrap(),
        expected
    );
    let digest = include_str!("vectors/action/export.digest").trim_end();
    assert_eq!(bound.digest().to_string(), digest);
}

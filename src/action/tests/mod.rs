#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod arbitrary;
mod binding;
mod building;
mod changes;
mod debug;
mod unbinding;

use super::*;
use crate::{
    canonical::{Json, Number},
    clock::Timestamp,
};

fn request(number: u8) -> RequestId {
    let now = Timestamp::from_unix_micros(1_772_357_400_000_000 + i64::from(number)).unwrap();
    RequestId::new(now, &mut SeededSalts::new(u64::from(number))).unwrap()
}

fn session() -> SessionId {
    SessionId::new("run-7").unwrap()
}

/// An agent for another agent for a person, in a tenant.
fn chain() -> ActorChain {
    ActorChain::acting(Principal::agent("demo", "reporter").unwrap())
        .on_behalf_of(Principal::service("demo", "scheduler").unwrap())
        .unwrap()
        .on_behalf_of(Principal::human("demo", "olga").unwrap())
        .unwrap()
        .in_tenant(TenantId::new("acme").unwrap())
        .established_by(Established::new("oidc").unwrap())
}

/// An action that has every member.
fn full() -> Action {
    Action::named("db.export")
        .operation(3)
        .tool(
            Tool::new("exporter")
                .version("3.2.0")
                .digest(crate::canonical::Digest::sha256(b"exporter"))
                .server("mcp.example"),
        )
        .on(Resource::new("table", "crm.customers").label("pii"))
        .on(Resource::new("host", "db-1").clear_id())
        .parameter("format", "csv")
        .parameter("limit", 100)
        .parameter("share", Number::parse("98.7").unwrap())
        .sensitive("recipient", "rita@example.org")
        .context("ticket", "T-1")
        .context_clear("environment", "production")
        .reads(Dataset::new("postgres://db:5432", "crm.customers").label("pii"))
        .reads(Dataset::model("hub", "scorer"))
        .writes(Dataset::new("file://host", "/out/c.csv").sensitive())
        .occurrence("march")
        .replaces(request(9))
        .because("monthly report")
        .trace("4bf92f3577b34da6")
        .build()
        .unwrap()
}

/// The pseudonyms of `humans` people.
fn persons(humans: usize) -> Vec<Pseudonym> {
    (0..humans)
        .map(|human| Pseudonym::from_bytes([u8::try_from(human).unwrap() + 1; 16]))
        .collect()
}

/// Binds with salts and request that are always the same.
fn bound(action: &Action, chain: &ActorChain, session: &SessionId) -> Bound {
    let stamp = Stamp {
        request: request(1),
        chain,
        session,
        persons: &persons(chain.humans().count()),
    };
    bind(action, &stamp, &mut SeededSalts::new(7)).unwrap()
}

/// What an approval binds to, and what equal requests are found by.
fn identity(action: &Action, chain: &ActorChain, session: &SessionId) -> (ActionDigest, Vec<u8>) {
    (
        bound(action, chain, session).digest(),
        join_input(action, chain, session),
    )
}

/// Reads a bound form back with all of its disclosures.
fn unbound(bound: &Bound) -> Result<Unbound, UnbindError> {
    unbind(bound.form(), &|digest| {
        let mut disclosures = bound.disclosures().iter();
        disclosures
            .find(|disclosure| disclosure.digest() == *digest)
            .cloned()
    })
}

fn text(json: &str) -> Json {
    crate::canonical::admit(json.as_bytes(), &crate::canonical::Admission::default()).unwrap()
}

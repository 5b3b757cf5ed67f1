//! An approval that is there is no approval of anything beside it: of another action, actor, tenant, session or request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::ask::{file, forged, is_approved, is_pending, parameters_of_run, review};
use common::{PEOPLE, RULES, World, bot, pay, refused};
use countersign::action::{
    Action, ActorChain, Dataset, Principal, RequestId, Resource, TenantId, Tool,
};
use countersign::gate::{ApprovalGate, Filing, Refusal};
use countersign::store::MemoryStore;
use futures::executor::block_on;

fn tool(version: &str) -> Tool {
    Tool::new("bank").version(version).server("mcp://bank")
}

#[test]
fn policy_39_a_changed_member_is_not_covered() {
    let world = World::new();
    let gate = world.gate();
    let whole = |amount: i64, account: &str, version: &str, dataset: &str, place: &str| {
        Action::named("pay")
            .parameter("amount", amount)
            .context("environment", place)
            .on(Resource::new("account", account))
            .tool(tool(version))
            .reads(Dataset::new("db", dataset))
            .build()
            .unwrap()
    };
    let action = whole(5, "a-1", "1", "orders", "production");
    let request = file(&gate, action.clone());
    let _voted = world.approve("rita", request).unwrap();
    for (what, changed) in [
        ("parameter", whole(6, "a-1", "1", "orders", "production")),
        ("resource", whole(5, "a-2", "1", "orders", "production")),
        ("tool", whole(5, "a-1", "2", "orders", "production")),
        ("target", whole(5, "a-1", "1", "customers", "production")),
        ("context", whole(5, "a-1", "1", "orders", "staging")),
    ] {
        let other = file(&gate, changed);
        assert_ne!(other, request, "{what}");
        assert!(is_pending(&gate, other), "another {what} is covered");
    }
    let olga = Principal::human("corp", "olga").unwrap();
    let acme = TenantId::new("acme").unwrap();
    let chain = |agent| ActorChain::acting(Principal::agent("corp", agent).unwrap());
    let lone = world.gate_for(bot(), "session-2");
    let other_actor = world.gate_for(chain("bot2").in_tenant(acme), "session-1");
    let other_tenant = world.gate_for(
        chain("bot").in_tenant(TenantId::new("evil").unwrap()),
        "session-1",
    );
    let no_tenant = world.gate_for(chain("bot"), "session-1");
    let other_chain = world.gate_for(bot().on_behalf_of(olga).unwrap(), "session-1");
    for (what, gate) in [
        ("session", lone),
        ("actor", other_actor),
        ("tenant", other_tenant),
        ("no tenant", no_tenant),
        ("chain", other_chain),
    ] {
        let refusal = refused(block_on(gate.resume(request)));
        assert!(matches!(refusal, Refusal::NotFound), "{what}: {refusal:?}");
        match block_on(gate.request(action.clone())) {
            Ok(Filing::Waiting(other)) => {
                assert_ne!(other, request, "{what}");
                assert!(is_pending(&gate, other), "another {what} is covered");
            }
            Ok(Filing::Permitted(_)) => panic!("another {what} is covered"),
            // Nobody knows who controls that agent.
            Err(Refusal::Unsatisfiable(_)) => assert_eq!(what, "actor"),
            Err(other) => panic!("{what}: {other:?}"),
        }
    }
    assert!(is_approved(&gate, request));
}

/// Everybody's agents are controlled by olga, so that they may ask.
const AGENTS: &str = "\n[[agents]]\nid = \"corp/bot2\"\ncontrollers = [\"corp/olga\"]\n";

#[test]
fn policy_49_another_agent_or_tenant_cannot_use_it() {
    let people = format!("{PEOPLE}{AGENTS}");
    let world = World::with(RULES, &people, MemoryStore::new(), |opening| opening);
    let chain = |agent, tenant| {
        ActorChain::acting(Principal::agent("corp", agent).unwrap())
            .on_behalf_of(Principal::human("corp", "dan").unwrap())
            .unwrap()
            .in_tenant(TenantId::new(tenant).unwrap())
    };
    let owner = world.gate_for(chain("bot", "acme"), "session-1");
    let request = file(&owner, pay(5));
    let _voted = world.approve("rita", request).unwrap();
    for other in [chain("bot2", "acme"), chain("bot", "globex")] {
        let gate = world.gate_for(other, "session-1");
        let refusal = refused(block_on(gate.resume(request)));
        assert!(matches!(refusal, Refusal::NotFound), "{refusal:?}");
        let withdrawn = block_on(gate.withdraw(request));
        assert!(matches!(withdrawn, Err(Refusal::NotFound)), "{withdrawn:?}");
        assert!(block_on(gate.open_requests()).unwrap().is_empty());
        let own = file(&gate, pay(5));
        assert!(own != request && is_pending(&gate, own));
    }
    assert!(parameters_of_run(&owner, request).contains(r#""amount":5"#));
}

#[test]
fn policy_50_an_approval_does_not_serve_an_equal_request() {
    let world = World::new();
    let gate = world.gate();
    let first = file(&gate, pay(5));
    let ballot = review(&world, "rita", first).approve();
    let rita = world.approver("rita");
    let _voted = block_on(world.desk.vote(&rita, ballot.clone())).unwrap();
    // Equal in every bound member, and asked for once the first was decided.
    let second = file(&gate, pay(5));
    assert_ne!(first, second);
    assert!(is_pending(&gate, second));
    let (one, other) = (
        review(&world, "rita", first).action(),
        review(&world, "rita", second).action(),
    );
    assert_ne!(one, other, "the digests of equal requests differ");
    let replayed = forged(&ballot, &first.to_string(), &second.to_string());
    for replayed in [
        replayed.clone(),
        forged(&replayed, &one.to_string(), &other.to_string()),
    ] {
        assert!(block_on(world.desk.vote(&rita, replayed)).is_err());
    }
    assert!(is_pending(&gate, second));
    assert!(parameters_of_run(&gate, first).contains(r#""amount":5"#));
    assert!(is_pending(&gate, second));
}

#[test]
fn hoop_t10_a_client_supplied_id_is_no_approval() {
    let world = World::new();
    let gate = world.gate();
    let approved = file(&gate, pay(5));
    let waiting = file(&gate, pay(6));
    let _voted = world.approve("rita", approved).unwrap();
    let stranger = world.gate_for(
        ActorChain::acting(Principal::agent("corp", "stranger").unwrap()),
        "session-1",
    );
    let unknown = RequestId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
    // To a stranger, an id that is there and one that is not are the same.
    for id in [approved, waiting, unknown] {
        let refusal = refused(block_on(stranger.resume(id)));
        assert!(matches!(refusal, Refusal::NotFound), "{refusal:?}");
    }
    // An id that the caller brings along as data is data.
    let action = Action::named("pay")
        .parameter("amount", 1_000_000)
        .parameter("request", approved.to_string())
        .context("request", approved.to_string())
        .trace(approved.to_string())
        .occurrence(approved.to_string())
        .build()
        .unwrap();
    let other = file(&gate, action);
    assert!(is_pending(&gate, other) && is_pending(&gate, waiting));
    // And the id of an approved request gives what was approved, whatever else the caller had in mind.
    let permit = block_on(gate.resume(approved)).unwrap();
    assert_eq!(permit.action(), &without_advice(&pay(5)));
}

/// What is bound of `action`: advisory members are not part of what comes back.
fn without_advice(action: &Action) -> Action {
    Action::named(action.name().as_str())
        .parameter("amount", action.parameter_as::<i64>("amount").unwrap())
        .sensitive("iban", action.parameter_as::<String>("iban").unwrap())
        .build()
        .unwrap()
}

//! Nobody approves their own action: not the requester, not whoever an agent acts for, not who controls it, by no alias and no role.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod records;

use std::sync::Arc;

use common::{PEOPLE, RULES, World, bot, pay, refused, wire};
use countersign::action::{
    Action, ActorChain, Established, Principal, PrincipalId, RequestId, TenantId,
};
use countersign::approval::{As, Status};
use countersign::desk::{VoteRefused, Voted};
use countersign::gate::{ApprovalGate, ApprovalGateExt, Cause, Filing, Refusal, RunError};
use countersign::identity::{AdapterName, NotProven, Presented, StaticDirectory};
use countersign::policy::RuleSet;
use countersign::store::MemoryStore;
use futures::executor::block_on;

fn human(subject: &str) -> Principal {
    Principal::human("corp", subject).unwrap()
}

fn agent(subject: &str) -> Principal {
    Principal::agent("corp", subject).unwrap()
}

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn filed(world: &World, chain: ActorChain, action: Action) -> RequestId {
    match block_on(world.gate_for(chain, "session-1").request(action)).unwrap() {
        Filing::Waiting(request) => request,
        Filing::Permitted(_) => panic!("it was allowed without people"),
    }
}

/// A world whose log the test can read.
fn world(rules: &str, people: &str) -> (World, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    (
        World::with(rules, people, Arc::clone(&store), |opening| opening),
        store,
    )
}

#[track_caller]
fn refused_as(world: &World, subject: &str, request: RequestId, tie: As) {
    match world.approve(subject, request) {
        Err(VoteRefused::SelfApproval(found)) => assert_eq!(found, tie, "{subject}"),
        other => panic!("{subject}: {other:?}"),
    }
}

#[test]
fn policy_01_a_requester_does_not_approve() {
    let world = World::new();
    let request = filed(&world, ActorChain::acting(human("rita")), pay(5));
    refused_as(&world, "rita", request, As::Requester);
    let voted = world.approve("sam", request).unwrap();
    assert!(matches!(
        voted,
        Voted::Recorded {
            status: Status::Approved { .. },
            ..
        }
    ));
}

#[test]
fn policy_02_a_delegator_does_not_approve() {
    let world = World::new();
    let request = filed(&world, bot().on_behalf_of(human("rita")).unwrap(), pay(5));
    refused_as(&world, "rita", request, As::Delegator);
    assert!(world.approve("sam", request).is_ok());
}

const CHAIN: &str = r#"
[[persons]]
id = "corp/rita"
groups = ["security"]
[[persons]]
id = "corp/sam"
groups = ["security"]
[[persons]]
id = "corp/ola"
groups = ["security"]
[[persons]]
id = "corp/eve"
groups = ["security"]
[[groups]]
name = "security"
[[agents]]
id = "corp/planner"
controllers = ["corp/sam"]
[[agents]]
id = "corp/runner"
controllers = ["corp/ola"]
"#;

#[test]
fn policy_03_nobody_along_a_longer_chain_approves() {
    let (world, _) = world(RULES, CHAIN);
    let chain = ActorChain::acting(agent("runner"))
        .on_behalf_of(agent("planner"))
        .and_then(|chain| chain.on_behalf_of(human("rita")))
        .unwrap();
    let request = filed(&world, chain, pay(5));
    refused_as(&world, "rita", request, As::Delegator);
    refused_as(&world, "sam", request, As::Controller);
    refused_as(&world, "ola", request, As::Controller);
    assert!(world.approve("eve", request).is_ok());
}

#[test]
fn policy_04_a_controller_of_an_autonomous_agent_does_not_approve() {
    let (world, _) = world(RULES, PEOPLE);
    let request = world.file(wire(7));
    refused_as(&world, "olga", request, As::Controller);
    let _ = world.approve("rita", request).unwrap();
    let _ = world.approve("dan", request).unwrap();
    assert!(block_on(world.gate().resume(request)).is_ok());

    // Somebody who comes to control it after the vote no longer counts either.
    let request = world.file(pay(8));
    let _ = world.approve("rita", request).unwrap();
    let rita = PrincipalId::new("corp", "rita").unwrap();
    world
        .directory
        .set_controllers(&PrincipalId::new("corp", "bot").unwrap(), Some(&[rita]))
        .unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let outcome = block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }));
    assert!(matches!(
        outcome,
        Err(RunError::Refused(Refusal::CouldNotDecide(
            Cause::BackToReviewers
        )))
    ));
}

#[test]
fn policy_05_an_unknown_controller_makes_it_unsatisfiable() {
    let (world, store) = world(RULES, PEOPLE);
    let gate = world.gate_for(ActorChain::acting(agent("stray")), "session-1");
    let refusal = refused(block_on(gate.guard(pay(5))));
    assert!(
        matches!(&refusal, Refusal::Unsatisfiable(missing) if missing.lacking.is_empty()),
        "{refusal:?}"
    );
    let told = refusal.to_string();
    assert!(told.contains("name the agent"), "{told}");
    assert!(told.contains("`controllers = []`"), "{told}");
    assert_eq!(
        refusal.for_model(),
        "Nobody could approve this action. The action did not run."
    );
    let requested = records::only(&*store, "requested");
    assert_eq!(records::text(&requested, "verdict"), Some("deny"));
    assert_eq!(records::text(&requested, "cause"), Some("unsatisfiable"));
}

#[test]
fn policy_06_an_approver_named_by_the_agent_is_ignored() {
    let (world, store) = world(RULES, PEOPLE);
    let action = Action::named("pay")
        .parameter("amount", 5)
        .parameter("approved_by", "corp/rita")
        .context("approver", "corp/rita")
        .because("corp/rita approved this")
        .build()
        .unwrap();
    let request = world.file(action);
    assert_eq!(records::story(&*store, request), ["requested"]);
    assert_eq!(
        block_on(world.gate().open_requests()).unwrap().len(),
        1,
        "it waits for people"
    );
    // Nor does the name bar the person: only sam's own vote is counted.
    let _ = world.approve("sam", request).unwrap();
    let done = block_on(
        block_on(world.gate().resume(request))
            .unwrap()
            .run(async |_| Ok::<_, String>(())),
    );
    assert!(done.is_ok());
    assert_eq!(
        records::counted(&records::only(&*store, "started")).len(),
        1
    );
}

#[test]
fn policy_10_an_automatic_approval_is_not_a_person() {
    let rules = format!(
        "{RULES}\n[[rules]]\nid = \"auto\"\neffect = \"allow\"\nwhen = {{ action = \"pay\" }}\n"
    );
    let (world, store) = world(&rules, PEOPLE);
    let _waits = world.file(pay(5));
    let done = block_on(
        world
            .gate()
            .run(common::read(), async |_| Ok::<_, String>(())),
    )
    .unwrap();
    let started = records::only(&*store, "started");
    assert_eq!(records::text(&started, "verdict"), Some("allow"));
    assert!(records::counted(&started).is_empty());
    let rules = started
        .get("decision")
        .unwrap()
        .as_object()
        .unwrap()
        .get("rules")
        .unwrap();
    assert_eq!(
        rules.as_array().unwrap().len(),
        1,
        "the rule stands for the decision"
    );
    assert!(done.receipt().is_ok());
}

const ONE_OPERATOR: &str = r#"
version = 1
[approvals.solo]
quorum = "1 of user:corp/olga"
self_approval = "recorded"
[approvals.pair]
quorum = "1 of group:security"
[[rules]]
id = "solo-pay"
effect = "approve"
approval = "solo"
when = { action = "pay" }
[[rules]]
id = "both"
effect = "approve"
approval = "solo"
when = { action = "wire" }
[[rules]]
id = "pair"
effect = "approve"
approval = "pair"
when = { action = "wire" }
"#;

#[test]
fn policy_11_recorded_self_approval_counts_and_says_so() {
    let (world, store) = world(ONE_OPERATOR, PEOPLE);
    let request = world.file(pay(5));
    let olga = world.approver("olga");
    let review = block_on(world.desk.open(&olga, request)).unwrap();
    let exception = review
        .card()
        .facts()
        .iter()
        .find(|fact| fact.label() == "exception");
    assert!(
        exception.unwrap().value().contains("recorded"),
        "the card says what this is"
    );
    let _ = block_on(world.desk.vote(&olga, review.approve())).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    assert!(block_on(permit.run(async |_| Ok::<_, String>(()))).is_ok());
    assert_eq!(
        records::text(&records::only(&*store, "voted"), "exception"),
        Some("self_approval")
    );
    let rules = records::only(&*store, "requested");
    let rules = rules
        .get("decision")
        .unwrap()
        .as_object()
        .unwrap()
        .get("rules")
        .unwrap()
        .clone();
    assert_eq!(rules.as_array().unwrap()[0].as_str(), Some("solo-pay"));

    // Where another rule that applies does not have the exception, there is none.
    assert!(matches!(
        refused(block_on(world.gate().guard(wire(5)))),
        Refusal::Unsatisfiable(_)
    ));
}

#[test]
fn policy_12_a_claimed_chain_excludes_and_grants_nothing() {
    let (world, store) = world(RULES, PEOPLE);
    let claimed = || {
        bot()
            .on_behalf_of(human("rita"))
            .and_then(|chain| chain.on_behalf_of(human("dan")))
            .unwrap()
            .established_by(Established::new("claimed:header").unwrap())
    };
    let request = filed(&world, claimed(), pay(5));
    refused_as(&world, "rita", request, As::Delegator);
    // Being named in a chain makes nobody eligible: dan may see what concerns him, and not approve it.
    assert!(matches!(
        world.approve("dan", request),
        Err(VoteRefused::NotEligible)
    ));
    assert_eq!(records::story(&*store, request), ["requested"]);
    // Nor does a claim reach what the same agent asked for by itself.
    let own = world.gate_for(bot(), "session-1");
    assert!(matches!(
        refused(block_on(own.resume(request))),
        Refusal::NotFound
    ));
}

#[test]
fn policy_14_an_admin_account_is_the_same_person() {
    let people = PEOPLE.replace("aliases = [\"slack/U1\"]", "aliases = [\"corp/rita-adm\"]");
    let rules = RULES.replace("\"1 of group:security\"", "\"2 of group:security\"");
    let (world, store) = world(&rules, &people);
    let request = filed(&world, ActorChain::acting(human("rita-adm")), pay(5));
    refused_as(&world, "rita", request, As::Requester);
    refused_as(&world, "rita-adm", request, As::Requester);
    let request = world.file(pay(6));
    let _ = world.approve("rita", request).unwrap();
    let again = world.approve("rita-adm", request).unwrap();
    assert!(matches!(
        again,
        Voted::Unchanged {
            status: Status::Pending { .. }
        }
    ));
    assert_eq!(records::story(&*store, request), ["requested", "voted"]);
}

#[test]
fn policy_16_an_unlinked_account_is_nobody() {
    let world = World::new();
    for (issuer, subject) in [
        ("slack", "U9"),
        ("mailto", "rita@corp.example"),
        ("Corp", "rita"),
        ("corp", "rita "),
    ] {
        let admitted = block_on(world.admit(issuer, subject));
        assert!(
            matches!(admitted, Err(NotProven::Unlinked)),
            "{issuer}/{subject}: {admitted:?}"
        );
    }
    assert_eq!(
        block_on(world.admit("slack", "U1")).unwrap().person(),
        world.approver("rita").person()
    );
}

#[test]
fn hitl_i1_nobody_in_the_chain_approves_their_own_request() {
    let (world, store) = world(RULES, PEOPLE);
    let chain = bot().on_behalf_of(human("ola")).unwrap();
    let request = filed(&world, chain, wire(5));
    refused_as(&world, "ola", request, As::Delegator);
    refused_as(&world, "olga", request, As::Controller);
    assert_eq!(
        records::story(&*store, request),
        ["requested"],
        "a vote that is refused leaves no vote"
    );
    // The handle that an agent holds has no way to vote, and an agent is let in at no desk.
    let admitted = block_on(world.admit("corp", "bot"));
    assert!(admitted.is_err());
}

#[test]
fn hitl_i3_several_identities_of_one_person_are_one_person() {
    let world = World::new();
    let request = filed(
        &world,
        ActorChain::acting(Principal::human("slack", "U1").unwrap()),
        pay(5),
    );
    refused_as(&world, "rita", request, As::Requester);
    for look_alike in ["corp/Sam", "corp/s\u{200b}am", "corp/\u{ff53}am"] {
        let people =
            format!("{PEOPLE}\n[[persons]]\nid = \"{look_alike}\"\ngroups = [\"security\"]\n");
        assert!(StaticDirectory::from_toml(&people).is_err(), "{look_alike}");
    }
}

#[test]
fn hitl_i6_an_empty_reviewer_set_is_an_error() {
    for quorum in ["", "0 of group:security", "1 of", "1 of group:", "security"] {
        let rules = RULES.replacen("1 of group:security", quorum, 1);
        assert!(RuleSet::from_toml(&rules).is_err(), "{quorum:?}");
    }
    let rules = RULES.replace("group:security", "group:nobody");
    let people = format!("{PEOPLE}\n[[groups]]\nname = \"nobody\"\n");
    let (world, _) = world(&rules, &people);
    let refusal = refused(block_on(world.gate().guard(pay(5))));
    assert!(
        matches!(&refusal, Refusal::Unsatisfiable(missing) if missing.lacking == ["1 of group:nobody"]),
        "{refusal:?}"
    );
}

#[test]
fn hitl_i9_groups_come_from_the_directory_never_from_the_caller() {
    let world = World::new();
    let request = world.file(
        Action::named("pay")
            .parameter("amount", 5)
            .context("groups", "security")
            .build()
            .unwrap(),
    );
    let presented = Presented::on(AdapterName::new("test").unwrap())
        .with("issuer", "corp")
        .with("subject", "dan")
        .with("groups", "security");
    let dan = block_on(world.desk.admit(presented)).unwrap();
    assert!(block_on(world.desk.open(&dan, request)).is_err());
    let rita = world.approver("rita");
    let ballot = block_on(world.desk.open(&rita, request)).unwrap().approve();
    assert!(block_on(world.desk.vote(&dan, ballot)).is_err());
}

#[test]
fn hitl_i11_a_request_cannot_switch_the_gate_off() {
    let (world, store) = world(RULES, PEOPLE);
    let mut action = Action::named("pay").parameter("amount", 5);
    for word in [
        "skip_approval",
        "dry_run",
        "enforced",
        "default",
        "policy",
        "rule",
    ] {
        action = action.parameter(word, "allow").context(word, "allow");
    }
    let request = world.file(action.build().unwrap());
    assert!(matches!(
        refused(block_on(
            world.gate().guard(
                Action::named("db.drop")
                    .parameter("effect", "allow")
                    .build()
                    .unwrap()
            )
        )),
        Refusal::Denied(_)
    ));
    assert_eq!(records::story(&*store, request), ["requested"]);
    // In another tenant, for another session: the rules are the same.
    let elsewhere = ActorChain::acting(agent("bot")).in_tenant(TenantId::new("testing").unwrap());
    let _ = filed(&world, elsewhere, pay(5));
    let _ = filed(
        &world,
        ActorChain::acting(agent("bot")).in_tenant(acme()),
        pay(6),
    );
}

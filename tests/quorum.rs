//! Whose votes count: distinct people, eligible when they vote and when the action starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod records;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use common::ask::review;
use common::{PEOPLE, RULES, World, bot, pay, refused, wire};
use countersign::action::{ActorChain, Disclosure, PersonId, Principal, PrincipalId, RequestId};
use countersign::approval::Status;
use countersign::canonical::Json;
use countersign::clock::ManualClock;
use countersign::desk::{VoteRefused, Voted};
use countersign::gate::{ApprovalGate, Cause, Executed, Filing, Refusal, RunError, Standing};
use countersign::host::Countersign;
use countersign::identity::{
    Activity, Authenticator, Directory, DirectoryError, Known, Members, Membership, NotProven,
    Person, StaticDirectory,
};
use countersign::notify::Denial;
use countersign::policy::{RuleSet, Selector};
use countersign::store::MemoryStore;
use futures::FutureExt;
use futures::executor::block_on;

/// rita, sam and tim are of security, dan and eve of data-owners, ola and oli of both.
const TEAM: &str = r#"
[[persons]]
id = "corp/rita"
groups = ["security"]
aliases = ["slack/U1"]
[[persons]]
id = "corp/sam"
groups = ["security"]
[[persons]]
id = "corp/tim"
groups = ["security"]
[[persons]]
id = "corp/dan"
groups = ["data-owners"]
[[persons]]
id = "corp/eve"
groups = ["data-owners"]
[[persons]]
id = "corp/ola"
groups = ["security", "data-owners"]
[[persons]]
id = "corp/oli"
groups = ["security", "data-owners"]
[[persons]]
id = "corp/abe"
groups = ["other/security"]
[[groups]]
name = "security"
[[groups]]
name = "data-owners"
[[groups]]
name = "other/security"
[[agents]]
id = "corp/bot"
controllers = []
"#;

fn id(subject: &str) -> PrincipalId {
    PrincipalId::new("corp", subject).unwrap()
}

fn security() -> Selector {
    Selector::parse("group:security").unwrap()
}

/// A world where `pay` needs this quorum, and its log.
fn wanting(quorum: &str) -> (World, Arc<MemoryStore>) {
    let rules = RULES.replacen("1 of group:security", quorum, 1);
    let store = Arc::new(MemoryStore::new());
    (
        World::with(&rules, TEAM, Arc::clone(&store), |opening| opening),
        store,
    )
}

#[track_caller]
fn approved(world: &World, subject: &str, request: RequestId) -> bool {
    match world.approve(subject, request).unwrap() {
        Voted::Recorded {
            status: Status::Approved { .. },
            ..
        } => true,
        Voted::Recorded {
            status: Status::Pending { .. },
            ..
        } => false,
        other => panic!("{subject}: {other:?}"),
    }
}

fn run(world: &World, request: RequestId) -> Result<Executed<()>, RunError<String>> {
    let permit = block_on(world.gate().resume(request)).unwrap();
    block_on(permit.run(async |_| Ok(())))
}

#[track_caller]
fn back_to_reviewers(world: &World, request: RequestId) {
    let permit = block_on(world.gate().resume(request)).unwrap();
    let outcome = block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }));
    assert!(
        matches!(
            outcome,
            Err(RunError::Refused(Refusal::CouldNotDecide(
                Cause::BackToReviewers
            )))
        ),
        "{outcome:?}"
    );
    let open = block_on(world.gate().open_requests()).unwrap();
    assert!(
        open.iter()
            .any(|one| one.request == request && matches!(one.standing, Standing::Pending { .. }))
    );
}

#[test]
fn hitl_i2_one_person_fills_one_slot() {
    let (world, _) = wanting("1 of group:security and 1 of group:data-owners");
    let request = world.file(pay(5));
    assert!(
        !approved(&world, "ola", request),
        "ola is in both groups and one person"
    );
    assert!(approved(&world, "rita", request));
}

#[test]
fn policy_13_linked_accounts_cast_one_vote() {
    let (world, store) = wanting("2 of group:security");
    let request = world.file(pay(5));
    assert!(!approved(&world, "rita", request));
    let second = block_on(async {
        let by = world.admit("slack", "U1").await.unwrap();
        let review = world.desk.open(&by, request).await.unwrap();
        world.desk.vote(&by, review.approve()).await
    });
    assert!(matches!(
        second,
        Ok(Voted::Unchanged {
            status: Status::Pending { .. }
        })
    ));
    assert_eq!(records::story(&*store, request), ["requested", "voted"]);
    assert!(approved(&world, "sam", request));
}

#[test]
fn policy_18_accounts_linked_after_the_votes_are_recounted() {
    let (world, store) = wanting("2 of group:security");
    let request = world.file(pay(5));
    assert!(!approved(&world, "rita", request));
    assert!(approved(&world, "sam", request));
    world.directory.link(id("sam"), &id("rita")).unwrap();
    back_to_reviewers(&world, request);
    assert!(approved(&world, "tim", request));
    assert!(run(&world, request).is_ok());
    assert_eq!(
        records::counted(&records::only(&*store, "started")).len(),
        2
    );
}

#[test]
fn policy_19_two_people_do_not_fill_three_slots() {
    let (world, _) = wanting("2 of group:security and 1 of group:data-owners");
    let request = world.file(pay(5));
    assert!(!approved(&world, "ola", request));
    assert!(
        !approved(&world, "oli", request),
        "two people who are each in both groups are two"
    );
    assert!(approved(&world, "rita", request));
    assert!(run(&world, request).is_ok());
}

#[test]
fn policy_20_the_wrong_mix_of_groups_meets_no_quorum() {
    let (world, _) = wanting("2 of group:security and 1 of group:data-owners");
    let request = world.file(pay(5));
    for subject in ["dan", "rita", "eve"] {
        assert!(!approved(&world, subject, request), "{subject}");
    }
    assert!(approved(&world, "sam", request));
}

#[test]
fn policy_21_a_person_may_tighten_and_never_loosen() {
    let (world, store) = wanting("2 of group:security");
    let request = world.file(pay(5));
    assert!(!approved(&world, "rita", request));
    assert!(matches!(
        world.approve("rita", request),
        Ok(Voted::Unchanged { .. })
    ));
    assert!(approved(&world, "sam", request));
    // Until the start an approval can become a denial, also once there are enough.
    let denied = world.deny("rita", request);
    assert!(
        matches!(
            denied,
            Ok(Voted::Recorded {
                status: Status::Rejected { .. },
                ..
            })
        ),
        "{denied:?}"
    );
    assert!(matches!(
        refused(block_on(world.gate().resume(request))),
        Refusal::Rejected(_)
    ));
    // It is never taken back, by whomever.
    for subject in ["rita", "sam", "tim"] {
        let late = world.approve(subject, request);
        assert!(
            matches!(
                late,
                Err(VoteRefused::AlreadySettled(_) | VoteRefused::Tightened)
            ),
            "{subject}: {late:?}"
        );
    }
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "voted", "voted"],
        "every vote is on record"
    );
}

#[test]
fn policy_23_one_met_branch_settles_once() {
    let (world, store) =
        wanting("1 of group:security or (1 of group:data-owners and 1 of user:corp/tim)");
    let request = world.file(pay(5));
    assert!(!approved(&world, "dan", request));
    assert!(approved(&world, "rita", request));
    let late = world.approve("tim", request);
    assert!(
        matches!(late, Err(VoteRefused::AlreadySettled(_))),
        "{late:?}"
    );
    assert!(run(&world, request).is_ok());
    assert_eq!(
        records::story(&*store, request),
        ["requested", "voted", "voted", "started", "finished"]
    );
}

#[test]
fn policy_24_only_an_eligible_denial_ends_it() {
    let (world, store) = wanting("1 of group:security");
    let request = world.file(pay(5));
    assert!(world.deny("dan", request).is_err());
    // Not with somebody else's ballot either.
    let rita = world.approver("rita");
    let ballot = block_on(world.desk.open(&rita, request)).unwrap().deny();
    assert!(block_on(world.desk.vote(&world.approver("dan"), ballot.clone())).is_err());
    assert_eq!(records::story(&*store, request), ["requested"]);
    let said = ballot.because("not this week").unwrap();
    let denied = block_on(world.desk.vote(&rita, said)).unwrap();
    assert!(matches!(
        denied,
        Voted::Recorded {
            status: Status::Rejected { .. },
            ..
        }
    ));
    let refusal = refused(block_on(world.gate().resume(request)));
    assert_eq!(
        refusal.comment().map(|words| words.into_inner()),
        Some("not this week")
    );
    assert!(
        !refusal.for_model().contains("not this week"),
        "a comment is data, and never an instruction"
    );
}

#[test]
fn policy_26_taking_back_is_no_vote() {
    let (world, store) = wanting("1 of group:security");
    let request = world.file(pay(5));
    block_on(world.gate().withdraw(request)).unwrap();
    block_on(world.gate().withdraw(request)).unwrap();
    assert_eq!(records::story(&*store, request), ["requested", "withdrawn"]);
    assert!(matches!(
        refused(block_on(world.gate().resume(request))),
        Refusal::Withdrawn
    ));
    assert!(matches!(
        world.approve("rita", request),
        Err(VoteRefused::AlreadySettled(_))
    ));

    // The person for whom it was asked says no at the desk: that closes it and is no vote.
    let chain = bot()
        .on_behalf_of(Principal::human("corp", "rita").unwrap())
        .unwrap();
    let gate = world.gate_for(chain, "session-1");
    let Filing::Waiting(request) = block_on(gate.request(pay(6))).unwrap() else {
        panic!("it was allowed without people");
    };
    // Each is told beforehand what a denial does.
    for (subject, denial) in [("rita", Denial::CallsOff), ("sam", Denial::Denies)] {
        assert_eq!(review(&world, subject, request).denial(), denial);
    }
    assert!(matches!(
        world.deny("rita", request),
        Ok(Voted::Cancelled { .. })
    ));
    assert_eq!(records::story(&*store, request), ["requested", "cancelled"]);
    assert!(matches!(
        refused(block_on(gate.resume(request))),
        Refusal::Cancelled
    ));
    // Who gave no reason is not quoted with one.
    let cancelled = records::of_kind(&*store, "cancelled").pop().unwrap();
    let reason = Json::from("(no reason given)");
    assert!(
        records::disclosed(&*store, cancelled.seq)
            .iter()
            .any(|text| {
                let disclosure = Disclosure::parse(text.trim_matches('"')).unwrap();
                disclosure.open().unwrap().value == reason
            })
    );
}

#[test]
fn policy_27_a_namesake_group_elsewhere_does_not_match() {
    let (world, _) = wanting("1 of group:security");
    let request = world.file(pay(5));
    assert!(matches!(
        world.approve("abe", request),
        Err(VoteRefused::NotFound)
    ));
    let (world, _) = wanting("1 of group:other/security");
    let request = world.file(pay(5));
    assert!(matches!(
        world.approve("rita", request),
        Err(VoteRefused::NotFound)
    ));
    assert!(approved(&world, "abe", request));
    // A role of that name is not the group either.
    let (world, _) = wanting("1 of role:security");
    assert!(matches!(
        refused(block_on(world.gate().guard(pay(5)))),
        Refusal::Unsatisfiable(_)
    ));
}

#[test]
fn policy_52_a_removed_member_no_longer_counts() {
    let (world, store) = wanting("1 of group:security");
    let request = world.file(pay(5));
    assert!(approved(&world, "rita", request));
    world
        .directory
        .remove_member(&security(), &id("rita"))
        .unwrap();
    back_to_reviewers(&world, request);
    let reassessed = records::only(&*store, "reassessed");
    assert_eq!(records::text(&reassessed, "cause"), Some("votes"));
    assert!(matches!(
        world.approve("rita", request),
        Err(VoteRefused::NotFound)
    ));
    assert!(approved(&world, "sam", request));
    assert!(run(&world, request).is_ok());
    assert_eq!(
        records::counted(&records::only(&*store, "started")).len(),
        1
    );
}

#[test]
fn hitl_i8_eligibility_is_checked_again_at_the_start() {
    let (world, _) = wanting("2 of group:security");
    let request = world.file(pay(5));
    assert!(!approved(&world, "rita", request));
    assert!(approved(&world, "sam", request));
    // While the permit is out already.
    let permit = block_on(world.gate().resume(request)).unwrap();
    world
        .directory
        .set_active(&id("sam"), Activity::Deactivated)
        .unwrap();
    let outcome = block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }));
    assert!(matches!(
        outcome,
        Err(RunError::Refused(Refusal::CouldNotDecide(
            Cause::BackToReviewers
        )))
    ));
    // Whoever was deactivated is let in nowhere, and nobody else has to vote again.
    assert!(matches!(
        block_on(world.admit("corp", "sam")),
        Err(NotProven::Deactivated)
    ));
    assert!(approved(&world, "tim", request));
    assert!(run(&world, request).is_ok());
}

#[test]
fn policy_54_a_later_member_may_vote() {
    let (world, _) = wanting("1 of group:security");
    let request = world.file(pay(5));
    assert!(matches!(
        world.approve("dan", request),
        Err(VoteRefused::NotFound)
    ));
    world.directory.add_member(&security(), &id("dan")).unwrap();
    assert!(approved(&world, "dan", request));
    assert!(run(&world, request).is_ok());
}

fn empty_security(world: &World) {
    for subject in ["rita", "sam", "tim", "ola", "oli"] {
        world
            .directory
            .remove_member(&security(), &id(subject))
            .unwrap();
    }
}

#[test]
fn policy_55_an_emptied_group_is_unsatisfiable() {
    let (world, store) = wanting("1 of group:security");
    let gate = world.gate();
    let mut waiting = Box::pin(gate.guard(pay(5)));
    while block_on(world.gate().open_requests()).unwrap().is_empty() {
        assert!((&mut waiting).now_or_never().is_none());
    }
    assert!((&mut waiting).now_or_never().is_none());
    empty_security(&world);
    // Whoever asks now hears it at once, and whoever waits hears it while there is time left to do something else.
    assert!(matches!(
        refused(block_on(world.gate().guard(pay(6)))),
        Refusal::Unsatisfiable(_)
    ));
    world.clock.advance(std::time::Duration::from_secs(30 * 60));
    world.clock.settled(1);
    let refusal = refused(block_on(waiting));
    assert!(
        matches!(&refusal, Refusal::Unsatisfiable(missing) if missing.lacking == ["1 of group:security"]),
        "{refusal:?}"
    );
    // Nothing was decided: the request stands until it expires, for whoever joins the group.
    let request = block_on(world.gate().open_requests()).unwrap()[0].request;
    assert!(matches!(
        refused(block_on(world.gate().resume(request))),
        Refusal::Unsatisfiable(_)
    ));
    assert_eq!(records::story(&*store, request), ["requested"]);
    world.directory.add_member(&security(), &id("dan")).unwrap();
    assert!(approved(&world, "dan", request));
    assert!(run(&world, request).is_ok());
}

/// A directory that can be unplugged.
#[derive(Debug)]
struct Plugged {
    inner: StaticDirectory,
    up: Arc<AtomicBool>,
}

impl Plugged {
    fn ask(&self) -> Result<&StaticDirectory, DirectoryError> {
        let up = self.up.load(Ordering::SeqCst);
        up.then_some(&self.inner)
            .ok_or_else(|| DirectoryError::Unavailable(None))
    }
}

#[async_trait]
impl Directory for Plugged {
    async fn person(&self, id: &PrincipalId) -> Result<Known<Person>, DirectoryError> {
        self.ask()?.person(id).await
    }

    async fn member(
        &self,
        person: &PersonId,
        of: &Selector,
    ) -> Result<Known<Membership>, DirectoryError> {
        self.ask()?.member(person, of).await
    }

    async fn members(
        &self,
        of: &Selector,
        at_most: NonZeroU32,
    ) -> Result<Known<Members>, DirectoryError> {
        self.ask()?.members(of, at_most).await
    }

    async fn controllers(
        &self,
        agent: &PrincipalId,
    ) -> Result<Known<Vec<PersonId>>, DirectoryError> {
        self.ask()?.controllers(agent).await
    }
}

#[test]
fn policy_56_a_silent_directory_helps_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(common::start());
    let up = Arc::new(AtomicBool::new(true));
    let directory = Plugged {
        inner: StaticDirectory::from_toml(PEOPLE)
            .unwrap()
            .with_clock(clock.clone()),
        up: Arc::clone(&up),
    };
    let rules = RuleSet::from_toml(RULES).unwrap();
    let opening = Countersign::open(MemoryStore::new(), common::keys(&folder), rules, directory);
    let countersign = block_on(opening.with_clock(clock.clone()).into_future()).unwrap();
    let by_name = Arc::new(common::ByName::new(clock)) as Arc<dyn Authenticator>;
    let desk = countersign.desk([by_name]).unwrap();
    let gate = |chain: ActorChain| {
        countersign
            .gate(
                chain,
                countersign::action::SessionId::new("session-1").unwrap(),
            )
            .unwrap()
    };
    let Filing::Waiting(request) = block_on(gate(bot()).request(wire(5))).unwrap() else {
        panic!("it was allowed without people");
    };
    let admit = |subject| block_on(desk.admit(common::named("corp", subject)));
    let (rita, dan) = (admit("rita").unwrap(), admit("dan").unwrap());
    let review = block_on(desk.open(&rita, request)).unwrap();

    up.store(false, Ordering::SeqCst);
    assert!(matches!(admit("sam"), Err(NotProven::Unavailable(_))));
    assert!(matches!(
        block_on(desk.vote(&rita, review.approve())),
        Err(VoteRefused::DirectoryUnavailable)
    ));
    assert!(matches!(
        refused(block_on(gate(bot()).guard(pay(6)))),
        Refusal::CouldNotDecide(Cause::DirectoryUnavailable)
    ));

    up.store(true, Ordering::SeqCst);
    let _ = block_on(desk.vote(&rita, review.approve())).unwrap();
    let review = block_on(desk.open(&dan, request)).unwrap();
    let _ = block_on(desk.vote(&dan, review.approve())).unwrap();
    let permit = block_on(gate(bot()).resume(request)).unwrap();
    up.store(false, Ordering::SeqCst);
    let outcome = block_on(permit.run(async |_| -> Result<(), String> { panic!("it ran") }));
    assert!(matches!(
        outcome,
        Err(RunError::Refused(Refusal::CouldNotDecide(
            Cause::DirectoryUnavailable
        )))
    ));
    // That it did not answer decided nothing: the approval stands.
    up.store(true, Ordering::SeqCst);
    let permit = block_on(gate(bot()).resume(request)).unwrap();
    assert!(block_on(permit.run(async |_| Ok::<_, String>(()))).is_ok());
}

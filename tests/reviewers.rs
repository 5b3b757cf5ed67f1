//! Who may review at all: people whom an authenticator has proven, whatever a directory says of machines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use common::{PEOPLE, RULES, World, bot, pay};
use countersign::action::{PersonId, Principal, PrincipalId, PrincipalKind, RequestId};
use countersign::approval::Status;
use countersign::clock::{Clock, ManualClock};
use countersign::desk::{Ballot, VoteRefused, Voted};
use countersign::gate::{ApprovalGate, Filing};
use countersign::host::Countersign;
use countersign::identity::{
    Activity, AdapterName, AuthMethod, Authenticator, Directory, DirectoryError, IsMember, Known,
    Members, Membership, NotProven, Person, Presented, StaticDirectory, Tokens,
};
use countersign::policy::{RuleSet, Selector};
use countersign::store::MemoryStore;
use futures::executor::block_on;

fn human(subject: &str) -> Principal {
    Principal::human("corp", subject).unwrap()
}

fn agent(subject: &str) -> Principal {
    Principal::agent("corp", subject).unwrap()
}

/// Says of everybody that they are in every group, and that the scanner is a service.
#[derive(Debug)]
struct Generous(StaticDirectory);

#[async_trait]
impl Directory for Generous {
    async fn person(&self, id: &PrincipalId) -> Result<Known<Person>, DirectoryError> {
        let kind = match id.subject() {
            "scanner" => PrincipalKind::Service,
            "bot" => PrincipalKind::Agent,
            _ => return self.0.person(id).await,
        };
        let value = Person {
            id: PersonId::new(id.clone()),
            kind,
            display_name: None,
            active: Activity::Active,
        };
        Ok(Known::Known {
            value,
            as_of: common::start(),
        })
    }

    async fn member(
        &self,
        _: &PersonId,
        _: &Selector,
    ) -> Result<Known<Membership>, DirectoryError> {
        let value = Membership {
            is: IsMember::Yes,
            since: None,
        };
        Ok(Known::Known {
            value,
            as_of: common::start(),
        })
    }

    async fn members(
        &self,
        of: &Selector,
        at_most: NonZeroU32,
    ) -> Result<Known<Members>, DirectoryError> {
        self.0.members(of, at_most).await
    }

    async fn controllers(
        &self,
        agent: &PrincipalId,
    ) -> Result<Known<Vec<PersonId>>, DirectoryError> {
        self.0.controllers(agent).await
    }
}

/// A gate and a desk where the bot, the scanner and sam each hold a token of their own.
fn with_machines() -> (
    Countersign,
    countersign::desk::ReviewDesk,
    tempfile::TempDir,
) {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(common::start());
    let directory = Generous(
        StaticDirectory::from_toml(PEOPLE)
            .unwrap()
            .with_clock(clock.clone()),
    );
    let rules = RuleSet::from_toml(RULES).unwrap();
    let opening = Countersign::open(MemoryStore::new(), common::keys(&folder), rules, directory);
    let countersign = block_on(opening.with_clock(clock.clone()).into_future()).unwrap();
    let tokens = Tokens::new(AuthMethod::new("token").unwrap())
        .held_by(b"bot's", agent("bot"))
        .held_by(b"scanner's", Principal::service("corp", "scanner").unwrap())
        .held_by(b"sam's", human("sam"))
        .with_clock(clock);
    let desk = countersign
        .desk([Arc::new(tokens) as Arc<dyn Authenticator>])
        .unwrap();
    (countersign, desk, folder)
}

fn token(token: &str) -> Presented {
    Presented::on(AdapterName::new("test").unwrap()).with("token", token)
}

fn ask(countersign: &Countersign) -> RequestId {
    let session = countersign::action::SessionId::new("session-1").unwrap();
    match block_on(countersign.gate(bot(), session).unwrap().request(pay(5))).unwrap() {
        Filing::Waiting(request) => request,
        Filing::Permitted(_) => panic!("it was allowed without people"),
    }
}

#[test]
fn policy_08_a_proven_agent_fills_no_human_slot() {
    let (_countersign, desk, _folder) = with_machines();
    assert!(matches!(
        block_on(desk.admit(token("bot's"))),
        Err(NotProven::Agent)
    ));
}

#[test]
fn hitl_i4_an_agent_never_fills_a_human_slot() {
    // The directory says that the scanner is in every group.
    let (countersign, desk, _folder) = with_machines();
    let request = ask(&countersign);
    let scanner = block_on(desk.admit(token("scanner's"))).unwrap();
    assert!(block_on(desk.open(&scanner, request)).is_err());
    let listed = block_on(desk.pending(&scanner, &Default::default(), Default::default())).unwrap();
    assert!(listed.requests.is_empty());
}

#[test]
fn hitl_i13_an_automated_reviewer_meets_no_quorum() {
    let (countersign, desk, _folder) = with_machines();
    let request = ask(&countersign);
    let sam = block_on(desk.admit(token("sam's"))).unwrap();
    let scanner = block_on(desk.admit(token("scanner's"))).unwrap();
    let review = block_on(desk.open(&sam, request)).unwrap();
    // With the very ballot that sam would cast.
    assert!(block_on(desk.vote(&scanner, review.approve())).is_err());
    let voted = block_on(desk.vote(&sam, review.approve())).unwrap();
    assert!(matches!(
        voted,
        Voted::Recorded {
            status: Status::Approved { .. },
            ..
        }
    ));
}

#[test]
fn hitl_i5_identity_comes_only_from_the_authenticator() {
    let (countersign, desk, _folder) = with_machines();
    let request = ask(&countersign);
    // Names beside the token are not read.
    let claims = token("bot's")
        .with("issuer", "corp")
        .with("subject", "sam")
        .with("user", "sam");
    assert!(matches!(
        block_on(desk.admit(claims)),
        Err(NotProven::Agent)
    ));
    assert!(block_on(desk.admit(token("guessed").with("subject", "sam"))).is_err());
    // A ballot has no place for a name.
    let sam = block_on(desk.admit(token("sam's"))).unwrap();
    let ballot = block_on(desk.open(&sam, request))
        .unwrap()
        .approve()
        .to_json();
    let named = String::from_utf8(ballot)
        .unwrap()
        .replacen('{', "{\"person\":\"corp/rita\",", 1);
    assert!(Ballot::parse(named.as_bytes()).is_err());
    // Whoever signed in for an hour does not vote in the second.
    let world = World::new();
    let request = world.file(pay(5));
    let rita = world.approver("rita");
    let review = block_on(world.desk.open(&rita, request)).unwrap();
    world.clock.advance(rita.expires().since(world.clock.now()));
    assert!(matches!(
        block_on(world.desk.vote(&rita, review.approve())),
        Err(VoteRefused::SignInExpired)
    ));
}

//! Countersign puts a policy, or people, between an autonomous agent and a privileged operation, and keeps evidence of it that
//! outsiders can check: **nothing runs unrecorded, and what was approved is what runs.**
//!
//! ```
//! # futures::executor::block_on(async {
//! use countersign::action::SessionId;
//! use countersign::{Action, ActorChain, ApprovalGateExt, Countersign, Keys, MemoryStore};
//! use countersign::{Principal, Refusal, RuleSet, RunError, StaticDirectory};
//!
//! let rules = RuleSet::from_toml(r#"
//!     version = 1
//!     [[rules]]
//!     id = "small-refunds"
//!     effect = "allow"
//!     when = { action = "shop.refund", params.cents.le = 5000 }
//! "#)?;
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//! let keys = Keys::create("audit.keys")?; // once; `Keys::open` from then on
//! let directory = StaticDirectory::builder().build()?;
//! let countersign = Countersign::open(MemoryStore::new(), keys, rules, directory).await?;
//!
//! // The host says who acts, and hands the agent a handle that is scoped to it.
//! let chain = ActorChain::acting(Principal::agent("acme", "shop-assistant")?);
//! let gate = countersign.gate(chain, SessionId::new("ticket-4711")?)?;
//!
//! // The effect is called once the decision is on disk, and reads the approved values.
//! let refund = |cents| Action::named("shop.refund").parameter("cents", cents).build();
//! let done = gate.run(refund(450)?, async |approved| approved.parameter::<i64>("cents")).await?;
//! assert_eq!(*done.value(), 450);
//!
//! // The receipt convinces somebody who trusts neither the agent nor its host, and has only the public keys.
//! let receipt = done.receipt().map_err(Clone::clone)?;
//! assert!(receipt.verify_with_keys(&countersign.trusted_keys()).is_ok());
//!
//! // What no rule allows is refused, and its effect is never called.
//! let refused = gate.run(refund(450_000)?, async |_| -> Result<(), std::io::Error> { unreachable!() }).await;
//! assert!(matches!(refused, Err(RunError::Refused(Refusal::Denied(_)))));
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! `examples/quickstart` shows the whole of it on a real database, with you as the reviewers.
//!
//! # The nouns
//!
//! | noun | is | where |
//! |---|---|---|
//! | principal, actor chain | a human, agent or service, by issuer and subject; who acts, for whom | [`action`] |
//! | action | name, tool, resources, parameters, datasets, context: all bound by one digest | [`Action`], [`Operation`] |
//! | policy, verdict | allows, denies, or requires approval; not being able to decide is a refusal | [`policy`] |
//! | requirement | a quorum such as `2 of group:security and 1 of group:data-owners`, its clocks, who is excluded | [`policy`] |
//! | request | an action that was filed; its state is a fold over its records | [`approval`] |
//! | gate | what an agent holds: asks, waits, runs; never decides | [`gate`] |
//! | permit | the single-use right to run one bound action | [`Permit`] |
//! | desk | what reviewers hold: sees, votes, revokes, reconciles | [`desk`] |
//! | vote | one person's decision on what that person was shown; only ever tightened | [`desk`] |
//! | record, receipt | a signed entry of the log; an entry that proves itself | [`log`] |
//! | checkpoint | a signed head of the tree over all records | [`log`] |
//! | witness | somebody elsewhere who cosigns checkpoints that go on from the one before | [`witness`] |
//! | dataset, lineage | what effects read and wrote, and who authorised it | [`lineage`] |
//!
//! # What is plugged in
//!
//! | plug | says | comes with |
//! |---|---|---|
//! | [`Store`] | where the log is kept | memory, an SQLite file |
//! | [`PolicyEvaluator`] | what needs whom | rules in TOML or JSON ([`RuleSet`]), combinators |
//! | [`Directory`] | who a person is, and who controls an agent | a file, a builder ([`StaticDirectory`]) |
//! | [`Authenticator`] | that it is this person | tokens |
//! | [`Notifier`] | that a request waits | a terminal, the host's own code |
//! | [`Transport`](witness::Transport) | how witnesses of the log are reached | HTTP (feature `witness-http`) |
//! | [`LineageRecorder`] | where data went, to others | memory |
//!
//! Each has its contract on it, and where it can be got wrong a suite that yours can run.
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `sqlite` | a store in an SQLite file, for any number of processes on one machine | yes |
//! | `terminal` | a reviewer at the controlling terminal | yes |
//! | `cli` | the auditor's command, `countersign`: no item of this crate, but a program | no |
//! | `witness-http` | an HTTP client for the witnesses of a log, with TLS | no |
//! | `testing` | scripted parts for the tests of code that uses this crate | no |
//!
//! No feature changes what the others do. There is no async runtime in the crate, no server and, without `witness-http`, no network; its futures run
//! on any executor, and [`gate::wait`] serves hosts without one.
//!
//! # What it does not do
//!
//! - **It is no sandbox.** The host must route the privileged call through the gate; an agent that can make the call itself is
//!   not held up.
//! - **It does not protect from whoever runs code as the gate's own user**: that can do what the gate's keys can. The desk's key may
//!   live with another user, and then approvals cannot be made there; a rewrite of the log can be told by anyone who
//!   kept a checkpoint.
//! - **It proves nobody's identity by itself**; an [`Authenticator`] of the host does.
//! - **It does not undo.** An effect that was cut short is `Unknown`, and a person finds out what it did.
//! - **It does not run on Windows**, and the SQLite store does not run on network file systems.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable
)]
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

// Lowest first: a module knows those above it in this list. `tests/layering.rs` holds the crate to that.
pub mod canonical;

pub mod clock;

pub mod action;

pub mod log;
pub mod policy;

pub mod values;

pub mod approval;

pub mod journal;

pub mod lineage;

pub mod export;
pub mod store;

pub mod audit;

pub mod identity;
pub mod notify;
pub mod witness;

pub mod ledger;

pub mod desk;
pub mod gate;

pub mod host;

#[cfg(feature = "testing")]
pub mod testing;

// What nearly every host names; everything else is named by its module.
pub use crate::{
    action::{Action, ActorChain, Operation, Principal},
    desk::ReviewDesk,
    gate::{
        ApprovalGate, ApprovalGateExt, Authorized, AuthorizedFor, Executed, Gate, Permit, Refusal,
        RunError,
    },
    host::Countersign,
    identity::{Authenticator, Directory, StaticDirectory},
    ledger::Keys,
    lineage::LineageRecorder,
    notify::Notifier,
    policy::{PolicyEvaluator, RuleSet},
    store::{MemoryStore, Store},
};

#[cfg(feature = "terminal")]
pub use crate::notify::Terminal;
#[cfg(feature = "sqlite")]
pub use crate::store::SqliteStore;

/// The README's code compiles.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;

//! Scripted parts for tests of code that uses this library.
//!
//! A [`Rehearsal`] is the whole library over a log in memory, with a clock that stands still until it is moved and reviewers who
//! say what the test tells them. Its gates permit like real ones, for no outsider can make a [`Permit`](crate::gate::Permit); but they
//! write to that log alone, whose origin begins with `testing/`, and every record says `"enforced":false`.
//!
//! ```
//! # use countersign::{action::*, testing::Rehearsal, gate::ApprovalGateExt};
//! # futures::executor::block_on(async {
//! let rehearsal = Rehearsal::with_rules(r#"
//!     version = 1
//!     [[rules]]
//!     id = "send"
//!     effect = "allow"
//!     when = { action = "mail.send" }
//! "#).await?;
//! let gate = rehearsal.gate(ActorChain::acting(Principal::agent("test", "bot")?), "session-1")?;
//! let action = Action::named("mail.send").parameter("to", "dan").build()?;
//! let done = gate.run(action, async |authorized| authorized.parameter::<String>("to")).await?;
//! assert_eq!(done.value(), "dan");
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod notifier;
mod reviewer;

use std::sync::Arc;

use crate::action::{ActorChain, InvalidText, SessionId};
use crate::clock::{ManualClock, Timestamp};
use crate::desk::ReviewDesk;
use crate::gate::Gate;
use crate::host::{Countersign, NoSuchRole};
use crate::identity::StaticDirectory;
use crate::ledger::{Keys, KeysError, OpenError};
use crate::policy::{LoadErrors, RuleSet};
use crate::store::MemoryStore;

pub use crate::store::{Fault, FaultyStore};
pub use notifier::ScriptedNotifier;
pub use reviewer::{NamedOnly, ScriptedReviewer};

/// The whole library over a log in memory.
#[derive(Debug)]
pub struct Rehearsal {
    countersign: Countersign,
    clock: ManualClock,
    directory: Arc<StaticDirectory>,
    desk: ReviewDesk,
    notifier: ScriptedNotifier,
    store: Arc<MemoryStore>,
}

/// Why a rehearsal could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The rules do not load.
    #[error("the rules do not load: {0}")]
    Rules(#[from] LoadErrors),
    /// The directory does not load.
    #[error("the directory does not load: {0}")]
    Directory(#[from] crate::identity::LoadErrors),
    /// A name is none.
    #[error(transparent)]
    Name(#[from] InvalidText),
    /// The library did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No keys could be made.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A handle lacks its key.
    #[error(transparent)]
    Role(#[from] NoSuchRole),
}

impl Rehearsal {
    /// Opens with these rules and an empty directory.
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub async fn with_rules(rules: &str) -> Result<Self, RehearsalError> {
        Self::begin(rules, StaticDirectory::builder().build()?).await
    }

    /// Opens with these rules and these people.
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub async fn begin(rules: &str, directory: StaticDirectory) -> Result<Self, RehearsalError> {
        let directory = Arc::new(directory);
        let clock = ManualClock::new(
            Timestamp::EPOCH.saturating_add(std::time::Duration::from_secs(1_700_000_000)),
        );
        let store = Arc::new(MemoryStore::new());
        let notifier = ScriptedNotifier::new();
        let countersign = Countersign::open(
            Arc::clone(&store),
            Keys::ephemeral()?,
            RuleSet::from_toml(rules)?,
            Arc::clone(&directory),
        )
        .with_clock(clock.clone())
        .with_notifier(notifier.clone())
        .for_testing()
        .await?;
        let desk = countersign.desk([Arc::new(NamedOnly::new(clock.clone())) as Arc<_>])?;
        Ok(Self {
            countersign,
            clock,
            directory,
            desk,
            notifier,
            store,
        })
    }

    /// A gate for an actor.
    ///
    /// # Errors
    /// [`RehearsalError`] if the session's name is none.
    pub fn gate(&self, chain: ActorChain, session: &str) -> Result<Gate, RehearsalError> {
        Ok(self.countersign.gate(chain, SessionId::new(session)?)?)
    }

    /// The library itself.
    pub fn countersign(&self) -> &Countersign {
        &self.countersign
    }

    /// The clock, which only the test moves.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The people, who can be changed while the test runs.
    pub fn directory(&self) -> &StaticDirectory {
        &self.directory
    }

    /// The desk; it lets in whoever is named.
    pub fn desk(&self) -> &ReviewDesk {
        &self.desk
    }

    /// What people were told.
    pub fn notices(&self) -> &ScriptedNotifier {
        &self.notifier
    }

    /// The store beneath.
    pub fn store(&self) -> &Arc<MemoryStore> {
        &self.store
    }

    /// A reviewer who does what the test says.
    pub fn reviewer(&self, issuer: &str, subject: &str) -> ScriptedReviewer {
        ScriptedReviewer::new(self.desk.clone(), issuer, subject)
    }
}

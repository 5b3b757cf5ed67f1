//! Opening the library, and the handles that come from it.

use std::future::IntoFuture;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;

use crate::action::{ActorChain, Operation, SessionId};
use crate::clock::Clock;
use crate::desk::ReviewDesk;
use crate::gate::{self, AuthorizedFor, Gate, Refusal};
use crate::identity::{Authenticator, Directory};
use crate::ledger::{self, Exposed, Keys, LedgerError, OpenError, Options, Parts, Spawner, apart};
use crate::lineage::LineageRecorder;
use crate::log::{LogId, Receipt, Role, Seq, Signer, TrustedKeys, WitnessPolicy};
use crate::notify::Notifier;
use crate::policy::{PolicyEvaluator, Witnessing};
use crate::store::Store;
use crate::witness::{Alarm, Transport, Witnesses};

use super::Operator;

/// The library, open on one log.
///
/// It gives out handles that are kept apart: [`Gate`] to agents, a desk to reviewers, [`Operator`] to whoever runs the machine.
/// Nothing that an agent holds reaches a method that decides.
#[derive(Debug, Clone)]
pub struct Countersign {
    pub(super) parts: Arc<Parts>,
}

/// This process holds no key for the handle that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process holds no key with role {0}: open it with keys that have one")]
pub struct NoSuchRole(pub Role);

/// A log about to be opened; what is chosen here holds before any thread starts.
#[must_use = "nothing is opened until this is awaited"]
pub struct Opening {
    store: Arc<dyn Store>,
    keys: Keys,
    policy: Arc<dyn PolicyEvaluator>,
    directory: Arc<dyn Directory>,
    options: Options,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening")
            .field("store", &self.store)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl Countersign {
    /// Opens the log in a store, or begins one in an empty store.
    ///
    /// A log is opened only if one of the keys signed its beginning, or one that [`Keys::begun_by`] names. The first opening
    /// of a database writes the log's id down beside the keys; afterwards another log there, or none, is refused.
    /// [`Opening::expecting`] has the host say which log it must be.
    ///
    /// Await the [`Opening`], after choosing what differs from the defaults.
    pub fn open(
        store: impl Store,
        keys: Keys,
        policy: impl PolicyEvaluator,
        directory: impl Directory,
    ) -> Opening {
        Opening {
            store: Arc::new(store),
            keys,
            policy: Arc::new(policy),
            directory: Arc::new(directory),
            options: Options::default(),
        }
    }

    /// A handle for one actor in one session.
    ///
    /// The chain is the host's word on who acts for whom; how the host established it stands in every record.
    ///
    /// # Errors
    /// [`NoSuchRole`] if the keys lack the role `gate`.
    pub fn gate(&self, chain: ActorChain, session: SessionId) -> Result<Gate, NoSuchRole> {
        self.need(Role::Gate)?;
        Ok(Gate::new(Arc::clone(&self.parts), chain, session))
    }

    /// The desk, with the ways in which people may prove who they are.
    ///
    /// # Errors
    /// [`NoSuchRole`] if the keys lack the role `desk`.
    pub fn desk(
        &self,
        authenticators: impl IntoIterator<Item = Arc<dyn Authenticator>>,
    ) -> Result<ReviewDesk, NoSuchRole> {
        self.need(Role::Desk)?;
        Ok(ReviewDesk::new(Arc::clone(&self.parts), authenticators))
    }

    /// Serves approved requests for an operation that nobody waits for in a living process: after a restart, for example.
    ///
    /// `handler` gets the state by value and the operation decoded from the approved bytes; what it returns is recorded like
    /// any effect's end. It runs on the spawner. A waiter of this process, or of another that still lives, goes first.
    pub fn on_approved<O, S, F, Fut, T, E>(&self, state: S, handler: F)
    where
        O: Operation,
        S: Clone + Send + Sync + 'static,
        F: Fn(S, AuthorizedFor<O>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: std::fmt::Display + Send + 'static,
    {
        gate::serve::<O, S, F, Fut, T, E>(&self.parts, state, handler);
    }

    /// A handle for the operator, with the operator's own key.
    ///
    /// # Errors
    /// [`NoSuchRole`] if the log does not name the key for the role `operator`.
    pub fn operator(&self, key: Arc<dyn Signer>) -> Result<Operator, NoSuchRole> {
        if !self.parts.ledger.operate_with(key) {
            return Err(NoSuchRole(Role::Operator));
        }
        Ok(Operator::new(Arc::clone(&self.parts)))
    }

    /// The id of the log, for [`Opening::expecting`].
    #[must_use]
    pub fn log(&self) -> LogId {
        *self.parts.ledger.trust().log()
    }

    /// The public keys that this process knows of, as an auditor has to be given them.
    #[must_use]
    pub fn trusted_keys(&self) -> TrustedKeys {
        self.parts.ledger.trusted()
    }

    /// The receipt of any record, for somebody who trusts neither the log's keeper nor this library.
    ///
    /// # Errors
    /// [`Refusal::CouldNotDecide`] if there is no such record, or the log cannot be read.
    pub async fn receipt(&self, seq: Seq) -> Result<Receipt, Refusal> {
        self.parts.ledger.receipt(seq).await.map_err(gate::unread)
    }

    /// The receipt of any record with those of its hidden members that `keep` wants, as far as they were not erased.
    ///
    /// A member's name is its JSON pointer (RFC 6901) in the record's body, such as `/bound/parameters/to`.
    ///
    /// # Errors
    /// As [`Countersign::receipt`].
    pub async fn receipt_disclosing(
        &self,
        seq: Seq,
        keep: impl FnMut(&str) -> bool,
    ) -> Result<Receipt, Refusal> {
        let receipt = self.receipt(seq).await?;
        let disclosures = self.parts.ledger.disclosures(seq).await;
        receipt
            .with_disclosures(disclosures.map_err(gate::unread)?)
            .and_then(|receipt| receipt.disclosing_only(keep))
            .map_err(|error| {
                gate::unread(LedgerError::Tampered {
                    seq: seq.get(),
                    why: error.to_string(),
                })
            })
    }

    /// What witnesses have said against the log, with what shows it: to be looked into.
    ///
    /// It is kept beside the keys as well, or else beside the head file, as `<log>-<key>-<evidence>.alarm`, and read at the next opening.
    /// What a key of the log has signed stops all writing at once, and the log is not opened any more
    /// ([`OpenError::Contradicted`]) unless the store has caught up with it. The word of a witness alone stops only what rules want
    /// witnessed; once it was looked into, take the file away.
    #[must_use]
    pub fn witness_alarms(&self) -> Vec<Arc<Alarm>> {
        self.parts.ledger.contradictions()
    }

    /// Which files of this log others than whoever has the keys may write, as it is now: the store, the head file, and the directories
    /// around them and the keys.
    ///
    /// Opening warns (`tracing`) of what everybody may write. Where several users work on one store on purpose, it stands here too.
    #[must_use]
    pub fn exposed(&self) -> Vec<Exposed> {
        self.parts.ledger.exposed()
    }

    /// For how many requests somebody waits in this process.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.parts.ledger.waiters.count()
    }

    /// The mean number of records a commit of this process has held so far, and the number of its commits.
    #[must_use]
    pub fn batches(&self) -> (f64, u64) {
        self.parts.ledger.batches()
    }

    /// Writes what waits, brings the head file up to date and ends the library's threads.
    ///
    /// How an execution ended whose caller was dropped before is written as well. An effect that still runs is not waited for: its
    /// end cannot be recorded any more, and the next opening lists it as unresolved.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        let ended = apart(Arc::clone(&self.parts.ledger), move || {
            // A caller who no longer waits needs no answer.
            let _gone = done.send(());
        });
        // Where no thread could be started, it has been closed here.
        if ended.is_some() && closed.await.is_err() {
            tracing::error!("the ledger could not be closed in order");
        }
    }

    pub(crate) fn need(&self, role: Role) -> Result<(), NoSuchRole> {
        if self.parts.ledger.has_role(role) {
            Ok(())
        } else {
            Err(NoSuchRole(role))
        }
    }
}

impl Opening {
    /// Adds a channel that asks people.
    pub fn with_notifier(mut self, notifier: impl Notifier) -> Self {
        self.options.notifiers.push(Arc::new(notifier));
        self
    }

    /// Adds an outside sink for lineage.
    pub fn with_recorder(mut self, recorder: impl LineageRecorder) -> Self {
        self.options.recorders.push(Arc::new(recorder));
        self
    }

    /// Shows each new checkpoint to the witnesses of a policy that have an address, and keeps what they cosign beside it.
    ///
    /// They are asked after the commit and in the background, and one that fails is asked again, less and less often. Nothing waits for
    /// them but what rules have wait ([`policy::Witnessing::BeforeStart`](crate::policy::Witnessing::BeforeStart)). Each is asked at once when the log is opened, so that one that was set back is noticed. A witness that
    /// contradicts the log is asked no more until the next opening; [`Countersign::witness_alarms`] says so, and what follows. The transport runs on the
    /// spawner.
    pub fn with_witnesses(mut self, policy: WitnessPolicy, transport: impl Transport) -> Self {
        self.options.witnesses = Some(Witnesses::new(policy, transport));
        self
    }

    /// Takes time from another clock.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Keeps the head file elsewhere than beside the database, best on another disk.
    pub fn with_head_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.head_file = Some(path.into());
        self
    }

    /// Runs notifiers and recorders on the host's own runtime.
    pub fn with_spawner(mut self, spawner: Spawner) -> Self {
        self.options.spawner = Some(spawner);
        self
    }

    /// The checkpoint origin of a log that is begun here, for example `audit.example.com/payments`.
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.options.origin = Some(origin.into());
        self
    }

    /// Opens this log and no other, and begins none; its id is what [`Countersign::log`] said when it was begun.
    ///
    /// The word of the host stands in place of the list `logs` beside the keys, which is then neither read nor written. It serves
    /// where the host keeps its settings out of reach of whoever can write the store, where the keys cannot be written to,
    /// and where the store is in no file. That the log was begun by one of our keys is asked all the same.
    pub fn expecting(mut self, log: LogId) -> Self {
        self.options.expected = Some(log);
        self
    }

    /// How long an evaluator or the directory may take; 5 seconds by default.
    pub fn with_decision_bound(mut self, bound: Duration) -> Self {
        self.options.limits.decide_within = bound;
        self
    }

    /// How long a permit may lie unused before it is void; 60 seconds by default.
    pub fn with_permit_lifetime(mut self, lifetime: Duration) -> Self {
        self.options.limits.permit_lifetime = lifetime;
        self
    }

    /// How long an execution may go on before its lease is renewed or it counts as lost; one hour by default.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.options.limits.lease = lease;
        self
    }

    #[cfg(feature = "testing")]
    pub(crate) fn for_testing(mut self) -> Self {
        self.options.enforcement = crate::log::Enforcement::Testing;
        self
    }
}

impl IntoFuture for Opening {
    type Output = Result<Countersign, OpenError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self {
                store,
                keys,
                policy,
                directory,
                options,
            } = self;
            // A process that starts nothing, such as a desk of its own, needs none.
            let may_ask = keys.signer(Role::Gate).is_some()
                && policy.needs().witnessing() == Witnessing::BeforeStart;
            let asks = |witnesses: &Witnesses| witnesses.policy().asks_for_witnesses();
            if may_ask && !options.witnesses.as_ref().is_some_and(asks) {
                return Err(OpenError::NoWitnesses);
            }
            let opened = ledger::open(store, keys, options).await?;
            let parts = Arc::new(Parts::new(opened.shared, policy, directory));
            parts.adopt_at_open().await?;
            Ok(Countersign { parts })
        })
    }
}

//! The trait that hosts hold and wrap.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::action::{Action, ActionName, Operation, RequestId};
use crate::clock::Timestamp;

use super::authorized::AuthorizedFor;
use super::{Authorized, Cause, Executed, Permit, Refusal, RunError};

/// What an agent's handle can do: ask, wait, take back, and run what was approved.
///
/// # Contract
///
/// - Every method acts for the actor, tenant and session that the gate was made for; an id is no capability, and another
///   actor's request is [`Refusal::NotFound`].
/// - [`guard`](Self::guard), [`guard_to_run`](Self::guard_to_run), [`request`](Self::request) and [`resume`](Self::resume) all
///   give permits; each has made the decision durable first. Nothing else lets an effect run.
/// - Dropping a future stops the wait, never the request: it stays open and can be resumed.
/// - Not being able to decide is a refusal.
///
/// # Implementing
///
/// Only [`Gate`](super::Gate) makes a [`Permit`]. A wrapper passes calls on, or refuses with [`Refusal::Withheld`]; it can make
/// things stricter and never laxer. What withholds must do so in each method that gives permits, or an agent takes the way
/// that was left open; `guard_to_run` calls `guard` unless it is written out too:
///
/// ```
/// use async_trait::async_trait;
/// use countersign::action::{Action, RequestId};
/// use countersign::gate::{ApprovalGate, Cause, Filing, OpenRequest, Permit, Refusal};
/// # use countersign::{ActorChain, Countersign, Keys, MemoryStore, Principal, RuleSet, StaticDirectory};
///
/// /// Lets nothing through after hours.
/// #[derive(Debug)]
/// struct OfficeHours<G> {
///     inner: G,
///     open: bool,
/// }
///
/// impl<G> OfficeHours<G> {
///     fn inner_if_open(&self) -> Result<&G, Refusal> {
///         if self.open {
///             Ok(&self.inner)
///         } else {
///             Err(Refusal::Withheld(Cause::Wrapper("the office is closed")))
///         }
///     }
/// }
///
/// #[async_trait]
/// impl<G: ApprovalGate> ApprovalGate for OfficeHours<G> {
///     async fn guard(&self, action: Action) -> Result<Permit, Refusal> {
///         self.inner_if_open()?.guard(action).await
///     }
///     async fn guard_to_run(&self, action: Action) -> Result<Permit, Refusal> {
///         self.inner_if_open()?.guard_to_run(action).await
///     }
///     async fn request(&self, action: Action) -> Result<Filing, Refusal> {
///         self.inner_if_open()?.request(action).await
///     }
///     async fn resume(&self, request: RequestId) -> Result<Permit, Refusal> {
///         self.inner_if_open()?.resume(request).await
///     }
///     // These two give no permit, so they may pass.
///     async fn withdraw(&self, request: RequestId) -> Result<(), Refusal> {
///         self.inner.withdraw(request).await
///     }
///     async fn open_requests(&self) -> Result<Vec<OpenRequest>, Refusal> {
///         self.inner.open_requests().await
///     }
/// }
/// # futures::executor::block_on(async {
/// # let rules = RuleSet::from_toml("version = 1\n[[rules]]\nid = \"r\"\neffect = \"allow\"\nwhen = { action = \"mail.send\" }")?;
/// # let directory = StaticDirectory::builder().build()?;
/// # let countersign = Countersign::open(MemoryStore::new(), Keys::ephemeral()?, rules, directory).await?;
/// # let chain = ActorChain::acting(Principal::agent("acme", "bot")?);
/// # let inner = countersign.gate(chain, countersign::action::SessionId::new("s")?)?;
/// # let action = || Action::named("mail.send").build();
/// # let Filing::Permitted(permit) = inner.request(action()?).await? else { panic!("it is allowed") };
/// # let request = permit.request();
///
/// let closed = OfficeHours { inner, open: false };
/// assert!(matches!(closed.guard(action()?).await, Err(Refusal::Withheld(_))));
/// assert!(matches!(closed.guard_to_run(action()?).await, Err(Refusal::Withheld(_))));
/// assert!(matches!(closed.request(action()?).await, Err(Refusal::Withheld(_))));
/// assert!(matches!(closed.resume(request).await, Err(Refusal::Withheld(_))));
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[async_trait]
pub trait ApprovalGate: Debug + Send + Sync + 'static {
    /// Has the action decided, waits for people where policy says so, and gives the permit to run it.
    ///
    /// # Errors
    /// [`Refusal`]: the action must not run.
    async fn guard(&self, action: Action) -> Result<Permit, Refusal>;

    /// As [`guard`](Self::guard), for a caller who runs the permit at once: the record of an allowed action is written together
    /// with the record of its start, in one commit.
    ///
    /// # Errors
    /// [`Refusal`]: the action must not run.
    async fn guard_to_run(&self, action: Action) -> Result<Permit, Refusal> {
        self.guard(action).await
    }

    /// Files the action and does not wait.
    ///
    /// # Errors
    /// [`Refusal`]: the action must not run, and no request is open.
    async fn request(&self, action: Action) -> Result<Filing, Refusal>;

    /// Waits for a request of this actor, for example after a restart.
    ///
    /// # Errors
    /// [`Refusal`]: the action must not run.
    async fn resume(&self, request: RequestId) -> Result<Permit, Refusal>;

    /// Takes back a request that has not started.
    ///
    /// # Errors
    /// [`Refusal`]: why it cannot be taken back any more.
    async fn withdraw(&self, request: RequestId) -> Result<(), Refusal>;

    /// This actor's requests that are still open, oldest first.
    ///
    /// # Errors
    /// [`Refusal::CouldNotDecide`] if the log cannot be read.
    async fn open_requests(&self) -> Result<Vec<OpenRequest>, Refusal>;
}

#[async_trait]
impl<G: ApprovalGate + ?Sized> ApprovalGate for Arc<G> {
    async fn guard(&self, action: Action) -> Result<Permit, Refusal> {
        (**self).guard(action).await
    }

    async fn guard_to_run(&self, action: Action) -> Result<Permit, Refusal> {
        (**self).guard_to_run(action).await
    }

    async fn request(&self, action: Action) -> Result<Filing, Refusal> {
        (**self).request(action).await
    }

    async fn resume(&self, request: RequestId) -> Result<Permit, Refusal> {
        (**self).resume(request).await
    }

    async fn withdraw(&self, request: RequestId) -> Result<(), Refusal> {
        (**self).withdraw(request).await
    }

    async fn open_requests(&self) -> Result<Vec<OpenRequest>, Refusal> {
        (**self).open_requests().await
    }
}

/// What became of a request that nobody waited for.
#[derive(Debug)]
#[must_use]
pub enum Filing {
    /// Policy allowed it.
    Permitted(Permit),
    /// It waits for people; [`ApprovalGate::resume`] waits with it.
    Waiting(RequestId),
}

/// A request of this actor that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRequest {
    /// The request.
    pub request: RequestId,
    /// What it asks for.
    pub action: ActionName,
    /// Where it stands.
    pub standing: Standing,
}

/// Where an open request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It waits for people until this time.
    Pending {
        /// When it expires.
        expires: Timestamp,
    },
    /// It may be run until this time.
    Approved {
        /// When the approval lapses.
        use_by: Timestamp,
    },
    /// Its effect runs somewhere.
    Running,
    /// Its effect began and nobody knows how it ended; a reviewer has to find out.
    Unresolved,
}

/// Comfort for every gate, wrappers included.
pub trait ApprovalGateExt: ApprovalGate {
    /// Guards the action and runs the effect, in two commits where policy allows it by itself.
    ///
    /// Prefer [`run_operation`](Self::run_operation), whose effect can only see the approved values.
    ///
    /// # Errors
    /// [`RunError::Refused`]: the effect was not called. Otherwise what became of it.
    fn run<F, Fut, T, E>(
        &self,
        action: Action,
        effect: F,
    ) -> impl Future<Output = Result<Executed<T>, RunError<E>>> + Send
    where
        F: FnOnce(Authorized) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: Send,
    {
        async move { self.guard_to_run(action).await?.run(effect).await }
    }

    /// Guards a typed operation and runs the effect with the operation decoded from the approved bytes.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn run_operation<O, F, Fut, T, E>(
        &self,
        operation: O,
        effect: F,
    ) -> impl Future<Output = Result<Executed<T>, RunError<E>>> + Send
    where
        O: Operation,
        F: FnOnce(AuthorizedFor<O>) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: Send,
    {
        async move {
            let action = Action::of(&operation).build().map_err(|error| {
                Refusal::CouldNotDecide(Cause::NotThisOperation(error.to_string()))
            })?;
            drop(operation);
            let permit = self.guard_to_run(action).await?;
            permit.typed::<O>()?.run(effect).await
        }
    }
}

impl<G: ApprovalGate + ?Sized> ApprovalGateExt for G {}

//! The plug for policy engines.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::facts::Needs;
use super::names::{FactName, RuleId};
use super::question::Question;
use super::verdict::{Evaluation, PolicyRevision, Verdict};

/// Why an evaluator has no answer; the gate refuses.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A value has a type that the engine cannot judge.
    #[error("the policy engine cannot judge the type of `{path}`")]
    Type {
        /// Where the value stands, never the value.
        path: String,
    },
    /// A fact that the evaluator needs is not there.
    #[error("the fact `{0}` is missing")]
    MissingFact(FactName),
    /// The question is larger than what is evaluated.
    #[error("the policy gave up: {0}")]
    Limit(String),
    /// A decision point elsewhere did not answer.
    #[error("the remote policy did not answer: {0}")]
    Remote(String),
    /// Rules failed while they were evaluated.
    #[error("{} of the policy's rules failed to evaluate", rules.len())]
    Evaluation {
        /// Which.
        rules: Vec<RuleId>,
    },
}

/// Decides what may become of an action.
///
/// # Contract
///
/// - **Pure.** The same question under the same revision has the same answer. An evaluator changes nothing and counts nothing; it is asked
///   again right before the effect, and the stricter of both answers holds.
/// - **Failure.** An error is a refusal, never an allowance; so are a panic and a time-out, which the gate catches. A value that the evaluator
///   needs and does not find is an error or a reason for the stricter verdict.
/// - **Input.** Parameters come from an agent. They never become code, paths or escape sequences of an engine.
/// - **Cancellation.** The future may be dropped at any await. It must not block the thread.
/// - **Revision.** [`Evaluation::revision`] names the policy that gave this very answer, also while another one is being adopted.
///
/// An evaluator that answers `Allow` where it does not know opens every gate that uses it.
///
/// # Implementing
///
/// ```
/// use async_trait::async_trait;
/// use countersign::policy::{Evaluation, Needs, PolicyError, PolicyEvaluator, PolicyRevision, Question, Verdict};
///
/// /// Allows reading and has nothing to say about the rest.
/// #[derive(Debug)]
/// struct Reading {
///     needs: Needs,
///     revision: PolicyRevision,
/// }
///
/// #[async_trait]
/// impl PolicyEvaluator for Reading {
///     fn needs(&self) -> &Needs {
///         &self.needs
///     }
///
///     async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
///         let verdict = match question.action.name().as_str() {
///             "db.read" => Verdict::Allow,
///             _ => Verdict::NotApplicable,
///         };
///         Ok(Evaluation::new(verdict, self.revision.clone()))
///     }
///
///     fn revision(&self) -> &PolicyRevision {
///         &self.revision
///     }
/// }
///
/// let reading = Reading { needs: Needs::nothing(), revision: PolicyRevision::of("reading/1", b"db.read") };
/// assert_eq!(reading.revision().engine(), "reading/1");
/// ```
#[async_trait]
pub trait PolicyEvaluator: fmt::Debug + Send + Sync + 'static {
    /// The facts to gather before each question.
    fn needs(&self) -> &Needs;

    /// The answer to one question.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] where there is no answer; the gate refuses.
    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError>;

    /// The policy as it stands now.
    fn revision(&self) -> &PolicyRevision;
}

#[async_trait]
impl<T: PolicyEvaluator + ?Sized> PolicyEvaluator for Arc<T> {
    fn needs(&self) -> &Needs {
        T::needs(self)
    }

    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        T::evaluate(self, question).await
    }

    fn revision(&self) -> &PolicyRevision {
        T::revision(self)
    }
}

impl Evaluation {
    /// A bare verdict: no rule, obligation or reason.
    pub fn new(verdict: Verdict, revision: PolicyRevision) -> Self {
        Self {
            verdict,
            decided_by: Vec::new(),
            obligations: Vec::new(),
            revision,
            reason: None,
        }
    }
}

/// An evaluator made of a closure.
///
/// Its revision is the digest of `name` alone: a closure has no text. Give it a name that changes with what it does.
///
/// ```
/// use countersign::policy::{PolicyEvaluator, Verdict, from_fn};
///
/// let weekday = from_fn("no-drops/1", |question| match question.action.name().as_str() {
///     "db.drop" => Verdict::Deny,
///     _ => Verdict::NotApplicable,
/// });
/// assert_eq!(weekday.revision().engine(), "no-drops/1");
/// ```
pub fn from_fn<F>(name: &str, decide: F) -> FromFn<F>
where
    F: Fn(&Question<'_>) -> Verdict + Send + Sync + 'static,
{
    FromFn {
        needs: Needs::nothing(),
        revision: PolicyRevision::of(name, name.as_bytes()),
        decide,
    }
}

/// What [`from_fn`] makes.
pub struct FromFn<F> {
    needs: Needs,
    revision: PolicyRevision,
    decide: F,
}

impl<F> FromFn<F> {
    /// The same evaluator, with facts to gather first.
    #[must_use]
    pub fn needing(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            needs,
            revision,
            decide: _,
        } = self;
        f.debug_struct("FromFn")
            .field("needs", needs)
            .field("revision", revision)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<F> PolicyEvaluator for FromFn<F>
where
    F: Fn(&Question<'_>) -> Verdict + Send + Sync + 'static,
{
    fn needs(&self) -> &Needs {
        &self.needs
    }

    async fn evaluate(&self, question: &Question<'_>) -> Result<Evaluation, PolicyError> {
        Ok(Evaluation::new(
            (self.decide)(question),
            self.revision.clone(),
        ))
    }

    fn revision(&self) -> &PolicyRevision {
        &self.revision
    }
}

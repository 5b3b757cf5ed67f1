//! Where data came from, where it went, and who authorised it.

use crate::lineage::{Answer, Limits, Question};

use super::Countersign;

/// The question could not be answered: the log could not be read, or a record in it does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lineage could not be read: {0}")]
pub struct LineageError(String);

impl Countersign {
    /// Answers a question about the lineage of this log, from signed records.
    ///
    /// It is for the host and whoever operates it: no agent and no reviewer holds a handle that answers it. What an
    /// answer leaves out for its [`Limits`] it says itself.
    ///
    /// ```no_run
    /// # use countersign::host::Countersign;
    /// use countersign::action::Dataset;
    /// use countersign::lineage::{Limits, Node, Question};
    ///
    /// # async fn example(countersign: &Countersign) -> Result<(), Box<dyn std::error::Error>> {
    /// let file = Dataset::new("file://host", "/out/customers.csv").reference();
    /// let answer = countersign.lineage(Question::Provenance(Node::Dataset(file)), Limits::default()).await?;
    /// for authorisation in answer.authorisations() {
    ///     println!("request {} had {} counted votes", authorisation.request, authorisation.votes.len());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`LineageError`] if the log cannot be read or a record does not verify; then there is no answer at all.
    pub async fn lineage(
        &self,
        question: Question,
        limits: Limits,
    ) -> Result<Answer, LineageError> {
        let answered = self.parts.ledger.lineage(question, limits).await;
        answered.map_err(|error| LineageError(error.to_string()))
    }
}

//! People who do what the test says.

use async_trait::async_trait;

use crate::action::{PrincipalId, PrincipalKind, RequestId};
use crate::clock::{Clock, ManualClock};
use crate::desk::{DeskError, ReviewDesk, VoteRefused, Voted};
use crate::identity::{
    AdapterName, Approver, AuthMethod, Authenticator, NotProven, Presented, Proven,
};

/// Believes whoever names himself: for tests only, and records say `scripted`.
#[derive(Debug)]
pub struct NamedOnly {
    method: AuthMethod,
    clock: ManualClock,
}

impl NamedOnly {
    #[expect(clippy::expect_used, reason = "the text is a method's name")]
    pub(crate) fn new(clock: ManualClock) -> Self {
        Self {
            method: AuthMethod::new("scripted").expect("a method's name"),
            clock,
        }
    }
}

#[async_trait]
impl Authenticator for NamedOnly {
    fn method(&self) -> &AuthMethod {
        &self.method
    }

    async fn verify(&self, presented: &Presented) -> Result<Proven, NotProven> {
        let field = |name| {
            presented
                .field(name)
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .ok_or(NotProven::Malformed)
        };
        Ok(Proven {
            who: PrincipalId::new(field("issuer")?, field("subject")?)
                .map_err(|_| NotProven::Malformed)?,
            kind: PrincipalKind::Human,
            at: self.clock.now(),
            assurance: None,
            session: None,
            adapter: presented.adapter().clone(),
            expires: None,
        })
    }
}

/// One person at the desk.
#[derive(Debug)]
pub struct ScriptedReviewer {
    desk: ReviewDesk,
    issuer: String,
    subject: String,
}

impl ScriptedReviewer {
    pub(crate) fn new(desk: ReviewDesk, issuer: &str, subject: &str) -> Self {
        Self {
            desk,
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        }
    }

    /// Signs in.
    ///
    /// # Errors
    /// [`NotProven`] if the directory does not know the person.
    pub async fn sign_in(&self) -> Result<Approver, NotProven> {
        let adapter = AdapterName::new("scripted").map_err(|_| NotProven::Malformed)?;
        let presented = Presented::on(adapter)
            .with("issuer", self.issuer.as_str())
            .with("subject", self.subject.as_str());
        self.desk.admit(presented).await
    }

    /// Opens a request and approves it.
    ///
    /// # Errors
    /// [`VoteRefused`].
    pub async fn approve(&self, request: RequestId) -> Result<Voted, VoteRefused> {
        let by = self.signed_in().await?;
        let review = self.desk.open(&by, request).await?;
        self.desk.vote(&by, review.approve()).await
    }

    /// Opens a request and denies it.
    ///
    /// # Errors
    /// [`VoteRefused`].
    pub async fn deny(&self, request: RequestId) -> Result<Voted, VoteRefused> {
        let by = self.signed_in().await?;
        let review = self.desk.open(&by, request).await?;
        self.desk.vote(&by, review.deny()).await
    }

    async fn signed_in(&self) -> Result<Approver, VoteRefused> {
        self.sign_in()
            .await
            .map_err(|_| VoteRefused::from(DeskError::NotFound))
    }
}

//! Who reviews in the quickstart, and the sign-in that believes them. A real host checks a token here.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use countersign::action::{PrincipalId, PrincipalKind, RequestId};
use countersign::clock::{Clock, SystemClock};
use countersign::desk::{DeskError, Filter, Listed, Page, ReviewDesk};
use countersign::identity::{
    AdapterName, Approver, AuthMethod, Authenticator, NotProven, Presented, Proven,
};

/// Somebody who can be played.
#[derive(Debug, Clone, Copy)]
pub struct Player {
    pub subject: &'static str,
    pub what: &'static str,
}

pub const RITA: Player = Player {
    subject: "rita",
    what: "of security",
};
pub const DAN: Player = Player {
    subject: "dan",
    what: "of data-owners",
};
pub const OLGA: Player = Player {
    subject: "olga",
    what: "who controls the agent",
};

impl std::fmt::Display for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "demo/{} {}", self.subject, self.what)
    }
}

/// Believes whoever says to be somebody. Records name the method, so that nobody takes such a vote for more than it is.
#[derive(Debug)]
pub struct DemoSignIn {
    method: AuthMethod,
}

impl DemoSignIn {
    pub fn by(method: AuthMethod) -> Arc<dyn Authenticator> {
        Arc::new(Self { method })
    }
}

#[async_trait]
impl Authenticator for DemoSignIn {
    fn method(&self) -> &AuthMethod {
        &self.method
    }

    async fn verify(&self, presented: &Presented) -> Result<Proven, NotProven> {
        let subject = presented
            .field("says-to-be")
            .ok_or(NotProven::NoSuchMethod)?;
        let subject = std::str::from_utf8(subject).map_err(|_| NotProven::Malformed)?;
        Ok(Proven {
            who: PrincipalId::new("demo", subject).map_err(|_| NotProven::Malformed)?,
            kind: PrincipalKind::Human,
            at: SystemClock.now(),
            assurance: None,
            session: None,
            adapter: presented.adapter().clone(),
            expires: None,
        })
    }
}

/// Signs a player in.
pub async fn sign_in(desk: &ReviewDesk, player: Player) -> Result<Approver, NotProven> {
    let adapter = AdapterName::new("quickstart").map_err(|_| NotProven::Malformed)?;
    desk.admit(Presented::on(adapter).with("says-to-be", player.subject))
        .await
}

/// What still waits for somebody, as far as this person may see.
pub async fn pending(desk: &ReviewDesk, by: &Approver) -> Result<Vec<Listed>, DeskError> {
    let (mut page, mut pending) = (Page::default(), Vec::new());
    loop {
        let listing = desk.pending(by, &Filter::default(), page).await?;
        pending.extend(listing.requests);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(pending),
        }
    }
}

/// Whether a request still waits for somebody, as far as this person may see.
pub async fn waits(
    desk: &ReviewDesk,
    by: &Approver,
    request: RequestId,
) -> Result<bool, DeskError> {
    let pending = pending(desk, by).await?;
    Ok(pending.iter().any(|listed| listed.request == request))
}

/// Says which requests of earlier runs still wait, in a log that was there before.
pub async fn tell_open(
    desk: &ReviewDesk,
    players: &[Player],
) -> Result<(), crate::effects::Failed> {
    let mut open = BTreeMap::new();
    for player in players {
        let approver = sign_in(desk, *player).await?;
        for listed in pending(desk, &approver).await? {
            open.insert(listed.request, listed);
        }
    }
    match open.len() {
        0 => return Ok(()),
        1 => say!("\n1 request of an earlier run is still open:"),
        more => say!("\n{more} requests of earlier runs are still open:"),
    }
    for listed in open.values() {
        say!(
            "   {}, as request {}, until {}",
            listed.action,
            listed.request,
            listed.expires
        );
    }
    Ok(())
}

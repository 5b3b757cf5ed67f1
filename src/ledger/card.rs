//! The card of a request as its records tell it.

use crate::action::{Bound, Rebuilt, Unbound, unbind};
use crate::approval::{Hidden, Outcome, RequestState, Status};
use crate::clock::Timestamp;
use crate::notify::{Card, CardSource, Progress, Sensitive, Settled, Waiting};

/// Rebuilds what was bound; `None` if a value of it was erased or does not fit its record.
pub(crate) fn rebuild(bound: &Bound) -> Option<Unbound> {
    let find = |digest: &_| {
        let mut all = bound.disclosures().iter();
        all.find(|disclosure| disclosure.digest() == *digest)
            .cloned()
    };
    unbind(bound.form(), &find).ok()
}

/// The card; `None` if nobody was ever asked, or a value that has to be shown was erased.
pub(crate) fn card_of(
    state: &RequestState,
    sensitive: Sensitive,
    waiting: Waiting,
) -> Option<Card> {
    let unbound = rebuild(state.bound())?;
    let requested = state.requested();
    let known =
        |text: &Option<Hidden<String>>| text.as_ref().and_then(|text| text.known().cloned());
    let chain = unbound.chain()?;
    let Rebuilt::Action(action) = unbound.action else {
        return None;
    };
    let action = action.with_justification(known(&requested.because));
    let reason = known(&requested.reason);
    let card = Card::new(&CardSource {
        request: state.request(),
        action: &action,
        chain: &chain,
        session: &unbound.session,
        digest: state.digest(),
        requirement: state.requirement()?,
        rules: &requested.decision.rules,
        reason: reason.as_deref(),
        asked: state.filed(),
        expires: state.asked_until()?,
        sensitive,
    });
    Some(card.with_progress(Progress {
        approvals: state.counting().len(),
        missing: state.shortfalls(),
        waiting,
    }))
}

/// How a request was settled; `None` while people are wanted.
pub(crate) fn settled(state: &RequestState, now: Timestamp) -> Option<Settled> {
    Some(match state.status(now) {
        Status::Pending { .. } => return None,
        Status::Denied => Settled::DeniedByPolicy,
        Status::Approved { .. } => Settled::Approved,
        Status::Running { .. } => Settled::Started,
        Status::Unresolved { .. } => Settled::Unresolved,
        Status::Finished { outcome, .. } => match outcome {
            Outcome::Succeeded => Settled::Succeeded,
            Outcome::Failed => Settled::Failed,
            Outcome::Unknown => Settled::Unresolved,
        },
        Status::Rejected { .. } => Settled::Rejected,
        Status::Withdrawn => Settled::Withdrawn,
        Status::Superseded { .. } => Settled::Superseded,
        Status::Cancelled => Settled::Cancelled,
        Status::Revoked => Settled::Revoked,
        Status::Expired { .. } => Settled::Expired,
        Status::Reconciled { .. } => Settled::Reconciled,
    })
}

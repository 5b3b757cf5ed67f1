//! What every [`Notifier`] must do, as a check that implementers run.

use super::{
    Card, DeliveryError, MessageRef, NameError, Notice, NoticeId, Notifier, Settled, Settlement,
};

/// A rule of the contract that a notifier does not keep.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unmet {
    /// It did not take a notice.
    #[error("{what} was not taken")]
    NotTaken {
        /// Which notice.
        what: &'static str,
        /// What it said.
        #[source]
        error: DeliveryError,
    },
    /// It behaved otherwise.
    #[error("{0}")]
    Broken(&'static str),
    /// The check could not name its notices.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Delivers the notices of one request's life, the first of them twice as after a lost answer.
///
/// It sees what the notifier returns, not what people see: that a repeated notice is one message, that a settled one offers
/// nothing any more, and that a card beyond the limits offers no approval is for the implementer to look at on the channel,
/// for which this leaves the messages there.
///
/// # Errors
/// The first rule that the notifier does not keep.
pub async fn check(notifier: &dyn Notifier, card: &Card) -> Result<(), Unmet> {
    let channel = notifier.channel().clone();
    let limits = notifier.limits().clone();
    let ask = Notice::Ask {
        id: NoticeId::new("conformance-ask")?,
        card: card.clone(),
    };
    let remind = Notice::Remind {
        id: NoticeId::new("conformance-remind")?,
        card: card.clone(),
    };
    let settle = Notice::Settle {
        id: NoticeId::new("conformance-settle")?,
        settlement: Settlement {
            what: Settled::Withdrawn,
            at: card.expires(),
            card: card.clone(),
        },
    };
    let first = taken(notifier, "the first notice", &ask, None).await?;
    let again = taken(notifier, "the same notice again", &ask, Some(&first)).await?;
    if again != first {
        return Err(Unmet::Broken("the same notice again is the same message"));
    }
    let reminded = taken(notifier, "a reminder", &remind, Some(&again)).await?;
    taken(notifier, "a settlement", &settle, Some(&reminded)).await?;
    taken(
        notifier,
        "a settlement of what was never asked here",
        &settle,
        None,
    )
    .await?;
    if *notifier.channel() != channel || *notifier.limits() != limits {
        return Err(Unmet::Broken("the channel's name and limits stay the same"));
    }
    Ok(())
}

async fn taken(
    notifier: &dyn Notifier,
    what: &'static str,
    notice: &Notice,
    earlier: Option<&MessageRef>,
) -> Result<MessageRef, Unmet> {
    let delivered = notifier.deliver(notice, earlier).await;
    delivered.map_err(|error| Unmet::NotTaken { what, error })
}

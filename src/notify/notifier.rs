//! The plug that tells people about requests.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{ChannelName, MessageRef, Notice};

/// Tells people on one channel that a request waits for them, and how it ended.
///
/// # Contract
///
/// - **A notifier never decides.** One that also collects answers is given a desk by its host and hands answers to that.
/// - **Everything or no approval.** A card that does not fit [`limits`](Notifier::limits)
///   ([`Card::fits`](super::Card::fits)) is shown in short, and then the channel offers to open the request in full
///   and to deny it, never to approve it. No value is cut, folded or left out silently.
/// - **Values stay values.** Everything that a card gives out as text has its control, invisible and look-alike code
///   points made visible ([`visible`](super::visible())). The channel escapes on top what its own syntax would read: markup,
///   mentions, links, templates.
/// - **Order.** The facts come first and what the agent says comes last, under the label that says so.
/// - **At least once.** The same notice may be delivered again, with the same id; it must not become a second message
///   where the channel can avoid it. `earlier` is the mark of the message that this request has on this channel
///   already: a reminder refers to it, a settlement rewrites it so that it offers nothing any more. Reminders may come; nothing
///   in this edition schedules them.
/// - **Durable on `Ok`.** The returned mark is stored. An error means that nothing is known to have been sent.
/// - `deliver` may be called for several requests at once, may be dropped at any await, and then the notice comes again.
///   It should end within a few seconds.
/// - Deliveries do not hold up the gate: a channel that is down delays its own messages and nothing else.
///
/// A notifier that shows something else than the card makes people approve what they did not see.
///
/// # Implementing
///
/// ```
/// use std::io::Write as _;
/// use async_trait::async_trait;
/// use countersign::notify::{
///     ChannelName, DeliveryError, Limits, MessageRef, Notice, Notifier, Page, render,
/// };
///
/// /// Appends every notice to a file, for whoever reads along.
/// #[derive(Debug)]
/// struct ToFile {
///     channel: ChannelName,
///     limits: Limits,
///     path: std::path::PathBuf,
/// }
///
/// #[async_trait]
/// impl Notifier for ToFile {
///     fn channel(&self) -> &ChannelName {
///         &self.channel
///     }
///
///     fn limits(&self) -> &Limits {
///         &self.limits
///     }
///
///     async fn deliver(
///         &self,
///         notice: &Notice,
///         _earlier: Option<&MessageRef>,
///     ) -> Result<MessageRef, DeliveryError> {
///         let text = match notice {
///             Notice::Ask { card, .. } | Notice::Remind { card, .. } => {
///                 render(card, &self.limits, &Page::default()).into_text()
///             }
///             Notice::Settle { settlement, .. } => format!("{}\n", settlement.sentence()),
///         };
///         let write = || -> std::io::Result<()> {
///             let mut file = std::fs::File::options().append(true).create(true).open(&self.path)?;
///             file.write_all(text.as_bytes())?;
///             file.sync_all()
///         };
///         write().map_err(|_| DeliveryError::Later {
///             after: std::time::Duration::from_secs(10),
///         })?;
///         MessageRef::new(&notice.request().to_string())
///             .map_err(|_| DeliveryError::Never { code: "no_mark" })
///     }
/// }
/// ```
#[async_trait]
pub trait Notifier: Debug + Send + Sync + 'static {
    /// The channel's name, the same in every process and for as long as its messages are kept.
    fn channel(&self) -> &ChannelName;

    /// What this channel can show at once; beyond it a card loses its approval.
    fn limits(&self) -> &Limits;

    /// Sends one notice, or rewrites the message that `earlier` marks.
    ///
    /// # Errors
    /// [`DeliveryError`] if nothing was sent.
    async fn deliver(
        &self,
        notice: &Notice,
        earlier: Option<&MessageRef>,
    ) -> Result<MessageRef, DeliveryError>;
}

#[async_trait]
impl<T: Notifier + ?Sized> Notifier for Arc<T> {
    fn channel(&self) -> &ChannelName {
        (**self).channel()
    }

    fn limits(&self) -> &Limits {
        (**self).limits()
    }

    async fn deliver(
        &self,
        notice: &Notice,
        earlier: Option<&MessageRef>,
    ) -> Result<MessageRef, DeliveryError> {
        (**self).deliver(notice, earlier).await
    }
}

/// How much a channel can show at once. All lengths are in Unicode scalar values, after everything was made visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All labels and values of the card together.
    pub max_chars: usize,
    /// The number of facts.
    pub max_fields: usize,
    /// The longest single value.
    pub max_field_chars: usize,
}

impl Limits {
    /// No limit: for a page that can be as long as it must.
    pub const UNLIMITED: Self = Self {
        max_chars: usize::MAX,
        max_fields: usize::MAX,
        max_field_chars: usize::MAX,
    };
}

/// Why a notice was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The channel may take it later.
    #[error("the channel cannot take the notice now")]
    Later {
        /// The wait that the channel asks for; the courier waits longer where attempts go on failing.
        after: Duration,
    },
    /// The channel will never take it.
    #[error("the channel refuses the notice: {code}")]
    Never {
        /// A word of the channel's own, for operators, never part of a message.
        code: &'static str,
    },
}

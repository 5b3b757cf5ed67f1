//! Notices for a host that shows them itself.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt as _, channel::mpsc, lock::Mutex};

use super::{ChannelName, DeliveryError, Limits, MessageRef, NameError, Notice, Notifier};

/// How long a courier waits when the queue is full.
const WHEN_FULL: Duration = Duration::from_secs(1);

/// A [`Notifier`] that hands notices to the host's own code in the same process, through a queue of bounded length.
///
/// The host sees every card, whatever its size; what it shows is its own matter. Where the host shows only a part, it must
/// not offer to approve.
///
/// ```
/// use countersign::notify::InProcessNotifier;
///
/// let (notifier, mut notices) = InProcessNotifier::new("ui", 64)?;
/// assert!(notices.waiting().is_none());
/// # Ok::<(), countersign::notify::NameError>(())
/// ```
pub struct InProcessNotifier {
    channel: ChannelName,
    queue: Mutex<mpsc::Sender<Notice>>,
}

impl InProcessNotifier {
    /// The notifier of the channel of this name, and where its notices come out. At most `capacity` notices wait; then
    /// the courier keeps the others and tries again.
    ///
    /// # Errors
    /// If `channel` is no [`ChannelName`].
    pub fn new(channel: &str, capacity: usize) -> Result<(Self, Notices), NameError> {
        // Every sender of this kind of queue has a place of its own beside the shared ones.
        let (queue, notices) = mpsc::channel(capacity.saturating_sub(1));
        let notifier = Self {
            channel: ChannelName::new(channel)?,
            queue: Mutex::new(queue),
        };
        Ok((notifier, Notices { notices }))
    }
}

impl fmt::Debug for InProcessNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcessNotifier")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for InProcessNotifier {
    fn channel(&self) -> &ChannelName {
        &self.channel
    }

    fn limits(&self) -> &Limits {
        &Limits::UNLIMITED
    }

    async fn deliver(
        &self,
        notice: &Notice,
        earlier: Option<&MessageRef>,
    ) -> Result<MessageRef, DeliveryError> {
        let mark = match earlier {
            Some(mark) => mark.clone(),
            None => MessageRef::new(&notice.request().to_string())
                .map_err(|_| DeliveryError::Never { code: "no_mark" })?,
        };
        match self.queue.lock().await.try_send(notice.clone()) {
            Ok(()) => Ok(mark),
            Err(error) if error.is_full() => Err(DeliveryError::Later { after: WHEN_FULL }),
            Err(_) => Err(DeliveryError::Never {
                code: "nobody_listens",
            }),
        }
    }
}

/// Where the notices of an [`InProcessNotifier`] come out.
pub struct Notices {
    notices: mpsc::Receiver<Notice>,
}

impl Notices {
    /// Waits for the next notice; `None` once the notifier is gone. Needs no particular runtime.
    pub async fn next(&mut self) -> Option<Notice> {
        self.notices.next().await
    }

    /// The next notice, if one waits already.
    pub fn waiting(&mut self) -> Option<Notice> {
        self.notices.try_recv().ok()
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

//! A channel that remembers what it was told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::notify::{ChannelName, DeliveryError, Limits, MessageRef, Notice, Notifier};

/// Remembers every notice, and fails as often as the test wants.
#[derive(Debug, Clone, Default)]
pub struct ScriptedNotifier {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    channel: ChannelName,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    notices: Vec<Notice>,
    failures: u32,
}

impl Default for Inner {
    #[expect(clippy::expect_used, reason = "the text is a channel's name")]
    fn default() -> Self {
        Self {
            channel: ChannelName::new("scripted").expect("a channel's name"),
            said: Mutex::default(),
        }
    }
}

impl ScriptedNotifier {
    /// A channel named `scripted` that delivers everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the next deliveries fail, to be tried again later.
    pub fn fail_next(&self, times: u32) {
        self.lock().failures = times;
    }

    /// What was delivered so far.
    #[must_use]
    pub fn delivered(&self) -> Vec<Notice> {
        self.lock().notices.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.inner
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Notifier for ScriptedNotifier {
    fn channel(&self) -> &ChannelName {
        &self.inner.channel
    }

    fn limits(&self) -> &Limits {
        &Limits::UNLIMITED
    }

    async fn deliver(
        &self,
        notice: &Notice,
        _earlier: Option<&MessageRef>,
    ) -> Result<MessageRef, DeliveryError> {
        let mut said = self.lock();
        if said.failures > 0 {
            said.failures -= 1;
            return Err(DeliveryError::Later {
                after: Duration::from_secs(1),
            });
        }
        said.notices.push(notice.clone());
        MessageRef::new(notice.id().as_str()).map_err(|_| DeliveryError::Later {
            after: Duration::from_secs(1),
        })
    }
}

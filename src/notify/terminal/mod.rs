//! A reviewer at the controlling terminal.

mod dialogue;
mod tty;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    env, fmt,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt as _, executor::block_on, future::BoxFuture};

use crate::action::RequestId;

use super::{
    Answer, ChannelName, Choice, DeliveryError, Limits, MessageRef, NameError, Notice, Notifier,
    Responder, Said,
};

use self::{
    dialogue::{Dialogue, Reply, alphabet},
    tty::Tty,
};

/// The terminal that a process is controlled by, whatever its standard input and output are.
const CONTROLLING: &str = "/dev/tty";

/// Notices that wait for the person before; beyond that the courier keeps them.
const QUEUE: usize = 256;

/// How long a courier waits when the queue is full.
const WHEN_FULL: Duration = Duration::from_secs(2);

/// What a person can read at a terminal before deciding. Longer cards are opened elsewhere.
const LIMITS: Limits = Limits {
    max_chars: 32_768,
    max_fields: 200,
    max_field_chars: 8_192,
};

/// A [`Notifier`] that asks one person after the other at the controlling terminal.
///
/// It opens `/dev/tty` and leaves standard input and output alone, which may belong to a protocol. One request is asked at
/// a time, on a thread of its own. Everything that was typed before a prompt is thrown away, and an approval is
/// `approve` with the first six digits of the digest on the screen, so that no approval can be typed ahead or by habit:
///
/// | typed | means |
/// |---|---|
/// | `approve 3fa9c1` | approves what is on the screen |
/// | `deny`, `deny too many rows` | denies it, with a comment |
/// | an empty line, end of input, Ctrl-C | denies it |
/// | `later` | decides nothing: it is asked again when the host delivers a [`Notice::Remind`] of it |
/// | anything else | decides nothing: the prompt comes again |
///
/// The prompt says where a denial calls the request off, since whoever denies has an interest in it ([`Denial`](super::Denial)).
///
/// A card that does not fit the terminal's [`limits`](Notifier::limits) can only be denied there. Nothing that is written
/// has an escape sequence or any other control character but ends of lines: there are no colours, and `NO_COLOR` and
/// `TERM=dumb` change nothing in that; `TERM=dumb` and a locale without UTF-8 also mean ASCII alone.
///
/// If the terminal goes away, nothing is decided and what waits for it stays open.
///
/// Nothing in this edition schedules reminders: a host that wants a request asked again after `later` delivers one itself.
pub struct Terminal {
    channel: ChannelName,
    queue: mpsc::SyncSender<Notice>,
}

impl Terminal {
    /// Opens the controlling terminal.
    ///
    /// # Errors
    /// [`TerminalError`] if the process has none; then nobody can be asked here, and nothing is approved.
    pub fn open() -> Result<(Self, Answers), TerminalError> {
        Self::open_at(CONTROLLING)
    }

    /// Opens another terminal, by the path of its device.
    ///
    /// # Errors
    /// [`TerminalError`] if it cannot be opened or is no terminal.
    pub fn open_at(device: impl AsRef<Path>) -> Result<(Self, Answers), TerminalError> {
        let tty = Tty::open(device.as_ref())?;
        let (queue, notices) = mpsc::sync_channel(QUEUE);
        let (answers, responder) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("countersign-terminal".to_owned())
            .spawn(move || {
                // Without a responder there is nobody to answer to, and the queue closes.
                if let Ok(responder) = responder.recv() {
                    let dialogue = Dialogue::at(tty, LIMITS, alphabet(|name| env::var(name).ok()));
                    serve(dialogue, &notices, responder);
                }
            })
            .map_err(TerminalError::NoThread)?;
        let terminal = Self {
            channel: ChannelName::new("terminal")?,
            queue,
        };
        Ok((terminal, Answers { responder: answers }))
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for Terminal {
    fn channel(&self) -> &ChannelName {
        &self.channel
    }

    fn limits(&self) -> &Limits {
        &LIMITS
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
        match self.queue.try_send(notice.clone()) {
            Ok(()) => Ok(mark),
            Err(mpsc::TrySendError::Full(_)) => Err(DeliveryError::Later { after: WHEN_FULL }),
            Err(mpsc::TrySendError::Disconnected(_)) => Err(DeliveryError::Never {
                code: "terminal_gone",
            }),
        }
    }
}

/// The answers of a [`Terminal`], before it is said who takes them.
#[derive(Debug)]
#[must_use = "nobody is asked until the answers are served"]
pub struct Answers {
    responder: mpsc::SyncSender<Arc<dyn Responder>>,
}

impl Answers {
    /// Begins to ask, and hands the answers to this responder from now on.
    pub fn serve(self, responder: impl Responder) {
        // The thread waits for this; if it is gone, so is the terminal, and deliveries say so.
        let _ = self.responder.send(Arc::new(responder));
    }
}

/// Why nobody can be asked at a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TerminalError {
    /// There is no such terminal, or this process may not use it.
    #[error("there is no terminal to ask at: start this from one, or configure another channel")]
    NoTerminal(#[source] std::io::Error),
    /// The device is something else.
    #[error("the device is no terminal: name one, or configure another channel")]
    NotATerminal,
    /// No thread could be started for it.
    #[error("no thread can be started for the terminal")]
    NoThread(#[source] std::io::Error),
    /// The channel has no proper name.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Asks about one request after the other, until the notifier or the terminal is gone.
fn serve(mut dialogue: Dialogue, notices: &mpsc::Receiver<Notice>, responder: Arc<dyn Responder>) {
    let mut asked = BTreeSet::new();
    while let Ok(notice) = notices.recv() {
        let went_on = match notice {
            Notice::Ask { card, .. } | Notice::Remind { card, .. } => {
                asked.insert(card.request());
                ask(&mut dialogue, card.request(), &*responder)
            }
            Notice::Settle { settlement, .. } if asked.contains(&settlement.card.request()) => {
                dialogue.say(&settlement.sentence())
            }
            Notice::Settle { .. } => Ok(()),
        };
        if went_on.is_err() {
            return;
        }
    }
}

/// Asks about one request until nobody here is to answer it, or somebody puts it off.
fn ask(
    dialogue: &mut Dialogue,
    request: RequestId,
    responder: &dyn Responder,
) -> std::io::Result<()> {
    while let Some(to_review) = caught(responder.review(request)).flatten() {
        let (choice, said, comment, ticket) = match dialogue.ask(&to_review)? {
            Reply::Approve { reason, ticket } => (Choice::Approve, Said::InWords, reason, ticket),
            Reply::Deny { comment } => (Choice::Deny, Said::InWords, comment, None),
            Reply::Nothing => (Choice::Deny, Said::Nothing, None, None),
            Reply::Later => return Ok(()),
        };
        let answer = Answer {
            reviewer: to_review.reviewer,
            card: to_review.card,
            choice,
            said,
            comment,
            ticket,
        };
        match caught(responder.answer(answer)) {
            Some(Ok(sentence)) => dialogue.say(&sentence)?,
            Some(Err(sentence)) => {
                dialogue.say(&sentence)?;
                if said == Said::Nothing {
                    // Nobody seems to be there; asking again at once would not end.
                    return Ok(());
                }
            }
            None => {
                dialogue.say("the answer could not be taken")?;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The result of a future, or nothing if it panicked: this thread outlives the mistakes of its responder.
fn caught<T>(future: BoxFuture<'_, T>) -> Option<T> {
    block_on(std::panic::AssertUnwindSafe(future).catch_unwind()).ok()
}

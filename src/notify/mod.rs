//! Telling people about requests: the card that they are shown, and the plug that carries it.
//!
//! A [`Card`] is made from the bound action, the chain and the requirement. Everything in it was made [`visible`], so that
//! nothing hides in it and nothing passes for something else, and what the agent says comes last and under its own label. A [`Notifier`] carries
//! notices to one channel and decides nothing. A card that does not fit a channel loses its approval there; [`render`] writes
//! it as plain text by these rules.
//!
//! Two channels are here: [`InProcessNotifier`] hands notices to the host's own code, and with the feature `terminal`
//! `Terminal` asks at the controlling terminal.

mod card;
mod channel;
mod columns;
pub mod conformance;
mod names;
mod notice;
mod notifier;
mod render;
mod responder;
#[cfg(feature = "terminal")]
mod terminal;
mod visible;

#[cfg(test)]
mod tests;

#[cfg(feature = "terminal")]
pub use self::terminal::{Answers, Terminal, TerminalError};
pub use self::{
    card::{Card, CardSource, Fact, Progress, Section, Sensitive, TooMuch, Waiting},
    channel::{InProcessNotifier, Notices},
    names::{ChannelName, MessageRef, NameError, NoticeId},
    notice::{Notice, Settled, Settlement},
    notifier::{DeliveryError, Limits, Notifier},
    render::{Alphabet, Page, Rendered, render},
    responder::{Answer, Choice, Denial, Responder, Said, ToReview},
    visible::{all_ascii, from_visible, quoted, visible},
};

//! Names and marks that tie a notice to a channel.

use std::{fmt, str::FromStr};

/// The longest name of a channel, in bytes.
const LONGEST_CHANNEL: usize = 32;

/// The longest id of a notice, in bytes.
const LONGEST_NOTICE: usize = 128;

/// The longest mark of a message, in bytes.
const LONGEST_MESSAGE: usize = 1024;

/// A text that is no name of a channel, id of a notice or mark of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not the name of a channel.
    #[error(
        "not a channel: use 1 to 32 of the characters a-z, 0-9, `_` and `-`, beginning with a letter"
    )]
    Channel,
    /// Not the id of a notice.
    #[error("not the id of a notice: use 1 to 128 visible ASCII characters")]
    Notice,
    /// Not the mark of a message.
    #[error("not the mark of a message: use 1 to 1024 visible ASCII characters")]
    Message,
}

/// The name of a channel, such as `terminal`: `[a-z][a-z0-9_-]{0,31}`.
///
/// It keys the outbox and the messages that were sent, so it stays the same as long as either is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(String);

/// Identifies one notice on one channel, the same at every delivery of it: 1 to 128 visible ASCII characters.
///
/// Delivery is at least once; a channel that has this id already repeats nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoticeId(String);

/// A channel's own mark of a message that it sent, by which it finds it again: 1 to 1024 visible ASCII characters.
///
/// Only the channel reads it. It is stored beside the request and holds no credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageRef(String);

fn visible_ascii(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn channel(text: &str) -> bool {
    text.len() <= LONGEST_CHANNEL
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        })
}

macro_rules! text {
    ($name:ident, $fits:expr, $error:expr) => {
        impl $name {
            /// What `text` spells.
            ///
            /// # Errors
            /// If it is outside of the grammar above.
            pub fn new(text: &str) -> Result<Self, NameError> {
                if $fits(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err($error)
                }
            }

            /// The same as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    };
}

text!(ChannelName, channel, NameError::Channel);
text!(
    NoticeId,
    |text| visible_ascii(text, LONGEST_NOTICE),
    NameError::Notice
);
text!(
    MessageRef,
    |text| visible_ascii(text, LONGEST_MESSAGE),
    NameError::Message
);

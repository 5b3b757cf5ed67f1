//! Ids that the library gives: UUIDs in one spelling.

use std::{fmt, str::FromStr};

use thiserror::Error;
use uuid::{Builder, Uuid};

use super::salt::{NoEntropy, SaltSource};
use crate::clock::Timestamp;

macro_rules! id_types {
    ($(
        $(#[$doc:meta])*
        $name:ident;
    )*) => {$(
        $(#[$doc])*
        ///
        /// An id is no capability: knowing it permits nothing.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id (UUID version 7, RFC 9562), ordered by time to the millisecond.
            ///
            /// # Errors
            /// [`NoEntropy`] if the source has none.
            pub fn new(now: Timestamp, random: &mut dyn SaltSource) -> Result<Self, NoEntropy> {
                version_7(now, random).map(Self)
            }

            /// The id that is this UUID, of whatever version.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// Reads exactly what `Display` writes: 36 characters, lower case, hyphenated.
            ///
            /// # Errors
            /// [`NotAnId`] for any other spelling of a UUID, and for anything else.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::parse(text)
            }
        }
    )*};
}

id_types! {
    /// One request: an action that was filed once.
    RequestId;

    /// One run of an effect.
    ExecutionId;

    /// One opening of a log by a process.
    InstanceId;
}

fn version_7(now: Timestamp, random: &mut dyn SaltSource) -> Result<Uuid, NoEntropy> {
    let millis = now.unix_micros().unsigned_abs() / 1000;
    let salt = random.salt()?;
    let random = salt.as_bytes().first_chunk().ok_or(NoEntropy)?;
    Ok(Builder::from_unix_timestamp_millis(millis, random).into_uuid())
}

fn parse(text: &str) -> Result<Uuid, NotAnId> {
    let uuid = Uuid::try_parse(text).map_err(|_| NotAnId)?;
    let mut buffer = Uuid::encode_buffer();
    if *uuid.hyphenated().encode_lower(&mut buffer) == *text {
        Ok(uuid)
    } else {
        Err(NotAnId)
    }
}

/// The text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an id is a UUID, written as 36 characters in lower case with hyphens")]
pub struct NotAnId;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::action::salt::SeededSalts;

    #[test]
    fn new_ids_are_of_version_7_and_ordered_by_time() {
        let mut random = SeededSalts::new(1);
        let early = Timestamp::parse("2026-03-01T09:30:00.000000Z").unwrap();
        let late = Timestamp::parse("2026-03-01T09:30:00.001000Z").unwrap();
        let first = RequestId::new(early, &mut random).unwrap();
        let second = RequestId::new(late, &mut random).unwrap();
        assert_eq!(first.as_uuid().get_version_num(), 7);
        assert!(first < second);
        assert_ne!(first, RequestId::new(early, &mut random).unwrap());
    }

    #[test]
    fn an_id_has_one_spelling() {
        let text = "0195507a-3dc0-7b54-8000-00000000beef";
        let id = RequestId::parse(text).unwrap();
        assert_eq!(id.to_string(), text);
        for wrong in [
            "",
            &text.to_uppercase(),
            &text.replace('-', ""),
            &format!("{{{text}}}"),
            &format!("urn:uuid:{text}"),
            &format!("{text} "),
        ] {
            assert_eq!(RequestId::parse(wrong), Err(NotAnId), "{wrong}");
        }
    }
}

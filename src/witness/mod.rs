//! Witnesses: others who keep the head of a log and cosign the next one only if it goes on from there (C2SP tlog-witness).
//!
//! Once a quorum of them has cosigned a checkpoint, whoever holds the log's keys can no longer show somebody else another history of the
//! same length; and a store that was set back, or written anew, is told so by the first witness that it asks.
//!
//! [`Witnesses`] is the client. It reaches them through a [`Transport`], which hosts bring themselves; with the feature
//! `witness-http` there is one.

mod alarm;
mod answer;
mod client;
#[cfg(feature = "witness-http")]
mod http;
mod transport;

pub use self::{
    alarm::{Alarm, Evidence, Sign},
    answer::BadAnswer,
    client::{Submitted, Trouble, Witnesses},
    transport::{Call, MOST_RESPONSE_BYTES, Request, Response, Transport, TransportError},
};

#[cfg(feature = "witness-http")]
pub use self::http::HttpTransport;

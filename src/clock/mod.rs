//! The only place that reads time, and the only way a thread of this library sleeps.
//!
//! [`Clock`] is a plug: [`SystemClock`] outside of tests, [`ManualClock`] in them. A thread that has
//! nothing to do sleeps in [`Clock::park`] on its own [`Bell`], which others ring.

mod bell;
mod manual;
mod system;
mod timestamp;

#[cfg(test)]
mod tests;

use std::{fmt::Debug, sync::Arc, time::Duration};

pub use self::{
    bell::Bell,
    manual::ManualClock,
    system::SystemClock,
    timestamp::{NotATimestamp, Timestamp},
};

#[cfg(feature = "sqlite")]
pub(crate) use self::system::age;

/// What time it is, and sleeping until it is later.
///
/// # Contract
///
/// - [`now`](Clock::now) is the wall clock: it may jump, in both directions, and whoever compares
///   instants expects that.
/// - [`monotonic`](Clock::monotonic) never goes back within one process, from any thread. Its zero
///   means nothing.
/// - [`boottime`](Clock::boottime) is the same and goes on while the machine is suspended. `None`
///   means that there is no such clock; then a wall clock that jumps cannot be told from a machine
///   that slept.
/// - [`park`](Clock::park) returns soon after the bell was rung, also if that was before the call,
///   and takes the ring. It returns when `at_most` has passed, and may return earlier for no reason:
///   the caller looks at the time again and parks again.
/// - No method blocks but `park`, and none panics.
///
/// A clock that stands still keeps requests from expiring; one that is set back makes expired
/// approvals valid again as far as the log's last instant allows.
///
/// # Implementing
///
/// ```
/// use std::time::Duration;
/// use countersign::clock::{Bell, Clock, SystemClock, Timestamp};
///
/// /// The system's clock with the wall taken from elsewhere, such as a time service.
/// #[derive(Debug)]
/// struct Disciplined {
///     system: SystemClock,
///     ahead: Duration,
/// }
///
/// impl Clock for Disciplined {
///     fn now(&self) -> Timestamp {
///         self.system.now().saturating_add(self.ahead)
///     }
///     fn monotonic(&self) -> Duration {
///         self.system.monotonic()
///     }
///     fn boottime(&self) -> Option<Duration> {
///         self.system.boottime()
///     }
///     fn park(&self, bell: &Bell, at_most: Option<Duration>) {
///         self.system.park(bell, at_most);
///     }
/// }
///
/// let clock = Disciplined { system: SystemClock, ahead: Duration::from_secs(60) };
/// assert!(clock.now() > SystemClock.now());
/// ```
pub trait Clock: Debug + Send + Sync + 'static {
    /// The wall clock in UTC, to the microsecond.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, not counting suspended time where the system tells them apart.
    fn monotonic(&self) -> Duration;

    /// Time since some fixed moment, counting suspended time; `None` where no clock tells.
    fn boottime(&self) -> Option<Duration> {
        None
    }

    /// Sleeps until the bell is rung, or at most so long; takes the ring; may return earlier.
    fn park(&self, bell: &Bell, at_most: Option<Duration>);
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }

    fn boottime(&self) -> Option<Duration> {
        (**self).boottime()
    }

    fn park(&self, bell: &Bell, at_most: Option<Duration>) {
        (**self).park(bell, at_most);
    }
}

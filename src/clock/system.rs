use std::{
    sync::LazyLock,
    time::{Duration, Instant, SystemTime},
};

use super::{Bell, Clock, Timestamp};

/// The clocks of the operating system.
///
/// `boottime` is `CLOCK_BOOTTIME` on Linux and Android when the feature `sqlite` or `terminal` is
/// on, and `None` otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A sleeping thread does not notice that the wall clock was set or that the machine was suspended,
/// so nobody sleeps longer than this at once.
const LONGEST_SLICE: Duration = Duration::from_secs(1);

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since_1970) => Timestamp::EPOCH.saturating_add(since_1970),
            Err(_) => Timestamp::EPOCH,
        }
    }

    fn monotonic(&self) -> Duration {
        STARTED.elapsed()
    }

    fn boottime(&self) -> Option<Duration> {
        boottime()
    }

    /// Sleeps for at most a second at once.
    fn park(&self, bell: &Bell, at_most: Option<Duration>) {
        let slice = at_most.map_or(LONGEST_SLICE, |at_most| at_most.min(LONGEST_SLICE));
        bell.wait(Some(slice));
    }
}

/// How long ago a file was changed, by the clock that file systems go by; `None` if that is yet to come.
#[cfg(feature = "sqlite")]
pub(crate) fn age(changed: SystemTime) -> Option<Duration> {
    changed.elapsed().ok()
}

#[cfg(all(
    any(feature = "sqlite", feature = "terminal"),
    any(target_os = "linux", target_os = "android")
))]
fn boottime() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

#[cfg(not(all(
    any(feature = "sqlite", feature = "terminal"),
    any(target_os = "linux", target_os = "android")
)))]
fn boottime() -> Option<Duration> {
    None
}

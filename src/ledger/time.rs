//! Gate time: what every absolute instant of a request is compared with.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};

/// How far the wall and the clock that counts suspend may drift apart within one run.
const TOLERANCE: Duration = Duration::from_secs(5);

/// Gate time = the latest of the wall clock, and the last that was known of gate time plus what has passed since.
///
/// Known are the wall at open, the log's last `ts`, and whatever the wall has shown: a clock that is set back revives nothing, and
/// gate time goes on meanwhile, so that it lengthens nothing either.
#[derive(Debug)]
pub(crate) struct GateTime {
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    reference: Mutex<Option<Reference>>,
}

/// Gate time at a moment of the clock that nobody sets.
#[derive(Debug, Clone, Copy)]
struct Known {
    time: Timestamp,
    monotonic: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Reference {
    wall: Timestamp,
    boot: Duration,
}

impl GateTime {
    pub(crate) fn start(clock: Arc<dyn Clock>) -> Self {
        let wall = clock.now();
        let reference = clock.boottime().map(|boot| Reference { wall, boot });
        Self {
            known: Mutex::new(Known {
                time: wall,
                monotonic: clock.monotonic(),
            }),
            reference: Mutex::new(reference),
            clock,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at_least(self.clock.now())
    }

    /// Takes note of a time, such as a record's, which gate time never falls behind; says what it is now.
    pub(crate) fn at_least(&self, ts: Timestamp) -> Timestamp {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic = self.clock.monotonic();
        let since = monotonic.saturating_sub(known.monotonic);
        let now = known.time.saturating_add(since);
        // Only what leads becomes the new base, or fractions of microseconds would be lost at every look.
        if ts <= now {
            return now;
        }
        *known = Known {
            time: ts,
            monotonic,
        };
        ts
    }

    /// By how much the wall has jumped since the last call, in microseconds, if by more than the tolerance.
    pub(crate) fn jump(&self) -> Option<i64> {
        let boot = self.clock.boottime()?;
        let wall = self.clock.now();
        let mut reference = self
            .reference
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = reference.replace(Reference { wall, boot })?;
        let passed = boot.saturating_sub(before.boot);
        let expected = before.wall.saturating_add(passed);
        let micros = wall.unix_micros() - expected.unix_micros();
        if micros.unsigned_abs() > TOLERANCE.as_micros() as u64 {
            return Some(micros);
        }
        // Slow drift adds up to a jump as well: keep the older reference.
        *reference = Some(before);
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clock::ManualClock;

    fn start() -> (ManualClock, GateTime) {
        let clock = ManualClock::new(Timestamp::from_unix_micros(1_000_000_000_000_000).unwrap());
        let time = GateTime::start(Arc::new(clock.clone()));
        (clock, time)
    }

    #[test]
    fn a_wall_that_is_set_back_revives_nothing() {
        let (clock, time) = start();
        clock.advance(Duration::from_secs(100));
        let before = time.now();
        clock.set_wall(Timestamp::from_unix_micros(5).unwrap());
        assert!(time.now() >= before);
        clock.advance(Duration::from_secs(10));
        assert_eq!(time.now(), before.saturating_add(Duration::from_secs(10)));
    }

    #[test]
    fn gate_time_goes_on_however_far_it_is_ahead_of_the_wall() {
        let (clock, time) = start();
        let wall = clock.now();
        let ahead = wall.saturating_add(Duration::from_secs(3600));
        time.at_least(ahead);
        clock.advance(Duration::from_secs(10));
        assert_eq!(time.now(), ahead.saturating_add(Duration::from_secs(10)));
        // So it does after the wall was ahead itself.
        clock.set_wall(wall.saturating_add(Duration::from_secs(86_400)));
        let ahead = time.now();
        clock.set_wall(wall);
        clock.advance(Duration::from_nanos(1_500));
        clock.advance(Duration::from_nanos(1_500));
        assert_eq!(time.now(), ahead.saturating_add(Duration::from_micros(3)));
    }

    #[test]
    fn only_a_jump_of_more_than_five_seconds_counts_and_it_is_told_once() {
        let (clock, time) = start();
        clock.advance(Duration::from_secs(1000));
        assert_eq!(time.jump(), None);
        let wall = clock.now();
        clock.set_wall(wall.saturating_add(Duration::from_secs(4)));
        assert_eq!(time.jump(), None);
        clock.set_wall(wall.saturating_add(Duration::from_secs(8)));
        assert_eq!(time.jump(), Some(8_000_000));
        assert_eq!(time.jump(), None);
    }

    #[test]
    fn suspend_is_no_jump() {
        let (clock, time) = start();
        clock.suspend(Duration::from_secs(3600));
        assert_eq!(time.jump(), None);
    }
}

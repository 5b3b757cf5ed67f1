#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use chrono::{DateTime, SecondsFormat, Utc};
use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn an_instant_has_one_spelling() {
    for text in [
        "1970-01-01T00:00:00.000000Z",
        "1999-12-31T23:59:59.999999Z",
        "2000-02-29T12:00:00.000001Z",
        "2026-03-01T09:30:00.123456Z",
        "9999-12-31T23:59:59.999999Z",
    ] {
        assert_eq!(at(text).to_string(), text);
        assert_eq!(format!("{:?}", at(text)), text);
    }
    for wrong in [
        "",
        "2026-03-01T09:30:00Z",
        "2026-03-01T09:30:00.123Z",
        "2026-03-01T09:30:00.1234567Z",
        "2026-03-01T09:30:00.123456+00:00",
        "2026-03-01T09:30:00.12345+Z",
        "2026-03-01t09:30:00.123456z",
        "2026-03-01 09:30:00.123456Z",
        "2026-03-01T09:30:60.000000Z",
        "2016-12-31T23:59:60.000000Z",
        "2026-03-01T09:60:00.000000Z",
        "2026-03-01T24:00:00.000000Z",
        "2026-02-29T00:00:00.000000Z",
        "2100-02-29T00:00:00.000000Z",
        "2026-04-31T00:00:00.000000Z",
        "2026-00-10T00:00:00.000000Z",
        "2026-13-10T00:00:00.000000Z",
        "2026-01-00T00:00:00.000000Z",
        "1969-12-31T23:59:59.999999Z",
        "+026-03-01T09:30:00.123456Z",
        "2026-03-01T09:30:00.12 456Z",
        "é026-03-01T09:30:00.12345Z",
    ] {
        assert_eq!(Timestamp::parse(wrong), Err(NotATimestamp), "{wrong}");
    }
}

#[test]
fn time_ends_at_both_ends() {
    assert_eq!(Timestamp::from_unix_micros(-1), None);
    let last = Timestamp::MAX.unix_micros();
    assert_eq!(Timestamp::from_unix_micros(last), Some(Timestamp::MAX));
    assert_eq!(Timestamp::from_unix_micros(last + 1), None);
    assert_eq!(Timestamp::from_unix_micros(i64::MAX), None);
    assert_eq!(Timestamp::MAX, at("9999-12-31T23:59:59.999999Z"));

    let micro = Duration::from_micros(1);
    assert_eq!(Timestamp::MAX.checked_add(micro), None);
    assert_eq!(Timestamp::EPOCH.checked_add(Duration::MAX), None);
    assert_eq!(
        Timestamp::EPOCH.saturating_add(Duration::MAX),
        Timestamp::MAX
    );
    assert_eq!(Timestamp::EPOCH.saturating_sub(micro), Timestamp::EPOCH);
    assert_eq!(
        Timestamp::MAX.saturating_sub(Duration::MAX),
        Timestamp::EPOCH
    );

    let (earlier, later) = (Timestamp::EPOCH, Timestamp::EPOCH.saturating_add(HOUR));
    assert_eq!(later.since(earlier), HOUR);
    assert_eq!(earlier.since(later), Duration::ZERO);
    assert_eq!(later.saturating_sub(HOUR), earlier);
}

proptest! {
    #[test]
    fn another_calendar_agrees(micros in 0..=Timestamp::MAX.unix_micros()) {
        let ours = Timestamp::from_unix_micros(micros).unwrap();
        let theirs = DateTime::<Utc>::from_timestamp_micros(micros).unwrap();
        let text = theirs.to_rfc3339_opts(SecondsFormat::Micros, true);
        prop_assert_eq!(ours.to_string(), &*text);
        prop_assert_eq!(Timestamp::parse(&text), Ok(ours));
    }

    #[test]
    fn no_text_panics(text in "[0-9é:TZ.-]{0,30}", place in 0..27_usize, character in any::<char>()) {
        let _ = Timestamp::parse(&text);
        let mut damaged: Vec<char> = "2026-03-01T09:30:00.123456Z".chars().collect();
        damaged[place] = character;
        let damaged: String = damaged.into_iter().collect();
        if let Ok(read) = Timestamp::parse(&damaged) {
            prop_assert_eq!(read.to_string(), damaged);
        }
    }

    #[test]
    fn adding_and_taking_away_agree(micros in 0..=Timestamp::MAX.unix_micros(), span in any::<u64>()) {
        let start = Timestamp::from_unix_micros(micros).unwrap();
        let span = Duration::from_micros(span);
        match start.checked_add(span) {
            Some(later) => {
                prop_assert_eq!(later.since(start), span);
                prop_assert_eq!(later.saturating_sub(span), start);
            }
            None => prop_assert_eq!(start.saturating_add(span), Timestamp::MAX),
        }
    }
}

/// Each day from 1970 to 2400, and the last of each century.
#[test]
fn every_day_is_in_the_calendar() {
    let day = 86_400_000_000;
    for number in (0..157_200).chain((157_200..2_932_896).step_by(97)) {
        let instant = Timestamp::from_unix_micros(number * day).unwrap();
        let theirs = DateTime::<Utc>::from_timestamp_micros(number * day).unwrap();
        assert_eq!(
            instant.to_string(),
            theirs.to_rfc3339_opts(SecondsFormat::Micros, true)
        );
    }
}

#[test]
fn a_ring_before_the_sleep_is_not_lost_and_taken_once() {
    let bell = Bell::new();
    assert!(!bell.try_take());
    bell.ring();
    bell.clone().ring();
    assert!(bell.wait(None));
    assert!(!bell.wait(Some(Duration::ZERO)));
    bell.ring();
    assert!(bell.try_take());
    assert!(!bell.try_take());
    bell.ring();
    assert!(bell.wait(Some(Duration::MAX)));
}

#[test]
fn every_ring_wakes_the_sleeper() {
    let (bell, answer) = (Bell::new(), Bell::new());
    let (mine, theirs) = (bell.clone(), answer.clone());
    let sleeper = thread::spawn(move || {
        for _ in 0..1000 {
            assert!(mine.wait(None));
            theirs.ring();
        }
    });
    for _ in 0..1000 {
        bell.ring();
        assert!(answer.wait(None));
    }
    sleeper.join().unwrap();
}

#[test]
fn the_system_tells_time_and_wakes_who_is_rung() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    assert!(clock.now() > at("2024-01-01T00:00:00.000000Z"));
    let (earlier, boot) = (clock.monotonic(), clock.boottime());
    let bell = Bell::new();
    bell.ring();
    clock.park(&bell, None);
    assert!(!bell.try_take(), "park takes the ring");
    clock.park(&bell, Some(Duration::ZERO));
    assert!(clock.monotonic() >= earlier);
    assert!(clock.boottime() >= boot);
    let told = cfg!(all(
        target_os = "linux",
        any(feature = "sqlite", feature = "terminal")
    ));
    assert_eq!(boot.is_some(), told);
}

#[test]
fn the_three_manual_clocks_move_as_the_real_ones() {
    let start = at("2026-03-01T09:30:00.000000Z");
    let clock = ManualClock::new(start);
    let read = || (clock.now(), clock.monotonic(), clock.boottime());
    assert_eq!(read(), (start, Duration::ZERO, Some(Duration::ZERO)));
    clock.advance(HOUR);
    assert_eq!(read(), (start.saturating_add(HOUR), HOUR, Some(HOUR)));
    clock.suspend(HOUR);
    assert_eq!(
        read(),
        (start.saturating_add(2 * HOUR), HOUR, Some(2 * HOUR))
    );
    clock.set_wall(start);
    assert_eq!(read(), (start, HOUR, Some(2 * HOUR)));
    clock.clone().advance(HOUR);
    assert_eq!(
        read(),
        (start.saturating_add(HOUR), 2 * HOUR, Some(3 * HOUR))
    );
}

/// A thread that parks again and again and counts how often it woke.
struct Sleeper {
    bell: Bell,
    woken: Arc<AtomicUsize>,
    leave: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Sleeper {
    fn start(clock: &ManualClock, at_most: Option<Duration>) -> Self {
        let bell = Bell::new();
        let woken = Arc::new(AtomicUsize::new(0));
        let leave = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (clock, bell) = (clock.clone(), bell.clone());
            let (woken, leave) = (Arc::clone(&woken), Arc::clone(&leave));
            move || {
                while !leave.load(Ordering::SeqCst) {
                    clock.now();
                    clock.park(&bell, at_most);
                    woken.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self {
            bell,
            woken,
            leave,
            thread,
        }
    }

    fn woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }

    fn stop(self) {
        self.leave.store(true, Ordering::SeqCst);
        self.bell.ring();
        self.thread.join().unwrap();
    }
}

#[test]
fn moving_the_time_wakes_everyone_and_settled_waits_for_them() {
    let clock = ManualClock::new(Timestamp::EPOCH);
    let sleepers = [None, Some(HOUR), None].map(|at_most| Sleeper::start(&clock, at_most));
    clock.settled(3);
    for round in 1..=500 {
        match round % 3 {
            0 => clock.advance(HOUR),
            1 => clock.suspend(HOUR),
            _ => clock.set_wall(Timestamp::EPOCH),
        }
        clock.settled(3);
        for sleeper in &sleepers {
            assert_eq!(sleeper.woken(), round);
        }
    }
    sleepers.into_iter().for_each(Sleeper::stop);
}

#[test]
fn who_was_rung_is_not_settled_until_it_parks_again() {
    let clock = ManualClock::new(Timestamp::EPOCH);
    let (rung, other) = (Sleeper::start(&clock, None), Sleeper::start(&clock, None));
    clock.settled(2);
    for round in 1..=1000 {
        rung.bell.ring();
        clock.settled(2);
        assert_eq!((rung.woken(), other.woken()), (round, 0));
    }
    rung.stop();
    other.stop();
}

/// A thread computes how long to sleep, the time moves, and only then the thread sleeps.
#[test]
fn nobody_sleeps_over_a_move_that_it_did_not_see() {
    let clock = ManualClock::new(Timestamp::EPOCH);
    let (looked, has_looked) = mpsc::channel();
    let (moved, has_moved) = mpsc::channel();
    let sleeper = thread::spawn({
        let clock = clock.clone();
        move || {
            let due = Timestamp::EPOCH.saturating_add(HOUR);
            let left = due.since(clock.now());
            looked.send(()).unwrap();
            has_moved.recv().unwrap();
            clock.park(&Bell::new(), Some(left));
            clock.now() >= due
        }
    });
    has_looked.recv().unwrap();
    clock.advance(HOUR);
    moved.send(()).unwrap();
    assert!(sleeper.join().unwrap());
}

#[test]
fn nothing_left_to_sleep_is_no_sleep() {
    let clock = ManualClock::new(Timestamp::EPOCH);
    let bell = Bell::new();
    clock.park(&bell, Some(Duration::ZERO));
    bell.ring();
    clock.park(&bell, None);
    assert!(!bell.try_take(), "park takes the ring");
    clock.settled(0);
}

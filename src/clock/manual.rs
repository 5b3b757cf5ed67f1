use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
    time::Duration,
};

use super::{Bell, Clock, Timestamp};

/// A clock that stands still until it is told to move, for tests that never sleep.
///
/// Clones are the same clock. Each move wakes every thread that is parked in it; the thread looks
/// at the new time, does what is due and parks again, and [`settled`](ManualClock::settled) tells
/// the test when that has happened. A thread that looked at the time before a move, and parks after
/// it, does not sleep over what it missed.
///
/// ```
/// use std::{thread, time::Duration};
/// use countersign::clock::{Bell, Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::new(Timestamp::EPOCH);
/// let (bell, keeper) = (Bell::new(), clock.clone());
/// let due = Timestamp::EPOCH.saturating_add(Duration::from_secs(3600));
/// let thread = thread::spawn(move || {
///     while keeper.now() < due {
///         keeper.park(&bell, Some(due.since(keeper.now())));
///     }
/// });
///
/// clock.settled(1);
/// clock.advance(Duration::from_secs(1800));
/// clock.settled(1);
/// assert!(!thread.is_finished());
/// clock.advance(Duration::from_secs(1800));
/// thread.join().map_err(|_| "the thread panicked")?;
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    shared: Arc<Shared>,
}

// Lock order: the clock's state, then a bell.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    parked_one_more: Condvar,
}

#[derive(Debug)]
struct State {
    wall: Timestamp,
    monotonic: Duration,
    boottime: Duration,
    /// How often the time was moved.
    moves: u64,
    /// After which move each thread last looked at the time.
    looked: HashMap<ThreadId, u64>,
    /// Who sleeps, or is about to wake if the bell is rung.
    parked: HashMap<ThreadId, Bell>,
}

impl ManualClock {
    /// A clock that stands at `wall`.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        let state = State {
            wall,
            monotonic: Duration::ZERO,
            boottime: Duration::ZERO,
            moves: 0,
            looked: HashMap::new(),
            parked: HashMap::new(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                parked_one_more: Condvar::new(),
            }),
        }
    }

    /// Time passes, on all three clocks.
    pub fn advance(&self, span: Duration) {
        self.shift(|state| {
            state.wall = state.wall.saturating_add(span);
            state.monotonic = state.monotonic.saturating_add(span);
            state.boottime = state.boottime.saturating_add(span);
        });
    }

    /// Someone sets the wall clock; the other two do not notice.
    pub fn set_wall(&self, wall: Timestamp) {
        self.shift(|state| state.wall = wall);
    }

    /// The machine sleeps for so long: wall and boottime go on, monotonic stands still.
    pub fn suspend(&self, span: Duration) {
        self.shift(|state| {
            state.wall = state.wall.saturating_add(span);
            state.boottime = state.boottime.saturating_add(span);
        });
    }

    /// Blocks until at least `threads` threads are parked in this clock with nothing to wake them.
    ///
    /// A thread counts once it parked after the last move and its bell has no ring that it did not
    /// take. Blocks for ever if so many never park.
    pub fn settled(&self, threads: usize) {
        let settled = |state: &mut State| {
            let parked = state.parked.values().filter(|bell| !bell.is_rung());
            parked.count() >= threads
        };
        drop(
            self.shared
                .parked_one_more
                .wait_while(self.state(), |state| !settled(state))
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Moves the time and wakes everyone.
    fn shift(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.moves += 1;
        for bell in state.parked.values() {
            bell.ring();
        }
    }

    /// The state, for a thread that looks at the time.
    fn look(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        let moves = state.moves;
        state.looked.insert(thread::current().id(), moves);
        state
    }

    // No code under the lock can leave the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.look().wall
    }

    fn monotonic(&self) -> Duration {
        self.look().monotonic
    }

    fn boottime(&self) -> Option<Duration> {
        Some(self.look().boottime)
    }

    /// Sleeps until the bell is rung or the time is moved, by whatever span; returns at once if the
    /// time was moved since this thread looked at it, or if `at_most` is zero.
    fn park(&self, bell: &Bell, at_most: Option<Duration>) {
        let me = thread::current().id();
        let mut state = self.state();
        let moves = state.moves;
        let looked = state.looked.insert(me, moves).unwrap_or(moves);
        if looked < moves || at_most == Some(Duration::ZERO) || bell.try_take() {
            let _ = bell.try_take();
            return;
        }
        state.parked.insert(me, bell.clone());
        self.shared.parked_one_more.notify_all();
        drop(state);
        // The ring is left until this thread no longer counts as parked, or `settled` could see a
        // sleeper that is about to wake as one that sleeps.
        bell.wait_and_leave();
        let mut state = self.state();
        state.parked.remove(&me);
        let _ = bell.try_take();
    }
}

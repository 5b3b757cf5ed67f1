//! Who waits for which request, and whose turn it is to run it.
//!
//! A waiter is an entry in a map: no thread, no timer. A wake-up reaches the waiters of the requests that changed and
//! nobody else. One permit at a time is out for a request; when it is dropped, or not used in time, the turn passes to the
//! waiter that has waited longest.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::threads;

use futures::task::AtomicWaker;

use crate::action::RequestId;
use crate::clock::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct Waiters {
    map: Mutex<HashMap<RequestId, Line>>,
    /// Never given twice, so that a void turn is never taken for a later one.
    turns: AtomicU64,
}

#[derive(Debug, Default)]
struct Line {
    /// Longest wait first.
    seats: Vec<Arc<Sleeper>>,
    out: Option<Out>,
}

#[derive(Debug)]
struct Out {
    number: u64,
    until: Timestamp,
}

#[derive(Debug, Default)]
struct Sleeper {
    waker: AtomicWaker,
    woken: AtomicBool,
}

impl Sleeper {
    fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Line>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the line of a request.
    pub(crate) fn sit(self: &Arc<Self>, request: RequestId) -> Seat {
        let sleeper = Arc::new(Sleeper::default());
        self.lock()
            .entry(request)
            .or_default()
            .seats
            .push(Arc::clone(&sleeper));
        Seat {
            waiters: Arc::clone(self),
            request,
            sleeper,
        }
    }

    /// Wakes everybody who waits for one of these requests.
    pub(crate) fn wake(&self, requests: &[RequestId]) {
        let mut sleepers = Vec::new();
        {
            let map = self.lock();
            for request in requests {
                if let Some(line) = map.get(request) {
                    sleepers.extend(line.seats.iter().cloned());
                }
            }
        }
        // Wakers run code that may come back in: never under the lock.
        for sleeper in sleepers {
            threads::shielded("waking a caller", || sleeper.wake());
        }
    }

    /// Wakes everybody, after a change that concerns all requests.
    pub(crate) fn wake_all(&self) {
        let requests: Vec<RequestId> = self.lock().keys().copied().collect();
        self.wake(&requests);
    }

    pub(crate) fn is_waiting(&self, request: &RequestId) -> bool {
        self.lock()
            .get(request)
            .is_some_and(|line| !line.seats.is_empty() || line.out.is_some())
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn leave(&self, request: &RequestId, sleeper: &Arc<Sleeper>) {
        let (gone, next) = {
            let mut map = self.lock();
            let Some(line) = map.get_mut(request) else {
                return;
            };
            let place = line.seats.iter().position(|one| Arc::ptr_eq(one, sleeper));
            let gone = place.map(|place| line.seats.remove(place));
            let next = line.seats.first().cloned();
            if line.seats.is_empty() && line.out.is_none() {
                map.remove(request);
            }
            (gone, next)
        };
        drop(gone);
        if let Some(next) = next {
            next.wake();
        }
    }
}

/// A place in the line of one request; leaving it never withdraws the request.
#[derive(Debug)]
pub(crate) struct Seat {
    waiters: Arc<Waiters>,
    request: RequestId,
    sleeper: Arc<Sleeper>,
}

impl Seat {
    /// Forgets wake-ups up to now; what comes after is not missed.
    pub(crate) fn listen(&self) {
        self.sleeper.woken.store(false, Ordering::Release);
    }

    /// Resolves at the next wake-up since [`Seat::listen`].
    pub(crate) async fn woken(&self) {
        poll_fn(|context| {
            self.sleeper.waker.register(context.waker());
            if self.sleeper.woken.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Takes the permit's turn if it is this seat's; `until` is when an unused permit becomes void.
    pub(crate) fn take_turn(&self, now: Timestamp, until: Timestamp) -> Option<Turn> {
        let mut map = self.waiters.lock();
        let line = map.get_mut(&self.request)?;
        let first = line.seats.first()?;
        if !Arc::ptr_eq(first, &self.sleeper) {
            return None;
        }
        if line.out.as_ref().is_some_and(|out| out.until > now) {
            return None;
        }
        let number = self.waiters.turns.fetch_add(1, Ordering::Relaxed);
        line.out = Some(Out { number, until });
        Some(Turn {
            waiters: Arc::clone(&self.waiters),
            request: self.request,
            number,
            until,
        })
    }

    /// When the permit that is out becomes void, if one is.
    pub(crate) fn turn_ends(&self) -> Option<Timestamp> {
        self.waiters
            .lock()
            .get(&self.request)
            .and_then(|line| line.out.as_ref())
            .map(|out| out.until)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.waiters.leave(&self.request, &self.sleeper);
    }
}

/// The right to hold the one permit that is out for a request in this process.
#[derive(Debug)]
pub(crate) struct Turn {
    waiters: Arc<Waiters>,
    request: RequestId,
    number: u64,
    until: Timestamp,
}

impl Turn {
    /// Whether the permit may still be used: not void, not passed on.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        now < self.until
            && self
                .waiters
                .lock()
                .get(&self.request)
                .and_then(|line| line.out.as_ref())
                .is_some_and(|out| out.number == self.number)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut map = self.waiters.lock();
            let Some(line) = map.get_mut(&self.request) else {
                return;
            };
            if line
                .out
                .as_ref()
                .is_none_or(|out| out.number != self.number)
            {
                return;
            }
            line.out = None;
            let next = line.seats.first().cloned();
            if line.seats.is_empty() {
                map.remove(&self.request);
            }
            next
        };
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    fn fresh() -> RequestId {
        RequestId::from_uuid(uuid::Uuid::new_v4())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn the_longest_wait_goes_first_and_a_dropped_turn_passes_on() {
        let waiters = Arc::new(Waiters::default());
        let request = fresh();
        let (first, second) = (waiters.sit(request), waiters.sit(request));
        assert!(second.take_turn(at(0), at(60)).is_none());
        let turn = first.take_turn(at(0), at(60)).unwrap();
        drop(first);
        second.listen();
        assert!(second.take_turn(at(1), at(61)).is_none());
        drop(turn);
        assert!(second.woken().now_or_never().is_some());
        assert!(second.take_turn(at(1), at(61)).is_some());
    }

    #[test]
    fn an_unused_turn_is_void_after_its_time() {
        let waiters = Arc::new(Waiters::default());
        let request = fresh();
        let (first, second) = (waiters.sit(request), waiters.sit(request));
        let stale = first.take_turn(at(0), at(60)).unwrap();
        drop(first);
        let fresh = second.take_turn(at(60), at(120)).unwrap();
        assert!(!stale.holds(at(60)));
        assert!(fresh.holds(at(60)));
        drop(stale);
        assert!(fresh.holds(at(61)), "a void permit takes nothing with it");
    }

    #[test]
    fn a_void_turn_that_is_dropped_late_takes_nothing_from_a_later_one() {
        let waiters = Arc::new(Waiters::default());
        let request = fresh();
        let (first, second, third) = (
            waiters.sit(request),
            waiters.sit(request),
            waiters.sit(request),
        );
        let stale = first.take_turn(at(0), at(60)).unwrap();
        drop(first);
        drop(second.take_turn(at(60), at(120)).unwrap());
        drop(second);
        let fresh = third.take_turn(at(61), at(121)).unwrap();
        drop(stale);
        assert!(fresh.holds(at(62)));
    }

    #[test]
    fn one_change_wakes_only_its_own_waiters() {
        let waiters = Arc::new(Waiters::default());
        let seats: Vec<Seat> = (0..100_000).map(|_| waiters.sit(fresh())).collect();
        waiters.wake(&[seats.get(54_321).unwrap().request]);
        let woken = seats
            .iter()
            .filter(|seat| seat.woken().now_or_never().is_some())
            .count();
        assert_eq!(woken, 1);
    }

    #[test]
    fn nothing_is_left_behind() {
        let waiters = Arc::new(Waiters::default());
        let seat = waiters.sit(fresh());
        let turn = seat.take_turn(at(0), at(60)).unwrap();
        drop(seat);
        drop(turn);
        assert_eq!(waiters.count(), 0);
    }
}

//! Deadlines of this process: the keeper sleeps until the earliest of them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::action::RequestId;
use crate::clock::{Bell, Timestamp};

use super::waiters::Waiters;

#[derive(Debug, Default)]
pub(crate) struct Alarms {
    inner: Mutex<Inner>,
    /// Rung when a new deadline may be earlier than the one that the keeper sleeps for.
    pub(crate) bell: Bell,
}

#[derive(Debug, Default)]
struct Inner {
    heap: BinaryHeap<Reverse<(Timestamp, Who)>>,
    alarms: HashMap<u64, Option<Waker>>,
    next: u64,
    requests: usize,
    closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Alarm(u64),
    Request(RequestId),
}

impl Alarms {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A future that resolves at `at`, on gate time.
    pub(crate) fn at(self: &Arc<Self>, at: Timestamp) -> Alarm {
        let number = {
            let mut inner = self.lock();
            let number = inner.next;
            inner.next += 1;
            // With nobody left to keep time, no time is left.
            if !inner.closed {
                inner.alarms.insert(number, None);
                inner.push(at, Who::Alarm(number), &self.bell);
            }
            number
        };
        Alarm {
            alarms: Arc::clone(self),
            number,
        }
    }

    /// Has the waiters of a request look again at `at`.
    pub(crate) fn look_again(&self, request: RequestId, at: Timestamp, waiters: &Waiters) {
        let crowded = {
            let mut inner = self.lock();
            inner.requests += 1;
            inner.push(at, Who::Request(request), &self.bell);
            inner.requests > 64 && inner.requests > 2 * waiters.count()
        };
        if crowded {
            self.compact(waiters);
        }
    }

    /// Drops the entries of requests that nobody waits for any more.
    fn compact(&self, waiters: &Waiters) {
        let mut inner = self.lock();
        let Inner { heap, requests, .. } = &mut *inner;
        let mut seen = std::collections::HashSet::new();
        heap.retain(|Reverse((at, who))| match who {
            Who::Alarm(_) => true,
            Who::Request(request) => waiters.is_waiting(request) && seen.insert((*at, *request)),
        });
        *requests = seen.len();
    }

    /// Fires every alarm, also those that are set from now on: nobody keeps time any more.
    pub(crate) fn close(&self) {
        let alarms = {
            let mut inner = self.lock();
            inner.closed = true;
            inner.heap.clear();
            std::mem::take(&mut inner.alarms)
        };
        alarms.into_values().flatten().for_each(Waker::wake);
    }

    /// Fires what is due and says when the next one is.
    pub(crate) fn fire(&self, now: Timestamp, waiters: &Waiters) -> Option<Timestamp> {
        let (mut wakers, mut requests) = (Vec::new(), Vec::new());
        let next = {
            let mut inner = self.lock();
            loop {
                match inner.heap.peek() {
                    Some(Reverse((at, _))) if *at <= now => {}
                    other => break other.map(|Reverse((at, _))| *at),
                }
                match inner.heap.pop() {
                    Some(Reverse((_, Who::Alarm(number)))) => {
                        wakers.extend(inner.alarms.remove(&number).flatten());
                    }
                    Some(Reverse((_, Who::Request(request)))) => {
                        inner.requests = inner.requests.saturating_sub(1);
                        requests.push(request);
                    }
                    None => break None,
                }
            }
        };
        wakers.into_iter().for_each(Waker::wake);
        waiters.wake(&requests);
        next
    }
}

impl Inner {
    fn push(&mut self, at: Timestamp, who: Who, bell: &Bell) {
        let earlier = self
            .heap
            .peek()
            .is_none_or(|Reverse((first, _))| at < *first);
        self.heap.push(Reverse((at, who)));
        if earlier {
            bell.ring();
        }
    }
}

/// Resolves when its time has come.
#[derive(Debug)]
pub(crate) struct Alarm {
    alarms: Arc<Alarms>,
    number: u64,
}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.alarms.lock();
        match inner.alarms.get_mut(&self.number) {
            None => Poll::Ready(()),
            Some(waker) => {
                let old = waker.replace(context.waker().clone());
                drop(inner);
                drop(old);
                Poll::Pending
            }
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let old = self.alarms.lock().alarms.remove(&self.number);
        drop(old);
    }
}

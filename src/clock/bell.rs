use std::{
    cell::Cell,
    ptr,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

thread_local! {
    /// The bell that this thread does not want to hear itself ring.
    static HUSHED: Cell<*const Shared> = const { Cell::new(ptr::null()) };
}

/// Wakes one sleeping thread; anyone may ring.
///
/// A ring stays until the sleeper takes it, so one that comes just before the sleeper sleeps is not
/// lost; many rings before that are one. Clones are the same bell. Only one thread sleeps on a bell:
/// a ring is taken once.
#[derive(Clone, Debug, Default)]
pub struct Bell {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    rung: Mutex<bool>,
    changed: Condvar,
    rings: AtomicU64,
}

impl Bell {
    /// A bell that was not rung yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the sleeper, now or when it next wants to sleep.
    pub fn ring(&self) {
        if HUSHED.get() == Arc::as_ptr(&self.shared) {
            return;
        }
        self.shared.rings.fetch_add(1, Ordering::Relaxed);
        let already = std::mem::replace(&mut *self.rung(), true);
        if !already {
            self.shared.changed.notify_all();
        }
    }

    /// Sleeps until the bell is rung, or at most so long, and takes the ring.
    ///
    /// Whether it was rung. `None` sleeps for as long as it takes.
    pub fn wait(&self, at_most: Option<Duration>) -> bool {
        let rung = self.rung();
        let mut rung = match at_most {
            None => self
                .shared
                .changed
                .wait_while(rung, |rung| !*rung)
                .unwrap_or_else(PoisonError::into_inner),
            Some(at_most) => {
                self.shared
                    .changed
                    .wait_timeout_while(rung, at_most, |rung| !*rung)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        std::mem::take(&mut *rung)
    }

    /// Takes a ring without sleeping; whether there was one.
    #[must_use]
    pub fn try_take(&self) -> bool {
        std::mem::take(&mut *self.rung())
    }

    /// How often it was rung, so that a sleeper who shares the bell can tell whether somebody else took a ring.
    pub(crate) fn rings(&self) -> u64 {
        self.shared.rings.load(Ordering::Relaxed)
    }

    /// Runs `work` without hearing this bell rung by this very thread; what other threads ring is heard.
    ///
    /// Whoever writes knows of its own commits, and would only wake itself.
    pub(crate) fn hushed<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Unhush(*const Shared);
        impl Drop for Unhush {
            fn drop(&mut self) {
                HUSHED.set(self.0);
            }
        }
        let _before = Unhush(HUSHED.replace(Arc::as_ptr(&self.shared)));
        work()
    }

    /// Whether there is a ring to take.
    pub(super) fn is_rung(&self) -> bool {
        *self.rung()
    }

    /// Sleeps until the bell is rung and leaves the ring.
    pub(super) fn wait_and_leave(&self) {
        drop(
            self.shared
                .changed
                .wait_while(self.rung(), |rung| !*rung)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    // A flag is whole whatever panicked beside it, so a poisoned lock is taken all the same.
    fn rung(&self) -> MutexGuard<'_, bool> {
        self.shared
            .rung
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

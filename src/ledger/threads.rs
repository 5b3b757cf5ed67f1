//! Which threads are the library's own: a host that blocks on one of them would wait for itself.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn mark_as_ours() {
    OURS.with(|ours| ours.set(true));
}

pub(crate) fn is_ours() -> bool {
    OURS.with(Cell::get)
}

/// Runs what may be a host's code, whose panic must neither end a thread of the library nor keep others waiting.
pub(super) fn shielded<T>(what: &'static str, work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    if done.is_none() {
        tracing::error!(what, "it panicked");
    }
    done
}

/// Runs a future to its end on this thread, also inside an executor that forbids another one within itself.
pub(super) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

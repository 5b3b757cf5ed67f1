//! Where background plugs run: notifiers and recorders, never a guarded effect.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, executor};

use super::threads;

type Run = dyn Fn(BoxFuture<'static, ()>) + Send + Sync;

/// Runs background futures to their end.
///
/// The default owns one thread and needs no runtime. A plug that needs a reactor (tokio's network types, for
/// example) needs a spawner that has one. The library's own threads hand tasks to it as well, so that it holds the runtime's handle:
/// `let runtime = tokio::runtime::Handle::current(); Spawner::from_fn(move |task| { runtime.spawn(task); })`.
///
/// The close waits a few seconds for what it has to record of abandoned executions, which also runs here.
#[derive(Clone)]
pub struct Spawner {
    run: Arc<Run>,
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

impl Spawner {
    /// Hands every background future to `run`, which must drive it until it ends.
    pub fn from_fn(run: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static) -> Self {
        Self { run: Arc::new(run) }
    }

    /// One thread of its own, which ends when the spawner and its tasks have gone.
    ///
    /// # Errors
    /// The system's, if no thread could be started.
    pub fn own_thread() -> std::io::Result<Self> {
        let (sender, mut receiver) = unbounded::<BoxFuture<'static, ()>>();
        thread::Builder::new()
            .name("countersign-plugs".to_owned())
            .spawn(move || {
                threads::mark_as_ours();
                executor::block_on(async move {
                    let mut tasks = FuturesUnordered::new();
                    let mut open = true;
                    while open || !tasks.is_empty() {
                        futures::select_biased! {
                            task = receiver.next() => match task {
                                Some(task) => tasks.push(AssertUnwindSafe(task).catch_unwind()),
                                None => open = false,
                            },
                            ended = tasks.select_next_some() => {
                                if let Err(_panic) = ended {
                                    tracing::error!("a background plug panicked; its task has ended");
                                }
                            }
                            complete => break,
                        }
                    }
                });
            })?;
        Ok(Self::from_fn(move |task| send(&sender, task)))
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.run)(task.boxed());
    }
}

fn send(sender: &UnboundedSender<BoxFuture<'static, ()>>, task: BoxFuture<'static, ()>) {
    if sender.unbounded_send(task).is_err() {
        tracing::error!("the thread of the background plugs has ended; a task was dropped");
    }
}

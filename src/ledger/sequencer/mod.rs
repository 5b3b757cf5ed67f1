//! The one writer of a process: takes what waits, chains it, signs it, commits it, answers.
//!
//! Callers prepare everything that does not depend on the position in the log; inside the store's lock a record only
//! gets its number, its place in the chain and its signature. What waits while a commit is under way forms the next
//! batch, so the batch grows with the load and a lone caller never waits for company.
//!
//! A thread commits for everybody, except for a caller who is alone while commits are quick: he takes the turn and commits
//! himself, since two wake-ups of a thread would cost him more than his signatures. One writer at a time it is either way.

mod commit;
mod job;
mod last_words;

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::channel::oneshot;

use crate::clock::Bell;
use crate::store::ScopeKey;

use super::{LedgerError, Shared, threads};
use commit::Commit;
use job::{Job, Outcome, Typed};

pub(crate) use job::{Appended, Changing, Moment, Plan, Written};
pub(crate) use last_words::LastWords;

/// The most jobs that one commit takes.
const BATCH: usize = 1024;

/// How long a commit may take, on average, for a lone caller to do it on his own thread: an executor's thread is not held up for
/// longer, and beside a slower commit the wake-ups are nothing.
const QUICK: Duration = Duration::from_millis(1);

/// How long the close waits while nobody says a last word, by the machine's own clock: whoever should drive them may be gone.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The queue in front of the writer.
pub(crate) struct Sequencer {
    queue: Mutex<Queue>,
    waiting: Condvar,
    /// Rung at the close, for a writer that sleeps until the store answers again.
    closing: Bell,
}

struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    /// Somebody has the turn.
    writing: bool,
    /// What a caller began and could not end without waiting; the turn is still taken.
    begun: Option<Left>,
    /// The last commit was for several callers.
    crowded: bool,
    /// How long commits take, lately.
    pace: Duration,
    door: Door,
    /// How many have last words to say.
    speakers: usize,
}

/// From whom jobs are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// From those who have last words alone, and what waits is still written.
    Closing,
    /// From nobody: the thread has ended.
    Ended,
}

/// Whose job it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Of somebody who is told if the library is closed.
    Ordinary,
    /// Of somebody who holds [`LastWords`].
    LastWords,
}

/// Who shall see to a job that was queued.
enum Queued {
    TheThread,
    /// Nobody was told: its caller takes the turn, unless others come in the meantime.
    ItsCaller,
    Closed(Box<dyn Job>),
}

/// The right to commit, with what is being committed.
struct Turn<'s> {
    commit: Commit,
    released: Released<'s>,
}

/// A turn that goes on, on the thread.
struct Left {
    commit: Commit,
    jobs: usize,
    began: Option<Duration>,
}

impl Sequencer {
    pub(crate) fn new() -> Self {
        Self {
            queue: Mutex::new(Queue {
                jobs: VecDeque::new(),
                writing: false,
                begun: None,
                crowded: false,
                pace: Duration::ZERO,
                door: Door::Open,
                speakers: 0,
            }),
            waiting: Condvar::new(),
            closing: Bell::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Each change of the queue is whole in itself, whatever panicked beside it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bell to sleep on while the store does not answer.
    pub(crate) fn closing(&self) -> &Bell {
        &self.closing
    }

    /// Takes no more jobs but last words; those that wait are still written.
    pub(crate) fn close(&self) {
        {
            let mut queue = self.lock();
            if queue.door == Door::Open {
                queue.door = Door::Closing;
            }
        }
        self.waiting.notify_all();
        self.closing.ring();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().door != Door::Open
    }

    fn queue(&self, admission: Admission, job: Box<dyn Job>) -> Queued {
        let mut queue = self.lock();
        match (queue.door, admission) {
            (Door::Open, _) | (Door::Closing, Admission::LastWords) => {}
            (Door::Closing | Door::Ended, _) => return Queued::Closed(job),
        }
        let alone = queue.jobs.is_empty() && !queue.writing;
        queue.jobs.push_back(job);
        if alone && !queue.crowded && queue.pace < QUICK {
            return Queued::ItsCaller;
        }
        // Whoever writes looks at the queue again afterwards.
        let told = queue.writing;
        drop(queue);
        if !told {
            self.waiting.notify_one();
        }
        Queued::TheThread
    }

    /// The jobs for the thread, once nobody else writes; `None` at the end.
    fn wait(&self) -> Option<Work> {
        let mut queue = self.lock();
        loop {
            if let Some(left) = queue.begun.take() {
                return Some(Work::Begun(left));
            }
            if !queue.writing {
                if !queue.jobs.is_empty() {
                    return Some(Work::Jobs(queue.take()));
                }
                if queue.door != Door::Open {
                    if queue.speakers == 0 {
                        queue.door = Door::Ended;
                        return None;
                    }
                    let silent = |queue: &mut Queue| !queue.wants_writer() && queue.speakers > 0;
                    let waited = self.waiting.wait_timeout_while(queue, LAST_WORDS, silent);
                    let (again, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                    queue = again;
                    if waited.timed_out() && !queue.writing {
                        queue.door = Door::Ended;
                        return None;
                    }
                    continue;
                }
            }
            queue = self
                .waiting
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The job of a caller who is still alone.
    fn only(&self) -> Option<Vec<Box<dyn Job>>> {
        let mut queue = self.lock();
        (queue.jobs.len() == 1 && !queue.writing).then(|| queue.take())
    }

    /// Lets the next one write.
    fn release(&self, jobs: usize, took: Option<Duration>) {
        let mut queue = self.lock();
        queue.writing = false;
        queue.crowded = jobs > 1;
        if let Some(took) = took {
            queue.pace = (queue.pace * 7 + took) / 8;
        }
        let wanted = !queue.jobs.is_empty() || queue.door != Door::Open;
        drop(queue);
        if wanted {
            self.waiting.notify_one();
        }
    }

    pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
        let shared = Arc::clone(shared);
        thread::Builder::new()
            .name("countersign-sequencer".to_owned())
            .spawn(move || {
                threads::mark_as_ours();
                while let Some(work) = shared.sequencer.wait() {
                    // Whatever panics, such as a host's waker, others still want to write.
                    threads::shielded("a commit", || match work {
                        Work::Jobs(jobs) => Turn::begin(&shared, jobs).end(),
                        Work::Begun(left) => Turn::resume(&shared, left).end(),
                    });
                }
            })
    }
}

enum Work {
    Jobs(Vec<Box<dyn Job>>),
    Begun(Left),
}

impl Queue {
    /// Whether there is something for the thread to do.
    fn wants_writer(&self) -> bool {
        self.begun.is_some() || !(self.writing || self.jobs.is_empty())
    }

    fn take(&mut self) -> Vec<Box<dyn Job>> {
        self.writing = true;
        let many = self.jobs.len().min(BATCH);
        self.jobs.drain(..many).collect()
    }
}

impl<'s> Turn<'s> {
    fn begin(shared: &'s Arc<Shared>, jobs: Vec<Box<dyn Job>>) -> Self {
        let mut released = Released {
            shared,
            jobs: jobs.len(),
            began: None,
        };
        released.began = Some(shared.clock.monotonic());
        Self {
            commit: Commit::begin(shared, jobs),
            released,
        }
    }

    fn resume(shared: &'s Arc<Shared>, left: Left) -> Self {
        let Left {
            commit,
            jobs,
            began,
        } = left;
        Self {
            commit,
            released: Released {
                shared,
                jobs,
                began,
            },
        }
    }

    /// Commits, however long it takes.
    fn end(self) {
        let Self { commit, released } = self;
        commit.end(released.shared);
        drop(released);
    }

    /// Commits if that takes no waiting, and else has the thread do it.
    fn end_or_leave(self) {
        let Self { commit, released } = self;
        let shared = released.shared;
        let Some(commit) = commit.try_end(shared) else {
            return;
        };
        let left = Left {
            commit,
            jobs: released.jobs,
            began: released.began,
        };
        // The turn is still taken.
        std::mem::forget(released);
        shared.sequencer.lock().begun = Some(left);
        shared.sequencer.waiting.notify_one();
    }
}

/// Gives the turn back, also where something panics.
struct Released<'s> {
    shared: &'s Arc<Shared>,
    jobs: usize,
    /// When the turn was taken, once that is known.
    began: Option<Duration>,
}

impl Drop for Released<'_> {
    fn drop(&mut self) {
        let now = threads::shielded("the clock", || self.shared.clock.monotonic());
        let took = now
            .zip(self.began)
            .map(|(now, began)| now.saturating_sub(began));
        self.shared.sequencer.release(self.jobs, took);
    }
}

/// Leaves a job to the thread if its caller goes away before he has taken the turn.
struct Untaken<'s>(&'s Sequencer);

impl Drop for Untaken<'_> {
    fn drop(&mut self) {
        self.0.waiting.notify_one();
    }
}

impl Shared {
    /// Has a job written, and waits for its commit.
    ///
    /// `build` runs once, inside the store's lock, and must neither block nor call the ledger; `finish` runs once its records are
    /// durable, whether or not the caller still waits.
    pub(crate) async fn append<R, S, X>(
        self: &Arc<Self>,
        admission: Admission,
        scopes: BTreeSet<ScopeKey>,
        build: impl FnOnce(&Moment<'_>) -> Result<(Plan, R), X> + Send + 'static,
        finish: impl FnOnce(R) -> S + Send + 'static,
    ) -> Appended<S, X>
    where
        R: Send + 'static,
        S: Send + 'static,
        X: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Typed::new(scopes, build, finish, reply));
        match self.sequencer.queue(admission, job) {
            Queued::TheThread => {}
            Queued::ItsCaller => {
                let untaken = Untaken(&self.sequencer);
                // Whoever else on this executor has something to write comes now, and then there is company.
                LetOthers::default().await;
                if let Some(jobs) = self.sequencer.only() {
                    std::mem::forget(untaken);
                    Turn::begin(self, jobs).end_or_leave();
                }
            }
            Queued::Closed(job) => job.settle(Outcome::Failed(LedgerError::Closed)),
        }
        match answer.await {
            Ok(answer) => answer,
            Err(oneshot::Canceled) => Appended::Failed(LedgerError::Closed),
        }
    }
}

/// Lets an executor poll everything else that is ready, once.
#[derive(Default)]
struct LetOthers(bool);

impl Future for LetOthers {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

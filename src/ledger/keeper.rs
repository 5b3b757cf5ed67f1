//! The thread that tends time: deadlines, due timers, leases, other processes' commits, the clock, the head file.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::join_all;

use crate::action::{ExecutionId, RequestId};
use crate::approval::{
    ClockDoubt, Event, Expired, LeaseRenewed, LossCause, Lost, Status, StopCause, Unmet,
};
use crate::clock::Timestamp;
use crate::log::{Role, Seq};
use crate::store::{Chore, Liveness, Phase, Query, TimerKind, TimerRow};

use super::head_file::Mark;
use super::open::check_mark;
use super::{LedgerError, OpenError, Running, Shared, lock, threads};

/// How many due timers are tended in one go.
const PAGE: NonZeroU32 = match NonZeroU32::new(64) {
    Some(page) => page,
    None => NonZeroU32::MIN,
};
/// After a failure nothing is tried again sooner.
const PAUSE: Duration = Duration::from_secs(1);
/// The head file may lag behind the store by so much.
const HEAD_LAG: Duration = Duration::from_secs(1);

struct Keeper {
    shared: Arc<Shared>,
    /// When the earliest due timer of the store is; `None` if it has none.
    next_due: Option<Timestamp>,
    /// Nothing of the store's is tended before this time: something failed.
    pause_until: Option<Timestamp>,
    /// Whether that is still ahead in this round. A failure pauses the rounds after it, not what is left of its own.
    paused: bool,
    head_synced: Timestamp,
    orphans_sought: bool,
    /// How often the bell had been rung when the log was last followed.
    rings: u64,
}

pub(super) fn start(shared: &Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("countersign-keeper".to_owned())
        .spawn(move || {
            threads::mark_as_ours();
            let head_synced = shared.now();
            Keeper {
                next_due: Some(head_synced),
                pause_until: None,
                paused: false,
                head_synced,
                orphans_sought: false,
                rings: 0,
                shared,
            }
            .run();
        })
}

impl Keeper {
    fn run(mut self) {
        while !self.shared.sequencer.is_closed() {
            // Whatever panics, such as a store or a host's waker, deadlines are kept.
            if threads::shielded("a round of the keeper", || self.round()).is_none() {
                self.shared
                    .clock
                    .park(&self.shared.alarms.bell, Some(PAUSE));
            }
        }
    }

    /// Tends what is due, and sleeps until the next of it.
    fn round(&mut self) {
        {
            let now = self.shared.now();
            self.paused = self.pause_until.is_some_and(|until| now < until);
            if !self.paused {
                self.pause_until = None;
            }
            self.watch_clock(now);
            let rings = self.shared.alarms.bell.rings();
            if rings != self.rings && !self.paused {
                match self.follow() {
                    Ok(()) => self.rings = rings,
                    Err(error) => {
                        tracing::warn!(%error, "the log could not be followed; trying again");
                        self.pause_until = Some(now.saturating_add(PAUSE));
                    }
                }
            }
            let behind = self.pause_until.filter(|_| rings != self.rings);
            let touched = std::mem::take(&mut *lock(&self.shared.revoke_check));
            if !touched.is_empty() {
                self.shared.stop_revoked(&touched);
            }
            let next = self.shared.alarms.fire(now, &self.shared.waiters);
            self.renew_leases(now);
            self.tend(now);
            let head = self.sync_head(now);
            let wakes = [next, self.store_wake(now), head, self.next_clock(), behind];
            let wake = self.wake(wakes.into_iter().flatten().min());
            let at_most = wake.map(|at| at.since(self.shared.now()));
            if at_most == Some(Duration::ZERO) {
                return;
            }
            self.shared.clock.park(&self.shared.alarms.bell, at_most);
        }
    }

    /// Reads what other processes have written since, and wakes whom it concerns.
    fn follow(&mut self) -> Result<(), LedgerError> {
        if let Err(error) = self.shared.catch_up() {
            self.shared.stop(error.clone());
            self.shared.waiters.wake_all();
            return Err(error);
        }
        let (known, followed) = (self.shared.known_size(), *lock(&self.shared.followed));
        if known == followed {
            return Ok(());
        }
        let touched = block_on(self.shared.touched_since(Seq::new(followed), known))?;
        {
            let mut followed = lock(&self.shared.followed);
            *followed = (*followed).max(known);
        }
        self.next_due = Some(self.shared.now());
        self.shared.stop_revoked(&touched);
        self.shared.waiters.wake(&touched);
        self.shared.ring_background();
        for listener in lock(&self.shared.listeners).iter() {
            listener(&touched);
        }
        Ok(())
    }

    fn store_wake(&self, now: Timestamp) -> Option<Timestamp> {
        match (self.pause_until, self.next_due) {
            (Some(until), Some(due)) => Some(until.max(due)),
            (None, due) => due,
            (Some(_), None) => None,
        }
        .map(|at| at.max(now))
    }

    /// Records what the clock has made true: expiries, and executions whose lease has passed.
    fn tend(&mut self, now: Timestamp) {
        if self.paused {
            return;
        }
        let noted = self.note_new_timers();
        if self.next_due.is_none_or(|due| now < due) {
            return;
        }
        let outcome = if self.orphans_sought {
            Ok(())
        } else {
            block_on(self.shared.seek_orphans()).inspect(|()| self.orphans_sought = true)
        };
        match outcome.and_then(|()| block_on(self.shared.tend_due(now))) {
            Ok(next) => {
                // A timer that was noted may belong to a commit that the question did not see yet.
                let noted = noted.filter(|due| *due > now);
                self.next_due = [next, noted].into_iter().flatten().min();
                *lock(&self.shared.next_due) = self.next_due;
                // Nor one that was noted since, while an earlier time was still the next.
                self.note_new_timers();
            }
            Err(error) => {
                tracing::warn!(%error, "due timers could not be tended; trying again");
                self.pause_until = Some(now.saturating_add(PAUSE));
            }
        }
    }

    fn note_new_timers(&mut self) -> Option<Timestamp> {
        let noted = lock(&self.shared.new_timer).take();
        self.next_due = [self.next_due, noted].into_iter().flatten().min();
        *lock(&self.shared.next_due) = self.next_due;
        noted
    }

    /// The time of the first of the others or of a lease that is to be renewed, told to those who begin meanwhile.
    fn wake(&self, others: Option<Timestamp>) -> Option<Timestamp> {
        let running = lock(&self.shared.running);
        let lease = running
            .values()
            .filter(|running| running.stop.is_some())
            .map(Running::half_life)
            .min()
            .map(|next| self.pause_until.map_or(next, |until| next.max(until)));
        let wake = [others, lease].into_iter().flatten().min();
        *lock(&self.shared.keeper_wakes) = wake;
        wake
    }

    /// Renews the lease of each own execution at its half-life; one that cannot be renewed is told to stop.
    ///
    /// One that was told to stop has its grace, and needs no lease beyond it.
    fn renew_leases(&mut self, now: Timestamp) {
        let due: Vec<(ExecutionId, RequestId, Duration)> = lock(&self.shared.running)
            .iter()
            .filter(|(_, running)| running.stop.is_some())
            .filter(|(_, running)| now >= running.half_life())
            .map(|(execution, running)| (*execution, running.request, running.lease))
            .collect();
        if due.is_empty() || self.paused {
            return;
        }
        for (execution, request, lease) in due {
            let until = now.saturating_add(lease);
            let renewed =
                block_on(self.shared.write_if(
                    request,
                    Role::Gate,
                    |state| match state.status(now) {
                        Status::Running {
                            execution: running, ..
                        } if running == execution => Some(Event::LeaseRenewed(LeaseRenewed {
                            execution,
                            instance: self.shared.instance,
                            lease_until: until,
                        })),
                        _ => None,
                    },
                ));
            match renewed {
                Ok(true) => {
                    if let Some(running) = lock(&self.shared.running).get_mut(&execution) {
                        running.lease_until = until;
                    }
                }
                Ok(false) => self
                    .shared
                    .stop_execution(&execution, StopCause::LeasePassed),
                Err(error) => {
                    tracing::warn!(%error, "a lease could not be renewed");
                    self.pause_until = Some(now.saturating_add(PAUSE));
                    self.stop_lapsed(now);
                }
            }
        }
    }

    fn stop_lapsed(&self, now: Timestamp) {
        let lapsed: Vec<ExecutionId> = lock(&self.shared.running)
            .iter()
            .filter(|(_, running)| now >= running.lease_until)
            .map(|(execution, _)| *execution)
            .collect();
        for execution in lapsed {
            self.shared
                .stop_execution(&execution, StopCause::LeasePassed);
        }
    }

    fn watch_clock(&mut self, now: Timestamp) {
        // A later jump takes the place of one that is still to be recorded: together they are one doubt.
        let jump = self.shared.time.jump();
        let left = self.shared.unrecorded_jump().filter(|_| !self.paused);
        let Some(micros) = jump.or(left) else {
            return;
        };
        // Approvals wait from here on, whether or not the record can be written.
        block_on(self.shared.note_clock(ClockDoubt::Jump, micros));
        if self.shared.unrecorded_jump().is_some() {
            self.pause_until = Some(now.saturating_add(PAUSE));
        }
    }

    /// When a jump that could not be recorded is recorded after all.
    fn next_clock(&self) -> Option<Timestamp> {
        self.shared.unrecorded_jump().and(self.pause_until)
    }

    fn sync_head(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.shared.head_file.as_ref()?;
        if !self.shared.head_behind() {
            return None;
        }
        let due = self.head_synced.saturating_add(HEAD_LAG);
        if now < due {
            return Some(due);
        }
        self.shared.sync_head_file();
        self.head_synced = now;
        None
    }
}

impl Shared {
    /// Brings the head file up to the last known checkpoint.
    pub(super) fn sync_head_file(&self) {
        let Some(file) = &self.head_file else {
            return;
        };
        let head = lock(&self.known).clone();
        let mark = Mark {
            log: head.log,
            size: head.size,
            checkpoint: head.checkpoint.clone(),
        };
        let mut file = lock(file);
        let path = file.path().to_path_buf();
        // What another process left there is part of this log, or that process works on another one.
        let fits = |there: &Mark| {
            threads::wait_for(async {
                // It may be signed by a key that the log has come to name since this process last looked.
                if there.size > self.known_size() {
                    self.read_news().await?;
                }
                // Asked after the mark was read, which never leads the store.
                let head = self.store.head().await?.unwrap_or(head);
                check_mark(&self.store, &head, &self.trust(), there, &path).await
            })
        };
        match file.advance(&mark, fits) {
            Ok(()) => *lock(&self.head_written) = mark.size,
            Err(error) => {
                tracing::error!(%error, "the head file could not be written");
                let other = match error {
                    OpenError::Rollback { .. } => LedgerError::Rollback,
                    OpenError::Fork { .. } => LedgerError::Fork,
                    _ => return,
                };
                self.stop(other);
                self.waiters.wake_all();
            }
        }
    }

    fn head_behind(&self) -> bool {
        *lock(&self.head_written) < lock(&self.known).size
    }

    /// The requests that the records from `from` up to `size` belong to, as their rows say: a hint of whom to wake.
    async fn touched_since(&self, from: Seq, size: u64) -> Result<Vec<RequestId>, LedgerError> {
        let mut touched = Vec::new();
        let mut next = from;
        let page = std::num::NonZeroU32::new(512).unwrap_or(std::num::NonZeroU32::MIN);
        while next.get() < size {
            let records = self.store.read(next, page).await?;
            let Some(last) = records.last() else {
                break;
            };
            next = last.seq.next();
            for record in &records {
                let Ok(statement) = crate::log::Statement::parse(&record.statement) else {
                    continue;
                };
                touched.extend(statement.request);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        Ok(touched)
    }

    /// Tends due timers page by page and says when the next one is.
    async fn tend_due(self: &Arc<Self>, now: Timestamp) -> Result<Option<Timestamp>, LedgerError> {
        let (mut after, mut failed) = (None, None);
        loop {
            let page = Query::NextDue { after, limit: PAGE };
            let mut due = self.store.find(page).await?.timers()?;
            due.retain(|timer| timer.due <= now);
            let Some(last) = due.last() else {
                break;
            };
            after = Some(*last);
            for done in join_all(due.iter().map(|timer| self.tend_one(timer, now))).await {
                match done {
                    Ok(()) => {}
                    Err(error @ LedgerError::Tampered { .. }) => {
                        // What was done to one request must not keep all others from expiring.
                        tracing::error!(%error, "a due request cannot be read");
                        failed = Some(error);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let next = Query::NextDue {
            after: None,
            limit: NonZeroU32::MIN,
        };
        let next = self.store.find(next).await?.timers()?;
        Ok(next.first().map(|timer| timer.due))
    }

    async fn tend_one(
        self: &Arc<Self>,
        timer: &TimerRow,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let TimerRow {
            request,
            what,
            due: _,
        } = *timer;
        let instance = self.instance;
        let written = self
            .write_if(request, self.tending_role(), |state| {
                // The row is a hint; what counts is the state, as recorded and as the clock has made it.
                match (what, state.status(Timestamp::EPOCH), state.status(now)) {
                    (
                        TimerKind::Lease,
                        _,
                        Status::Running {
                            execution,
                            instance: ran_by,
                            lease_until,
                            ..
                        },
                    ) if now >= lease_until => Some(Event::Lost(Lost {
                        execution,
                        instance: ran_by,
                        why: LossCause::LeasePassed,
                    })),
                    (_, Status::Pending { .. }, Status::Expired { .. }) => {
                        Some(Event::Expired(Expired {
                            instance,
                            what: Unmet::Pending,
                        }))
                    }
                    (_, Status::Approved { .. }, Status::Expired { .. }) => {
                        Some(Event::Expired(Expired {
                            instance,
                            what: Unmet::Unused,
                        }))
                    }
                    _ => None,
                }
            })
            .await?;
        if !written {
            // Nothing is due of this request; the row that says otherwise is stale. One that was set meanwhile is not.
            self.store.tend(Chore::DropTimer(*timer)).await?;
        }
        Ok(())
    }

    /// Looks for executions whose instance has gone, once after open.
    async fn seek_orphans(self: &Arc<Self>) -> Result<(), LedgerError> {
        let instances = self.store.find(Query::Instances).await?.instances()?;
        let lives = |instance| {
            instance == self.instance
                || instances
                    .iter()
                    .any(|row| row.instance == instance && row.liveness == Liveness::Alive)
        };
        for request in self.in_phase(Phase::Running).await? {
            self.write_if(request, self.tending_role(), |state| {
                match state.status(self.now()) {
                    Status::Running {
                        execution,
                        instance,
                        ..
                    } if !lives(instance) => Some(Event::Lost(Lost {
                        execution,
                        instance,
                        why: LossCause::InstanceGone,
                    })),
                    _ => None,
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Both roles may tend; a process signs with the one that it holds.
    pub(super) fn tending_role(&self) -> Role {
        if self.has_role(Role::Gate) {
            Role::Gate
        } else {
            Role::Desk
        }
    }
}

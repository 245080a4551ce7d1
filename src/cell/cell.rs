use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::Waker,
};

use actix::Addr;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempts::Ended,
    door::Untaken,
    facts::{Facts, Force},
    status::TaskPhase,
};
use crate::{
    contain::contained,
    id::{TaskId, TaskRef},
    supervisor::Board,
    task::{CancelCause, Failure, TaskOutcome, TaskRules},
    task_actor::TaskActor,
    watched::{Guard, Watched, Woken},
};

/// See the module's essay.
pub(crate) struct TaskCell {
    pub(crate) task: TaskRef,
    pub(crate) board: Arc<Board>,
    pub(crate) rules: Arc<TaskRules>,
    /// The slot for which it was submitted.
    pub(crate) slot: Option<Arc<str>>,
    /// Written by `Registry`, when the task is given to a worker; read by anybody.
    worker: AtomicU32,
    pub(super) accepted_at: Instant,
    pub(super) facts: Watched<Facts>,
}

/// It has not been given to a worker.
const NO_WORKER: u32 = u32::MAX;

/// The end of an attempt.
pub(crate) struct Over {
    /// Why the task had been asked to stop, if it had.
    pub(crate) stop: Option<CancelCause>,
    /// Whether this attempt had been asked to make room for a new one.
    pub(crate) makes_room: bool,
    /// Whether no other attempt may begin.
    pub(crate) is_paused: bool,
    /// When the attempt began.
    pub(crate) since: Option<Instant>,
    /// The streak before it.
    pub(crate) streak: u32,
}

/// What is known of a task's last moments.
#[derive(Default)]
pub(crate) struct Last<'a> {
    pub(crate) failure: Option<&'a Failure>,
    /// The streak with it; `None`: as before.
    pub(crate) streak: Option<u32>,
    /// The attempt that ended with the task.
    pub(crate) ended: Option<Ended>,
}

/// The outcome has been set. Its drop wakes those who waited: to be kept until the events of it have left.
pub(crate) struct Settled {
    /// The version after it.
    pub(crate) version: u64,
    _waiters: Option<Woken>,
    _untaken: Option<Untaken>,
}

impl TaskCell {
    pub(crate) fn new(
        task: TaskRef,
        board: Arc<Board>,
        rules: Arc<TaskRules>,
        slot: Option<Arc<str>>,
        phase: TaskPhase,
        now: Instant,
    ) -> Self {
        let facts = Watched::new(Facts::new(phase, now));
        Self {
            task,
            board,
            rules,
            slot,
            worker: AtomicU32::new(NO_WORKER),
            accepted_at: now,
            facts,
        }
    }

    /// The address of its actor, which is woken to take its mailbox by whoever asks first; where there is none, a closed
    /// one.
    pub(crate) fn addr(&self) -> Addr<TaskActor> {
        let mut facts = self.facts.lock();
        let (addr, is_new) = facts.door.addr();
        let driver = if is_new { facts.driver.clone() } else { None };
        drop(facts);
        wake(driver);
        addr
    }

    /// Its worker, once it has one.
    pub(crate) fn worker(&self) -> Option<usize> {
        let worker = self.worker.load(Relaxed);
        (worker != NO_WORKER).then_some(worker as usize)
    }

    pub(super) fn set_worker(&self, worker: usize) {
        self.worker.store(u32::try_from(worker).unwrap_or(NO_WORKER), Relaxed);
    }

    pub(crate) fn id(&self) -> TaskId {
        self.task.id()
    }

    // ---- written by the task's `TaskActor` ----

    /// The next attempt waits for a permit.
    pub(crate) fn waits_for_permit(&self, now: Instant) {
        let mut facts = self.facts.lock();
        facts.next_attempt_at = None;
        facts.take_hurry();
        facts.enter(TaskPhase::WaitingForPermit, now);
    }

    /// An attempt begins; `None`: it was asked to stop or to pause meanwhile, and nothing begins.
    pub(crate) fn attempt_started(&self, attempt: u64, now: Instant) -> Option<u64> {
        let mut facts = self.facts.lock();
        if facts.stop.is_some() || facts.is_paused {
            return None;
        }
        facts.attempt = attempt;
        facts.attempt_since = Some(now);
        facts.next_attempt_at = None;
        facts.take_hurry();
        Some(facts.enter(TaskPhase::Running, now))
    }

    /// The actor of a running attempt saw the request to end it. Answers when force follows.
    pub(crate) fn attempt_stopping(&self, attempt: u64, now: Instant) -> Force {
        let mut facts = self.facts.lock();
        if facts.phase != TaskPhase::Stopping {
            facts.enter(TaskPhase::Stopping, now);
        }
        facts.force_at(attempt)
    }

    /// The running attempt's timeout passed: its context says so, and force follows. `false`: it was asked to make room
    /// for a new one just before, and that stands.
    pub(crate) fn attempt_timed_out(&self, force_at: Option<Instant>, now: Instant) -> bool {
        let mut facts = self.facts.lock();
        if !facts.time_out(force_at, now) {
            return false;
        }
        let token = facts.token.clone();
        facts.wake();
        cancel(token);
        true
    }

    /// The attempt is over: its contexts and tokens say so from now on. A request to stop that comes
    /// later finds the attempt's own ending decided.
    ///
    /// A failure like the last one becomes that one: of a body that fails again and again with the same text, one is kept.
    pub(crate) fn attempt_over(&self, failure: Option<&mut Failure>) -> Over {
        let mut facts = self.facts.lock();
        let _superfluous = match (&facts.last_failure, failure) {
            (Some(last), Some(failure)) if failure.is_like(last) => {
                Some(std::mem::replace(failure, last.clone()))
            }
            _ => None,
        };
        let interrupt = facts.interrupt.take();
        let had_sign = interrupt.is_some() || facts.stop.is_some();
        let over = Over {
            stop: facts.stop.map(|stop| stop.cause),
            makes_room: interrupt.is_some_and(|it| it.cause == CancelCause::Restart),
            is_paused: facts.is_paused,
            since: facts.attempt_since.take(),
            streak: facts.streak,
        };
        let token = facts.token.take();
        facts.wake();
        cancel(token.filter(|_| !had_sign));
        over
    }

    /// The next attempt is planned, after one that ended and made this streak; `None`: the task was given up meanwhile,
    /// and nothing is planned any more.
    pub(crate) fn backs_off(
        &self,
        ended: Ended,
        streak: u32,
        next: Option<Instant>,
        now: Instant,
    ) -> Option<u64> {
        let failure = ended.failure.clone();
        let mut facts = self.facts.lock();
        if facts.outcome.is_some() {
            drop(facts);
            return None;
        }
        facts.streak = streak;
        let old = failure.and_then(|failure| facts.last_failure.replace(failure));
        let oldest = facts.attempts.note(ended, self.accepted_at);
        facts.next_attempt_at = next;
        let version = facts.enter(TaskPhase::BackingOff, now);
        drop(facts);
        drop((old, oldest));
        Some(version)
    }

    /// Nothing runs and nothing begins. Where a delay ran, what is planned stays planned; else the next attempt is due.
    /// `None`: it was resumed meanwhile, so that there is nothing to tell.
    pub(crate) fn pauses(&self, now: Instant) -> Option<u64> {
        let mut facts = self.facts.lock();
        if facts.phase != TaskPhase::BackingOff {
            facts.next_attempt_at = Some(now);
        }
        let version = facts.enter(TaskPhase::Paused, now);
        facts.is_paused.then_some(version)
    }

    /// What is left of the delay runs. Answers when the next attempt is due.
    pub(crate) fn goes_on(&self, now: Instant) -> Option<Instant> {
        let mut facts = self.facts.lock();
        facts.enter(TaskPhase::BackingOff, now);
        facts.next_attempt_at
    }

    /// Sets the outcome, unless there is one (C1), and notes the attempt that ended with it. Answers what came of it, if
    /// this call did it.
    #[must_use]
    pub(crate) fn settle(
        &self,
        outcome: TaskOutcome,
        last: Last<'_>,
        now: Instant,
    ) -> Option<Settled> {
        self.settled(self.facts.lock(), outcome, last, now)
    }

    /// The same with the end of the task's actor: who sent it a message that it has not taken is told so.
    #[must_use]
    pub(crate) fn end(
        &self,
        outcome: TaskOutcome,
        last: Last<'_>,
        now: Instant,
    ) -> Option<Settled> {
        let mut facts = self.facts.lock();
        let (driver, untaken) = (facts.driver.take(), facts.door.close());
        let settled = self.settled(facts, outcome, last, now);
        drop(driver);
        settled.map(|settled| Settled { _untaken: Some(untaken), ..settled })
    }

    fn settled(
        &self,
        mut facts: Guard<'_, Facts>,
        outcome: TaskOutcome,
        last: Last<'_>,
        now: Instant,
    ) -> Option<Settled> {
        let Last { failure, streak, ended } = last;
        let has_outcome = facts.outcome.is_some();
        let ended = ended.map(|ended| if has_outcome { ended.too_late() } else { ended });
        let oldest = ended.and_then(|ended| facts.attempts.note(ended, self.accepted_at));
        if has_outcome {
            drop(facts);
            drop(oldest);
            return None;
        }
        facts.outcome = Some(outcome);
        facts.streak = streak.unwrap_or(facts.streak);
        facts.next_attempt_at = None;
        let old = failure.and_then(|failure| facts.last_failure.replace(failure.clone()));
        let version = facts.enter(TaskPhase::Ended, now);
        let waiters = facts.take_waiters();
        drop(facts);
        drop((old, oldest));
        Some(Settled { version, _waiters: waiters, _untaken: None })
    }

    // ---- of both ----

    /// Whether a value of the user's is inside, so that dropping the cell may run user code.
    pub(crate) fn holds_user_value(&self) -> bool {
        let facts = self.facts.lock();
        let outcome = facts.outcome.as_ref().and_then(TaskOutcome::failure);
        let past = facts.attempts.failures();
        outcome.into_iter().chain(&facts.last_failure).chain(past).any(Failure::holds_user_value)
    }
}

/// Its actor looks at what stands here.
pub(super) fn wake(driver: Option<Waker>) {
    if let Some(actor) = driver {
        actor.wake();
    }
}

pub(super) fn cancel(token: Option<CancellationToken>) {
    if let Some(token) = token
        && let Err(text) = contained(|| token.cancel())
    {
        log::error!("a waker of a cancellation token panicked: {text}");
    }
}

impl fmt::Debug for TaskCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCell").field("task", &self.task).finish_non_exhaustive()
    }
}

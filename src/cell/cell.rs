use std::{fmt, sync::Arc, time::Duration};

use actix::WeakAddr;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    status::{TaskPhase, TaskStatus},
    watched::Watched,
};
use crate::{
    contain::contained,
    id::{TaskId, TaskRef},
    supervisor::Board,
    task::{CancelCause, Failure, TaskOutcome},
    task_actor::TaskActor,
};

/// See the module's essay.
pub(crate) struct TaskCell {
    pub(crate) task: TaskRef,
    pub(crate) board: Arc<Board>,
    pub(crate) addr: WeakAddr<TaskActor>,
    pub(crate) worker: usize,
    accepted_at: Instant,
    facts: Watched<Facts>,
}

struct Facts {
    version: u64,
    phase: TaskPhase,
    phase_since: Instant,
    attempt: u64,
    attempt_since: Option<Instant>,
    /// When the attempt's timeout is due, by std's clock.
    attempt_due: Option<Instant>,
    streak: u32,
    last_failure: Option<Failure>,
    next_attempt_at: Option<Instant>,
    stop: Option<Stop>,
    /// The attempt's own sign: its timeout passed; force follows at the time inside.
    timed_out: Option<Force>,
    /// Made when the attempt asks for it; cancelled with the attempt's sign and at its end.
    token: Option<CancellationToken>,
    outcome: Option<TaskOutcome>,
    is_overdue: bool,
    is_removed: bool,
}

/// A request to stop the task.
#[derive(Clone, Copy)]
struct Stop {
    cause: CancelCause,
    force: Force,
}

/// When a future that does not return is dropped; `None`: never.
type Force = Option<Instant>;

/// What came of a request to stop.
pub(crate) struct Asked {
    pub(crate) is_first: bool,
    pub(crate) version: u64,
    /// The force that holds now: the earlier one of two requests.
    pub(crate) force_at: Force,
}

/// The beginning of an attempt, as `TaskActor` writes it.
pub(crate) struct Started {
    pub(crate) attempt: u64,
    pub(crate) now: Instant,
    pub(crate) due: Option<Instant>,
}

impl TaskCell {
    pub(crate) fn new(
        task: TaskRef,
        board: Arc<Board>,
        addr: WeakAddr<TaskActor>,
        worker: usize,
    ) -> Self {
        let now = Instant::now();
        Self {
            task,
            board,
            addr,
            worker,
            accepted_at: now,
            facts: Watched::new(Facts {
                version: 1,
                phase: TaskPhase::Waiting,
                phase_since: now,
                attempt: 0,
                attempt_since: None,
                attempt_due: None,
                streak: 0,
                last_failure: None,
                next_attempt_at: None,
                stop: None,
                timed_out: None,
                token: None,
                outcome: None,
                is_overdue: false,
                is_removed: false,
            }),
        }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.task.id()
    }

    // ---- written by the task's `TaskActor` ----

    /// The next attempt waits for a permit.
    pub(crate) fn waits_for_permit(&self) {
        let mut facts = self.facts.lock();
        facts.next_attempt_at = None;
        facts.enter(TaskPhase::WaitingForPermit, Instant::now());
    }

    /// An attempt begins.
    pub(crate) fn attempt_started(&self, started: &Started) -> u64 {
        let mut facts = self.facts.lock();
        facts.attempt = started.attempt;
        facts.attempt_since = Some(started.now);
        facts.attempt_due = started.due;
        facts.next_attempt_at = None;
        facts.enter(TaskPhase::Running, started.now)
    }

    /// The running attempt saw the request to stop.
    pub(crate) fn attempt_stopping(&self) {
        self.facts.lock().enter(TaskPhase::Stopping, Instant::now());
    }

    /// The running attempt's timeout passed: its context says so, and force follows.
    pub(crate) fn attempt_timed_out(&self, force_at: Option<Instant>) {
        let token = {
            let mut facts = self.facts.lock();
            facts.timed_out = Some(force_at);
            facts.enter(TaskPhase::Stopping, Instant::now());
            facts.token.clone()
        };
        self.signal(token);
    }

    /// The attempt is over: its contexts and tokens say so from now on. Answers why the task had been
    /// asked to stop, if it had: a request that comes later finds the attempt's own ending decided.
    pub(crate) fn attempt_over(&self) -> Option<CancelCause> {
        let (token, had_sign, cause) = {
            let mut facts = self.facts.lock();
            facts.attempt_since = None;
            facts.attempt_due = None;
            let had_sign = facts.timed_out.take().is_some() || facts.stop.is_some();
            (
                facts.token.take(),
                had_sign,
                facts.stop.map(|stop| stop.cause),
            )
        };
        if token.is_some() && !had_sign {
            self.signal(token);
        }
        cause
    }

    /// The next attempt is planned. With a failure, the streak that it belongs to.
    pub(crate) fn backs_off(
        &self,
        failure: Option<&Failure>,
        streak: u32,
        next: Option<Instant>,
    ) -> u64 {
        let old;
        let mut facts = self.facts.lock();
        facts.streak = streak;
        old = failure.and_then(|failure| facts.last_failure.replace(failure.clone()));
        facts.next_attempt_at = next;
        let version = facts.enter(TaskPhase::BackingOff, Instant::now());
        drop(facts);
        drop(old);
        version
    }

    /// Sets the outcome, unless there is one (C1). Answers the version after it, if this call did it.
    pub(crate) fn settle(
        &self,
        outcome: TaskOutcome,
        failure: Option<&Failure>,
        streak: u32,
    ) -> Option<u64> {
        let old;
        let mut facts = self.facts.lock();
        if facts.outcome.is_some() {
            return None;
        }
        facts.outcome = Some(outcome);
        facts.streak = streak;
        facts.next_attempt_at = None;
        old = failure.and_then(|failure| facts.last_failure.replace(failure.clone()));
        let version = facts.enter(TaskPhase::Ended, Instant::now());
        drop(facts);
        drop(old);
        Some(version)
    }

    // ---- written by `Registry` ----

    /// Asks the task to stop. The first cause stands; the earlier force wins.
    pub(crate) fn ask_to_stop(&self, cause: CancelCause, force_at: Option<Instant>) -> Asked {
        let (asked, token) = {
            let mut facts = self.facts.lock();
            let before = facts.stop;
            let stop = match before {
                None => Stop {
                    cause,
                    force: force_at,
                },
                Some(stop) => Stop {
                    cause: stop.cause,
                    force: earlier(stop.force, force_at),
                },
            };
            facts.stop = Some(stop);
            if before.is_none() {
                facts.version += 1;
            }
            let asked = Asked {
                is_first: before.is_none(),
                version: facts.version,
                force_at: stop.force,
            };
            (asked, facts.token.clone())
        };
        if asked.is_first {
            self.signal(token);
        }
        asked
    }

    /// The deadline of a stop passed and nobody reported: writes `ForceAborted`, unless there is an
    /// outcome. Answers it and the version.
    pub(crate) fn overdue(&self) -> Option<(TaskOutcome, u64)> {
        let mut facts = self.facts.lock();
        facts.is_overdue = true;
        if facts.outcome.is_some() {
            return None;
        }
        let cause = facts.stop.map_or(CancelCause::User, |stop| stop.cause);
        let outcome = TaskOutcome::ForceAborted { cause };
        facts.outcome = Some(outcome.clone());
        let version = facts.enter(TaskPhase::Ended, Instant::now());
        Some((outcome, version))
    }

    /// The name is free. Answers the version.
    pub(crate) fn removed(&self) -> u64 {
        let mut facts = self.facts.lock();
        facts.is_removed = true;
        facts.version += 1;
        facts.version
    }

    /// Wakes those who wait for something in this cell. Called after the events of the change left.
    pub(crate) fn wake(&self) {
        self.facts.wake();
    }

    // ---- read by anybody ----

    pub(crate) fn version(&self) -> u64 {
        self.facts.lock().version
    }

    pub(crate) fn outcome(&self) -> Option<TaskOutcome> {
        self.facts.lock().outcome.clone()
    }

    pub(crate) fn has_outcome(&self) -> bool {
        self.facts.lock().outcome.is_some()
    }

    /// Why, and when force follows, if the task was asked to stop.
    pub(crate) fn stop(&self) -> Option<(CancelCause, Option<Instant>)> {
        self.facts.lock().stop.map(|stop| (stop.cause, stop.force))
    }

    /// The attempt that is under way, and how long it has been up.
    pub(crate) fn running_attempt(&self) -> Option<(u64, Duration)> {
        let facts = self.facts.lock();
        facts
            .attempt_since
            .map(|since| (facts.attempt, since.elapsed()))
    }

    pub(crate) fn status(&self) -> TaskStatus {
        self.versioned_status().1
    }

    /// The status, and the version of the cell that it shows.
    pub(crate) fn versioned_status(&self) -> (u64, TaskStatus) {
        let now = Instant::now();
        let is_responding = self.board.beats.is_responding(self.worker);
        let facts = self.facts.lock();
        let status = TaskStatus {
            task: self.task.clone(),
            phase: facts.phase,
            in_phase_for: now.saturating_duration_since(facts.phase_since),
            age: now.saturating_duration_since(self.accepted_at),
            attempt: facts.attempt,
            restarts: facts.attempt.saturating_sub(1),
            streak: facts.streak,
            last_failure: facts.last_failure.clone(),
            next_attempt_in: facts
                .next_attempt_at
                .map(|at| at.saturating_duration_since(now)),
            uptime: facts
                .attempt_since
                .map(|since| now.saturating_duration_since(since)),
            cancel_cause: facts.stop.map(|stop| stop.cause),
            outcome: facts.outcome.clone(),
            is_removed: facts.is_removed,
            worker: self.worker,
            is_responding,
        };
        (facts.version, status)
    }

    pub(crate) async fn wait_for_outcome(&self) -> TaskOutcome {
        self.facts.wait_for(|facts| facts.outcome.clone()).await
    }

    pub(crate) async fn wait_until_removed(&self) -> TaskOutcome {
        self.facts
            .wait_for(|facts| facts.outcome.clone().filter(|_| facts.is_removed))
            .await
    }

    /// Waits for the physical end, or for the moment from which only the logical one is to be had.
    /// `true`: physical.
    pub(crate) async fn wait_for_end(&self) -> (TaskOutcome, bool) {
        self.facts
            .wait_for(|facts| {
                let outcome = facts.outcome.clone()?;
                (facts.is_removed || facts.is_overdue).then_some((outcome, facts.is_removed))
            })
            .await
    }

    // ---- read by the context of one attempt ----

    /// Why this attempt should stop, if it should.
    pub(crate) fn sign(&self, attempt: u64) -> Option<CancelCause> {
        self.facts.lock().sign(attempt)
    }

    pub(crate) fn is_canceled(&self, attempt: u64) -> bool {
        self.facts.lock().is_canceled(attempt)
    }

    pub(crate) async fn wait_for_cancel(&self, attempt: u64) {
        self.facts
            .wait_for(|facts| facts.is_canceled(attempt).then_some(()))
            .await;
    }

    pub(crate) fn force_at(&self, attempt: u64) -> Option<Instant> {
        let facts = self.facts.lock();
        let timed_out = facts
            .timed_out
            .filter(|_| facts.attempt == attempt)
            .flatten();
        earlier(timed_out, facts.stop.and_then(|stop| stop.force))
    }

    pub(crate) fn due(&self, attempt: u64) -> Option<Instant> {
        let facts = self.facts.lock();
        facts.attempt_due.filter(|_| facts.attempt == attempt)
    }

    /// A token that is cancelled with the attempt's sign and at its end.
    pub(crate) fn child_token(&self, attempt: u64) -> CancellationToken {
        let mut facts = self.facts.lock();
        if facts.is_canceled(attempt) {
            let token = CancellationToken::new();
            token.cancel();
            return token;
        }
        facts
            .token
            .get_or_insert_with(CancellationToken::new)
            .child_token()
    }

    fn signal(&self, token: Option<CancellationToken>) {
        if let Some(token) = token
            && let Err(text) = contained(|| token.cancel())
        {
            log::error!("a waker of a cancellation token panicked: {text}");
        }
        self.facts.wake();
    }
}

impl Facts {
    fn enter(&mut self, phase: TaskPhase, now: Instant) -> u64 {
        // An outcome that `Registry` wrote stands, whatever the body does afterwards.
        if self.outcome.is_none() || phase == TaskPhase::Ended {
            self.phase = phase;
            self.phase_since = now;
        }
        self.version += 1;
        self.version
    }

    fn sign(&self, attempt: u64) -> Option<CancelCause> {
        let timed_out = self.timed_out.filter(|_| self.attempt == attempt);
        self.stop
            .map(|stop| stop.cause)
            .or_else(|| timed_out.map(|_| CancelCause::TimedOut))
    }

    fn is_canceled(&self, attempt: u64) -> bool {
        let is_over = self.attempt != attempt || self.attempt_since.is_none();
        is_over || self.sign(attempt).is_some()
    }
}

/// The earlier of two forces, where `None` is never.
fn earlier(a: Force, b: Force) -> Force {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

impl fmt::Debug for TaskCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCell")
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

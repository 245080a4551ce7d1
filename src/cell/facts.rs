//! What is known of a task: plain data under the cell's lock.

use std::task::Waker;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{attempts::Attempts, door::Door, status::TaskPhase};
use crate::task::{CancelCause, Failure, TaskOutcome};

/// Who writes what is in the module's essay.
pub(super) struct Facts {
    pub(super) version: u64,
    pub(super) phase: TaskPhase,
    pub(super) phase_since: Instant,
    pub(super) attempt: u64,
    pub(super) attempt_since: Option<Instant>,
    pub(super) streak: u32,
    pub(super) last_failure: Option<Failure>,
    pub(super) next_attempt_at: Option<Instant>,
    pub(super) stop: Option<Stop>,
    /// There is an actor from when the task is given to a worker. Closed with its end, for what is left of a mailbox
    /// takes 112 bytes of the heap for as long as anybody knows its address.
    pub(super) door: Door,
    /// Of the task's actor, from its first poll to its end: what is asked of it here wakes it.
    pub(super) driver: Option<Waker>,
    /// The running attempt's own sign: it alone should end.
    pub(super) interrupt: Option<Interrupt>,
    /// Written by `Registry`: no attempt begins.
    pub(super) is_paused: bool,
    /// Written by `Registry` while a delay runs: it is over. Taken back with the next attempt.
    pub(super) hurry: Hurry,
    pub(super) attempts: Attempts,
    /// Made when the attempt asks for it; cancelled with the attempt's sign and at its end.
    pub(super) token: Option<CancellationToken>,
    pub(super) outcome: Option<TaskOutcome>,
    pub(super) is_overdue: bool,
    pub(super) is_removed: bool,
    /// The supervisor has ended without it: nobody will remove it any more.
    pub(super) is_abandoned: bool,
}

/// A request to stop the task.
#[derive(Clone, Copy)]
pub(super) struct Stop {
    pub(super) cause: CancelCause,
    pub(super) force: Force,
    pub(super) asked_at: Instant,
}

/// A request that the running attempt should end, and the task go on.
#[derive(Clone, Copy)]
pub(super) struct Interrupt {
    /// `TimedOut`, by the task's `TaskActor`, or `Restart`, by `Registry`.
    pub(super) cause: CancelCause,
    pub(super) force: Force,
}

/// Whether the delay that runs should be over. A later one asks for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hurry {
    #[default]
    No,
    /// The next attempt begins now.
    Retry,
    /// The same, and the streak is forgotten.
    Restart,
}

/// When a future that does not return is dropped; `None`: never.
pub(crate) type Force = Option<Instant>;

impl Facts {
    /// A task that was accepted at `now`.
    pub(super) fn new(phase: TaskPhase, now: Instant) -> Self {
        Self {
            version: 1,
            phase,
            phase_since: now,
            attempt: 0,
            attempt_since: None,
            streak: 0,
            last_failure: None,
            next_attempt_at: None,
            stop: None,
            door: Door::Closed,
            driver: None,
            interrupt: None,
            is_paused: false,
            hurry: Hurry::No,
            attempts: Attempts::None,
            token: None,
            outcome: None,
            is_overdue: false,
            is_removed: false,
            is_abandoned: false,
        }
    }

    pub(super) fn enter(&mut self, phase: TaskPhase, now: Instant) -> u64 {
        // An outcome that `Registry` wrote stands, whatever the body does afterwards.
        if self.outcome.is_none() || phase == TaskPhase::Ended {
            self.phase = phase;
            self.phase_since = now;
        }
        self.version += 1;
        self.version
    }

    /// The next attempt begins, or waits for its permit: what was asked of the delay is met.
    pub(super) fn take_hurry(&mut self) {
        if std::mem::take(&mut self.hurry) == Hurry::Restart {
            self.streak = 0;
        }
    }

    /// The running attempt's time is up, unless it was asked to make room already.
    pub(super) fn time_out(&mut self, force: Force, now: Instant) -> bool {
        if self.interrupt.is_some() {
            return false;
        }
        self.interrupt = Some(Interrupt { cause: CancelCause::TimedOut, force });
        self.enter(TaskPhase::Stopping, now);
        true
    }

    pub(super) fn sign(&self, attempt: u64) -> Option<CancelCause> {
        let interrupt = self.interrupt.filter(|_| self.attempt == attempt);
        self.stop.map(|stop| stop.cause).or_else(|| interrupt.map(|interrupt| interrupt.cause))
    }

    /// When force follows for this attempt: after its timeout, or after a request.
    pub(super) fn force_at(&self, attempt: u64) -> Force {
        let interrupt = self.interrupt.filter(|_| self.attempt == attempt);
        let force = interrupt.and_then(|interrupt| interrupt.force);
        earlier(force, self.stop.and_then(|stop| stop.force))
    }

    pub(super) fn is_canceled(&self, attempt: u64) -> bool {
        let is_over = self.attempt != attempt || self.attempt_since.is_none();
        is_over || self.sign(attempt).is_some()
    }
}

/// The earlier of two forces, where `None` is never.
pub(super) fn earlier(a: Force, b: Force) -> Force {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

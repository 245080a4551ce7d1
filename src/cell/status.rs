use std::{fmt, sync::Arc, time::Duration};

use super::attempts::AttemptEnd;
use crate::{
    id::TaskRef,
    policy::RestartPolicy,
    task::{CancelCause, Failure, TaskOutcome},
};

/// Where a task is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TaskPhase {
    /// It waits in its slot for a place.
    Queued,
    /// It waits in its slot for its time (`Debounce`, `Throttle`).
    Delayed,
    /// It runs nothing and shares the outcome of another submission of its slot.
    Attached,
    /// Accepted; its worker has not begun with it.
    Waiting,
    /// The next attempt waits for a permit under `max_concurrent`.
    WaitingForPermit,
    /// An attempt runs.
    Running,
    /// The next attempt is planned; its delay runs.
    BackingOff,
    /// Nothing runs, and no attempt begins until the task is resumed, and its actor has had its thread since.
    Paused,
    /// An attempt was asked to stop (by somebody, by its timeout, or for a restart) and its grace runs.
    Stopping,
    /// It has its outcome. Its body may still hold its thread: see [`TaskStatus::is_removed`].
    Ended,
}

impl TaskPhase {
    /// A stable name in snake_case.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delayed => "delayed",
            Self::Attached => "attached",
            Self::Waiting => "waiting",
            Self::WaitingForPermit => "waiting_for_permit",
            Self::Running => "running",
            Self::BackingOff => "backing_off",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for TaskPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// What is known of a task at one moment, consistent in itself: it is read from the cell that the
/// task's owner writes, not from events.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TaskStatus {
    /// Id and name.
    pub task: TaskRef,
    /// The slot for which it was submitted; `None` for a task that was added.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::event::serialize_maybe_text"))]
    pub slot: Option<Arc<str>>,
    /// Its place in its slot's queue, from 1, while it waits there. Known to the registry alone: told by
    /// [`SupervisorHandle::status`](crate::SupervisorHandle::status), [`list`](crate::SupervisorHandle::list) and
    /// snapshots, `None` where a handle was asked.
    pub position: Option<usize>,
    /// Where it is on its way.
    pub phase: TaskPhase,
    /// How long it has been in that phase.
    pub in_phase_for: Duration,
    /// How long ago it was accepted.
    pub age: Duration,
    /// The number of the attempt that runs or ran last; 0 before the first.
    pub attempt: u64,
    /// How many attempts came after the first.
    pub restarts: u64,
    /// How many failures came in a row, as the retry limit counts them.
    pub streak: u32,
    /// What went wrong last.
    pub last_failure: Option<Failure>,
    /// How long until the next attempt, while one is planned, or until a delayed submission's time comes.
    pub next_attempt_in: Option<Duration>,
    /// Whether no attempt begins until it is resumed. One that runs goes on to its end. A task that ended while it was
    /// paused keeps this.
    pub is_paused: bool,
    /// Whether its spec says that the program is not ready without it.
    pub is_required: bool,
    /// Whether it does what it is there for: an attempt runs that nobody asked to end and whose thread responds, or the last
    /// one succeeded and the next is planned, or it has completed. A task that runs once
    /// ([`RestartPolicy::Never`]) is up when it has completed, and not before.
    pub is_up: bool,
    /// How long the running attempt has been up.
    pub uptime: Option<Duration>,
    /// Why it was asked to stop, if it was.
    pub cancel_cause: Option<CancelCause>,
    /// How long ago that was, as long as it is not removed.
    pub stopping_for: Option<Duration>,
    /// How it ended, once it has.
    pub outcome: Option<TaskOutcome>,
    /// Whether its attempt is physically over and its name is free. An attached one never had either.
    pub is_removed: bool,
    /// The number of the worker on which it lives, from 0; `None` before it is started.
    pub worker: Option<usize>,
    /// Whether its body has its worker's thread at this moment. For a task with the outcome
    /// [`ForceAborted`](TaskOutcome::ForceAborted): whether it is the one that holds the thread.
    pub is_polling: bool,
    /// Whether that worker gave its thread back within the last second.
    pub is_responding: bool,
}

impl TaskStatus {
    /// See [`is_up`](Self::is_up).
    pub(super) fn would_be_up(&self, restart: RestartPolicy, last: Option<AttemptEnd>) -> bool {
        match self.phase {
            TaskPhase::Running => {
                restart != RestartPolicy::Never && self.cancel_cause.is_none() && self.is_responding
            }
            TaskPhase::BackingOff | TaskPhase::WaitingForPermit => {
                last == Some(AttemptEnd::Succeeded)
            }
            TaskPhase::Ended => self.outcome.as_ref().is_some_and(TaskOutcome::is_success),
            TaskPhase::Queued
            | TaskPhase::Delayed
            | TaskPhase::Attached
            | TaskPhase::Waiting
            | TaskPhase::Paused
            | TaskPhase::Stopping => false,
        }
    }
}

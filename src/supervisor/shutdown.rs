use std::{fmt, time::Duration};

use crate::{id::TaskRef, task::TaskOutcome};

/// Why the supervisor shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ShutdownCause {
    /// Somebody asked.
    Requested,
    /// A signal came (only under `run_until_signal`).
    Signal,
    /// The last [`SupervisorHandle`](crate::SupervisorHandle) was dropped.
    LastHandleDropped,
    /// The runtime that it lived on was dropped ([`Placement::Current`](crate::Placement::Current)).
    RuntimeDropped,
    /// The supervisor panicked three times within a second: a defect of this crate.
    Panicked,
}

impl fmt::Display for ShutdownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "requested",
            Self::Signal => "signal",
            Self::LastHandleDropped => "last handle dropped",
            Self::RuntimeDropped => "runtime dropped",
            Self::Panicked => "the supervisor panicked",
        })
    }
}

/// How a shutdown went: the same for every caller.
///
/// ```
/// # use actix_taskvisor::prelude::*;
/// # #[actix::main] async fn main() -> Result<(), StartError> {
/// let supervisor = TaskSupervisor::builder().start()?;
/// let report = supervisor.shutdown().await;
/// println!("{report}");
/// assert!(report.is_clean());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Why it was.
    pub cause: ShutdownCause,
    /// How each task ended that was there when it began.
    pub ended: Vec<(TaskRef, TaskOutcome)>,
    /// Those whose future was dropped because they did not return within their grace.
    pub forced: Vec<TaskRef>,
    /// Those that hold their thread: their bodies never gave it back.
    pub stuck: Vec<TaskRef>,
    /// Those that could not run because another one held their thread.
    pub held_up: Vec<TaskRef>,
    /// The names of threads that could not be ended.
    pub left_behind: Vec<String>,
    /// How many events subscribers had not handled when their time was over.
    pub undelivered: u64,
    /// How long it took.
    pub took: Duration,
}

impl ShutdownReport {
    pub(crate) fn new(cause: ShutdownCause) -> Self {
        Self {
            cause,
            ended: Vec::new(),
            forced: Vec::new(),
            stuck: Vec::new(),
            held_up: Vec::new(),
            left_behind: Vec::new(),
            undelivered: 0,
            took: Duration::ZERO,
        }
    }

    /// Whether every task stopped by itself and every thread ended. Undelivered events don't count.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let is_sound =
            !matches!(self.cause, ShutdownCause::Panicked | ShutdownCause::RuntimeDropped);
        is_sound
            && self.forced.is_empty()
            && self.stuck.is_empty()
            && self.held_up.is_empty()
            && self.left_behind.is_empty()
    }

    /// Those that did not stop within their grace, for whatever reason.
    #[must_use]
    pub fn exceeded(&self) -> Vec<TaskRef> {
        [&self.forced, &self.stuck, &self.held_up].into_iter().flatten().cloned().collect()
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (took, cause) = (self.took, self.cause);
        write!(
            f,
            "supervisor stopped in {took:.1?} (cause: {cause}); {} tasks ended",
            self.ended.len()
        )?;
        for (task, outcome) in &self.ended {
            write!(f, "\n  {task}: {outcome}")?;
        }
        for (what, tasks) in
            [("forced", &self.forced), ("stuck", &self.stuck), ("held up", &self.held_up)]
        {
            for task in tasks {
                write!(f, "\n  {what}: {task}")?;
            }
        }
        for thread in &self.left_behind {
            write!(f, "\n  thread left behind: {thread}")?;
        }
        if self.undelivered > 0 {
            write!(f, "\n  events not handled by their subscribers: {}", self.undelivered)?;
        }
        Ok(())
    }
}

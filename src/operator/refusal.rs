use thiserror::Error;

use super::who::OperatorVerb;
use crate::{
    cell::TaskPhase,
    id::{TaskRef, TaskTarget},
};

/// Why a task was not asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ActError {
    /// There is no such task, neither alive nor in the history of outcomes.
    #[error(
        "there is no task {target}, neither alive nor among the last `outcome_history` that ended"
    )]
    NotFound {
        /// What was asked for.
        target: TaskTarget,
    },
    /// It has its outcome, and what ran is gone.
    #[error("{task} has ended: add it again to have it run")]
    Ended {
        /// The task.
        task: TaskRef,
    },
    /// It makes no sense in the task's phase: see [`restart`](crate::SupervisorHandle::restart) and the others.
    #[error("{verb} does not apply to {task}, which is {phase}{}", hint(*.verb, *.phase, *.is_paused))]
    NotApplicable {
        /// The task.
        task: TaskRef,
        /// What was asked for.
        verb: OperatorVerb,
        /// Where the task was.
        phase: TaskPhase,
        /// Whether it is paused, or will be after its attempt.
        is_paused: bool,
    },
    /// The supervisor has ended, and every task with it.
    #[error("the supervisor has shut down")]
    ShuttingDown,
    /// `command_capacity` is reached, and the supervisor was built with `fail_fast`.
    #[error(
        "command_capacity = {capacity} commands are waiting to be handled: try again, raise it, or build without fail_fast"
    )]
    CommandQueueFull {
        /// The capacity.
        capacity: usize,
    },
    /// The supervisor itself panicked over this command.
    #[error("the supervisor panicked while it handled this command")]
    Unanswered,
}

/// What to do instead.
fn hint(verb: OperatorVerb, phase: TaskPhase, is_paused: bool) -> &'static str {
    match (verb, phase) {
        (_, TaskPhase::Queued | TaskPhase::Delayed | TaskPhase::Attached) => {
            ": its slot decides when it runs; cancel it, or wait"
        }
        (OperatorVerb::Restart | OperatorVerb::RetryNow, _) if is_paused => ": resume it first",
        (OperatorVerb::RetryNow, TaskPhase::Running) => ": restart it to have it begin anew",
        (_, TaskPhase::Stopping) => ": wait for its end",
        _ => "",
    }
}

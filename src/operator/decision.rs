//! Whether a task can do what it is asked for: pure.

use super::who::OperatorVerb;
use crate::cell::TaskPhase;

/// What counts of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) phase: TaskPhase,
    pub(crate) has_outcome: bool,
    /// Somebody asked it to stop.
    pub(crate) is_stopping: bool,
    /// Its attempt was asked to make room.
    pub(crate) is_restarting: bool,
    pub(crate) is_paused: bool,
}

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Do,
    /// It is so already.
    IsSo,
    /// It has its outcome.
    Ended,
    /// It makes no sense now.
    Refuse,
}

/// The table of the module's essay. `Cancel` is not asked here: it is always possible.
pub(crate) fn decide(verb: OperatorVerb, seen: Seen) -> Decision {
    if seen.has_outcome || seen.phase == TaskPhase::Ended {
        return Decision::Ended;
    }
    let waits = matches!(seen.phase, TaskPhase::Queued | TaskPhase::Delayed | TaskPhase::Attached);
    if seen.is_stopping || waits {
        return Decision::Refuse;
    }
    match verb {
        OperatorVerb::Restart => restart(seen),
        OperatorVerb::RetryNow => retry_now(seen),
        OperatorVerb::Pause => if_news(!seen.is_paused),
        OperatorVerb::Resume => if_news(seen.is_paused),
        OperatorVerb::Cancel => Decision::Do,
    }
}

fn restart(seen: Seen) -> Decision {
    match seen.phase {
        TaskPhase::Stopping if seen.is_restarting => Decision::IsSo,
        TaskPhase::Running if seen.is_restarting => Decision::IsSo,
        TaskPhase::Running => Decision::Do,
        TaskPhase::BackingOff => retry_now(seen),
        // One that stops does so by its timeout: the next attempt is on its way.
        TaskPhase::Stopping
        | TaskPhase::Queued
        | TaskPhase::Delayed
        | TaskPhase::Attached
        | TaskPhase::Waiting
        | TaskPhase::WaitingForPermit
        | TaskPhase::Paused
        | TaskPhase::Ended => Decision::Refuse,
    }
}

fn retry_now(seen: Seen) -> Decision {
    if seen.phase == TaskPhase::BackingOff && !seen.is_paused {
        Decision::Do
    } else {
        Decision::Refuse
    }
}

fn if_news(is_news: bool) -> Decision {
    if is_news { Decision::Do } else { Decision::IsSo }
}

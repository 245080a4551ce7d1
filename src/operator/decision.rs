//! Whether a task can do what it is asked for: pure.

use super::who::OperatorVerb;
use crate::cell::{Hurry, TaskPhase};

/// What counts of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// `Stopping` also while an attempt that has returned is put away.
    pub(crate) phase: TaskPhase,
    pub(crate) has_outcome: bool,
    /// Somebody asked it to stop.
    pub(crate) is_stopping: bool,
    /// Its attempt was asked to make room.
    pub(crate) is_restarting: bool,
    pub(crate) is_paused: bool,
    /// Its delay was asked to be over.
    pub(crate) hurry: Hurry,
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
        OperatorVerb::RetryNow => hurry(seen, Hurry::Retry),
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
        TaskPhase::BackingOff | TaskPhase::Paused => hurry(seen, Hurry::Restart),
        // One that stops does so by its timeout, or has returned: what follows is on its way.
        TaskPhase::Stopping
        | TaskPhase::Queued
        | TaskPhase::Delayed
        | TaskPhase::Attached
        | TaskPhase::Waiting
        | TaskPhase::WaitingForPermit
        | TaskPhase::Ended => Decision::Refuse,
    }
}

/// One that was resumed is `Paused` until its actor comes to it.
fn hurry(seen: Seen, how: Hurry) -> Decision {
    let delays = matches!(seen.phase, TaskPhase::BackingOff | TaskPhase::Paused);
    if delays && !seen.is_paused { if_news(seen.hurry < how) } else { Decision::Refuse }
}

fn if_news(is_news: bool) -> Decision {
    if is_news { Decision::Do } else { Decision::IsSo }
}

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

#[cfg(test)]
mod tests {
    use super::{Decision, Seen, decide};
    use crate::{cell::TaskPhase, operator::OperatorVerb};

    use Decision::{Do, Ended, IsSo, Refuse};
    use TaskPhase as P;

    const fn seen(phase: TaskPhase) -> Seen {
        Seen {
            phase,
            has_outcome: false,
            is_stopping: false,
            is_restarting: false,
            is_paused: false,
        }
    }

    /// For each situation: restart, retry now, pause, resume.
    const TABLE: &[(Seen, [Decision; 4])] = &[
        (seen(P::Queued), [Refuse, Refuse, Refuse, Refuse]),
        (seen(P::Delayed), [Refuse, Refuse, Refuse, Refuse]),
        (seen(P::Attached), [Refuse, Refuse, Refuse, Refuse]),
        (seen(P::Waiting), [Refuse, Refuse, Do, IsSo]),
        (seen(P::WaitingForPermit), [Refuse, Refuse, Do, IsSo]),
        (seen(P::Running), [Do, Refuse, Do, IsSo]),
        (seen(P::BackingOff), [Do, Do, Do, IsSo]),
        (seen(P::Stopping), [Refuse, Refuse, Do, IsSo]),
        (seen(P::Ended), [Ended, Ended, Ended, Ended]),
        (Seen { is_paused: true, ..seen(P::Paused) }, [Refuse, Refuse, IsSo, Do]),
        (Seen { is_paused: true, ..seen(P::BackingOff) }, [Refuse, Refuse, IsSo, Do]),
        (Seen { is_paused: true, ..seen(P::Running) }, [Do, Refuse, IsSo, Do]),
        (Seen { is_restarting: true, ..seen(P::Running) }, [IsSo, Refuse, Do, IsSo]),
        (Seen { is_restarting: true, ..seen(P::Stopping) }, [IsSo, Refuse, Do, IsSo]),
        (Seen { is_stopping: true, ..seen(P::Running) }, [Refuse, Refuse, Refuse, Refuse]),
        (Seen { has_outcome: true, ..seen(P::Stopping) }, [Ended, Ended, Ended, Ended]),
    ];

    #[test]
    fn every_verb_in_every_situation_is_decided_as_the_table_says() {
        let verbs = [
            OperatorVerb::Restart,
            OperatorVerb::RetryNow,
            OperatorVerb::Pause,
            OperatorVerb::Resume,
        ];
        for (seen, answers) in TABLE {
            for (verb, expected) in verbs.into_iter().zip(answers) {
                assert_eq!(decide(verb, *seen), *expected, "{verb} of {seen:?}");
            }
        }
    }
}

//! What is decided in which situation.

use super::{Decision, OperatorVerb, Seen, decide};
use crate::cell::{Hurry, TaskPhase};

use Decision::{Do, Ended, IsSo, Refuse};
use TaskPhase as P;

const fn seen(phase: TaskPhase) -> Seen {
    Seen {
        phase,
        has_outcome: false,
        is_stopping: false,
        is_restarting: false,
        is_paused: false,
        hurry: Hurry::No,
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
    (Seen { hurry: Hurry::Retry, ..seen(P::BackingOff) }, [Do, IsSo, Do, IsSo]),
    (Seen { hurry: Hurry::Restart, ..seen(P::BackingOff) }, [IsSo, IsSo, Do, IsSo]),
    // Resumed, and its actor has not come to it.
    (seen(P::Paused), [Do, Do, Do, IsSo]),
    (Seen { hurry: Hurry::Retry, is_paused: true, ..seen(P::Paused) }, [Refuse, Refuse, IsSo, Do]),
    (Seen { is_paused: true, ..seen(P::Running) }, [Do, Refuse, IsSo, Do]),
    (Seen { is_restarting: true, ..seen(P::Running) }, [IsSo, Refuse, Do, IsSo]),
    (Seen { is_restarting: true, ..seen(P::Stopping) }, [IsSo, Refuse, Do, IsSo]),
    (Seen { is_stopping: true, ..seen(P::Running) }, [Refuse, Refuse, Refuse, Refuse]),
    (Seen { has_outcome: true, ..seen(P::Stopping) }, [Ended, Ended, Ended, Ended]),
];

#[test]
fn every_verb_in_every_situation_is_decided_as_the_table_says() {
    let verbs =
        [OperatorVerb::Restart, OperatorVerb::RetryNow, OperatorVerb::Pause, OperatorVerb::Resume];
    for (seen, answers) in TABLE {
        for (verb, expected) in verbs.into_iter().zip(answers) {
            assert_eq!(decide(verb, *seen), *expected, "{verb} of {seen:?}");
        }
    }
}

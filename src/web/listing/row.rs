use std::sync::Arc;

use super::attention::{Attention, explain};
use crate::{
    cell::{Hurry, TaskPhase, TaskStatus},
    operator::{Decision, OperatorVerb, Seen, decide},
};

/// The state of a task whose last attempt succeeded and whose next is planned.
pub(super) const BETWEEN_RUNS: &str = "between_runs";

/// A task as it is shown, already redacted.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) status: TaskStatus,
    /// What needs attention, the worst first.
    pub(crate) attention: Vec<Attention>,
    /// Its cell, for what only some views ask; a test has none.
    pub(crate) cell: Option<Arc<crate::cell::TaskCell>>,
}

impl Row {
    pub(crate) fn id(&self) -> u64 {
        self.status.task.id().get()
    }

    pub(crate) fn name(&self) -> &str {
        self.status.task.name()
    }

    /// Where it is, as it is shown: a delay after a success is nobody's trouble, and has a word of its own.
    pub(crate) fn state(&self) -> &'static str {
        match self.status.phase {
            TaskPhase::BackingOff if self.status.streak == 0 => BETWEEN_RUNS,
            phase => phase.label(),
        }
    }

    /// Whether it is still there: it has no outcome, or what ran is not gone yet.
    pub(crate) fn is_living(&self) -> bool {
        self.status.outcome.is_none() || !self.status.is_removed
    }

    /// What is said of it among those that need attention for this reason.
    pub(crate) fn why(&self, kind: Attention) -> String {
        explain(kind, &self.status)
    }
}

/// The actions that would change something now.
pub(crate) fn applicable(status: &TaskStatus) -> Vec<OperatorVerb> {
    let seen = Seen {
        phase: status.phase,
        has_outcome: status.outcome.is_some(),
        is_stopping: status.cancel_cause.is_some(),
        is_restarting: false,
        is_paused: status.is_paused,
        hurry: Hurry::No,
    };
    let makes_sense = |verb: &OperatorVerb| match verb {
        OperatorVerb::Cancel => !seen.has_outcome && !seen.is_stopping,
        other => decide(*other, seen) == Decision::Do,
    };
    OperatorVerb::ALL.iter().copied().filter(makes_sense).collect()
}

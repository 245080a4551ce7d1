use std::sync::Arc;

use super::attention::{Attention, explain};
use crate::{
    cell::{TaskPhase, TaskStatus},
    web::verb::Verb,
};

/// A task as it is shown, already redacted.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) status: TaskStatus,
    pub(crate) is_required: bool,
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

    /// What is said of it among those that need attention for this reason.
    pub(crate) fn why(&self, kind: Attention) -> String {
        explain(kind, &self.status)
    }
}

/// The actions that make sense for a task in this state.
pub(crate) fn applicable(status: &TaskStatus) -> &'static [Verb] {
    if status.outcome.is_some() || status.cancel_cause.is_some() {
        return &[];
    }
    match status.phase {
        TaskPhase::Queued | TaskPhase::Delayed | TaskPhase::Attached => &[Verb::Cancel],
        TaskPhase::Waiting | TaskPhase::WaitingForPermit => &[Verb::Cancel, Verb::Pause],
        TaskPhase::Running => &[Verb::Cancel, Verb::Restart, Verb::Pause],
        TaskPhase::BackingOff => &[Verb::Cancel, Verb::Restart, Verb::RetryNow, Verb::Pause],
        // An attempt that timed out: the task itself goes on.
        TaskPhase::Stopping => &[Verb::Cancel],
        TaskPhase::Ended => &[],
    }
}

use std::{fmt, sync::Arc};

use super::admission::Admission;
use crate::{
    cell::{TaskCell, TaskStatus},
    error::StopError,
    id::{TaskId, TaskTarget},
    supervisor::{CancelReply, OutcomeWait, TaskHandle},
    task::TaskOutcome,
};

/// One submission that was taken in, from the decision to its outcome. Cheap to clone; usable from any
/// thread and runtime. It does not keep the supervisor alive, and dropping it cancels nothing.
#[derive(Clone)]
pub struct SubmissionHandle {
    slot: Arc<str>,
    admission: Admission,
    task: TaskHandle,
}

impl SubmissionHandle {
    pub(crate) fn new(slot: Arc<str>, admission: Admission, cell: Arc<TaskCell>) -> Self {
        Self { slot, admission, task: TaskHandle::new(cell) }
    }

    /// Its id, which the task keeps when it starts.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.task.id()
    }

    /// The name of its slot.
    #[must_use]
    pub fn slot(&self) -> &str {
        &self.slot
    }

    /// What was decided when it came in. What has become of it since is in [`status`](Self::status).
    #[must_use]
    pub fn admission(&self) -> Admission {
        self.admission
    }

    /// The task: its name, its address once it runs.
    #[must_use]
    pub fn task(&self) -> &TaskHandle {
        &self.task
    }

    /// What is known of it now. Its place in the queue is known to the registry alone:
    /// [`SupervisorHandle::status`](crate::SupervisorHandle::status) tells it.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.task.status()
    }

    /// Waits for its outcome: that of its run, that of the run which it shares, or
    /// [`Rejected`](TaskOutcome::Rejected) if it will never run.
    ///
    /// # Cancel safety
    /// Safe: dropping the future changes nothing.
    pub fn outcome(&self) -> OutcomeWait {
        self.task.outcome()
    }

    /// Waits until it is physically over, or the supervisor has ended.
    ///
    /// # Cancel safety
    /// Safe: dropping the future changes nothing.
    pub async fn removed(&self) -> TaskOutcome {
        self.task.removed().await
    }

    /// Cancels it, wherever it is, and waits for its end. Where it waits, it is over at once and never
    /// starts. Where it shares another one's outcome, it gives up its share, and the other goes on. Where
    /// it runs, this is [`TaskHandle::cancel`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    pub async fn cancel(&self) -> Result<CancelReply, StopError> {
        self.task.cancel().await
    }
}

impl From<&SubmissionHandle> for TaskTarget {
    fn from(submission: &SubmissionHandle) -> Self {
        Self::Id(submission.id())
    }
}

impl fmt::Debug for SubmissionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubmissionHandle({:?}, {}, {})", self.task, self.slot, self.admission)
    }
}

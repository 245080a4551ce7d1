//! What a supervisor's handle offers for slots.

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;

use super::{ReturnedSubmission, SlotScope, SlotStatus, Submission, SubmissionHandle, SubmitError};
use crate::{
    error::{QueryError, StopError},
    registry::{CancelSlot, ShutDown, SlotList, SubmitTask},
    supervisor::{CancelAllReport, ShutdownReport, SupervisorHandle},
};

impl SupervisorHandle {
    /// Submits a task for a slot: it starts, waits, joins another one or is refused, as its policy says. See
    /// [the page on slots](crate::slot).
    ///
    /// When this returns, the decision has been carried out: [`SubmissionHandle::admission`] says which.
    ///
    /// # Errors
    /// [`SubmitError`] says why it was refused and gives the submission back. What is decided later, after
    /// it was taken in, comes as its outcome.
    ///
    /// # Cancel safety
    /// Dropping the future before the command was sent (while it waits for room) submits nothing; after
    /// that the task is submitted all the same.
    pub fn submit(
        &self,
        submission: impl Into<Submission>,
    ) -> impl Future<Output = Result<SubmissionHandle, SubmitError>> {
        self.board().command(SubmitTask(submission.into())).map(|sent| match sent {
            Ok(Some(reply)) => reply,
            Ok(None) => Err(SubmitError::Unanswered),
            Err(SubmitTask(submission)) => Err(SubmitError::CommandQueueFull {
                capacity: self.board().gate.capacity,
                submission: ReturnedSubmission::new(submission),
            }),
        })
    }

    /// Cancels everyone who waits in a slot, or its owners as well, and waits for their ends. Those who wait
    /// never start. A slot that is not in use has nobody to cancel.
    ///
    /// # Errors
    /// As [`cancel_all_within`](Self::cancel_all_within).
    ///
    /// # Cancel safety
    /// As [`cancel`](Self::cancel).
    pub async fn cancel_slot(
        &self,
        slot: impl Into<Arc<str>>,
        scope: SlotScope,
    ) -> Result<CancelAllReport, StopError> {
        let asked = self.stop_command(CancelSlot::new(slot, scope)).await?;
        Ok(CancelAllReport::of(asked).await)
    }

    /// All slots in use, in the order of their names: exact at one moment.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn slots(&self) -> Result<Vec<SlotStatus>, QueryError> {
        self.query(SlotList::default()).await
    }

    /// One slot; `None`: it is not in use.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn slot(&self, name: impl Into<Arc<str>>) -> Result<Option<SlotStatus>, QueryError> {
        Ok(self.query(SlotList::only(name)).await?.pop())
    }

    /// Shuts down when the slots have worked off what was submitted: refuses new work from now on, lets
    /// everyone in a slot run to its end, each when its turn or time comes (debounced ones at once, since nothing newer can come),
    /// and then does what [`shutdown`](Self::shutdown) does. Tasks without a slot run on meanwhile.
    ///
    /// After `within`, or when somebody calls [`shutdown`](Self::shutdown), those who still wait are rejected and
    /// the owners are asked to stop. A resident task in a slot never ends by itself and uses all of that time.
    /// So does a body that never gives its thread back, and a call from inside a task of a slot, which waits for itself.
    /// A second call changes nothing. When the last handle is dropped meanwhile, the drain goes on to its end, or is
    /// cut short if `within` is endless.
    ///
    /// # Cancel safety
    /// The shutdown goes on when the future is dropped.
    pub async fn shutdown_after_queues(&self, within: Duration) -> ShutdownReport {
        self.shutdown_by(ShutDown::after_queues(within)).await
    }
}

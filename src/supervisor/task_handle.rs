use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix::Addr;

use super::board::Board;
use crate::{
    broker::AwaitDelivery,
    cell::{AttemptRecord, TaskCell, TaskStatus},
    contain::Answer,
    error::StopError,
    id::{TaskId, TaskRef, TaskTarget},
    registry::CancelTask,
    task::TaskOutcome,
    task_actor::{TaskActor, is_inside},
    watched::Place,
};

/// One accepted task, through all its attempts and after its end. Cheap to clone; usable from any
/// thread and runtime. It does not keep the supervisor alive.
#[derive(Clone)]
pub struct TaskHandle {
    cell: Arc<TaskCell>,
}

impl TaskHandle {
    pub(crate) fn new(cell: Arc<TaskCell>) -> Self {
        Self { cell }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.cell.id()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.cell.task.name()
    }

    /// Its id and name together.
    #[must_use]
    pub fn task(&self) -> &TaskRef {
        &self.cell.task
    }

    /// The address of its actor, the same at every call; the first makes its mailbox, which most tasks never need. Before a
    /// submission starts, and once the task is over, it is a closed one, to which sending fails.
    #[must_use]
    pub fn addr(&self) -> Addr<TaskActor> {
        self.cell.addr()
    }

    /// What is known of it now, read from its cell: no message, no waiting.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.cell.status()
    }

    /// What came of its last [`ATTEMPT_HISTORY`](crate::ATTEMPT_HISTORY) ended attempts, oldest first, read from its
    /// cell as the status is.
    #[must_use]
    pub fn attempts(&self) -> Vec<AttemptRecord> {
        self.cell.attempts()
    }

    pub(crate) fn board(&self) -> &Board {
        &self.cell.board
    }

    /// Waits for its outcome: late, early, by many at once. The name may not be free yet: see
    /// [`removed`](Self::removed).
    pub fn outcome(&self) -> OutcomeWait {
        OutcomeWait { task: self.clone(), place: Place::default() }
    }

    /// Waits until its attempt is physically over and its name is free, or the supervisor has ended.
    ///
    /// # Cancel safety
    /// Safe: dropping the future changes nothing.
    pub async fn removed(&self) -> TaskOutcome {
        self.cell.wait_until_removed().await
    }

    /// Asks it to stop and waits for its end, as [`SupervisorHandle::cancel`](crate::SupervisorHandle::cancel) does.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Dropping the future before the command was sent cancels nothing; after that the task is asked
    /// to stop all the same.
    pub async fn cancel(&self) -> Result<CancelReply, StopError> {
        let board = &self.cell.board;
        let sent = board.command(CancelTask::new(self.id())).await;
        let capacity = board.gate.capacity;
        match sent.map_err(|_| StopError::CommandQueueFull { capacity })? {
            Some(Ok(cancelling)) => Ok(cancelling.end().await),
            // The supervisor has ended, or the history has forgotten: the cell knows.
            Some(Err(_)) if self.cell.has_outcome() => {
                Ok(Cancelling::new(false, self.clone()).end().await)
            }
            Some(Err(error)) => Err(error),
            None => Err(StopError::Unanswered),
        }
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskHandle({})", self.cell.task)
    }
}

impl From<&TaskHandle> for TaskTarget {
    fn from(task: &TaskHandle) -> Self {
        Self::Id(task.id())
    }
}

/// Waits for the outcome of a task: await it, or chain [`after_events`](Self::after_events).
///
/// Cancel safety: dropping it changes nothing.
#[must_use = "nothing is waited for until it is awaited"]
pub struct OutcomeWait {
    task: TaskHandle,
    place: Place,
}

impl OutcomeWait {
    /// Also waits until every subscriber has handled all events up to the last one of this task, or
    /// `deadline` has passed since its end.
    ///
    /// # Cancel safety
    /// Safe: dropping the future changes nothing.
    pub async fn after_events(self, deadline: Duration) -> TaskOutcome {
        let cell = Arc::clone(&self.task.cell);
        let (outcome, _) = cell.wait_for_end().await;
        let (answer, answered) = Answer::channel();
        cell.board.broker.do_send(AwaitDelivery { within: deadline, answer });
        // An error says that the broker has ended: then every subscription has had its last delivery.
        let _ = answered.await;
        outcome
    }
}

impl Future for OutcomeWait {
    type Output = TaskOutcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TaskOutcome> {
        let Self { task, place } = &mut *self;
        task.cell.poll_outcome(place, cx)
    }
}

impl Drop for OutcomeWait {
    fn drop(&mut self) {
        self.task.cell.leave(&mut self.place);
    }
}

impl fmt::Debug for OutcomeWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutcomeWait({})", self.task.cell.task)
    }
}

/// The decision about a request to stop: the task is asked, and [`end`](Self::end) waits for what
/// comes of it. Dropping it cancels nothing.
#[derive(Clone, Debug)]
pub struct Cancelling {
    asked_by_this_call: bool,
    task: TaskHandle,
}

impl Cancelling {
    pub(crate) fn new(asked_by_this_call: bool, task: TaskHandle) -> Self {
        Self { asked_by_this_call, task }
    }

    /// Whether this request was the first; `false` also for a task that had ended.
    #[must_use]
    pub fn asked_by_this_call(&self) -> bool {
        self.asked_by_this_call
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &TaskHandle {
        &self.task
    }

    /// Waits for the end. Inside the task's own attempt it answers at once that the end is pending.
    ///
    /// # Cancel safety
    /// Safe: dropping the future changes nothing.
    pub async fn end(&self) -> CancelReply {
        let cell = &self.task.cell;
        let asked_by_this_call = self.asked_by_this_call;
        if !cell.has_outcome() && is_inside(cell) {
            return CancelReply { asked_by_this_call, end: CancelEnd::Pending };
        }
        let end = match cell.wait_for_end().await {
            (outcome, true) => CancelEnd::Physical(outcome),
            (outcome, false) => CancelEnd::LogicalOnly(outcome),
        };
        CancelReply { asked_by_this_call, end }
    }
}

/// What came of a request to stop.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CancelReply {
    /// Whether this call was the first to ask; `false` also for a task that had ended.
    pub asked_by_this_call: bool,
    /// How far the end has come.
    pub end: CancelEnd,
}

impl CancelReply {
    /// The outcome, unless the end is pending.
    #[must_use]
    pub fn outcome(&self) -> Option<&TaskOutcome> {
        match &self.end {
            CancelEnd::Physical(outcome) | CancelEnd::LogicalOnly(outcome) => Some(outcome),
            CancelEnd::Pending => None,
        }
    }
}

/// How far the end of a task has come.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum CancelEnd {
    /// Its attempt has returned or was dropped, and its name is free.
    Physical(TaskOutcome),
    /// It has its outcome, but its body still holds its thread: the name stays taken until that returns.
    LogicalOnly(TaskOutcome),
    /// The caller is the task itself: it ends when it returns.
    Pending,
}

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix::WeakAddr;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{failure::Failure, outcome::CancelCause};
use crate::{
    cell::TaskCell,
    id::{TaskId, TaskRef},
    supervisor::WeakSupervisorHandle,
    task_actor::TaskActor,
    watched::Place,
};

/// What one attempt of a task knows of itself and of the wish that it stop.
///
/// It is `Send` and cheap to clone. A context outlives its attempt without harm: from then on it
/// says that it is cancelled.
///
/// Not promised: a Tokio task for each task. Several may live in one after another, so that `tokio::task::id()`
/// tells apart only those that run at the same time, and a waker that is kept from an earlier one wakes a later one for
/// nothing.
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// async fn consume(ctx: TaskContext) -> TaskResult {
///     while let Some(job) = ctx.run_until_cancelled(next_job()).await {
///         println!("attempt {} works on {job}", ctx.attempt());
/// #       break;
///     }
///     Ok(())
/// }
/// # async fn next_job() -> u32 { 7 }
/// let _spec = TaskSpec::new("consumer", consume);
/// ```
#[derive(Clone, Debug)]
pub struct TaskContext {
    cell: Arc<TaskCell>,
    attempt: u64,
    previous_failure: Option<Failure>,
}

impl TaskContext {
    pub(crate) fn new(
        cell: Arc<TaskCell>,
        attempt: u64,
        previous_failure: Option<Failure>,
    ) -> Self {
        Self { cell, attempt, previous_failure }
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.cell.id()
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.cell.task.name()
    }

    /// The task's id and name together.
    #[must_use]
    pub fn task(&self) -> &TaskRef {
        &self.cell.task
    }

    /// The number of this attempt: 1 for the first, never reset.
    #[must_use]
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// What went wrong in the attempt right before this one, if it failed.
    #[must_use]
    pub fn previous_failure(&self) -> Option<&Failure> {
        self.previous_failure.as_ref()
    }

    /// Waits until this attempt should stop: somebody asked, its timeout passed, or it is over.
    ///
    /// # Cancel safety
    /// Safe: dropping the future changes nothing.
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled { context: self, place: Place::default() }
    }

    /// Whether this attempt should stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cell.is_canceled(self.attempt)
    }

    /// Runs `work` until it is done or this attempt should stop, whichever comes first; `None`: the
    /// latter, and `work` was dropped. When both are true at once, the work counts.
    ///
    /// # Cancel safety
    /// As safe as `work` is.
    pub async fn run_until_cancelled<F: Future>(&self, work: F) -> Option<F::Output> {
        let cancelled = std::pin::pin!(self.cancelled());
        let work = std::pin::pin!(work);
        match futures::future::select(work, cancelled).await {
            futures::future::Either::Left((output, _)) => Some(output),
            futures::future::Either::Right(_) => None,
        }
    }

    /// Why this attempt should stop; `None` while it should not, and for one that ended by itself.
    #[must_use]
    pub fn cancel_cause(&self) -> Option<CancelCause> {
        self.cell.sign(self.attempt)
    }

    /// How long until this attempt's future is dropped; `None` while it need not stop, and where
    /// its grace has no end.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let force_at = self.cell.force_at(self.attempt)?;
        Some(force_at.saturating_duration_since(Instant::now()))
    }

    /// When this attempt's timeout is due; `None` where it has none.
    #[must_use]
    pub fn deadline(&self) -> Option<std::time::Instant> {
        self.cell.due(self.attempt).map(Instant::into_std)
    }

    /// A token for work that this attempt starts elsewhere. It is cancelled when this attempt should
    /// stop and when it is over; cancelling it cancels nothing else.
    ///
    /// A waker that panics when it is woken (no runtime's does) may keep the news from others who wait
    /// for tokens of the same attempt; [`cancelled`](Self::cancelled) has no such limit.
    #[must_use]
    pub fn child_token(&self) -> CancellationToken {
        self.cell.child_token(self.attempt)
    }

    /// The task's own address. Once the task is over it leads nowhere, and equals no other.
    #[must_use]
    pub fn addr(&self) -> WeakAddr<TaskActor> {
        self.cell.addr().downgrade()
    }

    /// The supervisor, without keeping it alive.
    #[must_use]
    pub fn supervisor(&self) -> WeakSupervisorHandle {
        WeakSupervisorHandle::new(&self.cell.board)
    }
}

/// Resolves when an attempt should stop: [`TaskContext::cancelled`] makes it.
///
/// Cancel safety: dropping it changes nothing.
#[derive(Debug)]
#[must_use = "nothing is waited for until it is awaited"]
pub struct Cancelled<'a> {
    context: &'a TaskContext,
    place: Place,
}

impl Future for Cancelled<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let TaskContext { cell, attempt, .. } = self.context;
        cell.poll_cancel(*attempt, &mut self.place, cx)
    }
}

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        self.context.cell.leave(&mut self.place);
    }
}

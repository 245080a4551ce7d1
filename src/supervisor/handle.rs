use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use actix::Addr;
use futures::FutureExt as _;

use super::{
    board::Board,
    shutdown::{ShutdownCause, ShutdownReport},
    task_handle::{CancelEnd, CancelReply, Cancelling, TaskHandle},
    threads::{END_WITHIN, SystemThread},
};
use crate::{
    broker::{AwaitDelivery, Subscribe},
    cell::{Sighting, TaskStatus},
    contain::Answer,
    error::{
        AddAllError, AddError, EventsPending, QueryError, ReturnedSpec, RunError, StopError,
        SubscribeError,
    },
    id::{TaskId, TaskRef, TaskTarget},
    registry::{
        AddTask, AddTasks, AwaitEmpty, CancelAll, CancelTask, Command, FindTask, Overview,
        OverviewWanted, Registry, ShutDown, StatusList, StatusOf, TaskList,
    },
    signals::Signals,
    subscriber::{Subscription, SubscriptionSpec},
    task::{TaskOutcome, TaskSpec},
};

/// What all handles of a supervisor share: when the last is gone, it shuts down by itself.
pub(crate) struct Owner {
    board: Arc<Board>,
    /// Put here by `start`, taken by the first caller of `shutdown` that has the report.
    thread: Mutex<Option<SystemThread>>,
}

impl Owner {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self { board, thread: Mutex::new(None) }
    }

    pub(super) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    pub(super) fn hold(&self, thread: SystemThread) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// The report is out: the supervisor's thread is at its last instructions.
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(name)) = thread.map(|thread| thread.join_until(Instant::now() + END_WITHIN))
        {
            log::warn!("thread {name} has reported its end and is still there");
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Fails only when `Registry` has ended, which is what it asks for.
        self.board.registry.do_send(ShutDown::because(ShutdownCause::LastHandleDropped));
    }
}

/// A running supervisor. Clone it freely; every clone may be used from any thread and runtime, and
/// from none.
///
/// When the last clone is dropped the supervisor shuts down by itself, without anybody waiting:
/// tasks are asked to stop and get their grace. [`TaskHandle`]s, subscriptions, addresses and
/// [`WeakSupervisorHandle`]s do not keep it alive.
#[derive(Clone)]
#[must_use = "dropping the last handle shuts the supervisor down"]
pub struct SupervisorHandle {
    owner: Arc<Owner>,
}

impl SupervisorHandle {
    pub(super) fn new(owner: Arc<Owner>) -> Self {
        Self { owner }
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.owner.board
    }

    // ---- adding ----

    /// Adds a task and starts it.
    ///
    /// # Errors
    /// [`AddError`] says why it was refused and gives the spec back: the name is taken, the spec makes no
    /// sense, a limit is reached, no worker is left, or the supervisor shuts down.
    ///
    /// # Cancel safety
    /// Dropping the future before the command was sent (while it waits for room) adds nothing; after
    /// that the task is added all the same.
    pub fn add(&self, spec: TaskSpec) -> impl Future<Output = Result<TaskHandle, AddError>> {
        self.board().command(AddTask(spec)).map(|sent| match sent {
            Ok(Some(reply)) => reply,
            Ok(None) => Err(AddError::Unanswered),
            Err(AddTask(spec)) => Err(AddError::CommandQueueFull {
                capacity: self.board().gate.capacity,
                spec: ReturnedSpec::new(spec),
            }),
        })
    }

    /// Adds all tasks or none: nothing starts unless every spec is accepted.
    ///
    /// # Errors
    /// [`AddAllError`] names the first spec that was refused and why, and gives all of them back.
    ///
    /// # Cancel safety
    /// As [`add`](Self::add).
    pub async fn add_all(
        &self,
        specs: impl IntoIterator<Item = TaskSpec>,
    ) -> Result<Vec<TaskHandle>, AddAllError> {
        let specs = specs.into_iter().collect();
        match self.board().command(AddTasks(specs)).await {
            Ok(Some(reply)) => reply,
            Ok(None) => Err(AddAllError::Unanswered),
            Err(AddTasks(specs)) => Err(AddAllError::queue_full(self.board().gate.capacity, specs)),
        }
    }

    // ---- stopping ----

    /// Asks a task to stop and waits for its end: until its attempt is over and its name is free, or
    /// until its thread has not come back within grace + 250 ms. Called from inside the task itself it
    /// answers at once.
    ///
    /// For a task that has ended and is in the history it answers the outcome.
    ///
    /// # Errors
    /// - [`StopError::NotFound`]: there is no such task.
    /// - [`StopError::ShuttingDown`]: the supervisor has ended.
    /// - [`StopError::CommandQueueFull`]: only with `fail_fast`.
    ///
    /// # Cancel safety
    /// Dropping the future before the command was sent cancels nothing; after that the task is asked
    /// to stop all the same.
    pub async fn cancel(&self, target: impl Into<TaskTarget>) -> Result<CancelReply, StopError> {
        let cancelling = self.stop_command(CancelTask::new(target)).await??;
        Ok(cancelling.end().await)
    }

    /// Asks every task to stop within `grace` (in place of their own) and waits for their ends.
    ///
    /// # Errors
    /// As [`cancel`](Self::cancel), but for `NotFound`.
    ///
    /// # Cancel safety
    /// As [`cancel`](Self::cancel).
    pub async fn cancel_all_within(
        &self,
        grace: std::time::Duration,
    ) -> Result<CancelAllReport, StopError> {
        let asked: Vec<Cancelling> = self.stop_command(CancelAll { within: Some(grace) }).await?;
        Ok(CancelAllReport::of(asked).await)
    }

    pub(crate) async fn stop_command<M: Command>(
        &self,
        message: M,
    ) -> Result<M::Result, StopError> {
        let capacity = self.board().gate.capacity;
        let sent = self.board().command(message).await;
        match sent.map_err(|_| StopError::CommandQueueFull { capacity })? {
            Some(reply) => Ok(reply),
            None if self.board().has_ended() => Err(StopError::ShuttingDown),
            None => Err(StopError::Unanswered),
        }
    }

    /// Shuts down: refuses new work, asks every task to stop, forces those that do not within their
    /// grace, gives subscribers their time, and ends the threads. Every caller gets the same report.
    ///
    /// With `Placement::Dedicated` it returns within grace + 250 ms + subscriber drain + 250 ms (the longest
    /// grace of any task counts), whatever tasks and subscribers do.
    ///
    /// Called inside a task it cannot return before that task's own end: send [`ShutDown`](crate::messages::ShutDown) to
    /// [`addr`](Self::addr) there, and return.
    ///
    /// # Cancel safety
    /// The shutdown goes on when the future is dropped.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.shutdown_by(ShutDown::because(ShutdownCause::Requested)).await
    }

    pub(crate) async fn shutdown_by(&self, message: ShutDown) -> ShutdownReport {
        // Fails only when `Registry` has ended: then the report is there.
        self.board().registry.do_send(message);
        let report = self.board().report.wait_for(Option::clone).await;
        self.owner.join();
        report
    }

    // ---- asking ----

    /// The statuses of all tasks that have not been removed, in the order of their ids. Membership is
    /// that of one moment; each status is read after it, and is consistent in itself.
    ///
    /// # Errors
    /// [`QueryError`]: the supervisor has ended, or (with `fail_fast`) has no room for the question.
    ///
    /// # Cancel safety
    /// Safe, as for every question.
    pub async fn list(&self) -> Result<Vec<TaskStatus>, QueryError> {
        let tasks = self.query(StatusList).await?;
        Ok(tasks.iter().map(Sighting::status).collect())
    }

    /// The status of one task: a living one, else the latest in the history of outcomes; `None`: unknown.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn status(
        &self,
        target: impl Into<TaskTarget>,
    ) -> Result<Option<TaskStatus>, QueryError> {
        let task = self.query(StatusOf { target: target.into() }).await?;
        Ok(task.map(|task| task.status()))
    }

    /// The handle of the task that holds this name now.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn find(&self, name: &str) -> Result<Option<TaskHandle>, QueryError> {
        let task = self.query(FindTask::new(name)).await?;
        Ok(task.filter(|task| !task.status().is_removed))
    }

    /// Whether the task with this id has not been removed.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn contains(&self, id: TaskId) -> Result<bool, QueryError> {
        let task = self.query(FindTask::new(id)).await?;
        Ok(task.is_some_and(|task| !task.status().is_removed))
    }

    /// Whether there is no task.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn is_empty(&self) -> Result<bool, QueryError> {
        Ok(self.query(TaskList).await?.is_empty())
    }

    /// Whether the program is ready, as far as its tasks say: it does not shut down, and every task that is
    /// [required](crate::TaskSpec::required) is [up](TaskStatus::is_up).
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn readiness(&self) -> Result<Readiness, QueryError> {
        Ok(Readiness::of(&self.query(OverviewWanted).await?))
    }

    pub(crate) async fn query<M: Command>(&self, message: M) -> Result<M::Result, QueryError> {
        let capacity = self.board().gate.capacity;
        let sent = self.board().command(message).await;
        match sent.map_err(|_| QueryError::CommandQueueFull { capacity })? {
            Some(reply) => Ok(reply),
            None if self.board().has_ended() => Err(QueryError::ShuttingDown),
            None => Err(QueryError::Unanswered),
        }
    }

    /// Waits until every task has been removed, or the supervisor has ended. Inside a task it waits for that
    /// task as well.
    ///
    /// # Cancel safety
    /// Safe: dropping the future changes nothing.
    pub async fn wait_until_empty(&self) {
        let (answer, answered) = Answer::channel();
        self.board().registry.do_send(AwaitEmpty { answer });
        // An error says that the supervisor has ended, and with it every task.
        let _ = answered.await;
    }

    // ---- listening ----

    /// Subscribes an actor, a value or a closure to lifecycle events; see [`SubscriptionSpec`].
    ///
    /// The subscriber gets every event published after this returned.
    ///
    /// # Errors
    /// [`SubscribeError`]: a capacity of 0, a shutdown under way, or no thread for the subscriber.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no subscription behind.
    pub async fn subscribe(
        &self,
        subscriber: impl Into<SubscriptionSpec>,
    ) -> Result<Subscription, SubscribeError> {
        let spec = subscriber.into();
        if spec.capacity == 0 {
            return Err(SubscribeError::ZeroCapacity);
        }
        let (answer, answered) = Answer::channel();
        self.board().broker.do_send(Subscribe {
            name: spec.name.clone(),
            filter: spec.filter.clone(),
            capacity: spec.capacity,
            has_snapshot: spec.has_snapshot,
            outlet: SubscriptionSpec::outlet(spec),
            answer,
        });
        let account = answered.await.map_err(|_| SubscribeError::ShuttingDown)??;
        Ok(Subscription::new(account))
    }

    /// Waits until every subscriber has handled all events up to now, at most for the supervisor's
    /// `subscriber_drain`.
    ///
    /// # Errors
    /// [`EventsPending`]: the time was over first.
    ///
    /// # Cancel safety
    /// Safe: dropping the future changes nothing.
    pub async fn events_delivered(&self) -> Result<(), EventsPending> {
        let within = self.board().subscriber_drain;
        let (answer, answered) = Answer::channel();
        self.board().broker.do_send(AwaitDelivery { within, answer });
        match answered.await {
            Ok(false) => Err(EventsPending { waited: within }),
            // An error says that the broker has ended: every subscription has had its last delivery.
            Ok(true) | Err(_) => Ok(()),
        }
    }

    // ---- for programs that only supervise ----

    /// Adds the tasks, waits until all tasks are gone, and shuts down.
    ///
    /// # Errors
    /// [`RunError::Add`]: the tasks were refused, and come back inside; the supervisor goes on.
    ///
    /// # Cancel safety
    /// Dropping the future stops nothing that was started.
    pub async fn run(
        &self,
        specs: impl IntoIterator<Item = TaskSpec>,
    ) -> Result<ShutdownReport, RunError> {
        self.add_all(specs).await?;
        self.wait_until_empty().await;
        Ok(self.shutdown().await)
    }

    /// As [`run`](Self::run), but a SIGINT or SIGTERM shuts down as well. This and the joint
    /// shutdown of feature `web` are all in this crate that installs signal handlers. It needs a Tokio runtime, as every `main` attribute brings one. Tokio keeps
    /// its handlers for the rest of the process: a second signal during the shutdown does nothing.
    ///
    /// # Errors
    /// - [`RunError::Signal`]: a handler could not be installed; nothing was added.
    /// - [`RunError::Add`]: the tasks were refused.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_until_signal(
        &self,
        specs: impl IntoIterator<Item = TaskSpec>,
    ) -> Result<ShutdownReport, RunError> {
        let mut signals = Signals::listen().map_err(RunError::Signal)?;
        self.add_all(specs).await?;
        let empty = std::pin::pin!(self.wait_until_empty());
        let signal = std::pin::pin!(signals.next());
        let cause = match futures::future::select(empty, signal).await {
            futures::future::Either::Left(_) => ShutdownCause::Requested,
            futures::future::Either::Right(_) => ShutdownCause::Signal,
        };
        Ok(self.shutdown_by(ShutDown::because(cause)).await)
    }

    // ---- addresses ----

    /// The address of the registry, for actors that drive the supervisor by messages; see
    /// [`messages`](crate::messages).
    #[must_use]
    pub fn addr(&self) -> Addr<Registry> {
        self.board().registry.clone()
    }

    /// A handle that does not keep the supervisor alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakSupervisorHandle {
        WeakSupervisorHandle { owner: Arc::downgrade(&self.owner) }
    }
}

impl fmt::Debug for SupervisorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle").finish_non_exhaustive()
    }
}

/// A handle that does not keep the supervisor alive.
#[derive(Clone)]
pub struct WeakSupervisorHandle {
    owner: Weak<Owner>,
}

impl WeakSupervisorHandle {
    pub(crate) fn new(board: &Board) -> Self {
        Self { owner: board.owner.clone() }
    }

    /// The handle; `None` when the last one was dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<SupervisorHandle> {
        self.owner.upgrade().map(SupervisorHandle::new)
    }
}

impl fmt::Debug for WeakSupervisorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSupervisorHandle").finish_non_exhaustive()
    }
}

/// What came of [`SupervisorHandle::cancel_all_within`].
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CancelAllReport {
    /// Those that are physically over.
    pub ended: Vec<(TaskRef, TaskOutcome)>,
    /// Those whose bodies still hold their threads, or wait behind one that does.
    pub stuck: Vec<TaskRef>,
    /// The task that called, if one did: it ends when it returns.
    pub pending: Vec<TaskRef>,
}

impl CancelAllReport {
    /// Waits for the ends of all who were asked.
    pub(crate) async fn of(asked: Vec<Cancelling>) -> Self {
        let mut report = Self::default();
        for cancelling in asked {
            let task = cancelling.task().task().clone();
            match cancelling.end().await.end {
                CancelEnd::Physical(outcome) => report.ended.push((task, outcome)),
                CancelEnd::LogicalOnly(_) => report.stuck.push(task),
                CancelEnd::Pending => report.pending.push(task),
            }
        }
        report
    }
}

/// What [`SupervisorHandle::readiness`] answers.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Readiness {
    /// Whether the supervisor shuts down, or is about to.
    pub is_draining: bool,
    /// The required tasks that are not up, in the order of their ids. One that has ended otherwise than by success, by a
    /// cancel as well, stays here until a task of its name is added, however long that takes: the names of required
    /// tasks should be few and known.
    pub not_up: Vec<TaskStatus>,
}

impl Readiness {
    pub(crate) fn of(seen: &Overview) -> Self {
        let statuses = seen.required.iter().map(|cell| cell.status());
        let mut not_up: Vec<_> = statuses.filter(|status| !status.is_up).collect();
        not_up.sort_unstable_by_key(|status| status.task.id());
        Self { is_draining: seen.is_draining, not_up }
    }

    /// Whether nothing speaks against it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_draining && self.not_up.is_empty()
    }
}

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{handle::SupervisorHandle, placement, placement::Placement};
use crate::{
    error::StartError,
    registry::SlotLimits,
    task::{DEFAULT_GRACE, TaskDefaults, TaskRules},
};

/// How many commands may be under way where the builder does not say otherwise: 1,024.
pub const DEFAULT_COMMAND_CAPACITY: usize = 1024;
/// How long subscribers are given at the end to handle what they hold: 5 s.
pub const DEFAULT_SUBSCRIBER_DRAIN: Duration = Duration::from_secs(5);
/// How many ended tasks stay queryable: 1,024.
pub const DEFAULT_OUTCOME_HISTORY: usize = 1024;

/// How many submissions may queue in one slot: 1,024.
pub const DEFAULT_MAX_QUEUED_PER_SLOT: usize = 1024;
/// How many submissions may wait in all slots together: 65,536.
pub const DEFAULT_MAX_QUEUED: usize = 65_536;

/// Where a supervisor begins: [`builder`](Self::builder).
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// #[actix::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let supervisor = TaskSupervisor::builder().start()?;
///     let task = supervisor.add(TaskSpec::once("hello", async |_ctx| Ok(()))).await?;
///     assert!(task.outcome().await.is_success());
///     supervisor.shutdown().await;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct TaskSupervisor(());

impl TaskSupervisor {
    /// A builder with the default settings.
    pub fn builder() -> SupervisorBuilder {
        SupervisorBuilder::default()
    }
}

/// The settings of a supervisor. Setters cannot fail; [`start`](Self::start) can.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct SupervisorBuilder {
    pub(super) name: String,
    pub(super) placement: Placement,
    pub(super) grace: Duration,
    pub(super) subscriber_drain: Duration,
    pub(super) command_capacity: usize,
    pub(super) fails_fast: bool,
    pub(super) max_tasks: Option<usize>,
    pub(super) max_concurrent: Option<usize>,
    pub(super) outcome_history: usize,
    pub(super) slot_limits: SlotLimits,
    task_defaults: TaskDefaults,
}

impl Default for SupervisorBuilder {
    fn default() -> Self {
        Self {
            name: "taskvisor".to_owned(),
            placement: Placement::default(),
            grace: DEFAULT_GRACE,
            subscriber_drain: DEFAULT_SUBSCRIBER_DRAIN,
            command_capacity: DEFAULT_COMMAND_CAPACITY,
            fails_fast: false,
            max_tasks: None,
            max_concurrent: None,
            outcome_history: DEFAULT_OUTCOME_HISTORY,
            slot_limits: SlotLimits {
                slots: None,
                per_slot: DEFAULT_MAX_QUEUED_PER_SLOT,
                total: DEFAULT_MAX_QUEUED,
            },
            task_defaults: TaskDefaults::new(),
        }
    }
}

impl SupervisorBuilder {
    /// The name that its threads begin with. Default: `taskvisor`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Where it lives. Default: [`Placement::Dedicated`] with one worker.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// How long a task that was asked to stop is given before its future is dropped, unless its spec
    /// says otherwise; zero: at once. Default: 30 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long subscribers are given at the end to handle the events that they hold. Default: 5 s.
    pub fn subscriber_drain(mut self, drain: Duration) -> Self {
        self.subscriber_drain = drain;
        self
    }

    /// How many commands of handles may be sent and not yet handled; at least 1. A command beyond that
    /// waits for room, or fails with [`fail_fast`](Self::fail_fast). Messages that applications send
    /// straight to an `Addr` are not counted. Default: 1,024.
    pub fn command_capacity(mut self, commands: usize) -> Self {
        self.command_capacity = commands;
        self
    }

    /// Whether a command that finds no room fails with `CommandQueueFull` rather than wait. Default: no.
    pub fn fail_fast(mut self, fails_fast: bool) -> Self {
        self.fails_fast = fails_fast;
        self
    }

    /// How many tasks there may be at once, with submissions that wait in slots; at least 1. One more is refused
    /// with [`AddError::LimitReached`](crate::AddError::LimitReached) or
    /// [`RejectionKind::LimitReached`](crate::RejectionKind::LimitReached). Default: unlimited.
    pub fn max_tasks(mut self, tasks: usize) -> Self {
        self.max_tasks = Some(tasks);
        self
    }

    /// How many attempts may run at once, over all tasks; at least 1. The others wait: the slots get their
    /// turn one after the other, and within a slot first come is first served. All tasks without a slot are one slot in
    /// this. Default: unlimited.
    pub fn max_concurrent(mut self, attempts: usize) -> Self {
        self.max_concurrent = Some(attempts);
        self
    }

    /// How many slots may be in use at once, with those that are [`Cooling`](crate::SlotState::Cooling); at least 1. A
    /// submission for one more is refused with [`SlotsFull`](crate::RejectionKind::SlotsFull). Default: unlimited.
    pub fn max_slots(mut self, slots: usize) -> Self {
        self.slot_limits.slots = Some(slots);
        self
    }

    /// How many submissions may queue in one slot; 0: none. One more is refused with
    /// [`SlotQueueFull`](crate::RejectionKind::SlotQueueFull). The one place in front that `Replace` takes, and the one for the newest
    /// debounced or throttled submission, are not counted. Default: 1,024.
    pub fn max_queued_per_slot(mut self, submissions: usize) -> Self {
        self.slot_limits.per_slot = submissions;
        self
    }

    /// How many submissions may wait in all slots together, in whatever way; 0: none. One more is refused
    /// with [`QueuesFull`](crate::RejectionKind::QueuesFull). Default: 65,536.
    pub fn max_queued(mut self, submissions: usize) -> Self {
        self.slot_limits.total = submissions;
        self
    }

    /// How many ended tasks stay queryable with their outcomes. They are searched through one by one. Of 256 and more, up
    /// to 15 that can be found no longer are still in memory, until others follow them. Default: 1,024.
    pub fn outcome_history(mut self, tasks: usize) -> Self {
        self.outcome_history = tasks;
        self
    }

    /// What holds for every task whose spec does not say otherwise.
    pub fn task_defaults(mut self, defaults: TaskDefaults) -> Self {
        self.task_defaults = defaults;
        self
    }

    /// Starts the supervisor. It waits for nothing and works from any thread; only
    /// [`Placement::Current`] needs a running `System`.
    ///
    /// # Errors
    /// - [`StartError::Config`]: a setting makes no sense; the error names it.
    /// - [`StartError::NoSystem`]: `Placement::Current` without a running actix `System` on this thread.
    /// - [`StartError::Thread`], [`StartError::Runtime`]: the system has none left.
    ///
    /// Nothing is left behind by an error.
    pub fn start(self) -> Result<SupervisorHandle, StartError> {
        self.check()?;
        placement::start(&self).map(SupervisorHandle::new)
    }

    pub(super) fn rules(&self) -> Arc<TaskRules> {
        self.task_defaults.settings.over(&Arc::new(TaskRules::with_grace(self.grace)))
    }

    fn check(&self) -> Result<(), StartError> {
        let refuse = |setting, why| Err(StartError::Config { setting, why });
        if self.name.contains('\0') {
            return refuse("name", "a thread's name cannot contain a NUL: leave it out");
        }
        if self.placement == (Placement::Dedicated { workers: 0 }) {
            return refuse("placement", "tasks need at least one worker: use `workers: 1` or more");
        }
        if !(1..=Semaphore::MAX_PERMITS).contains(&self.command_capacity) {
            return refuse("command_capacity", "use 1 or more, and at most usize::MAX / 8");
        }
        if self.max_tasks == Some(0) {
            return refuse("max_tasks", "no task could ever be added: use 1 or more");
        }
        if self.slot_limits.slots == Some(0) {
            return refuse("max_slots", "no submission could ever start: use 1 or more");
        }
        if self.max_concurrent == Some(0) {
            return refuse("max_concurrent", "no attempt could ever run: use 1 or more");
        }
        Ok(())
    }
}

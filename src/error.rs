//! Why a call was refused. What user code returns is [`TaskError`](crate::TaskError), how a task
//! ended is [`TaskOutcome`](crate::TaskOutcome): three families, never merged.

use std::{
    fmt, io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use thiserror::Error;

use crate::{
    id::{TaskId, TaskTarget},
    task::TaskSpec,
};

/// Why a supervisor could not be started. Nothing is left behind.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting makes no sense.
    #[error("setting `{setting}`: {why}")]
    Config {
        /// The builder's method.
        setting: &'static str,
        /// What is wrong, and what to write instead.
        why: &'static str,
    },
    /// [`Placement::Current`](crate::Placement::Current) needs a running actix `System` on this thread.
    #[error(
        "no actix System runs on this thread: start it inside `#[actix_web::main]` or `#[actix::main]`, \
         or use `Placement::Dedicated` (under `#[tokio::main]` and in a plain `main`)"
    )]
    NoSystem,
    /// A thread could not be started.
    #[error("a thread of the supervisor could not be started")]
    Thread(#[source] io::Error),
    /// The runtime of a thread could not be built.
    #[error("the runtime of a thread of the supervisor could not be built")]
    Runtime(#[source] io::Error),
}

/// Why a task was refused. [`into_spec`](Self::into_spec) gives the spec back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AddError {
    /// The name is taken by a task that has not been removed yet.
    #[error("the name \"{name}\" is held by task {owner} until that is removed: use another name, or wait for its `removed()`", name = .spec.name)]
    AlreadyExists {
        /// The task that holds the name.
        owner: TaskId,
        /// The spec, to be had back by [`AddError::into_spec`].
        spec: ReturnedSpec,
    },
    /// The spec makes no sense.
    #[error("invalid spec: {why}")]
    InvalidSpec {
        /// What is wrong with it.
        why: InvalidSpec,
        /// The spec.
        spec: ReturnedSpec,
    },
    /// `max_tasks` is reached.
    #[error("max_tasks = {limit} is reached: raise it, or wait until a task is removed")]
    LimitReached {
        /// The limit.
        limit: usize,
        /// The spec.
        spec: ReturnedSpec,
    },
    /// Every worker thread has ended.
    #[error(
        "no worker thread is left to run the task: tasks stopped their `System`; shut down and start again, with more workers"
    )]
    NoWorker {
        /// The spec.
        spec: ReturnedSpec,
    },
    /// The supervisor shuts down or has ended.
    #[error("the supervisor is shutting down")]
    ShuttingDown {
        /// The spec.
        spec: ReturnedSpec,
    },
    /// `command_capacity` is reached, and the supervisor was built with `fail_fast`.
    #[error(
        "command_capacity = {capacity} commands are waiting to be handled: try again, raise it, or build without fail_fast"
    )]
    CommandQueueFull {
        /// The capacity.
        capacity: usize,
        /// The spec.
        spec: ReturnedSpec,
    },
    /// The supervisor itself panicked over this command, which was not carried out. The spec is gone.
    #[error("the supervisor panicked while it handled this command, and did not carry it out")]
    Unanswered,
}

impl AddError {
    pub(crate) fn refused(why: AddRefusal, spec: TaskSpec) -> Self {
        let spec = ReturnedSpec::new(spec);
        match why {
            AddRefusal::AlreadyExists { owner } => Self::AlreadyExists { owner, spec },
            AddRefusal::InvalidSpec(why) => Self::InvalidSpec { why, spec },
            AddRefusal::LimitReached { limit } => Self::LimitReached { limit, spec },
            AddRefusal::NoWorker => Self::NoWorker { spec },
            AddRefusal::ShuttingDown | AddRefusal::Batch { .. } => Self::ShuttingDown { spec },
        }
    }

    /// The spec that was refused, as it was given; `None` for [`Unanswered`](Self::Unanswered).
    #[must_use]
    pub fn into_spec(self) -> Option<TaskSpec> {
        match self {
            Self::AlreadyExists { spec, .. }
            | Self::InvalidSpec { spec, .. }
            | Self::LimitReached { spec, .. }
            | Self::NoWorker { spec }
            | Self::ShuttingDown { spec }
            | Self::CommandQueueFull { spec, .. } => spec.into_spec(),
            Self::Unanswered => None,
        }
    }
}

/// A refused spec inside an error. The lock makes the error `Sync`, so that `?` works everywhere;
/// nobody ever waits for it.
pub struct ReturnedSpec {
    name: String,
    spec: Mutex<Option<Box<TaskSpec>>>,
}

impl ReturnedSpec {
    pub(crate) fn new(spec: TaskSpec) -> Self {
        Self { name: spec.name().to_owned(), spec: Mutex::new(Some(Box::new(spec))) }
    }

    fn into_spec(self) -> Option<TaskSpec> {
        self.spec.into_inner().unwrap_or_else(PoisonError::into_inner).map(|spec| *spec)
    }
}

impl fmt::Debug for ReturnedSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReturnedSpec({:?})", self.name)
    }
}

/// What is wrong with a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum InvalidSpec {
    /// The name is empty.
    #[error("the name is empty: give the task a name")]
    EmptyName,
    /// [`BackoffPolicy::immediate`](crate::BackoffPolicy::immediate) retries without a delay, so it needs an end.
    #[error(
        "BackoffPolicy::immediate() needs a finite max_retries: add `.max_retries(n)`, or use a delay"
    )]
    ImmediateWithoutLimit,
    /// With `healthy_after` of zero every failure starts a new streak, and the retries never end.
    #[error(
        "BackoffPolicy::immediate() needs a healthy_after above zero: raise it, or use a delay"
    )]
    ImmediateAlwaysHealthy,
}

/// Why a task was refused, as the event
/// [`TaskAddFailed`](crate::EventKind::TaskAddFailed) and [`AddAllError`] carry it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AddRefusal {
    /// The name is taken.
    #[error("the name is held by task {owner}")]
    AlreadyExists {
        /// By this task.
        owner: TaskId,
    },
    /// The spec makes no sense.
    #[error("invalid spec: {0}")]
    InvalidSpec(InvalidSpec),
    /// `max_tasks` is reached.
    #[error("max_tasks = {limit} is reached")]
    LimitReached {
        /// The limit.
        limit: usize,
    },
    /// Every worker thread has ended.
    #[error("no worker thread is left")]
    NoWorker,
    /// The supervisor shuts down.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
    /// Another spec of the same `add_all` was refused.
    #[error("spec number {culprit} of the same batch was refused")]
    Batch {
        /// Its index in the batch.
        culprit: usize,
    },
}

/// Why `add_all` started nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AddAllError {
    /// One spec was refused, and with it all.
    #[error("spec number {index} of the batch (\"{name}\") was refused: {why}")]
    Refused {
        /// The index of the first spec that was refused.
        index: usize,
        /// Its name.
        name: String,
        /// Why it was refused.
        why: AddRefusal,
        /// All specs, in their order.
        specs: ReturnedSpecs,
    },
    /// `command_capacity` is reached, and the supervisor was built with `fail_fast`.
    #[error(
        "command_capacity = {capacity} commands are waiting to be handled: try again, raise it, or build without fail_fast"
    )]
    CommandQueueFull {
        /// The capacity.
        capacity: usize,
        /// All specs, in their order.
        specs: ReturnedSpecs,
    },
    /// The supervisor itself panicked over this command, which was not carried out. The specs are gone.
    #[error("the supervisor panicked while it handled this command, and did not carry it out")]
    Unanswered,
}

impl AddAllError {
    pub(crate) fn refused(index: usize, why: AddRefusal, specs: Vec<TaskSpec>) -> Self {
        let name = specs.get(index).map(|spec| spec.name().to_owned()).unwrap_or_default();
        Self::Refused { index, name, why, specs: ReturnedSpecs(Mutex::new(specs)) }
    }

    pub(crate) fn queue_full(capacity: usize, specs: Vec<TaskSpec>) -> Self {
        Self::CommandQueueFull { capacity, specs: ReturnedSpecs(Mutex::new(specs)) }
    }

    /// All specs, in their order; empty for [`Unanswered`](Self::Unanswered).
    #[must_use]
    pub fn into_specs(self) -> Vec<TaskSpec> {
        match self {
            Self::Refused { specs, .. } | Self::CommandQueueFull { specs, .. } => {
                specs.0.into_inner().unwrap_or_else(PoisonError::into_inner)
            }
            Self::Unanswered => Vec::new(),
        }
    }
}

/// Refused specs inside an error.
pub struct ReturnedSpecs(Mutex<Vec<TaskSpec>>);

impl fmt::Debug for ReturnedSpecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReturnedSpecs")
    }
}

/// Why a task was not asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StopError {
    /// There is no such task, neither alive nor in the history of outcomes.
    #[error(
        "there is no task {target}, neither alive nor among the last `outcome_history` that ended"
    )]
    NotFound {
        /// What was asked for.
        target: TaskTarget,
    },
    /// The supervisor has ended, and every task with it.
    #[error("the supervisor has shut down")]
    ShuttingDown,
    /// `command_capacity` is reached, and the supervisor was built with `fail_fast`.
    #[error(
        "command_capacity = {capacity} commands are waiting to be handled: try again, raise it, or build without fail_fast"
    )]
    CommandQueueFull {
        /// The capacity.
        capacity: usize,
    },
    /// The supervisor itself panicked over this command.
    #[error("the supervisor panicked while it handled this command")]
    Unanswered,
}

/// Why a question was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The supervisor has ended.
    #[error("the supervisor has shut down")]
    ShuttingDown,
    /// `command_capacity` is reached, and the supervisor was built with `fail_fast`.
    #[error(
        "command_capacity = {capacity} commands are waiting to be handled: try again, raise it, or build without fail_fast"
    )]
    CommandQueueFull {
        /// The capacity.
        capacity: usize,
    },
    /// The supervisor itself panicked over this question.
    #[error("the supervisor panicked while it handled this question")]
    Unanswered,
}

/// Why a subscription was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The supervisor shuts down or has ended.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
    /// The bound is zero.
    #[error("a subscription needs a capacity of at least 1 event")]
    ZeroCapacity,
    /// The thread for subscribers could not be started.
    #[error("the thread for subscribers could not be started")]
    Thread(#[source] StartError),
    /// [`on_worker`](crate::SubscriptionSpec::on_worker) was asked for and no worker is left.
    #[error("no worker thread is left to run the subscriber: leave `on_worker` out")]
    NoWorker,
}

/// Not every event had been handled by the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("events were not handled by every subscriber within {waited:?}")]
#[non_exhaustive]
pub struct EventsPending {
    /// How long was waited.
    pub waited: Duration,
}

/// Why `run` ran nothing, or not to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The tasks were refused.
    #[error(transparent)]
    Add(#[from] AddAllError),
    /// A signal handler could not be installed.
    #[error("a signal handler could not be installed")]
    Signal(#[source] io::Error),
}

use std::{fmt, sync::Arc, time::Duration};

use super::{
    context::TaskContext,
    failure::TaskResult,
    settings::{Settings, settings_setters},
    task::{Factory, FnTask, MakeTask, Ready, Task},
};
use crate::{
    contain::Contained,
    id::{TaskId, TaskRef},
    policy::RestartPolicy,
};

/// A task to be added: its name, its work and its rules. What is not set here comes from the
/// supervisor's [`TaskDefaults`].
///
/// ```
/// use std::time::Duration;
/// use actix_taskvisor::prelude::*;
///
/// # fn main() -> Result<(), BackoffError> {
/// let mut seen = 0; // kept between attempts
/// let spec = TaskSpec::new("poll", async move |ctx: TaskContext| {
///     seen += 1;
///     println!("{} polls for the {seen}. time", ctx.name());
///     Ok(())
/// })
/// .backoff(BackoffPolicy::exponential(Duration::from_millis(100), 2.0, Duration::from_secs(30))?)
/// .timeout(Duration::from_secs(5))
/// .max_retries(3);
/// # let _ = spec;
/// # Ok(())
/// # }
/// ```
#[must_use = "a spec does nothing until it is added to a supervisor"]
pub struct TaskSpec {
    pub(crate) name: Arc<str>,
    pub(crate) maker: Contained<Box<dyn MakeTask>>,
    restart: Option<RestartPolicy>,
    /// All but `restart`. Boxed: a spec is moved some ten times on its way, and most say little.
    settings: Option<Box<Settings>>,
}

impl TaskSpec {
    /// A task from an async closure, restarted on failure.
    ///
    /// The closure may keep state between attempts and may make futures that are not `Send`; it is
    /// itself sent to the worker once. `|ctx: TaskContext| async move { … }` works as well.
    pub fn new<F>(name: impl Into<Arc<str>>, work: F) -> Self
    where
        F: AsyncFnMut(TaskContext) -> TaskResult + Send + 'static,
    {
        Self::from_task(name, FnTask(work))
    }

    /// A task that runs one attempt, whatever comes of it.
    pub fn once<F>(name: impl Into<Arc<str>>, work: F) -> Self
    where
        F: AsyncFnMut(TaskContext) -> TaskResult + Send + 'static,
    {
        Self::new(name, work).restart(RestartPolicy::Never)
    }

    /// A task that is restarted on failure, whatever the defaults say.
    pub fn restartable<F>(name: impl Into<Arc<str>>, work: F) -> Self
    where
        F: AsyncFnMut(TaskContext) -> TaskResult + Send + 'static,
    {
        Self::new(name, work).restart(RestartPolicy::OnFailure)
    }

    /// A task that runs again `interval` after each success.
    pub fn periodic<F>(name: impl Into<Arc<str>>, interval: Duration, work: F) -> Self
    where
        F: AsyncFnMut(TaskContext) -> TaskResult + Send + 'static,
    {
        Self::new(name, work).restart(RestartPolicy::Always { interval })
    }

    /// A task from a value that can be sent to its worker.
    pub fn from_task<T: Task + Send>(name: impl Into<Arc<str>>, task: T) -> Self {
        Self::made_by(name, Ready(Some(task)))
    }

    /// A task from a value that is made on its worker and need not be `Send`.
    ///
    /// The value is made once, right before the first attempt. A panic of `make` is a failure of
    /// that attempt, and `make` is called again for the next.
    pub fn from_factory<F, T>(name: impl Into<Arc<str>>, make: F) -> Self
    where
        F: FnMut() -> T + Send + 'static,
        T: Task,
    {
        Self::made_by(name, Factory(make))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    settings_setters!();

    /// The task that it is to be.
    pub(crate) fn to_task(&self, id: TaskId) -> TaskRef {
        TaskRef::new(id, Arc::clone(&self.name))
    }

    /// What it says of restarts, and of anything else.
    pub(super) fn said(&self) -> (Option<RestartPolicy>, Option<&Settings>) {
        (self.restart, self.settings.as_deref())
    }

    /// What it says, all together.
    pub(super) fn settings(&self) -> Settings {
        let others = self.settings.as_deref().copied().unwrap_or_default();
        Settings { restart: self.restart, ..others }
    }

    fn set_restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = Some(policy);
        self
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(self.settings.get_or_insert_default());
        self
    }

    fn made_by(name: impl Into<Arc<str>>, maker: impl MakeTask + 'static) -> Self {
        let maker: Box<dyn MakeTask> = Box::new(maker);
        Self { name: name.into(), maker: Contained::new(maker), restart: None, settings: None }
    }
}

impl fmt::Debug for TaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSpec")
            .field("name", &self.name)
            .field("settings", &self.settings())
            .finish_non_exhaustive()
    }
}

/// What holds for every task whose spec does not say otherwise.
///
/// ```
/// use std::time::Duration;
/// use actix_taskvisor::prelude::*;
///
/// let defaults = TaskDefaults::new().max_retries(5).timeout(Duration::from_secs(10));
/// let builder = TaskSupervisor::builder().task_defaults(defaults);
/// # let _ = builder;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "defaults do nothing until a builder has them"]
pub struct TaskDefaults {
    pub(crate) settings: Settings,
}

impl TaskDefaults {
    /// Defaults that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    settings_setters!();

    fn set_restart(self, policy: RestartPolicy) -> Self {
        self.set(|settings| settings.restart = Some(policy))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}

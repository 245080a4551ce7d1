use std::{cell::RefCell, rc::Rc};

use futures::future::LocalBoxFuture;

use super::{context::TaskContext, failure::TaskResult};

/// Work that a supervisor runs, attempt after attempt, on one value.
///
/// A closure is enough for most tasks ([`TaskSpec::new`](crate::TaskSpec::new)). Implement this for a
/// value with state of its own; the value survives failed, timed out and panicked attempts, so a
/// later attempt finds what an earlier one left. Neither the value nor its futures need be `Send`
/// (see [`TaskSpec::from_factory`](crate::TaskSpec::from_factory)).
///
/// ```
/// use actix_taskvisor::prelude::*;
///
/// struct Countdown(u32);
///
/// impl Task for Countdown {
///     async fn run(&mut self, _ctx: TaskContext) -> TaskResult {
///         self.0 -= 1;
///         if self.0 > 0 { Err(TaskError::failed("not yet")) } else { Ok(()) }
///     }
/// }
///
/// let spec = TaskSpec::from_task("countdown", Countdown(3)).backoff(BackoffPolicy::immediate()).max_retries(5);
/// assert_eq!(spec.name(), "countdown");
/// ```
pub trait Task: 'static {
    /// One attempt. Write it as `async fn run(&mut self, ctx: TaskContext) -> TaskResult`.
    ///
    /// The future is dropped where it stands when its timeout or a stop's grace is over: what must
    /// happen in any case belongs into a `Drop`.
    fn run(&mut self, ctx: TaskContext) -> impl Future<Output = TaskResult>;
}

/// A closure as a task.
pub(crate) struct FnTask<F>(pub(crate) F);

impl<F> Task for FnTask<F>
where
    F: AsyncFnMut(TaskContext) -> TaskResult + 'static,
{
    /// The closure's own future: one around it would keep the context a second time.
    fn run(&mut self, ctx: TaskContext) -> impl Future<Output = TaskResult> {
        (self.0)(ctx)
    }
}

/// A task whose type is forgotten: it starts attempts.
pub(crate) trait StartAttempt {
    fn start_attempt(self: Rc<Self>, ctx: TaskContext) -> LocalBoxFuture<'static, TaskResult>;
}

impl<T: Task> StartAttempt for RefCell<T> {
    #[expect(clippy::await_holding_refcell_ref, reason = "attempts of one task never overlap")]
    fn start_attempt(self: Rc<Self>, ctx: TaskContext) -> LocalBoxFuture<'static, TaskResult> {
        Box::pin(async move { self.borrow_mut().run(ctx).await })
    }
}

/// Makes the task on its worker. May be called again when it panicked.
pub(crate) trait MakeTask: Send {
    fn make_task(&mut self) -> Option<Rc<dyn StartAttempt>>;
}

/// A value that was made by the caller.
pub(crate) struct Ready<T>(pub(crate) Option<T>);

impl<T: Task + Send> MakeTask for Ready<T> {
    fn make_task(&mut self) -> Option<Rc<dyn StartAttempt>> {
        self.0.take().map(|task| Rc::new(RefCell::new(task)) as _)
    }
}

/// A value that is made on the worker.
pub(crate) struct Factory<F>(pub(crate) F);

impl<F, T> MakeTask for Factory<F>
where
    F: FnMut() -> T + Send,
    T: Task,
{
    fn make_task(&mut self) -> Option<Rc<dyn StartAttempt>> {
        Some(Rc::new(RefCell::new((self.0)())))
    }
}

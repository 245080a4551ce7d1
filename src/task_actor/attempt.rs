//! The one place where user code of tasks runs: made, polled and dropped here, each inside
//! `catch_unwind`, and the worker's beat says so meanwhile.

use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::LocalBoxFuture;
use tokio::time::Instant;

use crate::{
    cell::TaskCell,
    contain::{Contained, contained},
    policy::Ending,
    task::{Failure, MakeTask, StartAttempt, TaskContext, TaskResult, Verdict},
};

/// The task object: a way to make it, then the thing itself, then nothing.
pub(crate) enum Body {
    Unmade(Contained<Box<dyn MakeTask>>),
    Made(Contained<Rc<dyn StartAttempt>>),
}

/// The future of one attempt.
pub(crate) struct Attempt(Contained<LocalBoxFuture<'static, TaskResult>>);

/// What came of an attempt that returned or panicked.
pub(crate) struct Returned {
    pub(crate) ending: Ending,
    pub(crate) failure: Option<Failure>,
    pub(crate) retry_after: Option<Duration>,
}

impl Body {
    /// Makes the object, if that is still to be done, and the future of an attempt on it.
    pub(crate) fn start(
        &mut self,
        cell: &TaskCell,
        context: TaskContext,
        now: Instant,
    ) -> Result<Attempt, Returned> {
        let _attention = Attention::on(cell, now);
        let made = contained(|| self.made().map(|task| task.start_attempt(context)));
        match made {
            Ok(Some(future)) => Ok(Attempt(Contained::new(future))),
            Ok(None) => Err(Returned::panicked("the task could not be made again".to_owned())),
            Err(text) => Err(Returned::panicked(text)),
        }
    }

    /// Drops the object. The text of the panic, if its drop panicked.
    pub(crate) fn discard(&mut self, cell: &TaskCell, now: Instant) -> Option<String> {
        let _attention = Attention::on(cell, now);
        match self {
            Self::Unmade(maker) => maker.discard(),
            Self::Made(task) => task.discard(),
        }
    }

    fn made(&mut self) -> Option<Rc<dyn StartAttempt>> {
        if let Self::Unmade(maker) = self {
            let task = maker.get_mut()?.make_task()?;
            *self = Self::Made(Contained::new(task));
        }
        match self {
            Self::Made(task) => task.get().cloned(),
            Self::Unmade(_) => None,
        }
    }
}

impl Attempt {
    /// Polls it. When it returns or panics its future is dropped as well; a panic of that drop is a
    /// failure of this attempt.
    pub(crate) fn poll(
        &mut self,
        cell: &TaskCell,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Returned> {
        let _attention = Attention::on(cell, now);
        let Some(future) = self.0.get_mut() else {
            return Poll::Pending;
        };
        let result = match contained(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => Ok(result),
            Err(text) => Err(text),
        };
        let returned = Returned::of(result);
        match self.0.discard() {
            Some(text) if returned.failure.is_none() => Poll::Ready(Returned::panicked(text)),
            _ => Poll::Ready(returned),
        }
    }

    /// Drops it where it stands.
    pub(crate) fn force(mut self, cell: &TaskCell, now: Instant) {
        let _attention = Attention::on(cell, now);
        if let Some(text) = self.0.discard() {
            log::warn!("task {} panicked while its future was dropped: {text}", cell.task);
        }
    }
}

impl Returned {
    fn of(result: Result<TaskResult, String>) -> Self {
        let error = match result {
            Ok(Ok(())) => {
                return Self { ending: Ending::Succeeded, failure: None, retry_after: None };
            }
            Ok(Err(error)) => error,
            Err(text) => return Self::panicked(text),
        };
        let ending = match error.verdict() {
            Verdict::Failed => Ending::Failed,
            Verdict::Fatal => Ending::Fatal,
            Verdict::Canceled => {
                return Self { ending: Ending::Canceled, failure: None, retry_after: None };
            }
        };
        let retry_after = error.asked_delay();
        Self { ending, failure: Some(error.into_failure()), retry_after }
    }

    pub(crate) fn panicked(text: String) -> Self {
        Self { ending: Ending::Panicked, failure: Some(Failure::panicked(text)), retry_after: None }
    }

    /// Its future was dropped where it stood.
    pub(crate) fn dropped() -> Self {
        Self { ending: Ending::Canceled, failure: None, retry_after: None }
    }

    pub(crate) fn timed_out(timeout: Duration) -> Self {
        let failure = Some(Failure::timed_out(timeout));
        Self { ending: Ending::TimedOut, failure, retry_after: None }
    }
}

thread_local! {
    /// The cell of the task whose code runs on this thread right now, as a number that is only compared.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

/// Whether the caller is code of this very task, inside a poll of its attempt.
pub(crate) fn is_inside(cell: &Arc<TaskCell>) -> bool {
    INSIDE.get() == number_of(cell)
}

fn number_of(cell: &TaskCell) -> usize {
    std::ptr::from_ref(cell).addr()
}

/// While it lives, the worker's thread is in the hands of a task, and says so.
struct Attention<'a> {
    cell: &'a TaskCell,
    outer: usize,
}

impl<'a> Attention<'a> {
    fn on(cell: &'a TaskCell, now: Instant) -> Self {
        if let Some(worker) = cell.worker() {
            cell.board.beats.begin(worker, cell.id(), now);
        }
        Self { cell, outer: INSIDE.replace(number_of(cell)) }
    }
}

impl Drop for Attention<'_> {
    fn drop(&mut self) {
        INSIDE.set(self.outer);
        if let Some(worker) = self.cell.worker() {
            self.cell.board.beats.end(worker);
        }
    }
}

//! What users write: the work ([`Task`]), its rules ([`TaskSpec`], [`TaskDefaults`]), what it sees
//! ([`TaskContext`]), what it returns ([`TaskResult`]) and how it ends ([`TaskOutcome`]).
//!
//! Three families of errors are never merged: [`TaskError`] is what user code returns; [`Failure`]
//! is the same fact as outcomes, statuses and events carry it (shared, rendered once); and
//! [`TaskOutcome`] is how a task ended. Why a *call* was refused is in `error.rs`.
//!
//! Nothing here decides anything: `policy` and the actors' pure files do.

mod context;
mod failure;
mod outcome;
mod settings;
mod spec;
#[expect(clippy::module_inception, reason = "the trait `Task` lives in `task.rs`")]
mod task;
#[cfg(test)]
mod tests;

pub use context::{Cancelled, TaskContext};
pub(crate) use failure::Verdict;
pub use failure::{Failure, FailureKind, TaskError, TaskResult};
pub use outcome::{CancelCause, TaskOutcome};
pub use settings::{DEFAULT_GRACE, DEFAULT_HEALTHY_AFTER, DEFAULT_RETRY_AFTER_MAX};
pub(crate) use settings::{Limit, Rulebook, TaskRules};
pub use spec::{TaskDefaults, TaskSpec};
pub use task::Task;
pub(crate) use task::{MakeTask, StartAttempt};

//! Supervision of background tasks inside actix and actix-web programs.
//!
//! You give a supervisor tasks: async closures or values. It starts them, restarts them on failure with
//! backoff, limits them, stops them in good order, tells you how each ended, and publishes every step as
//! a typed lifecycle message that any actor can subscribe to.
//!
//! ```
//! use std::time::Duration;
//! use actix_taskvisor::prelude::*;
//!
//! #[actix::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let supervisor = TaskSupervisor::builder().grace(Duration::from_secs(10)).start()?;
//!     let flaky = TaskSpec::new("flaky", async |ctx: TaskContext| {
//!         if ctx.attempt() < 3 {
//!             return Err(TaskError::failed("not yet"));
//!         }
//!         Ok(())
//!     })
//!     .backoff(BackoffPolicy::constant(Duration::from_millis(5))?);
//!     let task = supervisor.add(flaky).await?;
//!     assert!(task.outcome().await.is_success());
//!     assert_eq!(task.status().attempt, 3);
//!     assert!(supervisor.shutdown().await.is_clean());
//!     Ok(())
//! }
//! ```
//!
//! # Where things are
//!
//! Each folder is one room; a folder with `actor.rs` is an actix actor of that name.
//!
//! | folder | what is in it | user code? |
//! |---|---|---|
//! | `task/` | what users write: [`Task`], [`TaskSpec`], [`TaskContext`], [`TaskOutcome`] | declared |
//! | `policy/` | pure: whether and when a task runs again | no |
//! | `cell/` | the shared cell of a task: its status, its outcome | no |
//! | `watched/` | a value that anybody may read or wait for: what cells, and the final report, are made of | wakers |
//! | [`slot`] | what users write to admit tasks by key: [`Submission`], [`WhenBusy`], [`Admission`] | no |
//! | `operator/` | what else a task may be asked for: restart, retry now, pause, resume | no |
//! | `supervisor/` | the public face: builder, handles, threads, the end | no |
//! | `registry/` | actor `Registry`: names, ids, slots, limits, permits, stops | no |
//! | `worker/` | actor `Worker`: the hands of a thread on which tasks live | dropped |
//! | `task_actor/` | actor [`TaskActor`]: one task; `attempt.rs` polls the body | **here** |
//! | `broker/` | actor [`Broker`]: subscriptions and deliveries | no |
//! | `event/` | what happened: [`Event`], [`EventKind`], [`EventFilter`] | no |
//! | `subscriber/` | how to listen: [`Subscribe`], [`SubscriptionSpec`], [`LogSubscriber`] | called |
//! | `web/` | feature `web`: routes, a page, an event stream, metrics | hooks called |
//! | [`messages`] | what applications may send to `Addr<Registry>` and `Addr<TaskActor>` | no |
//!
//! A panic in user code is caught where it happens. Two things are outside of that, as in all Rust: a
//! second panic while a first one unwinds aborts the process, and so does any panic with
//! `panic = "abort"`, which cannot be supported.

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]
#![warn(clippy::self_named_module_files)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod broker;
mod cell;
mod clock;
mod contain;
mod error;
mod event;
mod fair;
mod id;
pub mod messages;
mod operator;
mod policy;
pub mod prelude;
mod registry;
mod resilient;
mod signals;
pub mod slot;
mod subscriber;
mod supervisor;
mod task;
mod task_actor;
mod watched;
#[cfg(feature = "web")]
pub mod web;
mod worker;

pub use broker::Broker;
pub use cell::{
    ATTEMPT_HISTORY, AttemptEnd, AttemptRecord, DelayReason, PlannedAttempt, TaskPhase, TaskStatus,
};
pub use error::{
    AddAllError, AddError, AddRefusal, EventsPending, InvalidSpec, QueryError, ReturnedSpec,
    ReturnedSpecs, RunError, StartError, StopError, SubscribeError,
};
pub use event::{AttemptStop, BackoffSource, Event, EventFilter, EventKind, EventType, Severity};
pub use id::{TaskId, TaskRef, TaskTarget};
pub use operator::{ActError, ActReply, Operator, OperatorVerb};
pub use policy::{BackoffError, BackoffPolicy, Jitter, RestartPolicy};
pub use registry::Registry;
pub use slot::{
    Admission, DEFAULT_SLOT_CONCURRENCY, RejectionKind, ReturnedSubmission, SlotScope, SlotState,
    SlotStatus, SlotWaiter, Submission, SubmissionHandle, SubmitError, WhenBusy,
};
#[cfg(feature = "test-util")]
pub use subscriber::Probe;
pub use subscriber::{
    DEFAULT_SUBSCRIPTION_CAPACITY, Lifecycle, LifecycleBatch, LogSubscriber, Subscribe,
    Subscription, SubscriptionSpec,
};
pub use supervisor::{
    CancelAllReport, CancelEnd, CancelReply, Cancelling, DEFAULT_COMMAND_CAPACITY,
    DEFAULT_MAX_QUEUED, DEFAULT_MAX_QUEUED_PER_SLOT, DEFAULT_OUTCOME_HISTORY,
    DEFAULT_SUBSCRIBER_DRAIN, OutcomeWait, Placement, Readiness, ShutdownCause, ShutdownReport,
    SupervisorBuilder, SupervisorHandle, TaskHandle, TaskSupervisor, WeakSupervisorHandle,
};
pub use task::{
    CancelCause, Cancelled, DEFAULT_GRACE, DEFAULT_HEALTHY_AFTER, DEFAULT_RETRY_AFTER_MAX, Failure,
    FailureKind, Task, TaskContext, TaskDefaults, TaskError, TaskOutcome, TaskResult, TaskSpec,
};
pub use task_actor::TaskActor;

/// The README's code, compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

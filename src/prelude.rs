//! What a program that supervises needs: `use actix_taskvisor::prelude::*;`. It has no name in common
//! with actix's own prelude, so both work side by side.

pub use crate::{
    AddAllError, AddError, AddRefusal, Admission, AttemptStop, BackoffError, BackoffPolicy,
    BackoffSource, Broker, CancelAllReport, CancelCause, CancelEnd, CancelReply, Cancelling, Event,
    EventFilter, EventKind, EventType, EventsPending, Failure, FailureKind, InvalidSpec, Jitter,
    Lifecycle, LifecycleBatch, LogSubscriber, OutcomeWait, Placement, QueryError, RejectionKind,
    RestartPolicy, RunError, Severity, ShutdownCause, ShutdownReport, SlotScope, SlotState,
    SlotStatus, SlotWaiter, StartError, StopError, Submission, SubmissionHandle, SubmitError,
    Subscribe, SubscribeError, Subscription, SubscriptionSpec, SupervisorBuilder, SupervisorHandle,
    Task, TaskActor, TaskContext, TaskDefaults, TaskError, TaskHandle, TaskId, TaskOutcome,
    TaskPhase, TaskRef, TaskResult, TaskSpec, TaskStatus, TaskSupervisor, TaskTarget,
    WeakSupervisorHandle, WhenBusy,
};

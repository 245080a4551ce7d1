//! What a program that supervises needs: `use actix_taskvisor::prelude::*;`. It has no name in common
//! with actix's own prelude, so both work side by side.

pub use crate::{
    AddAllError, AddError, AddRefusal, AttemptStop, BackoffError, BackoffPolicy, BackoffSource,
    Broker, CancelAllReport, CancelCause, CancelEnd, CancelReply, Cancelling, Event, EventFilter,
    EventKind, EventType, EventsPending, Failure, FailureKind, InvalidSpec, Jitter, Lifecycle,
    LifecycleBatch, LogSubscriber, OutcomeWait, Placement, QueryError, RestartPolicy, RunError,
    Severity, ShutdownCause, ShutdownReport, StartError, StopError, Subscribe, SubscribeError,
    Subscription, SubscriptionSpec, SupervisorBuilder, SupervisorHandle, Task, TaskActor,
    TaskContext, TaskDefaults, TaskError, TaskHandle, TaskId, TaskOutcome, TaskPhase, TaskRef,
    TaskResult, TaskSpec, TaskStatus, TaskSupervisor, TaskTarget, WeakSupervisorHandle,
};

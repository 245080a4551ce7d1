//! What a program that supervises needs: `use actix_taskvisor::prelude::*;`. It has no name in common
//! with actix's own prelude, so both work side by side.

pub use crate::{
    ActError, ActReply, AddAllError, AddError, AddRefusal, Admission, AttemptEnd, AttemptRecord,
    AttemptStop, BackoffError, BackoffPolicy, BackoffSource, Broker, CancelAllReport, CancelCause,
    CancelEnd, CancelReply, Cancelling, DelayReason, Event, EventFilter, EventKind, EventType,
    EventsPending, Failure, FailureKind, InvalidSpec, Jitter, Lifecycle, LifecycleBatch,
    LogSubscriber, Operator, OperatorVerb, OutcomeWait, Placement, PlannedAttempt, QueryError,
    Readiness, RejectionKind, RestartPolicy, RunError, Severity, ShutdownCause, ShutdownReport,
    SlotScope, SlotState, SlotStatus, SlotWaiter, StartError, StopError, Submission,
    SubmissionHandle, SubmitError, Subscribe, SubscribeError, Subscription, SubscriptionSpec,
    SupervisorBuilder, SupervisorHandle, Task, TaskActor, TaskContext, TaskDefaults, TaskError,
    TaskHandle, TaskId, TaskOutcome, TaskPhase, TaskRef, TaskResult, TaskSpec, TaskStatus,
    TaskSupervisor, TaskTarget, WeakSupervisorHandle, WhenBusy,
};

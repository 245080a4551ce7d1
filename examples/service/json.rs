//! What clients see of tasks and slots, field by field.
//!
//! Written out rather than derived, so that the service's contract changes only here. Durations are
//! milliseconds, and a field without a value is `null`.

use std::time::Duration;

use actix_taskvisor::prelude::*;
use serde_json::{Value, json};

/// One task, as in `GET /tasks` and `GET /tasks/{name}`.
pub fn status(status: &TaskStatus) -> Value {
    json!({
        "id": status.task.id().get(),
        "name": status.task.name(),
        "slot": status.slot.as_deref(),
        "position": status.position,
        "phase": status.phase.label(),
        "attempt": status.attempt,
        "restarts": status.restarts,
        "streak": status.streak,
        "last_failure": status.last_failure.as_ref().map(failure),
        "next_attempt_in_ms": status.next_attempt_in.map(millis),
        "uptime_ms": status.uptime.map(millis),
        "in_phase_for_ms": millis(status.in_phase_for),
        "age_ms": millis(status.age),
        "worker": status.worker,
        "polling": status.is_polling,
        "responding": status.is_responding,
        "cancel_cause": status.cancel_cause.map(CancelCause::label),
        "stopping_for_ms": status.stopping_for.map(millis),
        "outcome": status.outcome.as_ref().map(outcome),
        "removed": status.is_removed,
    })
}

/// Which task it is, where no more is known.
pub fn task(task: &TaskRef) -> Value {
    json!({ "id": task.id().get(), "name": task.name() })
}

/// One submission: what was decided, and how it ended if that was waited for.
pub fn submission(submission: &SubmissionHandle, end: Option<&TaskOutcome>) -> Value {
    json!({
        "id": submission.id().get(),
        "name": submission.task().name(),
        "slot": submission.slot(),
        "admission": admission(&submission.admission()),
        "outcome": end.map(outcome),
    })
}

/// What was decided about a submission; `task` is the one that it replaces or shares.
fn admission(admission: &Admission) -> Value {
    let (mut position, mut task, mut delay) = (None, None, None);
    match *admission {
        Admission::Queued { position: place } => position = Some(place),
        Admission::Replacing { owner } => task = Some(owner),
        Admission::Attached { to } => task = Some(to),
        Admission::Delayed { delay: wait, .. } => delay = Some(wait),
        _ => {}
    }
    json!({
        "label": admission.label(),
        "text": admission.to_string(),
        "position": position,
        "task": task.map(TaskId::get),
        "delay_ms": delay.map(millis),
    })
}

/// One slot, as in `GET /slots`.
pub fn slot(slot: &SlotStatus) -> Value {
    json!({
        "name": &*slot.name,
        "state": slot.state.label(),
        "in_use_for_ms": millis(slot.in_use_for),
        "concurrency": slot.concurrency,
        "owners": slot.owners.iter().map(status).collect::<Vec<_>>(),
        "queue": slot.queue.iter().map(waiter).collect::<Vec<_>>(),
        "attached": slot.attached,
        "opens_in_ms": slot.opens_in.map(millis),
    })
}

fn waiter(waiter: &SlotWaiter) -> Value {
    json!({
        "id": waiter.task.id().get(),
        "name": waiter.task.name(),
        "position": waiter.position,
        "age_ms": millis(waiter.age),
        "priority": waiter.priority,
        "times_out_in_ms": waiter.times_out_in.map(millis),
        "due_in_ms": waiter.due_in.map(millis),
    })
}

/// How a task ended.
pub fn outcome(outcome: &TaskOutcome) -> Value {
    let cause = match outcome {
        TaskOutcome::Canceled { cause, .. } | TaskOutcome::ForceAborted { cause } => Some(cause),
        _ => None,
    };
    json!({
        "label": outcome.label(),
        "text": outcome.to_string(),
        "cause": cause.map(|cause| cause.label()),
        "rejection": match outcome {
            TaskOutcome::Rejected { kind } => Some(kind.label()),
            _ => None,
        },
        "failure": outcome.failure().map(failure),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "text": failure.to_string(),
        "exit_code": failure.exit_code(),
        "fatal": failure.is_fatal(),
        "panicked": failure.is_panic(),
        "timed_out": failure.is_timeout(),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

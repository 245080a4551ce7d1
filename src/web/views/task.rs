use serde_json::{Value, json};

use super::policy::policy;
use crate::{
    cell::AttemptRecord,
    operator::OperatorVerb,
    task::{CancelCause, Failure, FailureKind, TaskOutcome},
    web::{
        listing::{Attention, Row, applicable},
        time::millis,
        veil::Veil,
    },
};

/// One task.
pub(in crate::web) fn task(row: &Row) -> Value {
    let status = &row.status;
    let records = row.cell.as_ref().map(|cell| cell.attempts()).unwrap_or_default();
    json!({
        "id": row.id(),
        "name": row.name(),
        "slot": status.slot.as_deref(),
        "position": status.position,
        "phase": status.phase.label(),
        "is_paused": status.is_paused,
        "is_required": status.is_required,
        "in_phase_ms": millis(status.in_phase_for),
        "age_ms": millis(status.age),
        "attempt": status.attempt,
        "restarts": status.restarts,
        "streak": status.streak,
        "next_attempt_in_ms": status.next_attempt_in.map(millis),
        "uptime_ms": status.uptime.map(millis),
        "last_failure": status.last_failure.as_ref().map(failure),
        "outcome": status.outcome.as_ref().map(outcome),
        "cancel_cause": status.cancel_cause.map(CancelCause::label),
        "stopping_ms": status.stopping_for.map(millis),
        "worker": status.worker,
        "is_polling": status.is_polling,
        "is_responding": status.is_responding,
        "is_removed": status.is_removed,
        "policy": row.cell.as_ref().map(|cell| policy(&cell.rules)),
        "attention": row.attention.iter().map(|kind| Attention::label(*kind)).collect::<Vec<_>>(),
        "actions": applicable(status).into_iter().map(verb_label).collect::<Vec<_>>(),
        "recent": records.iter().map(recent).collect::<Vec<_>>(),
    })
}

/// The name of an action in paths and lists.
pub(in crate::web) fn verb_label(verb: OperatorVerb) -> &'static str {
    match verb {
        OperatorVerb::Cancel => "cancel",
        OperatorVerb::Restart => "restart",
        OperatorVerb::RetryNow => "retry-now",
        OperatorVerb::Pause => "pause",
        OperatorVerb::Resume => "resume",
    }
}

fn recent(record: &AttemptRecord) -> Value {
    json!({
        "attempt": record.attempt,
        "end": record.end.label(),
        "took_ms": millis(record.took),
    })
}

pub(super) fn failure(failure: &Failure) -> Value {
    json!({
        "text": failure.text(),
        "kind": match failure.kind() {
            FailureKind::Error | FailureKind::Fatal => "error",
            FailureKind::Panic => "panic",
            FailureKind::Timeout => "timeout",
            FailureKind::Lost => "lost",
        },
        "is_fatal": failure.is_fatal(),
        "exit_code": failure.exit_code(),
    })
}

pub(super) fn outcome(outcome: &TaskOutcome) -> Value {
    json!({ "label": outcome.label(), "text": outcome.to_string() })
}

/// An ended attempt in full.
pub(super) fn attempt(record: &AttemptRecord, veil: &Veil) -> Value {
    json!({
        "attempt": record.attempt,
        "started_at": crate::web::time::ago(record.started_ago),
        "took_ms": millis(record.took),
        "end": record.end.label(),
        "failure": record.failure.as_ref().map(|why| failure(&veil.failure(why))),
        "next": record.next.map(|next| json!({
            "delay_ms": millis(next.delay),
            "why": next.why.label(),
            "streak": next.streak,
        })),
    })
}

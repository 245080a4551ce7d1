use serde_json::{Value, json};

use super::task::{failure, outcome};
use crate::{
    event::{Event, EventKind},
    id::TaskRef,
    slot::Admission,
    web::time::{millis, moment},
};

/// One event. Its id is `<boot>-<seq>`.
pub(in crate::web) fn event(event: &Event, boot: &str) -> Value {
    json!({
        "id": format!("{boot}-{}", event.seq),
        "seq": event.seq,
        "at": moment(event.at),
        "label": event.kind.label(),
        "severity": event.kind.severity().label(),
        "task": event.task.as_ref().map(task),
        "text": event.to_string(),
        "detail": detail(&event.kind),
    })
}

fn task(task: &TaskRef) -> Value {
    json!({ "id": task.id().get(), "name": task.name() })
}

/// The fields of the kind; an empty object where it has none.
fn detail(kind: &EventKind) -> Value {
    match kind {
        EventKind::TaskAddRequested
        | EventKind::TaskAdded
        | EventKind::TaskRestartRequested
        | EventKind::TaskRetryRequested
        | EventKind::TaskPauseRequested
        | EventKind::TaskResumed
        | EventKind::AllStoppedWithinGrace => json!({}),
        EventKind::TaskAddFailed { why } => json!({ "why": why.to_string() }),
        EventKind::TaskStarting { attempt } => json!({ "attempt": attempt }),
        EventKind::TaskStopped { attempt, how, took } => {
            json!({ "attempt": attempt, "how": how.to_string(), "took_ms": millis(*took) })
        }
        EventKind::TaskFailed { attempt, failure: why, took, .. } => {
            json!({ "attempt": attempt, "took_ms": millis(*took), "failure": failure(why) })
        }
        EventKind::TimeoutHit { attempt, timeout, took } => json!({
            "attempt": attempt,
            "timeout_ms": millis(*timeout),
            "took_ms": millis(*took),
        }),
        EventKind::BackoffScheduled { after_attempt, delay, source, due } => json!({
            "after_attempt": after_attempt,
            "delay_ms": millis(*delay),
            "source": source.to_string(),
            "due_at": due.map(moment),
        }),
        EventKind::ActorExhausted { outcome: how } | EventKind::ActorDead { outcome: how } => {
            json!({ "outcome": outcome(how), "failure": how.failure().map(failure) })
        }
        EventKind::TaskRemoveRequested { cause } => json!({ "cause": cause.label() }),
        EventKind::TaskRemoved { forced } => json!({ "forced": forced }),
        EventKind::TaskPaused { after_attempt } => json!({ "after_attempt": after_attempt }),
        EventKind::OperatorAction { who, verb, why } => {
            json!({ "who": &**who, "verb": super::verb_label(*verb), "why": why.as_deref() })
        }
        EventKind::ShutdownRequested { cause } => json!({ "cause": cause.to_string() }),
        EventKind::GraceExceeded { stuck } => {
            json!({ "stuck": stuck.iter().map(task).collect::<Vec<_>>() })
        }
        EventKind::SlotSubmitted { .. }
        | EventKind::SlotRejected { .. }
        | EventKind::SlotTransition { .. } => slot_detail(kind),
        EventKind::SubscriberPanicked { subscriber, text } => {
            json!({ "subscriber": &**subscriber, "text": text.as_deref() })
        }
    }
}

fn slot_detail(kind: &EventKind) -> Value {
    match kind {
        EventKind::SlotSubmitted { slot, when_busy, admission: decided } => json!({
            "slot": &**slot,
            "when_busy": when_busy.label(),
            "admission": admission(decided),
        }),
        EventKind::SlotRejected { slot, kind } => {
            json!({ "slot": &**slot, "rejection": kind.label(), "why": kind.to_string() })
        }
        EventKind::SlotTransition { slot, from, to } => {
            json!({ "slot": &**slot, "from": from.label(), "to": to.label() })
        }
        _ => json!({}),
    }
}

fn admission(admission: &Admission) -> Value {
    let (mut position, mut task, mut delay) = (None, None, None);
    match *admission {
        Admission::Started => {}
        Admission::Queued { position: place } => position = Some(place),
        Admission::Replacing { owner } => task = Some(owner.get()),
        Admission::Attached { to } => task = Some(to.get()),
        Admission::Delayed { delay: wait, .. } => delay = Some(millis(wait)),
    }
    json!({ "label": admission.label(), "position": position, "task": task, "delay_ms": delay })
}

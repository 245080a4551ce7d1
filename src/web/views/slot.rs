use serde_json::{Value, json};

use crate::{
    cell::TaskStatus,
    slot::{SlotStatus, SlotWaiter},
    web::time::millis,
};

/// So many of those who wait in a slot are told of, those whose turn comes first.
const NAMED: usize = 100;

/// One slot: who has it, who waits.
pub(in crate::web) fn slot(slot: &SlotStatus) -> Value {
    json!({
        "name": &*slot.name,
        "state": slot.state.label(),
        "concurrency": slot.concurrency,
        "in_use_ms": millis(slot.in_use_for),
        "attached": slot.attached,
        "opens_in_ms": slot.opens_in.map(millis),
        "owners": slot.owners.iter().map(owner).collect::<Vec<_>>(),
        "queued": slot.queue.len(),
        "queue": slot.queue.iter().take(NAMED).map(waiter).collect::<Vec<_>>(),
    })
}

fn owner(owner: &TaskStatus) -> Value {
    json!({
        "id": owner.task.id().get(),
        "name": owner.task.name(),
        "phase": owner.phase.label(),
        "in_phase_ms": millis(owner.in_phase_for),
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

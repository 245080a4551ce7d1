//! How members are asked to stop, and how permits pass from one to the next.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::super::{
    actor::{Mark, Registry},
    ledger::Permit,
};
use crate::{
    cell::TaskCell,
    clock::moment,
    event::{EventKind, EventType},
    id::TaskId,
    task::CancelCause,
    task_actor::PermitGranted,
};

/// How long after a task's grace its thread is given to report, before its outcome is written for it.
const YIELD_MARGIN: Duration = Duration::from_millis(250);

impl Registry {
    /// Asks a member to stop, within its own grace or another one; `None`: it is no member.
    /// Whether this was the first request.
    pub(in crate::registry) fn stop_task(
        &mut self,
        id: TaskId,
        cause: CancelCause,
        within: Option<Duration>,
    ) -> Option<bool> {
        let entry = self.table.get(id)?;
        let cell = Arc::clone(&entry.cell);
        if entry.mark.is_parked() {
            self.cancel_waiting(&cell, cause);
            return Some(true);
        }
        // Its worker has it, before its time begins to run.
        self.crew.send_orders();
        let now = Instant::now();
        let force_at = moment(now, within.unwrap_or(cell.rules.grace));
        let is_overdue = entry.mark.is_overdue();
        self.tell_stopping(&cell, cause);
        let asked = cell.ask_to_stop(cause, force_at, now);
        let is_new = (asked.is_first || asked.force_at == force_at) && !is_overdue;
        if let Some(force_at) = asked.force_at.filter(|_| is_new) {
            self.deadlines.set(id, force_at + YIELD_MARGIN);
        }
        Some(asked.is_first)
    }

    /// Told before it can be seen: a body that looks at its flag may end at once. The version is that of the
    /// change or lower, and no snapshot falls between: `Broker` shares this thread.
    fn tell_stopping(&mut self, cell: &Arc<TaskCell>, cause: CancelCause) {
        let is_news = || cell.stop().is_none() && !cell.has_outcome();
        let is_of_use = cell.slot.is_some() || self.board.wants(EventType::TaskRemoveRequested);
        if is_of_use && is_news() {
            let kind = || EventKind::TaskRemoveRequested { cause };
            let version = cell.version() + 1;
            self.tell(EventType::TaskRemoveRequested, Some((&cell.task, version)), kind);
            self.note_stopping(cell);
        }
    }

    /// An owner of a slot is about to be asked to stop.
    fn note_stopping(&mut self, cell: &TaskCell) {
        if let Some(slot) = &cell.slot {
            let mut from = self.slot_state(slot);
            self.slots.note_stopping(cell.id());
            self.tell_transition(slot, &mut from, cell);
        }
    }

    /// R4: writes the outcome of those whose deadline has passed without a report.
    pub(in crate::registry) fn look_at_deadlines(&mut self) {
        while let Some(id) = self.deadlines.pop_due(Instant::now()) {
            let Some(entry) = self.table.get_mut(id) else {
                continue;
            };
            let Mark::Started { is_overdue, .. } = &mut entry.mark else {
                continue;
            };
            *is_overdue = true;
            let cell = Arc::clone(&entry.cell);
            self.overdue += 1;
            if let Some((outcome, version)) = cell.give_up() {
                self.tell_of(&cell, version, EventKind::ended(outcome.clone()));
                self.share_end(id, &outcome);
            }
            cell.overdue();
        }
    }

    // ---- permits ----

    pub(in crate::registry) fn permit_wanted(&mut self, id: TaskId) {
        let (Some(pool), Some(entry)) = (&mut self.permits, self.table.get_mut(id)) else {
            return;
        };
        let Some(permit) = entry.mark.permit() else {
            return;
        };
        *permit = pool.ask(id, entry.cell.slot.as_ref());
        if *permit == Permit::Held {
            grant(&entry.cell);
        }
    }

    /// Gives back what a task holds, and passes it on (R3).
    pub(in crate::registry) fn give_back(&mut self, permit: Permit, from: &TaskCell) {
        let pool = self.permits.as_mut();
        let next = pool.and_then(|pool| pool.give_back(permit, from.slot.as_ref()));
        if let Some(entry) = next.and_then(|id| self.table.get_mut(id))
            && let Some(permit) = entry.mark.permit()
        {
            *permit = Permit::Held;
            grant(&entry.cell);
        }
    }
}

fn grant(cell: &TaskCell) {
    // May not be dropped: the attempt would wait for ever. It fails only when the actor is gone, and its guard says so.
    cell.addr().do_send(PermitGranted);
}

//! How members leave: the last events, the name, the permit, and those who waited for it.

use std::sync::Arc;

use super::super::{
    Registry,
    actor::Mark,
    closing::Stage,
    ledger::{Permit, Titled},
    messages::EndReport,
};
use crate::{
    cell::TaskCell,
    event::{EventKind, EventType},
    id::TaskRef,
    task::{Failure, TaskOutcome},
    worker::Crew,
};

impl Registry {
    /// Tells for a task that could not tell itself.
    fn tell_vanished(&mut self, cell: &TaskCell, report: EndReport) {
        let EndReport::Vanished { attempt, lost } = report else {
            return;
        };
        let version = lost.unwrap_or_else(|| cell.version());
        if let Some((attempt, took)) = attempt {
            self.tell_of(cell, version, EventKind::failed(attempt, Failure::lost(), took));
        }
        if lost.is_some() {
            self.tell_of(cell, version, EventKind::ended(TaskOutcome::Lost));
        }
    }

    /// A task is physically over: its place in its slot is free.
    pub(in crate::registry) fn member_ended(&mut self, cell: Arc<TaskCell>, report: EndReport) {
        self.catch_up();
        self.tell_vanished(&cell, report);
        let from = cell.slot.as_ref().map(|slot| (slot, self.slot_state(slot)));
        self.remove(&cell);
        if let Some((slot, from)) = from {
            self.advance(slot, from, &cell);
        }
        self.after_removals();
        self.let_go(Some(cell));
    }

    /// R5.
    pub(super) fn remove(&mut self, cell: &Arc<TaskCell>) {
        let Some(mark) = self.table.remove(&cell.task) else {
            return;
        };
        let permit = match mark {
            Mark::Started { permit, is_overdue } => {
                self.overdue -= usize::from(is_overdue);
                permit
            }
            Mark::Parked(parked) => {
                self.crew.dispose(parked);
                Permit::None
            }
        };
        self.slots.leave(cell.id());
        self.deadlines.forget(cell.id());
        self.give_back(permit, cell);
        self.tell_removed(cell);
        let outcome = cell.removed().unwrap_or(TaskOutcome::Lost);
        self.note_ended(cell, &outcome);
        if cell.rules.required && outcome.is_success() {
            // What has completed is up for good.
            self.required.remove(cell.task.name());
        }
        self.share_end(cell.id(), &outcome);
        drop(outcome);
        self.let_go_of_fallen();
    }

    /// Told before it can be seen, so that whoever sees it finds the event on its way.
    fn tell_removed(&self, cell: &TaskCell) {
        if self.board.wants(EventType::TaskRemoved) {
            let (outcome, version) = cell.versioned_outcome();
            let forced = matches!(outcome, Some(TaskOutcome::ForceAborted { .. }));
            self.tell_of(cell, version + 1, EventKind::TaskRemoved { forced });
        }
    }

    /// Drops a cell: elsewhere, if this is the last of it and something of the user's is inside.
    pub(super) fn let_go(&self, cell: Option<Arc<TaskCell>>) {
        if let Some(cell) = cell {
            let_go(&self.crew, cell);
        }
    }

    /// Drops those that fell out of the history.
    ///
    /// Nobody looked at them for a thousand tasks, so that each has to be fetched from far away. A first look at all of
    /// them fetches them together rather than one after the other: 2 % of the time of a short task.
    pub(super) fn let_go_of_fallen(&mut self) {
        let Some(fallen) = self.table.fallen() else { return };
        let holders: usize = fallen.as_slice().iter().map(Arc::strong_count).sum();
        std::hint::black_box(holders);
        fallen.for_each(|cell| let_go(&self.crew, cell));
    }

    /// What may follow from the end of a member.
    #[inline]
    pub(in crate::registry) fn after_removals(&mut self) {
        if self.wait_for_empty.is_empty() && matches!(self.stage, Stage::Serving) {
            return; // nobody waits for the last one to go
        }
        self.answer_if_empty();
        self.look_whether_drained();
        self.look_whether_stopped();
    }

    fn answer_if_empty(&mut self) {
        if self.table.is_empty() {
            for answer in self.wait_for_empty.drain(..) {
                // An error says that nobody waits any more.
                let _ = answer.send(());
            }
        }
    }
}

fn let_go(crew: &Crew, cell: Arc<TaskCell>) {
    if let Some(last) = Arc::into_inner(cell).filter(TaskCell::holds_user_value) {
        crew.dispose(last);
    }
}

impl Titled for Arc<TaskCell> {
    fn task(&self) -> &TaskRef {
        &self.task
    }
}

//! Those who wait in a slot: how they start, and how they end without having run.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::{
    Registry,
    ledger::{Due, Permit},
};
use crate::{
    cell::{Last, TaskCell, TaskPhase},
    contain::Contained,
    event::{EventKind, EventType},
    id::{TaskId, TaskTarget},
    slot::{RejectionKind, SlotScope, SlotState},
    supervisor::{Cancelling, TaskHandle},
    task::{CancelCause, MakeTask, TaskOutcome},
};

/// The work of one who waits.
pub(in crate::registry) struct Parked {
    pub(super) maker: Contained<Box<dyn MakeTask>>,
}

impl Registry {
    // ---- starting ----

    /// Starts whoever is next in a slot, as long as there is room, and tells what the slot does now. `from`
    /// is what it did before `cause` changed something.
    pub(in crate::registry) fn advance(
        &mut self,
        slot: &Arc<str>,
        mut from: SlotState,
        cause: &TaskCell,
    ) {
        if self.slots.has_waiters() {
            self.start_next(slot, &mut from);
        }
        self.tell_transition(slot, &mut from, cause);
    }

    fn start_next(&mut self, slot: &Arc<str>, from: &mut SlotState) {
        let now = Instant::now();
        while let Some(id) = self.slots.ready(slot, now) {
            let Some(cell) = self.member(id) else {
                self.slots.leave(id);
                continue;
            };
            match self.may_start(cell.task.name()) {
                Ok(()) if self.start_parked(slot, from, &cell, now) => {}
                Ok(()) => break,
                Err(kind) => self.end_waiting(&cell, TaskOutcome::Rejected { kind }),
            }
        }
    }

    /// Answers whether another one may be next.
    fn start_parked(
        &mut self,
        slot: &Arc<str>,
        from: &mut SlotState,
        cell: &Arc<TaskCell>,
        now: Instant,
    ) -> bool {
        let has_room = self.slots.promote(cell.id(), now);
        cell.enter(TaskPhase::Waiting, None, now);
        self.tell_transition(slot, from, cell);
        let has_started = self.start(cell);
        has_room || !has_started
    }

    /// Whether a task of this name may be started now.
    pub(super) fn may_start(&self, name: &str) -> Result<(), RejectionKind> {
        if let Some(owner) = self.table.holder(name) {
            return Err(RejectionKind::AlreadyExists { owner });
        }
        if !self.crew.is_there() {
            return Err(RejectionKind::NoWorker);
        }
        Ok(())
    }

    /// Starts a member that owns its slot. `false`: it has ended instead.
    pub(super) fn start(&mut self, cell: &Arc<TaskCell>) -> bool {
        let work = self.table.get_mut(cell.id()).and_then(|entry| entry.mark.start());
        let Some(Parked { maker }) = work else {
            self.end_waiting(cell, TaskOutcome::Lost); // only after a panic of this actor
            return false;
        };
        let permit = self.ask_for_permit(cell);
        if permit != Permit::None
            && let Some(own) = self.table.get_mut(cell.id()).and_then(|entry| entry.mark.permit())
        {
            *own = permit;
        }
        self.launch(cell, permit, maker, None);
        true
    }

    // ---- ending without having run ----

    /// Ends one who waits. It has left its place, or leaves it now; the caller tells of the slot.
    pub(super) fn end_waiting(&mut self, cell: &Arc<TaskCell>, outcome: TaskOutcome) {
        if let Some(settled) = cell.settle(outcome.clone(), Last::default(), Instant::now()) {
            let version = settled.version;
            if let (TaskOutcome::Rejected { kind }, Some(slot)) = (&outcome, &cell.slot) {
                let kind = EventKind::SlotRejected { slot: Arc::clone(slot), kind: *kind };
                self.tell_of(cell, version, kind);
            }
            self.tell_of(cell, version, EventKind::ended(outcome));
        }
        self.remove(cell);
    }

    /// The same, for a reason of its own rather than a step of its slot.
    fn withdraw(&mut self, cell: &Arc<TaskCell>, outcome: TaskOutcome) {
        let Some(slot) = cell.slot.clone() else { return };
        let mut from = self.slot_state(&slot);
        self.end_waiting(cell, outcome);
        self.tell_transition(&slot, &mut from, cell);
    }

    /// Cancels one who waits.
    pub(super) fn cancel_waiting(&mut self, cell: &Arc<TaskCell>, cause: CancelCause) {
        let kind = || EventKind::TaskRemoveRequested { cause };
        let about = (&cell.task, cell.version() + 1);
        self.tell(EventType::TaskRemoveRequested, Some(about), kind);
        cell.ask_to_stop(cause, None, Instant::now());
        self.withdraw(cell, TaskOutcome::Canceled { cause, failure: None });
    }

    /// Cancels those who wait in a slot, then its owners if asked for: nobody moves up meanwhile.
    pub(in crate::registry) fn cancel_slot(
        &mut self,
        name: &str,
        scope: SlotScope,
    ) -> Vec<Cancelling> {
        let Some(slot) = self.slots.get(name) else {
            return Vec::new();
        };
        let now = Instant::now();
        let mut ids: Vec<_> = slot.line(now).chain(slot.ahead_of_time(now)).map(|w| w.id).collect();
        if scope == SlotScope::All {
            ids.extend(slot.owners.iter().map(|owner| owner.id));
        }
        let cells: Vec<_> = ids.into_iter().filter_map(|id| self.member(id)).collect();
        let cancelling = cells.into_iter().map(|cell| {
            let asked = self.stop_task(cell.id(), CancelCause::User, None);
            Cancelling::new(asked.unwrap_or(false), TaskHandle::new(cell))
        });
        cancelling.collect()
    }

    /// Nobody who waits will run any more.
    pub(in crate::registry) fn reject_everyone(&mut self) {
        for id in self.slots.everyone_waiting() {
            if let Some(cell) = self.member(id) {
                let kind = RejectionKind::ShuttingDown;
                self.withdraw(&cell, TaskOutcome::Rejected { kind });
            }
        }
    }

    // ---- time ----

    /// Does what is due by now, before a message that comes at the same time (R8).
    pub(in crate::registry) fn catch_up(&mut self) {
        if self.slots.next_due().is_some() {
            self.look_at_slots(Instant::now());
        }
    }

    /// Does what is due in the slots.
    pub(in crate::registry) fn look_at_slots(&mut self, now: Instant) {
        while let Some(due) = self.slots.pop_due(now) {
            match due {
                Due::TimedOut(id) => self.wait_is_over(id),
                Due::Ready(id) => self.time_has_come(id),
                Due::Opened(slot) => self.tell_opened(slot),
            }
        }
    }

    fn wait_is_over(&mut self, id: TaskId) {
        let longest = self.slots.waiter(id).and_then(|waiter| waiter.max_wait);
        if let (Some(max_wait), Some(cell)) = (longest, self.member(id)) {
            let kind = RejectionKind::QueueTimeout { max_wait };
            self.withdraw(&cell, TaskOutcome::Rejected { kind });
        }
    }

    fn time_has_come(&mut self, id: TaskId) {
        let (Some(slot), Some(cell)) = (self.slots.slot_of(id).cloned(), self.member(id)) else {
            return;
        };
        let from = self.slot_state(&slot);
        self.advance(&slot, from, &cell);
        if self.slots.is_waiting(id) {
            cell.enter(TaskPhase::Queued, None, Instant::now());
        }
    }

    // ---- after a panic of `Registry` ----

    /// Mends what a panic between two changes may have left half done.
    pub(in crate::registry) fn mend_slots(&mut self) {
        for id in self.slots.everyone() {
            if self.table.get(id).is_none() {
                self.slots.leave(id);
            }
        }
        let parked = self.table.entries().filter(|entry| entry.mark.is_parked());
        let parked: Vec<_> = parked.map(|entry| Arc::clone(&entry.cell)).collect();
        parked.iter().for_each(|cell| self.mend_parked(cell));
        for id in self.followers.followed() {
            if self.table.get(id).is_none() {
                let past = self.table.find(&TaskTarget::Id(id)).and_then(|cell| cell.outcome());
                self.share_end(id, &past.unwrap_or(TaskOutcome::Lost));
            }
        }
        for id in self.slots.everyone() {
            if let (Some(slot), Some(cell)) = (self.slots.slot_of(id).cloned(), self.member(id)) {
                let from = self.slot_state(&slot);
                self.advance(&slot, from, &cell);
            }
        }
    }

    /// Work is parked with those who wait in a slot and are not over, and with nobody else.
    fn mend_parked(&mut self, cell: &Arc<TaskCell>) {
        if self.slots.slot_of(cell.id()).is_none() || cell.has_outcome() {
            self.end_waiting(cell, TaskOutcome::Lost);
        } else if !self.slots.is_waiting(cell.id()) {
            match self.may_start(cell.task.name()) {
                Ok(()) => {
                    self.start(cell);
                }
                Err(kind) => self.end_waiting(cell, TaskOutcome::Rejected { kind }),
            }
        }
    }

    pub(in crate::registry) fn member(&self, id: TaskId) -> Option<Arc<TaskCell>> {
        self.table.get(id).map(|entry| Arc::clone(&entry.cell))
    }

    // ---- what a slot does ----

    /// What a slot does, as far as anybody wants to know.
    pub(super) fn slot_state(&self, slot: &str) -> SlotState {
        if !self.board.wants(EventType::SlotTransition) {
            return SlotState::Idle;
        }
        self.slots.state(slot)
    }

    /// Tells if it does something else now, by the doing of this task. No status shows what a slot does,
    /// so this is news to every subscriber, whatever the version.
    pub(super) fn tell_transition(
        &mut self,
        slot: &Arc<str>,
        from: &mut SlotState,
        mover: &TaskCell,
    ) {
        let to = self.slot_state(slot);
        let from = std::mem::replace(from, to);
        if from != to {
            let kind = EventKind::SlotTransition { slot: Arc::clone(slot), from, to };
            self.tell_of(mover, 0, kind);
        }
    }

    /// Nothing throttled will start any more.
    pub(in crate::registry) fn open_everything(&mut self) {
        for slot in self.slots.open_everything() {
            self.tell_opened(slot);
        }
    }

    /// A throttled start was long enough ago.
    fn tell_opened(&mut self, slot: Arc<str>) {
        if self.slots.get(&slot).is_none() {
            let (from, to) = (SlotState::Cooling, SlotState::Idle);
            let kind = || EventKind::SlotTransition { slot, from, to };
            self.tell(EventType::SlotTransition, None, kind);
        }
    }

    pub(super) fn ask_for_permit(&mut self, cell: &TaskCell) -> Permit {
        let pool = self.permits.as_mut();
        pool.map_or(Permit::None, |pool| pool.ask(cell.id(), cell.slot.as_ref()))
    }
}

//! Who is where, and what can be seen of it.

use actix_taskvisor::prelude::*;

use super::{End, Model, One, Place, Shown, ShownWaiter, Slot};

impl Model {
    pub(super) fn one(&self, id: TaskId) -> &One {
        &self.ones[self.index(id)]
    }

    pub(super) fn index(&self, id: TaskId) -> usize {
        self.ones.binary_search_by_key(&id, |one| one.id).expect("it was taken in")
    }

    pub(super) fn one_mut(&mut self, id: TaskId) -> &mut One {
        let index = self.index(id);
        &mut self.ones[index]
    }

    pub(super) fn slot_mut(&mut self, name: &str) -> &mut Slot {
        self.slots.iter_mut().find(|slot| slot.name == name).expect("it is in use")
    }

    pub(super) fn all(&self, is_it: impl Fn(&One) -> bool) -> Vec<TaskId> {
        self.ones.iter().filter(|one| is_it(one)).map(|one| one.id).collect()
    }

    pub fn members(&self) -> Vec<TaskId> {
        self.all(One::is_member)
    }

    /// Those whose bodies are alive.
    pub fn running(&self) -> Vec<TaskId> {
        self.all(|one| one.has_begun && one.is_member())
    }

    pub(super) fn holder(&self, name: &str) -> Option<TaskId> {
        self.all(|one| one.place == Place::Owns && one.ask.name == name).first().copied()
    }

    pub(super) fn owners(&self, slot: &str) -> Vec<TaskId> {
        let mut owners = self.all(|one| one.is_in(slot) && one.place == Place::Owns);
        owners.sort_by_key(|&id| self.one(id).start);
        owners
    }

    /// Those who only wait for room, in the order in which they start.
    pub(super) fn line(&self, slot: &str) -> Vec<TaskId> {
        let is_due = |one: &One| one.due <= self.now && one.place == Place::Waits;
        let mut line = self.all(|one| one.is_in(slot) && is_due(one));
        line.sort_by_key(|&id| (!self.one(id).is_head, self.one(id).rank));
        line
    }

    pub(super) fn delayed(&self, slot: &str) -> Vec<TaskId> {
        self.all(|one| one.is_in(slot) && one.place == Place::Waits && one.due > self.now)
    }

    /// The debounced or throttled one that waits.
    pub(super) fn newest(&self, slot: &str) -> Option<&One> {
        let waits = |one: &&One| one.is_in(slot) && one.place == Place::Waits;
        self.ones.iter().filter(waits).find(|one| one.ask.is_timed())
    }

    pub fn end_of(&self, id: TaskId) -> Option<End> {
        match self.one(id).place {
            Place::Over(end) => Some(end),
            Place::Waits | Place::Owns | Place::Follows(_) => None,
        }
    }

    pub fn is_member(&self, id: TaskId) -> bool {
        self.one(id).is_member()
    }

    pub fn phase(&self, id: TaskId) -> TaskPhase {
        let one = self.one(id);
        match one.place {
            Place::Waits if one.due > self.now => TaskPhase::Delayed,
            Place::Waits => TaskPhase::Queued,
            Place::Follows(_) => TaskPhase::Attached,
            Place::Owns if !one.has_permit => TaskPhase::WaitingForPermit,
            Place::Owns if one.stop.is_some() => TaskPhase::Stopping,
            Place::Owns => TaskPhase::Running,
            Place::Over(_) => TaskPhase::Ended,
        }
    }

    pub fn position(&self, id: TaskId) -> Option<usize> {
        let one = Some(self.one(id)).filter(|one| one.place == Place::Waits)?;
        let line = self.line(one.ask.slot.as_deref()?);
        line.iter().position(|&other| other == id).map(|index| index + 1)
    }

    pub fn shown(&self) -> Vec<Shown> {
        self.slots.iter().map(|slot| self.show(slot)).collect()
    }

    pub(super) fn show(&self, slot: &Slot) -> Shown {
        let owners = self.owners(&slot.name);
        let waiting = [self.line(&slot.name), self.delayed(&slot.name)].concat();
        let followed = [owners.clone(), waiting.clone()].concat();
        let follows = |one: &One| matches!(one.place, Place::Follows(to) if followed.contains(&to));
        Shown {
            name: slot.name.clone(),
            state: if owners.iter().any(|&id| self.one(id).stop.is_some()) {
                SlotState::Stopping
            } else if !owners.is_empty() {
                SlotState::Running
            } else if !waiting.is_empty() {
                SlotState::Delaying
            } else {
                SlotState::Cooling
            },
            in_use_for: self.now - slot.since,
            concurrency: slot.concurrency,
            queue: waiting.iter().map(|&id| self.show_waiter(self.one(id))).collect(),
            attached: self.all(follows).len(),
            opens_in: slot.opens_at.map(|at| at - self.now),
            owners,
        }
    }

    pub(super) fn show_waiter(&self, one: &One) -> ShownWaiter {
        ShownWaiter {
            id: one.id,
            position: self.position(one.id),
            age: self.now - one.came,
            priority: one.ask.priority,
            times_out_in: one.ask.max_wait.map(|wait| one.came + wait - self.now),
            due_in: Some(one.due).filter(|due| *due > self.now).map(|due| due - self.now),
        }
    }
}

//! What `Registry` tells of its members and slots to those who ask.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::{Registry, closing::Stage, ledger::Slot, messages::Overview};
use crate::{
    cell::Sighting,
    id::{TaskId, TaskTarget},
    slot::{SlotStatus, SlotWaiter},
};

impl Registry {
    /// All members, in the order of their ids, with their places.
    pub(super) fn sightings(&self) -> Vec<Sighting> {
        let now = Instant::now();
        let lines = self.slots.iter().flat_map(|(_, slot)| slot.line(now).zip(1..));
        let places: HashMap<TaskId, usize> = lines.map(|(w, place)| (w.id, place)).collect();
        let cells = self.table.sorted().into_iter();
        cells.map(|cell| Sighting { position: places.get(&cell.id()).copied(), cell }).collect()
    }

    /// One member, with its place, or one that has ended or follows another.
    pub(super) fn sight(&self, target: &TaskTarget) -> Option<Sighting> {
        let cell = self.table.find(target).or_else(|| self.follower(target))?;
        let id = cell.id();
        let slot = self.slots.slot_of(id).filter(|_| self.slots.is_waiting(id));
        let slot = slot.and_then(|name| self.slots.get(name));
        let now = Instant::now();
        let mut line = slot.iter().flat_map(|slot| slot.line(now).zip(1..));
        let position = line.find(|(waiter, _)| waiter.id == id).map(|(_, place)| place);
        Some(Sighting { cell, position })
    }

    /// Everything that an operator looks at.
    pub(super) fn overview(&self) -> Overview {
        Overview {
            #[cfg(feature = "web")]
            living: self.sightings(),
            #[cfg(feature = "web")]
            past: self.table.past().cloned().collect(),
            required: self.required.values().cloned().collect(),
            is_draining: self.is_leaving || !matches!(self.stage, Stage::Serving),
        }
    }

    /// All slots in use, in the order of their names.
    pub(super) fn slot_statuses(&self) -> Vec<SlotStatus> {
        let now = Instant::now();
        let slots = self.slots.iter();
        let mut statuses: Vec<_> =
            slots.map(|(name, slot)| self.slot_status(name, slot, now)).collect();
        statuses.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        statuses
    }

    /// One slot, if it is in use.
    pub(super) fn slot_named(&self, name: &Arc<str>) -> Option<SlotStatus> {
        self.slots.get(name).map(|slot| self.slot_status(name, slot, Instant::now()))
    }

    fn slot_status(&self, name: &Arc<str>, slot: &Slot, now: Instant) -> SlotStatus {
        let line = slot.line(now).zip(1..).map(|(waiter, place)| (waiter, Some(place)));
        let waiters: Vec<_> = line.chain(slot.ahead_of_time(now).map(|w| (w, None))).collect();
        let owners = slot.owners.iter().map(|owner| owner.id);
        let everyone = owners.clone().chain(waiters.iter().map(|(w, _)| w.id));
        let attached = everyone.map(|id| self.followers.count(id)).sum();
        let owners = owners.filter_map(|id| self.member(id));
        let due = slot.newest.as_ref().map(|newest| newest.due);
        let queue = waiters.iter().filter_map(|&(waiter, position)| {
            let due = due.filter(|_| position.is_none());
            let task = self.member(waiter.id)?.task.clone();
            Some(SlotWaiter {
                task,
                position,
                age: now.saturating_duration_since(waiter.since),
                priority: waiter.priority,
                times_out_in: waiter.times_out_at().map(|at| at.saturating_duration_since(now)),
                due_in: due.map(|due| due.saturating_duration_since(now)),
            })
        });
        SlotStatus {
            name: Arc::clone(name),
            state: slot.state(),
            in_use_for: now.saturating_duration_since(slot.since),
            concurrency: slot.concurrency,
            attached,
            owners: owners.map(|cell| cell.status()).collect(),
            queue: queue.collect(),
            opens_in: slot.opens_at.map(|at| at.saturating_duration_since(now)),
        }
    }
}

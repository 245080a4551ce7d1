//! All slots: which there are, who is in which, the limits, and what is due when. Pure.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use slab::Slab;
use tokio::time::Instant;

use super::{
    KEEP,
    slot::{Ask, Members, Newest, Owner, Role, Slot, Turn, Verdict, Waited, Waiter, rank},
    table::{IdMap, NameHasher, name_hasher},
};
use crate::{
    clock::late,
    id::TaskId,
    slot::{DEFAULT_SLOT_CONCURRENCY, RejectionKind, SlotState, WhenBusy},
};

/// The limits that the builder set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotLimits {
    pub(crate) slots: Option<usize>,
    pub(crate) per_slot: usize,
    pub(crate) total: usize,
}

/// Where a submission is.
pub(super) struct Place {
    slot: SlotKey,
    role: Role,
}

/// The number of a slot for as long as it is in use.
type SlotKey = usize;

/// What happens at a moment, unless something else comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The time of one who waits for it has come.
    Ready(TaskId),
    /// Throttled submissions may start again.
    Opened(Arc<str>),
    /// One who waits has waited long enough. Last at its moment: whoever can start then, does.
    TimedOut(TaskId),
}

/// See the file's first line.
///
/// - S1: a slot never has more owners than its concurrency.
/// - S2: everyone in `places` is in exactly that place of exactly that slot, and nobody else is in one.
/// - S3: a slot is here as long as it is in use, and no longer.
/// - S4: each of them is in `slots` with its name, and in `names` under it with its key.
/// - S5: `dues` has an entry for each deadline of those who wait, for each time that is yet to come, and for each
///   opening, and no other.
pub(crate) struct Slots {
    pub(super) names: HashMap<Arc<str>, SlotKey, NameHasher>,
    pub(super) slots: Slab<(Arc<str>, Slot)>,
    pub(super) places: IdMap<Place>,
    pub(super) dues: BTreeSet<(Instant, Due)>,
    pub(super) waiting: usize,
    limits: SlotLimits,
}

impl Slots {
    pub(crate) fn new(limits: SlotLimits) -> Self {
        Self {
            names: HashMap::with_hasher(name_hasher()),
            slots: Slab::new(),
            places: IdMap::default(),
            dues: BTreeSet::new(),
            waiting: 0,
            limits,
        }
    }

    // ---- the decision ----

    /// What becomes of a submission. It changes nothing.
    pub(crate) fn decide(
        &self,
        ask: &Ask<'_>,
        now: Instant,
        members: &impl Members,
    ) -> Result<Verdict, RejectionKind> {
        let Some(slot) = self.get(ask.slot) else {
            if let Some(limit) = self.limits.slots.filter(|&limit| self.slots.len() >= limit) {
                return Err(RejectionKind::SlotsFull { limit });
            }
            let fresh = Slot::new(ask.concurrency.unwrap_or(DEFAULT_SLOT_CONCURRENCY), now);
            return self.within_limits(&fresh, fresh.decide(ask, now, members)?);
        };
        if ask.concurrency.is_some_and(|asked| asked != slot.concurrency) {
            return Err(RejectionKind::ConcurrencyFixed { current: slot.concurrency });
        }
        self.within_limits(slot, slot.decide(ask, now, members)?)
    }

    /// The places of `Replace`, `Debounce` and `Throttle` are one each, and outside of the slot's limit.
    fn within_limits(&self, slot: &Slot, verdict: Verdict) -> Result<Verdict, RejectionKind> {
        let SlotLimits { per_slot, total, .. } = self.limits;
        if matches!(verdict, Verdict::Queue { .. }) && slot.queue.len() >= per_slot {
            return Err(RejectionKind::SlotQueueFull { limit: per_slot });
        }
        if verdict.waits() && self.waiting - verdict.displaced().len() >= total {
            return Err(RejectionKind::QueuesFull { limit: total });
        }
        Ok(verdict)
    }

    // ---- changes ----

    /// Gives a submission the place that was decided, which those it displaces leave.
    pub(crate) fn enter(&mut self, ask: &Ask<'_>, verdict: &Verdict, now: Instant) {
        for &displaced in verdict.displaced() {
            self.take_out(displaced);
        }
        let every = match ask.when_busy {
            WhenBusy::Throttle { every } => Some(every),
            _ => None,
        };
        let waiter = Waiter::new(ask, now);
        match verdict {
            Verdict::Attach { .. } => {}
            Verdict::Start { .. } => {
                let slot = self.put(ask, Role::Owner, now);
                self.slots[slot].1.owners.push(Owner::new(ask.id));
                self.close_for(slot, every, now);
            }
            Verdict::Queue { .. } => {
                let rank = rank(ask);
                self.expect_waiter(&waiter);
                let slot = self.put(ask, Role::Queued(rank), now);
                self.slots[slot].1.queue.insert(rank, waiter);
            }
            Verdict::Replace { .. } => {
                self.expect_waiter(&waiter);
                let slot = self.put(ask, Role::Head, now);
                self.slots[slot].1.head = Some(Box::new(waiter));
            }
            Verdict::Delay { turn, .. } => {
                self.expect_waiter(&waiter);
                if turn.position.is_none() {
                    self.dues.insert((turn.due, Due::Ready(ask.id)));
                }
                let Turn { due, began, rank, .. } = *turn;
                let newest = Newest { waiter, rank, began, due, every };
                let slot = self.put(ask, Role::Newest, now);
                self.slots[slot].1.newest = Some(Box::new(newest));
            }
        }
    }

    /// Notes a place in a slot, which is there from now on. Answers its key.
    fn put(&mut self, ask: &Ask<'_>, role: Role, now: Instant) -> SlotKey {
        let slot = self.names.get(ask.slot).copied().unwrap_or_else(|| {
            let fresh = Slot::new(ask.concurrency.unwrap_or(DEFAULT_SLOT_CONCURRENCY), now);
            let slot = self.slots.insert((Arc::clone(ask.slot), fresh));
            self.names.insert(Arc::clone(ask.slot), slot);
            slot
        });
        self.places.insert(ask.id, Place { slot, role });
        slot
    }

    fn expect_waiter(&mut self, waiter: &Waiter) {
        self.waiting += 1;
        if let Some(at) = waiter.times_out_at() {
            self.dues.insert((at, Due::TimedOut(waiter.id)));
        }
    }

    /// Closes a slot to throttled starts, if this was one.
    fn close_for(&mut self, slot: SlotKey, every: Option<Duration>, now: Instant) {
        let Some(every) = every else { return };
        let Some((name, slot)) = self.slots.get_mut(slot) else { return };
        let opens_at = late(now, every);
        if let Some(before) = slot.opens_at.replace(opens_at) {
            self.dues.remove(&(before, Due::Opened(Arc::clone(name))));
        }
        self.dues.insert((opens_at, Due::Opened(Arc::clone(name))));
    }

    /// Makes the next one an owner who waits in a slot with room. Answers whether there is more room.
    pub(crate) fn promote(&mut self, id: TaskId, now: Instant) -> bool {
        let Some(place) = self.places.get_mut(&id) else { return true };
        let key = place.slot;
        let Some((_, slot)) = self.slots.get_mut(key) else { return true };
        let waited = slot.vacate(std::mem::replace(&mut place.role, Role::Owner), id);
        slot.owners.push(Owner::new(id));
        let has_room = slot.has_room();
        let every = waited.as_ref().and_then(|waited| waited.newest?.every);
        self.expect_no_more(waited);
        self.close_for(key, every, now);
        has_room
    }

    /// An owner is asked to stop.
    pub(crate) fn note_stopping(&mut self, id: TaskId) {
        let slot = self.places.get(&id).and_then(|place| self.slots.get_mut(place.slot));
        let owners = slot.into_iter().flat_map(|(_, slot)| &mut slot.owners);
        owners.filter(|owner| owner.id == id).for_each(|owner| owner.is_stopping = true);
    }

    /// Somebody is over, or will not run, if it is in a slot.
    pub(crate) fn leave(&mut self, id: TaskId) {
        if self.places.is_empty() {
            return;
        }
        if let Some((slot, false)) = self.take_out(id) {
            self.remove(slot);
        }
    }

    /// Empties a place; the slot stays, even if it is empty now. Answers which, and whether it is in use.
    fn take_out(&mut self, id: TaskId) -> Option<(SlotKey, bool)> {
        let place = self.places.remove(&id)?;
        let (_, slot) = self.slots.get_mut(place.slot)?;
        let waited = slot.vacate(place.role, id);
        let is_in_use = slot.is_in_use();
        self.expect_no_more(waited);
        Some((place.slot, is_in_use))
    }

    /// The opposite of `expect_waiter`, if it waited.
    fn expect_no_more(&mut self, waited: Option<Waited>) {
        let Some(Waited { waiter, newest }) = waited else { return };
        self.waiting -= 1;
        if let Some(newest) = newest {
            self.dues.remove(&(newest.due, Due::Ready(waiter.id)));
        }
        if let Some(at) = waiter.times_out_at() {
            self.dues.remove(&(at, Due::TimedOut(waiter.id)));
        }
    }

    /// S3.
    fn tidy(&mut self, slot: SlotKey) {
        if self.slots.get(slot).is_some_and(|(_, slot)| !slot.is_in_use()) {
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: SlotKey) {
        if let Some((name, _)) = self.slots.try_remove(slot) {
            self.names.remove(&name);
        }
        if self.slots.is_empty() && self.names.capacity().max(self.places.capacity()) > KEEP {
            self.names.shrink_to(KEEP);
            self.places.shrink_to(KEEP);
            self.slots = Slab::new();
        }
    }

    // ---- time ----

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.dues.first().map(|(at, _)| *at)
    }

    /// Takes out what is due first.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        if self.next_due()? > now {
            return None;
        }
        let (_, due) = self.dues.pop_first()?;
        if let Due::Opened(name) = &due
            && let Some(&key) = self.names.get(name)
        {
            if let Some((_, slot)) = self.slots.get_mut(key) {
                slot.opens_at = None;
            }
            self.tidy(key);
        }
        Some(due)
    }

    /// No throttled submission starts any more, so none is held up. Answers the names of those that were.
    pub(crate) fn open_everything(&mut self) -> Vec<Arc<str>> {
        let closed = self.slots.iter_mut().filter_map(|(key, (name, slot))| {
            let at = slot.opens_at.take()?;
            self.dues.remove(&(at, Due::Opened(Arc::clone(name))));
            Some((key, Arc::clone(name)))
        });
        let (keys, names): (Vec<_>, Vec<_>) = closed.unzip();
        keys.into_iter().for_each(|key| self.tidy(key));
        names
    }

    /// Nothing newer can come: those who wait for that need not wait any longer.
    pub(crate) fn end_bursts(&mut self, now: Instant) {
        for newest in self.slots.iter_mut().filter_map(|(_, (_, slot))| slot.newest.as_mut()) {
            if newest.every.is_none() && newest.due > now {
                self.dues.remove(&(newest.due, Due::Ready(newest.waiter.id)));
                newest.due = now;
                self.dues.insert((now, Due::Ready(newest.waiter.id)));
            }
        }
    }

    // ---- questions ----

    /// Who starts now: the next one, if there is room.
    pub(crate) fn ready(&self, name: &str, now: Instant) -> Option<TaskId> {
        self.get(name).filter(|slot| slot.has_room())?.next(now)
    }

    /// Whether anybody waits, in any slot.
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiting > 0
    }

    pub(crate) fn slot_of(&self, id: TaskId) -> Option<&Arc<str>> {
        self.slots.get(self.places.get(&id)?.slot).map(|(name, _)| name)
    }

    pub(crate) fn is_waiting(&self, id: TaskId) -> bool {
        self.places.get(&id).is_some_and(|place| place.role != Role::Owner)
    }

    /// One who waits.
    pub(crate) fn waiter(&self, id: TaskId) -> Option<&Waiter> {
        let place = self.places.get(&id)?;
        let (_, slot) = self.slots.get(place.slot)?;
        match place.role {
            Role::Owner => None,
            Role::Head => slot.head.as_deref(),
            Role::Queued(rank) => slot.queue.get(&rank),
            Role::Newest => slot.newest.as_ref().map(|newest| &newest.waiter),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Slot> {
        self.slots.get(*self.names.get(name)?).map(|(_, slot)| slot)
    }

    pub(crate) fn state(&self, name: &str) -> SlotState {
        self.get(name).map_or(SlotState::Idle, Slot::state)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Slot)> {
        self.slots.iter().map(|(_, (name, slot))| (name, slot))
    }

    /// Whether nobody owns a slot or waits for one.
    pub(crate) fn is_quiet(&self) -> bool {
        self.places.is_empty()
    }

    /// Everyone who is in a slot.
    pub(crate) fn everyone(&self) -> Vec<TaskId> {
        self.places.keys().copied().collect()
    }

    /// Everyone who waits, in the order of arrival.
    pub(crate) fn everyone_waiting(&self) -> Vec<TaskId> {
        let waiting = self.places.iter().filter(|(_, place)| place.role != Role::Owner);
        let mut ids: Vec<_> = waiting.map(|(&id, _)| id).collect();
        ids.sort_unstable();
        ids
    }
}

//! One slot: who owns it, who waits, and what becomes of the next one who asks. Pure.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::{
    clock::late,
    id::TaskId,
    slot::{RejectionKind, SlotState, WhenBusy},
};

/// A submission that asks for a place.
pub(crate) struct Ask<'a> {
    pub(crate) id: TaskId,
    pub(crate) slot: &'a Arc<str>,
    /// The name of its task.
    pub(crate) name: &'a str,
    pub(crate) when_busy: WhenBusy,
    pub(crate) priority: i32,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
}

/// What the table of members knows of those in a slot.
pub(crate) trait Members {
    /// Whether it has its outcome, and only its place is still taken.
    fn is_over(&self, id: TaskId) -> bool;
    /// Whether its task has this name.
    fn is_named(&self, id: TaskId, name: &str) -> bool;
}

/// What becomes of an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Start { displaced: Vec<TaskId> },
    Queue { position: usize },
    Replace { owner: TaskId, displaced: Vec<TaskId> },
    Attach { to: TaskId },
    Delay { turn: Turn, displaced: Vec<TaskId> },
}

impl Verdict {
    /// Those whose place it takes.
    pub(crate) fn displaced(&self) -> &[TaskId] {
        match self {
            Self::Start { displaced }
            | Self::Replace { displaced, .. }
            | Self::Delay { displaced, .. } => displaced,
            Self::Queue { .. } | Self::Attach { .. } => &[],
        }
    }

    /// Whether it makes a member, rather than somebody who follows one.
    pub(crate) fn makes_member(&self) -> bool {
        !matches!(self, Self::Attach { .. })
    }

    /// Whether it makes one more wait.
    pub(crate) fn waits(&self) -> bool {
        match self {
            Self::Queue { .. } | Self::Replace { .. } | Self::Delay { .. } => true,
            Self::Start { .. } | Self::Attach { .. } => false,
        }
    }
}

/// When a debounced or throttled submission starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) due: Instant,
    /// When the first of its burst came.
    pub(crate) began: Instant,
    /// Its place among those who wait for room: that of the one it displaces, if that is better.
    pub(super) rank: Rank,
    /// Its position, if its time has come and there is no room.
    pub(crate) position: Option<usize>,
}

/// The order among those who wait: higher priority first, then by arrival.
pub(super) type Rank = (Reverse<i32>, TaskId);

pub(super) fn rank(ask: &Ask<'_>) -> Rank {
    (Reverse(ask.priority), ask.id)
}

/// One who waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) id: TaskId,
    pub(crate) priority: i32,
    pub(crate) since: Instant,
    pub(crate) max_wait: Option<Duration>,
}

impl Waiter {
    pub(super) fn new(ask: &Ask<'_>, now: Instant) -> Self {
        Self { id: ask.id, priority: ask.priority, since: now, max_wait: ask.max_wait }
    }

    /// When it has waited long enough.
    pub(crate) fn times_out_at(&self) -> Option<Instant> {
        self.max_wait.map(|longest| late(self.since, longest))
    }
}

/// The one submission of a slot that waits for its time.
#[derive(Clone, Debug)]
pub(crate) struct Newest {
    pub(crate) waiter: Waiter,
    /// See [`Turn::rank`].
    pub(super) rank: Rank,
    /// When the first of its burst came.
    pub(crate) began: Instant,
    pub(crate) due: Instant,
    /// For how long its start closes the slot to throttled ones.
    pub(crate) every: Option<Duration>,
}

/// What somebody is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Owner,
    Head,
    Queued(Rank),
    Newest,
}

/// One who waits no longer.
pub(super) struct Waited {
    pub(super) waiter: Waiter,
    /// If it was the newest one.
    pub(super) newest: Option<Times>,
}

/// See [`Newest`].
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) due: Instant,
    pub(super) every: Option<Duration>,
}

/// One who owns the slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) id: TaskId,
    /// Whether it was asked to stop. Its cell says so too, to everybody else: this actor writes both in one
    /// step, and what a slot does is asked too often to lock the cell of each owner for it.
    pub(crate) is_stopping: bool,
}

impl Owner {
    pub(super) fn new(id: TaskId) -> Self {
        Self { id, is_stopping: false }
    }
}

/// What is rare in it is boxed: it should be small, for it is made anew whenever somebody comes to a slot that is not
/// in use.
pub(crate) struct Slot {
    pub(crate) concurrency: usize,
    pub(crate) since: Instant,
    /// In the order of their starts.
    pub(crate) owners: SmallVec<[Owner; 1]>,
    /// Put before all others by `Replace`.
    pub(super) head: Option<Box<Waiter>>,
    pub(super) queue: BTreeMap<Rank, Waiter>,
    pub(crate) newest: Option<Box<Newest>>,
    /// When throttled submissions may start again.
    pub(crate) opens_at: Option<Instant>,
}

impl Slot {
    pub(super) fn new(concurrency: usize, now: Instant) -> Self {
        Self {
            concurrency,
            since: now,
            owners: SmallVec::new(),
            head: None,
            queue: BTreeMap::new(),
            newest: None,
            opens_at: None,
        }
    }

    /// The decision. It changes nothing.
    pub(super) fn decide(
        &self,
        ask: &Ask<'_>,
        now: Instant,
        members: &impl Members,
    ) -> Result<Verdict, RejectionKind> {
        let start = Verdict::Start { displaced: Vec::new() };
        let queue = || {
            let rank = rank(ask);
            let due = self.newest_if(|newest| newest.due <= now && newest.rank < rank);
            Verdict::Queue { position: self.position_for(rank) + due.count() }
        };
        Ok(match (ask.when_busy, self.busy_owner()) {
            (WhenBusy::Debounce { quiet, max_wait }, _) => {
                self.start_when(late(now, quiet).min(late(self.began(now), max_wait)), ask, now)
            }
            (WhenBusy::Throttle { .. }, _) => {
                self.start_when(self.opens_at.unwrap_or(now), ask, now)
            }
            (WhenBusy::Attach, _) => match self.to_join(ask.name, now, members) {
                Some(to) => Verdict::Attach { to },
                None if self.has_room() => start,
                None => queue(),
            },
            (_, None) => start,
            (WhenBusy::Queue, Some(_)) => queue(),
            (WhenBusy::DropIfRunning, Some(owner)) => {
                return Err(RejectionKind::SlotBusy { owner });
            }
            (WhenBusy::Replace, Some(owner)) => {
                Verdict::Replace { owner, displaced: self.next(now).into_iter().collect() }
            }
            (WhenBusy::ReplaceAll, Some(owner)) => {
                let displaced = self.line(now).chain(self.ahead_of_time(now)).map(|w| w.id);
                Verdict::Replace { owner, displaced: displaced.collect() }
            }
        })
    }

    /// The newest one displaces the one before it, and starts when its time has come and there is room.
    fn start_when(&self, due: Instant, ask: &Ask<'_>, now: Instant) -> Verdict {
        let displaced = self.newest.iter().map(|newest| newest.waiter.id).collect();
        if due <= now && self.has_room() {
            Verdict::Start { displaced }
        } else {
            let own = rank(ask);
            let rank = self.newest.as_ref().map_or(own, |newest| newest.rank.min(own));
            let position = (due <= now).then(|| self.position_for(rank));
            Verdict::Delay { turn: Turn { due, began: self.began(now), rank, position }, displaced }
        }
    }

    /// When the burst began that a submission of now belongs to.
    fn began(&self, now: Instant) -> Instant {
        self.newest.as_ref().map_or(now, |newest| newest.began)
    }

    /// The run that a single-flight submission shares.
    fn to_join(&self, name: &str, now: Instant, members: &impl Members) -> Option<TaskId> {
        let is_live = |owner: &&Owner| !owner.is_stopping && !members.is_over(owner.id);
        let owners = || self.owners.iter().filter(is_live).map(|owner| owner.id);
        let waiting = || self.line(now).chain(self.ahead_of_time(now)).map(|waiter| waiter.id);
        let is_named = |id: &TaskId| members.is_named(*id, name);
        let namesake = owners().find(is_named).or_else(|| waiting().find(is_named));
        namesake.or_else(|| {
            let is_full = !self.has_room();
            is_full.then(|| owners().next().or_else(|| waiting().next())).flatten()
        })
    }

    // ---- places ----

    /// Empties a place. Answers who waited there.
    pub(super) fn vacate(&mut self, role: Role, id: TaskId) -> Option<Waited> {
        let (waiter, newest) = match role {
            Role::Owner => {
                self.owners.retain(|owner| owner.id != id);
                return None;
            }
            Role::Head => (*self.head.take()?, None),
            Role::Queued(rank) => (self.queue.remove(&rank)?, None),
            Role::Newest => {
                let Newest { waiter, due, every, .. } = *self.newest.take()?;
                (waiter, Some(Times { due, every }))
            }
        };
        Some(Waited { waiter, newest })
    }

    pub(super) fn has_room(&self) -> bool {
        self.owners.len() < self.concurrency
    }

    /// The oldest owner of a slot without room.
    fn busy_owner(&self) -> Option<TaskId> {
        self.owners.first().map(|owner| owner.id).filter(|_| !self.has_room())
    }

    /// Who starts next, as soon as there is room.
    pub(super) fn next(&self, now: Instant) -> Option<TaskId> {
        self.line(now).next().map(|waiter| waiter.id)
    }

    /// Those who only wait for room, in the order in which they start.
    pub(crate) fn line(&self, now: Instant) -> impl Iterator<Item = &Waiter> {
        let mut due = self.newest.as_deref().filter(|newest| newest.due <= now);
        let mut queue = self.queue.iter().peekable();
        let merged = std::iter::from_fn(move || {
            let first = queue.peek().map(|(rank, _)| **rank);
            let newest = due.take_if(|newest| first.is_none_or(|first| newest.rank < first));
            newest.map(|newest| &newest.waiter).or_else(|| queue.next().map(|(_, waiter)| waiter))
        });
        self.head.as_deref().into_iter().chain(merged)
    }

    /// The one whose time has not come.
    pub(crate) fn ahead_of_time(&self, now: Instant) -> impl Iterator<Item = &Waiter> {
        self.newest_if(move |newest| newest.due > now)
    }

    fn newest_if(&self, is_it: impl Fn(&Newest) -> bool) -> impl Iterator<Item = &Waiter> {
        self.newest.iter().filter(move |newest| is_it(newest)).map(|newest| &newest.waiter)
    }

    /// The place in the line that a newcomer would have, from 1, not counting the newest one.
    fn position_for(&self, rank: Rank) -> usize {
        let is_last = self.queue.last_key_value().is_none_or(|(last, _)| *last < rank);
        let queued = if is_last { self.queue.len() } else { self.queue.range(..rank).count() };
        1 + usize::from(self.head.is_some()) + queued
    }

    pub(super) fn is_in_use(&self) -> bool {
        !self.owners.is_empty() || self.has_waiters() || self.opens_at.is_some()
    }

    fn has_waiters(&self) -> bool {
        self.head.is_some() || !self.queue.is_empty() || self.newest.is_some()
    }

    pub(crate) fn state(&self) -> SlotState {
        if self.owners.iter().any(|owner| owner.is_stopping) {
            SlotState::Stopping
        } else if !self.owners.is_empty() {
            SlotState::Running
        } else if self.has_waiters() {
            SlotState::Delaying
        } else if self.opens_at.is_some() {
            SlotState::Cooling
        } else {
            SlotState::Idle
        }
    }
}

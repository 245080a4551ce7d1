//! What the pages on slots, submissions and the builder say, in the simplest way that could do it: one
//! vector of all who ever came, looked through again for each question. Time is counted from the start of the case.

mod lives;
mod views;

use std::{cmp::Reverse, time::Duration};

use actix_taskvisor::prelude::*;

/// A submission; without a slot it is a task that is added.
#[derive(Clone, Debug)]
pub struct Ask {
    pub name: String,
    pub slot: Option<String>,
    pub when_busy: WhenBusy,
    pub concurrency: Option<usize>,
    pub max_wait: Option<Duration>,
    pub priority: i32,
    pub attach_displaced: bool,
    /// Its body does not look whether it should stop, and is forced after so long.
    pub deaf_for: Option<Duration>,
    pub fails_when_stopped: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub max_slots: Option<usize>,
    pub max_queued_per_slot: Option<usize>,
    pub max_queued: Option<usize>,
    pub max_tasks: Option<usize>,
    pub max_concurrent: Option<usize>,
}

/// How one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Completed,
    Failed,
    Canceled { cause: CancelCause, failed: bool },
    Forced { cause: CancelCause },
    Rejected { kind: RejectionKind },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waits,
    /// It owns its slot, or was added.
    Owns,
    Follows(TaskId),
    Over(End),
}

/// Higher priority first, then by arrival.
type Rank = (Reverse<i32>, TaskId);

#[derive(Debug)]
struct One {
    id: TaskId,
    ask: Ask,
    came: Duration,
    /// When the first of its burst came, and when its time comes.
    began: Duration,
    due: Duration,
    has_been_due: bool,
    is_head: bool,
    /// Its place among those who wait for room.
    rank: Rank,
    place: Place,
    /// The how-manieth start it was.
    start: usize,
    has_permit: bool,
    has_begun: bool,
    stop: Option<(CancelCause, Duration)>,
    was_member: bool,
}

#[derive(Debug)]
struct Slot {
    name: String,
    since: Duration,
    concurrency: usize,
    opens_at: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Serving,
    Draining { until: Duration },
    Stopping,
    Over,
}

/// What is due; of things due at one moment the first of these comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    TimeComes(TaskId),
    Opens,
    TimesOut(TaskId),
    Forced(TaskId),
    Drained,
}

/// A slot as `slots()` shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub name: String,
    pub state: SlotState,
    pub in_use_for: Duration,
    pub concurrency: usize,
    pub owners: Vec<TaskId>,
    pub queue: Vec<ShownWaiter>,
    pub attached: usize,
    pub opens_in: Option<Duration>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct ShownWaiter {
    pub id: TaskId,
    pub position: Option<usize>,
    pub age: Duration,
    pub priority: i32,
    pub times_out_in: Option<Duration>,
    pub due_in: Option<Duration>,
}

#[derive(Debug)]
pub struct Model {
    pub now: Duration,
    pub stage: Stage,
    limits: Limits,
    ones: Vec<One>,
    /// In the order of their names.
    slots: Vec<Slot>,
    ids_given: u64,
    starts: usize,
    permits_held: usize,
    /// Those who wait for a permit: slot after slot, in turn.
    lines: Vec<(Option<String>, Vec<TaskId>)>,
    granted: Vec<TaskId>,
    /// The bodies in the order in which they began.
    pub bodies: Vec<TaskId>,
    /// The members that ended after a shutdown was asked for.
    pub ended_late: Vec<(TaskId, End)>,
}

impl Model {
    pub fn new(limits: Limits) -> Self {
        Self {
            now: Duration::ZERO,
            stage: Stage::Serving,
            limits,
            ones: Vec::new(),
            slots: Vec::new(),
            ids_given: 0,
            starts: 0,
            permits_held: 0,
            lines: Vec::new(),
            granted: Vec::new(),
            bodies: Vec::new(),
            ended_late: Vec::new(),
        }
    }

    // ---- coming ----

    pub fn next_id(&self) -> TaskId {
        TaskId::from_number(self.ids_given + 1).expect("from 1")
    }

    fn latest_id(&self) -> TaskId {
        TaskId::from_number(self.ids_given).expect("one was given")
    }

    pub fn add(&mut self, ask: Ask) -> Result<TaskId, AddRefusal> {
        self.ids_given += 1;
        if self.stage != Stage::Serving {
            return Err(AddRefusal::ShuttingDown);
        }
        if let Some(owner) = self.holder(&ask.name) {
            return Err(AddRefusal::AlreadyExists { owner });
        }
        if let Some(limit) = reached(self.limits.max_tasks, self.members().len()) {
            return Err(AddRefusal::LimitReached { limit });
        }
        let id = self.enter(ask, Place::Owns, self.now, self.now);
        self.start(id);
        Ok(id)
    }

    pub fn submit(&mut self, ask: Ask) -> Result<(TaskId, Admission), RejectionKind> {
        self.ids_given += 1;
        let (answer, displaced) = self.decide(&ask)?;
        let name = ask.slot.as_deref().expect("a submission");
        if !self.slots.iter().any(|slot| slot.name == name) {
            let (name, since) = (name.to_owned(), self.now);
            let concurrency = ask.concurrency.unwrap_or(1);
            self.slots.push(Slot { name, since, concurrency, opens_at: None });
            self.slots.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let (attaches, due) = (ask.attach_displaced, self.time_of(&ask));
        let began = self.newest(name).map_or(self.now, |newest| newest.began);
        let place = match answer {
            Admission::Attached { to } => Place::Follows(to),
            _ => Place::Waits,
        };
        let id = self.enter(ask, place, began, due);
        for other in displaced {
            if attaches {
                self.follow(other, id);
            } else {
                self.over(other, End::Rejected { kind: RejectionKind::Superseded { by: id } });
            }
        }
        match answer {
            Admission::Started => self.start(id),
            Admission::Replacing { owner } => {
                self.one_mut(id).is_head = true;
                self.ask_to_stop(owner, CancelCause::Replaced);
                self.end_those_who_listen();
            }
            _ => {}
        }
        self.pass(self.now, false);
        Ok((id, answer))
    }

    /// The answer, and whose place it takes.
    fn decide(&self, ask: &Ask) -> Result<(Admission, Vec<TaskId>), RejectionKind> {
        if self.stage != Stage::Serving {
            return Err(RejectionKind::ShuttingDown);
        }
        let name = ask.slot.as_deref().expect("a submission");
        let slot = self.slots.iter().find(|slot| slot.name == name);
        match slot {
            None => {
                if let Some(limit) = reached(self.limits.max_slots, self.slots.len()) {
                    return Err(RejectionKind::SlotsFull { limit });
                }
            }
            Some(slot) => {
                let current = slot.concurrency;
                if ask.concurrency.is_some_and(|asked| asked != current) {
                    return Err(RejectionKind::ConcurrencyFixed { current });
                }
            }
        }
        let concurrency = slot.map_or(ask.concurrency.unwrap_or(1), |slot| slot.concurrency);
        let (owners, line, delayed) = (self.owners(name), self.line(name), self.delayed(name));
        let has_room = owners.len() < concurrency;
        if ask.when_busy == WhenBusy::Attach
            && let Some(to) = self.to_join(name, &ask.name, has_room)
        {
            return Ok((Admission::Attached { to }, Vec::new()));
        }
        let (answer, displaced) = match ask.when_busy {
            WhenBusy::Debounce { .. } | WhenBusy::Throttle { .. } => {
                let answer = match self.time_of(ask) - self.now {
                    Duration::ZERO if has_room => Admission::Started,
                    Duration::ZERO => QUEUED,
                    delay => Admission::Delayed { delay, until: None },
                };
                (answer, self.newest(name).into_iter().map(|newest| newest.id).collect())
            }
            _ if has_room => (Admission::Started, Vec::new()),
            WhenBusy::DropIfRunning => return Err(RejectionKind::SlotBusy { owner: owners[0] }),
            WhenBusy::Replace => {
                (Admission::Replacing { owner: owners[0] }, line.iter().copied().take(1).collect())
            }
            WhenBusy::ReplaceAll => {
                (Admission::Replacing { owner: owners[0] }, [line.clone(), delayed].concat())
            }
            _ => (QUEUED, Vec::new()),
        };
        self.look_at_limits(name, ask, answer, displaced.len())?;
        let answer = match answer {
            QUEUED => {
                let stay = line.iter().filter(|id| !displaced.contains(id)).map(|&id| self.one(id));
                let ahead = stay.filter(|one| one.is_head || one.rank < self.rank_of(ask));
                Admission::Queued { position: ahead.count() + 1 }
            }
            answer => answer,
        };
        Ok((answer, displaced))
    }

    fn look_at_limits(
        &self,
        slot: &str,
        ask: &Ask,
        answer: Admission,
        leaving: usize,
    ) -> Result<(), RejectionKind> {
        if answer == Admission::Started {
            if let Some(owner) = self.holder(&ask.name) {
                return Err(RejectionKind::AlreadyExists { owner });
            }
        } else {
            let waiting = || self.ones.iter().filter(|one| one.place == Place::Waits);
            let counts = |one: &&One| one.is_in(slot) && !one.is_head && !one.ask.is_timed();
            let limit = self.limits.max_queued_per_slot;
            let limit = limit.filter(|_| answer == QUEUED && !ask.is_timed());
            if let Some(limit) = reached(limit, waiting().filter(counts).count()) {
                return Err(RejectionKind::SlotQueueFull { limit });
            }
            if let Some(limit) = reached(self.limits.max_queued, waiting().count() - leaving) {
                return Err(RejectionKind::QueuesFull { limit });
            }
        }
        match reached(self.limits.max_tasks, self.members().len() - leaving) {
            Some(limit) => Err(RejectionKind::LimitReached { limit }),
            None => Ok(()),
        }
    }

    fn time_of(&self, ask: &Ask) -> Duration {
        let slot = ask.slot.as_deref().unwrap_or_default();
        match ask.when_busy {
            WhenBusy::Debounce { quiet, max_wait } => {
                let began = self.newest(slot).map_or(self.now, |newest| newest.began);
                (self.now + quiet).min(began + max_wait).max(self.now)
            }
            WhenBusy::Throttle { .. } => {
                let opens_at = self.slots.iter().find(|known| known.name == slot);
                opens_at.and_then(|slot| slot.opens_at).unwrap_or(self.now)
            }
            _ => self.now,
        }
    }

    /// A debounced or throttled one takes over the place of the one that it displaces, if that is better.
    fn rank_of(&self, ask: &Ask) -> Rank {
        let own = (Reverse(ask.priority), self.latest_id());
        let newest = ask.slot.as_deref().and_then(|slot| self.newest(slot));
        newest.filter(|_| ask.is_timed()).map_or(own, |newest| newest.rank.min(own))
    }

    /// Whom an `Attach` follows.
    fn to_join(&self, slot: &str, name: &str, has_room: bool) -> Option<TaskId> {
        let mut owners = self.owners(slot);
        owners.retain(|&id| self.one(id).stop.is_none());
        let waiting = [self.line(slot), self.delayed(slot)].concat();
        let all = [owners, waiting].concat();
        let namesake = all.iter().copied().find(|&id| self.one(id).ask.name == name);
        namesake.or_else(|| all.first().copied().filter(|_| !has_room))
    }

    fn enter(&mut self, ask: Ask, place: Place, began: Duration, due: Duration) -> TaskId {
        let (id, rank) = (self.latest_id(), self.rank_of(&ask));
        self.ones.push(One {
            id,
            ask,
            came: self.now,
            began,
            due,
            has_been_due: due <= self.now,
            is_head: false,
            rank,
            place,
            start: 0,
            has_permit: false,
            has_begun: false,
            stop: None,
            was_member: !matches!(place, Place::Follows(_)),
        });
        id
    }
}

impl One {
    fn is_member(&self) -> bool {
        matches!(self.place, Place::Waits | Place::Owns)
    }

    fn is_in(&self, slot: &str) -> bool {
        self.is_member() && self.ask.slot.as_deref() == Some(slot)
    }
}

impl Ask {
    fn is_timed(&self) -> bool {
        matches!(self.when_busy, WhenBusy::Debounce { .. } | WhenBusy::Throttle { .. })
    }
}

/// Its place is counted when it is taken in.
const QUEUED: Admission = Admission::Queued { position: 0 };

fn canceled(cause: CancelCause) -> End {
    End::Canceled { cause, failed: false }
}

fn reached(limit: Option<usize>, number: usize) -> Option<usize> {
    limit.filter(|&limit| number >= limit)
}

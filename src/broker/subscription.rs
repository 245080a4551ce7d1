//! One subscription, as the broker sees it: what it admits, what it is owed.

use std::sync::{Arc, Weak};

use actix::prelude::Recipient;

use super::fanout::{Appetite, BATCH, Seen};
use crate::{
    cell::{Sighting, TaskStatus},
    event::{EventFilter, Numbered},
    subscriber::{
        Account, Content, Generation, Lifecycle, LifecycleBatch, Lodging, Parcel, Portion, Round,
    },
};

/// Where deliveries go.
pub(crate) enum Outlet {
    Single(Recipient<Lifecycle>),
    Batch(Recipient<LifecycleBatch>),
    /// A subscriber that is no actor: an actor around it is started where it shall live.
    Hosted {
        recipient: Recipient<LifecycleBatch>,
        start: Box<dyn FnOnce() + Send>,
        lodging: Lodging,
    },
}

pub(super) struct Member {
    pub(super) account: Arc<Account>,
    /// The deliveries since the last fence, and those of before that are still out.
    generation: Arc<Generation>,
    older: Vec<Weak<Generation>>,
    has_told_panic: bool,
    /// The last snapshot, while its subscriber has it; a new one waits for that (B1).
    snapshot: Weak<Generation>,
    wants_resync: bool,
    outlet: Door,
    pub(super) filter: EventFilter,
    lost: u64,
    mode: Mode,
}

/// An outlet that is open.
pub(super) enum Door {
    Single(Recipient<Lifecycle>),
    Batch(Recipient<LifecycleBatch>),
}

enum Mode {
    Live {
        seen: Seen,
    },
    /// Events are held until the snapshot is here.
    Waiting {
        held: Vec<Numbered>,
        /// Of the snapshot and what is held: whoever waits for deliveries meanwhile waits for them too.
        generation: Arc<Generation>,
    },
}

impl Member {
    pub(super) fn new(
        account: Arc<Account>,
        outlet: Door,
        filter: EventFilter,
        waits: bool,
    ) -> Self {
        let generation = Generation::new(&account);
        let mut member = Self {
            account,
            generation,
            older: Vec::new(),
            has_told_panic: false,
            snapshot: Weak::new(),
            wants_resync: false,
            outlet,
            filter,
            lost: 0,
            mode: Mode::Live { seen: Seen::default() },
        };
        if waits {
            member.hold();
        }
        member
    }

    /// From now on events are held for the snapshot.
    fn hold(&mut self) {
        let generation = Generation::new(&self.account);
        self.snapshot = self.watch(&generation);
        self.mode = Mode::Waiting { held: Vec::new(), generation };
    }

    /// Remembers a generation until everything of it has been dropped.
    fn watch(&mut self, generation: &Arc<Generation>) -> Weak<Generation> {
        self.older.retain(|generation| generation.strong_count() > 0);
        let watched = generation.watch();
        self.older.push(watched.clone());
        watched
    }

    pub(super) fn is_connected(&self) -> bool {
        match &self.outlet {
            Door::Single(recipient) => recipient.connected(),
            Door::Batch(recipient) => recipient.connected(),
        }
    }

    pub(super) fn appetite(&self) -> Appetite {
        let messages = match &self.outlet {
            Door::Single(_) => BATCH as u64,
            Door::Batch(_) => 1,
        };
        Appetite { capacity: self.account.capacity(), room: self.account.room(), messages }
    }

    /// Delivers, holds or counts what this subscription is owed of a round.
    pub(super) fn take(&mut self, round: &Arc<Round>) {
        let id = self.account.id;
        match &mut self.mode {
            Mode::Waiting { held, .. } => {
                for numbered in round.events() {
                    if !numbered.is_for(id, &self.filter) {
                        continue;
                    }
                    if (held.len() as u64) < self.account.capacity() {
                        held.push(numbered.clone());
                    } else {
                        self.lost += 1;
                    }
                }
            }
            Mode::Live { seen }
                if seen.is_empty() && self.filter.is_open() && round.is_for_all() =>
            {
                self.deliver(Portion::whole(Arc::clone(round)));
            }
            Mode::Live { seen } => {
                let admits =
                    |event: &Numbered| event.is_for(id, &self.filter) && seen.admits(event);
                let admitted = Portion::of(round, admits);
                self.deliver(admitted);
            }
        }
    }

    fn deliver(&mut self, mut events: Portion) {
        let over = events.shorten(self.account.room());
        if events.len() > 0 {
            self.send(Content::Events(events));
        }
        if over > 0 {
            self.lost += over;
            self.wait_for_room();
        }
    }

    /// Events only as far as there is room: a mailbox's own capacity plays no part. Others go beyond the bound:
    /// there are few of them, and each says something that must be said.
    fn send(&mut self, content: Content) {
        let lost = std::mem::take(&mut self.lost);
        match &self.outlet {
            Door::Single(recipient) => {
                Parcel::deliveries(content, lost, &self.generation)
                    .for_each(|delivery| recipient.do_send(delivery));
            }
            Door::Batch(recipient) => {
                recipient.do_send(LifecycleBatch::new(content, lost, &self.generation));
            }
        }
    }

    /// What was lost is told by the next delivery, or by one of its own when there is room (B2).
    fn wait_for_room(&mut self) {
        self.account.ask_for_notice();
        self.tell_loss();
    }

    /// Tells a loss that has not been told, if there is room.
    pub(super) fn tell_loss(&mut self) {
        if self.lost == 0 {
            return;
        }
        if self.account.room() == 0 {
            self.account.ask_for_notice();
            if self.account.room() == 0 {
                return;
            }
        }
        self.send(Content::Gap);
    }

    /// The members at one point of the sequence: from now on only what is newer counts (B3).
    pub(super) fn snapshot(&mut self, members: &[Sighting]) {
        let admitted = members.iter().filter(|seen| self.filter.admits_task(Some(&seen.cell.task)));
        let read: Vec<_> = admitted.map(|seen| (seen.cell.id(), seen.versioned_status())).collect();
        let seen = Seen::new(read.iter().map(|(id, (version, _))| (*id, *version)));
        let statuses: Vec<TaskStatus> = read.into_iter().map(|(_, (_, status))| status).collect();
        match std::mem::replace(&mut self.mode, Mode::Live { seen }) {
            Mode::Waiting { held, generation } => self.release(statuses, held, generation),
            Mode::Live { .. } => self.send(Content::Snapshot(statuses)),
        }
    }

    fn release(
        &mut self,
        statuses: Vec<TaskStatus>,
        held: Vec<Numbered>,
        generation: Arc<Generation>,
    ) {
        let current = std::mem::replace(&mut self.generation, generation);
        self.send(Content::Snapshot(statuses));
        if let Mode::Live { seen } = &mut self.mode {
            let newer = held.into_iter().filter(|numbered| seen.admits_held(numbered));
            let newer = Arc::new(newer.collect());
            self.deliver(Portion::whole(newer));
        }
        self.generation = current;
    }

    /// Asks for a new snapshot; see [`Self::begin_resync`] for when it is taken.
    pub(super) fn want_resync(&mut self) {
        self.wants_resync = true;
    }

    /// Whether a snapshot that was asked for should be taken now: not before the subscriber has let go of
    /// the last one. From now on events are held for it.
    pub(super) fn begin_resync(&mut self) -> bool {
        let is_live = matches!(self.mode, Mode::Live { .. });
        if !self.wants_resync || !is_live || self.snapshot.strong_count() > 0 {
            return false;
        }
        self.wants_resync = false;
        self.hold();
        true
    }

    /// Everything sent so far and not dropped yet, to wait for.
    pub(super) fn deliveries(&mut self) -> Vec<Weak<Generation>> {
        if self.generation.is_out() {
            let next = Generation::new(&self.account);
            let before = std::mem::replace(&mut self.generation, next);
            self.watch(&before);
        }
        self.older.retain(|generation| generation.strong_count() > 0);
        self.older.clone()
    }

    /// Whether its subscriber panicked and nobody was told yet: once for each subscription.
    pub(super) fn take_panic(&mut self) -> bool {
        let is_news = self.account.has_panicked() && !self.has_told_panic;
        self.has_told_panic |= is_news;
        is_news
    }

    /// B5.
    pub(super) fn end(&mut self) {
        if let Mode::Waiting { held, .. } = &mut self.mode {
            self.lost += held.len() as u64;
            self.mode = Mode::Live { seen: Seen::default() };
        }
        self.send(Content::End);
    }
}

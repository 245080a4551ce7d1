//! The last events, in order, with the places where some are missing. Pure.

use std::{collections::VecDeque, sync::Arc};

use crate::event::Event;

/// An event, and how many were lost right before it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) lost_before: u64,
    pub(super) event: Arc<Event>,
}

/// The last `capacity` events.
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    capacity: usize,
    last_seq: u64,
    /// Lost since the last event.
    lost: u64,
}

/// What a client that comes back is owed.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// How many are missing before the first.
    pub(super) overrun: u64,
    pub(super) entries: Vec<Entry>,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity, last_seq: 0, lost: 0 }
    }

    pub(super) fn lost(&mut self, events: u64) {
        self.lost += events;
    }

    pub(super) fn push(&mut self, event: Arc<Event>) {
        self.last_seq = event.seq;
        let lost_before = std::mem::take(&mut self.lost);
        self.entries.push_back(Entry { lost_before, event });
        if self.entries.len() > self.capacity {
            self.entries.pop_front();
        }
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Everything after the event of this number.
    pub(super) fn after(&self, seq: u64) -> Replay {
        let start = self.entries.partition_point(|entry| entry.event.seq <= seq);
        // Those before the first one were pushed out, or were lost: a loss inside is told where it was.
        let first = self.entries.front().map_or(self.last_seq + 1, |entry| entry.event.seq);
        let overrun = first.saturating_sub(seq.saturating_add(1));
        let mut entries: Vec<Entry> = self.entries.range(start..).cloned().collect();
        if start == 0
            && let Some(entry) = entries.first_mut()
        {
            entry.lost_before = 0; // counted in `overrun`
        }
        Replay { overrun, entries }
    }
}

//! When each stop in progress is overdue: one heap for all. Pure.

use std::{cmp::Reverse, collections::BinaryHeap};

use tokio::time::Instant;

use super::{KEEP, table::IdMap};
use crate::id::TaskId;

/// The deadlines, at most one for each task: the last one set counts.
#[derive(Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, TaskId)>>,
    /// What counts; an entry of the heap that differs is stale.
    current: IdMap<Instant>,
}

impl Deadlines {
    pub(crate) fn set(&mut self, task: TaskId, at: Instant) {
        self.current.insert(task, at);
        self.heap.push(Reverse((at, task)));
    }

    /// The task is gone. Stale entries leave when they are half of the heap.
    pub(crate) fn forget(&mut self, task: TaskId) {
        // Most tasks end without having been asked to stop.
        if self.current.is_empty() || self.current.remove(&task).is_none() {
            return;
        }
        if self.current.is_empty() && self.current.capacity() > KEEP {
            // Gives the memory of a mass stop back; one cancel after another keeps its room.
            *self = Self::default();
        } else if self.current.is_empty() {
            self.heap.clear();
        } else if self.heap.len() > 64 && self.heap.len() / 2 > self.current.len() {
            let Self { heap, current } = self;
            heap.retain(|Reverse((at, task))| current.get(task) == Some(at));
        }
    }

    /// The next moment to look.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out a task whose deadline has passed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<TaskId> {
        while let Some(&Reverse((at, task))) =
            self.heap.peek().filter(|Reverse((at, _))| *at <= now)
        {
            self.heap.pop();
            if self.current.get(&task) == Some(&at) {
                self.current.remove(&task);
                return Some(task);
            }
        }
        None
    }
}

//! Which attempts may run under `max_concurrent`: first come, first served. Pure.

use std::collections::BTreeMap;

use crate::id::TaskId;

/// What one task holds of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Permit {
    #[default]
    None,
    Waiting {
        ticket: u64,
    },
    Held,
}

/// The permits and the queue for them.
#[derive(Debug)]
pub(crate) struct PermitPool {
    limit: usize,
    held: usize,
    waiting: BTreeMap<u64, TaskId>,
    next_ticket: u64,
}

impl PermitPool {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, held: 0, waiting: BTreeMap::new(), next_ticket: 0 }
    }

    /// Takes a permit, or a place in the queue.
    pub(crate) fn ask(&mut self, task: TaskId) -> Permit {
        if self.held < self.limit && self.waiting.is_empty() {
            self.held += 1;
            return Permit::Held;
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, task);
        Permit::Waiting { ticket }
    }

    /// Gives back what a task holds; answers the one that now holds a permit in its place.
    pub(crate) fn give_back(&mut self, permit: Permit) -> Option<TaskId> {
        match permit {
            Permit::None => None,
            Permit::Waiting { ticket } => {
                self.waiting.remove(&ticket);
                None
            }
            Permit::Held => match self.waiting.pop_first() {
                Some((_, next)) => Some(next),
                None => {
                    self.held -= 1;
                    None
                }
            },
        }
    }
}

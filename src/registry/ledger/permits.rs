//! Which attempts may run under `max_concurrent`: first come, first served within a slot, and the slots in
//! turn, all tasks without a slot being one. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::KEEP;
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

/// The slot in whose name a permit is asked for.
type Key = Option<Arc<str>>;

/// The permits and the lines for them.
#[derive(Debug)]
pub(crate) struct PermitPool {
    limit: usize,
    held: usize,
    /// Nobody who waits is in no line, and no line is empty.
    lines: HashMap<Key, Line>,
    /// Whose turn is next: each line by its turn.
    turns: BTreeMap<u64, Key>,
    /// Numbers tickets and turns.
    next_number: u64,
}

/// Those of one slot, by their tickets.
#[derive(Debug)]
struct Line {
    turn: u64,
    waiting: BTreeMap<u64, TaskId>,
}

impl PermitPool {
    pub(crate) fn new(limit: usize) -> Self {
        let (lines, turns) = (HashMap::new(), BTreeMap::new());
        Self { limit, held: 0, lines, turns, next_number: 0 }
    }

    /// Takes a permit, or a place at the end of the slot's line. A new line is behind all others.
    pub(crate) fn ask(&mut self, task: TaskId, slot: Option<&Arc<str>>) -> Permit {
        if self.held < self.limit && self.lines.is_empty() {
            self.held += 1;
            return Permit::Held;
        }
        let (ticket, slot) = (self.number(), slot.cloned());
        let line = self.lines.entry(slot.clone()).or_insert_with(|| {
            self.turns.insert(ticket, slot);
            Line { turn: ticket, waiting: BTreeMap::new() }
        });
        line.waiting.insert(ticket, task);
        Permit::Waiting { ticket }
    }

    /// Gives back what a task of this slot holds; answers the one that now holds a permit in its place.
    pub(crate) fn give_back(&mut self, permit: Permit, slot: Option<&Arc<str>>) -> Option<TaskId> {
        match permit {
            Permit::None => None,
            Permit::Waiting { ticket } => {
                self.leave(&slot.cloned(), ticket);
                None
            }
            Permit::Held => {
                let next = self.serve();
                if next.is_none() {
                    self.held -= 1;
                }
                next
            }
        }
    }

    /// The first one of the line whose turn it is; the line goes to the end.
    fn serve(&mut self) -> Option<TaskId> {
        let (_, slot) = self.turns.pop_first()?;
        let turn = self.number();
        let line = self.lines.get_mut(&slot)?;
        line.turn = turn;
        let (_, task) = line.waiting.pop_first()?;
        if line.waiting.is_empty() {
            self.close(&slot);
        } else {
            self.turns.insert(turn, slot);
        }
        Some(task)
    }

    fn leave(&mut self, slot: &Key, ticket: u64) {
        let Some(line) = self.lines.get_mut(slot) else {
            return;
        };
        line.waiting.remove(&ticket);
        if line.waiting.is_empty() {
            self.turns.remove(&line.turn);
            self.close(slot);
        }
    }

    fn close(&mut self, slot: &Key) {
        self.lines.remove(slot);
        if self.lines.is_empty() && self.lines.capacity() > KEEP {
            self.lines.shrink_to(KEEP);
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

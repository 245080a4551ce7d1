//! Those who run nothing and share the outcome of another submission of their slot.
//!
//! A follower has a cell and no entry: nothing is reserved for it, and there is no limit to how many there
//! are. It gets its outcome when the other one ends. Those whom nobody can ask any more are
//! let go as others come.

use std::{collections::BTreeMap, sync::Arc};

use super::super::Registry;
use crate::{
    cell::TaskCell,
    event::EventKind,
    id::{TaskId, TaskTarget},
    slot::{Admission, WhenBusy},
    task::{CancelCause, TaskOutcome},
};

/// The followers of one submission.
pub(in crate::registry) struct Followers {
    cells: BTreeMap<TaskId, Arc<TaskCell>>,
    /// At how many to look again for those who are not wanted any more.
    prune_at: usize,
}

impl Default for Followers {
    fn default() -> Self {
        Self { cells: BTreeMap::new(), prune_at: 64 }
    }
}

impl Followers {
    fn push(&mut self, cell: Arc<TaskCell>) {
        if self.cells.len() >= self.prune_at {
            self.cells.retain(|_, cell| is_wanted(cell));
            self.prune_at = (self.cells.len() * 2).max(64);
        }
        self.cells.insert(cell.id(), cell);
    }

    /// Those of one who follows somebody itself now. The larger of the two stays where it is.
    fn take_over(&mut self, others: Option<Self>) {
        let Some(mut others) = others else { return };
        if others.cells.len() > self.cells.len() {
            std::mem::swap(self, &mut others);
        }
        others.cells.into_values().for_each(|cell| self.push(cell));
    }

    /// How many there are that somebody can ask.
    pub(super) fn wanted(&self) -> usize {
        self.cells.values().filter(|cell| is_wanted(cell)).count()
    }
}

/// Whether anybody else can see it.
fn is_wanted(cell: &Arc<TaskCell>) -> bool {
    Arc::strong_count(cell) > 1
}

impl Registry {
    /// A newcomer follows a member of its slot.
    pub(super) fn attach(&mut self, to: TaskId, follower: Arc<TaskCell>) {
        self.followers.entry(to).or_default().push(follower);
    }

    /// One who waited follows the one that took its place, with all who followed it.
    pub(super) fn merge(&mut self, cell: &Arc<TaskCell>, into: TaskId, when_busy: WhenBusy) {
        if let Some(parked) = self.parked.remove(&cell.id()) {
            self.dispose(parked);
        }
        let Some((_, evicted)) = self.table.remove(&cell.task) else {
            return;
        };
        let own = self.followers.remove(&cell.id());
        let followers = self.followers.entry(into).or_default();
        followers.take_over(own);
        followers.push(Arc::clone(cell));
        let version = cell.version() + 1;
        self.tell_submitted(cell, when_busy, Admission::Attached { to: into }, version);
        self.tell_ended(cell, version, EventKind::TaskRemoved { forced: false });
        self.flush();
        cell.attached();
        self.forget(evicted);
    }

    /// Gives the followers of a member its outcome.
    pub(super) fn share_end(&mut self, of: TaskId, outcome: &TaskOutcome) {
        let Some(followers) = self.followers.remove(&of) else {
            return;
        };
        for cell in followers.cells.into_values().filter(is_wanted) {
            cell.settle(outcome.clone(), outcome.failure(), None);
            cell.removed();
        }
    }

    /// The supervisor ends: whoever still follows somebody gets its outcome, or none.
    pub(in crate::registry) fn share_all_ends(&mut self) {
        let of: Vec<_> = self.followers.keys().copied().collect();
        for id in of {
            let outcome = self.member(id).and_then(|cell| cell.outcome());
            self.share_end(id, &outcome.unwrap_or(TaskOutcome::Lost));
        }
    }

    /// The cell of a follower.
    pub(in crate::registry) fn follower(&self, target: &TaskTarget) -> Option<Arc<TaskCell>> {
        let TaskTarget::Id(id) = target else {
            return None;
        };
        self.followers.values().find_map(|followers| followers.cells.get(id)).cloned()
    }

    /// Ends the share of a follower; the one that it follows goes on.
    pub(in crate::registry) fn detach(&mut self, target: &TaskTarget) -> Option<Arc<TaskCell>> {
        let cell = self.follower(target)?;
        let id = cell.id();
        self.followers.retain(|_, followers| {
            followers.cells.remove(&id);
            !followers.cells.is_empty()
        });
        let cause = CancelCause::User;
        cell.ask_to_stop(cause, None);
        cell.settle(TaskOutcome::Canceled { cause, failure: None }, None, None);
        cell.removed();
        Some(cell)
    }
}

//! Those who run nothing and share the outcome of another submission of their slot.
//!
//! A follower has a cell and no entry: nothing is reserved for it, and there is no limit to how many there
//! are. It gets its outcome when the other one ends. Those whom nobody can ask any more are
//! let go as others come.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::{
    Registry,
    ledger::{IdMap, KEEP},
};
use crate::{
    cell::{Last, TaskCell},
    event::EventKind,
    id::{TaskId, TaskTarget},
    slot::{Admission, WhenBusy},
    task::{CancelCause, TaskOutcome},
};

/// All followers, and whom they follow.
#[derive(Default)]
pub(in crate::registry) struct Followers {
    cells: IdMap<Arc<TaskCell>>,
    /// By the one that is followed. An id without a cell gave its share up.
    groups: IdMap<Group>,
}

struct Group {
    ids: Vec<TaskId>,
    /// At how many to look for those who are not wanted any more.
    prune_at: usize,
}

impl Default for Group {
    fn default() -> Self {
        Self { ids: Vec::new(), prune_at: 64 }
    }
}

impl Followers {
    fn push(&mut self, cell: Arc<TaskCell>, to: TaskId) {
        let Self { cells, groups } = self;
        let group = groups.entry(to).or_default();
        if group.ids.len() >= group.prune_at {
            group.ids.retain(|id| {
                let is_wanted = cells.get(id).is_some_and(is_wanted);
                if !is_wanted {
                    cells.remove(id);
                }
                is_wanted
            });
            group.prune_at = (group.ids.len() * 2).max(64);
        }
        group.ids.push(cell.id());
        cells.insert(cell.id(), cell);
    }

    /// Those who followed one follow another.
    fn move_over(&mut self, from: TaskId, to: TaskId) {
        let Some(mut smaller) = self.groups.remove(&from) else { return };
        let larger = self.groups.entry(to).or_default();
        if smaller.ids.len() > larger.ids.len() {
            std::mem::swap(&mut smaller, larger);
        }
        larger.ids.append(&mut smaller.ids);
    }

    /// Takes out those who follow this one.
    fn take(&mut self, of: TaskId) -> Vec<Arc<TaskCell>> {
        if self.groups.is_empty() {
            return Vec::new();
        }
        let Some(group) = self.groups.remove(&of) else {
            return Vec::new();
        };
        let cells = group.ids.iter().filter_map(|id| self.cells.remove(id)).collect();
        if self.groups.is_empty() && self.groups.capacity().max(self.cells.capacity()) > KEEP {
            self.groups.shrink_to(KEEP);
            self.cells.shrink_to(KEEP);
        }
        cells
    }

    /// Those who are followed.
    pub(super) fn followed(&self) -> Vec<TaskId> {
        self.groups.keys().copied().collect()
    }

    /// How many follow this one, of whom somebody can ask.
    pub(in crate::registry) fn count(&self, of: TaskId) -> usize {
        let ids = self.groups.get(&of).map_or(&[][..], |group| &group.ids);
        ids.iter().filter_map(|id| self.cells.get(id)).filter(|cell| is_wanted(cell)).count()
    }
}

/// Whether anybody else can see it.
fn is_wanted(cell: &Arc<TaskCell>) -> bool {
    Arc::strong_count(cell) > 1
}

impl Registry {
    /// A newcomer follows a member of its slot.
    pub(super) fn attach(&mut self, to: TaskId, follower: Arc<TaskCell>) {
        self.followers.push(follower, to);
    }

    /// One who waited follows the one that took its place, with all who followed it.
    pub(super) fn merge(&mut self, cell: &Arc<TaskCell>, into: TaskId, when_busy: WhenBusy) {
        let Some(mark) = self.table.remove(&cell.task) else {
            return;
        };
        self.crew.dispose(mark);
        self.followers.move_over(cell.id(), into);
        self.followers.push(Arc::clone(cell), into);
        let version = cell.version() + 1;
        self.tell_submitted(cell, when_busy, Admission::Attached { to: into }, version);
        self.tell_of(cell, version, EventKind::TaskRemoved { forced: false });
        cell.attached();
        self.let_go_of_fallen();
    }

    /// Gives the followers of a member its outcome.
    pub(super) fn share_end(&mut self, of: TaskId, outcome: &TaskOutcome) {
        for cell in self.followers.take(of).into_iter().filter(is_wanted) {
            let last = Last { failure: outcome.failure(), ..Last::default() };
            let _settled = cell.settle(outcome.clone(), last, Instant::now());
            cell.removed();
            self.let_go(Some(cell));
        }
    }

    /// The supervisor ends: whoever still follows somebody gets its outcome, or none.
    pub(in crate::registry) fn share_all_ends(&mut self) {
        for id in self.followers.followed() {
            let outcome = self.member(id).and_then(|cell| cell.outcome());
            self.share_end(id, &outcome.unwrap_or(TaskOutcome::Lost));
        }
    }

    /// The cell of a follower.
    pub(in crate::registry) fn follower(&self, target: &TaskTarget) -> Option<Arc<TaskCell>> {
        match target {
            TaskTarget::Id(id) => self.followers.cells.get(id).cloned(),
            TaskTarget::Name(_) => None,
        }
    }

    /// Ends the share of a follower; the one that it follows goes on.
    pub(in crate::registry) fn detach(&mut self, target: &TaskTarget) -> Option<Arc<TaskCell>> {
        let cell = self.follower(target)?;
        self.followers.cells.remove(&cell.id());
        let cause = CancelCause::User;
        cell.ask_to_stop(cause, None, Instant::now());
        let outcome = TaskOutcome::Canceled { cause, failure: None };
        let _settled = cell.settle(outcome, Last::default(), Instant::now());
        cell.removed();
        Some(cell)
    }
}

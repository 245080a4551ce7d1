use std::sync::Arc;

use crate::{
    cell::TaskCell,
    registry::{EndReport, TaskEnded},
    task::TaskOutcome,
};

/// Makes sure that a task's end is reported exactly once (T3): by [`report`](Self::report), or, when
/// the task vanishes with its thread, its runtime or a defect of ours, by its drop.
///
/// It travels inside the order to start the task, so an order that is never carried out counts too.
pub(crate) struct EndGuard {
    cell: Option<Arc<TaskCell>>,
}

impl EndGuard {
    pub(crate) fn new(cell: Arc<TaskCell>) -> Self {
        Self { cell: Some(cell) }
    }

    /// The task ended in good order: its outcome and its last events are out.
    pub(crate) fn report(&mut self) {
        if let Some(cell) = self.cell.take() {
            send(&cell, EndReport::InOrder);
            cell.wake();
        }
    }
}

impl Drop for EndGuard {
    /// Runs on any thread, perhaps while unwinding, perhaps without a runtime: nothing here panics.
    fn drop(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        let running = cell.running_attempt();
        cell.attempt_over();
        let settled = cell.settle(TaskOutcome::Lost, None, 0);
        send(&cell, EndReport::Vanished { running, is_lost: settled.is_some() });
        cell.wake();
    }
}

fn send(cell: &Arc<TaskCell>, report: EndReport) {
    // May not be dropped: `Registry` frees the name by it. It fails only when `Registry` has ended.
    cell.board.registry.do_send(TaskEnded { cell: Arc::clone(cell), report });
}

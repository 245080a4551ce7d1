use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    cell::{AttemptEnd, Ended, Last, TaskCell},
    registry::{EndReport, TaskEnded},
    supervisor::Board,
    task::{Failure, TaskOutcome},
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
    pub(super) fn report(&mut self, board: &Board) {
        if let Some(cell) = self.cell.take() {
            send_end(board, cell, EndReport::InOrder);
        }
    }
}

impl Drop for EndGuard {
    /// Runs on any thread, perhaps while unwinding, perhaps without a runtime: nothing here panics.
    fn drop(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        let attempt = cell.running_attempt();
        let since = cell.attempt_over(None).since;
        let failure = attempt.is_some().then(Failure::lost);
        let ended = attempt.zip(since).map(|((attempt, took), since)| {
            let (end, failure) = (AttemptEnd::Lost, failure.clone());
            Ended { attempt, since, took, end, failure, next: None }
        });
        let last = Last { failure: failure.as_ref(), streak: None, ended };
        let settled = cell.end(TaskOutcome::Lost, last, Instant::now());
        let lost = settled.as_ref().map(|settled| settled.version);
        let board = Arc::clone(&cell.board);
        send_end(&board, cell, EndReport::Vanished { attempt, lost });
    }
}

fn send_end(board: &Board, cell: Arc<TaskCell>, report: EndReport) {
    // May not be dropped: `Registry` frees the name by it. It fails only when `Registry` has ended.
    board.registry.do_send(TaskEnded { cell, report });
}

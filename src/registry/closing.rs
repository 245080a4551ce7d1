//! The end of a supervisor, seen from `Registry`: who has stopped, who did not, and the report.

use std::sync::Arc;

use actix::prelude::*;
use tokio::time::Instant;

use super::Registry;
use crate::{
    broker::CloseBroker,
    cell::TaskCell,
    event::{EventKind, EventType},
    supervisor::{ShutdownCause, ShutdownReport},
    task::{CancelCause, TaskOutcome},
    task_actor::AbandonTask,
    worker::StopWorker,
};

/// Receives the report, once, on every path. Ends what is outside of `Registry`'s reach.
pub(crate) type Finale = Box<dyn FnOnce(ShutdownReport) + Send>;

/// How far the end has come.
pub(crate) enum Stage {
    Serving,
    /// Every task was asked to stop.
    Stopping(Progress),
    /// The last event is out; subscribers are given time to handle theirs.
    Closing(Progress),
    /// The report is out.
    Over,
}

pub(crate) struct Progress {
    report: ShutdownReport,
    began: Instant,
}

impl Progress {
    fn new(cause: ShutdownCause) -> Self {
        Self { report: ShutdownReport::new(cause), began: Instant::now() }
    }

    fn finished(self) -> ShutdownReport {
        ShutdownReport { took: self.began.elapsed(), ..self.report }
    }
}

impl Stage {
    fn progress(&mut self) -> Option<&mut Progress> {
        match self {
            Self::Stopping(progress) | Self::Closing(progress) => Some(progress),
            Self::Serving | Self::Over => None,
        }
    }

    /// The supervisor is about to end in another way than asked.
    pub(super) fn note_cause(&mut self, cause: ShutdownCause) {
        match self {
            Self::Serving => *self = Self::Stopping(Progress::new(cause)),
            Self::Stopping(progress) | Self::Closing(progress) => progress.report.cause = cause,
            Self::Over => {}
        }
    }
}

impl Registry {
    pub(super) fn shut_down(&mut self, cause: ShutdownCause) {
        if !matches!(self.stage, Stage::Serving) {
            return;
        }
        self.stage = Stage::Stopping(Progress::new(cause));
        self.tell(EventType::ShutdownRequested, None, || EventKind::ShutdownRequested { cause });
        self.flush();
        for id in self.table.ids() {
            self.stop_task(id, CancelCause::Shutdown, None);
        }
        self.look_whether_stopped();
    }

    /// Writes an end into the report of the shutdown, if one is under way.
    pub(super) fn note_ended(&mut self, cell: &TaskCell, outcome: &TaskOutcome) {
        // In `Closing` those that were left have been noted.
        let Stage::Stopping(Progress { report, .. }) = &mut self.stage else { return };
        report.ended.push((cell.task.clone(), outcome.clone()));
        if matches!(outcome, TaskOutcome::ForceAborted { .. }) {
            report.forced.push(cell.task.clone());
        }
    }

    /// When every task has ended, or its deadline has passed: the last event, then the broker's turn.
    pub(super) fn look_whether_stopped(&mut self) {
        if self.table.len() > self.overdue || !matches!(self.stage, Stage::Stopping(_)) {
            return;
        }
        self.note_those_left();
        let Some(Progress { report, .. }) = self.stage.progress() else {
            return;
        };
        let stuck = report.exceeded();
        if stuck.is_empty() {
            self.tell(EventType::AllStoppedWithinGrace, None, || EventKind::AllStoppedWithinGrace);
        } else {
            self.tell(EventType::GraceExceeded, None, || EventKind::GraceExceeded { stuck });
        }
        self.flush();
        if let Stage::Stopping(progress) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.stage = Stage::Closing(progress);
        }
        // Answered by `BrokerClosed`, also when the broker is gone or goes meanwhile.
        self.board.broker.do_send(CloseBroker::new(&self.board, self.settings.subscriber_drain));
    }

    /// Those still here have an outcome by now, and no physical end: one holds its thread, the others
    /// wait behind it.
    fn note_those_left(&mut self) {
        let Some(Progress { report, .. }) = self.stage.progress() else {
            return;
        };
        for entry in self.table.entries() {
            let cell: &Arc<TaskCell> = &entry.cell;
            let holds_thread = self.board.beats.polling(cell.worker) == Some(cell.id());
            let list = if holds_thread { &mut report.stuck } else { &mut report.held_up };
            list.push(cell.task.clone());
            let outcome = cell.outcome().unwrap_or(TaskOutcome::Lost);
            report.ended.push((cell.task.clone(), outcome));
        }
    }

    pub(super) fn broker_closed(&mut self, undelivered: u64, ctx: &mut Context<Self>) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Closing(mut progress) => {
                progress.report.undelivered = undelivered;
                self.finish(progress.finished());
                ctx.stop();
            }
            // The broker died of a defect: the supervisor ends, and says so.
            Stage::Serving => {
                self.stage = Stage::Serving;
                self.shut_down(ShutdownCause::Panicked);
            }
            Stage::Stopping(mut progress) => {
                progress.report.cause = ShutdownCause::Panicked;
                self.stage = Stage::Stopping(progress);
            }
            Stage::Over => {}
        }
    }

    /// Ends what is left: the workers, and whoever still waits for a task.
    fn finish(&mut self, report: ShutdownReport) {
        let Some(finale) = self.finale.take() else {
            return;
        };
        for worker in &self.workers {
            worker.do_send(StopWorker);
        }
        for entry in self.table.entries() {
            entry.cell.settle(TaskOutcome::Lost, None, None);
            entry.cell.abandoned();
            // Where its thread goes on (the caller's own), its body may not.
            if let Some(task) = entry.cell.addr.upgrade() {
                task.do_send(AbandonTask);
            }
        }
        finale(report);
    }
}

impl Drop for Registry {
    /// Reached without `finish` when the runtime is dropped, or after too many panics.
    fn drop(&mut self) {
        if self.finale.is_none() {
            return;
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let mut report = match stage {
            Stage::Stopping(progress) | Stage::Closing(progress) => progress.finished(),
            Stage::Serving | Stage::Over => ShutdownReport::new(ShutdownCause::RuntimeDropped),
        };
        for entry in self.table.entries() {
            entry.cell.settle(TaskOutcome::Lost, None, None);
            let outcome = entry.cell.outcome().unwrap_or(TaskOutcome::Lost);
            report.ended.push((entry.cell.task.clone(), outcome));
        }
        self.finish(report);
        // In good order the broker has ended by now; here it says goodbye on its own.
        let goodbye = CloseBroker::new(&self.board, self.settings.subscriber_drain);
        self.board.broker.do_send(goodbye);
    }
}

//! The end of a supervisor, seen from `Registry`: who has stopped, who did not, and the report.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;
use tokio::time::Instant;

use super::Registry;
use crate::{
    broker::CloseBroker,
    cell::{Last, TaskCell},
    clock::moment,
    event::{EventKind, EventType},
    slot::RejectionKind,
    supervisor::{ShutdownCause, ShutdownReport},
    task::{CancelCause, TaskOutcome},
};

/// Receives the report, once, on every path. Ends what is outside of `Registry`'s reach.
pub(crate) type Finale = Box<dyn FnOnce(ShutdownReport) + Send>;

/// How far the end has come.
pub(crate) enum Stage {
    Serving,
    /// Nothing new is taken in; slots work off what waits in them, at most until the time inside.
    Draining(Progress, Option<Instant>),
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
            Self::Draining(progress, _) | Self::Stopping(progress) | Self::Closing(progress) => {
                Some(progress)
            }
            Self::Serving | Self::Over => None,
        }
    }

    /// The supervisor is about to end in another way than asked.
    pub(super) fn note_cause(&mut self, cause: ShutdownCause) {
        match self {
            Self::Serving => *self = Self::Stopping(Progress::new(cause)),
            Self::Draining(..) | Self::Stopping(_) | Self::Closing(_) => {
                if let Some(progress) = self.progress() {
                    progress.report.cause = cause;
                }
            }
            Self::Over => {}
        }
    }

    /// When draining is over, if it is under way and has a bound.
    pub(super) fn drain_until(&self) -> Option<Instant> {
        match self {
            Self::Draining(_, until) => *until,
            Self::Serving | Self::Stopping(_) | Self::Closing(_) | Self::Over => None,
        }
    }
}

impl Registry {
    pub(super) fn shut_down(&mut self, cause: ShutdownCause) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Serving => {
                self.stage = Stage::Stopping(Progress::new(cause));
                self.tell_shutdown(cause);
            }
            Stage::Draining(progress, _) => self.stage = Stage::Stopping(progress),
            other => {
                self.stage = other;
                return;
            }
        }
        self.stop_everyone();
        self.look_whether_stopped();
    }

    /// Asks every member to stop, the oldest first: in the order in which their memory was taken (10,000 and
    /// 100,000 take half as long as in the order of the table). Asked twice, it makes no difference.
    fn stop_everyone(&mut self) {
        self.reject_everyone();
        self.open_everything();
        if let Some(progress) = self.stage.progress() {
            progress.report.ended.reserve(self.table.len());
        }
        for id in self.table.ids() {
            self.stop_task(id, CancelCause::Shutdown, None);
        }
    }

    /// After a panic of this actor: goes on with whatever was half done.
    pub(super) fn mend(&mut self) {
        match self.stage {
            Stage::Serving | Stage::Draining(..) => self.mend_slots(),
            Stage::Stopping(_) => self.stop_everyone(),
            Stage::Closing(_) | Stage::Over => {}
        }
    }

    /// Lets the slots work off what waits in them, then shuts down.
    pub(super) fn shut_down_after_queues(&mut self, cause: ShutdownCause, within: Duration) {
        if !matches!(self.stage, Stage::Serving) {
            return;
        }
        let now = Instant::now();
        self.stage = Stage::Draining(Progress::new(cause), moment(now, within));
        self.tell_shutdown(cause);
        self.slots.end_bursts(now);
        self.look_at_slots(now);
        self.after_removals();
    }

    /// When no slot has anything left to do, or the time for it is over.
    pub(super) fn look_whether_drained(&mut self) {
        let Stage::Draining(Progress { report, .. }, until) = &self.stage else {
            return;
        };
        let is_over = until.is_some_and(|until| until <= Instant::now());
        if is_over || self.slots.is_quiet() {
            self.shut_down(report.cause);
        }
    }

    fn tell_shutdown(&mut self, cause: ShutdownCause) {
        self.tell(EventType::ShutdownRequested, None, || EventKind::ShutdownRequested { cause });
    }

    /// Writes an end into the report of the shutdown, if one is under way.
    pub(super) fn note_ended(&mut self, cell: &TaskCell, outcome: &TaskOutcome) {
        // In `Closing` those that were left have been noted.
        let (Stage::Draining(Progress { report, .. }, _)
        | Stage::Stopping(Progress { report, .. })) = &mut self.stage
        else {
            return;
        };
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
            let holds_thread = cell.worker().and_then(|worker| self.board.beats.polling(worker))
                == Some(cell.id());
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
            Stage::Draining(mut progress, until) => {
                progress.report.cause = ShutdownCause::Panicked;
                self.stage = Stage::Draining(progress, until);
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
        self.answers.send(&self.crew);
        self.crew.stop();
        for entry in self.table.entries() {
            let last_word = self.last_word(&entry.cell);
            let _settled = entry.cell.settle(last_word, Last::default(), Instant::now());
            entry.cell.abandoned();
        }
        self.share_all_ends();
        finale(report);
    }

    /// The outcome of a member that has none when the supervisor ends.
    fn last_word(&self, cell: &TaskCell) -> TaskOutcome {
        if self.slots.is_waiting(cell.id()) {
            TaskOutcome::Rejected { kind: RejectionKind::ShuttingDown }
        } else {
            TaskOutcome::Lost
        }
    }
}

impl Drop for Registry {
    /// Reached without `finish` when the runtime is dropped, or after too many panics.
    fn drop(&mut self) {
        self.board.gate.close();
        if self.finale.is_none() {
            return;
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let mut report = match stage {
            Stage::Draining(progress, _) | Stage::Stopping(progress) | Stage::Closing(progress) => {
                progress.finished()
            }
            Stage::Serving | Stage::Over => ShutdownReport::new(ShutdownCause::RuntimeDropped),
        };
        for entry in self.table.entries() {
            let last_word = self.last_word(&entry.cell);
            let _settled = entry.cell.settle(last_word, Last::default(), Instant::now());
            let outcome = entry.cell.outcome().unwrap_or(TaskOutcome::Lost);
            report.ended.push((entry.cell.task.clone(), outcome));
        }
        self.finish(report);
        // In good order the broker has ended by now; here it says goodbye on its own.
        let goodbye = CloseBroker::new(&self.board, self.settings.subscriber_drain);
        self.board.broker.do_send(goodbye);
    }
}

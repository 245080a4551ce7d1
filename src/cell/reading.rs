//! The readers of a cell: anybody for the task, a context for its attempt.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix::dev::channel::AddressReceiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempts::{AttemptRecord, Frame},
    cell::TaskCell,
    status::{TaskPhase, TaskStatus},
};
use crate::{
    clock::moment,
    operator::Seen,
    task::{CancelCause, TaskOutcome},
    task_actor::{TaskActor, Wishes},
    watched::Place,
};

/// What a task's actor finds when it looks into the cell.
pub(crate) struct Look {
    pub(crate) wishes: Wishes,
    /// Somebody has asked for its address.
    pub(crate) mailbox: Option<AddressReceiver<TaskActor>>,
    /// The supervisor has ended: nobody wants to know any more.
    pub(crate) is_abandoned: bool,
}

/// A task as `Registry` saw it: its cell, and its place in its slot's queue, which only `Registry` knows.
pub(crate) struct Sighting {
    pub(crate) cell: Arc<TaskCell>,
    pub(crate) position: Option<usize>,
}

impl Sighting {
    pub(crate) fn status(&self) -> TaskStatus {
        self.versioned_status().1
    }

    /// The status, and the version of the cell that it shows.
    pub(crate) fn versioned_status(&self) -> (u64, TaskStatus) {
        let (version, status) = self.cell.versioned_status();
        // It may have started since.
        let position = self.position.filter(|_| status.phase == TaskPhase::Queued);
        (version, TaskStatus { position, ..status })
    }
}

impl TaskCell {
    // ---- read by anybody ----

    pub(crate) fn version(&self) -> u64 {
        self.facts.lock().version
    }

    pub(crate) fn outcome(&self) -> Option<TaskOutcome> {
        self.facts.lock().outcome.clone()
    }

    /// The outcome, and the version of the cell that has it.
    pub(crate) fn versioned_outcome(&self) -> (Option<TaskOutcome>, u64) {
        let facts = self.facts.lock();
        (facts.outcome.clone(), facts.version)
    }

    pub(crate) fn has_outcome(&self) -> bool {
        self.facts.lock().outcome.is_some()
    }

    /// Why, and when force follows, if the task was asked to stop.
    pub(crate) fn stop(&self) -> Option<(CancelCause, Option<Instant>)> {
        self.facts.lock().stop.map(|stop| (stop.cause, stop.force))
    }

    /// The attempt that is under way, and how long it has been up.
    pub(crate) fn running_attempt(&self) -> Option<(u64, Duration)> {
        let facts = self.facts.lock();
        facts.attempt_since.map(|since| (facts.attempt, since.elapsed()))
    }

    pub(crate) fn status(&self) -> TaskStatus {
        self.versioned_status().1
    }

    /// The status, and the version of the cell that it shows.
    pub(crate) fn versioned_status(&self) -> (u64, TaskStatus) {
        let now = Instant::now();
        let (beats, worker) = (&self.board.beats, self.worker());
        let facts = self.facts.lock();
        let next = facts.next_attempt_at.filter(|_| facts.phase != TaskPhase::Paused);
        let status = TaskStatus {
            task: self.task.clone(),
            slot: self.slot.clone(),
            position: None,
            phase: facts.phase,
            in_phase_for: now.saturating_duration_since(facts.phase_since),
            age: now.saturating_duration_since(self.accepted_at),
            attempt: facts.attempt,
            restarts: facts.attempt.saturating_sub(1),
            streak: facts.streak,
            last_failure: facts.last_failure.clone(),
            is_paused: facts.is_paused,
            is_required: self.rules.required,
            is_up: false,
            next_attempt_in: next.map(|at| at.saturating_duration_since(now)),
            uptime: facts.attempt_since.map(|since| now.saturating_duration_since(since)),
            cancel_cause: facts.stop.map(|stop| stop.cause),
            stopping_for: facts
                .stop
                .filter(|_| !facts.is_removed)
                .map(|stop| now.saturating_duration_since(stop.asked_at)),
            outcome: facts.outcome.clone(),
            is_removed: facts.is_removed,
            worker,
            is_polling: worker.and_then(|worker| beats.polling(worker)) == Some(self.id()),
            is_responding: worker.is_none_or(|worker| beats.is_responding(worker)),
        };
        let last = facts.attempts.last_end();
        let is_up = status.would_be_up(self.rules.restart, last);
        (facts.version, TaskStatus { is_up, ..status })
    }

    pub(crate) fn poll_outcome(&self, place: &mut Place, cx: &Context<'_>) -> Poll<TaskOutcome> {
        self.facts.poll_for(place, cx, |facts| facts.outcome.clone())
    }

    /// Whoever polled for something here waits no longer.
    pub(crate) fn leave(&self, place: &mut Place) {
        self.facts.leave(place);
    }

    pub(crate) async fn wait_until_removed(&self) -> TaskOutcome {
        self.facts
            .wait_for(|facts| {
                facts.outcome.clone().filter(|_| facts.is_removed || facts.is_abandoned)
            })
            .await
    }

    /// Waits for the physical end, or for the moment from which only the logical one is to be had.
    /// `true`: physical.
    pub(crate) async fn wait_for_end(&self) -> (TaskOutcome, bool) {
        self.facts
            .wait_for(|facts| {
                let outcome = facts.outcome.clone()?;
                let is_over = facts.is_removed || facts.is_overdue || facts.is_abandoned;
                is_over.then_some((outcome, facts.is_removed))
            })
            .await
    }

    /// What came of the last attempts, oldest first.
    pub(crate) fn attempts(&self) -> Vec<AttemptRecord> {
        let now = Instant::now();
        let facts = self.facts.lock();
        let (attempt, phase_since) = (facts.attempt, facts.phase_since);
        facts.attempts.told(Frame { accepted_at: self.accepted_at, attempt, phase_since }, now)
    }

    /// What counts for what may be asked of it.
    pub(crate) fn seen(&self) -> Seen {
        let facts = self.facts.lock();
        // Between an attempt's return and what follows from it, nothing runs any more.
        let is_ending = facts.phase == TaskPhase::Running && facts.attempt_since.is_none();
        Seen {
            phase: if is_ending { TaskPhase::Stopping } else { facts.phase },
            has_outcome: facts.outcome.is_some(),
            is_stopping: facts.stop.is_some(),
            is_restarting: facts.interrupt.is_some_and(|it| it.cause == CancelCause::Restart),
            is_paused: facts.is_paused,
            hurry: facts.hurry,
        }
    }

    // ---- read by the task's `TaskActor` ----

    /// What somebody asked for. Where its actor says who it is, a request wakes it from now on.
    pub(crate) fn look(&self, driver: Option<Waker>) -> Look {
        let mut facts = self.facts.lock();
        if driver.is_some() {
            facts.driver = driver;
        }
        let wishes = Wishes {
            stop: facts.stop.is_some(),
            restart: facts.interrupt.is_some_and(|it| it.cause == CancelCause::Restart),
            pause: facts.is_paused,
            hurry: facts.hurry,
        };
        Look { wishes, mailbox: facts.door.take_mailbox(), is_abandoned: facts.is_abandoned }
    }

    // ---- read by the context of one attempt ----

    /// Why this attempt should stop, if it should.
    pub(crate) fn sign(&self, attempt: u64) -> Option<CancelCause> {
        self.facts.lock().sign(attempt)
    }

    pub(crate) fn is_canceled(&self, attempt: u64) -> bool {
        self.facts.lock().is_canceled(attempt)
    }

    pub(crate) fn poll_cancel(
        &self,
        attempt: u64,
        place: &mut Place,
        cx: &Context<'_>,
    ) -> Poll<()> {
        self.facts.poll_for(place, cx, |facts| facts.is_canceled(attempt).then_some(()))
    }

    pub(crate) fn force_at(&self, attempt: u64) -> Option<Instant> {
        self.facts.lock().force_at(attempt)
    }

    pub(crate) fn due(&self, attempt: u64) -> Option<Instant> {
        let timeout = self.rules.timeout?;
        let facts = self.facts.lock();
        let since = facts.attempt_since.filter(|_| facts.attempt == attempt);
        since.and_then(|since| moment(since, timeout))
    }

    /// A token that is cancelled with the attempt's sign and at its end.
    pub(crate) fn child_token(&self, attempt: u64) -> CancellationToken {
        let mut facts = self.facts.lock();
        if facts.is_canceled(attempt) {
            let token = CancellationToken::new();
            token.cancel();
            return token;
        }
        facts.token.get_or_insert_with(CancellationToken::new).child_token()
    }
}

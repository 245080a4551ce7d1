//! What `Registry` writes into a cell: where the task lives, what is asked of it, and what became of its membership.

use tokio::time::Instant;

use super::{
    cell::{TaskCell, cancel, wake},
    door::Door,
    facts::{Facts, Force, Hurry, Interrupt, Stop, earlier},
    status::TaskPhase,
};
use crate::{
    clock::moment,
    task::{CancelCause, TaskOutcome},
    watched::Guard,
};

/// What came of a request to stop.
pub(crate) struct Asked {
    pub(crate) is_first: bool,
    /// The force that holds now: the earlier one of two requests.
    pub(crate) force_at: Force,
}

impl TaskCell {
    /// It is given to a worker.
    pub(crate) fn take_seat(&self, worker: usize) {
        self.set_worker(worker);
        self.facts.lock().door = Door::Unasked;
    }

    /// It waits in its slot, or no longer; where its time is to come, until then.
    pub(crate) fn enter(&self, phase: TaskPhase, due: Option<Instant>, now: Instant) -> u64 {
        let mut facts = self.facts.lock();
        facts.next_attempt_at = due;
        facts.enter(phase, now)
    }

    /// Asks the task to stop. The first cause stands; the earlier force wins.
    /// Its actor is woken: what stands here is all that it needs to know.
    pub(crate) fn ask_to_stop(&self, cause: CancelCause, force_at: Force, now: Instant) -> Asked {
        let mut facts = self.facts.lock();
        if facts.outcome.is_some() {
            return Asked { is_first: false, force_at: facts.stop.and_then(|stop| stop.force) };
        }
        let before = facts.stop;
        let stop = match before {
            None => Stop { cause, force: force_at, asked_at: now },
            Some(stop) => Stop { force: earlier(stop.force, force_at), ..stop },
        };
        facts.stop = Some(stop);
        let asked = Asked { is_first: before.is_none(), force_at: stop.force };
        let driver = facts.driver.clone();
        if asked.is_first {
            facts.version += 1;
            let token = facts.token.clone();
            facts.wake();
            cancel(token);
        } else {
            drop(facts);
        }
        wake(driver);
        asked
    }

    /// Asks the running attempt to make room for a new one; where a delay runs, it is over and the streak forgotten.
    /// Whether there was something to ask.
    pub(crate) fn ask_to_restart(&self, force_at: Force) -> bool {
        let mut facts = self.facts.lock();
        if facts.attempt_since.is_none() {
            return self.hurry(facts, Hurry::Restart);
        }
        if facts.interrupt.is_some() || facts.stop.is_some() {
            return false;
        }
        // Its timeout would have ended it then: a restart prolongs nothing.
        let longest = self.rules.timeout.map(|time| time.saturating_add(self.rules.timeout_grace));
        let times_out =
            facts.attempt_since.zip(longest).and_then(|(since, longest)| moment(since, longest));
        let force = earlier(force_at, times_out);
        facts.interrupt = Some(Interrupt { cause: CancelCause::Restart, force });
        facts.version += 1;
        let (token, driver) = (facts.token.clone(), facts.driver.clone());
        facts.wake();
        cancel(token);
        wake(driver);
        true
    }

    /// The delay that runs is over. Whether one ran.
    pub(crate) fn ask_to_retry(&self) -> bool {
        self.hurry(self.facts.lock(), Hurry::Retry)
    }

    fn hurry(&self, mut facts: Guard<'_, Facts>, how: Hurry) -> bool {
        let delays = matches!(facts.phase, TaskPhase::BackingOff | TaskPhase::Paused);
        // A restart asks for more than a retry does, and stays.
        if !delays || facts.is_paused || facts.hurry >= how {
            return false;
        }
        facts.hurry = how;
        facts.version += 1;
        let driver = facts.driver.clone();
        drop(facts);
        wake(driver);
        true
    }

    /// No attempt begins from now on, or any may. Whether that is news.
    pub(crate) fn set_paused(&self, is_paused: bool) -> bool {
        let mut facts = self.facts.lock();
        if facts.outcome.is_some() || facts.is_paused == is_paused {
            return false;
        }
        facts.is_paused = is_paused;
        facts.version += 1;
        let driver = facts.driver.clone();
        drop(facts);
        wake(driver);
        true
    }

    /// The deadline of a stop passed and nobody reported: writes `ForceAborted`, unless there is an
    /// outcome. Answers it and the version.
    pub(crate) fn give_up(&self) -> Option<(TaskOutcome, u64)> {
        let mut facts = self.facts.lock();
        if facts.outcome.is_some() {
            return None;
        }
        let cause = facts.stop.map_or(CancelCause::User, |stop| stop.cause);
        let outcome = TaskOutcome::ForceAborted { cause };
        facts.outcome = Some(outcome.clone());
        let version = facts.enter(TaskPhase::Ended, Instant::now());
        Some((outcome, version))
    }

    /// The logical end is all that is to be had for now, and its event is out.
    pub(crate) fn overdue(&self) {
        let mut facts = self.facts.lock();
        facts.is_overdue = true;
        facts.wake();
    }

    /// The name is free, and the event of it is out. Answers the outcome.
    pub(crate) fn removed(&self) -> Option<TaskOutcome> {
        let mut facts = self.facts.lock();
        facts.is_removed = true;
        facts.version += 1;
        let outcome = facts.outcome.clone();
        facts.wake();
        outcome
    }

    /// It shares the outcome of another one from now on, and the event of it is out.
    pub(crate) fn attached(&self) {
        let mut facts = self.facts.lock();
        facts.next_attempt_at = None;
        facts.is_removed = true;
        facts.enter(TaskPhase::Attached, Instant::now());
    }

    /// The supervisor ends without the task's physical end. Where its thread goes on (the caller's own), its body may not.
    pub(crate) fn abandoned(&self) {
        let mut facts = self.facts.lock();
        facts.is_abandoned = true;
        let driver = facts.driver.clone();
        facts.wake();
        wake(driver);
    }
}

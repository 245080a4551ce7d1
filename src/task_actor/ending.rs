//! How attempts and tasks end, and what follows from it.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{
    actor::TaskActor,
    attempt::Returned,
    messages::Permits,
    phase::{Conclusion, Input, Phase},
};
use crate::{
    cell::{AttemptEnd, DelayReason, Ended, Last, Over, PlannedAttempt},
    clock::{Alarm, moment},
    event::{AttemptStop, BackoffSource, Draft, EventKind, EventType},
    policy::{self, Decision, Ending, Finish, Next},
    registry::AttemptReleased,
    task::{CancelCause, Failure, TaskOutcome},
};

/// The attempt that just ended.
struct Ran {
    attempt: u64,
    how: Conclusion,
    ending: Ending,
    failure: Option<Failure>,
    since: Instant,
    took: Duration,
    at: Instant,
}

impl TaskActor {
    /// The attempt is over and its slot is empty: another one is planned, or the task ends.
    pub(super) fn conclude(
        &mut self,
        attempt: u64,
        how: Conclusion,
        returned: Returned,
        over: Over,
        at: Instant,
    ) {
        self.alarm = Alarm::Off;
        let returned = match how {
            Conclusion::TimedOut => {
                Returned::timed_out(self.cell.rules.timeout.unwrap_or_default())
            }
            Conclusion::Own
            | Conclusion::Canceled
            | Conclusion::Forced
            | Conclusion::Restarted
            | Conclusion::RestartForced => returned,
        };
        let since = over.since.unwrap_or(at);
        let took = at.saturating_duration_since(since);
        let Returned { ending, failure, retry_after } = returned;
        let ran = Ran { attempt, how, ending, failure, since, took, at };
        let cause = over.stop.unwrap_or(CancelCause::Itself);
        match how {
            Conclusion::Own | Conclusion::TimedOut => {
                self.follow_policy(ran, over.streak, retry_after);
            }
            Conclusion::Restarted | Conclusion::RestartForced => self.begin_afresh(ran),
            Conclusion::Canceled => {
                let outcome = TaskOutcome::Canceled { cause, failure: ran.failure.clone() };
                self.end(Some(ran), outcome, None, at);
            }
            Conclusion::Forced => {
                self.end(Some(ran), TaskOutcome::ForceAborted { cause }, None, at);
            }
        }
        if over.is_paused && self.phase != Phase::Ended {
            self.carry_out(Input::PauseAsked, at);
        }
    }

    /// Somebody asked for a new attempt: this one counts for nothing.
    fn begin_afresh(&mut self, ran: Ran) {
        let next = PlannedAttempt { delay: Duration::ZERO, why: DelayReason::Restart, streak: 0 };
        self.back_off(ran, next);
    }

    /// Nothing runs, and nothing will.
    pub(super) fn end_idle(&mut self, now: Instant) {
        self.alarm = Alarm::Off;
        let outcome = TaskOutcome::Canceled { cause: self.stop_cause(), failure: None };
        self.end(None, outcome, None, now);
    }

    fn follow_policy(&mut self, ran: Ran, streak: u32, retry_after: Option<Duration>) {
        let is_healthy = ran.took >= self.cell.rules.healthy_after && !self.has_overrun(ran.took);
        let Decision { streak, next } = policy::decide(
            self.cell.rules.restart,
            self.cell.rules.max_retries,
            streak,
            ran.ending,
            is_healthy,
        );
        let plan = |delay, why| PlannedAttempt { delay, why, streak };
        match next {
            Next::RunAgain { after } => self.back_off(ran, plan(after, DelayReason::Interval)),
            Next::Retry { index } => {
                let next = match retry_after {
                    Some(asked) => {
                        let delay = policy::retry_after(asked, self.cell.rules.retry_after_max);
                        plan(delay, DelayReason::RetryAfter)
                    }
                    None => plan(self.backoff_delay(index), DelayReason::Backoff),
                };
                self.back_off(ran, next);
            }
            Next::Finish(finish) => {
                let (outcome, at) = (outcome_of(finish, ran.failure.clone()), ran.at);
                self.end(Some(ran), outcome, Some(streak), at);
            }
        }
    }

    /// A body that blocked its thread past its timeout and then returned was not timed out; it was
    /// not healthy either.
    fn has_overrun(&self, took: Duration) -> bool {
        self.cell.rules.timeout.is_some_and(|timeout| took > timeout)
    }

    fn backoff_delay(&mut self, index: u32) -> Duration {
        let (policy, seed) = (&self.cell.rules.backoff, self.cell.id().get());
        self.delays.next(policy, seed, index)
    }

    fn back_off(&mut self, ran: Ran, next: PlannedAttempt) {
        let PlannedAttempt { delay, streak, .. } = next;
        let due = moment(ran.at, delay);
        self.phase = Phase::after(ran.attempt, true);
        let planned = self.cell.backs_off(ran.record(Some(next)), streak, due, ran.at);
        let Some(version) = planned else { return self.end_given_up(ran) };
        if self.cell.board.has_listeners() {
            self.tell_back_off(&ran, next, version);
        }
        self.previous_failure = ran.failure;
        if delay.is_zero() {
            self.alarm = Alarm::NextPoll;
        } else {
            self.alarm.set(due);
        }
        self.release_permit();
    }

    /// Its future was dropped or returned after the task had its outcome.
    fn end_given_up(&mut self, ran: Ran) {
        let at = ran.at;
        self.end(Some(ran), TaskOutcome::ForceAborted { cause: self.stop_cause() }, None, at);
    }

    fn stop_cause(&self) -> CancelCause {
        self.cell.stop().map_or(CancelCause::User, |(cause, _)| cause)
    }

    pub(super) fn release_permit(&mut self) {
        if self.permits != Permits::Held {
            return;
        }
        self.permits = Permits::Unasked;
        // May not be dropped: the permit would never come back.
        self.cell.board.registry.do_send(AttemptReleased { task: self.cell.id() });
    }

    /// T4. The object goes first, so that a panic of its drop can still be told.
    fn end(&mut self, ran: Option<Ran>, outcome: TaskOutcome, streak: Option<u32>, at: Instant) {
        self.phase = Phase::Ended;
        let (mut ran, mut outcome) = (ran, outcome);
        if let Some(text) = self.body.discard(&self.cell, at) {
            outcome = spoiled(&mut ran, outcome, Failure::panicked(text));
        }
        let failure = outcome.failure().cloned();
        let ended = ran.as_ref().map(|ran| ran.record(None));
        let last = Last { failure: failure.as_ref(), streak, ended };
        let settled = self.cell.end(outcome.clone(), last, at);
        if self.cell.board.has_listeners() {
            let version = settled.as_ref().map(|settled| settled.version);
            self.tell_end(ran, outcome, version, at);
        }
        self.guard.report(&self.cell.board);
        // All has been told: now those who waited are woken.
        drop(settled);
    }

    // ---- what is told of it ----

    fn tell_back_off(&self, ran: &Ran, next: PlannedAttempt, version: u64) {
        let PlannedAttempt { delay, why, .. } = next;
        let scheduled = || EventKind::BackoffScheduled {
            after_attempt: ran.attempt,
            delay,
            source: source_of(why),
            due: SystemTime::now().checked_add(delay),
        };
        let ended = self.draft_of_end(ran, version);
        let scheduled = self.draft(EventType::BackoffScheduled, version, ran.at, scheduled);
        self.cell.board.publish([ended, scheduled]);
    }

    /// `version` is that of the outcome; `None`: `Registry` gave up on this thread, and told the end; the attempt ends
    /// only now.
    fn tell_end(&self, ran: Option<Ran>, outcome: TaskOutcome, version: Option<u64>, at: Instant) {
        let forced = |ran| Ran { how: Conclusion::Forced, ..ran };
        let ran = if version.is_some() { ran } else { ran.map(forced) };
        let shown = version.unwrap_or_else(|| self.cell.version());
        let ended = ran.as_ref().and_then(|ran| self.draft_of_end(ran, shown));
        let terminal = version.and_then(|version| {
            let kind = EventKind::ended(outcome);
            self.draft(kind.event_type(), version, at, || kind)
        });
        self.cell.board.publish([ended, terminal]);
    }

    /// T2.
    fn draft_of_end(&self, ran: &Ran, version: u64) -> Option<Draft> {
        let kind = ran.event(self.cell.rules.timeout);
        self.draft(kind.event_type(), version, ran.at, || kind)
    }
}

impl Ran {
    /// What the cell keeps of it.
    fn record(&self, next: Option<PlannedAttempt>) -> Ended {
        let end = match (self.how, self.ending) {
            (Conclusion::Canceled, _) | (Conclusion::Own, Ending::Canceled) => AttemptEnd::Canceled,
            (Conclusion::Forced | Conclusion::RestartForced, _) => AttemptEnd::Forced,
            (Conclusion::Restarted, _) => AttemptEnd::Restarted,
            (Conclusion::TimedOut, _) | (Conclusion::Own, Ending::TimedOut) => AttemptEnd::TimedOut,
            (Conclusion::Own, Ending::Succeeded) => AttemptEnd::Succeeded,
            (Conclusion::Own, Ending::Failed) => AttemptEnd::Failed,
            (Conclusion::Own, Ending::Panicked) => AttemptEnd::Panicked,
            (Conclusion::Own, Ending::Fatal) => AttemptEnd::Fatal,
        };
        let (attempt, since, took) = (self.attempt, self.since, self.took);
        Ended { attempt, since, took, end, failure: self.failure.clone(), next }
    }

    fn event(&self, timeout: Option<Duration>) -> EventKind {
        let (attempt, took) = (self.attempt, self.took);
        let stopped = |how| EventKind::TaskStopped { attempt, how, took };
        match (self.how, self.ending, &self.failure) {
            (Conclusion::Canceled | Conclusion::Restarted, _, _) => stopped(AttemptStop::Canceled),
            (Conclusion::Forced | Conclusion::RestartForced, _, _) => stopped(AttemptStop::Forced),
            (Conclusion::TimedOut, _, _) => {
                EventKind::TimeoutHit { attempt, timeout: timeout.unwrap_or_default(), took }
            }
            (Conclusion::Own, Ending::Canceled, _) => stopped(AttemptStop::Canceled),
            (Conclusion::Own, _, Some(failure)) => {
                EventKind::failed(attempt, failure.clone(), took)
            }
            (Conclusion::Own, _, None) => stopped(AttemptStop::Succeeded),
        }
    }
}

fn source_of(why: DelayReason) -> BackoffSource {
    match why {
        DelayReason::Interval => BackoffSource::Success,
        DelayReason::Backoff | DelayReason::RetryAfter => BackoffSource::Failure,
        DelayReason::Restart => BackoffSource::Restart,
    }
}

fn outcome_of(finish: Finish, failure: Option<Failure>) -> TaskOutcome {
    match (finish, failure) {
        (Finish::Failed, Some(failure)) => TaskOutcome::Failed(failure),
        (Finish::Fatal, Some(failure)) => TaskOutcome::Fatal(failure),
        (Finish::Canceled, failure) => {
            TaskOutcome::Canceled { cause: CancelCause::Itself, failure }
        }
        (Finish::Completed | Finish::Failed | Finish::Fatal, _) => TaskOutcome::Completed,
    }
}

/// The outcome of a task whose object panicked while it was dropped: a success becomes a failure of
/// its last attempt, a cancel keeps the failure; another failure stands.
fn spoiled(ran: &mut Option<Ran>, outcome: TaskOutcome, failure: Failure) -> TaskOutcome {
    match outcome {
        TaskOutcome::Completed => {
            if let Some(ran) = ran {
                ran.ending = Ending::Panicked;
                ran.failure = Some(failure.clone());
            }
            TaskOutcome::Failed(failure)
        }
        TaskOutcome::Canceled { cause, failure: None } => {
            TaskOutcome::Canceled { cause, failure: Some(failure) }
        }
        other => other,
    }
}

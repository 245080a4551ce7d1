//! What is written down where requests and the ways of an attempt meet.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    ATTEMPT_HISTORY, AttemptEnd, AttemptRecord, DelayReason, Ended, Hurry, PlannedAttempt,
    TaskPhase,
    attempts::{Attempts, Frame},
    facts::{Facts, Interrupt},
};
use crate::task::{CancelCause, Failure};

const SECOND: Duration = Duration::from_secs(1);

/// An attempt that ended after a second.
fn ended(attempt: u64, end: AttemptEnd, since: Instant, next: Option<PlannedAttempt>) -> Ended {
    Ended { attempt, since, took: SECOND, end, failure: None, next }
}

/// All of them, of a task that was accepted at `since` and has had so many attempts.
fn told(attempts: &Attempts, since: Instant, attempt: u64, now: Instant) -> Vec<AttemptRecord> {
    let frame = Frame { accepted_at: since, attempt, phase_since: since + SECOND };
    attempts.told(frame, now)
}

#[test]
fn an_only_attempt_is_told_like_any_other() {
    let since = Instant::now();
    let now = since + SECOND * 3;
    for end in [AttemptEnd::Succeeded, AttemptEnd::Canceled, AttemptEnd::Forced, AttemptEnd::Lost] {
        let mut attempts = Attempts::default();
        assert!(told(&attempts, since, 1, now).is_empty() && attempts.last_end().is_none());
        assert!(attempts.note(ended(1, end, since, None), since).is_none());
        assert_eq!(attempts.last_end(), Some(end));
        assert_eq!(attempts.failures().count(), 0);

        let told = told(&attempts, since, 1, now);
        let [only] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((only.attempt, only.end), (1, end));
        assert_eq!((only.started_ago, only.took), (SECOND * 3, SECOND));
        assert!(only.failure.is_none() && only.next.is_none());
    }
}

#[test]
fn the_last_attempt_of_several_is_told_after_them() {
    let since = Instant::now();
    let next = PlannedAttempt { delay: SECOND, why: DelayReason::Interval, streak: 0 };
    let mut attempts = Attempts::default();
    attempts.note(ended(1, AttemptEnd::Succeeded, since, Some(next)), since);
    attempts.note(ended(2, AttemptEnd::Succeeded, since + SECOND * 2, None), since);
    let told = told(&attempts, since, 2, since + SECOND * 9);
    let seen: Vec<_> =
        told.iter().map(|one| (one.attempt, one.started_ago, one.took, one.next)).collect();
    assert_eq!(seen, [(1, SECOND * 9, SECOND, Some(next)), (2, SECOND * 7, SECOND, None)]);
}

#[test]
fn of_many_attempts_the_last_twenty_are_kept_in_the_room_for_them() {
    let since = Instant::now();
    let next = PlannedAttempt { delay: SECOND, why: DelayReason::Backoff, streak: 0 };
    // Some before the 16 bits that are kept of their numbers are full, and some after that.
    let first = u64::from(u16::MAX) - 50;
    let mut attempts = Attempts::default();
    for attempt in first..first + 100 {
        let failure = Some(Failure::panicked(attempt.to_string()));
        let one = ended(attempt, AttemptEnd::Panicked, since, Some(next));
        let oldest = attempts.note(Ended { failure, ..one }, since);
        let kept = (attempt + 1).saturating_sub(ATTEMPT_HISTORY as u64).max(first);
        let fell_out = oldest.map(|failure| failure.to_string());
        let expected =
            (kept > first).then(|| Failure::panicked((kept - 1).to_string()).to_string());
        assert_eq!(fell_out, expected);
        let told = told(&attempts, since, attempt + 1, since);
        let told: Vec<_> = told.iter().map(|one| one.attempt).collect();
        assert_eq!(told, (kept..=attempt).collect::<Vec<_>>());
        let Attempts::Noted(noted) = &attempts else { panic!("each of them has a next one") };
        assert!(noted.capacity() <= ATTEMPT_HISTORY, "{}", noted.capacity());
    }
}

#[test]
fn what_an_attempt_was_is_told_as_it_was() {
    let since = Instant::now();
    for (delay, why) in [
        (Duration::ZERO, DelayReason::Restart),
        (Duration::from_nanos(1), DelayReason::Backoff),
        (Duration::from_secs(86_400 * 365 * 500), DelayReason::RetryAfter),
    ] {
        let next = PlannedAttempt { delay, why, streak: u32::MAX };
        let mut attempts = Attempts::default();
        let one = ended(7, AttemptEnd::Failed, since + SECOND, Some(next));
        attempts.note(Ended { took: delay, ..one }, since);
        let told = told(&attempts, since, 9, since + SECOND * 3);
        let [only] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((only.attempt, only.end), (7, AttemptEnd::Failed));
        assert_eq!((only.started_ago, only.took), (SECOND * 2, delay));
        assert_eq!(only.next, Some(next));
    }
}

#[test]
fn a_delay_beyond_all_measure_is_told_as_584_years() {
    let since = Instant::now();
    let next = PlannedAttempt { delay: Duration::MAX, why: DelayReason::RetryAfter, streak: 1 };
    let mut attempts = Attempts::default();
    attempts.note(ended(1, AttemptEnd::Failed, since, Some(next)), since);
    let told = told(&attempts, since, 1, since);
    let delay = told[0].next.map(|next| next.delay.as_secs() / (86_400 * 365));
    assert_eq!(delay, Some(584));
}

#[test]
fn a_timeout_leaves_a_restart_that_came_before_it() {
    let now = Instant::now();
    let mut facts = Facts::new(TaskPhase::Running, now);
    facts.interrupt = Some(Interrupt { cause: CancelCause::Restart, force: None });
    assert!(!facts.time_out(Some(now), now));
    assert!(facts.interrupt.is_some_and(|it| it.cause == CancelCause::Restart));
    facts.interrupt = None;
    assert!(facts.time_out(Some(now), now));
    assert!(facts.interrupt.is_some_and(|it| it.cause == CancelCause::TimedOut));
    assert_eq!(facts.phase, TaskPhase::Stopping);
}

#[test]
fn a_delay_that_was_cut_short_by_a_restart_leaves_a_new_streak() {
    for (hurry, streak) in [(Hurry::No, 3), (Hurry::Retry, 3), (Hurry::Restart, 0)] {
        let mut facts = Facts::new(TaskPhase::BackingOff, Instant::now());
        (facts.hurry, facts.streak) = (hurry, 3);
        facts.take_hurry();
        assert_eq!((facts.hurry, facts.streak), (Hurry::No, streak));
    }
}

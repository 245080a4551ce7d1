//! What is written down where requests and the ways of an attempt meet.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    ATTEMPT_HISTORY, AttemptEnd, DelayReason, Ended, Hurry, PlannedAttempt, TaskPhase,
    attempts::Attempts,
    facts::{Facts, Interrupt},
};
use crate::task::CancelCause;

const SECOND: Duration = Duration::from_secs(1);

/// An attempt that ended after a second.
fn ended(attempt: u64, end: AttemptEnd, since: Instant, next: Option<PlannedAttempt>) -> Ended {
    Ended { attempt, since, took: SECOND, end, failure: None, next }
}

#[test]
fn an_only_attempt_is_told_like_any_other() {
    let since = Instant::now();
    let (over, now) = (since + SECOND, since + SECOND * 3);
    for end in [AttemptEnd::Succeeded, AttemptEnd::Canceled, AttemptEnd::Forced, AttemptEnd::Lost] {
        let mut attempts = Attempts::default();
        assert!(attempts.told(over, now).is_empty() && attempts.last_end().is_none());
        assert!(attempts.note(ended(1, end, since, None)).is_none());
        assert_eq!(attempts.last_end(), Some(end));
        assert_eq!(attempts.failures().count(), 0);

        let told = attempts.told(over, now);
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
    attempts.note(ended(1, AttemptEnd::Succeeded, since, Some(next)));
    attempts.note(ended(2, AttemptEnd::Succeeded, since + SECOND * 2, None));
    let told = attempts.told(since + SECOND * 3, since + SECOND * 9);
    let seen: Vec<_> = told.iter().map(|one| (one.attempt, one.took, one.next)).collect();
    assert_eq!(seen, [(1, SECOND, Some(next)), (2, SECOND, None)]);
}

#[test]
fn of_many_attempts_the_last_twenty_are_kept_in_the_room_for_them() {
    let since = Instant::now();
    let next = PlannedAttempt { delay: SECOND, why: DelayReason::Interval, streak: 0 };
    let mut attempts = Attempts::default();
    for attempt in 1..=100 {
        let oldest = attempts.note(ended(attempt, AttemptEnd::Succeeded, since, Some(next)));
        let kept = attempt.saturating_sub(ATTEMPT_HISTORY as u64);
        assert_eq!(oldest.map(|oldest| oldest.attempt), (kept > 0).then_some(kept));
        let told: Vec<_> = attempts.told(since, since).iter().map(|one| one.attempt).collect();
        assert_eq!(told, (kept + 1..=attempt).collect::<Vec<_>>());
        let Attempts::Noted(noted) = &attempts else { panic!("each of them has a next one") };
        assert!(noted.capacity() <= ATTEMPT_HISTORY, "{}", noted.capacity());
    }
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

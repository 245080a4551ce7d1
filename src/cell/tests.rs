//! What is written down where requests and the ways of an attempt meet.

use tokio::time::Instant;

use super::{
    Hurry, TaskPhase,
    facts::{Facts, Interrupt},
};
use crate::task::CancelCause;

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

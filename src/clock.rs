//! Moments and alarms: every clock in this crate is Tokio's, so that a paused clock drives it all.

use std::{pin::Pin, task::Context, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until};

/// The one timer of an actor, which exists only while something is due.
#[derive(Default)]
pub(crate) enum Alarm {
    #[default]
    Off,
    /// Rings at the next poll, not in this one: siblings get their turn between.
    NextPoll,
    At {
        sleep: Pin<Box<Sleep>>,
        /// Whether it was polled since it was set: only then does it wake the actor.
        is_armed: bool,
    },
}

impl Alarm {
    /// Rings at `at`; `None`: never. Before the poll is over, [`arm`](Self::arm) it.
    pub(crate) fn set(&mut self, at: Option<Instant>) {
        *self = match at {
            Some(at) => Self::At { sleep: Box::pin(sleep_until(at)), is_armed: false },
            None => Self::Off,
        };
    }

    /// Makes sure that it will wake the actor: the last thing to do in a poll.
    pub(crate) fn arm(&mut self, cx: &mut Context<'_>) {
        if let Self::At { sleep, is_armed: is_armed @ false } = self {
            *is_armed = true;
            if sleep.as_mut().poll(cx).is_ready() {
                *self = Self::NextPoll;
            }
        }
        if let Self::NextPoll = self {
            cx.waker().wake_by_ref();
        }
    }

    /// Whether it rings now; then it is off.
    pub(crate) fn has_rung(&mut self, cx: &mut Context<'_>) -> bool {
        let rings = match self {
            Self::Off => false,
            Self::NextPoll => true,
            Self::At { sleep, is_armed } => {
                *is_armed = true;
                sleep.as_mut().poll(cx).is_ready()
            }
        };
        if rings {
            *self = Self::Off;
        }
        rings
    }
}

/// Thirty years.
const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The moment `delay` from `now`; `None`, which is never, beyond thirty years.
pub(crate) fn moment(now: Instant, delay: Duration) -> Option<Instant> {
    if delay > NEVER { None } else { now.checked_add(delay) }
}

/// The moment `delay` from `now`, but at most thirty years.
pub(crate) fn late(now: Instant, delay: Duration) -> Instant {
    now + delay.min(NEVER)
}

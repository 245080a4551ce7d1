use std::{
    pin::{Pin, pin},
    task::Context,
};

use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

/// The one timer of an actor, which exists only while something is due.
///
/// What is due is noted first; Tokio's timer is made by [`arm`](Self::arm), at the end of a poll. So an alarm that is
/// called off in the poll that set it costs nothing.
#[derive(Default)]
pub(crate) enum Alarm {
    #[default]
    Off,
    /// Rings at the next poll, not in this one: siblings get their turn between.
    NextPoll,
    At {
        at: Instant,
        sleep: Option<Pin<Box<Sleep>>>,
    },
}

impl Alarm {
    /// Rings at `at`; `None`: never. Before the poll is over, [`arm`](Self::arm) it.
    pub(crate) fn set(&mut self, at: Option<Instant>) {
        match (&*self, at) {
            (Self::At { at: known, .. }, Some(at)) if *known == at => {}
            (_, Some(at)) => *self = Self::At { at, sleep: None },
            (_, None) => *self = Self::Off,
        }
    }

    /// One that rings at `at`, and has yet to be armed.
    pub(crate) fn new(at: Instant) -> Self {
        Self::At { at, sleep: None }
    }

    /// Whether it will wake the actor by `at`, for those who then look themselves what is due: it is armed, for no later
    /// moment, and Tokio's timer has not rung. No clock is read for it, so that what is due may wait for the timer, which
    /// the runtime looks after between two turns of its tasks.
    pub(crate) fn covers(&self, at: Instant) -> bool {
        match self {
            Self::At { at: known, sleep: Some(sleep) } => *known <= at && !sleep.is_elapsed(),
            Self::Off | Self::NextPoll | Self::At { .. } => false,
        }
    }

    /// Makes sure that it will wake the actor: the last thing to do in a poll.
    ///
    /// Tokio's measure of 128 results in one poll of a task is not asked: where user code has used it up, the timer would
    /// not be set, and what it was set for would never come.
    pub(crate) fn arm(&mut self, cx: &mut Context<'_>) {
        if let Self::At { at, sleep: sleep @ None } = self {
            let sleep = sleep.insert(Box::pin(sleep_until(*at)));
            if pin!(unconstrained(sleep.as_mut())).poll(cx).is_ready() {
                *self = Self::NextPoll;
            }
        }
        if let Self::NextPoll = self {
            cx.waker().wake_by_ref();
        }
    }

    /// Whether it rings now; then it is off.
    pub(crate) fn has_rung(&mut self, now: Instant) -> bool {
        let rings = match self {
            Self::Off => false,
            Self::NextPoll => true,
            Self::At { at, .. } => *at <= now,
        };
        if rings {
            *self = Self::Off;
        }
        rings
    }
}

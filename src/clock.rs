//! Moments and alarms: every clock in this crate is Tokio's, so that a paused clock drives it all.

use std::{
    pin::Pin,
    task::Context,
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, Sleep, sleep_until};

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

    /// Makes sure that the actor is woken by `at`, for those who then look themselves what is due: an alarm that
    /// rings before stays as it is.
    pub(crate) fn wake_by(&mut self, at: Instant, now: Instant) {
        if !matches!(self, Self::At { at: known, .. } if now < *known && *known <= at) {
            self.set(Some(at));
        }
    }

    /// Whether it will wake the actor by `at`, for those who then look themselves: it is armed, and has not rung. No clock is
    /// read for it.
    pub(crate) fn covers(&self, at: Instant) -> bool {
        matches!(self, Self::At { at: known, sleep: Some(sleep) } if *known <= at && !sleep.is_elapsed())
    }

    /// Makes sure that it will wake the actor: the last thing to do in a poll.
    pub(crate) fn arm(&mut self, cx: &mut Context<'_>) {
        if let Self::At { at, sleep: sleep @ None } = self {
            let sleep = sleep.insert(Box::pin(sleep_until(*at)));
            if sleep.as_mut().poll(cx).is_ready() {
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

/// What the system's clock shows at moments of ours: one look serves a whole round of events.
#[derive(Debug)]
pub(crate) struct WallClock {
    moment: Instant,
    shown: SystemTime,
}

impl WallClock {
    /// Looks at both clocks, again if the thread was interrupted between them: moments are then shown late by no more
    /// than this, and never early.
    pub(crate) fn read() -> Self {
        const GLANCE: Duration = Duration::from_micros(5);
        let look = || Self { moment: Instant::now(), shown: SystemTime::now() };
        let quick = |seen: &Self| seen.moment.elapsed() < GLANCE;
        std::iter::repeat_with(look).take(3).find(quick).unwrap_or_else(look)
    }

    /// What it showed, or will show, at this moment. It stays there: events of one step are of one moment.
    pub(crate) fn at(&mut self, moment: Instant) -> SystemTime {
        if moment != self.moment {
            let shown = match moment.checked_duration_since(self.moment) {
                Some(since) => self.shown.checked_add(since),
                None => self.shown.checked_sub(self.moment.saturating_duration_since(moment)),
            };
            *self = Self { moment, shown: shown.unwrap_or(self.shown) };
        }
        self.shown
    }
}

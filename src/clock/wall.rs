use std::time::{Duration, SystemTime};

use tokio::time::Instant;

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

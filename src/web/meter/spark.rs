//! Counts per 5 s of the last five minutes. Pure.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What one number covers.
pub(crate) const STEP: Duration = Duration::from_secs(5);
const STEPS: usize = 60;

/// The numbers, oldest first; the last one is still growing.
#[derive(Clone, Debug)]
pub(crate) struct Spark {
    begun_at: Instant,
    /// Which step the last number is.
    step: u64,
    counts: VecDeque<(u64, u64)>,
}

impl Spark {
    pub(super) fn new(now: Instant) -> Self {
        Self { begun_at: now, step: 0, counts: VecDeque::from(vec![(0, 0); STEPS]) }
    }

    pub(super) fn count(&mut self, starts: u64, failures: u64, now: Instant) {
        self.move_to(now);
        if let Some(last) = self.counts.back_mut() {
            last.0 += starts;
            last.1 += failures;
        }
    }

    pub(super) fn move_to(&mut self, now: Instant) {
        let step = now.saturating_duration_since(self.begun_at).as_secs() / STEP.as_secs();
        for _ in 0..step.saturating_sub(self.step).min(STEPS as u64) {
            self.counts.pop_front();
            self.counts.push_back((0, 0));
        }
        self.step = self.step.max(step);
    }

    pub(crate) fn starts(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.0).collect()
    }

    pub(crate) fn failures(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.1).collect()
    }
}

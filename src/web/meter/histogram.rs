use std::time::Duration;

/// Upper bounds in seconds: from quick polls to long jobs.
pub(super) const ATTEMPT_BOUNDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Upper bounds in seconds for what takes microseconds as a rule.
pub(super) const COMMAND_BOUNDS: &[f64] =
    &[0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 1.0];

/// Counts by size, and their sum.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    pub(super) bounds: &'static [f64],
    /// One for each bound and one beyond; not cumulative.
    pub(super) counts: Vec<u64>,
    pub(super) sum: Duration,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: Duration::ZERO }
    }

    pub(super) fn observe(&mut self, value: Duration) {
        let seconds = value.as_secs_f64();
        let place = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[place] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        self.sum = self.sum.saturating_add(other.sum);
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

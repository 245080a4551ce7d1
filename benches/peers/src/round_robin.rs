//! Rounds of samples: within each round all subjects come in turn, so that a drift of the machine hits them alike.

use crate::{
    child::{self, Outcome},
    job::Job,
    report::Line,
};

/// Runs all jobs so many times and answers a line for each.
///
/// A job that cannot be done, or goes wrong, is not tried again.
pub(crate) fn run(jobs: Vec<Job>, rounds: usize) -> Vec<Line> {
    let mut runs: Vec<(Job, Vec<Outcome>)> =
        jobs.into_iter().map(|job| (job, Vec::new())).collect();
    for _round in 0..rounds {
        for (job, outcomes) in &mut runs {
            if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))) {
                outcomes.push(child::run(job));
            }
        }
    }
    runs.iter().map(|(job, outcomes)| Line::of(job, outcomes)).collect()
}
